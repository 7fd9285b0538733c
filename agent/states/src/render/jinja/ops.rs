//! Python's operators on values: arithmetic, comparison, membership, truth.

mod numbers;
mod slice;
mod sort;

use std::cmp::Ordering;

use minijinja::Error;
use minijinja::value::{Tuple, Value, ValueKind};

use super::ast::{Compare, Math};
use super::undefined;
use crate::render::markup;
use crate::render::python::{self, dict, fault, is_tuple, items, list, pairs, repr};

use numbers::numbers;
pub(super) use slice::slice;
pub(in crate::render) use sort::sort_by_key;

/// Bytes that one text may have.
pub(in crate::render) const TEXT_MAX: usize = 16 << 20;
/// Bytes of all texts of a list that a filter takes.
pub(super) const BULK_MAX: usize = 256 << 20;
/// Items that one list may have.
pub(in crate::render) const ITEMS_MAX: usize = 1_000_000;
/// Levels that a value may nest when it is compared.
const DEPTH_MAX: usize = 100;

/// A whole number, in the smallest form that holds it.
pub(in crate::render) fn int(number: i128) -> Value {
    i64::try_from(number).map_or_else(|_| Value::from(number), Value::from)
}

/// A number as Python sees it: a boolean counts.
#[derive(Clone, Copy)]
pub(crate) enum Number {
    Int(i128),
    Float(f64),
}

pub(crate) fn number(value: &Value) -> Option<Number> {
    match value.kind() {
        ValueKind::Bool => Some(Number::Int(i128::from(value.is_true()))),
        ValueKind::Number if value.is_integer() => {
            i128::try_from(value.clone()).ok().map(Number::Int)
        }
        ValueKind::Number => f64::try_from(value.clone()).ok().map(Number::Float),
        _ => None,
    }
}

impl Number {
    #[allow(clippy::cast_precision_loss, reason = "Python's float() rounds as well")]
    pub(in crate::render) fn as_float(self) -> f64 {
        match self {
            Number::Int(number) => number as f64,
            Number::Float(number) => number,
        }
    }
}

/// A text; bytes are none.
fn str_of(value: &Value) -> Option<&str> {
    value.as_str().filter(|_| value.kind() == ValueKind::String)
}

/// Python's `+`.
pub(in crate::render) fn add_values(left: &Value, right: &Value) -> Result<Value, Error> {
    math(Math::Add, left, right)
}

/// The name of a value's type in Python.
pub(crate) fn type_name(value: &Value) -> &'static str {
    match value.kind() {
        ValueKind::Undefined => "Undefined",
        ValueKind::None => "NoneType",
        ValueKind::Bool => "bool",
        ValueKind::Number if value.is_integer() => "int",
        ValueKind::Number => "float",
        ValueKind::String if value.is_safe() => "Markup",
        ValueKind::String => "str",
        ValueKind::Bytes => "bytes",
        ValueKind::Seq if is_tuple(value) => "tuple",
        ValueKind::Iterable => python::view_name(value).unwrap_or("list"),
        ValueKind::Seq => "list",
        ValueKind::Map if python::is_ordered(value) => "collections.OrderedDict",
        ValueKind::Map if python::identity(value).is_some() || value.is_kwargs() => "dict",
        ValueKind::Map => "salt.utils.templates.AliasedLoader",
        ValueKind::Plain | ValueKind::Invalid if undefined::is(value) => "Undefined",
        _ => super::objects::type_name(value),
    }
}

/// Whether Python holds a value for true.
pub(super) fn truth(value: &Value) -> Result<bool, Error> {
    undefined::refuse(value)?;
    Ok(match value.kind() {
        ValueKind::Plain => !undefined::is(value),
        ValueKind::Iterable => {
            python::view_name(value).is_none_or(|name| name == "generator")
                || value.len().is_none_or(|len| len > 0)
        }
        ValueKind::Seq | ValueKind::Map => value.len().is_none_or(|len| len > 0),
        _ => value.is_true(),
    })
}

pub(in crate::render) fn is_list(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable)
}

pub(in crate::render) fn too_large() -> Error {
    fault("the value is too large")
}

