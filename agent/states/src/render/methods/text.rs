//! Methods of Python's str.

use std::collections::HashSet;

use minijinja::Error;
use minijinja::value::{Value, ValueKind};

use super::bytes::encoded;
use super::translate::{table, translated};
use crate::render::jinja::args::Args;
use crate::render::jinja::format;
use crate::render::jinja::ops::{self, TEXT_MAX};
use crate::render::python::{fault, is_tuple, items, list, text, tuple_of};

pub(super) const NAMES: [&str; 47] = [
    "capitalize",
    "casefold",
    "center",
    "count",
    "encode",
    "endswith",
    "expandtabs",
    "find",
    "format",
    "format_map",
    "index",
    "isalnum",
    "isalpha",
    "isascii",
    "isdecimal",
    "isdigit",
    "isidentifier",
    "islower",
    "isnumeric",
    "isprintable",
    "isspace",
    "istitle",
    "isupper",
    "join",
    "ljust",
    "lower",
    "lstrip",
    "maketrans",
    "partition",
    "removeprefix",
    "removesuffix",
    "replace",
    "rfind",
    "rindex",
    "rjust",
    "rpartition",
    "rsplit",
    "rstrip",
    "split",
    "splitlines",
    "startswith",
    "strip",
    "swapcase",
    "title",
    "translate",
    "upper",
    "zfill",
];

pub(super) fn call(own: &str, method: &str, args: &Args) -> Result<Value, Error> {
    if let Some(flag) = asks(own, method) {
        return Ok(Value::from(flag));
    }
    Ok(match method {
        "capitalize" => Value::from(capitalized(own)),
        "casefold" => Value::from(own.to_lowercase().replace('ß', "ss")),
        "lower" => Value::from(own.to_lowercase()),
        "upper" => Value::from(own.to_uppercase()),
        "title" => Value::from(titled(own)),
        "swapcase" => Value::from(own.chars().flat_map(swapped).collect::<String>()),
        "center" | "ljust" | "rjust" => Value::from(padded(own, method, args)?),
        "zfill" => Value::from(zfilled(own, args)?),
        "expandtabs" => Value::from(expanded(own, args)?),
        "count" => {
            let sub = word(args, 0, "sub")?;
            Value::from(part(own, args)?.map_or(0, |part| count(&part, &sub)))
        }
        "find" | "rfind" | "index" | "rindex" => found(own, method, args)?,
        "startswith" | "endswith" => Value::from(bounded(own, method, args)?),
        "encode" => encoded(own, args)?,
        "maketrans" => table(args)?,
        "translate" => Value::from(translated(own, args)?),
        "format" => Value::from(format::braces(own, args)?),
        "format_map" => {
            let map = args.must(0, "mapping")?;
            let named = crate::render::python::pairs(&map);
            let named = named.into_iter().map(|(key, value)| (text(&key).into(), value));
            let args = Args { plain: Vec::new(), named: named.collect() };
            Value::from(format::braces(own, &args)?)
        }
        "join" => Value::from(joined(own, &args.must(0, "iterable")?)?),
        "strip" | "lstrip" | "rstrip" => stripped(own, method, args)?,
        "partition" | "rpartition" => {
            partition(own, method == "partition", &word(args, 0, "sep")?)?
        }
        "removeprefix" => {
            Value::from(own.strip_prefix(&*argument(args, 0, method)?).unwrap_or(own))
        }
        "removesuffix" => {
            Value::from(own.strip_suffix(&*argument(args, 0, method)?).unwrap_or(own))
        }
        "replace" => {
            let (old, new) = (argument(args, 0, method)?, argument(args, 1, method)?);
            Value::from(replaced(own, &old, &new, args.int(2, "count", -1)?)?)
        }
        "split" | "rsplit" => split(own, method == "rsplit", args)?,
        "splitlines" => list(lines(own, args.flag(0, "keepends", false))),
        _ => return Err(fault(format!("str.{method} is not supported"))),
    })
}

