//! New data over old, and how they differ, in Salt's words.

use serde_json::{Map, Value, json};

/// What stands for a key that is not there.
const NOTHING: &str = "<_null_>";

/// The old data with the new merged into it, map by map; lists are replaced.
pub(super) fn merged(old: &Value, new: &Value) -> Result<Value, String> {
    let (Value::Object(old), Value::Object(new)) = (old, new) else {
        return Err("Cannot update using non-dict types in dictupdate.update()".to_owned());
    };
    let mut out = old.clone();
    for (key, value) in new {
        let value = match old.get(key) {
            Some(own @ Value::Object(_)) if value.is_object() => merged(own, value)?,
            _ => value.clone(),
        };
        out.insert(key.clone(), value);
    }
    Ok(Value::Object(out))
}

/// `{key: {new: .., old: ..}}`, nested as the data is.
pub(super) fn differences(old: &Value, new: &Value) -> Value {
    let (Value::Object(old), Value::Object(new)) = (old, new) else { return json!({}) };
    let mut out = Map::new();
    for (key, value) in new {
        match old.get(key) {
            None => {
                out.insert(key.clone(), json!({"new": value, "old": NOTHING}));
            }
            Some(own) if own == value => {}
            Some(own) if own.is_object() && value.is_object() => {
                let inner = differences(own, value);
                if inner.as_object().is_some_and(|inner| !inner.is_empty()) {
                    out.insert(key.clone(), inner);
                }
            }
            Some(own) => {
                out.insert(key.clone(), json!({"new": value, "old": own}));
            }
        }
    }
    for (key, value) in old {
        if !new.contains_key(key) {
            out.insert(key.clone(), json!({"new": NOTHING, "old": value}));
        }
    }
    Value::Object(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_merged_and_its_differences_are_told() {
        let old = json!({"a": {"b": 1, "c": 2}, "l": [1]});
        let new = merged(&old, &json!({"a": {"b": 2}, "l": [2], "n": 1})).unwrap();
        assert_eq!(new, json!({"a": {"b": 2, "c": 2}, "l": [2], "n": 1}));
        let expected = json!({
            "a": {"b": {"new": 2, "old": 1}},
            "l": {"new": [2], "old": [1]},
            "n": {"new": 1, "old": NOTHING}
        });
        assert_eq!(differences(&old, &new), expected);
        assert!(merged(&old, &json!([1])).is_err());
    }
}
