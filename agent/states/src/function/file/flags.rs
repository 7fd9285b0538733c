//! Flags of Python's `re` as states spell them: a number, a name, or names.

use serde_json::Value;

use crate::function::args::{list, text};
use crate::regex::Flags;

/// The flags of an argument; `default` is Python's number for what is not said.
pub(super) fn of(value: Option<&Value>, default: u64) -> Result<Flags, String> {
    let bits = match value {
        None | Some(Value::Null) => default,
        Some(Value::Number(number)) => {
            number.as_u64().ok_or_else(|| format!("Invalid re flags: \"{number}\""))?
        }
        Some(names @ (Value::String(_) | Value::Array(_))) => list(names)
            .iter()
            .map(|name| bit(name).ok_or_else(|| format!("Invalid re flag given: {name}")))
            .sum::<Result<u64, String>>()?,
        Some(other) => {
            return Err(format!(
                "Invalid re flags: \"{}\", must be given either as a single flag string, a list \
                 of strings, or as an integer",
                text(other)
            ));
        }
    };
    Ok(Flags {
        ignore_case: bits & 2 != 0,
        multi_line: bits & 8 != 0,
        dot_all: bits & 16 != 0,
        verbose: bits & 64 != 0,
        ascii: bits & 256 != 0,
    })
}

fn bit(name: &str) -> Option<u64> {
    Some(match name.to_uppercase().as_str() {
        "I" | "IGNORECASE" => 2,
        "L" | "LOCALE" => 4,
        "M" | "MULTILINE" => 8,
        "S" | "DOTALL" => 16,
        "U" | "UNICODE" => 32,
        "X" | "VERBOSE" => 64,
        "A" | "ASCII" => 256,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn flags_are_numbers_or_names() {
        assert!(of(None, 8).unwrap().multi_line);
        let both = of(Some(&json!(["IGNORECASE", "dotall"])), 8).unwrap();
        assert!(both.ignore_case && both.dot_all && !both.multi_line);
        assert!(of(Some(&json!(24)), 0).unwrap().dot_all);
        assert!(of(Some(&json!("NONE")), 0).is_err());
        assert!(of(Some(&json!({})), 0).is_err());
    }
}
