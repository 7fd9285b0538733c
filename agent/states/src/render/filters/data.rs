//! Filters between values and texts: yaml, json, default, traverse.

use minijinja::value::{Kwargs, Rest, Value, ValueKind};
use minijinja::{Environment, Error};
use serde_json::Value as Json;

use super::option;
use crate::data;
use crate::render::python::{fault, from_json, text, to_json};
use crate::render::yaml_value;
use crate::yaml::emit;

pub(super) fn install(env: &mut Environment<'static>) {
    env.add_filter("yaml", yaml);
    env.add_filter("json", json);
    env.add_filter("tojson", json);
    env.add_filter("load_yaml", |value: &str| yaml_value(value));
    env.add_filter("load_json", |value: &str| load_json(value));
    env.add_filter("load_text", |value: &Value| value.clone());
    env.add_filter("yaml_encode", yaml_encode);
    env.add_filter("yaml_dquote", |value: &Value| emit::double_quoted(&text(value)));
    env.add_filter("yaml_squote", |value: &Value| emit::single_quoted(&text(value)));
    env.add_filter("default", default);
    env.add_filter("d", default);
    env.add_filter("traverse", traverse);
    env.add_filter("json_query", json_query);
    env.add_filter("to_bool", |value: &Value| to_bool(value));
    env.add_filter("string", |value: &Value| text(value));
    env.add_filter("is_list", |value: &Value| value.kind() == ValueKind::Seq);
    env.add_filter("is_iter", |value: &Value| {
        matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable | ValueKind::Map)
    });
}

fn yaml(value: &Value, args: Rest<Value>, kwargs: Kwargs) -> String {
    let flow = option(&args, &kwargs, 0, "flow_style").is_none_or(|flow| flow.is_true());
    let json = to_json(value);
    let out = if flow { emit::flow(&json) } else { emit::block(&json) };
    out.trim().to_owned()
}

fn json(value: &Value, args: Rest<Value>, kwargs: Kwargs) -> Result<String, Error> {
    let sort = option(&args, &kwargs, 0, "sort_keys").is_none_or(|sort| sort.is_true());
    let indent = option(&args, &kwargs, 1, "indent").and_then(|indent| indent.as_usize());
    let json = to_json(value);
    let json = if sort { data::sorted(&json) } else { json };
    data::python_json(&json, indent).map_err(|error| fault(error.to_string()))
}

pub(in crate::render) fn load_json(text: &str) -> Result<Value, Error> {
    let json: Json = serde_json::from_str(text).map_err(|error| fault(error.to_string()))?;
    Ok(from_json(&json))
}

fn yaml_encode(value: &Value) -> Result<String, Error> {
    match value.kind() {
        ValueKind::String => Ok(emit::double_quoted(&text(value))),
        ValueKind::None => Ok("null".to_owned()),
        ValueKind::Bool | ValueKind::Number => Ok(emit::flow(&to_json(value))),
        _ => Err(fault("yaml_encode only works with scalars")),
    }
}

fn default(value: &Value, args: Rest<Value>, kwargs: Kwargs) -> Value {
    let other = option(&args, &kwargs, 0, "default_value").unwrap_or_else(|| Value::from(""));
    let boolean = option(&args, &kwargs, 1, "boolean").is_some_and(|flag| flag.is_true());
    if value.is_undefined() || (boolean && !value.is_true()) { other } else { value.clone() }
}

fn traverse(value: &Value, args: Rest<Value>, kwargs: Kwargs) -> Result<Value, Error> {
    let path = option(&args, &kwargs, 0, "key").ok_or_else(|| fault("traverse needs a key"))?;
    let other = option(&args, &kwargs, 1, "default").unwrap_or_else(|| Value::from(""));
    let by = option(&args, &kwargs, 2, "delimiter").map_or_else(|| ":".to_owned(), |d| text(&d));
    Ok(walk(value, &text(&path), &by).unwrap_or(other))
}

/// Follows `a:b:0` through maps and lists.
fn walk(value: &Value, path: &str, by: &str) -> Option<Value> {
    path.split(by).try_fold(value.clone(), |here, part| step(&here, part))
}

fn step(here: &Value, part: &str) -> Option<Value> {
    let found = match here.kind() {
        ValueKind::Map => {
            let by_text = here.get_item(&Value::from(part)).ok().filter(|v| !v.is_undefined());
            let number = || part.parse::<i64>().ok().map(Value::from);
            by_text.or_else(|| here.get_item(&number()?).ok())?
        }
        ValueKind::Seq => match part.parse::<i64>() {
            Ok(at) => here.get_item(&Value::from(at)).ok()?,
            // A list of maps: the first that has the key, as Salt does.
            Err(_) => here.try_iter().ok()?.find_map(|item| step(&item, part))?,
        },
        _ => return None,
    };
    Some(found).filter(|found| !found.is_undefined())
}

/// The part of JMESPath that trees use: names joined by dots.
fn json_query(value: &Value, query: &str) -> Result<Value, Error> {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-');
    if !query.chars().all(plain) {
        return Err(fault("json_query: only names joined by dots are supported"));
    }
    Ok(walk(value, query, ".").unwrap_or_else(|| Value::from(())))
}

fn to_bool(value: &Value) -> bool {
    match value.kind() {
        ValueKind::Bool => value.is_true(),
        ValueKind::String => matches!(text(value).to_lowercase().as_str(), "yes" | "1" | "true"),
        ValueKind::Number => value.as_i64().is_some_and(|number| number > 0),
        ValueKind::None | ValueKind::Undefined => false,
        _ => value.len().is_some_and(|len| len > 0),
    }
}
