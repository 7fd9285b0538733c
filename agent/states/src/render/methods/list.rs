//! Methods of Python's list and tuple.

use minijinja::Error;
use minijinja::value::Value;

use super::unknown;
use crate::render::jinja::args::Args;
use crate::render::jinja::ops;
use crate::render::python::{PyList, fault, items, list, refuse_circle, repr};

pub(super) const NAMES: [&str; 11] = [
    "append", "extend", "insert", "pop", "remove", "index", "count", "sort", "reverse", "clear",
    "copy",
];

pub(super) fn call(of: &Value, method: &str, args: &Args) -> Result<Value, Error> {
    match method {
        "index" => return index(of, args),
        "count" => {
            let wanted = args.must(0, "value")?;
            let mut count = 0;
            for item in items(of) {
                count += usize::from(ops::equal(&item, &wanted)?);
            }
            return Ok(Value::from(count));
        }
        "copy" => return Ok(list(items(of))),
        _ => {}
    }
    let Some(own) = of.downcast_object_ref::<PyList>() else {
        return Err(unknown(of, method));
    };
    match method {
        "append" => {
            let item = first(args)?;
            refuse_circle(of, &item)?;
            room(own, 1)?;
            own.write().push(item);
        }
        "extend" => {
            let more = ops::iterate(&args.must(0, "iterable")?)?;
            more.iter().try_for_each(|item| refuse_circle(of, item))?;
            room(own, more.len())?;
            own.write().extend(more);
        }
        "insert" => {
            let item = args.get(1, "object");
            let item = item.ok_or_else(|| fault("insert expected 2 arguments, got 1"))?;
            refuse_circle(of, &item)?;
            room(own, 1)?;
            insert(own, args.int(0, "index", 0)?, item);
        }
        "pop" => return pop(own, args.int(0, "index", -1)?),
        "remove" => {
            let wanted = args.must(0, "value")?;
            let at = position(&items(of), &wanted)?;
            let at = at.ok_or_else(|| fault("list.remove(x): x not in list"))?;
            own.write().remove(at);
        }
        "sort" => {
            let sorted = sorted(items(of))?;
            let mut own = own.write();
            *own = sorted;
            if args.flag(0, "reverse", false) {
                own.reverse();
            }
        }
        "reverse" => own.write().reverse(),
        "clear" => {
            let old = std::mem::take(&mut *own.write());
            drop(old);
        }
        _ => return Err(unknown(of, method)),
    }
    Ok(Value::from(()))
}

fn insert(own: &PyList, at: i64, item: Value) {
    let mut own = own.write();
    let len = i64::try_from(own.len()).unwrap_or(i64::MAX);
    let at = if at < 0 { at.saturating_add(len).max(0) } else { at.min(len) };
    own.insert(usize::try_from(at).unwrap_or(0), item);
}

fn pop(own: &PyList, at: i64) -> Result<Value, Error> {
    let mut own = own.write();
    if own.is_empty() {
        return Err(fault("pop from empty list"));
    }
    let len = i64::try_from(own.len()).unwrap_or(i64::MAX);
    let at = if at < 0 { at.saturating_add(len) } else { at };
    let at = usize::try_from(at).ok().filter(|at| *at < own.len());
    Ok(own.remove(at.ok_or_else(|| fault("pop index out of range"))?))
}

fn first(args: &Args) -> Result<Value, Error> {
    let found = args.plain.first().cloned();
    found.ok_or_else(|| fault("list.append() takes exactly one argument (0 given)"))
}

fn room(own: &PyList, more: usize) -> Result<(), Error> {
    let fits = own.read().len() + more <= ops::ITEMS_MAX;
    if fits { Ok(()) } else { Err(fault("the list is too large")) }
}

fn position(all: &[Value], wanted: &Value) -> Result<Option<usize>, Error> {
    for (at, item) in all.iter().enumerate() {
        if ops::equal(item, wanted)? {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

fn index(of: &Value, args: &Args) -> Result<Value, Error> {
    let wanted = args.must(0, "value")?;
    let at = position(&items(of), &wanted)?;
    at.map(Value::from).ok_or_else(|| fault(format!("{} is not in list", repr(&wanted))))
}

/// Python's order; an error if two of them have none.
fn sorted(mut all: Vec<Value>) -> Result<Vec<Value>, Error> {
    let mut wrong = None;
    all.sort_by(|a, b| match ops::order(a, b, "<") {
        Ok(order) => order.unwrap_or(std::cmp::Ordering::Equal),
        Err(error) => {
            wrong = Some(error);
            std::cmp::Ordering::Equal
        }
    });
    wrong.map_or(Ok(all), Err)
}