pub(super) fn math(op: Math, left: &Value, right: &Value) -> Result<Value, Error> {
    undefined::refuse(left)?;
    undefined::refuse(right)?;
    if op == Math::Rem && left.kind() == ValueKind::String {
        let values = if left.is_safe() { markup::values(right) } else { right.clone() };
        let out = super::format::percent(left.as_str().unwrap_or_default(), &values)?;
        return Ok(markup::like(left, out));
    }
    if let (Some(a), Some(b)) = (number(left), number(right)) {
        return numbers(op, a, b);
    }
    match op {
        Math::Add => add(left, right),
        Math::Mul => match (number(left), number(right)) {
            (Some(Number::Int(times)), None) if repeats(right) => repeat(right, times),
            (None, Some(Number::Int(times))) if repeats(left) => repeat(left, times),
            _ if repeats(left) => Err(no_times(right)),
            _ if repeats(right) => Err(no_times(left)),
            _ => Err(unsupported("*", left, right)),
        },
        Math::Sub => Err(unsupported("-", left, right)),
        Math::Div => Err(unsupported("/", left, right)),
        Math::FloorDiv => Err(unsupported("//", left, right)),
        Math::Rem => Err(unsupported("%", left, right)),
        Math::Pow => Err(unsupported("** or pow()", left, right)),
    }
}

fn unsupported(op: &str, left: &Value, right: &Value) -> Error {
    let (left, right) = (type_name(left), type_name(right));
    fault(format!("unsupported operand type(s) for {op}: '{left}' and '{right}'"))
}

fn add(left: &Value, right: &Value) -> Result<Value, Error> {
    if let (ValueKind::Bytes, ValueKind::Bytes) = (left.kind(), right.kind()) {
        let parts = [left, right].map(|part| part.as_bytes().unwrap_or_default());
        let fits = parts.iter().map(|part| part.len()).sum::<usize>() <= TEXT_MAX;
        return if fits { Ok(Value::from_bytes(parts.concat())) } else { Err(too_large()) };
    }
    if let (Some(a), Some(b)) = (str_of(left), str_of(right)) {
        if a.len() + b.len() > TEXT_MAX {
            return Err(too_large());
        }
        return Ok(match markup::sum(left, right) {
            Some(sum) if sum.len() > TEXT_MAX => return Err(too_large()),
            Some(sum) => markup::of(sum),
            None => Value::from([a, b].concat()),
        });
    }
    let listed = |value| matches!(type_name(value), "list" | "tuple");
    if listed(left) && listed(right) && is_tuple(left) == is_tuple(right) {
        let all = [items(left), items(right)].concat();
        if all.len() > ITEMS_MAX {
            return Err(too_large());
        }
        return Ok(if is_tuple(left) { tuple(all)? } else { list(all) });
    }
    let (a, b) = (type_name(left), type_name(right));
    Err(match a {
        "str" | "list" | "tuple" => fault(format!("can only concatenate {a} (not \"{b}\") to {a}")),
        "bytes" => fault(format!("can't concat {b} to bytes")),
        _ => unsupported("+", left, right),
    })
}

/// Whether Python repeats a value when it is multiplied.
fn repeats(value: &Value) -> bool {
    matches!(type_name(value), "str" | "Markup" | "list" | "tuple" | "bytes")
}

fn no_times(by: &Value) -> Error {
    fault(format!("can't multiply sequence by non-int of type '{}'", type_name(by)))
}

fn repeat(value: &Value, times: i128) -> Result<Value, Error> {
    let times = usize::try_from(times.max(0)).map_err(|_| too_large())?;
    let fits = |len: usize, max: usize| len.checked_mul(times).is_some_and(|len| len <= max);
    if let ValueKind::Bytes = value.kind() {
        let own = value.as_bytes().unwrap_or_default();
        return if fits(own.len(), TEXT_MAX) {
            Ok(Value::from_bytes(own.repeat(times)))
        } else {
            Err(too_large())
        };
    }
    if let Some(text) = value.as_str() {
        return if fits(text.len(), TEXT_MAX) {
            Ok(markup::like(value, text.repeat(times)))
        } else {
            Err(too_large())
        };
    }
    let all = items(value);
    if !fits(all.len(), ITEMS_MAX) {
        return Err(too_large());
    }
    let all: Vec<_> = std::iter::repeat_n(all, times).flatten().collect();
    if is_tuple(value) { tuple(all) } else { Ok(list(all)) }
}

/// A tuple; nested ones only so deep that dropping them needs little stack.
pub(in crate::render) fn tuple(all: Vec<Value>) -> Result<Value, Error> {
    fn depth(value: &Value, left: usize) -> usize {
        if left == 0 || !is_tuple(value) {
            return 0;
        }
        1 + items(value).iter().map(|item| depth(item, left - 1)).max().unwrap_or(0)
    }
    if all.iter().any(|item| depth(item, DEPTH_MAX) >= DEPTH_MAX) {
        return Err(fault("tuples nest too deep"));
    }
    Ok(Tuple::from(all).into())
}

