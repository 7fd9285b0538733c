//! Small helpers on JSON values: paths and merging.

pub(crate) mod json;
pub(crate) mod key;

use indexmap::IndexMap;
use serde_json::{Map, Value};

/// What a state tree says, by name, as it stands.
///
/// Of a state that needs nothing done, arguments are asked for some seventy times: with the hash
/// of `serde_json`'s maps, that was a tenth of a run. This one is seeded too, but withstands
/// nobody who finds out its seed: its keys come from the authors of a tree, who need no such
/// detour to keep a worker busy. Keys that others choose (facts, what a server answers) stay in
/// maps of the other kind.
pub(crate) type Ordered<V> = IndexMap<String, V, foldhash::fast::RandomState>;

/// Follows `a:b:0` through maps and lists, as Salt's `traverse_dict_and_list`.
pub(crate) fn traverse<'a>(value: &'a Value, path: &str, by: &str) -> Option<&'a Value> {
    if by.is_empty() {
        return value.get(path);
    }
    path.split(by).try_fold(value, |here, part| match here {
        Value::Object(map) => map.get(part).or_else(|| map.get(&as_yaml(part)?)),
        Value::Array(items) => match part.parse::<usize>() {
            Ok(at) => {
                let key = key::of_int(at);
                items.iter().find_map(|item| item.get(&key)).or_else(|| items.get(at))
            }
            Err(_) => items.iter().find_map(|item| item.get(part)),
        },
        _ => None,
    })
}

/// Keys of pillar may be numbers or truths: the part is then read as YAML reads it.
fn as_yaml(part: &str) -> Option<String> {
    let node = crate::yaml::parse(part).ok()?;
    Some(key::of_node(node)).filter(|key| !key::is_text(key))
}

/// Merges `over` into `base`, map by map; lists are replaced, or joined if `lists` says so.
pub(crate) fn merge(base: &mut Value, over: &Value, lists: bool) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                match base.get_mut(key) {
                    Some(own) => merge(own, value, lists),
                    None => {
                        base.insert(key.clone(), value.clone());
                    }
                }
            }
        }
        (Value::Array(base), Value::Array(over)) if lists => {
            let new: Vec<_> = over.iter().filter(|item| !base.contains(item)).cloned().collect();
            base.extend(new);
        }
        (base, over) => *base = over.clone(),
    }
}

/// The same value with the keys of all maps in order.
pub(crate) fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let pairs =
                key::sorted(map).into_iter().map(|(key, value)| (key.clone(), sorted(value)));
            Value::Object(pairs.collect::<Map<_, _>>())
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_maps_and_lists_behave_as_in_salt() {
        let value = json!({"a": {"l": [3, {"x": 1}]}});
        assert_eq!(traverse(&value, "a:l:0", ":"), Some(&json!(3)));
        assert_eq!(traverse(&value, "a:l:x", ":"), Some(&json!(1)));
        assert_eq!(traverse(&value, "a:q", ":"), None);
        let mut base = json!({"a": {"x": 1}, "l": [1]});
        merge(&mut base, &json!({"a": {"y": 2}, "l": [2]}), false);
        assert_eq!(base, json!({"a": {"x": 1, "y": 2}, "l": [2]}));
        merge(&mut base, &json!({"l": [2, 3]}), true);
        assert_eq!(base["l"], json!([2, 3]));
    }
}
