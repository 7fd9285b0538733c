//! Python's ways to format text: `'%s' % x` and `'{}'.format(x)`.

mod spec;

use minijinja::Error;
use minijinja::value::{Value, ValueKind};

use super::args::Args;
use super::ast::Name;
use super::eval::{attribute, item};
use super::ops::{self, TEXT_MAX, type_name};
use super::undefined;
use crate::render::methods;
use crate::render::python::{fault, is_tuple, items, repr, text};
use spec::Spec;

pub(in crate::render) use spec::{fixed, scientific};

/// What a text grows to is limited while it grows.
fn push(out: &mut String, more: &str) -> Result<(), Error> {
    if out.len() + more.len() > TEXT_MAX {
        return Err(fault("the formatted text is too large"));
    }
    out.push_str(more);
    Ok(())
}

/// `format % values`.
pub(in crate::render) fn percent(format: &str, values: &Value) -> Result<String, Error> {
    let many = if is_tuple(values) { items(values) } else { vec![values.clone()] };
    let mut percent = Percent { format, values, many, next: 0, named: false };
    let mut out = String::new();
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        push(&mut out, &rest[..at])?;
        rest = percent.one(&rest[at + 1..], &mut out)?;
    }
    push(&mut out, rest)?;
    // A list counts as a mapping, too: it can be asked for an item.
    let mapping = !is_tuple(values)
        && matches!(values.kind(), ValueKind::Map | ValueKind::Seq | ValueKind::Bytes);
    if percent.next < percent.many.len() && !percent.named && !mapping {
        return Err(fault("not all arguments converted during string formatting"));
    }
    Ok(out)
}

struct Percent<'a> {
    format: &'a str,
    values: &'a Value,
    many: Vec<Value>,
    next: usize,
    named: bool,
}

impl Percent<'_> {
    fn take(&mut self) -> Result<Value, Error> {
        let found = self.many.get(self.next).cloned();
        self.next += 1;
        let found = found.ok_or_else(|| fault("not enough arguments for format string"))?;
        undefined::refuse(&found)?;
        Ok(found)
    }

    /// `*` or digits.
    fn width<'f>(&mut self, rest: &'f str) -> Result<(Option<i64>, &'f str), Error> {
        if let Some(rest) = rest.strip_prefix('*') {
            let width = self.take()?;
            let width = width.as_i64().filter(|_| width.is_integer());
            let width = width.ok_or_else(|| fault("* wants int"))?;
            return Ok((Some(width), rest));
        }
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let width = rest[..digits].parse().ok();
        if width.is_none() && digits > 0 {
            return Err(fault("width too big"));
        }
        Ok((width, &rest[digits..]))
    }

    /// What stands after one `%`; gives the rest of the format.
    fn one<'f>(&mut self, after: &'f str, out: &mut String) -> Result<&'f str, Error> {
        if let Some(rest) = after.strip_prefix('%') {
            push(out, "%")?;
            return Ok(rest);
        }
        let (mut rest, mut key) = (after, None);
        if let Some(inner) = rest.strip_prefix('(') {
            let end = inner.find(')').ok_or_else(|| fault("incomplete format key"))?;
            key = Some(&inner[..end]);
            rest = &inner[end + 1..];
        }
        let flags = rest.len() - rest.trim_start_matches(['#', '0', '-', ' ', '+']).len();
        let (flags, after) = rest.split_at(flags);
        let (width, after) = self.width(after)?;
        let (precision, after) = match after.strip_prefix('.') {
            Some(after) => {
                let (precision, after) = self.width(after)?;
                (Some(precision.unwrap_or(0)), after)
            }
            None => (None, after),
        };
        let after = after.trim_start_matches(['h', 'l', 'L']);
        let kind = after.chars().next().ok_or_else(|| fault("incomplete format"))?;
        let rest = &after[kind.len_utf8()..];
        let value = match key {
            Some(key) => self.named(key)?,
            None => self.take()?,
        };
        let left = flags.contains('-') || width.is_some_and(|width| width < 0);
        let spec = Spec {
            fill: if flags.contains('0') && !left && !"srac".contains(kind) { '0' } else { ' ' },
            align: match (left, flags.contains('0') && !"srac".contains(kind)) {
                (true, _) => Some('<'),
                (false, true) => Some('='),
                (false, false) => Some('>'),
            },
            zero: false,
            no_negative_zero: false,
            sign: ['+', ' '].into_iter().find(|sign| flags.contains(*sign)),
            alternate: flags.contains('#'),
            width: spec::sized(width.map(i64::unsigned_abs))?,
            group: None,
            precision: spec::precise(precision)?,
            kind: None,
        };
        let known = "srcdiuxXoeEfFgGa".contains(kind);
        if !known {
            let index = self.format.chars().count() - rest.chars().count() - 1;
            let code = u32::from(kind);
            let kind = if kind.is_ascii() && !kind.is_ascii_control() { kind } else { '?' };
            return Err(fault(format!(
                "unsupported format character '{kind}' ({code:#x}) at index {index}"
            )));
        }
        push(out, &converted(kind, &value, spec)?)?;
        Ok(rest)
    }

    fn named(&mut self, key: &str) -> Result<Value, Error> {
        self.named = true;
        match self.values.kind() {
            ValueKind::Map => {}
            ValueKind::Seq if !is_tuple(self.values) => {
                return Err(fault("list indices must be integers or slices, not str"));
            }
            _ => return Err(fault("format requires a mapping")),
        }
        let key = Value::from(key);
        let found = self.values.get_item(&key).unwrap_or_default();
        if found.is_undefined() {
            return Err(ops::key_error(&key));
        }
        undefined::refuse(&found)?;
        Ok(found)
    }
}