pub(super) fn negate(value: &Value, minus: bool) -> Result<Value, Error> {
    undefined::refuse(value)?;
    match number(value) {
        Some(Number::Int(number)) if minus => number.checked_neg().map(int).ok_or_else(too_large),
        Some(Number::Int(number)) => Ok(int(number)),
        Some(Number::Float(number)) => Ok(Value::from(if minus { -number } else { number })),
        None => {
            let sign = if minus { '-' } else { '+' };
            let kind = type_name(value);
            Err(fault(format!("bad operand type for unary {sign}: '{kind}'")))
        }
    }
}

pub(super) fn compare(op: Compare, left: &Value, right: &Value) -> Result<bool, Error> {
    match op {
        Compare::Eq => equal(left, right),
        Compare::Ne => equal(left, right).map(|same| !same),
        Compare::In => contains(right, left),
        Compare::NotIn => contains(right, left).map(|found| !found),
        Compare::Lt => order(left, right, "<").map(|found| found == Some(Ordering::Less)),
        Compare::Gt => order(left, right, ">").map(|found| found == Some(Ordering::Greater)),
        Compare::Le => order(left, right, "<=")
            .map(|found| matches!(found, Some(Ordering::Less | Ordering::Equal))),
        Compare::Ge => order(left, right, ">=")
            .map(|found| matches!(found, Some(Ordering::Greater | Ordering::Equal))),
    }
}

/// Python's `==`.
pub(in crate::render) fn equal(left: &Value, right: &Value) -> Result<bool, Error> {
    undefined::refuse(left)?;
    undefined::refuse(right)?;
    same(left, right, 0)
}

