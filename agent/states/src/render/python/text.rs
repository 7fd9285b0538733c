//! What Python's `str()` and `repr()` make of a value, and what Salt prints of it.

use std::cell::Cell;

use minijinja::Error;
use minijinja::value::{Value, ValueKind};

use super::{is_ordered, is_tuple, items, pairs, tuple_of};
use crate::render::jinja::{format, ops, undefined};
use crate::yaml::emit;

/// Levels that a value is written to; below them stands `...`, as Python's for circles.
const DEPTH_MAX: usize = 100;

thread_local! {
    /// Whether a text was cut.
    static CUT: Cell<bool> = const { Cell::new(false) };
}

/// Whether a text was cut since this was asked last: containers may hold one large text, or one
/// another, many times. Asked whenever a template has made a text, so that no cut one gets out.
pub(in crate::render) fn was_cut() -> bool {
    CUT.replace(false)
}

/// Python's `repr()`.
pub(crate) fn repr(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out, false, DEPTH_MAX);
    out
}

/// Python's `str()`.
pub(crate) fn text(value: &Value) -> String {
    match value.kind() {
        ValueKind::String => value.as_str().unwrap_or_default().to_owned(),
        ValueKind::Plain if undefined::is_lenient(value) => String::new(),
        _ => repr(value),
    }
}

/// What `{{ value }}` gives: `str()`, but for texts in dicts that YAML could not read back.
pub(crate) fn printed(value: &Value) -> Result<String, Error> {
    refuse_undefined(value, DEPTH_MAX)?;
    Ok(match value.kind() {
        ValueKind::String => value.as_str().unwrap_or_default().to_owned(),
        ValueKind::Map | ValueKind::Seq | ValueKind::Iterable => {
            let mut out = String::new();
            write(value, &mut out, true, DEPTH_MAX);
            if was_cut() {
                return Err(ops::too_large());
            }
            out
        }
        _ => text(value),
    })
}

/// Salt prints the values of dicts as texts of their own, so that none may be undefined.
fn refuse_undefined(value: &Value, left: usize) -> Result<(), Error> {
    undefined::refuse(value)?;
    if value.kind() == ValueKind::Map && left > 0 {
        let mut inner = pairs(value).into_iter();
        inner.try_for_each(|(_, item)| refuse_undefined(&item, left - 1))?;
    }
    Ok(())
}

fn write(value: &Value, out: &mut String, safe: bool, left: usize) {
    if out.len() > ops::TEXT_MAX {
        CUT.set(true);
        return;
    }
    match value.kind() {
        ValueKind::None => out.push_str("None"),
        ValueKind::Bool => out.push_str(if value.is_true() { "True" } else { "False" }),
        ValueKind::Number if !value.is_integer() => {
            out.push_str(&float(f64::try_from(value.clone()).unwrap_or_default()));
        }
        ValueKind::String => write_text(value, out),
        ValueKind::Bytes => write_bytes(value.as_bytes().unwrap_or_default(), out),
        ValueKind::Map | ValueKind::Seq | ValueKind::Iterable if left == 0 => out.push_str("..."),
        ValueKind::Iterable if super::view_name(value).is_some() => {
            let inner = items(value);
            match super::view_name(value).unwrap_or_default() {
                "range" => match super::bounds(value).unwrap_or_default() {
                    [start, stop, 1] => out.push_str(&format!("range({start}, {stop})")),
                    [start, stop, step] => {
                        out.push_str(&format!("range({start}, {stop}, {step})"));
                    }
                },
                "generator" => out.push_str("<generator object>"),
                name => {
                    out.push_str(name);
                    out.push('(');
                    // What Salt makes safe for YAML is in dicts and lists, not in views of them.
                    write(&super::list(inner), out, false, left - 1);
                    out.push(')');
                }
            }
        }
        ValueKind::Map if is_ordered(value) && !safe => {
            out.push_str("OrderedDict(");
            let pairs = pairs(value).into_iter().map(|(key, item)| tuple_of(vec![key, item]));
            let pairs: Vec<Value> = pairs.collect();
            if !pairs.is_empty() {
                write(&super::list(pairs), out, safe, left - 1);
            }
            out.push(')');
        }
        ValueKind::Map => {
            out.push('{');
            for (at, (key, item)) in pairs(value).iter().enumerate() {
                out.push_str(if at > 0 { ", " } else { "" });
                write(key, out, safe, left - 1);
                out.push_str(": ");
                match item.as_str() {
                    Some(text) if safe && text.contains(['\n', '\r', '\t']) => {
                        out.push_str(&emit::double_quoted(text));
                    }
                    _ => write(item, out, safe, left - 1),
                }
            }
            out.push('}');
        }
        ValueKind::Seq | ValueKind::Iterable => {
            let tuple = is_tuple(value);
            let inner = items(value);
            out.push(if tuple { '(' } else { '[' });
            for (at, item) in inner.iter().enumerate() {
                out.push_str(if at > 0 { ", " } else { "" });
                write(item, out, safe, left - 1);
            }
            if tuple && inner.len() == 1 {
                out.push(',');
            }
            out.push(if tuple { ')' } else { ']' });
        }
        _ => out.push_str(&value.to_string()),
    }
}

fn write_text(value: &Value, out: &mut String) {
    let text = value.as_str().unwrap_or_default();
    if value.is_safe() {
        out.push_str("Markup(");
        write_str(text, out);
        out.push(')');
    } else {
        write_str(text, out);
    }
}

fn write_str(text: &str, out: &mut String) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\\' => out.push_str("\\\\"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if is_printable(c) => out.push(c),
            c => {
                let code = u32::from(c);
                out.push_str(&match code {
                    0..=0xff => format!("\\x{code:02x}"),
                    0x100..=0xffff => format!("\\u{code:04x}"),
                    _ => format!("\\U{code:08x}"),
                });
            }
        }
    }
    out.push(quote);
}

/// Python's `isprintable`, but for what is not assigned in Unicode.
pub(in crate::render) fn is_printable(c: char) -> bool {
    let hidden = matches!(
        c,
        '\u{ad}'
            | '\u{600}'..='\u{605}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{e000}'..='\u{f8ff}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{f0000}'..
    );
    c == ' ' || !(c.is_control() || c.is_whitespace() || hidden)
}

fn write_bytes(bytes: &[u8], out: &mut String) {
    let quote = if bytes.contains(&b'\'') && !bytes.contains(&b'"') { '"' } else { '\'' };
    out.push('b');
    out.push(quote);
    for byte in bytes {
        match byte {
            b'\n' => out.push_str("\\n"),
            b'\t' => out.push_str("\\t"),
            b'\r' => out.push_str("\\r"),
            b'\\' => out.push_str("\\\\"),
            byte if char::from(*byte) == quote => {
                out.push('\\');
                out.push(quote);
            }
            0x20..=0x7e => out.push(char::from(*byte)),
            byte => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    out.push(quote);
}

/// A float as Python writes it: the shortest digits that read back.
pub(crate) fn float(number: f64) -> String {
    if number.is_nan() {
        return "nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let science = format!("{number:e}");
    let (digits, exponent) = science.split_once('e').unwrap_or((&science, "0"));
    let places = digits.split_once('.').map_or(0, |(_, places)| places.len());
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if number != 0.0 && !(-4..16).contains(&exponent) {
        return format::scientific(number, places);
    }
    let plain = format!("{number}");
    if plain.contains('.') { plain } else { format!("{plain}.0") }
}
