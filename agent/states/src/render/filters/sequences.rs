//! Jinja's own filters on lists.

use minijinja::Error;
use minijinja::value::{Value, ValueKind};

use super::Filter;
use super::data::runtime;
use crate::render::jinja::args::Args;
use crate::render::jinja::{ops, path, undefined};
use crate::render::python::{fault, list, pairs, text, tuple_of, view, view_name};
use crate::render::{markup, methods};

pub(super) fn find(name: &str) -> Option<Filter> {
    Some(match name {
        "list" => |value, _| ops::iterate(value).map(list),
        "length" | "count" => length,
        "first" => |value, _| {
            let first = ops::iterate(value)?.into_iter().next();
            Ok(first.unwrap_or_else(|| undefined::new("No first item, sequence was empty.")))
        },
        "last" => |value, _| {
            let last = backwards(value)?.into_iter().next();
            Ok(last.unwrap_or_else(|| undefined::new("No last item, sequence was empty.")))
        },
        "reverse" => |value, _| match value.as_str() {
            Some(text) => Ok(markup::like(value, text.chars().rev().collect::<String>())),
            // What cannot go backwards is a list first.
            None if view_name(value) == Some("generator") => {
                Ok(list(ops::iterate(value)?.into_iter().rev().collect()))
            }
            None => match backwards(value) {
                Err(error) if undefined::is(value) => Err(error),
                Err(_) => Err(runtime("argument must be iterable")),
                Ok(all) => Ok(view("generator", all)),
            },
        },
        "join" => join,
        "sort" => sort,
        "batch" => batch,
        "slice" => slice,
        "items" => |value, _| match value.kind() {
            ValueKind::Map => {
                let all = pairs(value).into_iter().map(|(key, item)| tuple_of(vec![key, item]));
                Ok(view("generator", all.collect()))
            }
            _ => Err(fault("Can only get item pairs from a mapping.")),
        },
        "dictsort" => dictsort,
        "attr" => |value, args| {
            let name = args.text(0, "name")?;
            let own = value.kind() == ValueKind::Plain || methods::has(value, &name);
            if own {
                return crate::render::jinja::attribute(value, &name.into());
            }
            Ok(undefined::part(value, &Value::from(name)))
        },
        _ => return None,
    })
}

/// Python's `reversed`.
fn backwards(value: &Value) -> Result<Vec<Value>, Error> {
    match ops::iterate(value) {
        Ok(all) if view_name(value) != Some("generator") => Ok(all.into_iter().rev().collect()),
        Err(error) if undefined::is(value) => Err(error),
        Ok(_) | Err(_) => {
            Err(fault(format!("'{}' object is not reversible", ops::type_name(value))))
        }
    }
}

fn length(value: &Value, _: &Args) -> Result<Value, Error> {
    if let Some(text) = value.as_str() {
        return Ok(Value::from(text.chars().count()));
    }
    match value.len() {
        Some(len) if value.kind() != ValueKind::Plain && view_name(value) != Some("generator") => {
            Ok(Value::from(len))
        }
        _ => Err(fault(format!("object of type '{}' has no len()", ops::type_name(value)))),
    }
}

fn join(value: &Value, args: &Args) -> Result<Value, Error> {
    let by = args.text_or(0, "d", "");
    let attribute = args.get(1, "attribute").filter(|attribute| !attribute.is_none());
    let mut out = String::new();
    for (at, item) in ops::iterate(value)?.iter().enumerate() {
        let item = match &attribute {
            Some(attribute) => path(item, attribute)?,
            None => item.clone(),
        };
        undefined::refuse(&item)?;
        out.push_str(if at > 0 { &by } else { "" });
        out.push_str(&text(&item));
        if out.len() > ops::TEXT_MAX {
            return Err(fault("the joined text is too large"));
        }
    }
    Ok(Value::from(out))
}

