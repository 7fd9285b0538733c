//! `onlyif`, `unless`, `creates`, `check_cmd`: whether a state runs, and whether it did well.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::data::traverse;
use crate::function::Context;
use crate::function::args::{mode, seconds, text, truth};
use crate::host::command::{CommandError, Exec, home, run};
use crate::module;
use crate::outcome::Outcome;
use crate::render::python::{from_sls, repr, to_json};

/// What the conditions say.
pub(super) enum Verdict {
    Run,
    /// Do not run, for this reason.
    Skip(String),
    /// They cannot be judged.
    Fail(String),
}

/// What one condition says: skip or not, and in which words.
struct Said {
    skip: bool,
    comment: String,
}

impl Said {
    fn run(comment: impl Into<String>) -> Said {
        Said { skip: false, comment: comment.into() }
    }

    fn skip(comment: impl Into<String>) -> Said {
        Said { skip: true, comment: comment.into() }
    }
}

/// Judges all conditions of a state; it runs only if none of them says no.
pub(super) fn check(ctx: &Context<'_>) -> Verdict {
    match judged(ctx) {
        Ok(said) if said.iter().any(|said| said.skip) => {
            let comments: Vec<String> = said.into_iter().map(|said| said.comment).collect();
            Verdict::Skip(comments.join("\n"))
        }
        Ok(_) => Verdict::Run,
        Err(problem) => Verdict::Fail(format!("An exception occurred in this state: {problem}")),
    }
}

/// What each condition says, in Salt's order. `None` is a condition, too: of a bad type.
fn judged(ctx: &Context<'_>) -> Result<Vec<Said>, String> {
    let mut said = Vec::new();
    if let Some(entries) = ctx.chunk.args.get("onlyif") {
        said.push(onlyif(ctx, entries)?);
    }
    if let Some(entries) = ctx.chunk.args.get("unless") {
        said.push(unless(ctx, entries)?);
    }
    if let Some(paths) = ctx.chunk.args.get("creates") {
        said.push(creates(ctx, paths));
    }
    Ok(said)
}

fn entries(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items.clone(),
        one => vec![one.clone()],
    }
}

/// What there is to judge; of nothing at all Salt has nothing to say, and fails over that.
fn some(value: &Value) -> Result<Vec<Value>, String> {
    let entries = entries(value);
    if entries.is_empty() { Err("KeyError: 'comment'".to_owned()) } else { Ok(entries) }
}

/// What one entry gives: the code of a command, or the truth of a function's result.
enum Gave {
    Code(i32),
    Truth(bool),
}

/// All must hold.
fn onlyif(ctx: &Context<'_>, value: &Value) -> Result<Said, String> {
    const BAD: &str = "onlyif execution failed, bad type passed";
    let mut said = Said::run("");
    for entry in some(value)? {
        let gave = match &entry {
            Value::String(line) => Gave::Code(command(ctx, line, 100)?),
            Value::Object(map) if !map.contains_key("fun") => {
                return Ok(Said::run(format!("no `fun` argument in onlyif: {}", shown(&entry))));
            }
            Value::Object(map) => function(ctx, map)?,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
                return Ok(Said::run(BAD));
            }
        };
        match gave {
            Gave::Code(0) | Gave::Truth(true) => said = Said::run("onlyif condition is true"),
            Gave::Code(_) | Gave::Truth(false) => {
                return Ok(Said::skip("onlyif condition is false"));
            }
        }
    }
    Ok(said)
}

/// Skips only if all hold.
fn unless(ctx: &Context<'_>, value: &Value) -> Result<Said, String> {
    let mut said = Said::run("");
    for entry in some(value)? {
        let gave = match &entry {
            Value::String(line) => Gave::Code(command(ctx, line, 0)?),
            Value::Object(map) if !map.contains_key("fun") => {
                let comment = format!("no `fun` argument in unless: {}", shown(&entry));
                return Ok(Said { comment, ..said });
            }
            Value::Object(map) => function(ctx, map)?,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
                // Salt goes on to the next entry, which may say otherwise.
                said = Said::run("unless condition is false, bad type passed");
                continue;
            }
        };
        match gave {
            Gave::Code(0) | Gave::Truth(true) => said = Said::skip("unless condition is true"),
            Gave::Code(_) | Gave::Truth(false) => {
                return Ok(Said::run("unless condition is false"));
            }
        }
    }
    Ok(said)
}

/// What several conditions say, as a list of Python's.
pub(super) fn listed(comment: &str) -> String {
    shown(&comment.lines().collect())
}

fn shown(value: &Value) -> String {
    repr(&from_sls(value))
}

/// Runs a condition's command with the state's own options; `broken` stands for one that cannot
/// be run.
fn command(ctx: &Context<'_>, line: &str, broken: i32) -> Result<i32, String> {
    if line.trim().is_empty() {
        // Python's own words: Salt's log looks for the first word of the command.
        return Err("list index out of range".to_owned());
    }
    let exec = match exec(ctx, line) {
        Ok(exec) => exec,
        Err(problem) => {
            tracing::debug!(problem, "a condition's command cannot be run");
            return Ok(broken);
        }
    };
    match run(ctx.host, &exec, ctx.cancel) {
        Ok(output) => {
            // Salt runs it with `ignore_retcode`, which takes back what a function left.
            if !output.timed_out {
                *ctx.session.retcode.borrow_mut() = 0;
            }
            let good = ctx.list("success_retcodes").contains(&output.code.to_string());
            Ok(if good { 0 } else { output.code })
        }
        Err(CommandError::Cancelled) => Err("the run was cancelled".to_owned()),
        Err(_) => Ok(broken),
    }
}

