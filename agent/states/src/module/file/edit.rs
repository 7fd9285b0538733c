//! file: functions that edit a text, for `module.run`: what they return is the difference.

use std::fs;

use minijinja::Error;
use minijinja::value::Value;
use serde_json::{Map, Value as Json};

use super::{act, path};
use crate::function::file::edited_lines;
use crate::host::command::{Cancel, Exec, run};
use crate::host::files::copy_beside;
use crate::module::service::{command, is_machine};
use crate::module::{Call, Function, acts, cmd, tidy};
use crate::outcome::Outcome;
use crate::render::python::{from_json, text};

/// The functions of this file.
pub(super) const ALL: &[Function] = &[
    acts(
        "file.replace",
        "path pattern repl count= flags= bufsize= append_if_not_found= prepend_if_not_found= \
         not_found_content= backup= dry_run= search_only= show_changes= ignore_if_missing= \
         preserve_inode= backslash_literal= encoding=",
        replace,
    ),
    acts(
        "file.line",
        "path content= match= mode= location= before= after= show_changes= backup= quiet= indent=",
        line,
    ),
    acts(
        "file.blockreplace",
        "path marker_start= marker_end= content= append_if_not_found= prepend_if_not_found= \
         backup= dry_run= show_changes= append_newline= insert_before_match= insert_after_match=",
        block,
    ),
    acts("file.comment", "path regex char= backup=", |call| commented(call, true)),
    acts("file.uncomment", "path regex char= backup=", |call| commented(call, false)),
    acts("file.comment_line", "path regex char= cmnt= backup=", |call| {
        commented(call, call.flag("cmnt", true))
    }),
    acts("file.prepend", "path *args **kwargs", prepend),
    acts(
        "file.sed",
        "path before after limit= backup= options= flags= escape_all= negate_match=",
        sed,
    ),
    acts("file.restorecon", "path recursive=", |call| {
        let how = if call.flag("recursive", false) { "-FR" } else { "-F" };
        let argv = ["restorecon", how, &path(call)];
        Ok(Value::from(command(call, &argv)?.code == 0))
    }),
    acts("file.patch", "originalfile patchfile options= dry_run=", patch),
];

/// The difference that a state tells of, or whether there is one.
fn difference(call: &Call<'_>, outcome: &Outcome) -> Value {
    match (outcome.changes.get("diff"), call.flag("show_changes", true)) {
        (Some(diff), _) => from_json(diff),
        (None, true) => Value::from(""),
        (None, false) => Value::from(false),
    }
}

fn there(call: &Call<'_>, path: &str) -> Result<(), Error> {
    match call.scope.host.stat(path) {
        Some(_) => Ok(()),
        None => Err(call.invalid(format!("File not found: {path}"))),
    }
}

fn replace(call: &Call<'_>) -> Result<Value, Error> {
    let path = path(call);
    if call.flag("ignore_if_missing", false) && call.scope.host.stat(&path).is_none() {
        return Ok(Value::from(false));
    }
    there(call, &path)?;
    let search = call.flag("search_only", false);
    if search
        && (call.flag("append_if_not_found", false) || call.flag("prepend_if_not_found", false))
    {
        let words = "search_only cannot be used with append/prepend_if_not_found";
        return Err(call.invalid(words));
    }
    if search {
        return super::contents::search(call);
    }
    let args = call.given(&[
        "pattern",
        "repl",
        "count",
        "flags",
        "append_if_not_found",
        "prepend_if_not_found",
        "not_found_content",
        "backup",
        "show_changes",
        "backslash_literal",
        "encoding",
    ]);
    let outcome = call.outcome("file.replace", &path, args, call.flag("dry_run", false))?;
    match outcome.result {
        Some(false) if outcome.comment.contains("not valid") => Err(call.raise(outcome.comment)),
        Some(false) => Err(call.invalid(outcome.comment)),
        Some(true) | None => Ok(difference(call, &outcome)),
    }
}

fn line(call: &Call<'_>) -> Result<Value, Error> {
    let args = call.given(&[
        "content",
        "match",
        "mode",
        "location",
        "before",
        "after",
        "show_changes",
        "backup",
        "quiet",
        "indent",
    ]);
    let path = path(call);
    if !call.scope.host.stat(&path).is_some_and(|meta| meta.is_file()) {
        if call.flag("quiet", false) {
            return Ok(Value::from(false));
        }
        return Err(call.fail(format!("File \"{path}\" does not exists or is not a file.")));
    }
    let outcome = call.state("file.line", &path, args)?;
    Ok(outcome.changes.get("diff").map_or_else(|| Value::from(false), from_json))
}

fn block(call: &Call<'_>) -> Result<Value, Error> {
    let path = path(call);
    there(call, &path)?;
    let mut args: Map<String, Json> = call.given(&[
        "marker_start",
        "marker_end",
        "content",
        "append_if_not_found",
        "prepend_if_not_found",
        "backup",
        "show_changes",
        "append_newline",
        "insert_before_match",
        "insert_after_match",
    ]);
    // The state adds a line's end where it is missing, the function does not.
    args.entry("append_newline").or_insert(Json::Bool(false));
    let outcome = call.outcome("file.blockreplace", &path, args, call.flag("dry_run", false))?;
    let told = outcome.comment.strip_prefix("Encountered error managing block: ");
    let told = told.and_then(|words| words.strip_suffix(". See the log for details."));
    match outcome.result {
        Some(false) => Err(call.fail(told.unwrap_or(&outcome.comment))),
        Some(true) | None => Ok(difference(call, &outcome)),
    }
}

