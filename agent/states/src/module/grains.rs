//! grains: the worker's facts.

pub(super) mod set;

use minijinja::Error;
use minijinja::value::{Value, ValueKind};

use super::merge::{is_list, is_map, update};
use super::pillar::delimiter;
use super::walk::{follow, path, walk};
use super::{Call, Function, reads};
use crate::render::python::{deep, dict, fault, items, list, text};
use crate::render::{iterate, type_name};
use crate::target::glob;

/// This module's functions.
pub(super) const ALL: &[Function] = &[
    reads("grains.get", "key default= delimiter= ordered=", get),
    reads("grains.fetch", "key default= delimiter= ordered=", get),
    reads("grains.has_value", "key", |call| {
        Ok(Value::from(walk(&call.scope.grains, &call.must("key"), ":").is_some()))
    }),
    reads("grains.items", "sanitize=", |call| sanitized(call, call.scope.grains.clone())),
    reads("grains.item", "*args **kwargs", item),
    reads("grains.ls", "", |call| {
        let mut names = items(&call.scope.grains);
        names.sort();
        Ok(list(names))
    }),
    reads("grains.equals", "key value", |call| {
        let found = walk(&call.scope.grains, &call.must("key"), ":");
        let found = found.map(|value| text(&value)).unwrap_or_default();
        Ok(Value::from(found == call.text("value")))
    }),
    reads("grains.filter_by", "lookup_dict grain= merge= default= base=", |call| {
        filtered(call, &call.scope.grains, &call.text_or("grain", "os_family"))
    }),
];

/// One of the agent's options.
pub(super) fn option(call: &Call<'_>, name: &str) -> Option<Value> {
    follow(&call.scope.opts, name, "")
}

fn get(call: &Call<'_>) -> Result<Value, Error> {
    let found = walk(&call.scope.grains, &path(call)?, &delimiter(call));
    Ok(found.or_else(|| call.value("default")).unwrap_or_else(|| Value::from("")))
}

fn item(call: &Call<'_>) -> Result<Value, Error> {
    let named = |name: &str| call.others().find(|(key, _)| *key == name).map(|(_, v)| v.clone());
    let default = named("default").unwrap_or_else(|| Value::from(""));
    let by = named("delimiter").map_or_else(|| ":".to_owned(), |by| text(&by));
    let entry = |key: &Value| {
        let found = walk(&call.scope.grains, key, &by);
        (key.clone(), found.unwrap_or_else(|| default.clone()))
    };
    let found = dict(call.rest().iter().map(entry).collect());
    if named("sanitize").is_some_and(|flag| flag.is_true()) { hidden(&found) } else { Ok(found) }
}

fn sanitized(call: &Call<'_>, grains: Value) -> Result<Value, Error> {
    if call.flag("sanitize", false) { hidden(&grains) } else { Ok(grains) }
}

/// Names and numbers of the machine replaced, as for a bug report.
fn hidden(grains: &Value) -> Result<Value, Error> {
    let out = deep(grains);
    let names = [
        ("domain", "DOMAINNAME"),
        ("fqdn", "MINION.DOMAINNAME"),
        ("id", "MINION.DOMAINNAME"),
        ("host", "MINION"),
        ("localhost", "MINION"),
        ("nodename", "MINION"),
    ];
    let has = |name: &str| out.get_item(&Value::from(name)).is_ok_and(|own| !own.is_undefined());
    let mut over: Vec<(Value, Value)> = names
        .into_iter()
        .filter(|(name, _)| has(name))
        .map(|(name, shown)| (Value::from(name), Value::from(shown)))
        .collect();
    if let Some(serial) = follow(&out, "serialnumber", "") {
        let serial = text(&serial);
        let keep = serial.chars().count() * 3 / 4;
        let shown = serial.chars().enumerate().map(|(at, c)| if at < keep { c } else { 'X' });
        over.push((Value::from("serialnumber"), Value::from(shown.collect::<String>())));
    }
    update(&out, &dict(over.into_iter().collect()), false)
}

/// `filter_by`: the entry whose key, a pattern, matches a value found by `path` in `data`.
pub(super) fn filtered(call: &Call<'_>, data: &Value, path: &str) -> Result<Value, Error> {
    let lookup = call.must("lookup_dict");
    let own = |key: &Value| lookup.get_item(key).ok().filter(|found| !found.is_undefined());
    let values = match follow(data, path, ":") {
        Some(value) if is_list(&value) => items(&value),
        Some(value) => vec![value],
        None => Vec::new(),
    };
    // Without a value nothing is looked at but the default.
    let keys = if values.is_empty() { Vec::new() } else { iterate(&lookup)? };
    let keys: Vec<_> = keys.into_iter().map(|key| (key.clone(), text(&key))).collect();
    let found = values.iter().map(text).find_map(|value| {
        let key = keys.iter().find(|(_, pattern)| glob(pattern, &value)).map(|(key, _)| key)?;
        own(key).filter(|entry| !entry.is_none())
    });
    if !is_map(&lookup) {
        let kind = type_name(&lookup);
        return Err(fault(format!("'{kind}' object has no attribute 'get'")));
    }
    let default = call.value("default").unwrap_or_else(|| Value::from("default"));
    let mut found = found.or_else(|| own(&default)).unwrap_or_else(|| Value::from(()));
    let base = call.value("base").filter(Value::is_true).and_then(|base| own(&base));
    if let Some(base) = base {
        if found.is_none() {
            found = base;
        } else if is_map(&base) {
            if !is_map(&found) {
                let words = "filter_by default and look-up values must both be dictionaries.";
                return Err(call.raise(words));
            }
            found = update(&deep(&base), &found, false)?;
        }
    }
    let Some(merge) = call.value("merge").filter(Value::is_true) else { return Ok(found) };
    if merge.kind() != ValueKind::Map {
        return Err(call.raise("filter_by merge argument must be a dictionary."));
    }
    // As in Salt, the entry of the lookup map itself is what changes.
    if found.is_none() { Ok(merge) } else { update(&found, &deep(&merge), false) }
}
