//! event: telling of something on the bus, for `module.run`.

use minijinja::Error;
use minijinja::value::Value;
use serde_json::{Map, Value as Json};

use super::{Call, Function, acts};
use crate::render::python::to_json;

/// This module's functions.
pub(super) const ALL: &[Function] = &[
    acts(
        "event.send",
        "tag data= preload= with_env= with_grains= with_pillar= with_env_opts= **kwargs",
        |call| {
            let mut args = call.more();
            let own = ["data", "with_env", "with_grains", "with_pillar", "with_env_opts"];
            args.extend(call.given(&own));
            send(call, args)
        },
    ),
    acts("event.fire_master", "data tag preload=", fire),
    acts("event.fire", "data tag", fire),
];

fn fire(call: &Call<'_>) -> Result<Value, Error> {
    let data = match to_json(&call.must("data")) {
        Json::Object(map) => map,
        other => Map::from_iter([("data".to_owned(), other)]),
    };
    send(call, Map::from_iter([("data".to_owned(), Json::Object(data))]))
}

/// Whether anybody can hear it. The return of the calling state takes the event along.
fn send(call: &Call<'_>, args: Map<String, Json>) -> Result<Value, Error> {
    let ctx = call.context()?;
    let outcome = call.outcome("event.send", &call.text("tag"), args, false)?;
    Ok(Value::from(outcome.result == Some(true) && ctx.session.heard))
}