/// Python's `ascii()`.
fn ascii(value: &Value) -> String {
    let escaped = |c: char| if c.is_ascii() { c.to_string() } else { methods::escaped(c) };
    repr(value).chars().map(escaped).collect()
}

fn converted(kind: char, value: &Value, spec: Spec) -> Result<String, Error> {
    let number = ops::number(value);
    match kind {
        's' => Ok(spec.text(&text(value))),
        'r' => Ok(spec.text(&repr(value))),
        'a' => Ok(spec.text(&ascii(value))),
        'c' => match (value.as_str(), number) {
            (Some(text), _) if text.chars().count() == 1 => Ok(spec.text(text)),
            (None, Some(ops::Number::Int(code))) => {
                let c = u32::try_from(code).ok().and_then(char::from_u32);
                let c = c.ok_or_else(|| fault("%c arg not in range(0x110000)"))?;
                Ok(spec.text(&c.to_string()))
            }
            _ => Err(fault("%c requires int or char")),
        },
        'd' | 'i' | 'u' => match number {
            Some(number) => {
                let whole = match number {
                    ops::Number::Int(number) => number,
                    #[allow(clippy::cast_possible_truncation, reason = "as int() in Python")]
                    ops::Number::Float(number) => number as i128,
                };
                spec.integer(whole, 10, false)
            }
            None => Err(fault(format!(
                "%{kind} format: a real number is required, not {}",
                type_name(value)
            ))),
        },
        'x' | 'X' | 'o' => match number {
            Some(ops::Number::Int(whole)) => {
                spec.integer(whole, if kind == 'o' { 8 } else { 16 }, kind == 'X')
            }
            Some(_) | None => Err(fault(format!(
                "%{kind} format: an integer is required, not {}",
                type_name(value)
            ))),
        },
        'e' | 'E' | 'f' | 'F' | 'g' | 'G' => match number {
            Some(number) => spec.float(number.as_float(), kind),
            None => Err(fault(format!("must be real number, not {}", type_name(value)))),
        },
        other => Err(fault(format!("unsupported format character '{other}'"))),
    }
}

/// `'{} {name} {0[x].y!r:>10}'.format(..)`.
pub(in crate::render) fn braces(format: &str, args: &Args) -> Result<String, Error> {
    braced(format, args, &mut Places::Unknown, 0)
}

/// How a format numbers its fields: all by itself, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Places {
    Unknown,
    Told,
    Counted(usize),
}

impl Places {
    fn next(&mut self) -> Result<usize, Error> {
        let at = match *self {
            Places::Unknown => 0,
            Places::Counted(at) => at,
            Places::Told => {
                return Err(switched("manual", "specification", "automatic", "numbering"));
            }
        };
        *self = Places::Counted(at + 1);
        Ok(at)
    }

