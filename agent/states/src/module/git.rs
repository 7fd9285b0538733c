//! git: what a checkout or a remote is at.

pub(super) mod act;

use std::sync::LazyLock;

use indexmap::IndexMap;
use minijinja::Error;
use minijinja::value::Value;
use regex::Regex;

use super::cmd::TIMEOUT_DEFAULT;
use super::merge::is_list;
use super::{Call, Function, reads, tidy};
use crate::host::command::{Cancel, Exec, Output, home, run};
use crate::render::python::{dict, items, list, text};

/// This module's functions.
pub(super) const ALL: &[Function] = &[
    reads("git.version", "versioninfo=", version),
    reads("git.current_branch", PLACE, |call| {
        said(call, &["rev-parse", "--abbrev-ref", "HEAD"]).map(Value::from)
    }),
    reads(
        "git.revision",
        "cwd rev= short= user= password= ignore_retcode= output_encoding=",
        |call| {
            let short = call.flag("short", false).then_some("--short");
            let rev = call.text_or("rev", "HEAD");
            let argv: Vec<&str> =
                ["rev-parse"].into_iter().chain(short).chain([rev.as_str()]).collect();
            said(call, &argv).map(Value::from)
        },
    ),
    reads(
        "git.rev_parse",
        "cwd rev= opts= git_opts= user= password= ignore_retcode= output_encoding=",
        |call| {
            let mut argv = options(call, "git_opts")?;
            argv.push("rev-parse".to_owned());
            argv.extend(options(call, "opts")?);
            argv.extend(call.text_of("rev"));
            said(call, &argv).map(Value::from)
        },
    ),
    reads("git.describe", "cwd rev= user= password= ignore_retcode= output_encoding=", |call| {
        said(call, &["describe", "--always", &call.text_or("rev", "HEAD")]).map(Value::from)
    }),
    reads(
        "git.list_branches",
        "cwd remote= user= password= ignore_retcode= output_encoding=",
        |call| {
            named(call, if call.flag("remote", false) { "refs/remotes/" } else { "refs/heads/" })
        },
    ),
    reads("git.list_tags", PLACE, |call| named(call, "refs/tags/")),
    reads(
        "git.ls_remote",
        "cwd= remote= ref= opts= git_opts= user= password= ignore_retcode= output_encoding= \
         saltenv=",
        ls_remote,
    ),
    reads("git.status", PLACE, status),
    reads(
        "git.remotes",
        "cwd user= password= redact_auth= ignore_retcode= output_encoding=",
        |call| {
            Ok(dict(remotes(call)?.into_iter().map(|(name, urls)| (name, dict(urls))).collect()))
        },
    ),
    reads(
        "git.remote_get",
        "cwd remote= user= password= redact_auth= ignore_retcode= output_encoding=",
        |call| {
            let remote = call.text_or("remote", "origin");
            let found = remotes(call)?.swap_remove(&Value::from(remote.as_str()));
            found.map(dict).ok_or_else(|| {
                let cwd = call.text("cwd");
                call.fail(format!("Remote '{remote}' not present in git checkout located at {cwd}"))
            })
        },
    ),
    reads(
        "git.config_get",
        "key cwd= user= password= ignore_retcode= output_encoding= **kwargs",
        config_get,
    ),
    reads(
        "git.diff",
        "cwd item1= item2= opts= git_opts= user= password= no_index= cached= paths= \
         output_encoding=",
        diff,
    ),
];

const PLACE: &str = "cwd user= password= ignore_retcode= output_encoding=";

/// Options as words: a list, or a line as a shell takes it.
fn options(call: &Call<'_>, name: &str) -> Result<Vec<String>, Error> {
    match call.set(name) {
        None => Ok(Vec::new()),
        Some(value) if is_list(&value) => Ok(items(&value).iter().map(text).collect()),
        Some(value) => {
            let words = tidy::words(&text(&value));
            let mut words = words.ok_or_else(|| call.fail("No closing quotation"))?;
            // Who builds the command adds it where it is needed.
            words.pop_if(|last| last == "--");
            Ok(words)
        }
    }
}

