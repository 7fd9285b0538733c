//! Python's `str.translate`, and the tables that `str.maketrans` makes for it.

use indexmap::IndexMap;
use minijinja::Error;
use minijinja::value::{Value, ValueKind};

use crate::render::jinja::args::Args;
use crate::render::jinja::ops::{self, TEXT_MAX};
use crate::render::python::{dict, fault, pairs};

fn code(c: char) -> Value {
    Value::from(u32::from(c))
}

fn word<'a>(value: &'a Value, otherwise: &str) -> Result<&'a str, Error> {
    let text = value.as_str().filter(|_| value.kind() == ValueKind::String);
    text.ok_or_else(|| fault(otherwise.replace("{}", ops::type_name(value))))
}

/// `str.maketrans`.
pub(super) fn table(args: &Args) -> Result<Value, Error> {
    let first = args.must(0, "x")?;
    let mut table = IndexMap::new();
    let Some(second) = args.plain.get(1) else {
        if first.kind() != ValueKind::Map {
            return Err(fault("if you give only one argument to maketrans it must be a dict"));
        }
        for (key, item) in pairs(&first) {
            table.insert(key_of(&key)?, item);
        }
        return Ok(dict(table));
    };
    let words = "first maketrans argument must be a string if there is a second argument";
    let first = word(&first, words)?;
    let second = word(second, "maketrans() argument 2 must be str, not {}")?;
    if first.chars().count() != second.chars().count() {
        return Err(fault("the first two maketrans arguments must have equal length"));
    }
    table.extend(first.chars().zip(second.chars()).map(|(from, to)| (code(from), code(to))));
    if let Some(dropped) = args.plain.get(2) {
        let dropped = word(dropped, "maketrans() argument 3 must be str, not {}")?;
        table.extend(dropped.chars().map(|c| (code(c), Value::from(()))));
    }
    Ok(dict(table))
}

fn key_of(key: &Value) -> Result<Value, Error> {
    if key.is_integer() {
        return Ok(key.clone());
    }
    let text = word(key, "keys in translate table must be strings or integers")?;
    match (text.chars().next(), text.chars().count()) {
        (Some(c), 1) => Ok(code(c)),
        _ => Err(fault("string keys in translate table must be of length 1")),
    }
}

/// `str.translate`.
pub(super) fn translated(own: &str, args: &Args) -> Result<String, Error> {
    let table = args.must(0, "table")?;
    if !matches!(table.kind(), ValueKind::Map | ValueKind::Seq | ValueKind::String) {
        let kind = ops::type_name(&table);
        return Err(fault(format!("'{kind}' object is not subscriptable")));
    }
    let places: Option<Vec<char>> = table.as_str().map(|text| text.chars().collect());
    let mut out = String::with_capacity(own.len());
    for c in own.chars() {
        let found = found(&table, places.as_deref(), c);
        match found.as_ref().map(|found| (ops::number(found), found)) {
            None => out.push(c),
            Some((_, found)) if found.is_none() => {}
            Some((Some(ops::Number::Int(code)), _)) => {
                let c = u32::try_from(code).ok().and_then(char::from_u32);
                out.push(c.ok_or_else(|| fault("character mapping must be in range(0x110000)"))?);
            }
            Some((_, found)) => {
                out.push_str(word(found, "character mapping must return integer, None or str")?);
            }
        }
        if out.len() > TEXT_MAX {
            return Err(fault("the translated text is too large"));
        }
    }
    Ok(out)
}

/// What a table, or the characters of one that is a text, has for a character; `None` if nothing.
fn found(table: &Value, places: Option<&[char]>, c: char) -> Option<Value> {
    if let Some(places) = places {
        let at = usize::try_from(u32::from(c)).ok()?;
        return places.get(at).map(|c| Value::from(c.to_string()));
    }
    table.get_item(&code(c)).ok().filter(|found| !found.is_undefined())
}