/// Puts a sign before the lines that a pattern matches, or takes it away: their difference.
fn commented(call: &Call<'_>, on: bool) -> Result<Value, Error> {
    let path = path(call);
    let host = &call.scope.host;
    let real = fs::canonicalize(host.followed(&path)).ok().filter(|real| real.is_file());
    let real = real.ok_or_else(|| call.invalid(format!("File not found: {path}")))?;
    let data = fs::read(&real).map_err(|error| call.fail(super::os_error(&error, &path)))?;
    let sign = call.text_or("char", "#");
    let edited = edited_lines(&data, &call.text("regex"), &sign, on);
    let edited = edited.map_err(|problem| call.fail(problem))?;
    let Some((new, diff)) = edited else { return Ok(Value::from(false)) };
    let backup = call
        .value("backup")
        .map_or(Some(".bak".to_owned()), |value| value.is_true().then(|| text(&value)));
    if let Some(ending) = backup {
        copy_beside(host, &real, &ending).map_err(|error| call.fail(error.to_string()))?;
    }
    act::put(call, &path, &new)?;
    Ok(Value::from(diff))
}

fn prepend(call: &Call<'_>) -> Result<Value, Error> {
    let (path, lines) = (path(call), act::lines(call));
    let old = fs::read(call.scope.host.followed(&path)).unwrap_or_default();
    let first: String = lines.iter().map(|line| format!("{line}\n")).collect();
    act::put(call, &path, &[first.into_bytes(), old].concat())?;
    Ok(Value::from(format!("Prepended {} lines to \"{path}\"", lines.len())))
}

/// Runs a program of the system for its output, as `cmd.run_all` returns it.
fn program(call: &Call<'_>, argv: Vec<String>) -> Result<Value, Error> {
    is_machine(call)?;
    let exec = Exec { argv, ..Exec::default() };
    let ran = run(&call.scope.host, &exec, &Cancel::in_force());
    let mut output = ran.map_err(|error| call.fail(error.to_string()))?;
    output.stdout.truncate(output.stdout.trim_end().len());
    output.stderr.truncate(output.stderr.trim_end().len());
    call.set_retcode(output.code);
    Ok(cmd::all(&output, output.code))
}

/// The words of an argument of options.
fn options(call: &Call<'_>, default: &str) -> Result<Vec<String>, Error> {
    tidy::words(&call.text_or("options", default)).ok_or_else(|| call.fail("No closing quotation"))
}

fn sed(call: &Call<'_>) -> Result<Value, Error> {
    let path = path(call);
    if call.scope.host.stat(&path).is_none() {
        return Ok(Value::from(false));
    }
    let signs = if call.flag("escape_all", false) { "/^.[$()|*+?{" } else { "/" };
    let escaped = |name: &str| {
        let mut out = String::new();
        for sign in call.text(name).replace('\'', "'\"'\"'").chars() {
            if signs.contains(sign) {
                out.push('\\');
            }
            out.push(sign);
        }
        out
    };
    let limit = call.text("limit");
    let limit = if limit.is_empty() { limit } else { format!("/{}/ ", escaped("limit")) };
    let not = if call.flag("negate_match", false) { "!" } else { "" };
    let flags = call.text_or("flags", "g");
    let script = format!("{limit}{not}s/{}/{}/{flags}", escaped("before"), escaped("after"));
    let backup = call.text_or("backup", ".bak");
    let mut argv = vec!["sed".to_owned()];
    argv.push(if backup.is_empty() { "-i".to_owned() } else { format!("-i{backup}") });
    argv.extend(options(call, "-r -e")?);
    argv.extend([script, path]);
    program(call, argv)
}

fn patch(call: &Call<'_>) -> Result<Value, Error> {
    let original = super::expanded(&call.text("originalfile"));
    let folder = call.scope.host.stat(&original).is_some_and(|meta| meta.is_dir());
    let mut argv = vec!["patch".to_owned()];
    argv.extend(options(call, "")?);
    if call.flag("dry_run", false) {
        argv.push("--dry-run".to_owned());
    }
    if !argv.iter().any(|word| word == "-N" || word == "--forward") {
        argv.push("--forward".to_owned());
    }
    if !argv.iter().any(|word| word == "-r" || word.starts_with("--reject-file")) {
        argv.push("--reject-file=-".to_owned());
    }
    argv.push(format!("--input={}", call.text("patchfile")));
    if folder {
        argv.push(format!("--directory={original}"));
        if !argv.iter().any(|word| word.starts_with("-p") || word.starts_with("--strip=")) {
            argv.push("--strip=0".to_owned());
        }
    } else {
        argv.push(original);
    }
    program(call, argv)
}
