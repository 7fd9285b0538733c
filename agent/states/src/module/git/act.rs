//! git: functions that change a checkout, for `module.run`: git's own commands.

use std::fs;
use std::sync::LazyLock;

use indexmap::IndexMap;
use minijinja::Error;
use minijinja::value::Value;
use regex::Regex;

use super::{options, said};
use crate::module::merge::is_list;
use crate::module::pillar::texts;
use crate::module::{Call, Function, acts, tidy};
use crate::render::python::{dict, list, text};

/// The functions of this file.
pub(in crate::module) const ALL: &[Function] = &[
    acts(
        "git.add",
        "cwd filename opts= git_opts= user= password= ignore_retcode= output_encoding=",
        |call| plain(call, &["add", "--verbose"], &["--", &call.text("filename")]),
    ),
    acts(
        "git.archive",
        "cwd output rev= prefix= git_opts= user= password= ignore_retcode= output_encoding= \
         **kwargs",
        archive,
    ),
    acts(
        "git.branch",
        "cwd name= opts= git_opts= user= password= ignore_retcode= output_encoding=",
        |call| {
            let name = call.text_of("name");
            plain(call, &["branch"], &name.as_deref().into_iter().collect::<Vec<_>>())?;
            Ok(Value::from(true))
        },
    ),
    acts(
        "git.checkout",
        "cwd rev= force= opts= git_opts= user= password= ignore_retcode= output_encoding=",
        checkout,
    ),
    acts(
        "git.clone",
        "cwd url= name= opts= git_opts= user= password= identity=! https_user=! https_pass=! \
         ignore_retcode= saltenv= output_encoding=",
        clone,
    ),
    acts(
        "git.commit",
        "cwd message opts= git_opts= user= password= filename= ignore_retcode= output_encoding=",
        |call| {
            let file = call.text_of("filename").filter(|file| !file.is_empty());
            let last: Vec<&str> = file.as_deref().map_or(Vec::new(), |file| vec!["--", file]);
            plain(call, &["commit", "-m", &call.text("message")], &last)
        },
    ),
    acts(
        "git.config_set",
        "key value= multivar= cwd= user= password= ignore_retcode= output_encoding= **kwargs",
        config_set,
    ),
    acts(
        "git.discard_local_changes",
        "cwd path= user= password= ignore_retcode= output_encoding=",
        |call| {
            let argv = ["checkout", "--", &call.text_or("path", ".")];
            super::printed(call, &argv, &call.text("cwd"), true).map(Value::from)
        },
    ),
    acts(
        "git.fetch",
        "cwd remote= force= refspecs= opts= git_opts= user= password= identity=! ignore_retcode= \
         saltenv= output_encoding=",
        fetch,
    ),
    acts(
        "git.init",
        "cwd bare= template= separate_git_dir= shared= opts= git_opts= user= password= \
         ignore_retcode= output_encoding=",
        init,
    ),
    acts(
        "git.merge",
        "cwd rev= opts= git_opts= user= password= identity=! ignore_retcode= output_encoding= \
         **kwargs",
        |call| {
            let rev = call.text_of("rev").filter(|rev| !rev.is_empty());
            plain(call, &["merge"], &rev.as_deref().into_iter().collect::<Vec<_>>())
        },
    ),
    acts(
        "git.pull",
        "cwd opts= git_opts= user= password= identity=! ignore_retcode= saltenv= output_encoding=",
        |call| plain(call, &["pull"], &[]),
    ),
    acts(
        "git.push",
        "cwd remote= ref= opts= git_opts= user= password= identity=! ignore_retcode= saltenv= \
         output_encoding= **kwargs",
        |call| {
            let (remote, name) = (call.text_of("remote"), call.text_of("ref"));
            let last: Vec<&str> = remote.as_deref().into_iter().chain(name.as_deref()).collect();
            plain(call, &["push"], &last)
        },
    ),
    acts(
        "git.rebase",
        "cwd rev= opts= git_opts= user= password= ignore_retcode= output_encoding=",
        rebase,
    ),
    acts(
        "git.remote_set",
        "cwd url remote= user= password= https_user=! https_pass=! push_url= push_https_user=! \
         push_https_pass=! ignore_retcode= output_encoding=",
        remote_set,
    ),
    acts(
        "git.reset",
        "cwd opts= git_opts= user= password= identity=! ignore_retcode= output_encoding=",
        |call| plain(call, &["reset"], &[]),
    ),
    acts(
        "git.rm",
        "cwd filename opts= git_opts= user= password= ignore_retcode= output_encoding=",
        |call| plain(call, &["rm"], &["--", &call.text("filename")]),
    ),
    acts(
        "git.stash",
        "cwd action= opts= git_opts= user= password= ignore_retcode= output_encoding=",
        |call| plain(call, &["stash", &call.text_or("action", "save")], &[]),
    ),
    acts(
        "git.submodule",
        "cwd command opts= git_opts= user= password= identity=! ignore_retcode= saltenv= \
         output_encoding= **kwargs",
        |call| plain(call, &["submodule", &call.text("command")], &[]),
    ),
    acts(
        "git.tag",
        "cwd name ref= message= opts= git_opts= user= password= ignore_retcode= output_encoding=",
        tag,
    ),
];

