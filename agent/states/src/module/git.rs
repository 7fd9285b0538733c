//! git: what a checkout or a remote is at.

pub(super) mod act;

use std::sync::LazyLock;

use minijinja::Error;
use minijinja::value::Value;
use regex::Regex;

use super::cmd::TIMEOUT_DEFAULT;
use super::merge::is_list;
use super::{Call, Function, reads, tidy};
use crate::host::command::{Cancel, Exec, home, run};
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
];

const PLACE: &str = "cwd user= password= ignore_retcode= output_encoding=";

/// Options as words: a list, or a line as a shell takes it.
fn options(call: &Call<'_>, name: &str) -> Result<Vec<String>, Error> {
    match call.set(name) {
        None => Ok(Vec::new()),
        Some(value) if is_list(&value) => Ok(items(&value).iter().map(text).collect()),
        Some(value) => tidy::words(&text(&value)).ok_or_else(|| call.fail("No closing quotation")),
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
    let command = redacted(&argv.join(" "));
    let exec = Exec {
        argv,
        cwd: Some(cwd),
        runas: user,
        env: vec![("GIT_TERMINAL_PROMPT".to_owned(), Some("0".to_owned()))],
        timeout: call.site.state.is_none().then_some(TIMEOUT_DEFAULT),
        merge_stderr: errors,
        ..Exec::default()
    };
    let ran =
        run(host, &exec, &Cancel::in_force()).map_err(|error| call.fail(error.to_string()))?;
    if ran.code == 0 && !ran.timed_out {
        return Ok(ran.stdout.trim_end().to_owned());
    }
    let why = if errors { &ran.stdout } else { &ran.stderr }.trim_end();
    let why = if why.is_empty() { String::new() } else { format!(": {}", redacted(why)) };
    Err(call.fail(format!("Command '{command}' failed{why}")))
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
