//! Writes YAML the way PyYAML's `safe_dump` does: block style, or flow style on one line.
//!
//! Long lines are not folded, so text is equal to PyYAML's up to 80 columns and data always.

use serde_json::Value;

use super::Data;
use super::scalar::plain_scalar;

/// Writes a value as YAML in block style, as Salt's trees are written.
pub fn write_yaml(value: &Value) -> String {
    block(value)
}

/// One line: `{a: 1, b: [x, y]}`.
pub(crate) fn flow(value: &Value) -> String {
    let mut out = String::new();
    write_flow(value, &mut out);
    out
}

/// Block style, two spaces a level, lists at their key's column; ends in a line break.
pub(crate) fn block(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => write_map(map, 0, &mut out),
        Value::Array(items) if !items.is_empty() => write_items(items, 0, &mut out),
        other => {
            write_flow(other, &mut out);
            out.push('\n');
        }
    }
    out
}

fn write_map(map: &serde_json::Map<String, Value>, indent: usize, out: &mut String) {
    for (key, value) in map {
        out.extend(std::iter::repeat_n(' ', indent));
        write_entry(key, value, indent, out);
    }
}

fn write_entry(key: &str, value: &Value, indent: usize, out: &mut String) {
    out.push_str(&text(key));
    out.push(':');
    match value {
        Value::Object(inner) if !inner.is_empty() => {
            out.push('\n');
            write_map(inner, indent + 2, out);
        }
        Value::Array(items) if !items.is_empty() => {
            out.push('\n');
            write_items(items, indent, out);
        }
        other => {
            out.push(' ');
            write_flow(other, out);
            out.push('\n');
        }
    }
}

fn write_items(items: &[Value], indent: usize, out: &mut String) {
    for item in items {
        out.extend(std::iter::repeat_n(' ', indent));
        out.push_str("- ");
        match item {
            Value::Object(map) if !map.is_empty() => {
                for (i, (key, value)) in map.iter().enumerate() {
                    if i > 0 {
                        out.extend(std::iter::repeat_n(' ', indent + 2));
                    }
                    write_entry(key, value, indent + 2, out);
                }
            }
            Value::Array(inner) if !inner.is_empty() => {
                let mut nested = String::new();
                write_items(inner, indent + 2, &mut nested);
                out.push_str(nested.trim_start());
            }
            other => {
                write_flow(other, out);
                out.push('\n');
            }
        }
    }
}

fn write_flow(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::String(string) => out.push_str(&text(string)),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                out.push_str(if i > 0 { ", " } else { "" });
                write_flow(item, out);
            }
            out.push(']');
        }
        Value::Object(map) => {
            out.push('{');
            for (i, (key, item)) in map.iter().enumerate() {
                out.push_str(if i > 0 { ", " } else { "" });
                out.push_str(&text(key));
                out.push_str(": ");
                write_flow(item, out);
            }
            out.push('}');
        }
    }
}

/// A string as a scalar: plain where it reads back as the same string, else quoted.
pub(crate) fn text(string: &str) -> String {
    if string.chars().any(|c| c.is_control() && c != '\t' || c == '\u{feff}') {
        double_quoted(string)
    } else if reads_back_plain(string) {
        string.to_owned()
    } else {
        single_quoted(string)
    }
}

pub(crate) fn single_quoted(string: &str) -> String {
    format!("'{}'", string.replace('\'', "''"))
}

pub(crate) fn double_quoted(string: &str) -> String {
    let mut out = String::from("\"");
    for c in string.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\0' => out.push_str("\\0"),
            c if c.is_control() => out.push_str(&format!("\\x{:02X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn reads_back_plain(string: &str) -> bool {
    let Some(first) = string.chars().next() else { return false };
    let special = "#,[]{}&*!|>'\"%@`=";
    let dashes = matches!(first, '-' | '?' | ':')
        && string.chars().nth(1).is_none_or(|c| c.is_whitespace() || ",[]{}".contains(c));
    !(special.contains(first)
        || dashes
        || string.starts_with("---")
        || string.starts_with("...")
        || string.starts_with(char::is_whitespace)
        || string.ends_with(char::is_whitespace)
        || string.ends_with(':')
        || string.contains(": ")
        || string.contains(" #")
        || string.contains([',', '[', ']', '{', '}', '\t'])
        || looks_like_date(string))
        && matches!(plain_scalar(string), Data::Str(_))
}

/// PyYAML quotes what its own resolver would read as a timestamp.
fn looks_like_date(string: &str) -> bool {
    let bytes = string.as_bytes();
    bytes.len() >= 8
        && bytes[..4].iter().all(u8::is_ascii_digit)
        && bytes[4] == b'-'
        && bytes[5..].iter().all(|b| b.is_ascii_digit() || b"-:. TtZz+".contains(b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn flow_and_block_look_like_pyyaml() {
        let users = json!({"amy": {"uid": 1}, "zed": {"l": [1, "two"]}, "e": {}, "n": null});
        assert_eq!(flow(&users), "{amy: {uid: 1}, zed: {l: [1, two]}, e: {}, n: null}");
        assert_eq!(block(&users), "amy:\n  uid: 1\nzed:\n  l:\n  - 1\n  - two\ne: {}\nn: null\n");
        assert_eq!(block(&json!([{"a": 1, "b": [2]}, [3]])), "- a: 1\n  b:\n  - 2\n- - 3\n");
    }

    #[test]
    fn strings_read_back_as_the_same_string() {
        for string in ["a", "a: b", "yes", "12", "", " x", "it's", "a #b", "- a", "-", "x\ny", "{"]
        {
            let node = super::super::parse(&format!("k: {}\n", text(string))).unwrap();
            assert_eq!(node.to_json(), json!({"k": string}), "{string:?}");
        }
    }
}
