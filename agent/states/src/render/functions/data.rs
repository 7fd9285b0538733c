//! pillar, grains, config, slsutil, defaults, match, test, log: functions on data only.

use std::sync::Arc;

use minijinja::value::{Value, ValueKind};
use minijinja::{Environment, Error, State};
use serde_json::Value as Json;

use super::{Body, Call};
use crate::data::{merge as merge_json, python_json, sorted};
use crate::render::filters::{load_json, walk};
use crate::render::python::{fault, from_json, items, text, to_json};
use crate::render::{Scope, read_text, yaml_value};
use crate::target;
use crate::yaml::emit;

pub(super) fn find(name: &str) -> Option<Body> {
    Some(match name {
        "pillar.get" => pillar_get,
        "pillar.items" => |call| Ok(call.scope.pillar.clone()),
        "pillar.keys" => |call| keys(&call.scope.pillar),
        "grains.get" => |call| get(call, &call.scope.grains),
        "grains.items" => |call| Ok(call.scope.grains.clone()),
        "grains.item" => |call| get(call, &call.scope.grains),
        "grains.has_value" => |call| {
            let found = walk(&call.scope.grains, &call.text(0, "key")?, ":");
            Ok(Value::from(found.is_some_and(|found| found.is_true())))
        },
        "grains.filter_by" => filter_by,
        "config.get" | "config.option" => config_get,
        "slsutil.merge" | "defaults.merge" | "slsutil.update" => merge,
        "slsutil.serialize" => serialize,
        "match.glob" => |call| matches(call, "glob"),
        "match.grain" => |call| matches(call, "grain"),
        "match.pcre" => |call| matches(call, "pcre"),
        "match.compound" => |call| matches(call, "compound"),
        "match.list" => |call| matches(call, "list"),
        "test.echo" => |call| call.must(0, "text"),
        "test.ping" => |_| Ok(Value::from(true)),
        "test.arg" => test_arg,
        "log.debug" | "log.info" | "log.warning" | "log.error" | "log.trace" => log,
        "random.get_str" | "random.rand_int" | "mine.get" | "pillar.show_pillar" => unsupported,
        _ => return None,
    })
}

pub(super) fn install(env: &mut Environment<'static>, scope: &Arc<Scope>) {
    let tree = scope.tree.clone();
    env.add_function("__import_text", {
        let tree = tree.clone();
        move |path: &str| import(&tree, path).map(|text| Value::from(text.trim_end_matches('\n')))
    });
    for (name, json) in [("__import_yaml", false), ("__import_json", true)] {
        let tree = tree.clone();
        env.add_function(name, move |state: &mut State<'_, '_>, path: &str| {
            let text = import(&tree, &beside(state.name(), path))?;
            let text = if text.contains("{{") || text.contains("{%") {
                render_here(state, &text)?
            } else {
                text
            };
            if json { load_json(&text) } else { yaml_value(&text) }
        });
    }
}

/// Renders an imported data file with the importer's variables.
fn render_here(state: &mut State<'_, '_>, text: &str) -> Result<String, Error> {
    const FIXED: [&str; 16] = [
        "salt",
        "grains",
        "pillar",
        "opts",
        "saltenv",
        "env",
        "sls",
        "slspath",
        "slsdotpath",
        "slscolonpath",
        "sls_path",
        "tplpath",
        "tplfile",
        "tpldir",
        "tpldot",
        "tplroot",
    ];
    let known: Vec<String> = state.known_variables().iter().map(|name| name.to_string()).collect();
    let names = known.into_iter().chain(FIXED.iter().map(|name| (*name).to_owned()));
    let vars: Vec<(String, Value)> =
        names.filter_map(|name| state.lookup(&name).map(|value| (name, value))).collect();
    let context = Value::from_pairs(vars);
    let text = crate::render::preprocess_text(text);
    state.env().template_from_named_str("import", &text)?.render(context)
}

fn beside(parent: &str, path: &str) -> String {
    crate::render::join(path, parent)
}

fn import(tree: &crate::tree::Tree, path: &str) -> Result<String, Error> {
    read_text(tree, path)?.ok_or_else(|| {
        Error::new(minijinja::ErrorKind::TemplateNotFound, format!("{path} is not in the tree"))
    })
}

fn keys(value: &Value) -> Result<Value, Error> {
    Ok(crate::render::python::list(items(value)))
}

/// `get(key, default='', delimiter=':')` on a map.
fn get(call: &Call<'_>, map: &Value) -> Result<Value, Error> {
    let by = call.arg(2, "delimiter").map_or_else(|| ":".to_owned(), |by| text(&by));
    let found = walk(map, &call.text(0, "key")?, &by);
    Ok(found.or_else(|| call.arg(1, "default")).unwrap_or_else(|| Value::from("")))
}

fn pillar_get(call: &Call<'_>) -> Result<Value, Error> {
    let by = call.kwargs.get::<Value>("delimiter").map_or_else(|_| ":".to_owned(), |by| text(&by));
    let found = walk(&call.scope.pillar, &call.text(0, "key")?, &by);
    let default = call.arg(1, "default");
    let merging = call.flag(2, "merge") && default.as_ref().is_some_and(is_container);
    if let (true, Some(default), Some(found)) = (merging, &default, &found) {
        let mut base = to_json(default);
        merge_json(&mut base, &to_json(found), false);
        return Ok(from_json(&base));
    }
    Ok(found.or(default).unwrap_or_else(|| Value::from("")))
}