/// The shell for a condition's line: the state's, or the host's.
fn shell(ctx: &Context<'_>) -> String {
    let fact = || ctx.view().facts.get("shell").and_then(Value::as_str).map(str::to_owned);
    fact().unwrap_or_else(|| "/bin/sh".to_owned())
}

/// The options of a command that a state's conditions share, but those in `cmd_opts_exclude`.
fn exec(ctx: &Context<'_>, line: &str) -> Result<Exec, String> {
    let excluded = ctx.list("cmd_opts_exclude");
    let value = |name: &str| ctx.value(name).filter(|_| !excluded.iter().any(|own| own == name));
    let word = |name: &str| value(name).map(text).filter(|text| !text.is_empty());
    if word("root").is_some() {
        return Err("'root' is not supported".to_owned());
    }
    if let Some(cwd) = word("cwd")
        && !ctx.host.stat(&cwd).is_some_and(|meta| meta.is_dir())
    {
        return Err(format!("Specified cwd '{cwd}' either not absolute or does not exist"));
    }
    let mut env = Vec::new();
    for map in value("env").map(entries).unwrap_or_default() {
        for (key, value) in map.as_object().ok_or("'env' is no map")? {
            let unset = matches!(value, Value::Null);
            env.push((key.clone(), Some(if unset { String::new() } else { text(value) })));
        }
    }
    if let Some(folder) = word("prepend_path") {
        let path = ctx.host.variables().get("PATH").unwrap_or_default();
        env.push(("PATH".to_owned(), Some(format!("{folder}:{path}"))));
    }
    let umask =
        word("umask").map(|umask| mode(&umask).ok_or("'umask' is not octal")).transpose()?;
    Ok(Exec {
        cwd: word("cwd").or_else(|| home(ctx.host, word("runas").as_deref())),
        runas: word("runas"),
        env,
        umask,
        timeout: seconds(value("timeout")).filter(|limit| *limit > Duration::ZERO),
        ..Exec::shell(&word("shell").unwrap_or_else(|| shell(ctx)), line)
    })
}

/// `{fun: mod.fun, args: [..], get_return: key, ..}`.
fn function(ctx: &Context<'_>, map: &Map<String, Value>) -> Result<Gave, String> {
    let name = map.get("fun").map(text).unwrap_or_default();
    let function = module::find(&name).ok_or_else(|| module::unsupported(&name))?;
    let args = match map.get("args") {
        Some(Value::Array(items)) => items.iter().map(from_sls).collect(),
        Some(one) if truth(one) => vec![from_sls(one)],
        Some(_) | None => Vec::new(),
    };
    let own = |key: &str| ["fun", "args", "get_return"].contains(&key);
    let named = map.iter().filter(|(key, _)| !own(key));
    let named = named.map(|(key, value)| (key.clone(), from_sls(value))).collect();
    let called = function.call(ctx.renderer().site(), args, named);
    let returned = called.map_err(|error| error.detail().unwrap_or_default().to_owned())?;
    // As in Salt, a code stays until another function or command sets one, also for later states.
    if let Some(code) = returned.retcode {
        *ctx.session.retcode.borrow_mut() = code;
    }
    let code = *ctx.session.retcode.borrow();
    if code != 0 {
        return Ok(Gave::Code(code));
    }
    let result = to_json(&returned.value);
    let Some(key) = map.get("get_return").filter(|key| truth(key)).map(text) else {
        return Ok(Gave::Truth(truth(&result)));
    };
    Ok(Gave::Truth(traverse(&result, &key, ":").is_some_and(truth)))
}

fn creates(ctx: &Context<'_>, value: &Value) -> Said {
    let there = |path: &str| ctx.host.stat(path).is_some();
    match value {
        Value::String(path) if there(path) => Said::skip(format!("{path} exists")),
        Value::Array(paths) if paths.iter().all(|path| there(&text(path))) => {
            Said::skip("All files in creates exist")
        }
        _ => Said::run("Creates files not found"),
    }
}

/// `check_cmd`: commands that decide, after a state, whether it succeeded. They know none of the
/// state's options.
pub(super) fn check_cmd(ctx: &Context<'_>, outcome: Outcome) -> Outcome {
    let Some(commands) = ctx.value("check_cmd").map(entries) else { return outcome };
    for line in commands.iter().map(text) {
        let exec = Exec { cwd: home(ctx.host, None), ..Exec::shell(&shell(ctx), &line) };
        let output = run(ctx.host, &exec, ctx.cancel);
        *ctx.session.retcode.borrow_mut() = 0;
        if !output.is_ok_and(|output| output.code == 0) {
            let comment = "check_cmd determined the state failed".to_owned();
            return Outcome { result: Some(false), comment, ..outcome };
        }
    }
    let comment = "check_cmd determined the state succeeded".to_owned();
    Outcome { result: Some(true), comment, ..outcome }
}
