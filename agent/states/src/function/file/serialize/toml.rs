//! TOML as Python's `toml` library writes it: values, tables, lists of tables.

use serde_json::{Map, Value};

use crate::data::key;
use crate::function::args::text;

type Table = Map<String, Value>;

pub(super) fn write(data: &Value) -> Result<String, String> {
    let Value::Object(data) = data else {
        return Err("toml can only serialize dictionaries".to_owned());
    };
    let (mut out, below) = section(data, "");
    let mut tables: Vec<(String, Table)> = below;
    while !tables.is_empty() {
        let mut next = Vec::new();
        for (name, table) in &tables {
            let (values, below) = section(table, name);
            if !values.is_empty() || below.is_empty() {
                if !out.is_empty() && !out.ends_with("\n\n") {
                    out.push('\n');
                }
                out.push_str(&format!("[{name}]\n{values}"));
            }
            next.extend(below.into_iter().map(|(key, table)| (format!("{name}.{key}"), table)));
        }
        tables = next;
    }
    Ok(out)
}

/// A table's own values and lists of tables as text, and the tables in it.
fn section(table: &Table, above: &str) -> (String, Vec<(String, Table)>) {
    let (mut out, mut lists, mut tables) = (String::new(), String::new(), Vec::new());
    for (key, item) in table {
        let key = quoted_key(key);
        match item {
            Value::Null => {}
            Value::Object(inner) => tables.push((key, inner.clone())),
            Value::Array(items) if items.iter().any(Value::is_object) => {
                let name = if above.is_empty() { key } else { format!("{above}.{key}") };
                for item in items.iter().filter_map(Value::as_object) {
                    lists.push_str(&list_item(item, &name));
                }
            }
            other => out.push_str(&format!("{key} = {}\n", value(other))),
        }
    }
    (out + &lists, tables)
}

fn list_item(item: &Table, name: &str) -> String {
    let mut out = format!("[[{name}]]\n");
    let mut rest = String::from("\n");
    let (values, mut tables) = section(item, name);
    if values.starts_with('[') {
        rest.push_str(&values)
    } else {
        out.push_str(&values)
    }
    while !tables.is_empty() {
        let mut next = Vec::new();
        for (key, table) in &tables {
            let path = format!("{name}.{key}");
            let (values, below) = section(table, &path);
            if !values.is_empty() {
                rest.push_str(&format!("[{path}]\n{values}"));
            }
            next.extend(below.into_iter().map(|(inner, table)| (format!("{key}.{inner}"), table)));
        }
        tables = next;
    }
    out + &rest
}

fn quoted_key(key: &str) -> String {
    let key = key::text(key);
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    if !key.is_empty() && key.bytes().all(bare) { key.to_owned() } else { string(key) }
}

fn value(value: &Value) -> String {
    match value {
        Value::String(own) if key::is_text(own) => string(key::text(own)),
        Value::Bool(flag) => flag.to_string(),
        Value::Array(items) => {
            let items: String =
                items.iter().map(|item| format!(" {},", self::value(item))).collect();
            format!("[{items}]")
        }
        Value::Number(_) | Value::String(_) => {
            text(value).replace("e+0", "e+").replace("e-0", "e-")
        }
        Value::Null => "\"None\"".to_owned(),
        Value::Object(map) => {
            let pairs = map
                .iter()
                .map(|(key, item)| format!("{} = {}", quoted_key(key), self::value(item)));
            format!("{{ {} }}\n", pairs.collect::<Vec<_>>().join(", "))
        }
    }
}

fn string(text: &str) -> String {
    let mut out = String::from("\"");
    for sign in text.chars() {
        match sign {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            sign if sign.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(sign))),
            sign => out.push(sign),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tables_and_lists_of_tables_follow_the_values() {
        let data = json!({
            "title": "a \"b\"",
            "owner": {"name": "x", "deep": {"n": 1}},
            "list": [1, "two"],
            "servers": [{"ip": "1"}, {"ip": "2", "in": {"k": true}}],
            "odd key": 2.5,
            "none": null
        });
        let expected = "title = \"a \\\"b\\\"\"\nlist = [ 1, \"two\",]\n\"odd key\" = 2.5\n\
                        [[servers]]\nip = \"1\"\n\n[[servers]]\nip = \"2\"\n\n[servers.in]\n\
                        k = true\n\n[owner]\nname = \"x\"\n\n[owner.deep]\nn = 1\n";
        assert_eq!(write(&data).unwrap(), expected);
        assert!(write(&json!([1])).is_err());
        let text = "a: 123456789012345678901234567890\nl: [.inf, -.inf, .nan]\n1: {2: x}\n";
        let wide = crate::yaml::parse(text).unwrap().to_json();
        let expected =
            "a = 123456789012345678901234567890\nl = [ inf, -inf, nan,]\n\n[1]\n2 = \"x\"\n";
        assert_eq!(write(&wide).unwrap(), expected);
    }
}
