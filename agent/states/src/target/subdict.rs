//! `a:b:pattern` against nested data: Salt's grain and pillar matchers.

use serde_json::{Map, Value};

use crate::data::traverse;

/// Whether a pattern means a text.
pub(super) type Same<'a> = &'a dyn Fn(&str, &str) -> bool;

/// Tries every border between key and pattern, the deepest first.
pub(super) fn subdict(
    data: &Map<String, Value>,
    expression: &str,
    by: &str,
    same: Same<'_>,
) -> bool {
    let parts: Vec<&str> = expression.split(by).collect();
    (1..parts.len()).rev().any(|border| {
        let key = parts[..border].join(by);
        if key == "*" {
            return in_map(data, expression, same);
        }
        let pattern = parts[border..].join(by);
        let first = parts.first().and_then(|first| data.get(*first));
        let rest = parts[1..border].join(by);
        let found = match border {
            1 => first,
            _ => first.and_then(|first| traverse(first, &rest, by)),
        };
        match found {
            None => false,
            Some(Value::Object(map)) => !map.is_empty() && in_map(map, &pattern, same),
            Some(Value::Array(items)) => items.iter().any(|item| {
                item.as_object().is_some_and(|map| in_map(map, &pattern, same))
                    || same(&pattern, &plain(item))
            }),
            Some(scalar) => same(&pattern, &plain(scalar)),
        }
    })
}

/// Keys that match, a deeper `key:pattern`, or behind `*:` anything one level down.
fn in_map(map: &Map<String, Value>, pattern: &str, same: Same<'_>) -> bool {
    let (pattern, deeper) = match pattern.strip_prefix("*:") {
        Some(rest) => (rest, true),
        None => (pattern, false),
    };
    let below = |value: &Value| match value {
        Value::Object(map) => in_map(map, pattern, same),
        Value::Array(items) => items.iter().any(|item| same(pattern, &plain(item))),
        scalar => same(pattern, &plain(scalar)),
    };
    pattern == "*"
        || map.contains_key(pattern)
        || map.keys().any(|key| same(pattern, key))
        || subdict(map, pattern, ":", same)
        || (deeper && map.values().any(below))
}

/// A value as Python prints it.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => crate::data::key::text(text).to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Null => "None".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::glob;
    use serde_json::json;

    #[test]
    fn every_border_is_tried_and_keys_count_too() {
        let data = json!({
            "os": "Debian", "n": {"e": {"s": "x"}, "l": [{"k": 1}, "m"]}, "a:b": "odd", "e": {},
        });
        let check = |expression: &str, expected: bool| {
            let found = subdict(data.as_object().unwrap(), expression, ":", &|p, t| glob(p, t));
            assert_eq!(found, expected, "{expression}");
        };
        check("os", false);
        check("os:Deb*", true);
        check("n:e:s:x", true);
        check("n:e", true);
        check("n:e:s", true);
        check("n:*", true);
        check("n:l:m", true);
        check("n:l:k:1", true);
        check("e:*", false);
        check("*:Debian", true);
        check("n:*:s", true);
        check("nope:*", false);
    }
}
