//! Jinja's own filters on texts.

use std::collections::VecDeque;

use minijinja::Error;
use minijinja::value::{Value, ValueKind};

use super::{Filter, links};
use crate::render::jinja::args::Args;
use crate::render::jinja::{format, ops, undefined};
use crate::render::markup::{self, escaped};
use crate::render::methods;
use crate::render::python::{dict, fault, is_tuple, pairs, text};

pub(super) fn find(name: &str) -> Option<Filter> {
    Some(match name {
        "string" => |value, _| Ok(markup::like(value, text(value))),
        "safe" => |value, _| Ok(markup::of(text(value))),
        "lower" => |value, _| Ok(markup::like(value, text(value).to_lowercase())),
        "upper" => |value, _| Ok(markup::like(value, text(value).to_uppercase())),
        "capitalize" => |value, _| Ok(markup::like(value, methods::capitalized(&text(value)))),
        "title" => |value, _| Ok(Value::from(titled(&text(value)))),
        "trim" => |value, args| {
            let chars = args.get(0, "chars").filter(|chars| !chars.is_none());
            let chars = chars.map(|chars| text(&chars));
            let own = text(value);
            Ok(markup::like(value, methods::strip_any(&own, chars.as_deref(), true, true)))
        },
        "center" => |value, args| {
            let width = args.get(0, "width").unwrap_or_else(|| Value::from(80));
            methods::call(&markup::like(value, text(value)), "center", &Args::of(vec![width]))
        },
        "format" => |value, args| {
            let values = if args.named.is_empty() {
                ops::tuple(args.plain.clone())?
            } else {
                let named = args.named.iter().map(|(k, v)| (Value::from(&**k), v.clone()));
                dict(named.collect())
            };
            if !args.plain.is_empty() && !args.named.is_empty() {
                return Err(fault(
                    "can't handle positional and keyword arguments at the same time",
                ));
            }
            let values = if value.is_safe() { markup::values(&values) } else { values };
            format::percent(&text(value), &values).map(|out| markup::like(value, out))
        },
        "replace" => |value, args| {
            let (old, new) = (args.text(0, "old")?, args.text(1, "new")?);
            let count = match args.get(2, "count") {
                Some(count) if count.is_none() => -1,
                _ => args.int(2, "count", -1)?,
            };
            methods::replaced(&text(value), &old, &new, count).map(Value::from)
        },
        "indent" => indent,
        "truncate" => truncate,
        "wordcount" => |value, _| {
            let text = text(value);
            let words = text.split(|c: char| !(c.is_alphanumeric() || c == '_'));
            Ok(Value::from(words.filter(|word| !word.is_empty()).count()))
        },
        "wordwrap" => wordwrap,
        "escape" | "e" => |value, _| Ok(markup::escape(value)),
        "forceescape" => |value, _| Ok(markup::of(markup::escaped(&text(value)))),
        "striptags" => |value, _| Ok(Value::from(stripped(&text(value)))),
        "urlencode" => urlencode,
        "xmlattr" => xmlattr,
        "urlize" => links::urlize,
        _ => return None,
    })
}

fn titled(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut inside = false;
    for c in text.chars() {
        if inside {
            out.extend(c.to_lowercase());
        } else {
            out.extend(c.to_uppercase());
        }
        inside = !(c.is_whitespace() || "-({[<".contains(c));
    }
    out
}

/// `indent(width=4, first=False, blank=False)`.
fn indent(value: &Value, args: &Args) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::String => {}
        ValueKind::Seq if !is_tuple(value) => {
            return Err(fault("'list' object has no attribute 'splitlines'"));
        }
        ValueKind::Undefined => {}
        _ if undefined::is(value) => {}
        ValueKind::Seq => {
            return Err(fault("can only concatenate tuple (not \"str\") to tuple"));
        }
        _ => {
            let kind = ops::type_name(value);
            return Err(fault(format!("unsupported operand type(s) for +=: '{kind}' and 'str'")));
        }
    }
    let by = match args.get(0, "width") {
        Some(width) if width.as_str().is_some() => text(&width),
        _ => {
            let width = usize::try_from(args.int(0, "width", 4)?.max(0)).unwrap_or(usize::MAX);
            if width > 10_000 {
                return Err(fault("the width is too large"));
            }
            " ".repeat(width)
        }
    };
    let (first, blank) = (args.flag(1, "first", false), args.flag(2, "blank", false));
    let all = text(value) + "\n";
    let lines = methods::lines(&all, false);
    if all.len().saturating_add(lines.len().saturating_mul(by.len())) > ops::TEXT_MAX {
        return Err(fault("the indented text is too large"));
    }
    let mut out = if first { by.clone() } else { String::new() };
    for (at, line) in lines.iter().enumerate() {
        let line = line.as_str().unwrap_or_default();
        if at > 0 {
            out.push('\n');
            if blank || !line.is_empty() {
                out.push_str(&by);
            }
        }
        out.push_str(line);
    }
    Ok(markup::like(value, out))
}

