//! Python's slices.

use minijinja::Error;
use minijinja::value::{Value, ValueKind};

use super::{Number, is_list, number, tuple, type_name};
use crate::render::jinja::undefined;
use crate::render::markup;
use crate::render::python::{self, fault, is_tuple, items, list};

/// `value[start:stop:step]`.
pub(in crate::render::jinja) fn slice(
    value: &Value,
    parts: [Option<Value>; 3],
) -> Result<Value, Error> {
    undefined::refuse(value)?;
    let is_view = matches!(python::view_name(value), Some(name) if name != "range");
    if is_view || (value.as_bytes().is_none() && !is_list(value)) {
        return Err(fault(format!("'{}' object is not subscriptable", type_name(value))));
    }
    let mut bounds = [None; 3];
    for (bound, part) in bounds.iter_mut().zip(parts.iter()) {
        *bound = match part {
            None => None,
            Some(part) if part.is_none() => None,
            Some(part) => match number(part) {
                Some(Number::Int(at)) => {
                    let end = if at < 0 { i64::MIN } else { i64::MAX };
                    Some(i64::try_from(at).unwrap_or(end))
                }
                Some(Number::Float(_)) | None => {
                    let words =
                        "slice indices must be integers or None or have an __index__ method";
                    return Err(fault(words));
                }
            },
        };
    }
    let [start, stop, step] = bounds;
    let step = step.unwrap_or(1);
    if step == 0 {
        return Err(fault("slice step cannot be zero"));
    }
    if let (ValueKind::Bytes, Some(own)) = (value.kind(), value.as_bytes()) {
        let picked = positions(own.len(), start, stop, step);
        return Ok(Value::from_bytes(picked.map(|at| own[at]).collect()));
    }
    if let Some(text) = value.as_str() {
        let chars: Vec<char> = text.chars().collect();
        let picked = positions(chars.len(), start, stop, step);
        return Ok(markup::like(value, picked.map(|at| chars[at]).collect::<String>()));
    }
    let all = items(value);
    let picked = positions(all.len(), start, stop, step).map(|at| all[at].clone()).collect();
    if let Some(own) = python::bounds(value) {
        let [first, _, by] = own;
        let (from, to) = ends(all.len(), start, stop, step);
        let place = |at: i64| first.saturating_add(at.saturating_mul(by));
        return Ok(python::range(picked, [place(from), place(to), by.saturating_mul(step)]));
    }
    if is_tuple(value) { tuple(picked) } else { Ok(list(picked)) }
}

/// Where a slice of so many items starts and ends.
fn ends(len: usize, start: Option<i64>, stop: Option<i64>, step: i64) -> (i64, i64) {
    let len = i64::try_from(len).unwrap_or(i64::MAX);
    let (low, high) = if step > 0 { (0, len) } else { (-1, len - 1) };
    let clamp = |at: i64| if at < 0 { at.saturating_add(len).max(low) } else { at.min(high) };
    let start = start.map_or(if step > 0 { low } else { high }, clamp);
    let stop = stop.map_or(if step > 0 { high } else { low }, clamp);
    (start, stop)
}

fn positions(
    len: usize,
    start: Option<i64>,
    stop: Option<i64>,
    step: i64,
) -> impl Iterator<Item = usize> {
    let (mut at, stop) = ends(len, start, stop, step);
    std::iter::from_fn(move || {
        let inside = if step > 0 { at < stop } else { at > stop };
        let found = inside.then(|| usize::try_from(at).ok()).flatten();
        at = at.saturating_add(step);
        found
    })
}
