//! Merging maps: Salt's `dictupdate`, with its strategies.

use minijinja::Error;
use minijinja::value::{Value, ValueKind};

use crate::render::python::{deep, dict, fault, items, list, pairs, put};

/// Maps may nest as deep as this when they are merged.
const DEPTH_MAX: usize = 128;

pub(super) fn is_map(value: &Value) -> bool {
    value.kind() == ValueKind::Map
}

pub(super) fn is_list(value: &Value) -> bool {
    value.kind() == ValueKind::Seq && !value.is_tuple()
}

/// Merges `over` into `base`, in place where `base` is a dict that can change.
pub(super) fn update(base: &Value, over: &Value, lists: bool) -> Result<Value, Error> {
    updated(base, over, true, lists, 0)
}

/// As [`update`]; not `deep`, a map in a map is replaced.
pub(super) fn update_by(
    base: &Value,
    over: &Value,
    deep: bool,
    lists: bool,
) -> Result<Value, Error> {
    updated(base, over, deep, lists, 0)
}

fn updated(
    base: &Value,
    over: &Value,
    recurse: bool,
    lists: bool,
    depth: usize,
) -> Result<Value, Error> {
    if !is_map(base) || !is_map(over) {
        return Err(fault("Cannot update using non-dict types in dictupdate.update()"));
    }
    if depth > DEPTH_MAX {
        return Err(fault("the maps nest too deeply to be merged"));
    }
    // A map of Jinja's own cannot change: a dict of the same entries takes its place.
    let base = if put(base, None) { base.clone() } else { dict(pairs(base).into_iter().collect()) };
    for (key, value) in pairs(over) {
        let own = base.get_item(&key).ok().filter(|own| !own.is_undefined());
        let merged = match own {
            Some(own) if recurse && is_map(&own) && is_map(&value) => {
                updated(&own, &value, true, lists, depth + 1)?
            }
            Some(own) if recurse && lists && is_list(&own) && is_list(&value) => {
                joined(&own, &value)
            }
            Some(_) | None => value,
        };
        put(&base, Some((key, merged)));
    }
    Ok(base)
}

/// A list with what another has besides.
pub(super) fn joined(own: &Value, more: &Value) -> Value {
    let mut all = items(own);
    let new: Vec<Value> = items(more).into_iter().filter(|item| !all.contains(item)).collect();
    all.extend(new);
    list(all)
}

/// `slsutil.merge`: a new map, by a strategy's name.
pub(super) fn merge(
    base: &Value,
    over: &Value,
    strategy: &str,
    renderer: &str,
    lists: bool,
) -> Result<Value, Error> {
    let last = renderer.rsplit('|').next().unwrap_or(renderer);
    let ordered = last == "yamlex" || renderer.starts_with("yamlex_");
    match strategy {
        "smart" if ordered => aggregate(base, over),
        "aggregate" => aggregate(base, over),
        "list" => Ok(listed(base, over)),
        "overwrite" => {
            let base = deep(base);
            for (key, value) in pairs(over) {
                if base.get_item(&key).is_ok_and(|own| !own.is_undefined()) {
                    put(&base, Some((key, value)));
                }
            }
            update(&base, over, lists)
        }
        "none" => update(&deep(base), over, false),
        // Salt warns of a name that it does not know, and merges.
        "smart" | "recurse" => update(&deep(base), over, lists),
        _ => update(&deep(base), over, false),
    }
}

/// Both values of a key that both have, in a list.
fn listed(base: &Value, over: &Value) -> Value {
    let other = |key: &Value| over.get_item(key).ok().filter(|value| !value.is_undefined());
    let pair = |(key, value): (Value, Value)| match other(&key) {
        Some(other) => (key, list(vec![value, other])),
        None => (key, value),
    };
    dict(pairs(base).into_iter().map(pair).collect())
}

/// Without `!aggregate` tags, which templates cannot write, only the top level is merged.
fn aggregate(base: &Value, over: &Value) -> Result<Value, Error> {
    if !is_map(base) || !is_map(over) {
        return Ok(over.clone());
    }
    update_by(&deep(base), over, false, false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::python::repr;
    use crate::render::yaml_value;

    #[test]
    fn strategies_merge_as_in_salt() {
        let base = yaml_value("{a: {x: 1, l: [1]}, k: 1}").unwrap();
        let over = yaml_value("{a: {y: 2, l: [1, 2]}, n: 3}").unwrap();
        let by =
            |strategy: &str, lists| repr(&merge(&base, &over, strategy, "yaml", lists).unwrap());
        assert_eq!(by("smart", false), "{'a': {'x': 1, 'l': [1, 2], 'y': 2}, 'k': 1, 'n': 3}");
        assert_eq!(by("recurse", true), "{'a': {'x': 1, 'l': [1, 2], 'y': 2}, 'k': 1, 'n': 3}");
        assert_eq!(by("list", false), "{'a': [{'x': 1, 'l': [1]}, {'y': 2, 'l': [1, 2]}], 'k': 1}");
        assert_eq!(by("overwrite", false), "{'a': {'y': 2, 'l': [1, 2]}, 'k': 1, 'n': 3}");
        assert_eq!(by("aggregate", false), "{'a': {'y': 2, 'l': [1, 2]}, 'k': 1, 'n': 3}");
        assert_eq!(repr(&base), "{'a': {'x': 1, 'l': [1]}, 'k': 1}");
        assert!(update(&base, &Value::from(1), false).is_err());
    }

    #[test]
    fn update_changes_the_map_that_it_is_given() {
        let base = yaml_value("{a: {x: 1}}").unwrap();
        update(&base, &yaml_value("{a: {y: 2}}").unwrap(), false).unwrap();
        assert_eq!(repr(&base), "{'a': {'x': 1, 'y': 2}}");
    }
}
