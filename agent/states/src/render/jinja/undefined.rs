//! What a name without a value stands for: it may be tested and passed on, and not be used.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Object, ObjectRepr, Value, ValueKind};
use minijinja::{Error, ErrorKind};

use super::ops::type_name;
use crate::render::python::{items, pairs, repr, salts_type};

/// A value that is not there, and Jinja's words for it.
#[derive(Debug)]
struct Undefined {
    words: String,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Any use of it fails.
    Strict,
    /// It prints as nothing: what an `if` without `else` comes to.
    Lenient,
    /// It is there, but must not be seen.
    Unsafe,
}

impl Object for Undefined {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Undefined")
    }
}

fn of(words: impl Into<String>, kind: Kind) -> Value {
    Value::from_object(Undefined { words: words.into(), kind })
}

pub(in crate::render) fn new(words: impl Into<String>) -> Value {
    of(words, Kind::Strict)
}

pub(super) fn lenient() -> Value {
    of("the inline if-expression has no else section", Kind::Lenient)
}

/// An attribute that Jinja's sandbox hides.
pub(super) fn hidden(of_type: &str, name: &str) -> Value {
    of(format!("access to attribute '{name}' of '{of_type}' object is unsafe."), Kind::Unsafe)
}

/// Whether a value is the one that prints as nothing.
pub(in crate::render) fn is_lenient(value: &Value) -> bool {
    value.downcast_object_ref::<Undefined>().is_some_and(|own| own.kind == Kind::Lenient)
}

pub(super) fn name(name: &str) -> Value {
    new(format!("{} is undefined", repr(&Value::from(name))))
}

/// An attribute or item that `of` does not have.
pub(in crate::render) fn part(of: &Value, key: &Value) -> Value {
    let of_type = salts_type(of).unwrap_or_else(|| match type_name(of) {
        "Markup" => "markupsafe.Markup",
        other => other,
    });
    let kind = if of.is_none() { "None".to_owned() } else { format!("{of_type} object") };
    new(match key.as_str() {
        Some(_) if of.is_none() => format!("'None' has no attribute {}", repr(key)),
        Some(_) => format!("'{kind}' has no attribute {}", repr(key)),
        None => format!("{kind} has no element {}", repr(key)),
    })
}

pub(in crate::render) fn is(value: &Value) -> bool {
    value.is_undefined() || value.downcast_object_ref::<Undefined>().is_some()
}

/// An error if a value is not there.
pub(in crate::render) fn refuse(value: &Value) -> Result<(), Error> {
    if !value.is_undefined() && value.as_object().is_none() {
        return Ok(());
    }
    match value.downcast_object_ref::<Undefined>() {
        Some(Undefined { kind: Kind::Lenient, .. }) => Ok(()),
        Some(Undefined { kind: Kind::Unsafe, words }) => {
            Err(Error::new(ErrorKind::SyntaxError, words.clone()))
        }
        Some(Undefined { words, .. }) => Err(Error::new(ErrorKind::UndefinedError, words.clone())),
        None if value.is_undefined() => {
            Err(Error::new(ErrorKind::UndefinedError, "a value is undefined"))
        }
        None => Ok(()),
    }
}

/// Whether a value is, or holds, what is undefined.
pub(in crate::render) fn held(value: &Value) -> bool {
    let mut words = Vec::new();
    collect(value, &mut words, 100);
    !words.is_empty()
}

/// What stands for a value that holds what is undefined: all their words.
pub(in crate::render) fn joined(value: &Value) -> Value {
    let mut words = Vec::new();
    collect(value, &mut words, 100);
    new(words.join("\n"))
}

fn collect(value: &Value, words: &mut Vec<String>, left: usize) {
    if value.as_object().is_none() || left == 0 {
        return;
    }
    if let Some(own) = value.downcast_object_ref::<Undefined>() {
        words.push(own.words.clone());
        return;
    }
    match value.kind() {
        ValueKind::Map => {
            pairs(value).iter().for_each(|(_, item)| collect(item, words, left - 1));
        }
        ValueKind::Seq => items(value).iter().for_each(|item| collect(item, words, left - 1)),
        _ => {}
    }
}
