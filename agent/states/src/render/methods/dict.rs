//! Methods of Python's dict.

use minijinja::Error;
use minijinja::value::{Value, ValueKind};

use super::unknown;
use crate::render::jinja::args::Args;
use crate::render::jinja::{copied, ops};
use crate::render::python::{PyDict, fault, is_ordered, items, pairs, refuse_circle, repr, view};

pub(super) const NAMES: [&str; 12] = [
    "get",
    "items",
    "keys",
    "values",
    "update",
    "pop",
    "popitem",
    "setdefault",
    "copy",
    "clear",
    "fromkeys",
    "move_to_end",
];

/// Whether a map is data, not a table of functions.
pub(super) fn is_dict(of: &Value) -> bool {
    of.downcast_object_ref::<PyDict>().is_some() || of.is_kwargs()
}

/// The methods that change nothing.
fn read(of: &Value, method: &str, args: &Args) -> Option<Result<Value, Error>> {
    let view_of = |what: &str| match (is_ordered(of), what) {
        (true, "items") => "odict_items",
        (true, "keys") => "odict_keys",
        (true, _) => "odict_values",
        (false, "items") => "dict_items",
        (false, "keys") => "dict_keys",
        (false, _) => "dict_values",
    };
    Some(match method {
        "get" => get(of, args),
        "items" => {
            let pair = |(key, item): (Value, Value)| Value::from((key, item));
            Ok(view(view_of("items"), pairs(of).into_iter().map(pair).collect()))
        }
        "keys" => Ok(view(view_of("keys"), items(of))),
        "values" => {
            Ok(view(view_of("values"), pairs(of).into_iter().map(|(_, item)| item).collect()))
        }
        "copy" => Ok(copied(of)),
        "fromkeys" => from_keys(args),
        _ => return None,
    })
}

fn get(of: &Value, args: &Args) -> Result<Value, Error> {
    let key = args.must(0, "key")?;
    ops::hashable(&key)?;
    let found = of.get_item(&key).ok().filter(|found| !found.is_undefined());
    let default = || args.get(1, "default").unwrap_or_else(|| Value::from(()));
    Ok(found.unwrap_or_else(default))
}

fn from_keys(args: &Args) -> Result<Value, Error> {
    let value = args.get(1, "value").unwrap_or_else(|| Value::from(()));
    let keys = ops::iterate(&args.must(0, "iterable")?)?;
    ops::dict_of(keys.into_iter().map(|key| (key, value.clone())))
}

pub(super) fn call(of: &Value, method: &str, args: &Args) -> Result<Value, Error> {
    if let Some(found) = read(of, method, args) {
        return found;
    }
    let none = || Value::from(());
    let pair = |(key, item): (Value, Value)| Value::from((key, item));
    let Some(own) = of.downcast_object_ref::<PyDict>() else { return Err(unknown(of, method)) };
    match method {
        "update" => {
            let mut more = match args.plain.first() {
                Some(first) => update_pairs(first)?,
                None => Vec::new(),
            };
            more.extend(args.named.iter().map(|(k, v)| (Value::from(&**k), v.clone())));
            for (key, item) in &more {
                ops::hashable(key)?;
                refuse_circle(of, item)?;
            }
            room(own, more.len())?;
            own.write().extend(more);
        }
        "pop" => {
            let key = args.must(0, "key")?;
            ops::hashable(&key)?;
            let found = own.write().shift_remove(&key);
            let found = found.or_else(|| args.get(1, "default"));
            return found.ok_or_else(|| fault(repr(&key)));
        }
        "popitem" => {
            let last = own.write().pop();
            return last.map(pair).ok_or_else(|| fault("'popitem(): dictionary is empty'"));
        }
        "setdefault" => {
            let (key, item) = (args.must(0, "key")?, args.get(1, "default").unwrap_or_else(none));
            ops::hashable(&key)?;
            refuse_circle(of, &item)?;
            room(own, 1)?;
            return Ok(own.write().entry(key).or_insert(item).clone());
        }
        "move_to_end" => {
            let key = args.must(0, "key")?;
            let mut own = own.write();
            let item = own.shift_remove(&key).ok_or_else(|| fault(repr(&key)))?;
            if args.flag(1, "last", true) {
                own.insert(key, item);
            } else {
                own.shift_insert(0, key, item);
            }
        }
        "clear" => {
            let old = std::mem::take(&mut *own.write());
            drop(old);
        }
        _ => return Err(unknown(of, method)),
    }
    Ok(none())
}

fn room(own: &PyDict, more: usize) -> Result<(), Error> {
    let fits = own.read().len() + more <= ops::ITEMS_MAX;
    if fits { Ok(()) } else { Err(fault("the dict is too large")) }
}

/// What `dict.update` takes: a map, or pairs.
pub(in crate::render) fn update_pairs(value: &Value) -> Result<Vec<(Value, Value)>, Error> {
    if value.kind() == ValueKind::Map {
        return Ok(pairs(value));
    }
    let unlike = |at: usize| {
        let words = "cannot convert dictionary update sequence element";
        fault(format!("{words} #{at} to a sequence"))
    };
    let pair = |(at, item): (usize, Value)| match ops::iterate(&item) {
        Err(_) => Err(unlike(at)),
        Ok(pair) if pair.len() == 2 => Ok((pair[0].clone(), pair[1].clone())),
        Ok(other) => Err(fault(format!(
            "dictionary update sequence element #{at} has length {}; 2 is required",
            other.len()
        ))),
    };
    ops::iterate(value)?.into_iter().enumerate().map(pair).collect()
}
