//! The contents that a state spells out: `contents`, `contents_pillar`, `contents_grains`.

use std::borrow::Cow;

use serde_json::Value;

use super::super::source;
use super::super::text::{python_lines, without_end};
use crate::data::traverse;
use crate::function::Context;
use crate::function::args::{python_type, shown, text};

/// The contents as bytes, or `None` if the state spells none out.
pub(super) fn given(ctx: &Context<'_>, keep_mode: bool) -> Result<Option<Vec<u8>>, String> {
    let keys = ["contents", "contents_pillar", "contents_grains"];
    let set: Vec<&str> = keys.into_iter().filter(|key| ctx.value(key).is_some()).collect();
    if ctx.flag("source", false) && !set.is_empty() {
        return Err(
            "'source' cannot be used in combination with 'contents', 'contents_pillar', or \
                    'contents_grains'"
                .to_owned(),
        );
    }
    if keep_mode && !set.is_empty() {
        return Err("Mode preservation cannot be used in combination with 'contents', \
                    'contents_pillar', or 'contents_grains'"
            .to_owned());
    }
    let [key] = set.as_slice() else {
        return if set.is_empty() {
            Ok(None)
        } else {
            Err("Only one of 'contents', 'contents_pillar', and 'contents_grains' is permitted"
                .to_owned())
        };
    };
    let value = found(ctx, key)?;
    if value.is_null() {
        return Ok(None);
    }
    if !ctx.flag("allow_empty", true) && !crate::function::args::truth(&value) {
        let what = match *key {
            "contents" => "'contents'".to_owned(),
            other => format!("{other} {}", ctx.text(other).unwrap_or_default()),
        };
        return Err(format!(
            "{what} value would result in empty contents. Set allow_empty to True to allow the \
             managed file to be empty."
        ));
    }
    if value.as_array().is_some_and(Vec::is_empty) {
        return Err("Contents specified by contents/contents_pillar/contents_grains is not a \
                    string or list of strings, and is not binary data. SLS is likely malformed."
            .to_owned());
    }
    let lines = joined(&value, ctx.flag("contents_newline", true));
    match ctx.shown("template") {
        None => Ok(Some(lines.into_bytes())),
        Some(engine) if engine == "jinja" => {
            source::render_contents(ctx, &lines).map(|text| Some(text.into_bytes()))
        }
        Some(engine) => Err(source::no_engine(&engine)),
    }
}

/// Whether contents are looked up: null ones replace nothing, and are asked for all the same.
pub(super) fn looked_up(ctx: &Context<'_>) -> bool {
    ["contents_pillar", "contents_grains"].iter().any(|key| ctx.value(key).is_some())
}

/// The value itself, or what the pillar or the grains hold.
fn found<'a>(ctx: &Context<'a>, key: &str) -> Result<Cow<'a, Value>, String> {
    let value = ctx.value(key).unwrap_or(&Value::Null);
    let by = ctx.shown("contents_delimiter").unwrap_or(":".into());
    let grains;
    let (data, kind) = match key {
        "contents_pillar" => (&ctx.view().pillar, "Pillar"),
        "contents_grains" => {
            grains = Value::Object(ctx.view().facts.as_map().clone());
            (&grains, "Grain")
        }
        _ => return Ok(Cow::Borrowed(value)),
    };
    let look = |path: &Value| {
        let path = text(path);
        let found = traverse(data, &path, &by).cloned();
        found.ok_or_else(|| format!("{kind} {path} does not exist"))
    };
    let found = match value {
        Value::Array(paths) => {
            let found = paths.iter().map(look).collect::<Result<Vec<_>, _>>()?;
            let texts = found.iter().enumerate().map(|(at, value)| part(at, value));
            Value::from(texts.collect::<Result<Vec<_>, _>>()?.join("\n"))
        }
        path => look(path)?,
    };
    Ok(Cow::Owned(found))
}

/// One of several texts to be joined, as Python joins them: nothing but texts.
fn part(at: usize, value: &Value) -> Result<String, String> {
    match python_type(value) {
        "str" => Ok(text(value)),
        kind => Err(format!("TypeError: sequence item {at}: expected str instance, {kind} found")),
    }
}

/// Lines with a line break each; without the last one if `newline` is off.
fn joined(value: &Value, newline: bool) -> String {
    let parts = match value {
        Value::Array(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    let mut out = String::new();
    for part in parts {
        for line in python_lines(&shown(part)) {
            out.push_str(without_end(line));
            out.push('\n');
        }
    }
    if !newline {
        out.truncate(out.trim_end_matches(['\n', '\r']).len());
    }
    out
}
