//! defaults: a formula's defaults.yaml, and merging over it.

use minijinja::Error;
use minijinja::value::Value;

use super::merge::update;
use super::walk::follow;
use super::{Call, Function, reads};
use crate::render::python::{deep, dict, from_json, pairs, put};
use crate::render::{read_text, yaml_value};
use crate::tree::BASE;

/// This module's functions.
pub(super) const ALL: &[Function] = &[
    reads("defaults.get", "key default=", get),
    reads("defaults.merge", "dest src merge_lists= in_place= convert_none=", merge),
    reads("defaults.update", "dest defaults merge_lists= in_place= convert_none=", update_all),
    reads("defaults.deepcopy", "source", |call| Ok(deep(&call.must("source")))),
];

/// `formula:key` from `formula/defaults.yaml`, or `.json`.
fn get(call: &Call<'_>) -> Result<Value, Error> {
    let key = call.text("key");
    let (formula, key) = match key.split_once(':') {
        Some((formula, key)) => (formula, Some(key)),
        None => (key.as_str(), None),
    };
    let tree = call.scope.files(BASE)?;
    let file = |ending: &str| read_text(&tree, &format!("{formula}/defaults.{ending}"));
    let found = match (file("yaml")?, file("json")?) {
        (Some(text), _) => Some(yaml_value(&text)?),
        (None, Some(text)) => {
            let json =
                crate::data::json::read(&text).map_err(|error| call.fail(error.to_string()))?;
            Some(from_json(&json))
        }
        (None, None) => None,
    };
    let found = found.map(|found| if found.is_true() { found } else { dict(Default::default()) });
    let Some(key) = key.filter(|key| !key.is_empty()) else {
        return Ok(found.unwrap_or_else(|| Value::from(())));
    };
    let found = found.and_then(|found| follow(&found, key, ":"));
    Ok(found.or_else(|| call.value("default")).unwrap_or_else(|| Value::from("")))
}

/// An argument, with `None` read as an empty map if the call wants that.
fn or_empty(call: &Call<'_>, name: &str) -> Value {
    let value = call.must(name);
    if value.is_none() && call.flag("convert_none", true) {
        dict(Default::default())
    } else {
        value
    }
}

/// The map to change: the given one, or a copy.
fn target(call: &Call<'_>, verb: &str) -> Result<Value, Error> {
    let own = call.must("dest");
    match (call.flag("in_place", true), own.is_none()) {
        (true, true) => Err(call.raise(format!("Can't perform in-place {verb} into NoneType"))),
        (true, false) => Ok(own),
        (false, _) => Ok(deep(&or_empty(call, "dest"))),
    }
}

fn merge(call: &Call<'_>) -> Result<Value, Error> {
    let source = or_empty(call, "src");
    update(&target(call, "merge")?, &source, call.flag("merge_lists", false))
}

/// Puts the defaults below each entry of a map of maps.
fn update_all(call: &Call<'_>) -> Result<Value, Error> {
    let nodes = target(call, "update")?;
    let defaults = or_empty(call, "defaults");
    let lists = call.flag("merge_lists", true);
    for (name, own) in pairs(&nodes) {
        let own = if own.is_none() { dict(Default::default()) } else { own };
        let whole = update(&deep(&defaults), &own, lists)?;
        if !put(&nodes, Some((name, whole))) {
            return Err(call.fail("defaults.update: the map cannot change"));
        }
    }
    Ok(nodes)
}
