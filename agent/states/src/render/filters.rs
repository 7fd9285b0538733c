//! Filters and tests: Jinja's own and Salt's, by their names.

mod data;
mod dates;
mod dicts;
pub(super) mod dump;
mod hashes;
mod host;
mod links;
mod lists;
mod network;
mod numbers;
mod pretty;
mod select;
mod sequences;
mod signatures;
mod tests;
mod text;
mod words;
mod xml;

use minijinja::Error;
use minijinja::value::Value;

use super::jinja::args::Args;
use super::jinja::undefined;
use super::jinja::{Failure, Run};

pub(super) use tests::find as test;

/// What a filter is: a value and arguments in, a value out.
type Filter = fn(&Value, &Args) -> Result<Value, Error>;

/// Filters that give back what is undefined, as Salt's serializers do.
const PASSING: [&str; 14] = [
    "yaml",
    "json",
    "xml",
    "python",
    "tojson",
    "load_yaml",
    "load_json",
    "load_text",
    "dict_to_sls_yaml_params",
    "combinations",
    "permutations",
    "product",
    "zip",
    "compress",
];

/// Filters that look at the type alone: what is undefined has another one.
const DENYING: [&str; 3] = ["to_bool", "is_list", "is_hex"];

/// Whether there is a filter of this name.
pub(super) fn has(name: &str) -> bool {
    ["default", "d"].contains(&name) || select::has(name) || host::has(name) || find(name).is_some()
}

fn find(name: &str) -> Option<Filter> {
    words::find(name)
        .or_else(|| sequences::find(name))
        .or_else(|| numbers::find(name))
        .or_else(|| data::find(name))
        .or_else(|| lists::find(name))
        .or_else(|| text::find(name))
        .or_else(|| dicts::find(name))
        .or_else(|| hashes::find(name))
        .or_else(|| dates::find(name))
        .or_else(|| network::find(name))
}

/// Applies a filter.
pub(super) fn apply(
    run: &mut Run<'_>,
    name: &str,
    value: Value,
    args: Args,
) -> Result<Value, Failure> {
    signatures::check(name, &args)?;
    if name == "default" || name == "d" {
        let boolean = args.flag(1, "boolean", false);
        let wanted = undefined::is(&value) || (boolean && !value.is_true());
        return Ok(if wanted {
            args.get(0, "default_value").unwrap_or_else(|| Value::from(""))
        } else {
            value
        });
    }
    if PASSING.contains(&name) && undefined::held(&value) {
        return Ok(undefined::joined(&value));
    }
    if undefined::is(&value) {
        if PASSING.contains(&name) {
            return Ok(value);
        }
        if DENYING.contains(&name) {
            return Ok(Value::from(false));
        }
        undefined::refuse(&value)?;
        return apply(run, name, Value::from(""), args);
    }
    if select::has(name) {
        return select::apply(run, name, &value, args);
    }
    if host::has(name) {
        return Ok(host::apply(run.host(), name, &value, &args)?);
    }
    match find(name) {
        Some(filter) => Ok(filter(&value, &args)?),
        None => Err(Failure::syntax(format!("No filter named '{name}' found."))),
    }
}
