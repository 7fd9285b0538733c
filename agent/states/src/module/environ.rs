//! environ: the variables of the agent's own process, and what states made of them.

use minijinja::value::Value;
use serde_json::{Map, Value as Json};

use super::pillar::texts;
use super::{Call, Function, acts, reads};
use crate::render::python::{dict, from_json, to_json};

/// This module's functions. The agent's own variables are never changed: states of the module
/// `environ`, and `env:` of a command, are for those of commands.
pub(super) const ALL: &[Function] = &[
    reads("environ.get", "key default=", |call| Ok(get(call, &call.text("key")))),
    reads("environ.has_value", "key value=", |call| {
        let own = call.scope.host.variables().get(&call.text("key"));
        let wanted = call.text_of("value");
        Ok(Value::from(own.is_some_and(|own| wanted.is_none_or(|wanted| wanted == own))))
    }),
    reads("environ.item", "keys default=", |call| {
        let keys = texts(&call.must("keys"));
        Ok(dict(keys.iter().map(|key| (Value::from(key.as_str()), get(call, key))).collect()))
    }),
    reads("environ.items", "", |call| {
        let all = call.scope.host.variables().all().into_iter();
        Ok(dict(all.map(|(key, value)| (Value::from(key), Value::from(value))).collect()))
    }),
    acts("environ.setval", "key val false_unsets= permanent=", |call| {
        let now = match to_json(&call.must("key")) {
            Json::String(key) => set(call, &key, &to_json(&call.must("val"))),
            _ => Json::Bool(false),
        };
        Ok(from_json(&now))
    }),
    acts("environ.setenv", "environ false_unsets= clear_all= update_minion= permanent=", |call| {
        let Json::Object(all) = to_json(&call.must("environ")) else {
            return Ok(Value::from(false));
        };
        Ok(from_json(&set_all(call, &all).map_or(Json::Bool(false), Json::Object)))
    }),
];

/// Sets a variable for what this run runs, or takes it out: what it is now; `false` if it cannot
/// be that.
fn set(call: &Call<'_>, key: &str, value: &Json) -> Json {
    let unsets = call.value("false_unsets").is_some_and(|flag| to_json(&flag) == true);
    let now = match value {
        Json::Bool(false) if unsets => Json::Null,
        Json::Bool(false) => Json::from(""),
        Json::String(_) => value.clone(),
        _ => return Json::Bool(false),
    };
    let done = call.scope.host.variables().set(key, now.as_str());
    // Nothing is lost of what there cannot be.
    if done || now.is_null() { now } else { Json::Bool(false) }
}

/// Sets them up to the first that is no text.
fn set_all(call: &Call<'_>, all: &Map<String, Json>) -> Option<Map<String, Json>> {
    let mut out = Map::new();
    if call.value("clear_all").is_some_and(|flag| to_json(&flag) == true) {
        let there = call.scope.host.variables().all().into_keys();
        for key in there.filter(|key| !all.contains_key(key)) {
            let now = set(call, &key, &Json::Bool(false));
            out.insert(key, now);
        }
    }
    for (key, value) in all {
        if !matches!(value, Json::String(_) | Json::Bool(false)) {
            return None;
        }
        out.insert(key.clone(), set(call, key, value));
    }
    Some(out)
}

fn get(call: &Call<'_>, key: &str) -> Value {
    let own = call.scope.host.variables().get(key);
    let default = || call.value("default").unwrap_or_else(|| Value::from(""));
    own.map_or_else(default, Value::from)
}
