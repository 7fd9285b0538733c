//! grains: functions that change the facts that the operator gave, for `module.run`.

use minijinja::Error;
use minijinja::value::Value;
use serde_json::{Map, Value as Json, json};

use crate::chunk::Chunk;
use crate::function::Context;
use crate::function::grains::{Store, put, set, write};
use crate::module::pillar::delimiter;
use crate::module::{Call, Function, acts};
use crate::outcome::Changes;
use crate::render::python::{from_json, text, to_json};

/// The functions of this file.
pub(in crate::module) const ALL: &[Function] = &[
    acts("grains.set", "key val= force= destructive= delimiter=", |call| {
        changed(call, &call.must("val"), call.flag("destructive", false))
    }),
    acts("grains.delval", "key destructive= force=", |call| {
        changed(call, &Value::from(()), call.flag("destructive", false))
    }),
    acts("grains.delkey", "key force=", |call| changed(call, &Value::from(()), true)),
    acts("grains.setval", "key val destructive= refresh_pillar=", |call| {
        top(call, Map::from_iter([(call.text("key"), to_json(&call.must("val")))]))
    }),
    acts("grains.setvals", "grains destructive= refresh_pillar=", |call| {
        match to_json(&call.must("grains")) {
            Json::Object(all) => top(call, all),
            _ => Err(call.fail("setvals grains must be a dictionary.")),
        }
    }),
    acts("grains.append", "key val convert= delimiter=", append),
    acts("grains.remove", "key val delimiter=", remove),
];

fn told(changes: Changes) -> Value {
    from_json(&Json::Object(changes))
}

/// The grain's path, with `:` between its parts.
fn path(call: &Call<'_>) -> String {
    call.text("key").replace(&delimiter(call), ":")
}

/// Sets a grain at a path: Salt's comment, changes and result.
fn changed(call: &Call<'_>, value: &Value, destructive: bool) -> Result<Value, Error> {
    let (path, value) = (path(call), to_json(value));
    let ctx = call.context()?;
    let own = Store::read(ctx).get(&path);
    if own.as_ref() == Some(&value) && !(value.is_null() && destructive) {
        let told = json!({"comment": "Grain is already set", "changes": {}, "result": true});
        return Ok(from_json(&told));
    }
    let chunk = Chunk { args: call.given(&["force"]).into_iter().collect(), ..ctx.chunk.clone() };
    let done = set(&Context { chunk: &chunk, ..*ctx }, &path, &value, destructive);
    Ok(from_json(&match done {
        Ok(changes) => json!({"comment": "", "changes": changes, "result": true}),
        Err(problem) => json!({"comment": problem, "changes": {}, "result": false}),
    }))
}

/// Sets facts as they are named, without paths.
fn top(call: &Call<'_>, all: Map<String, Json>) -> Result<Value, Error> {
    let ctx = call.context()?;
    let destructive = call.flag("destructive", false);
    for (name, value) in &all {
        let kept = (!(value.is_null() && destructive)).then_some(value);
        write(ctx, name, kept).map_err(|problem| call.fail(problem))?;
    }
    Ok(told(all))
}

fn append(call: &Call<'_>) -> Result<Value, Error> {
    let (path, value) = (path(call), to_json(&call.must("val")));
    let mut list = match Store::read(call.context()?).get(&path) {
        None => Vec::new(),
        Some(Json::Array(items)) => items,
        Some(Json::Null) if call.flag("convert", false) => Vec::new(),
        Some(one) if call.flag("convert", false) => vec![one],
        Some(_) => return Ok(Value::from(format!("The key {path} is not a valid list"))),
    };
    if list.contains(&value) {
        let shown = text(&call.must("val"));
        return Ok(Value::from(format!("The val {shown} was already in the list {path}")));
    }
    match value {
        Json::Array(items) => list.extend(items),
        one => list.push(one),
    }
    put(call.context()?, &path, &list.into()).map(told).map_err(|problem| call.fail(problem))
}

fn remove(call: &Call<'_>) -> Result<Value, Error> {
    let (path, value) = (path(call), to_json(&call.must("val")));
    let mut list = match Store::read(call.context()?).get(&path) {
        None => Vec::new(),
        Some(Json::Array(items)) => items,
        Some(_) => return Ok(Value::from(format!("The key {path} is not a valid list"))),
    };
    let Some(at) = list.iter().position(|own| *own == value) else {
        let shown = text(&call.must("val"));
        return Ok(Value::from(format!("The val {shown} was not in the list {path}")));
    };
    list.remove(at);
    put(call.context()?, &path, &list.into()).map(told).map_err(|problem| call.fail(problem))
}
