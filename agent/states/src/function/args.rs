//! Reading a state's arguments as Python would: `None` is unset, anything has a truth.

use std::borrow::Cow;

use serde_json::Value;

use super::Context;
use crate::data::key;
use crate::render::python;

impl<'a> Context<'a> {
    /// The state's name.
    pub(crate) fn name(&self) -> &'a str {
        &self.chunk.name
    }

    /// An argument that is set and not `None`.
    pub(crate) fn value(&self, key: &str) -> Option<&'a Value> {
        self.chunk.args.get(key).filter(|value| !value.is_null())
    }

    /// An argument as text.
    pub(crate) fn text(&self, key: &str) -> Option<String> {
        self.value(key).map(text)
    }

    /// The same, to look at.
    pub(crate) fn shown(&self, key: &str) -> Option<Cow<'a, str>> {
        self.value(key).map(shown)
    }

    /// An argument as a truth.
    pub(crate) fn flag(&self, key: &str, default: bool) -> bool {
        self.value(key).map_or(default, truth)
    }

    /// An argument as a list of texts; one value is a list of one.
    pub(crate) fn list(&self, key: &str) -> Vec<String> {
        self.value(key).map(list).unwrap_or_default()
    }

    /// A fact of the machine that is a text; empty if there is none.
    pub(crate) fn fact(&self, key: &str) -> &'a str {
        self.view().facts.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    /// A mode argument, or what is wrong with it; `keep` is `None`.
    pub(crate) fn mode(&self, key: &str) -> Result<Option<u32>, String> {
        match self.shown(key) {
            None => Ok(None),
            Some(word) if word == "keep" => Ok(None),
            Some(digits) => mode(&digits)
                .map(Some)
                .ok_or_else(|| format!("the {key} '{digits}' is not an octal mode")),
        }
    }
}

/// Octal digits as Salt normalises them: `644`, `0644` and `0o644` are the same.
pub(crate) fn mode(digits: &str) -> Option<u32> {
    let digits = digits.trim().trim_matches('\'');
    let digits = digits.strip_prefix("0o").unwrap_or(digits);
    u32::from_str_radix(digits, 8).ok().filter(|mode| *mode <= 0o7777)
}

/// A mode as Salt shows it: four digits.
pub(crate) fn show_mode(mode: u32) -> String {
    format!("{mode:04o}")
}

/// A scalar as Python's `str()` makes it.
pub(crate) fn text(value: &Value) -> String {
    shown(value).into_owned()
}

/// The same, to look at.
pub(crate) fn shown(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => key::text(text).into(),
        other => python::text(&python::from_sls(other)).into(),
    }
}

/// One value or a list, as texts.
pub(crate) fn list(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().map(text).collect(),
        Value::Null => Vec::new(),
        one => vec![text(one)],
    }
}

/// Python's truth of a value.
pub(crate) fn truth(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}

/// What Python calls the type of a value.
pub(crate) fn python_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "NoneType",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(text) => key::python_type(text),
        Value::Array(_) => "list",
        Value::Object(_) => "dict",
    }
}

/// A number of seconds as a duration.
pub(crate) fn seconds(value: Option<&Value>) -> Option<std::time::Duration> {
    let seconds = match value? {
        Value::Number(number) => number.as_f64()?,
        other => text(other).parse().ok()?,
    };
    std::time::Duration::try_from_secs_f64(seconds).ok()
}

/// An error as Python words it: `[Errno 39] Directory not empty: '/x'`.
pub(crate) fn python_error(error: &std::io::Error, path: &str) -> String {
    match error.raw_os_error() {
        Some(number) => format!("[Errno {number}] {}: '{path}'", strerror(error)),
        None => error.to_string(),
    }
}

/// The system's words for an error.
pub(crate) fn strerror(error: &std::io::Error) -> String {
    let number = error.raw_os_error();
    number.map_or_else(
        || error.to_string(),
        |number| nix::errno::Errno::from_raw(number).desc().to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_octal_digits_however_written() {
        for digits in ["644", "0644", "0o644"] {
            assert_eq!(mode(digits), Some(0o644));
        }
        assert_eq!(mode("1777"), Some(0o1777));
        assert_eq!(mode("9"), None);
        assert_eq!(mode("77777"), None);
        assert_eq!(show_mode(0o600), "0600");
    }
}
