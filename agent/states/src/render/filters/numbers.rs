//! Jinja's own filters on numbers, and those to and from texts.

use minijinja::Error;
use minijinja::value::Value;

use super::Filter;
use crate::render::jinja::args::Args;
use crate::render::jinja::format;
use crate::render::jinja::ops::{self, Number};
use crate::render::python::{fault, text};

pub(super) fn find(name: &str) -> Option<Filter> {
    Some(match name {
        "abs" => |value, _| match ops::number(value) {
            Some(Number::Int(number)) => {
                number.checked_abs().map(ops::int).ok_or_else(ops::too_large)
            }
            Some(Number::Float(number)) => Ok(Value::from(number.abs())),
            None => Err(fault(format!("bad operand type for abs(): '{}'", ops::type_name(value)))),
        },
        "int" => int,
        "float" => |value, args| {
            let default = args.get(0, "default").unwrap_or_else(|| Value::from(0.0));
            Ok(to_float(value).map_or(default, Value::from))
        },
        "round" => round,
        "filesizeformat" => filesize,
        "to_num" | "str_to_num" => |value, _| to_num(value),
        "human_to_bytes" => human_to_bytes,
        _ => return None,
    })
}

fn int(value: &Value, args: &Args) -> Result<Value, Error> {
    let default = args.get(0, "default").unwrap_or_else(|| Value::from(0));
    let base = u32::try_from(args.int(1, "base", 10)?).unwrap_or(10);
    if let Some(number) = value.as_str().and_then(|text| parse_int(text, base)) {
        return Ok(ops::int(number));
    }
    match to_float(value) {
        #[allow(clippy::cast_possible_truncation, reason = "as int() in Python")]
        Some(number) if number.is_finite() => match ops::number(value) {
            Some(Number::Int(number)) => Ok(ops::int(number)),
            Some(Number::Float(_)) | None => Ok(ops::int(number as i128)),
        },
        _ => Ok(default),
    }
}

/// Python's `int(text, base)`.
pub(super) fn parse_int(text: &str, base: u32) -> Option<i128> {
    let text = text.trim();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let prefixes = match base {
        2 => ["0b", "0B"],
        8 => ["0o", "0O"],
        16 => ["0x", "0X"],
        3..=7 | 9..=15 | 17..=36 => ["", ""],
        _ => return None,
    };
    let stripped = prefixes.iter().filter(|prefix| !prefix.is_empty());
    let digits =
        stripped.fold(digits, |digits, prefix| digits.strip_prefix(*prefix).unwrap_or(digits));
    let wrong = digits.is_empty()
        || digits.starts_with(['_', '+', '-'])
        || digits.ends_with('_')
        || digits.contains("__");
    if wrong {
        return None;
    }
    i128::from_str_radix(&digits.replace('_', ""), base).ok()?.checked_mul(sign)
}

/// Python's `float()`.
pub(super) fn to_float(value: &Value) -> Option<f64> {
    match value.as_str() {
        Some(text) => parse_float(text),
        None => ops::number(value).map(Number::as_float),
    }
}

fn parse_float(text: &str) -> Option<f64> {
    let text = text.trim();
    if text.starts_with('_') || text.ends_with('_') || text.contains("__") {
        return None;
    }
    text.replace('_', "").parse().ok()
}