/// A text in lower case, if case does not count.
pub(super) fn folded(value: &Value, exact: bool) -> Value {
    match value.as_str() {
        Some(text) if !exact => Value::from(text.to_lowercase()),
        _ => value.clone(),
    }
}

/// `sort(reverse=False, case_sensitive=False, attribute=None)`.
fn sort(value: &Value, args: &Args) -> Result<Value, Error> {
    let reverse = args.flag(0, "reverse", false);
    let exact = args.flag(1, "case_sensitive", false);
    let attribute = args.get(2, "attribute").filter(|attribute| !attribute.is_none());
    let mut keyed = Vec::new();
    let all = ops::iterate(value)?;
    let alone = all.len() == 1;
    for item in all {
        let key = match attribute.as_ref().map(text) {
            // Several attributes with commas: by the first, then by the next.
            Some(names) => {
                let keys = names.split(',').map(|name| {
                    let found = path(&item, &Value::from(name))?;
                    // Nothing is compared with a single one.
                    if !alone {
                        undefined::refuse(&found)?;
                    }
                    Ok(folded(&found, exact))
                });
                list(keys.collect::<Result<_, Error>>()?)
            }
            None => folded(&item, exact),
        };
        keyed.push((key, item));
    }
    if reverse {
        keyed.reverse();
    }
    ops::sort_by_key(&mut keyed, |(key, _)| key)?;
    if reverse {
        keyed.reverse();
    }
    Ok(list(keyed.into_iter().map(|(_, item)| item).collect()))
}

fn dictsort(value: &Value, args: &Args) -> Result<Value, Error> {
    let exact = args.flag(0, "case_sensitive", false);
    let by = args.text_or(1, "by", "key");
    let reverse = args.flag(2, "reverse", false);
    if by != "key" && by != "value" {
        return Err(runtime("You can only sort by either \"key\" or \"value\""));
    }
    if value.kind() != ValueKind::Map {
        let kind = ops::type_name(value);
        return Err(fault(format!("'{kind}' object has no attribute 'items'")));
    }
    let keyed = pairs(value)
        .into_iter()
        .map(|(key, item)| (folded(if by == "value" { &item } else { &key }, exact), key, item));
    let mut keyed: Vec<_> = keyed.collect();
    if reverse {
        keyed.reverse();
    }
    ops::sort_by_key(&mut keyed, |(key, _, _)| key)?;
    if reverse {
        keyed.reverse();
    }
    Ok(list(keyed.into_iter().map(|(_, key, item)| tuple_of(vec![key, item])).collect()))
}

fn sized(args: &Args, name: &str) -> Result<usize, Error> {
    let size = args.must(0, name)?.as_usize().filter(|size| (1..=ops::ITEMS_MAX).contains(size));
    size.ok_or_else(|| fault(format!("{name} is a whole number from 1")))
}

fn batch(value: &Value, args: &Args) -> Result<Value, Error> {
    let size = sized(args, "linecount")?;
    let fill = args.get(1, "fill_with").filter(|fill| !fill.is_none());
    let all = ops::iterate(value)?;
    let rows = all.chunks(size).map(|row| {
        let mut row = row.to_vec();
        if let Some(fill) = &fill {
            row.resize(size, fill.clone());
        }
        list(row)
    });
    Ok(view("generator", rows.collect()))
}

fn slice(value: &Value, args: &Args) -> Result<Value, Error> {
    let slices = sized(args, "slices")?;
    let fill = args.get(1, "fill_with").filter(|fill| !fill.is_none());
    let all = ops::iterate(value)?;
    let (size, more) = (all.len() / slices, all.len() % slices);
    let mut rest = all.as_slice();
    let mut out = Vec::new();
    for at in 0..slices {
        let (row, next) = rest.split_at(size + usize::from(at < more));
        let mut row = row.to_vec();
        if let Some(fill) = fill.as_ref().filter(|_| at >= more) {
            row.push(fill.clone());
        }
        out.push(list(row));
        rest = next;
    }
    Ok(view("generator", out))
}
