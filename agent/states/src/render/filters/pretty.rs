//! Python's `pprint`: on one line if it fits, else an item a line.

use minijinja::value::{Value, ValueKind};

use crate::render::jinja::ops;
use crate::render::methods;
use crate::render::python::{is_ordered, is_tuple, items, list, pairs, repr, tuple_of};

/// Columns of a line.
const WIDTH: usize = 80;
/// Levels that are laid out; what is deeper stands on one line.
const DEPTH_MAX: usize = 100;

pub(in crate::render) fn pretty(value: &Value) -> String {
    let mut out = String::new();
    // It is cut then, and the template fails.
    if repr(value).len() > ops::TEXT_MAX {
        return out;
    }
    lay(value, Room { indent: 0, after: 0 }, 1, &mut out);
    out
}

/// Where a value starts, and what must still stand behind it on its last line.
#[derive(Clone, Copy)]
struct Room {
    indent: usize,
    after: usize,
}

impl Room {
    fn inside(self, indent: usize, after: usize) -> Room {
        Room { indent: self.indent + indent, after: self.after + after }
    }

    fn holds(self, text: &str) -> bool {
        text.chars().count() + self.indent + self.after <= WIDTH
    }
}

fn lay(value: &Value, room: Room, level: usize, out: &mut String) {
    let flat = flat(value, level);
    if room.holds(&flat) || level > DEPTH_MAX {
        out.push_str(&flat);
        return;
    }
    match value.kind() {
        ValueKind::Map if is_ordered(value) => {
            let pairs = pairs(value).into_iter().map(|(key, item)| tuple_of(vec![key, item]));
            const NAME: &str = "OrderedDict(";
            out.push_str(NAME);
            lay(&list(pairs.collect()), room.inside(NAME.len(), 1), level + 1, out);
            out.push(')');
        }
        ValueKind::Map => {
            out.push('{');
            let all = sorted(value);
            let last = all.len().saturating_sub(1);
            for (at, (key, item)) in all.iter().enumerate() {
                next(at, room.indent + 1, out);
                let key = repr(key);
                out.push_str(&key);
                out.push_str(": ");
                let indent = room.indent + 3 + key.chars().count();
                let after = if at == last { room.after + 1 } else { 1 };
                lay(item, Room { indent, after }, level + 1, out);
            }
            out.push('}');
        }
        ValueKind::Seq => {
            let all = items(value);
            let (open, close) = match (is_tuple(value), all.len()) {
                (true, 1) => ("(", ",)"),
                (true, _) => ("(", ")"),
                (false, _) => ("[", "]"),
            };
            out.push_str(open);
            let last = all.len().saturating_sub(1);
            for (at, item) in all.iter().enumerate() {
                next(at, room.indent + 1, out);
                let after = if at == last { room.after + close.len() } else { 1 };
                lay(item, Room { indent: room.indent + 1, after }, level + 1, out);
            }
            out.push_str(close);
        }
        ValueKind::String => string(value.as_str().unwrap_or_default(), room, level, out),
        _ => out.push_str(&flat),
    }
}

fn next(at: usize, indent: usize, out: &mut String) {
    if at > 0 {
        out.push_str(",\n");
        out.push_str(&" ".repeat(indent));
    }
}

/// A long text in parts, broken at its line breaks and behind spaces.
fn string(text: &str, room: Room, level: usize, out: &mut String) {
    let room = if level == 1 { room.inside(1, 1) } else { room };
    let width = WIDTH.saturating_sub(room.indent);
    let mut chunks: Vec<String> = Vec::new();
    let quoted = |text: &str| repr(&Value::from(text));
    let fits = |text: &str, last: bool| {
        quoted(text).chars().count() <= width.saturating_sub(if last { room.after } else { 0 })
    };
    let lines = methods::lines(text, true);
    for (at, line) in lines.iter().enumerate() {
        let (line, last) = (line.as_str().unwrap_or_default(), at + 1 == lines.len());
        if fits(line, last) {
            chunks.push(quoted(line));
            continue;
        }
        let words = words(line);
        let mut current = String::new();
        for (at, word) in words.iter().enumerate() {
            let candidate = format!("{current}{word}");
            if fits(&candidate, last && at + 1 == words.len()) {
                current = candidate;
                continue;
            }
            if !current.is_empty() {
                chunks.push(quoted(&current));
            }
            current = (*word).to_owned();
        }
        if !current.is_empty() {
            chunks.push(quoted(&current));
        }
    }
    let whole = chunks.len() > 1 && level == 1;
    let between = format!("\n{}", " ".repeat(room.indent));
    out.push_str(if whole { "(" } else { "" });
    out.push_str(&chunks.join(&between));
    out.push_str(if whole { ")" } else { "" });
}

/// Words, each with the spaces behind it.
fn words(line: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let (mut start, mut spaces) = (0, false);
    for (at, c) in line.char_indices() {
        if spaces && !c.is_whitespace() {
            out.extend(line.get(start..at));
            start = at;
        }
        spaces = c.is_whitespace();
    }
    out.extend(line.get(start..).filter(|rest| !rest.is_empty()));
    out
}

fn sorted(value: &Value) -> Vec<(Value, Value)> {
    let all = pairs(value);
    let mut ordered = all.clone();
    // What has no order stays as it is.
    if ops::sort_by_key(&mut ordered, |(key, _)| key).is_ok() { ordered } else { all }
}

/// A value on one line: plain dicts in order, but for those inside of others' `repr`.
fn flat(value: &Value, level: usize) -> String {
    match value.kind() {
        ValueKind::Map if !is_ordered(value) && level <= DEPTH_MAX => {
            let all = sorted(value);
            let all =
                all.iter().map(|(key, item)| format!("{}: {}", repr(key), flat(item, level + 1)));
            format!("{{{}}}", all.collect::<Vec<_>>().join(", "))
        }
        ValueKind::Seq if level <= DEPTH_MAX => {
            let all = items(value);
            let inner = all.iter().map(|item| flat(item, level + 1)).collect::<Vec<_>>().join(", ");
            match (is_tuple(value), all.len()) {
                (true, 1) => format!("({inner},)"),
                (true, _) => format!("({inner})"),
                (false, _) => format!("[{inner}]"),
            }
        }
        _ => repr(value),
    }
}
