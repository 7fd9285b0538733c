//! git: functions that change a checkout, for `module.run`: git's own commands.

use std::fs;

use minijinja::Error;
use minijinja::value::Value;

use super::{options, said};
use crate::module::merge::is_list;
use crate::module::pillar::texts;
use crate::module::{Call, Function, acts};
use crate::render::python::{list, text};

/// The functions of this file.
pub(in crate::module) const ALL: &[Function] = &[
    acts(
        "git.add",
        "cwd filename opts= git_opts= user= password= ignore_retcode= output_encoding=",
        |call| plain(call, &["add", "--verbose"], &["--", &call.text("filename")]),
    ),
    acts(
        "git.checkout",
        "cwd rev= force= opts= git_opts= user= password= ignore_retcode= output_encoding=",
        checkout,
    ),
    acts(
        "git.clone",
        "cwd url= name= opts= git_opts= user= password= identity= https_user= https_pass= \
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
        "git.init",
        "cwd bare= template= separate_git_dir= shared= opts= git_opts= user= password= \
         ignore_retcode= output_encoding=",
        init,
    ),
    acts(
        "git.merge",
        "cwd rev= opts= git_opts= user= password= identity= ignore_retcode= output_encoding= \
         **kwargs",
        |call| {
            let rev = call.text_of("rev");
            plain(call, &["merge"], &rev.as_deref().into_iter().collect::<Vec<_>>())
        },
    ),
    acts(
        "git.pull",
        "cwd opts= git_opts= user= password= identity= ignore_retcode= saltenv= output_encoding=",
        |call| plain(call, &["pull"], &[]),
    ),
    acts(
        "git.push",
        "cwd remote= ref= opts= git_opts= user= password= identity= ignore_retcode= saltenv= \
         output_encoding= **kwargs",
        |call| plain(call, &["push"], &[&call.text("remote"), &call.text("ref")]),
    ),
    acts(
        "git.remote_set",
        "cwd url remote= user= password= https_user= https_pass= push_url= push_https_user= \
         push_https_pass= ignore_retcode= output_encoding=",
        remote_set,
    ),
    acts(
        "git.reset",
        "cwd opts= git_opts= user= password= identity= ignore_retcode= output_encoding=",
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
        "cwd command opts= git_opts= user= password= identity= ignore_retcode= saltenv= \
         output_encoding= **kwargs",
        |call| plain(call, &["submodule", &call.text("command")], &[]),
    ),
    acts(
        "git.tag",
        "cwd name ref= message= opts= git_opts= user= password= ignore_retcode= output_encoding=",
        |call| {
            let message = call.text_of("message").filter(|message| !message.is_empty());
            let mut first = vec!["tag"];
            first.extend(message.as_deref().map_or(Vec::new(), |message| vec!["-m", message]));
            plain(call, &first, &[&call.text("name"), &call.text_or("ref", "HEAD")])
        },
    ),
];

/// Arguments that would need what this engine has for states only.
fn refused(call: &Call<'_>) -> Result<(), Error> {
    for name in ["identity", "https_user", "https_pass", "push_https_user", "push_https_pass"] {
        if call.set(name).is_some_and(|value| value.is_true()) {
            let words = "is not supported: use a state of git";
            return Err(call.fail(format!("{} with '{name}' {words}", call.name())));
        }
    }
    Ok(())
}

fn words(call: &Call<'_>, first: &[&str], last: &[&str]) -> Result<Vec<String>, Error> {
    refused(call)?;
    let mut argv = options(call, "git_opts")?;
    argv.extend(first.iter().map(|word| (*word).to_owned()));
    argv.extend(options(call, "opts")?);
    argv.extend(last.iter().filter(|word| !word.is_empty()).map(|word| (*word).to_owned()));
    Ok(argv)
}

/// A command with the call's options: what it printed.
fn plain(call: &Call<'_>, first: &[&str], last: &[&str]) -> Result<Value, Error> {
    said(call, &words(call, first, last)?).map(Value::from)
}

fn checkout(call: &Call<'_>) -> Result<Value, Error> {
    let opts = options(call, "opts")?;
    if call.set("rev").is_none() && !opts.iter().any(|word| word == "-b" || word == "-B") {
        return Err(call.invalid("'rev' argument is required unless -b or -B in opts"));
    }
    let force = if call.flag("force", false) { "--force" } else { "--no-force" };
    let argv = words(call, &["checkout", force], &[&call.text_of("rev").unwrap_or_default()])?;
    let argv: Vec<String> = argv.into_iter().filter(|word| word != "--no-force").collect();
    super::printed(call, &argv, &call.text("cwd"), true).map(Value::from)
}

fn clone(call: &Call<'_>) -> Result<Value, Error> {
    let (cwd, url) = (call.text("cwd"), call.text("url"));
    if url.is_empty() {
        return Err(call.invalid("Missing 'url' argument"));
    }
    let place = match call.text_of("name") {
        None => {
            let argv = words(call, &["clone"], &["--", &url, &cwd])?;
            return super::printed(call, &argv, "/tmp", false).map(|_| Value::from(true));
        }
        Some(name) => words(call, &["clone"], &["--", &url, &name])?,
    };
    fs::create_dir_all(call.scope.host.followed(&cwd))
        .map_err(|error| call.fail(error.to_string()))?;
    said(call, &place).map(|_| Value::from(true))
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

fn remote_set(call: &Call<'_>) -> Result<Value, Error> {
    refused(call)?;
    let (remote, url) = (call.text_or("remote", "origin"), call.text("url"));
    let known = said(call, &["remote"])?;
    if known.lines().any(|own| own == remote) {
        said(call, &["remote", "rm", &remote])?;
    }
    said(call, &["remote", "add", &remote, &url])?;
    if let Some(push) = call.text_of("push_url").filter(|push| !push.is_empty()) {
        said(call, &["remote", "set-url", "--push", &remote, &push])?;
    }
    let push =
        call.text_of("push_url").filter(|push| !push.is_empty()).unwrap_or_else(|| url.clone());
    let told = serde_json::json!({"fetch": url, "push": push});
    Ok(crate::render::python::from_json(&told))
}

/// Sets a key of a repository's configuration, or of the user's: all values that it has then.
fn config_set(call: &Call<'_>) -> Result<Value, Error> {
    let flag = |name: &str| call.others().any(|(key, value)| key == name && value.is_true());
    let global = flag("global");
    if call.set("cwd").is_none() && !global {
        return Err(call.invalid("'cwd' argument required unless global=True"));
    }
    let cwd = call.text_of("cwd").unwrap_or_else(|| "/".to_owned());
    let values = match (call.set("value"), call.set("multivar")) {
        (Some(_), Some(_)) => {
            return Err(call.invalid("Only one of 'value' and 'multivar' is permitted"));
        }
        (None, Some(many)) if is_list(&many) => texts(&many),
        (None, Some(many)) => text(&many).split(',').map(str::to_owned).collect(),
        (value, None) => vec![value.map(|value| text(&value)).unwrap_or_default()],
    };
    let key = call.text("key");
    let git = |more: &[&str]| {
        let mut argv = vec!["config"];
        argv.extend(global.then_some("--global"));
        argv.extend(more);
        super::printed(call, &argv, &cwd, false)
    };
    for (at, value) in values.iter().enumerate() {
        git(&[if at > 0 || flag("add") { "--add" } else { "--replace-all" }, &key, value])?;
    }
    let all = git(&["--get-all", &key])?;
    Ok(list(all.lines().map(Value::from).collect()))
}
