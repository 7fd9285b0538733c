//! The contents that a state spells out: `contents`, `contents_pillar`, `contents_grains`.

use std::borrow::Cow;

use serde_json::Value;

use super::super::source;
use crate::data::traverse;
use crate::function::Context;
use crate::function::args::{shown, text};

/// The contents as bytes, or `None` if the state spells none out.
pub(super) fn given(ctx: &Context<'_>, keep_mode: bool) -> Result<Option<Vec<u8>>, String> {
    let keys = ["contents", "contents_pillar", "contents_grains"];
    let set: Vec<&str> = keys.into_iter().filter(|key| ctx.value(key).is_some()).collect();
    if ctx.value("source").is_some() && !set.is_empty() {
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
            let texts = paths.iter().map(|path| look(path).map(|value| text(&value)));
            Value::from(texts.collect::<Result<Vec<_>, _>>()?.join("\n"))
        }
        path => look(path)?,
    };
    Ok(Cow::Owned(found))
}

/// Lines with a line break each; without the last one if `newline` is off.
fn joined(value: &Value, newline: bool) -> String {
    let parts = match value {
        Value::Array(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    let mut out = String::new();
    for part in parts {
        for line in shown(part).lines() {
            out.push_str(line.trim_end_matches('\r'));
            out.push('\n');
        }
    }
    if !newline {
        out.truncate(out.trim_end_matches(['\n', '\r']).len());
    }
    out
}
