//! JSON as Python's `json.dumps` writes it.

use serde_json::{Map, Value};

use super::format::Options;
use crate::data::key;
use crate::function::args::text;

/// How the text is laid out.
struct Layout {
    /// What a level is indented by; `None` keeps all on one line.
    indent: Option<String>,
    item: String,
    key: String,
    sort: bool,
    ascii: bool,
}

pub(super) fn write(data: &Value, options: &Options) -> String {
    let indent = match options.get("indent") {
        None => Some("  ".to_owned()),
        Some(Value::Null) => None,
        Some(Value::String(spaces)) => Some(spaces.clone()),
        Some(other) => {
            let width = other.as_u64().and_then(|width| usize::try_from(width.min(80)).ok());
            Some(" ".repeat(width.unwrap_or(0)))
        }
    };
    let separators = options.get("separators").and_then(Value::as_array);
    let separator = |at: usize, default: &str| {
        separators.and_then(|all| all.get(at)).map_or_else(|| default.to_owned(), text)
    };
    let layout = Layout {
        indent,
        item: separator(0, ","),
        key: separator(1, ": "),
        sort: options.flag("sort_keys", true),
        ascii: !options.unicode,
    };
    let mut out = String::new();
    layout.value(data, 0, &mut out);
    out
}

impl Layout {
    fn value(&self, value: &Value, depth: usize, out: &mut String) {
        match value {
            Value::String(string) if !key::is_text(string) => {
                out.push_str(&key::json_text(string));
            }
            Value::String(string) => self.string(key::text(string), out),
            Value::Number(number) if number.is_f64() => out.push_str(&text(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => out.push_str(&value.to_string()),
            Value::Array(items) if items.is_empty() => out.push_str("[]"),
            Value::Object(map) if map.is_empty() => out.push_str("{}"),
            Value::Array(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    self.start(at, depth + 1, out);
                    self.value(item, depth + 1, out);
                }
                self.end(depth, ']', out);
            }
            Value::Object(map) => self.map(map, depth, out),
        }
    }

    fn map(&self, map: &Map<String, Value>, depth: usize, out: &mut String) {
        let pairs = if self.sort { key::sorted(map) } else { map.iter().collect() };
        out.push('{');
        for (at, (key, item)) in pairs.into_iter().enumerate() {
            self.start(at, depth + 1, out);
            self.string(&key::json_text(key), out);
            out.push_str(&self.key);
            self.value(item, depth + 1, out);
        }
        self.end(depth, '}', out);
    }

    fn start(&self, at: usize, depth: usize, out: &mut String) {
        if at > 0 {
            out.push_str(&self.item);
        }
        if let Some(indent) = &self.indent {
            out.push('\n');
            out.push_str(&indent.repeat(depth));
        }
    }

    fn end(&self, depth: usize, sign: char, out: &mut String) {
        if let Some(indent) = &self.indent {
            out.push('\n');
            out.push_str(&indent.repeat(depth));
        }
        out.push(sign);
    }

    fn string(&self, string: &str, out: &mut String) {
        out.push('"');
        for sign in string.chars() {
            match sign {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\u{8}' => out.push_str("\\b"),
                '\u{c}' => out.push_str("\\f"),
                sign if u32::from(sign) < 0x20 || self.ascii && !(' '..='~').contains(&sign) => {
                    let mut units = [0; 2];
                    for unit in sign.encode_utf16(&mut units) {
                        out.push_str(&format!("\\u{unit:04x}"));
                    }
                }
                sign => out.push(sign),
            }
        }
        out.push('"');
    }
}

/// Reads JSON; a fault is told with its line and column.
pub(super) fn read(text: &str) -> Result<Value, String> {
    crate::data::json::read(text).map_err(|error| error.to_string())
}