/// Runs git in the call's folder; what it printed.
fn said<S: AsRef<str>>(call: &Call<'_>, argv: &[S]) -> Result<String, Error> {
    printed(call, argv, &call.text("cwd"), false)
}

/// Runs git in a folder; what it printed, its errors with it if asked.
fn printed<S: AsRef<str>>(
    call: &Call<'_>,
    argv: &[S],
    cwd: &str,
    errors: bool,
) -> Result<String, Error> {
    let ran = ran(call, argv, cwd, errors)?;
    if ran.code == 0 && !ran.timed_out {
        return Ok(ran.stdout.trim_end().to_owned());
    }
    let words: Vec<&str> = argv.iter().map(AsRef::as_ref).collect();
    let command = redacted(&words.join(" "));
    let why = if errors { &ran.stdout } else { &ran.stderr }.trim_end();
    let why = if why.is_empty() { String::new() } else { format!(": {}", redacted(why)) };
    Err(call.fail(format!("Command 'git {command}' failed{why}")))
}

/// Runs git in a folder, however it ends.
fn ran<S: AsRef<str>>(
    call: &Call<'_>,
    argv: &[S],
    cwd: &str,
    errors: bool,
) -> Result<Output, Error> {
    let host = &call.scope.host;
    let user = call.text_of("user").filter(|user| !user.is_empty());
    let own = home(host, user.as_deref()).unwrap_or_else(|| "/".to_owned());
    let cwd = tidy::join(&[own, cwd.to_owned()]);
    if host.stat(&cwd).is_none_or(|meta| !meta.is_dir()) {
        let told = format!("Specified cwd '{cwd}' either not absolute or does not exist");
        return Err(call.fail(told));
    }
    let argv: Vec<String> =
        ["git"].into_iter().chain(argv.iter().map(AsRef::as_ref)).map(str::to_owned).collect();
    let exec = Exec {
        argv,
        cwd: Some(cwd),
        runas: user,
        env: vec![("GIT_TERMINAL_PROMPT".to_owned(), Some("0".to_owned()))],
        timeout: call.site.state.is_none().then_some(TIMEOUT_DEFAULT),
        merge_stderr: errors,
        ..Exec::default()
    };
    run(host, &exec, &Cancel::in_force()).map_err(|error| call.fail(error.to_string()))
}

/// Names and passwords in addresses, up to the last `@` of a line.
static CREDENTIALS: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new("(?i)(https?)://.*@").ok());

/// A text without the names and passwords that its addresses have, as Salt redacts it.
fn redacted(text: &str) -> String {
    let Some(credentials) = CREDENTIALS.as_ref() else { return "<redacted>".to_owned() };
    credentials.replace_all(text, "$1://<redacted>@").into_owned()
}

/// The short names of references.
fn named(call: &Call<'_>, below: &str) -> Result<Value, Error> {
    let listed = said(call, &["for-each-ref", "--format", "%(refname:short)", below])?;
    Ok(list(listed.lines().map(Value::from).collect()))
}

fn version(call: &Call<'_>) -> Result<Value, Error> {
    let told = said(call, &["--version"]).unwrap_or_default();
    let bare = told.split('(').next().unwrap_or_default();
    let version = bare.split_whitespace().last().unwrap_or("unknown");
    if !call.flag("versioninfo", false) {
        return Ok(Value::from(version));
    }
    let part = |part: &str| part.parse::<i64>().map_or_else(|_| Value::from(part), Value::from);
    Ok(list(version.split('.').map(part).collect()))
}

/// Commits by reference.
fn ls_remote(call: &Call<'_>) -> Result<Value, Error> {
    let mut argv = options(call, "git_opts")?;
    argv.push("ls-remote".to_owned());
    argv.extend(options(call, "opts")?);
    argv.push(call.text_or("remote", "origin"));
    argv.extend(call.text_of("ref").filter(|name| !name.is_empty()));
    let listed = said(call, &argv)?;
    let pair = |line: &str| {
        let (commit, name) = line.split_once(char::is_whitespace)?;
        Some((Value::from(name.trim_start()), Value::from(commit)))
    };
    Ok(dict(listed.lines().filter_map(pair).collect()))
}