fn words(call: &Call<'_>, first: &[&str], last: &[&str]) -> Result<Vec<String>, Error> {
    let mut argv = options(call, "git_opts")?;
    argv.extend(first.iter().map(|word| (*word).to_owned()));
    argv.extend(options(call, "opts")?);
    argv.extend(last.iter().map(|word| (*word).to_owned()));
    Ok(argv)
}

/// A command with the call's options: what it printed.
fn plain(call: &Call<'_>, first: &[&str], last: &[&str]) -> Result<Value, Error> {
    said(call, &words(call, first, last)?).map(Value::from)
}

fn tag(call: &Call<'_>) -> Result<Value, Error> {
    let opts = options(call, "opts")?;
    if opts.iter().any(|word| word == "-m" || word.contains("--message")) {
        return Err(call.invalid("Tag messages must be passed in the \"message\" argument"));
    }
    let mut argv = options(call, "git_opts")?;
    argv.push("tag".to_owned());
    if let Some(message) = call.text_of("message") {
        argv.extend(["-a".to_owned(), "-m".to_owned(), message]);
    }
    let deletes = opts.iter().any(|word| word == "-d" || word == "--delete");
    argv.extend(opts.into_iter().filter(|word| word != "-a" && word != "--annotate"));
    argv.push(call.text("name"));
    argv.extend((!deletes).then(|| call.text_or("ref", "HEAD")));
    super::printed(call, &argv, &call.text("cwd"), true).map(Value::from)
}

fn checkout(call: &Call<'_>) -> Result<Value, Error> {
    let opts = options(call, "opts")?;
    if call.set("rev").is_none() && !opts.iter().any(|word| word == "-b" || word == "-B") {
        return Err(call.invalid("'rev' argument is required unless -b or -B in opts"));
    }
    let mut first = vec!["checkout"];
    first.extend(call.flag("force", false).then_some("--force"));
    let rev = call.text_of("rev");
    let argv = words(call, &first, &rev.as_deref().into_iter().collect::<Vec<_>>())?;
    super::printed(call, &argv, &call.text("cwd"), true).map(Value::from)
}

fn clone(call: &Call<'_>) -> Result<Value, Error> {
    let (cwd, url) = (call.text("cwd"), call.text("url"));
    if url.is_empty() {
        return Err(call.invalid("Missing 'url' argument"));
    }
    let name = call.text_of("name");
    let mut argv = words(call, &["clone"], &["--", &url])?;
    argv.push(name.clone().unwrap_or_else(|| cwd.clone()));
    if name.is_none() {
        return super::printed(call, &argv, "/tmp", false).map(|_| Value::from(true));
    }
    fs::create_dir_all(call.scope.host.followed(&cwd))
        .map_err(|error| call.fail(error.to_string()))?;
    said(call, &argv).map(|_| Value::from(true))
}

fn init(call: &Call<'_>) -> Result<Value, Error> {
    let mut first = vec!["init".to_owned()];
    if call.flag("bare", false) {
        first.push("--bare".to_owned());
    }
    for (name, option) in
        [("template", "template"), ("separate_git_dir", "separate-git-dir"), ("shared", "shared")]
    {
        if let Some(value) = call.set(name).filter(Value::is_true) {
            first.push(format!("--{option}={}", text(&value)));
        }
    }
    let first: Vec<&str> = first.iter().map(String::as_str).collect();
    let argv = words(call, &first, &[&call.text("cwd")])?;
    super::printed(call, &argv, "/", false).map(Value::from)
}

fn archive(call: &Call<'_>) -> Result<Value, Error> {
    let format = call.others().find(|(name, _)| *name == "format").map(|(_, value)| text(value));
    let prefix = match call.text_of("prefix") {
        Some(prefix) => prefix,
        None => {
            let cwd = call.text("cwd");
            format!("{}/", cwd.rsplit('/').next().unwrap_or(""))
        }
    };
    let mut argv = options(call, "git_opts")?;
    argv.push("archive".to_owned());
    if !prefix.is_empty() {
        argv.extend(["--prefix".to_owned(), prefix]);
    }
    if let Some(format) = format {
        argv.extend(["--format".to_owned(), format]);
    }
    let output = call.scope.host.followed(&call.text("output"));
    argv.extend(["--output".to_owned(), output.to_string_lossy().into_owned()]);
    argv.push(call.text_or("rev", "HEAD"));
    said(call, &argv).map(|_| Value::from(true))
}

/// What a fetch says of one reference.
static FETCHED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let line =
        r"^[\s*]*(?:([0-9a-f]+)\.\.([0-9a-f]+)|\[(?:new (tag|branch)|tag update)\])\s+(.+)->";
    Regex::new(line).ok()
});

