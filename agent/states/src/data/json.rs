//! JSON as Python reads it: numbers of any size, and the three that are none.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde::de::IgnoredAny;
use serde_json::Value;

use super::key;
use crate::yaml::emit::float_text;

/// Texts, to be passed over, and what may be a number that JSON's own cannot hold.
static TOKENS: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r#""(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|-?Infinity|NaN"#;
    Regex::new(pattern).expect("a constant pattern")
});

/// The mark as JSON escapes it, and a text that begins with it.
const NUL: &str = r"\u0000";
const NUL_FIRST: &str = r#""\u0000"#;

/// Reads one document; numbers beyond JSON's own are texts behind a mark (`data::key`).
pub(crate) fn read(text: &str) -> serde_json::Result<Value> {
    match serde_json::from_str(text) {
        Ok(value) if !holds_large_float(&value) && !text.contains(NUL) => Ok(value),
        other => match marked(text) {
            Cow::Borrowed(_) => other,
            Cow::Owned(text) => serde_json::from_str(&text).or(other),
        },
    }
}

/// Whether a text is one document.
pub(crate) fn check(text: &str) -> serde_json::Result<()> {
    let one = |text: &str| serde_json::from_str::<IgnoredAny>(text).map(drop);
    one(text).or_else(|error| one(&marked(text)).map_err(|_| error))
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
            // A text that begins with the mark stays one (`key::of_text`).
            _ if token.starts_with(NUL_FIRST) => format!("\"{NUL}t{}", &token[1..]),
            _ if token.starts_with('"') => token.to_owned(),
            _ => match (token.parse::<i128>(), token.parse::<f64>()) {
                (Ok(number), _) => quoted(key::of_whole(number)),
                (Err(_), Ok(number)) if !number.is_finite() => quoted(key::of_float(number)),
                _ => token.to_owned(),
            },
        }
    })
}

/// The same document, its numbers as YAML writes them.
pub(crate) fn numbers_as_yaml(text: &str) -> Cow<'_, str> {
    TOKENS.replace_all(text, |found: &Captures<'_>| match &found[0] {
        "NaN" => ".nan".to_owned(),
        "Infinity" => ".inf".to_owned(),
        "-Infinity" => "-.inf".to_owned(),
        token if !token.starts_with('"') && token.contains(['e', 'E']) => {
            token.parse().map_or_else(|_| token.to_owned(), float_text)
        }
        token => token.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::python::{from_json, repr, to_json};

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

    #[test]
    fn a_text_that_begins_with_the_mark_stays_a_text() {
        let text = r#"{"b": "\u0000nope", "\u0000i5": ["\u0000i5", "x\u0000"], "n": 1}"#;
        let json = read(text).unwrap();
        let python = r"{'b': '\x00nope', '\x00i5': ['\x00i5', 'x\x00'], 'n': 1}";
        assert_eq!(repr(&from_json(&json)), python);
        assert_eq!(to_json(&from_json(&json)), json);
        let plain = serde_json::from_str::<Value>(text).unwrap();
        assert_eq!(key::plain(json), plain);
    }

    #[test]
    fn numbers_are_written_for_yaml() {
        let yaml = numbers_as_yaml(r#"[NaN, -Infinity, 1e5, 1E-7, 1.5, 12, "1e5 NaN"]"#);
        assert_eq!(yaml, r#"[.nan, -.inf, 100000.0, 1.0e-07, 1.5, 12, "1e5 NaN"]"#);
    }
}
