//! Tests: `is defined`, `is string`, `is match(..)`.

use minijinja::Error;
use minijinja::value::{Value, ValueKind};

use crate::regex::python_regex;
use crate::render::jinja::args::Args;
use crate::render::jinja::{ops, undefined};
use crate::render::python::{fault, identity};

type Test = fn(&Value, &Args) -> Result<bool, Error>;

/// The test of a name.
pub(in crate::render) fn find(name: &str) -> Option<Test> {
    Some(match name {
        "defined" => |value, _| Ok(!undefined::is(value)),
        "undefined" => |value, _| Ok(undefined::is(value)),
        "none" => |value, _| Ok(value.is_none()),
        "boolean" => |value, _| Ok(value.kind() == ValueKind::Bool),
        "true" => |value, _| Ok(value.kind() == ValueKind::Bool && value.is_true()),
        "false" => |value, _| Ok(value.kind() == ValueKind::Bool && !value.is_true()),
        "integer" => |value, _| Ok(ops::type_name(value) == "int"),
        "float" => |value, _| Ok(ops::type_name(value) == "float"),
        "number" => |value, _| Ok(ops::number(value).is_some()),
        "string" => |value, _| Ok(value.as_str().is_some()),
        "mapping" => |value, _| Ok(value.kind() == ValueKind::Map),
        "list" => |value, _| Ok(ops::type_name(value) == "list"),
        "sequence" => |value, _| Ok(is_container(value)),
        "iterable" => |value, _| {
            undefined::refuse(value)?;
            Ok(is_container(value))
        },
        "callable" => |value, _| Ok(value.kind() == ValueKind::Plain),
        "escaped" => |value, _| Ok(value.is_safe()),
        "filter" => |value, _| Ok(value.as_str().is_some_and(super::has)),
        "test" => |value, _| Ok(value.as_str().is_some_and(|name| find(name).is_some())),
        "odd" => |value, _| Ok(whole(value)?.is_some_and(|number| number.rem_euclid(2) == 1)),
        "even" => |value, _| Ok(whole(value)?.is_some_and(|number| number.rem_euclid(2) == 0)),
        "divisibleby" => |value, args| {
            let by = whole(&args.must(0, "num")?)?;
            if by == Some(0) {
                return Err(fault("integer modulo by zero"));
            }
            Ok(whole(value)?
                .zip(by)
                .is_some_and(|(number, by)| number.checked_rem(by).is_none_or(|rest| rest == 0)))
        },
        "lower" => |value, _| {
            undefined::refuse(value)?;
            let text = crate::render::python::text(value);
            Ok(text.chars().any(char::is_lowercase) && !text.chars().any(char::is_uppercase))
        },
        "upper" => |value, _| {
            undefined::refuse(value)?;
            let text = crate::render::python::text(value);
            Ok(text.chars().any(char::is_uppercase) && !text.chars().any(char::is_lowercase))
        },
        "sameas" => |value, args| {
            let other = args.must(0, "other")?;
            let kind = ops::type_name(value) == ops::type_name(&other);
            Ok(kind && same_object(value, &other))
        },
        "in" => |value, args| ops::contains(&args.must(0, "seq")?, value),
        "eq" | "equalto" | "==" => |value, args| ops::equal(value, &args.must(0, "other")?),
        "ne" | "!=" => |value, args| ops::equal(value, &args.must(0, "other")?).map(|same| !same),
        "gt" | "greaterthan" | ">" => |value, args| ordered(value, args, ">", |o| o.is_gt()),
        "ge" | ">=" => |value, args| ordered(value, args, ">=", |o| o.is_ge()),
        "lt" | "lessthan" | "<" => |value, args| ordered(value, args, "<", |o| o.is_lt()),
        "le" | "<=" => |value, args| ordered(value, args, "<=", |o| o.is_le()),
        "match" => |value, args| {
            undefined::refuse(value)?;
            let Some(text) = value.as_str() else {
                let kind = ops::type_name(value);
                return Err(fault(format!("expected string or bytes-like object, got '{kind}'")));
            };
            let pattern = args.text(0, "rgx")?;
            let (fold, lines) =
                (args.flag(1, "ignorecase", false), args.flag(2, "multiline", false));
            let found = python_regex(&pattern, fold, lines, false);
            Ok(found.map_err(|error| fault(error.to_string()))?.matches_start(text))
        },
        _ => return None,
    })
}

fn is_container(value: &Value) -> bool {
    matches!(
        value.kind(),
        ValueKind::String
            | ValueKind::Bytes
            | ValueKind::Seq
            | ValueKind::Iterable
            | ValueKind::Map
    )
}

/// A number without a fraction; `None` is one with.
fn whole(value: &Value) -> Result<Option<i128>, Error> {
    undefined::refuse(value)?;
    match ops::number(value) {
        Some(ops::Number::Int(number)) => Ok(Some(number)),
        Some(ops::Number::Float(number)) if number.fract() == 0.0 && number.abs() < 1e15 =>
        {
            #[allow(clippy::cast_possible_truncation, reason = "a whole number of this size fits")]
            Ok(Some(number as i128))
        }
        Some(ops::Number::Float(_)) => Ok(None),
        None if value.as_str().is_some() => {
            Err(fault("not all arguments converted during string formatting"))
        }
        None => {
            let kind = ops::type_name(value);
            Err(fault(format!("unsupported operand type(s) for %: '{kind}' and 'int'")))
        }
    }
}

fn same_object(a: &Value, b: &Value) -> bool {
    match (identity(a), identity(b)) {
        (Some(a), Some(b)) => a == b,
        (None, None) => a == b,
        _ => false,
    }
}

fn ordered(
    value: &Value,
    args: &Args,
    op: &str,
    fits: fn(std::cmp::Ordering) -> bool,
) -> Result<bool, Error> {
    let found = ops::order(value, &args.must(0, "other")?, op)?;
    Ok(found.is_some_and(fits))
}
