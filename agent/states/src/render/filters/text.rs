//! Salt's filters on texts: regular expressions, paths, quoting, names.

use minijinja::Error;
use minijinja::value::Value;

use super::Filter;
use std::cell::Cell;

use crate::regex::{Captures, Match, Regex, check_replacement, expand, python_regex};
use crate::render::jinja::args::Args;
use crate::render::jinja::{ops, undefined};
use crate::render::markup;
use crate::render::methods;
use crate::render::python::{fault, text, tuple_of};

pub(super) fn find(name: &str) -> Option<Filter> {
    Some(match name {
        "regex_replace" => regex_replace,
        "regex_search" => |value, args| groups(value, args, false),
        "regex_match" => |value, args| groups(value, args, true),
        "regex_escape" => |value, _| Ok(Value::from(regex_escape(own(value)?))),
        "path_join" => |value, args| {
            let parts = std::iter::once(value).chain(&args.plain);
            let parts = parts.map(|part| super::hashes::bytes(part).map(|_| text(part)));
            Ok(Value::from(path_join(&parts.collect::<Result<Vec<_>, Error>>()?)))
        },
        // What is empty is quoted whatever it is.
        "quote" => quote,
        "contains_whitespace" => {
            |value, _| Ok(Value::from(own(value)?.contains(char::is_whitespace)))
        }
        "is_hex" => |value, _| {
            let hex = value.as_str().and_then(|text| super::numbers::parse_int(text, 16));
            Ok(Value::from(hex.is_some()))
        },
        "to_bytes" => |value, _| super::hashes::bytes(value).map(Value::from_bytes),
        "to_snake_case" => |value, _| Ok(Value::from(snake(own(value)?))),
        "to_camelcase" => |value, args| {
            let upper = args.flag(0, "uppercamel", false);
            let words = own(value)?.split('_').enumerate().map(|(at, word)| {
                if at > 0 || upper { methods::capitalized(word) } else { word.to_owned() }
            });
            Ok(Value::from(words.collect::<String>()))
        },
        "check_whitelist_blacklist" => check_lists,
        _ => return None,
    })
}

fn own(value: &Value) -> Result<&str, Error> {
    value.as_str().ok_or_else(|| {
        let kind = ops::type_name(value);
        fault(format!("expected string or bytes-like object, got '{kind}'"))
    })
}

fn compiled(args: &Args, flags: usize) -> Result<Regex, Error> {
    let fold = args.flag(flags, "ignorecase", false);
    let lines = args.flag(flags + 1, "multiline", false);
    python_regex(&args.text(0, "rgx")?, fold, lines, false)
        .map_err(|error| fault(error.to_string()))
}

fn quote(value: &Value, _: &Args) -> Result<Value, Error> {
    let text = if value.is_true() { own(value)? } else { "" };
    let quoted = shell_quote(text);
    // The quotes that are put around markup are escaped.
    let marked = value.is_safe() && quoted != text;
    Ok(if marked {
        let inner = text.replace('\'', &markup::escaped("'\"'\"'"));
        markup::of(format!("&#39;{inner}&#39;"))
    } else {
        markup::like(value, quoted)
    })
}

fn regex_replace(value: &Value, args: &Args) -> Result<Value, Error> {
    let own = own(value)?;
    let by = args.text(1, "val")?;
    let found = compiled(args, 2)?;
    check_replacement(&by, &found).map_err(fault)?;
    // The text may grow by each match: beyond the limit nothing more is put in.
    let size = Cell::new(own.len());
    let each = |captures: &Captures<'_>| {
        let more = if size.get() > ops::TEXT_MAX { String::new() } else { expand(&by, captures) };
        size.set(size.get().saturating_add(more.len()));
        more
    };
    let (out, _) = found.replaced(own, 0, each).map_err(|error| fault(error.to_string()))?;
    if size.get() > ops::TEXT_MAX {
        return Err(fault("the replaced text is too large"));
    }
    Ok(Value::from(out))
}

/// The groups of the first match as a tuple (the whole match if there are none), or `None`.
fn groups(value: &Value, args: &Args, start: bool) -> Result<Value, Error> {
    let found = compiled(args, 1)?;
    let captures = found.captures(own(value)?);
    let captures = captures
        .filter(|captures| !start || captures.get(0).is_some_and(|whole| whole.start() == 0));
    let Some(captures) = captures else { return Ok(Value::from(())) };
    let skip = usize::from(captures.len() > 1);
    let group = |group: Option<Match<'_>>| {
        group.map_or_else(|| Value::from(()), |group| Value::from(group.as_str()))
    };
    Ok(tuple_of(captures.iter().skip(skip).map(group).collect()))
}

/// Python's `re.escape`.
fn regex_escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if "()[]{}?*+-|^$\\.&~# \t\n\r\u{b}\u{c}".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Salt's `path_join`: parts without their leading slashes, made normal.
fn path_join(parts: &[String]) -> String {
    let mut parts = parts.iter().map(|part| normal(part));
    let Some(first) = parts.next() else { return String::new() };
    let mut out = first;
    let mut more = false;
    for part in parts {
        let part = part.trim_start_matches('/');
        if !out.ends_with('/') {
            out.push('/');
        }
        out.push_str(part);
        more = true;
    }
    if more { normal(&out) } else { out }
}

/// Python's `os.path.normpath`.
fn normal(path: &str) -> String {
    let slashes = path.len() - path.trim_start_matches('/').len();
    let root = match slashes {
        0 => "",
        2 => "//",
        _ => "/",
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if root.is_empty() && parts.last().is_none_or(|last| *last == "..") => {
                parts.push("..");
            }
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let out = format!("{root}{}", parts.join("/"));
    if out.is_empty() { ".".to_owned() } else { out }
}

/// Python's `shlex.quote`.
fn shell_quote(value: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./-_".contains(c);
    if !value.is_empty() && value.chars().all(safe) {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\'', "'\"'\"'"))
}

fn snake(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::new();
    for (at, c) in chars.iter().enumerate() {
        if at > 0 && c.is_uppercase() {
            let next = at + 1 < chars.len() && chars[at + 1].is_lowercase();
            if chars[at - 1].is_lowercase() || next {
                out.push('_');
            }
        }
        out.extend(c.to_lowercase());
    }
    out
}

/// `check_whitelist_blacklist(whitelist=None, blacklist=None)`: globs or regular expressions.
fn check_lists(value: &Value, args: &Args) -> Result<Value, Error> {
    undefined::refuse(value)?;
    // As in Salt, what is no text matches nothing.
    let value = value.as_str();
    let listed = |at, name| -> Result<Vec<String>, Error> {
        match args.get(at, name).filter(Value::is_true) {
            None => Ok(Vec::new()),
            Some(one) if one.as_str().is_some() => Ok(vec![text(&one)]),
            Some(many) => Ok(ops::iterate(&many)?.iter().map(text).collect()),
        }
    };
    let (white, black) = (listed(0, "whitelist")?, listed(1, "blacklist")?);
    let matches = |all: &[String]| {
        value.is_some_and(|value| {
            all.iter().any(|pattern| {
                crate::target::glob(pattern, value)
                    || python_regex(&format!("\\A(?:{pattern})\\Z"), false, false, false)
                        .is_ok_and(|found| found.is_match(value))
            })
        })
    };
    Ok(Value::from(match (white.is_empty(), black.is_empty()) {
        (true, true) => true,
        (false, true) => matches(&white),
        (true, false) => !matches(&black),
        (false, false) => !matches(&black) && matches(&white),
    }))
}
