//! Jinja's markup: text that is escaped already, as `json`, `yaml`, `safe` and `escape` give it.
//! What is put to it with `+`, `%` or its methods is escaped; `~` and most filters give plain text.

use minijinja::value::{Value, ValueKind};

use super::jinja::args::Args;
use super::python::{dict, is_tuple, items, list, pairs, text, tuple_of};

/// Markup of a text as it is.
pub(super) fn of(text: impl Into<String>) -> Value {
    Value::from_safe_string(text.into())
}

/// A text of the kind that `own` is of.
pub(super) fn like(own: &Value, text: impl Into<String>) -> Value {
    let text = text.into();
    if own.is_safe() { of(text) } else { Value::from(text) }
}

/// A value as markup, escaped if it is not yet.
pub(super) fn escape(value: &Value) -> Value {
    if value.is_safe() { value.clone() } else { of(escaped(&text(value))) }
}

/// What `text + text` gives; `None` if neither is markup.
pub(super) fn sum(left: &Value, right: &Value) -> Option<String> {
    let part = |value| escape(value).as_str().map(str::to_owned);
    (left.is_safe() || right.is_safe()).then(|| Some(part(left)? + &part(right)?)).flatten()
}

/// The values of `markup % values`: texts among them are escaped.
pub(super) fn values(all: &Value) -> Value {
    match all.kind() {
        ValueKind::Seq if is_tuple(all) => tuple_of(items(all).iter().map(inner).collect()),
        ValueKind::Map => {
            dict(pairs(all).into_iter().map(|(key, item)| (key, inner(&item))).collect())
        }
        _ => inner(all),
    }
}

/// A method's arguments as those of a markup's method.
pub(super) fn arguments(method: &str, args: &Args) -> Args {
    let mut own = args.clone();
    match method {
        "join" => {
            for all in own.plain.iter_mut().take(1) {
                if let Ok(parts) = super::iterate(all) {
                    *all = list(parts.iter().map(escape).collect());
                }
            }
        }
        "replace" => own.plain.iter_mut().skip(1).take(1).for_each(|new| *new = inner(new)),
        "ljust" | "rjust" | "center" => {
            own.plain.iter_mut().skip(1).for_each(|fill| *fill = inner(fill));
        }
        "format" => {
            own.plain.iter_mut().for_each(|value| *value = inner(value));
            own.named.iter_mut().for_each(|(_, value)| *value = inner(value));
        }
        "format_map" => own.plain.iter_mut().for_each(|all| *all = values(all)),
        _ => {}
    }
    own
}

/// What a method of markup gives: texts, also those in a list, are markup.
pub(super) fn marked(found: Value) -> Value {
    match found.kind() {
        ValueKind::String => of(text(&found)),
        ValueKind::Seq if is_tuple(&found) => {
            tuple_of(items(&found).into_iter().map(marked).collect())
        }
        ValueKind::Seq => list(items(&found).into_iter().map(marked).collect()),
        _ => found,
    }
}

fn inner(value: &Value) -> Value {
    if value.as_str().is_some() { escape(value) } else { value.clone() }
}

/// markupsafe's `escape`.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('>', "&gt;")
        .replace('<', "&lt;")
        .replace('\'', "&#39;")
        .replace('"', "&#34;")
}
