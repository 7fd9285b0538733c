//! environ: the variables of the agent's own process, and what states made of them.

use minijinja::Error;
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
        let all = Map::from_iter([(call.text("key"), to_json(&call.must("val")))]);
        let set = set(call, all)?;
        Ok(crate::render::python::pairs(&set).into_iter().next().map_or(set, |(_, value)| value))
    }),
    acts("environ.setenv", "environ false_unsets= clear_all= update_minion= permanent=", |call| {
        match to_json(&call.must("environ")) {
            Json::Object(all) => set(call, all),
            _ => Ok(Value::from(false)),
        }
    }),
];

/// Sets variables for what this run runs: what they are now.
fn set(call: &Call<'_>, all: Map<String, Json>) -> Result<Value, Error> {
    let mut args = call.given(&["false_unsets", "clear_all"]);
    args.insert("value".to_owned(), Json::Object(all.clone()));
    call.state("environ.setenv", "environ", args)?;
    Ok(from_json(&Json::Object(all)))
}

fn get(call: &Call<'_>, key: &str) -> Value {
    let own = call.scope.host.variables().get(key);
    let default = || call.value("default").unwrap_or_else(|| Value::from(""));
    own.map_or_else(default, Value::from)
}