/// The methods that answer yes or no of all characters.
fn asks(own: &str, method: &str) -> Option<bool> {
    let all = |test: fn(char) -> bool| !own.is_empty() && own.chars().all(test);
    let cased = || own.chars().any(|c| c.is_uppercase() || c.is_lowercase());
    Some(match method {
        "isalnum" => all(char::is_alphanumeric),
        "isalpha" => all(char::is_alphabetic),
        "isascii" => own.is_ascii(),
        "isdigit" | "isdecimal" => all(|c| c.is_ascii_digit()),
        "isnumeric" => all(char::is_numeric),
        "isspace" => all(char::is_whitespace),
        "islower" => cased() && !own.chars().any(char::is_uppercase),
        "isupper" => cased() && !own.chars().any(char::is_lowercase),
        "istitle" => cased() && titled(own) == own,
        "isprintable" => own.chars().all(crate::render::python::is_printable),
        "isidentifier" => {
            all(|c| c.is_alphanumeric() || c == '_') && !own.starts_with(|c: char| c.is_numeric())
        }
        _ => return None,
    })
}

fn word(args: &Args, at: usize, name: &str) -> Result<String, Error> {
    let value = args.must(at, name)?;
    match value.as_str() {
        Some(text) => Ok(text.to_owned()),
        None => Err(fault(format!("must be str, not {}", ops::type_name(&value)))),
    }
}

/// A text that a method needs, which Python calls by its place if there are several.
fn argument(args: &Args, at: usize, method: &str) -> Result<String, Error> {
    let value = args.must(at, method)?;
    let place =
        if method == "replace" { format!("argument {}", at + 1) } else { "argument".into() };
    match (value.kind(), value.as_str()) {
        (ValueKind::String, Some(text)) => Ok(text.to_owned()),
        _ => {
            let kind = ops::type_name(&value);
            Err(fault(format!("{method}() {place} must be str, not {kind}")))
        }
    }
}

pub(in crate::render) fn capitalized(own: &str) -> String {
    let mut chars = own.chars();
    let first = chars.next().map(initial).unwrap_or_default();
    first + &chars.as_str().to_lowercase()
}

/// A character at the start of a word: where it becomes several letters, the first alone is upper.
fn initial(c: char) -> String {
    let mut upper = c.to_uppercase();
    let first = upper.next().into_iter();
    first.chain(upper.flat_map(char::to_lowercase)).collect()
}

fn titled(own: &str) -> String {
    let mut out = String::with_capacity(own.len());
    let mut inside = false;
    for c in own.chars() {
        if inside {
            out.extend(c.to_lowercase());
        } else {
            out.push_str(&initial(c));
        }
        inside = c.is_alphabetic();
    }
    out
}

fn swapped(c: char) -> Vec<char> {
    if c.is_uppercase() { c.to_lowercase().collect() } else { c.to_uppercase().collect() }
}

fn wide(args: &Args) -> Result<usize, Error> {
    let width = usize::try_from(args.int(0, "width", 0)?.max(0)).unwrap_or(usize::MAX);
    if width > TEXT_MAX { Err(fault("the width is too large")) } else { Ok(width) }
}

fn padded(own: &str, method: &str, args: &Args) -> Result<String, Error> {
    let width = wide(args)?;
    let fill = args.text_or(1, "fillchar", " ");
    let (Some(fill), 1) = (fill.chars().next(), fill.chars().count()) else {
        return Err(fault("The fill character must be exactly one character long"));
    };
    let missing = width.saturating_sub(own.chars().count());
    let left = match method {
        "ljust" => 0,
        "rjust" => missing,
        // CPython's rounding.
        _ => missing / 2 + (missing & width & 1),
    };
    let pad = |count| String::from_iter(std::iter::repeat_n(fill, count));
    Ok(format!("{}{own}{}", pad(left), pad(missing - left)))
}

fn zfilled(own: &str, args: &Args) -> Result<String, Error> {
    let (sign, digits) = match own.strip_prefix(['-', '+']) {
        Some(digits) => (&own[..1], digits),
        None => ("", own),
    };
    let width = wide(args)?.saturating_sub(sign.len());
    let missing = width.saturating_sub(digits.chars().count());
    Ok(format!("{sign}{}{digits}", "0".repeat(missing)))
}

