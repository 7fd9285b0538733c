//! Salt's filters on dicts: set a value by its path, compare, entries; and JMESPath's plain part.

use minijinja::Error;
use minijinja::value::{Value, ValueKind};

use super::Filter;
use crate::render::jinja::args::Args;
use crate::render::jinja::{ops, undefined};
use crate::render::methods;
use crate::render::python::{dict, fault, is_tuple, items, list, pairs, refused, text};

pub(super) fn find(name: &str) -> Option<Filter> {
    Some(match name {
        "set_dict_key_value" => |value, args| changed(value, args, Change::Set),
        "update_dict_key_value" => |value, args| changed(value, args, Change::Update),
        "append_dict_key_value" => |value, args| changed(value, args, Change::Append),
        "extend_dict_key_value" => |value, args| changed(value, args, Change::Extend),
        "compare_dicts" => compare_dicts,
        "to_entries" => to_entries,
        "from_entries" => from_entries,
        "mysql_to_dict" => mysql_to_dict,
        _ => return None,
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Set,
    Update,
    Append,
    Extend,
}

fn set(of: &Value, key: &Value, value: Value) -> Result<(), Error> {
    let pair = list(vec![list(vec![key.clone(), value])]);
    methods::call(of, "update", &Args::of(vec![pair])).map(|_| ())
}

fn get(of: &Value, key: &Value) -> Option<Value> {
    of.get_item(key).ok().filter(|found| !found.is_undefined())
}

/// Changes the value at `a:b:c` in place, and makes the dicts on the way.
fn changed(value: &Value, args: &Args, change: Change) -> Result<Value, Error> {
    let path = args.text(0, "keys")?;
    let new = args.must(1, "value")?;
    let by = args.text_or(2, "delimiter", ":");
    let mut keys: Vec<Value> = if by.is_empty() {
        vec![Value::from(path)]
    } else {
        path.split(by.as_str()).map(Value::from).collect()
    };
    let Some(last) = keys.pop() else { return Err(fault("a path of keys is missing")) };
    let mut here = value.clone();
    for key in keys {
        let inner = match get(&here, &key) {
            Some(inner) if inner.kind() == ValueKind::Map => inner,
            _ => {
                let inner = dict(Default::default());
                set(&here, &key, inner.clone())?;
                inner
            }
        };
        here = inner;
    }
    if change == Change::Set {
        set(&here, &last, new)?;
        return Ok(value.clone());
    }
    let old = match get(&here, &last).filter(|old| !old.is_none()) {
        Some(old) => old,
        None => {
            let empty =
                if change == Change::Update { dict(Default::default()) } else { list(Vec::new()) };
            set(&here, &last, empty.clone())?;
            empty
        }
    };
    let (method, verb) = match change {
        Change::Update => ("update", "update"),
        Change::Append => ("append", "append"),
        Change::Extend | Change::Set => ("extend", "extend"),
    };
    let kind = ops::type_name(&old);
    if !methods::has(&old, method) {
        return Err(refused(format!(
            "The last key contains a <class '{kind}'>, which cannot {verb}."
        )));
    }
    let wrong = ops::type_name(&new);
    methods::call(&old, method, &Args::of(vec![new])).map_err(|_| {
        refused(format!("Cannot {verb} <class '{kind}'> with a <class '{wrong}'>."))
    })?;
    Ok(value.clone())
}

fn compare_dicts(old: &Value, args: &Args) -> Result<Value, Error> {
    let new = args.must(0, "new")?;
    let mut out = indexmap::IndexMap::new();
    let both = |old: Value, new: Value| {
        dict([(Value::from("old"), old), (Value::from("new"), new)].into_iter().collect())
    };
    for (key, value) in pairs(&new) {
        match get(old, &key) {
            None => {
                out.insert(key, both(Value::from(""), value));
            }
            Some(before) if !ops::equal(&before, &value)? => {
                out.insert(key, both(before, value));
            }
            Some(_) => {}
        }
    }
    for (key, value) in pairs(old) {
        if get(&new, &key).is_none() {
            let pair = [(Value::from("new"), Value::from("")), (Value::from("old"), value)];
            out.insert(key, dict(pair.into_iter().collect()));
        }
    }
    Ok(dict(out))
}

fn to_entries(value: &Value, _: &Args) -> Result<Value, Error> {
    let entry = |key: Value, value: Value| {
        dict([(Value::from("key"), key), (Value::from("value"), value)].into_iter().collect())
    };
    match value.kind() {
        ValueKind::Map => Ok(list(pairs(value).into_iter().map(|(k, v)| entry(k, v)).collect())),
        ValueKind::Seq | ValueKind::Iterable if !is_tuple(value) => {
            let all = items(value).into_iter().enumerate();
            Ok(list(all.map(|(at, item)| entry(Value::from(at), item)).collect()))
        }
        _ => Err(fault("Input data must be a dict or list")),
    }
}

fn from_entries(value: &Value, _: &Args) -> Result<Value, Error> {
    let mut out = Vec::new();
    for entry in ops::iterate(value)? {
        let find = |name: &str| {
            let same = |key: &Value| text(key).to_lowercase() == name;
            pairs(&entry).into_iter().find(|(key, _)| same(key)).map(|(_, value)| value)
        };
        let key = ["key", "name"].iter().find_map(|name| find(name).filter(Value::is_true));
        if let Some(key) = key {
            out.push((key, find("value").unwrap_or_else(|| Value::from(()))));
        }
    }
    ops::dict_of(out)
}

/// The rows of a table that mysql printed, by one of their columns.
fn mysql_to_dict(value: &Value, args: &Args) -> Result<Value, Error> {
    let by = args.must(0, "key")?;
    let mut headers: Vec<String> = Vec::new();
    let mut out = Vec::new();
    for line in ops::iterate(value)? {
        let line = text(&line);
        if line.is_empty() || line.starts_with('+') {
            continue;
        }
        let parts: Vec<String> = line.split('|').map(|part| part.trim().to_owned()).collect();
        if headers.len() <= 1 {
            headers = parts;
            continue;
        }
        let mut row = Vec::new();
        for (header, part) in headers.iter().zip(&parts).take(headers.len() - 1).skip(1) {
            let number = super::numbers::to_num(&Value::from(part.as_str()))?;
            row.push((Value::from(header.as_str()), number));
        }
        let row = ops::dict_of(row)?;
        let key = get(&row, &by).ok_or_else(|| ops::key_error(&by))?;
        out.push((key, row));
    }
    ops::dict_of(out)
}

/// JMESPath: names, indices, `[*]`, `[]`, `*` and `|`; other forms are refused.
pub(super) fn query(value: &Value, expr: &str) -> Result<Value, Error> {
    let mut here = value.clone();
    for part in expr.split('|') {
        here = path(&here, part.trim(), expr)?;
    }
    Ok(here)
}

fn path(value: &Value, path: &str, whole: &str) -> Result<Value, Error> {
    let none = || Value::from(());
    let refuse = || {
        fault(format!(
            "json_query: '{whole}' is more than names, indices, [*], [] and *: use a loop instead"
        ))
    };
    if path.is_empty() || path == "@" {
        return Ok(value.clone());
    }
    if let Some(inner) = path.strip_prefix('[') {
        let end = inner.find(']').ok_or_else(refuse)?;
        let (index, rest) = (&inner[..end], next(&inner[end + 1..]));
        let all = if ops::is_list(value) { items(value) } else { return Ok(none()) };
        return match index {
            "*" => project(all, rest, whole),
            "" => {
                let flat = all
                    .into_iter()
                    .flat_map(|item| if ops::is_list(&item) { items(&item) } else { vec![item] });
                project(flat.collect(), rest, whole)
            }
            _ => {
                let at: i64 = index.parse().map_err(|_| refuse())?;
                let len = i64::try_from(all.len()).unwrap_or(i64::MAX);
                let at = usize::try_from(if at < 0 { at + len } else { at }).ok();
                let found = at.and_then(|at| all.get(at).cloned()).unwrap_or_else(none);
                self::path(&found, rest, whole)
            }
        };
    }
    if let Some(rest) = path.strip_prefix('*') {
        if value.kind() != ValueKind::Map {
            return Ok(none());
        }
        return project(
            pairs(value).into_iter().map(|(_, item)| item).collect(),
            next(rest),
            whole,
        );
    }
    let (name, rest) = if let Some(inner) = path.strip_prefix('"') {
        inner.split_once('"').ok_or_else(refuse)?
    } else {
        let end = path.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        path.split_at(end.unwrap_or(path.len()))
    };
    if name.is_empty() || !(rest.is_empty() || rest.starts_with(['.', '['])) {
        return Err(refuse());
    }
    let found = match value.kind() {
        ValueKind::Map => get(value, &Value::from(name)).unwrap_or_else(none),
        _ => none(),
    };
    undefined::refuse(&found)?;
    self::path(&found, next(rest), whole)
}

fn next(rest: &str) -> &str {
    rest.strip_prefix('.').unwrap_or(rest)
}

fn project(all: Vec<Value>, rest: &str, whole: &str) -> Result<Value, Error> {
    let mut out = Vec::new();
    for item in all {
        let found = path(&item, rest, whole)?;
        if !found.is_none() {
            out.push(found);
        }
    }
    Ok(list(out))
}
