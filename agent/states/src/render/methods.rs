//! Methods of Python's str, bytes, list, tuple and dict, and of what Jinja itself makes.

mod dict;
mod list;
mod text;

use minijinja::Error;
use minijinja::value::{Value, ValueKind};

use super::jinja::args::Args;
use super::jinja::{objects, ops};
use super::python::{fault, is_tuple};

pub(super) use dict::update_pairs;
pub(super) use text::{capitalized, lines, replaced, strip_any};

/// Whether a value has a method of this name.
pub(super) fn has(of: &Value, method: &str) -> bool {
    match of.kind() {
        ValueKind::String => text::NAMES.contains(&method),
        ValueKind::Bytes => ["decode", "hex"].contains(&method),
        ValueKind::Map if dict::is_dict(of) => dict::NAMES.contains(&method),
        ValueKind::Seq | ValueKind::Iterable if is_tuple(of) => {
            ["index", "count"].contains(&method)
        }
        ValueKind::Seq => list::NAMES.contains(&method),
        ValueKind::Number => number_has(of, method),
        ValueKind::Plain => objects::has_method(of, method),
        _ => false,
    }
}

fn number_has(of: &Value, method: &str) -> bool {
    if of.is_integer() { method == "bit_length" } else { method == "is_integer" }
}

/// Calls a method that [`has`] knows.
pub(super) fn call(of: &Value, method: &str, args: &Args) -> Result<Value, Error> {
    match of.kind() {
        ValueKind::String => text::call(of.as_str().unwrap_or_default(), method, args),
        ValueKind::Bytes => {
            let bytes = of.as_bytes().unwrap_or_default();
            if method == "hex" {
                return Ok(Value::from(crate::hash::to_hex(bytes)));
            }
            let text = std::str::from_utf8(bytes);
            text.map(Value::from).map_err(|_| fault("'utf-8' codec can't decode the bytes"))
        }
        ValueKind::Map => dict::call(of, method, args),
        ValueKind::Seq | ValueKind::Iterable => list::call(of, method, args),
        ValueKind::Plain => objects::call_method(of, method, args),
        ValueKind::Number => match ops::number(of) {
            Some(ops::Number::Float(number)) => Ok(Value::from(number.fract() == 0.0)),
            Some(ops::Number::Int(number)) => {
                Ok(Value::from(128 - number.unsigned_abs().leading_zeros()))
            }
            None => Err(unknown(of, method)),
        },
        _ => Err(unknown(of, method)),
    }
}

fn unknown(of: &Value, method: &str) -> Error {
    let kind = ops::type_name(of);
    fault(format!("'{kind}' object has no attribute '{method}'"))
}
