//! `a:b:0` through maps and lists: Salt's `traverse_dict_and_list`.

use minijinja::Error;
use minijinja::value::{Value, ValueKind};

use super::Call;
use crate::render::iterate;
use crate::render::python::{items, text};

/// The path that a call names as `key`.
pub(super) fn path(call: &Call<'_>) -> Result<Value, Error> {
    let path = call.must("key");
    match path.kind() {
        ValueKind::String | ValueKind::Bool => {}
        ValueKind::Number if path.is_integer() => {}
        _ => {
            iterate(&path)?;
        }
    }
    Ok(path)
}

/// Follows a path; `None` if it leads nowhere. A path that is no text is one key.
pub(crate) fn walk(value: &Value, path: &Value, by: &str) -> Option<Value> {
    match path.kind() {
        ValueKind::Seq | ValueKind::Iterable => {
            items(path).iter().try_fold(value.clone(), |here, part| step(&here, part))
        }
        ValueKind::String => follow(value, &text(path), by),
        _ => step(value, path),
    }
}

/// Follows a path given as text.
pub(crate) fn follow(value: &Value, path: &str, by: &str) -> Option<Value> {
    if by.is_empty() {
        return step(value, &Value::from(path));
    }
    path.split(by).try_fold(value.clone(), |here, part| step(&here, &Value::from(part)))
}

fn step(here: &Value, part: &Value) -> Option<Value> {
    match here.kind() {
        ValueKind::Map => of_map(here, part).or_else(|| of_map(here, &as_yaml(part)?)),
        ValueKind::Seq if !here.is_tuple() => of_list(here, part),
        ValueKind::Seq | ValueKind::String => at(here, part.as_i64()?),
        _ => None,
    }
}

fn of_map(map: &Value, key: &Value) -> Option<Value> {
    map.get_item(key).ok().filter(|found| !found.is_undefined())
}

/// A name, or an index, finds the first map of the list that has it as a key; then the item.
fn of_list(list: &Value, part: &Value) -> Option<Value> {
    let index = part.as_i64().or_else(|| part.as_str()?.trim().parse().ok());
    let key = index.map_or_else(|| part.clone(), Value::from);
    let maps = items(list).into_iter().filter(|item| item.kind() == ValueKind::Map);
    let found = maps.into_iter().find_map(|map| of_map(&map, &key));
    found.or_else(|| at(list, index?))
}

fn at(list: &Value, index: i64) -> Option<Value> {
    let len = i64::try_from(list.len()?).ok()?;
    let index = if index < 0 { index + len } else { index };
    (0..len).contains(&index).then(|| list.get_item(&Value::from(index)).ok()).flatten()
}

/// Keys of pillar may be numbers or truths: the part is then read as YAML reads it.
fn as_yaml(part: &Value) -> Option<Value> {
    let text = part.as_str()?;
    let read = crate::render::yaml_value(text).ok()?;
    let scalar = matches!(read.kind(), ValueKind::Number | ValueKind::Bool | ValueKind::None);
    scalar.then_some(read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::yaml_value;

    #[test]
    fn paths_lead_where_salt_leads_them() {
        let value = yaml_value("a: {b: [{x: 1}, {y: 2}, z], 1: one, '2': two}\nl: [a, b]").unwrap();
        let get = |path: &str| follow(&value, path, ":").map(|found| text(&found));
        for (path, expected) in [
            ("a:b:y", Some("2")),
            ("a:b:2", Some("z")),
            ("a:b:-1", Some("z")),
            ("a:1", Some("one")),
            ("a:2", Some("two")),
            ("a:b:7", None),
            ("l:x", None),
            ("l:0:x", None),
            ("nope", None),
        ] {
            assert_eq!(get(path).as_deref(), expected, "{path}");
        }
        assert_eq!(follow(&value, "a:b", "/"), None);
        assert!(follow(&value, "a/b", "/").is_some());
    }
}
