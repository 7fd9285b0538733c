//! JSON as Python reads it: numbers of any size, and the three that are none.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::Value;

use super::key;

/// Texts, to be passed over, and what may be a number that JSON's own cannot hold.
static TOKENS: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r#""(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|-?Infinity|NaN"#;
    Regex::new(pattern).expect("a constant pattern")
});

/// Reads one document; numbers beyond JSON's own are texts behind a mark (`data::key`).
pub(crate) fn read(text: &str) -> serde_json::Result<Value> {
    match serde_json::from_str(text) {
        Ok(value) if !holds_large_float(&value) => Ok(value),
        other => match marked(text) {
            Cow::Borrowed(_) => other,
            Cow::Owned(text) => serde_json::from_str(&text).or(other),
        },
    }
}

/// Whether a number may have been a whole one that lost digits.
fn holds_large_float(value: &Value) -> bool {
    match value {
        Value::Number(number) => {
            number.is_f64() && number.as_f64().is_some_and(|number| number.abs() >= 1e18)
        }
        Value::Array(items) => items.iter().any(holds_large_float),
        Value::Object(map) => map.values().any(holds_large_float),
        Value::Null | Value::Bool(_) | Value::String(_) => false,
    }
}

fn marked(text: &str) -> Cow<'_, str> {
    TOKENS.replace_all(text, |found: &Captures<'_>| {
        let token = &found[0];
        let quoted = |value: Value| value.to_string();
        match token {
            "NaN" => quoted(key::of_float(f64::NAN)),
            "Infinity" => quoted(key::of_float(f64::INFINITY)),
            "-Infinity" => quoted(key::of_float(f64::NEG_INFINITY)),
            _ if token.starts_with('"') => token.to_owned(),
            _ => match (token.parse::<i128>(), token.parse::<f64>()) {
                (Ok(number), _) => quoted(key::of_whole(number)),
                (Err(_), Ok(number)) if !number.is_finite() => quoted(key::of_float(number)),
                _ => token.to_owned(),
            },
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::python::{from_json, repr};

    #[test]
    fn numbers_of_any_size_are_read() {
        let shown = |text: &str| repr(&from_json(&read(text).unwrap()));
        assert_eq!(
            shown(r#"{"a": 123456789012345678901234567890, "b": "12345678901234567890123 NaN"}"#),
            "{'a': 123456789012345678901234567890, 'b': '12345678901234567890123 NaN'}"
        );
        assert_eq!(shown("[NaN, -Infinity, 1e400, 1.5e20]"), "[nan, -inf, inf, 1.5e+20]");
        assert!(read("[1").is_err() && read("nan").is_err());
    }
}