fn is_container(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::Map | ValueKind::Seq)
}

/// Looks in the options, then grains, then pillar.
fn config_get(call: &Call<'_>) -> Result<Value, Error> {
    let key = call.text(0, "key")?;
    let by = call.kwargs.get::<Value>("delimiter").map_or_else(|_| ":".to_owned(), |by| text(&by));
    let places = [&call.scope.opts, &call.scope.grains, &call.scope.pillar];
    let found: Vec<Value> = places.iter().filter_map(|place| walk(place, &key, &by)).collect();
    if call.arg(9, "merge").is_some_and(|merge| merge.is_true()) && found.iter().all(is_container) {
        let mut all = call
            .arg(1, "default")
            .map_or_else(|| Json::Object(Default::default()), |default| to_json(&default));
        for value in found.iter().rev() {
            merge_json(&mut all, &to_json(value), false);
        }
        return Ok(from_json(&all));
    }
    let first = found.into_iter().next();
    Ok(first.or_else(|| call.arg(1, "default")).unwrap_or_else(|| Value::from("")))
}

/// `filter_by(lookup, grain='os_family', merge=None, default='default', base=None)`.
fn filter_by(call: &Call<'_>) -> Result<Value, Error> {
    let lookup = to_json(&call.must(0, "lookup_dict")?);
    let grain = call.arg(1, "grain").map_or_else(|| "os_family".to_owned(), |grain| text(&grain));
    let default = call.arg(3, "default").map_or_else(|| "default".to_owned(), |name| text(&name));
    let values = match walk(&call.scope.grains, &grain, ":") {
        Some(value) if value.kind() == ValueKind::Seq => items(&value),
        Some(value) => vec![value],
        None => Vec::new(),
    };
    let entry = |value: &Value| pick(&lookup, &text(value));
    let mut found = values
        .iter()
        .find_map(entry)
        .or_else(|| lookup.get(&default).cloned())
        .unwrap_or(Json::Null);
    if let Some(base) = call.arg(4, "base").and_then(|base| lookup.get(text(&base)).cloned()) {
        let mut whole = base;
        merge_json(&mut whole, &found, false);
        found = whole;
    }
    if let Some(over) = call.arg(2, "merge").filter(Value::is_true) {
        if found.is_null() {
            found = Json::Object(Default::default());
        }
        merge_json(&mut found, &to_json(&over), false);
    }
    Ok(from_json(&found))
}

/// The entry for a grain's value: keys are patterns.
fn pick(lookup: &Json, value: &str) -> Option<Json> {
    let map = lookup.as_object()?;
    map.get(value)
        .or_else(|| map.iter().find(|(key, _)| target::glob(key, value)).map(|(_, entry)| entry))
        .cloned()
}

fn merge(call: &Call<'_>) -> Result<Value, Error> {
    let mut base = to_json(&call.must(0, "obj_a")?);
    let lists = call.kwargs.get::<bool>("merge_lists").unwrap_or(false);
    merge_json(&mut base, &to_json(&call.must(1, "obj_b")?), lists);
    Ok(from_json(&base))
}

fn serialize(call: &Call<'_>) -> Result<Value, Error> {
    let json = to_json(&call.must(1, "obj")?);
    match call.text(0, "serializer")?.as_str() {
        "json" => {
            let indent = call.kwargs.get::<usize>("indent").ok();
            let sort = call.kwargs.get::<bool>("sort_keys").unwrap_or(false);
            let json = if sort { sorted(&json) } else { json };
            python_json(&json, indent).map(Value::from).map_err(|error| fault(error.to_string()))
        }
        "yaml" => {
            let flow = call.kwargs.get::<bool>("default_flow_style").unwrap_or(false);
            Ok(Value::from(if flow { emit::flow(&json) } else { emit::block(&json) }))
        }
        other => Err(fault(format!("slsutil.serialize: '{other}' is not supported"))),
    }
}

fn matches(call: &Call<'_>, kind: &str) -> Result<Value, Error> {
    let facts = &call.scope.facts;
    let pillar = to_json(&call.scope.pillar);
    let found = target::matches(kind, &call.text(0, "tgt")?, facts.id(), facts, &pillar);
    found.map(Value::from).map_err(|error| fault(error.to_string()))
}

fn test_arg(call: &Call<'_>) -> Result<Value, Error> {
    let args = crate::render::python::list(call.args.clone());
    let kwargs: indexmap::IndexMap<Value, Value> = call
        .kwargs
        .args()
        .filter_map(|name| Some((Value::from(name), call.kwargs.peek(name).ok()?)))
        .collect();
    let pairs =
        [(Value::from("args"), args), (Value::from("kwargs"), crate::render::python::dict(kwargs))];
    Ok(crate::render::python::dict(pairs.into_iter().collect()))
}

fn log(call: &Call<'_>) -> Result<Value, Error> {
    // Templates may log pillar: the text itself stays out of the agent's log.
    tracing::debug!(bytes = call.text(0, "message")?.len(), "a template logged a message");
    Ok(Value::from(true))
}

fn unsupported(_: &Call<'_>) -> Result<Value, Error> {
    Err(fault("this salt function is not supported"))
}
