//! Methods of Python's str, and of containers that minijinja itself made.

use minijinja::value::{Value, ValueKind};
use minijinja::{Error, State};

use super::python::{deep, fault, items, list};

/// Called for a method that the value itself does not have.
pub(super) fn call(
    state: &mut State<'_, '_>,
    value: &Value,
    method: &str,
    args: &[Value],
) -> Result<Value, Error> {
    if let Some(text) = value.as_str()
        && let Some(result) = on_text(text, method, args)
    {
        return result;
    }
    let first = args.first().cloned().unwrap_or_default();
    match (value.kind(), method) {
        (ValueKind::Map, "iteritems") => call(state, value, "items", args),
        (ValueKind::Map | ValueKind::Seq | ValueKind::Iterable, "copy") => Ok(deep(value)),
        (ValueKind::Map, "has_key") => Ok(Value::from(items(value).contains(&first))),
        (ValueKind::Seq | ValueKind::Iterable, "index") => {
            let at = items(value).iter().position(|item| *item == first);
            at.map(Value::from).ok_or_else(|| fault("the item is not in the list"))
        }
        _ => minijinja_contrib::pycompat::unknown_method_callback(state, value, method, args),
    }
}

fn on_text(text: &str, method: &str, args: &[Value]) -> Option<Result<Value, Error>> {
    let word = |at: usize| args.get(at).and_then(Value::as_str);
    let width = || args.first().and_then(Value::as_usize).unwrap_or_default();
    let fill = || word(1).and_then(|fill| fill.chars().next()).unwrap_or(' ');
    Some(Ok(match method {
        "split" | "rsplit" => split(text, method, args),
        "partition" | "rpartition" => partition(text, method, word(0).unwrap_or(" ")),
        "zfill" => Value::from(zfill(text, width())),
        "ljust" => Value::from(padded(text, width(), fill(), true)),
        "rjust" => Value::from(padded(text, width(), fill(), false)),
        "encode" | "decode" => Value::from(text),
        "splitlines" => list(text.lines().map(Value::from).collect()),
        _ => return None,
    }))
}

fn split(text: &str, method: &str, args: &[Value]) -> Value {
    let limit = args.get(1).and_then(Value::as_i64).and_then(|limit| usize::try_from(limit).ok());
    let by = args.first().and_then(Value::as_str);
    let parts: Vec<&str> = match (by, limit) {
        (Some(by), None) => text.split(by).collect(),
        (Some(by), Some(limit)) if method == "split" => text.splitn(limit + 1, by).collect(),
        (Some(by), Some(limit)) => {
            let mut parts: Vec<_> = text.rsplitn(limit + 1, by).collect();
            parts.reverse();
            parts
        }
        (None, _) => text.split_whitespace().collect(),
    };
    list(parts.into_iter().map(Value::from).collect())
}

fn partition(text: &str, method: &str, by: &str) -> Value {
    let first = method == "partition";
    let at = if first { text.find(by) } else { text.rfind(by) };
    let (before, middle, after) = match at {
        Some(at) => (&text[..at], by, &text[at + by.len()..]),
        None if first => (text, "", ""),
        None => ("", "", text),
    };
    Value::from((Value::from(before), Value::from(middle), Value::from(after)))
}

fn zfill(text: &str, width: usize) -> String {
    let (sign, digits) = match text.strip_prefix(['-', '+']) {
        Some(digits) => (&text[..1], digits),
        None => ("", text),
    };
    let width = width.saturating_sub(sign.len());
    format!("{sign}{digits:0>width$}")
}

fn padded(text: &str, width: usize, fill: char, left: bool) -> String {
    let missing = width.saturating_sub(text.chars().count());
    let pad = String::from_iter(std::iter::repeat_n(fill, missing));
    if left { format!("{text}{pad}") } else { format!("{pad}{text}") }
}
