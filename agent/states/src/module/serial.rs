//! slsutil.serialize and deserialize: values to text and back.

use minijinja::Error;
use minijinja::value::Value;

use super::Call;
use crate::data::{json, sorted};
use crate::render::python::{from_json, to_json};
use crate::render::{Indent, json_text, measured, serialized_value};
use crate::yaml::emit::{self, Style};

pub(super) fn serialize(call: &Call<'_>) -> Result<Value, Error> {
    let value = call.must("obj");
    let option = |name: &str| call.others().find(|(key, _)| *key == name).map(|(_, v)| v.clone());
    let known: &[&str] = match call.text("serializer").as_str() {
        "json" => &["indent", "sort_keys"],
        "yaml" => &["default_flow_style", "sort_keys", "allow_unicode", "width"],
        other => return Err(unknown(call, other)),
    };
    if let Some((name, _)) = call.others().find(|(name, _)| !known.contains(name)) {
        return Err(call.fail(format!("the option '{name}' of the serializer is not supported")));
    }
    if call.text("serializer") == "json" {
        let sort = option("sort_keys").is_some_and(|sort| sort.is_true());
        let out = Indent::of(option("indent"))
            .and_then(|indent| json_text(&value, sort, &indent, false))
            .map_err(|error| call.fail(error.detail().unwrap_or_default()))?;
        return Ok(Value::from(out));
    }
    measured(&value).map_err(|error| call.fail(error.detail().unwrap_or_default()))?;
    let json = to_json(&value);
    let json =
        if option("sort_keys").is_none_or(|sort| sort.is_true()) { sorted(&json) } else { json };
    let flow = option("default_flow_style").filter(|style| !style.is_none());
    let mut style = Style::of(flow.map(|style| style.is_true()));
    style.ascii = !option("allow_unicode").is_some_and(|allow| allow.is_true());
    if let Some(width) = option("width").and_then(|width| width.as_usize()) {
        style.width = width;
    }
    Ok(Value::from(emit::styled(&json, style)))
}

pub(super) fn deserialize(call: &Call<'_>) -> Result<Value, Error> {
    let text = call.text("stream_or_string");
    match call.text("serializer").as_str() {
        "json" => json::read(&text)
            .map(|json| from_json(&json))
            .map_err(|error| call.fail(error.to_string())),
        "yaml" => serialized_value(&text),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_stand_on_one_line_as_pyyaml_puts_them() {
        let value = serde_json::json!({
            "a": {"x": 1, "y": [1, 2]}, "b": {}, "c": [{"k": 1}, {"l": [3]}], "d": "t", "e": [[1]],
        });
        let expected = "a:\n  x: 1\n  y: [1, 2]\nb: {}\nc:\n- {k: 1}\n- l: [3]\nd: t\ne:\n- [1]";
        assert_eq!(emit::styled(&value, Style::of(None)), expected);
        assert_eq!(emit::styled(&serde_json::json!({"a": 1}), Style::of(None)), "{a: 1}");
    }
}
