//! pillar: the worker's data.

use minijinja::Error;
use minijinja::value::Value;

use super::merge::{is_list, is_map, joined, update};
use super::walk::{path, walk};
use super::{Call, Function, grains, reads};
use crate::render::python::{deep, dict, items, list, pairs, text};
use crate::render::type_name;
use crate::secret::MASK;

/// This module's functions.
pub(super) const ALL: &[Function] = &[
    reads(
        "pillar.get",
        "key default= merge= merge_nested_lists= delimiter= pillarenv= saltenv= unmask=",
        |call| Ok(shown(call, get(call)?)),
    ),
    reads(
        "pillar.fetch",
        "key default= merge= merge_nested_lists= delimiter= pillarenv= saltenv= unmask=",
        |call| Ok(shown(call, get(call)?)),
    ),
    reads("pillar.items", ITEMS, |call| Ok(shown(call, all(call)?))),
    reads("pillar.data", ITEMS, |call| Ok(shown(call, all(call)?))),
    reads("pillar.item", "*args default= delimiter= pillarenv= saltenv= unmask=", |call| {
        Ok(shown(call, item(call)?))
    }),
    reads("pillar.raw", "key= unmask=", raw),
    reads("pillar.keys", "key delimiter= unmask=", keys),
    reads("pillar.ls", ITEMS, |call| Ok(list(items(&call.scope.pillar)))),
    reads("pillar.obfuscate", ITEMS, |call| {
        Ok(obfuscated(&shown(call, call.scope.pillar.clone())))
    }),
    reads("pillar.file_exists", "path saltenv=", file_exists),
    reads("pillar.filter_by", "lookup_dict pillar merge= default= base=", |call| {
        grains::filtered(call, &call.scope.pillar, &call.text("pillar"))
    }),
];

/// Whether the pillar's own tree has a file: in one of its environments, or in the given one.
fn file_exists(call: &Call<'_>) -> Result<Value, Error> {
    if !call.scope.of_pillar {
        return Err(call.fail("No pillar_roots found. Are you running this on the master?"));
    }
    let path = call.text("path");
    let only = call.text_of("saltenv").filter(|env| !env.is_empty());
    let tree = &call.scope.tree;
    let envs = tree.envs().filter(|env| only.as_deref().is_none_or(|only| only == *env));
    Ok(Value::from(envs.filter_map(|env| tree.env(env)).any(|tree| tree.has(&path))))
}

const ITEMS: &str = "*args pillar= pillar_enc= pillarenv= saltenv= unmask=";

/// What a call gives back: a template gets the values, a report only where there are some.
fn shown(call: &Call<'_>, value: Value) -> Value {
    if call.site.state.is_some() && !call.flag("unmask", false) { masked(&value) } else { value }
}

fn masked(value: &Value) -> Value {
    leaves(value, &|leaf| if leaf.is_true() { Value::from(MASK) } else { leaf.clone() })
}

/// The same data with other values at its ends.
fn leaves(value: &Value, other: &dyn Fn(&Value) -> Value) -> Value {
    if is_map(value) {
        let pairs = pairs(value).into_iter();
        return dict(pairs.map(|(key, item)| (key, leaves(&item, other))).collect());
    }
    if is_list(value) {
        return list(items(value).iter().map(|item| leaves(item, other)).collect());
    }
    other(value)
}

pub(super) fn delimiter(call: &Call<'_>) -> String {
    call.text_or("delimiter", ":")
}

/// The pillar at hand is of one environment: that of another one would have to be rendered.
fn own_environment(call: &Call<'_>) -> Result<(), Error> {
    for name in ["pillarenv", "saltenv"] {
        let own = [grains::option(call, name), Some(Value::from("base"))];
        match call.set(name).filter(|env| env.is_true() && !own.contains(&Some(env.clone()))) {
            None => {}
            Some(env) => {
                let env = text(&env);
                return Err(call.fail(format!(
                    "the pillar of the environment '{env}' is not at hand: leave out '{name}'"
                )));
            }
        }
    }
    Ok(())
}

fn get(call: &Call<'_>) -> Result<Value, Error> {
    own_environment(call)?;
    let found = walk(&call.scope.pillar, &path(call)?, &delimiter(call));
    let default = call.value("default");
    if call.flag("merge", false)
        && let Some(merged) = merged(call, default.as_ref(), found.as_ref())?
    {
        return Ok(merged);
    }
    match found.or(default) {
        Some(value) => Ok(value),
        None if grains::option(call, "pillar_raise_on_missing")
            .is_some_and(|set| set.is_true()) =>
        {
            Err(call.raise(format!("'Pillar key not found: {}'", call.text("key"))))
        }
        None => Ok(Value::from("")),
    }
}

/// The default with the pillar's value merged over it; `None` if they are not of one kind.
fn merged(
    call: &Call<'_>,
    default: Option<&Value>,
    found: Option<&Value>,
) -> Result<Option<Value>, Error> {
    let Some(default) = default else { return Ok(None) };
    let lists = match call.set("merge_nested_lists") {
        Some(flag) => flag.is_true(),
        None => grains::option(call, "pillar_merge_lists").is_some_and(|flag| flag.is_true()),
    };
    let same = |kind: fn(&Value) -> bool| kind(default) && found.is_none_or(kind);
    if same(is_map) {
        let base = deep(default);
        return match found {
            Some(found) => update(&base, found, lists).map(Some),
            None => Ok(Some(base)),
        };
    }
    if same(is_list) {
        return Ok(Some(found.map_or_else(|| deep(default), |found| joined(default, found))));
    }
    tracing::debug!("pillar.get: the default and the value are of two kinds: not merged");
    Ok(None)
}

fn all(call: &Call<'_>) -> Result<Value, Error> {
    own_environment(call)?;
    if call.rest().is_empty() { Ok(call.scope.pillar.clone()) } else { item(call) }
}

fn item(call: &Call<'_>) -> Result<Value, Error> {
    own_environment(call)?;
    let by = delimiter(call);
    let entry = |key: &Value| {
        let found = walk(&call.scope.pillar, key, &by);
        let value = found.or_else(|| call.set("default")).unwrap_or_else(|| Value::from(""));
        (key.clone(), value)
    };
    Ok(dict(call.rest().iter().map(entry).collect()))
}

fn raw(call: &Call<'_>) -> Result<Value, Error> {
    let Some(key) = call.value("key").filter(Value::is_true) else {
        return Ok(call.scope.pillar.clone());
    };
    let found = call.scope.pillar.get_item(&key).ok().filter(|found| !found.is_undefined());
    Ok(found.unwrap_or_else(|| dict(Default::default())))
}

fn keys(call: &Call<'_>) -> Result<Value, Error> {
    let key = call.text("key");
    match walk(&call.scope.pillar, &call.must("key"), &delimiter(call)) {
        None => Err(call.raise(format!("'Pillar key not found: {key}'"))),
        Some(map) if is_map(&map) => Ok(list(items(&map))),
        Some(_) => Err(call.raise(format!("Pillar value in key {key} is not a dict"))),
    }
}

/// The shape of the data, with Python's names of types for values.
fn obfuscated(value: &Value) -> Value {
    leaves(value, &|leaf| Value::from(format!("<{}>", type_name(leaf))))
}

/// A list of texts from one text, or from a list.
pub(super) fn texts(value: &Value) -> Vec<String> {
    if is_list(value) || value.is_tuple() {
        items(value).iter().map(text).collect()
    } else {
        vec![text(value)]
    }
}