fn same(left: &Value, right: &Value, depth: usize) -> Result<bool, Error> {
    if depth > DEPTH_MAX {
        return Err(fault("the values nest too deep to be compared"));
    }
    // As in Python, what is the same object is equal: containers may hold one another many times.
    let own = python::identity(left);
    if own.is_some() && own == python::identity(right) {
        return Ok(true);
    }
    if let (Some(a), Some(b)) = (number(left), number(right)) {
        return Ok(numeric_order(a, b) == Some(Ordering::Equal));
    }
    match (left.kind(), right.kind()) {
        (ValueKind::Map, ValueKind::Map) => {
            if left.len() != right.len() {
                return Ok(false);
            }
            // Two of which both keep an order must have the same one.
            if python::is_ordered(left)
                && python::is_ordered(right)
                && pairs(left).iter().zip(pairs(right)).any(|(a, b)| a.0 != b.0)
            {
                return Ok(false);
            }
            for (key, item) in pairs(left) {
                match right.get_item(&key) {
                    Ok(other) if !other.is_undefined() => {
                        if !same(&item, &other, depth + 1)? {
                            return Ok(false);
                        }
                    }
                    Ok(_) | Err(_) => return Ok(false),
                }
            }
            Ok(true)
        }
        _ if is_list(left) && is_list(right) => {
            if type_name(left) != type_name(right) {
                return Ok(false);
            }
            let (a, b) = (items(left), items(right));
            if a.len() != b.len() {
                return Ok(false);
            }
            for (a, b) in a.iter().zip(&b) {
                if !same(a, b, depth + 1)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        (a, b) if a == b => Ok(left == right),
        _ => Ok(false),
    }
}

fn numeric_order(a: Number, b: Number) -> Option<Ordering> {
    match (a, b) {
        (Number::Int(a), Number::Int(b)) => Some(a.cmp(&b)),
        _ => a.as_float().partial_cmp(&b.as_float()),
    }
}

/// Python's order; an error for types that have none.
pub(in crate::render) fn order(
    left: &Value,
    right: &Value,
    op: &str,
) -> Result<Option<Ordering>, Error> {
    undefined::refuse(left)?;
    undefined::refuse(right)?;
    ordered(left, right, op, 0)
}

fn ordered(left: &Value, right: &Value, op: &str, depth: usize) -> Result<Option<Ordering>, Error> {
    if let (Some(a), Some(b)) = (number(left), number(right)) {
        return Ok(numeric_order(a, b));
    }
    if let (Some(a), Some(b)) = (str_of(left), str_of(right)) {
        return Ok(Some(a.cmp(b)));
    }
    if let (ValueKind::Bytes, ValueKind::Bytes) = (left.kind(), right.kind()) {
        return Ok(Some(left.as_bytes().cmp(&right.as_bytes())));
    }
    let lists = is_list(left) && is_list(right) && is_tuple(left) == is_tuple(right);
    if !lists || depth > DEPTH_MAX {
        let (a, b) = (type_name(left), type_name(right));
        return Err(fault(format!("'{op}' not supported between instances of '{a}' and '{b}'")));
    }
    let (a, b) = (items(left), items(right));
    for (a, b) in a.iter().zip(&b) {
        if !same(a, b, depth + 1)? {
            return ordered(a, b, op, depth + 1);
        }
    }
    Ok(Some(a.len().cmp(&b.len())))
}

/// Python's `in`.
pub(in crate::render) fn contains(all: &Value, item: &Value) -> Result<bool, Error> {
    undefined::refuse(all)?;
    // With what an empty list holds, nothing is compared.
    if !(is_list(all) && items(all).is_empty()) {
        undefined::refuse(item)?;
    }
    if let (ValueKind::Bytes, Some(own)) = (all.kind(), all.as_bytes()) {
        return in_bytes(own, item);
    }
    if let Some(text) = all.as_str() {
        return match str_of(item) {
            Some(part) => Ok(text.contains(part)),
            None => Err(fault(format!(
                "'in <string>' requires string as left operand, not {}",
                type_name(item)
            ))),
        };
    }
    match all.kind() {
        ValueKind::Map => {
            hashable(item)?;
            Ok(all.get_item(item).is_ok_and(|found| !found.is_undefined()))
        }
        _ if is_list(all) => {
            for own in items(all) {
                if !undefined::is(&own) && same(&own, item, 0)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        _ => Err(fault(format!("argument of type '{}' is not iterable", type_name(all)))),
    }
}

fn in_bytes(own: &[u8], item: &Value) -> Result<bool, Error> {
    match (number(item), item.as_bytes().filter(|_| item.kind() == ValueKind::Bytes)) {
        (_, Some(part)) => Ok(memchr::memmem::find(own, part).is_some()),
        (Some(Number::Int(byte)), None) => match u8::try_from(byte) {
            Ok(byte) => Ok(own.contains(&byte)),
            Err(_) => Err(fault("byte must be in range(0, 256)")),
        },
        _ => {
            let kind = type_name(item);
            Err(fault(format!("a bytes-like object is required, not '{kind}'")))
        }
    }
}

/// Python's keys: what does not change.
pub(in crate::render) fn hashable(key: &Value) -> Result<(), Error> {
    match key.kind() {
        ValueKind::Map => Err(fault(format!("unhashable type: '{}'", type_name(key)))),
        ValueKind::Seq | ValueKind::Iterable if is_tuple(key) => {
            items(key).iter().try_for_each(hashable)
        }
        ValueKind::Seq | ValueKind::Iterable => Err(fault("unhashable type: 'list'")),
        _ => undefined::refuse(key),
    }
}

/// A dict of pairs, its keys checked.
pub(in crate::render) fn dict_of(
    all: impl IntoIterator<Item = (Value, Value)>,
) -> Result<Value, Error> {
    let mut map = indexmap::IndexMap::new();
    for (key, item) in all {
        hashable(&key)?;
        map.insert(key, item);
    }
    Ok(dict(map))
}

/// What a loop goes over: items, a map's keys, a text's characters.
pub(crate) fn iterate(value: &Value) -> Result<Vec<Value>, Error> {
    undefined::refuse(value)?;
    if let Some(text) = value.as_str() {
        return Ok(text.chars().map(|c| Value::from(c.to_string())).collect());
    }
    if undefined::is_lenient(value) {
        return Ok(Vec::new());
    }
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable | ValueKind::Map => Ok(items(value)),
        _ => Err(fault(format!("'{}' object is not iterable", type_name(value)))),
    }
}

/// What is assigned to several names.
pub(super) fn unpack(value: &Value) -> Result<Vec<Value>, Error> {
    iterate(value).map_err(|error| {
        let kind = type_name(value);
        let words = format!("cannot unpack non-iterable {kind} object");
        if undefined::is(value) { error } else { fault(words) }
    })
}

/// `KeyError: 'x'` and the like.
pub(in crate::render) fn key_error(key: &Value) -> Error {
    fault(repr(key))
}
