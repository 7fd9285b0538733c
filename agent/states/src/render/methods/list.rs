//! Methods of Python's list and tuple.

use minijinja::Error;
use minijinja::value::Value;

use super::unknown;
use crate::render::jinja::args::Args;
use crate::render::jinja::ops;
use crate::render::python::{PyList, fault, is_tuple, items, list, refuse_circle, repr};

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
            let item = args.plain.first().cloned().unwrap_or_default();
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
            let item = args.plain.get(1).cloned().unwrap_or_default();
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
            if !args.plain.is_empty() {
                return Err(fault("sort() takes no positional arguments"));
            }
            let reverse = args.named("reverse").is_some_and(|flag| flag.is_true());
            if args.named("key").is_some_and(|key| !key.is_none()) {
                return Err(fault("list.sort() with a key is not supported: use the filter sort"));
            }
            let mut all = items(of);
            // Python turns the list over before and after, so that equal items keep their order.
            if reverse {
                all.reverse();
            }
            ops::sort_by_key(&mut all, |item| item)?;
            if reverse {
                all.reverse();
            }
            *own.write() = all;
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
    let (all, len) = (items(of), of.len().unwrap_or(0));
    let bound = |at, usual: usize| -> Result<usize, Error> {
        let (usual, len) = (i64::try_from(usual).unwrap_or(0), i64::try_from(len).unwrap_or(0));
        let found = args.int(at, "", usual)?;
        let found = if found < 0 { (found + len).max(0) } else { found.min(len) };
        Ok(usize::try_from(found).unwrap_or(0))
    };
    let (start, stop) = (bound(1, 0)?, bound(2, len)?);
    match position(all.get(start..stop).unwrap_or_default(), &wanted)? {
        Some(at) => Ok(Value::from(start + at)),
        None if is_tuple(of) => Err(fault("tuple.index(x): x not in tuple")),
        None => Err(fault(format!("{} is not in list", repr(&wanted)))),
    }
}