/// `round(precision=0, method='common')`: always a float.
fn round(value: &Value, args: &Args) -> Result<Value, Error> {
    let precision = args.int(0, "precision", 0)?;
    let method = args.text_or(1, "method", "common");
    let Some(number) = ops::number(value) else {
        let kind = ops::type_name(value);
        return Err(fault(format!("type {kind} doesn't define __round__ method")));
    };
    if !["common", "ceil", "floor"].contains(&method.as_str()) {
        return Err(fault("method must be common, ceil or floor"));
    }
    let precision = i32::try_from(precision.clamp(-300, 300)).unwrap_or(0);
    let whole = matches!(number, Number::Int(_));
    let number = number.as_float();
    let factor = 10_f64.powi(precision);
    let rounded = match method.as_str() {
        "ceil" => (number * factor).ceil() / factor,
        "floor" => (number * factor).floor() / factor,
        _ if precision >= 0 => {
            // Digits of the exact value decide, half to even, as in Python.
            let places = usize::try_from(precision).unwrap_or(0);
            format!("{number:.places$}").parse().unwrap_or(number)
        }
        _ => (number * factor).round_ties_even() / factor,
    };
    if whole && method == "common" {
        return match ops::number(&Value::from(rounded)) {
            #[allow(clippy::cast_possible_truncation, reason = "it came from a whole number")]
            Some(_) => Ok(ops::int(rounded as i128)),
            None => Ok(Value::from(rounded)),
        };
    }
    Ok(Value::from(rounded))
}

fn filesize(value: &Value, args: &Args) -> Result<Value, Error> {
    let Some(bytes) = to_float(value) else {
        return Err(fault(format!("could not convert string to float: '{}'", text(value))));
    };
    let binary = args.flag(0, "binary", false);
    let base = if binary { 1024.0 } else { 1000.0 };
    let names: [&str; 8] = if binary {
        ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"]
    } else {
        ["kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"]
    };
    if (bytes - 1.0).abs() < f64::EPSILON {
        return Ok(Value::from("1 Byte"));
    }
    if bytes < base {
        return Ok(Value::from(format!("{:.0} Bytes", bytes.trunc())));
    }
    let mut unit = base;
    for name in names {
        let next = unit * base;
        if bytes < next || name == names[7] {
            return Ok(Value::from(format!("{} {name}", format::fixed(base * bytes / next, 1))));
        }
        unit = next;
    }
    Ok(Value::from(""))
}

pub(super) fn to_num(value: &Value) -> Result<Value, Error> {
    match value.as_str() {
        Some(text) => Ok(match (parse_int(text, 10), parse_float(text)) {
            (Some(number), _) => ops::int(number),
            (None, Some(number)) => Value::from(number),
            (None, None) => value.clone(),
        }),
        None => match ops::number(value) {
            Some(Number::Int(number)) => Ok(ops::int(number)),
            #[allow(clippy::cast_possible_truncation, reason = "as int() in Python")]
            Some(Number::Float(number)) => Ok(ops::int(number as i128)),
            None => Err(fault(format!(
                "int() argument must be a string, a bytes-like object or a real number, not '{}'",
                ops::type_name(value)
            ))),
        },
    }
}

fn human_to_bytes(value: &Value, args: &Args) -> Result<Value, Error> {
    let all = text(value);
    let all = all.trim();
    let end = all.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(all.len());
    let unit = all[end..].trim_start().to_lowercase();
    let default = args.text_or(0, "default_unit", "B").to_lowercase();
    let unit = if unit.is_empty() { default } else { unit };
    let number = all[..end].parse::<i128>().ok().map(Number::Int);
    let number = number.or_else(|| all[..end].parse::<f64>().ok().map(Number::Float));
    let Some(number) = number else { return Ok(Value::from(0)) };
    let Some(power) = unit.chars().next().and_then(|first| "bkmgtpezy".find(first)) else {
        return Ok(Value::from(0));
    };
    let power = u32::try_from(power).unwrap_or(0);
    let factor: i128 = match (&unit[1..], power) {
        ("", _) | ("ib", 1..) => 1 << (10 * power),
        ("b", 1..) if args.flag(1, "handle_metric", false) => 10_i128.pow(3 * power),
        ("b", 1..) => 1 << (10 * power),
        _ => return Ok(Value::from(0)),
    };
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "as int() of a float in Python"
    )]
    Ok(ops::int(match number {
        Number::Int(number) => number.checked_mul(factor).ok_or_else(|| fault("too large"))?,
        Number::Float(number) => (number * factor as f64) as i128,
    }))
}
