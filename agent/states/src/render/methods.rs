//! Methods of Python's str, bytes, list, tuple and dict, and of what Jinja itself makes.

mod arity;
mod bytes;
mod dict;
mod list;
mod number;
mod text;
mod translate;

use minijinja::Error;
use minijinja::value::{Value, ValueKind};

use super::jinja::args::Args;
use super::jinja::{objects, ops};
use super::markup;
use super::python::{bounds, fault, is_ordered, is_tuple};

pub(super) use bytes::escaped;
pub(super) use dict::update_pairs;
pub(super) use text::{capitalized, lines, replaced, strip_any};

/// Whether a value has a method of this name.
pub(super) fn has(of: &Value, method: &str) -> bool {
    match of.kind() {
        ValueKind::String => text::NAMES.contains(&method),
        ValueKind::Bytes => bytes::NAMES.contains(&method),
        ValueKind::Map if dict::is_dict(of) => {
            dict::NAMES.contains(&method) && (method != "move_to_end" || is_ordered(of))
        }
        ValueKind::Seq | ValueKind::Iterable if is_tuple(of) || bounds(of).is_some() => {
            ["index", "count"].contains(&method)
        }
        ValueKind::Seq => list::NAMES.contains(&method),
        ValueKind::Number | ValueKind::Bool => number::has(of, method),
        ValueKind::Plain => objects::has_method(of, method),
        _ => false,
    }
}

/// An attribute of a value of Python's that is neither a method nor an item.
pub(super) fn member(of: &Value, name: &str) -> Option<Value> {
    match of.kind() {
        ValueKind::Number | ValueKind::Bool => number::member(of, name),
        ValueKind::Iterable => range_member(of, name),
        _ => None,
    }
}

fn range_member(of: &Value, name: &str) -> Option<Value> {
    let at = ["start", "stop", "step"].iter().position(|own| *own == name)?;
    Some(Value::from(bounds(of)?[at]))
}

/// Calls a method that [`has`] knows.
pub(super) fn call(of: &Value, method: &str, args: &Args) -> Result<Value, Error> {
    arity::check(ops::type_name(of), method, args)?;
    match of.kind() {
        ValueKind::String if of.is_safe() => {
            let args = markup::arguments(method, args);
            text::call(of.as_str().unwrap_or_default(), method, &args).map(markup::marked)
        }
        ValueKind::String => text::call(of.as_str().unwrap_or_default(), method, args),
        ValueKind::Bytes => bytes::call(of.as_bytes().unwrap_or_default(), method, args),
        ValueKind::Map => dict::call(of, method, args),
        ValueKind::Seq | ValueKind::Iterable => list::call(of, method, args),
        ValueKind::Plain => objects::call_method(of, method, args),
        ValueKind::Number | ValueKind::Bool => number::call(of, method, args),
        _ => Err(unknown(of, method)),
    }
}

fn unknown(of: &Value, method: &str) -> Error {
    let kind = ops::type_name(of);
    fault(format!("'{kind}' object has no attribute '{method}'"))
}