fn expanded(own: &str, args: &Args) -> Result<String, Error> {
    let size = usize::try_from(args.int(0, "tabsize", 8)?.max(0)).unwrap_or(0);
    if size > 1000 {
        return Err(fault("the tab size is too large"));
    }
    let (mut out, mut column) = (String::new(), 0);
    for c in own.chars() {
        match c {
            '\t' if size > 0 => {
                let spaces = size - column % size;
                out.push_str(&" ".repeat(spaces));
                column += spaces;
                if out.len() > TEXT_MAX {
                    return Err(fault("the expanded text is too large"));
                }
            }
            '\t' => {}
            c => {
                out.push(c);
                column = if matches!(c, '\n' | '\r') { 0 } else { column + 1 };
            }
        }
    }
    Ok(out)
}

/// The part that `start` and `end` of a search leave; `None` if it begins behind its end, where
/// not even an empty text is found.
fn part(own: &str, args: &Args) -> Result<Option<String>, Error> {
    let (start, end) = bounds(own, args)?;
    let len = end.checked_sub(start);
    Ok(len.map(|len| own.chars().skip(start).take(len).collect()))
}

fn bounds(own: &str, args: &Args) -> Result<(usize, usize), Error> {
    let len = i64::try_from(own.chars().count()).unwrap_or(i64::MAX);
    let clamp = |at: i64, most: i64| {
        let at = if at < 0 { at.saturating_add(len).max(0) } else { at.min(most) };
        usize::try_from(at).unwrap_or(0)
    };
    let given = |at, name, usual| match args.get(at, name) {
        Some(value) if value.is_none() => Ok(usual),
        _ => args.int(at, name, usual),
    };
    Ok((clamp(given(1, "start", 0)?, i64::MAX), clamp(given(2, "end", len)?, len)))
}

fn count(own: &str, sub: &str) -> usize {
    if sub.is_empty() { own.chars().count() + 1 } else { own.matches(sub).count() }
}

fn found(own: &str, method: &str, args: &Args) -> Result<Value, Error> {
    let sub = word(args, 0, "sub")?;
    let (start, _) = bounds(own, args)?;
    let inside = part(own, args)?;
    let at = inside.as_ref().and_then(|inside| {
        if method.starts_with('r') { inside.rfind(&*sub) } else { inside.find(&*sub) }
    });
    let inside = inside.unwrap_or_default();
    match at {
        Some(at) => Ok(Value::from(start + inside[..at].chars().count())),
        None if method.ends_with("index") => Err(fault("substring not found")),
        None => Ok(Value::from(-1)),
    }
}

fn bounded(own: &str, method: &str, args: &Args) -> Result<bool, Error> {
    let inside = part(own, args)?;
    let wanted = args.must(0, "prefix")?;
    let fits = |word: &Value| match (word.as_str(), inside.as_deref()) {
        (Some(_), None) => Ok(false),
        (Some(word), Some(inside)) if method == "startswith" => Ok(inside.starts_with(word)),
        (Some(word), Some(inside)) => Ok(inside.ends_with(word)),
        (None, _) => Err(fault(format!(
            "{method} first arg must be str or a tuple of str, not {}",
            ops::type_name(word)
        ))),
    };
    if !is_tuple(&wanted) {
        return fits(&wanted);
    }
    for word in items(&wanted) {
        if word.kind() != ValueKind::String {
            let kind = ops::type_name(&word);
            return Err(fault(format!("tuple for {method} must only contain str, not {kind}")));
        }
        if fits(&word)? {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(in crate::render) fn joined(by: &str, all: &Value) -> Result<String, Error> {
    let mut out = String::new();
    let all = ops::iterate(all).map_err(|_| fault("can only join an iterable"))?;
    for (at, item) in all.iter().enumerate() {
        let Some(text) = item.as_str() else {
            let kind = ops::type_name(item);
            return Err(fault(format!("sequence item {at}: expected str instance, {kind} found")));
        };
        out.push_str(if at > 0 { by } else { "" });
        out.push_str(text);
        if out.len() > TEXT_MAX {
            return Err(fault("the joined text is too large"));
        }
    }
    Ok(out)
}

fn stripped(own: &str, method: &str, args: &Args) -> Result<Value, Error> {
    let chars = args.get(0, "chars").filter(|chars| !chars.is_none());
    if chars.as_ref().is_some_and(|chars| chars.kind() != ValueKind::String) {
        return Err(fault(format!("{method} arg must be None or str")));
    }
    let chars = chars.map(|chars| text(&chars));
    Ok(Value::from(strip_any(own, chars.as_deref(), method != "rstrip", method != "lstrip")))
}

/// Without characters of a set at either end; without white space if there is no set.
pub(in crate::render) fn strip_any<'a>(
    own: &'a str,
    chars: Option<&str>,
    left: bool,
    right: bool,
) -> &'a str {
    let chars = chars.map(|chars| chars.chars().collect::<HashSet<char>>());
    let drop = |c: char| match &chars {
        Some(chars) => chars.contains(&c),
        None => c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c),
    };
    let own = if left { own.trim_start_matches(drop) } else { own };
    if right { own.trim_end_matches(drop) } else { own }
}

