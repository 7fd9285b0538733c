//! slsutil.serialize and deserialize: values to text and back.

use minijinja::Error;
use minijinja::value::Value;
use serde_json::Value as Json;

use super::Call;
use crate::data::{python_json, sorted};
use crate::render::python::{from_json, to_json};
use crate::render::yaml_value;
use crate::yaml::emit;

/// Columns after which PyYAML breaks a line of flow style.
const WIDTH: usize = 80;

pub(super) fn serialize(call: &Call<'_>) -> Result<Value, Error> {
    let json = to_json(&call.must("obj"));
    let option = |name: &str| call.others().find(|(key, _)| *key == name).map(|(_, v)| v.clone());
    let known: &[&str] = match call.text("serializer").as_str() {
        "json" => &["indent", "sort_keys"],
        "yaml" => &["default_flow_style", "sort_keys"],
        other => return Err(unknown(call, other)),
    };
    if let Some((name, _)) = call.others().find(|(name, _)| !known.contains(name)) {
        return Err(call.fail(format!("the option '{name}' of the serializer is not supported")));
    }
    if call.text("serializer") == "json" {
        let indent = option("indent").and_then(|indent| indent.as_usize());
        let sort = option("sort_keys").is_some_and(|sort| sort.is_true());
        let json = if sort { sorted(&json) } else { json };
        let out = python_json(&json, indent).map_err(|error| call.fail(error.to_string()))?;
        return Ok(Value::from(out));
    }
    let json =
        if option("sort_keys").is_none_or(|sort| sort.is_true()) { sorted(&json) } else { json };
    let out = match option("default_flow_style").filter(|style| !style.is_none()) {
        Some(flow) if flow.is_true() => emit::flow(&json),
        Some(_) => emit::block(&json),
        None => mixed(&json),
    };
    let out = out.strip_suffix("\n...\n").or_else(|| out.strip_suffix('\n')).unwrap_or(&out);
    Ok(Value::from(out))
}

pub(super) fn deserialize(call: &Call<'_>) -> Result<Value, Error> {
    let text = call.text("stream_or_string");
    match call.text("serializer").as_str() {
        "json" => serde_json::from_str(&text)
            .map(|json: Json| from_json(&json))
            .map_err(|error| call.fail(error.to_string())),
        "yaml" => yaml_value(&text),
        other => Err(unknown(call, other)),
    }
}

fn unknown(call: &Call<'_>, name: &str) -> Error {
    let reason = match name {
        "configparser" | "msgpack" | "toml" | "tomlmod" | "yamlex" => {
            format!("the serializer '{name}' is not supported: use json or yaml")
        }
        _ => format!("Serializer '{name}' not found."),
    };
    call.fail(reason)
}

/// PyYAML's `default_flow_style=None`: what holds scalars only stands on one line.
fn mixed(value: &Json) -> String {
    let mut out = String::new();
    if is_leaf(value) {
        flow(value, 0, &mut out);
    } else {
        block(value, 0, &mut out);
    }
    out
}

fn is_leaf(value: &Json) -> bool {
    let scalar = |value: &Json| !value.is_array() && !value.is_object();
    match value {
        Json::Array(items) => items.iter().all(scalar),
        Json::Object(map) => map.values().all(scalar),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => true,
    }
}

/// Writes a map or list, a line per entry; the first stands where the cursor is.
fn block(value: &Json, indent: usize, out: &mut String) {
    let start = |first: bool, out: &mut String| {
        if !first {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent));
        }
    };
    match value {
        Json::Object(map) => {
            for (at, (key, item)) in map.iter().enumerate() {
                start(at == 0, out);
                out.push_str(&emit::text(key));
                out.push(':');
                if is_leaf(item) {
                    out.push(' ');
                    flow(item, indent, out);
                } else {
                    // A list stands at its key's own column.
                    let inner = if item.is_array() { indent } else { indent + 2 };
                    out.push('\n');
                    out.extend(std::iter::repeat_n(' ', inner));
                    block(item, inner, out);
                }
            }
        }
        Json::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                start(at == 0, out);
                out.push_str("- ");
                if is_leaf(item) {
                    flow(item, indent, out);
                } else {
                    block(item, indent + 2, out);
                }
            }
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => flow(value, indent, out),
    }
}

/// Writes a scalar, or scalars between brackets: after column 80 comes a line break.
fn flow(value: &Json, indent: usize, out: &mut String) {
    let parts: Vec<String> = match value {
        Json::Object(map) if !map.is_empty() => map
            .iter()
            .map(|(key, item)| format!("{}: {}", emit::text(key), emit::flow(item)))
            .collect(),
        Json::Array(items) if !items.is_empty() => items.iter().map(emit::flow).collect(),
        other => {
            out.push_str(&emit::flow(other));
            return;
        }
    };
    let (open, close) = if value.is_array() { ('[', ']') } else { ('{', '}') };
    out.push(open);
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        let column = out.chars().rev().take_while(|c| *c != '\n').count();
        if column > WIDTH {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent + 2));
        } else if at > 0 {
            out.push(' ');
        }
        out.push_str(part);
    }
    out.push(close);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_stand_on_one_line_as_pyyaml_puts_them() {
        let value = serde_json::json!({
            "a": {"x": 1, "y": [1, 2]}, "b": {}, "c": [{"k": 1}, {"l": [3]}], "d": "t", "e": [[1]],
        });
        let expected = "a:\n  x: 1\n  y: [1, 2]\nb: {}\nc:\n- {k: 1}\n- l: [3]\nd: t\ne:\n- [1]";
        assert_eq!(mixed(&value), expected);
        assert_eq!(mixed(&serde_json::json!({"a": 1})), "{a: 1}");
    }
}