/// `truncate(length=255, killwords=False, end='...', leeway=5)`.
fn truncate(value: &Value, args: &Args) -> Result<Value, Error> {
    if value.len().is_none() {
        let kind = ops::type_name(value);
        return Err(fault(format!("object of type '{kind}' has no len()")));
    }
    let all = text(value);
    let length = usize::try_from(args.int(0, "length", 255)?).unwrap_or(0);
    let kill = args.flag(1, "killwords", false);
    let end = args.text_or(2, "end", "...");
    let leeway = match args.get(3, "leeway") {
        Some(leeway) if leeway.is_none() => 5,
        _ => usize::try_from(args.int(3, "leeway", 5)?).unwrap_or(0),
    };
    let marks = end.chars().count();
    if length < marks {
        return Err(fault(format!("expected length >= {marks}, got {length}")));
    }
    // What is no text has a length, too.
    if value.len().is_some_and(|len| len <= length.saturating_add(leeway)) {
        return Ok(value.clone());
    }
    let cut: String = all.chars().take(length - marks).collect();
    let cut = if kill { &cut[..] } else { cut.rsplit_once(' ').map_or(&cut[..], |(cut, _)| cut) };
    Ok(if value.is_safe() {
        markup::of(format!("{cut}{}", markup::escaped(&end)))
    } else {
        Value::from(format!("{cut}{end}"))
    })
}

fn lacking(value: &Value, method: &str) -> Error {
    fault(format!("'{}' object has no attribute '{method}'", ops::type_name(value)))
}

/// `wordwrap(width=79, break_long_words=True, wrapstring=None, break_on_hyphens=True)`.
fn wordwrap(value: &Value, args: &Args) -> Result<Value, Error> {
    if value.as_str().is_none() {
        return Err(lacking(value, "splitlines"));
    }
    let width = usize::try_from(args.int(0, "width", 79)?).unwrap_or(0);
    if width == 0 {
        return Err(fault("invalid width 0 (must be > 0)"));
    }
    let long = args.flag(1, "break_long_words", true);
    let by = args.get(2, "wrapstring").filter(|by| !by.is_none());
    let by = by.map_or_else(|| "\n".to_owned(), |by| text(&by));
    let hyphens = args.flag(3, "break_on_hyphens", true);
    let all = text(value);
    let lines = methods::lines(&all, false);
    let mut out = String::with_capacity(all.len());
    for (at, line) in lines.iter().enumerate() {
        let pieces = chunks(line.as_str().unwrap_or_default(), hyphens);
        let wrapped = wrap(pieces.iter().map(String::as_str).collect(), width, long);
        for (piece, line) in wrapped.iter().enumerate() {
            out.push_str(if piece > 0 { &by } else { "" });
            out.push_str(line);
            if out.len() > ops::TEXT_MAX {
                return Err(fault("the wrapped text is too large"));
            }
        }
        out.push_str(if at + 1 < lines.len() { &by } else { "" });
    }
    if out.len() > ops::TEXT_MAX { Err(ops::too_large()) } else { Ok(Value::from(out)) }
}