fn partition(own: &str, first: bool, by: &str) -> Result<Value, Error> {
    if by.is_empty() {
        return Err(fault("empty separator"));
    }
    let at = if first { own.find(by) } else { own.rfind(by) };
    let parts = match at {
        Some(at) => [&own[..at], by, &own[at + by.len()..]],
        None if first => [own, "", ""],
        None => ["", "", own],
    };
    Ok(tuple_of(parts.map(Value::from).to_vec()))
}

pub(in crate::render) fn replaced(
    own: &str,
    old: &str,
    new: &str,
    count: i64,
) -> Result<String, Error> {
    let times = if old.is_empty() { own.chars().count() + 1 } else { own.matches(old).count() };
    let times = usize::try_from(count).map_or(times, |count| count.min(times));
    if own.len().saturating_add(times.saturating_mul(new.len())) > TEXT_MAX {
        return Err(fault("the replaced text is too large"));
    }
    Ok(own.replacen(old, new, times))
}

fn split(own: &str, right: bool, args: &Args) -> Result<Value, Error> {
    let by = args.get(0, "sep").filter(|by| !by.is_none());
    let limit = args.int(1, "maxsplit", -1)?;
    let limit = usize::try_from(limit).ok();
    let parts: Vec<&str> = match by {
        None => split_spaces(own, right, limit),
        Some(by) if by.kind() != ValueKind::String => {
            return Err(fault(format!("must be str or None, not {}", ops::type_name(&by))));
        }
        Some(by) => {
            let by = by.as_str().unwrap_or_default();
            if by.is_empty() {
                return Err(fault("empty separator"));
            }
            match limit {
                None => own.split(by).collect(),
                Some(limit) if !right => own.splitn(limit.saturating_add(1), by).collect(),
                Some(limit) => {
                    let mut parts: Vec<_> = own.rsplitn(limit.saturating_add(1), by).collect();
                    parts.reverse();
                    parts
                }
            }
        }
    };
    Ok(list(parts.into_iter().map(Value::from).collect()))
}

fn split_spaces(own: &str, right: bool, limit: Option<usize>) -> Vec<&str> {
    let Some(limit) = limit else { return own.split_whitespace().collect() };
    let mut parts = Vec::new();
    let mut rest = strip_any(own, None, !right, right);
    while !rest.is_empty() && parts.len() < limit {
        let cut =
            if right { rest.rfind(char::is_whitespace) } else { rest.find(char::is_whitespace) };
        let Some(at) = cut else { break };
        let space = rest[at..].chars().next().map_or(1, char::len_utf8);
        let (left, after) = (&rest[..at], &rest[at + space..]);
        let (part, remains) = if right { (after, left) } else { (left, after) };
        parts.push(part);
        rest = strip_any(remains, None, !right, right);
    }
    if !rest.is_empty() {
        parts.push(if right { strip_any(rest, None, false, true) } else { rest });
    }
    if right {
        parts.reverse();
    }
    parts
}

pub(in crate::render) fn lines(own: &str, keep: bool) -> Vec<Value> {
    let is_break = |c: char| {
        matches!(
            c,
            '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'
                ..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}'
        )
    };
    let (mut out, mut rest) = (Vec::new(), own);
    while !rest.is_empty() {
        let (end, next) = match rest.find(is_break) {
            None => (rest.len(), rest.len()),
            Some(at) if rest[at..].starts_with("\r\n") => (at, at + 2),
            Some(at) => (at, at + rest[at..].chars().next().map_or(1, char::len_utf8)),
        };
        out.push(Value::from(&rest[..if keep { next } else { end }]));
        rest = &rest[next..];
    }
    out
}
