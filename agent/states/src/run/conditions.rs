//! `onlyif`, `unless`, `creates`: whether a state runs at all.

use minijinja::value::Kwargs;
use serde_json::Value;

use crate::function::Context;
use crate::function::args::{list, text};
use crate::function::command_of;
use crate::host::command::run;
use crate::render::python::{from_json, to_json};
use crate::render::run_function;

/// What the conditions say.
pub(super) enum Verdict {
    Run,
    /// Do not run, for this reason.
    Skip(String),
}

/// What one condition says: skip or not, and in which words.
struct Said {
    skip: bool,
    comment: String,
}

/// Judges all conditions of a state; it runs only if none of them says no.
pub(super) fn check(ctx: &Context<'_>) -> Verdict {
    let said: Vec<Said> = [
        ctx.value("onlyif").map(|entries| onlyif(ctx, entries)),
        ctx.value("unless").map(|entries| unless(ctx, entries)),
        ctx.value("creates").map(|paths| creates(ctx, paths)),
    ]
    .into_iter()
    .flatten()
    .collect();
    if !said.iter().any(|said| said.skip) {
        return Verdict::Run;
    }
    let comments: Vec<String> = said.into_iter().map(|said| said.comment).collect();
    Verdict::Skip(comments.join("\n"))
}

fn entries(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items.clone(),
        one => vec![one.clone()],
    }
}

/// All must hold.
fn onlyif(ctx: &Context<'_>, value: &Value) -> Said {
    let mut comment = "onlyif condition is true".to_owned();
    for entry in entries(value) {
        match holds(ctx, &entry) {
            Ok(true) => {}
            Ok(false) => {
                return Said { skip: true, comment: "onlyif condition is false".to_owned() };
            }
            Err(problem) => {
                comment = problem;
                break;
            }
        }
    }
    Said { skip: false, comment }
}

/// Skips only if all hold.
fn unless(ctx: &Context<'_>, value: &Value) -> Said {
    for entry in entries(value) {
        match holds(ctx, &entry) {
            Ok(true) => {}
            Ok(false) => {
                return Said { skip: false, comment: "unless condition is false".to_owned() };
            }
            Err(comment) => return Said { skip: false, comment },
        }
    }
    Said { skip: true, comment: "unless condition is true".to_owned() }
}

/// A command that exits with 0, a plain truth, or a function that returns something true.
fn holds(ctx: &Context<'_>, entry: &Value) -> Result<bool, String> {
    match entry {
        Value::Bool(flag) => Ok(*flag),
        Value::Object(map) => function(ctx, map),
        other => {
            let exec = command_of(ctx, &text(other))?;
            Ok(run(ctx.host, &exec, ctx.cancel).is_ok_and(|output| output.code == 0))
        }
    }
}

/// `{fun: mod.fun, args: [..], get_return: key, ..}`.
fn function(ctx: &Context<'_>, map: &serde_json::Map<String, Value>) -> Result<bool, String> {
    let fun = map.get("fun").map(text).ok_or("no `fun` argument in the condition")?;
    let args = map.get("args").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let args = args.iter().map(from_json).collect();
    let named =
        map.iter().filter(|(key, _)| !["fun", "args", "get_return"].contains(&key.as_str()));
    let kwargs = Kwargs::from_iter(named.map(|(key, value)| (key.clone(), from_json(value))));
    let scope = ctx.renderer().scope();
    let called = run_function(scope, &fun, args, kwargs);
    let called = called.ok_or_else(|| format!("the function '{fun}' is not supported here"))?;
    let mut result = to_json(&called.map_err(|error| error.to_string())?);
    if let Some(key) = map.get("get_return").map(text) {
        result = crate::data::traverse(&result, &key, ":").cloned().unwrap_or(Value::Null);
    }
    Ok(crate::function::args::truth(&result))
}

fn creates(ctx: &Context<'_>, value: &Value) -> Said {
    let there = |path: &String| ctx.host.stat(path).is_some();
    let paths = list(value);
    match value {
        Value::String(path) if there(path) => {
            Said { skip: true, comment: format!("{path} exists") }
        }
        Value::Array(_) if paths.iter().all(there) => {
            Said { skip: true, comment: "All files in creates exist".to_owned() }
        }
        _ => Said { skip: false, comment: "Creates files not found".to_owned() },
    }
}