/// The pieces of a line that may stand on lines of their own: words, spaces, parts of words.
fn chunks(line: &str, hyphens: bool) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let chars: Vec<char> = line.chars().collect();
    let mut current = String::new();
    let mut space = None;
    for (at, c) in chars.iter().enumerate() {
        let is_space = c.is_whitespace();
        if space.is_some_and(|space| space != is_space) {
            out.push(std::mem::take(&mut current));
        }
        space = Some(is_space);
        current.push(*c);
        let letter = |at: usize| chars.get(at).is_some_and(|c| c.is_alphabetic());
        let breaks = hyphens
            && *c == '-'
            && at > 1
            && letter(at - 1)
            && letter(at - 2)
            && letter(at + 1)
            && letter(at + 2);
        if breaks {
            out.push(std::mem::take(&mut current));
            space = None;
        }
    }
    if !current.is_empty() {
        out.push(current);
    }
    out
}

/// Lines of pieces; none costs more than its own width.
fn wrap(mut rest: VecDeque<&str>, width: usize, long: bool) -> Vec<String> {
    let blank = |chunk: &&str| chunk.chars().all(char::is_whitespace);
    let end = |chunk: &str, room| chunk.char_indices().nth(room).map(|(at, _)| at);
    let mut lines: Vec<String> = Vec::new();
    while !rest.is_empty() {
        let (mut current, mut len) = (Vec::new(), 0);
        if !lines.is_empty() && rest.front().is_some_and(blank) {
            rest.pop_front();
        }
        while let Some(chunk) = rest.front() {
            if end(chunk, width - len).is_some() {
                break;
            }
            len += chunk.chars().count();
            current.extend(rest.pop_front());
        }
        if let Some(chunk) = rest.front_mut()
            && end(chunk, width).is_some()
        {
            if long {
                let (head, tail) = chunk.split_at(end(chunk, width - len).unwrap_or(chunk.len()));
                *chunk = tail;
                current.push(head);
            } else if current.is_empty() {
                current.extend(rest.pop_front());
            }
        }
        if current.last().is_some_and(blank) {
            current.pop();
        }
        if !current.is_empty() {
            lines.push(current.concat());
        }
    }
    lines
}

fn stripped(text: &str) -> String {
    let mut out = text.to_owned();
    for (open, close) in [("<!--", "-->"), ("<", ">")] {
        let mut kept = String::with_capacity(out.len());
        let mut rest = out.as_str();
        while let Some(at) = rest.find(open) {
            let Some(end) = rest[at..].find(close) else { break };
            kept.push_str(&rest[..at]);
            rest = &rest[at + end + close.len()..];
        }
        kept.push_str(rest);
        out = kept;
    }
    let words = out.split_whitespace().collect::<Vec<_>>().join(" ");
    let entities = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&#34;", "\""),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ];
    entities.iter().fold(words, |words, (entity, sign)| words.replace(entity, sign))
}

fn quoted(text: &str, safe: &str, plus: bool) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        let c = char::from(byte);
        if c.is_ascii_alphanumeric() || "_.-~".contains(c) || (byte < 128 && safe.contains(c)) {
            out.push(c);
        } else if plus && c == ' ' {
            out.push('+');
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn urlencode(value: &Value, _: &Args) -> Result<Value, Error> {
    let all = match value.kind() {
        ValueKind::Map => pairs(value),
        ValueKind::Seq | ValueKind::Iterable => methods::update_pairs(value)?,
        _ => return Ok(Value::from(quoted(&text(value), "/", false))),
    };
    let pair = |(key, item): (Value, Value)| {
        format!("{}={}", quoted(&text(&key), "", true), quoted(&text(&item), "", true))
    };
    Ok(Value::from(all.into_iter().map(pair).collect::<Vec<_>>().join("&")))
}

fn xmlattr(value: &Value, args: &Args) -> Result<Value, Error> {
    if value.kind() != ValueKind::Map {
        return Err(lacking(value, "items"));
    }
    let mut out = Vec::new();
    for (key, item) in pairs(value) {
        if item.is_none() || undefined::is(&item) {
            continue;
        }
        let key = text(&key);
        if key.contains(|c: char| c.is_whitespace() || "/>=".contains(c)) {
            return Err(fault(format!("Invalid character in attribute name: '{key}'")));
        }
        out.push(format!("{}=\"{}\"", escaped(&key), escaped(&text(&item))));
    }
    let space = args.flag(0, "autospace", true) && !out.is_empty();
    Ok(Value::from(format!("{}{}", if space { " " } else { "" }, out.join(" "))))
}