/// Files by what has become of them.
fn status(call: &Call<'_>) -> Result<Value, Error> {
    let told = said(call, &["status", "-z", "--porcelain"])?;
    let mut found: IndexMap<&str, Vec<Value>> = IndexMap::new();
    for line in told.split('\0') {
        let line = line.trim_start();
        let Some((state, file)) = line.split_once(char::is_whitespace) else { continue };
        let state = match state {
            "M" => "modified",
            "A" => "new",
            "D" => "deleted",
            "??" => "untracked",
            other => other,
        };
        found.entry(state).or_default().push(Value::from(file.trim_start()));
    }
    Ok(dict(found.into_iter().map(|(state, files)| (Value::from(state), list(files))).collect()))
}

/// The addresses of remotes, by what they are for.
type Remotes = IndexMap<Value, IndexMap<Value, Value>>;

fn remotes(call: &Call<'_>) -> Result<Remotes, Error> {
    let told = said(call, &["remote", "--verbose"])?;
    let mut found = Remotes::new();
    for line in told.lines() {
        let Some((name, more)) = line.split_once(char::is_whitespace) else { continue };
        let Some((url, action)) = more.trim_start().rsplit_once(char::is_whitespace) else {
            continue;
        };
        let action = action.trim_matches(['(', ')']).to_lowercase();
        if action == "fetch" || action == "push" {
            let hides = call.flag("redact_auth", true);
            let url = if hides { redacted(url.trim_end()) } else { url.trim_end().to_owned() };
            found.entry(Value::from(name)).or_default().insert(Value::from(action), url.into());
        }
    }
    Ok(found)
}

/// The last value of a key, or all; nothing if it has none.
fn config_get(call: &Call<'_>) -> Result<Value, Error> {
    let flag = |name: &str| call.others().any(|(key, value)| key == name && value.is_true());
    let scope = if flag("global") { "--global" } else { "--local" };
    if call.set("cwd").is_none() && scope == "--local" {
        return Err(call.invalid("'cwd' argument required unless global=True"));
    }
    let cwd = call.text_of("cwd").unwrap_or_else(|| "/".to_owned());
    let ran = ran(call, &["config", scope, "--get-all", &call.text("key")], &cwd, false)?;
    if ran.code == 1 {
        return Ok(Value::from(()));
    }
    let mut values = ran.stdout.lines().map(Value::from);
    Ok(match flag("all") {
        true => list(values.collect()),
        false => values.next_back().unwrap_or_else(|| Value::from("")),
    })
}

/// What differs between revisions, or between files.
fn diff(call: &Call<'_>) -> Result<Value, Error> {
    let (no_index, cached) = (call.flag("no_index", false), call.flag("cached", false));
    if no_index && cached {
        let words = "The 'no_index' and 'cached' options cannot be used together";
        return Err(call.fail(words));
    }
    let mut argv = options(call, "git_opts")?;
    argv.push("diff".to_owned());
    argv.extend(options(call, "opts")?);
    let item = |name: &str| call.text_of(name).filter(|item| !item.is_empty());
    if no_index {
        argv.push("--no-index".to_owned());
    } else if cached {
        argv.push("--cached".to_owned());
        argv.extend(item("item1"));
    } else {
        argv.extend(item("item1").into_iter().chain(item("item2")));
    }
    let paths = match call.set("paths").filter(Value::is_true) {
        None => Vec::new(),
        Some(paths) if is_list(&paths) => items(&paths).iter().map(text).collect(),
        Some(paths) => text(&paths).split(',').map(str::to_owned).collect(),
    };
    if !paths.is_empty() {
        argv.push("--".to_owned());
        argv.extend(paths);
    }
    let cwd = call.text("cwd");
    if no_index {
        let ran = ran(call, &argv, &cwd, true)?;
        return Ok(Value::from(ran.stdout.trim_end()));
    }
    printed(call, &argv, &cwd, true).map(Value::from)
}