/// What branches are that a fetch has moved.
const MOVED: &str = "updated branches";

/// Fetches: the branches and tags that are new or moved.
fn fetch(call: &Call<'_>) -> Result<Value, Error> {
    let mut argv = options(call, "git_opts")?;
    argv.push("fetch".to_owned());
    argv.extend(call.flag("force", false).then(|| "--force".to_owned()));
    let forces = |word: &String| word == "-f" || word == "--force";
    argv.extend(options(call, "opts")?.into_iter().filter(|word| !forces(word)));
    argv.extend(call.text_of("remote").filter(|remote| !remote.is_empty()));
    match call.set("refspecs") {
        Some(specs) if is_list(&specs) => argv.extend(texts(&specs)),
        Some(specs) => argv.extend(text(&specs).split(',').map(str::to_owned)),
        None => {}
    }
    let told = super::printed(call, &argv, &call.text("cwd"), true)?;
    let mut all: IndexMap<&str, Vec<(Value, Value)>> = IndexMap::new();
    for line in told.lines() {
        let Some(found) = FETCHED.as_ref().and_then(|line_of| line_of.captures(line)) else {
            continue;
        };
        let part = |at: usize| found.get(at).map(|part| part.as_str());
        let (key, moved) = match (part(1), part(2), part(3)) {
            (_, _, Some("tag")) => ("new tags", None),
            (_, _, Some(_)) => ("new branches", None),
            (Some(old), Some(new), None) => (MOVED, Some([("old", old), ("new", new)])),
            _ => ("updated tags", None),
        };
        let moved = moved.into_iter().flatten().map(|(side, at)| (Value::from(side), at.into()));
        let name = Value::from(part(4).unwrap_or_default().trim_end());
        all.entry(key).or_default().push((name, dict(moved.collect())));
    }
    let told = all.into_iter().map(|(key, refs)| {
        let refs = match key {
            MOVED => dict(refs.into_iter().collect()),
            _ => list(refs.into_iter().map(|(name, _)| name).collect()),
        };
        (Value::from(key), refs)
    });
    Ok(dict(told.collect()))
}

fn rebase(call: &Call<'_>) -> Result<Value, Error> {
    if options(call, "opts")?.iter().any(|word| word == "-i" || word == "--interactive") {
        return Err(call.invalid("Interactive rebases are not supported"));
    }
    let rev = tidy::words(&call.text_or("rev", "master"));
    let rev = rev.ok_or_else(|| call.fail("No closing quotation"))?;
    plain(call, &["rebase"], &rev.iter().map(String::as_str).collect::<Vec<_>>())
}

fn remote_set(call: &Call<'_>) -> Result<Value, Error> {
    let (remote, url) = (call.text_or("remote", "origin"), call.text("url"));
    let known = said(call, &["remote"])?;
    if known.lines().any(|own| own == remote) {
        said(call, &["remote", "rm", &remote])?;
    }
    said(call, &["remote", "add", &remote, &url])?;
    if let Some(push) = call.text_of("push_url").filter(|push| !push.is_empty()) {
        said(call, &["remote", "set-url", "--push", &remote, &push])?;
    }
    let urls = super::remotes(call)?.swap_remove(&Value::from(remote)).unwrap_or_default();
    Ok(dict(urls))
}

/// Sets a key of a repository's configuration, or of the user's: all values that it has then.
fn config_set(call: &Call<'_>) -> Result<Value, Error> {
    let flag = |name: &str| call.others().any(|(key, value)| key == name && value.is_true());
    let global = flag("global");
    if call.set("cwd").is_none() && !global {
        return Err(call.invalid("'cwd' argument required unless global=True"));
    }
    let cwd = call.text_of("cwd").unwrap_or_else(|| "/".to_owned());
    // What the first value does with those that are there; all later ones are added.
    let (values, first) = match (call.set("value"), call.set("multivar")) {
        (Some(_), Some(_)) => {
            return Err(call.invalid("Only one of 'value' and 'multivar' is permitted"));
        }
        (None, None) => return Err(call.invalid("'NoneType' object is not iterable")),
        (None, Some(many)) if is_list(&many) => (texts(&many), "--replace-all"),
        (None, Some(many)) => {
            (text(&many).split(',').map(str::to_owned).collect(), "--replace-all")
        }
        (Some(value), None) => {
            (vec![text(&value)], if flag("add") { "--add" } else { "--replace-all" })
        }
    };
    let key = call.text("key");
    let git = |more: &[&str]| {
        let mut argv = vec!["config"];
        argv.extend(global.then_some("--global"));
        argv.extend(more);
        super::printed(call, &argv, &cwd, false)
    };
    for (at, value) in values.iter().enumerate() {
        git(&[if at == 0 { first } else { "--add" }, &key, value])?;
    }
    let all = git(&["--get-all", &key])?;
    Ok(list(all.lines().map(Value::from).collect()))
}
