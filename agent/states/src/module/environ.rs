//! environ: the variables of the agent's own process.

use minijinja::value::Value;

use super::pillar::texts;
use super::{Call, Function, reads};
use crate::render::python::dict;

/// This module's functions. The agent's own variables are never changed: states of the module
/// `environ`, and `env:` of a command, are for those of commands.
pub(super) const ALL: &[Function] = &[
    reads("environ.get", "key default=", |call| Ok(get(call, &call.text("key")))),
    reads("environ.has_value", "key value=", |call| {
        let own = std::env::var(call.text("key")).ok();
        let wanted = call.text_of("value");
        Ok(Value::from(own.is_some_and(|own| wanted.is_none_or(|wanted| wanted == own))))
    }),
    reads("environ.item", "keys default=", |call| {
        let keys = texts(&call.must("keys"));
        Ok(dict(keys.iter().map(|key| (Value::from(key.as_str()), get(call, key))).collect()))
    }),
    reads("environ.items", "", |_| {
        let all = std::env::vars_os().map(|(key, value)| {
            (Value::from(key.to_string_lossy()), Value::from(value.to_string_lossy()))
        });
        Ok(dict(all.collect()))
    }),
];

fn get(call: &Call<'_>, key: &str) -> Value {
    let own =
        if key.is_empty() || key.contains(['=', '\0']) { None } else { std::env::var(key).ok() };
    let default = || call.value("default").unwrap_or_else(|| Value::from(""));
    own.map_or_else(default, Value::from)
}