    fn tell(&mut self) -> Result<(), Error> {
        if matches!(self, Places::Counted(_)) {
            return Err(switched("automatic", "numbering", "manual", "specification"));
        }
        *self = Places::Told;
        Ok(())
    }
}

fn switched(from: &str, from_what: &str, to: &str, to_what: &str) -> Error {
    fault(format!("cannot switch from {from} field {from_what} to {to} field {to_what}"))
}

fn braced(format: &str, args: &Args, next: &mut Places, depth: usize) -> Result<String, Error> {
    if depth > 2 {
        return Err(fault("Max string recursion exceeded"));
    }
    let mut out = String::new();
    let mut rest = format;
    while let Some(at) = rest.find(['{', '}']) {
        push(&mut out, &rest[..at])?;
        let after = &rest[at + 1..];
        let open = rest[at..].starts_with('{');
        if after.starts_with(if open { '{' } else { '}' }) {
            push(&mut out, &rest[at..=at])?;
            rest = &after[1..];
            continue;
        }
        if !open {
            return Err(fault("Single '}' encountered in format string"));
        }
        if after.is_empty() {
            return Err(fault("Single '{' encountered in format string"));
        }
        let end = closing(after).ok_or_else(|| fault("expected '}' before end of string"))?;
        push(&mut out, &field(&after[..end], args, next, depth)?)?;
        rest = &after[end + 1..];
    }
    push(&mut out, rest)?;
    Ok(out)
}

fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return Some(at),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn field(field: &str, args: &Args, next: &mut Places, depth: usize) -> Result<String, Error> {
    let (name, spec) = field.split_once(':').unwrap_or((field, ""));
    let (name, conversion) = match name.split_once('!') {
        Some((name, conversion)) => (name, Some(conversion)),
        None => (name, None),
    };
    let end = name.find(['.', '[']).unwrap_or(name.len());
    let (first, mut path) = name.split_at(end);
    let mut value = argument(first, args, next)?;
    while !path.is_empty() {
        let (key, rest) = if let Some(inner) = path.strip_prefix('[') {
            let end = inner.find(']').ok_or_else(|| fault("Missing ']' in format string"))?;
            (&inner[..end], &inner[end + 1..])
        } else {
            let inner = path.strip_prefix('.').unwrap_or(path);
            let end = inner.find(['.', '[']).unwrap_or(inner.len());
            (&inner[..end], &inner[end..])
        };
        if key.is_empty() {
            return Err(fault("Empty attribute in format string"));
        }
        value = if path.starts_with('[') {
            let at = place(key)?;
            item(&value, &at.map_or_else(|| Value::from(key), Value::from))?
        } else {
            attribute(&value, &Name::from(key))?
        };
        path = rest;
    }
    undefined::refuse(&value)?;
    let spec =
        if spec.contains('{') { braced(spec, args, next, depth + 1)? } else { spec.to_owned() };
    let value = match conversion {
        None => value,
        Some("s") => Value::from(text(&value)),
        Some("r") => Value::from(repr(&value)),
        Some("a") => Value::from(ascii(&value)),
        Some(other) => return Err(fault(format!("Unknown conversion specifier {other}"))),
    };
    if spec.is_empty() {
        return Ok(text(&value));
    }
    Spec::parse(&spec, type_name(&value))?.value(&value)
}

/// The place that a name tells: digits, without a sign.
fn place(name: &str) -> Result<Option<usize>, Error> {
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(None);
    }
    let at = name.parse::<i64>().ok().and_then(|at| usize::try_from(at).ok());
    at.map(Some).ok_or_else(|| fault("Too many decimal digits in format string"))
}

fn argument(name: &str, args: &Args, next: &mut Places) -> Result<Value, Error> {
    let at = if name.is_empty() {
        Some(next.next()?)
    } else {
        let at = place(name)?;
        at.map(|_| next.tell()).transpose()?;
        at
    };
    match at {
        Some(at) => args.plain.get(at).cloned().ok_or_else(|| fault("tuple index out of range")),
        None => args.named(name).ok_or_else(|| ops::key_error(&Value::from(name))),
    }
}
