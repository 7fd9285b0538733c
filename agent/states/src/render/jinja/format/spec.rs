//! One field's form: `[[fill]align][sign][#][0][width][,][.precision][type]`.

use minijinja::Error;
use minijinja::value::{Value, ValueKind};

use super::super::ops::{self, Number, type_name};
use crate::render::python::{fault, text};

/// Characters that one field may be wide.
const WIDTH_MAX: usize = 1 << 20;
/// Digits after a point.
const PRECISION_MAX: usize = 1000;

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Spec {
    pub(super) fill: char,
    pub(super) align: Option<char>,
    pub(super) sign: Option<char>,
    pub(super) alternate: bool,
    pub(super) width: usize,
    pub(super) group: Option<char>,
    pub(super) precision: Option<usize>,
    pub(super) kind: Option<char>,
}

pub(super) fn sized(width: Option<u64>) -> Result<usize, Error> {
    let width = usize::try_from(width.unwrap_or(0)).unwrap_or(usize::MAX);
    if width > WIDTH_MAX { Err(fault("the width is too large")) } else { Ok(width) }
}

pub(super) fn precise(precision: Option<i64>) -> Result<Option<usize>, Error> {
    let Some(precision) = precision else { return Ok(None) };
    let precision = usize::try_from(precision.max(0)).unwrap_or(usize::MAX);
    if precision > WIDTH_MAX { Err(fault("precision too big")) } else { Ok(Some(precision)) }
}

impl Spec {
    pub(super) fn parse(text: &str) -> Result<Spec, Error> {
        let invalid = || fault("Invalid format specifier");
        let mut spec = Spec { fill: ' ', ..Spec::default() };
        let is_align = |c: char| "<>=^".contains(c);
        let mut chars = text.chars();
        let (first, second) = (chars.next(), chars.next());
        let mut rest = text;
        match (first, second) {
            (Some(fill), Some(align)) if is_align(align) => {
                spec.fill = fill;
                spec.align = Some(align);
                rest = &text[fill.len_utf8() + 1..];
            }
            (Some(align), _) if is_align(align) => {
                spec.align = Some(align);
                rest = &text[1..];
            }
            _ => {}
        }
        if let Some(sign) = rest.chars().next().filter(|c| "+- ".contains(*c)) {
            spec.sign = Some(sign).filter(|sign| *sign != '-');
            rest = &rest[1..];
        }
        if let Some(after) = rest.strip_prefix('#') {
            spec.alternate = true;
            rest = after;
        }
        if let Some(after) = rest.strip_prefix('0') {
            if spec.align.is_none() {
                spec.fill = '0';
                spec.align = Some('=');
            }
            rest = after;
        }
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let width =
            if digits == 0 { None } else { Some(rest[..digits].parse().map_err(|_| invalid())?) };
        spec.width = sized(width)?;
        rest = &rest[digits..];
        if let Some(group) = rest.chars().next().filter(|c| ",_".contains(*c)) {
            spec.group = Some(group);
            rest = &rest[1..];
        }
        if let Some(after) = rest.strip_prefix('.') {
            let digits = after.bytes().take_while(u8::is_ascii_digit).count();
            spec.precision = precise(Some(
                after[..digits].parse().map_err(|_| fault("Format specifier missing precision"))?,
            ))?;
            rest = &after[digits..];
        }
        let mut chars = rest.chars();
        spec.kind = chars.next();
        if chars.next().is_some() { Err(invalid()) } else { Ok(spec) }
    }

    /// `format(value, spec)`.
    pub(super) fn value(self, value: &Value) -> Result<String, Error> {
        let unknown = |kind: char| {
            fault(format!("Unknown format code '{kind}' for object of type '{}'", type_name(value)))
        };
        if value.kind() == ValueKind::Bool && self.is_plain() {
            return Ok(self.text(&text(value)));
        }
        match (ops::number(value), self.kind) {
            (Some(Number::Int(whole)), None | Some('d' | 'n')) => self.integer(whole, 10, false),
            (Some(Number::Int(whole)), Some('x')) => self.integer(whole, 16, false),
            (Some(Number::Int(whole)), Some('X')) => self.integer(whole, 16, true),
            (Some(Number::Int(whole)), Some('o')) => self.integer(whole, 8, false),
            (Some(Number::Int(whole)), Some('b')) => self.integer(whole, 2, false),
            (Some(Number::Int(code)), Some('c')) => {
                let c = u32::try_from(code).ok().and_then(char::from_u32);
                Ok(self.text(&c.ok_or_else(|| fault("%c arg not in range(0x110000)"))?.to_string()))
            }
            (Some(number), Some(kind @ ('e' | 'E' | 'f' | 'F' | 'g' | 'G' | '%'))) => {
                self.float(number.as_float(), kind)
            }
            (Some(Number::Float(number)), None) => match self.precision {
                Some(_) => self.float(number, 'g'),
                None => Ok(self.signed(
                    number.is_sign_negative(),
                    "",
                    &text(&Value::from(number.abs())),
                )),
            },
            (Some(_), Some(kind)) => Err(unknown(kind)),
            (None, None | Some('s')) if value.kind() == ValueKind::String || self.is_plain() => {
                Ok(self.text(&text(value)))
            }
            (None, _) if value.kind() != ValueKind::String => Err(fault(format!(
                "unsupported format string passed to {}.__format__",
                type_name(value)
            ))),
            (None, Some(kind)) => Err(unknown(kind)),
            (None, None) => Ok(self.text(&text(value))),
        }
    }

    fn is_plain(self) -> bool {
        self.width == 0 && self.align.is_none() && self.precision.is_none() && self.kind.is_none()
    }

    pub(super) fn text(self, text: &str) -> String {
        let cut: String = match self.precision {
            Some(precision) => text.chars().take(precision).collect(),
            None => text.to_owned(),
        };
        self.padded(&cut, self.align.unwrap_or('<'))
    }

    fn padded(self, text: &str, align: char) -> String {
        let missing = self.width.saturating_sub(text.chars().count());
        let (left, right) = match align {
            '<' => (0, missing),
            '^' => (missing / 2, missing - missing / 2),
            _ => (missing, 0),
        };
        let fill = |count| String::from_iter(std::iter::repeat_n(self.fill, count));
        format!("{}{text}{}", fill(left), fill(right))
    }

    fn signed(self, negative: bool, prefix: &str, digits: &str) -> String {
        let sign = match (negative, self.sign) {
            (true, _) => "-".to_owned(),
            (false, Some(sign)) => sign.to_string(),
            (false, None) => String::new(),
        };
        let digits = self.group.map_or_else(|| digits.to_owned(), |by| grouped(digits, by));
        if self.align == Some('=') {
            let used = sign.len() + prefix.len() + digits.chars().count();
            let fill = std::iter::repeat_n(self.fill, self.width.saturating_sub(used));
            return format!("{sign}{prefix}{}{digits}", String::from_iter(fill));
        }
        self.padded(&format!("{sign}{prefix}{digits}"), self.align.unwrap_or('>'))
    }

    pub(super) fn integer(self, number: i128, radix: u32, upper: bool) -> Result<String, Error> {
        let size = number.unsigned_abs();
        let (digits, prefix) = match radix {
            2 => (format!("{size:b}"), "0b"),
            8 => (format!("{size:o}"), "0o"),
            16 if upper => (format!("{size:X}"), "0X"),
            16 => (format!("{size:x}"), "0x"),
            _ => (size.to_string(), ""),
        };
        let digits = match self.precision {
            Some(precision) => format!("{digits:0>precision$}"),
            None => digits,
        };
        Ok(self.signed(number < 0, if self.alternate { prefix } else { "" }, &digits))
    }

    pub(super) fn float(self, number: f64, kind: char) -> Result<String, Error> {
        let precision = self.precision.unwrap_or(6);
        if precision > PRECISION_MAX {
            return Err(fault("precision too big"));
        }
        let size = number.abs();
        let digits = if !size.is_finite() {
            if size.is_nan() { "nan".to_owned() } else { "inf".to_owned() }
        } else {
            match kind {
                'e' | 'E' => scientific(size, precision),
                'g' | 'G' => general(size, precision, self.alternate),
                '%' => format!("{}%", fixed(size * 100.0, precision)),
                _ => fixed(size, precision),
            }
        };
        let digits = if kind.is_ascii_uppercase() { digits.to_uppercase() } else { digits };
        Ok(self.signed(number.is_sign_negative(), "", &digits))
    }
}

fn grouped(digits: &str, by: char) -> String {
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let (whole, rest) = digits.split_at(end);
    let mut out = String::new();
    for (at, digit) in whole.char_indices() {
        if at > 0 && (whole.len() - at) % 3 == 0 {
            out.push(by);
        }
        out.push(digit);
    }
    out + rest
}

pub(in crate::render) fn fixed(number: f64, precision: usize) -> String {
    format!("{number:.precision$}")
}

/// `1.500000e+10`.
pub(in crate::render) fn scientific(number: f64, precision: usize) -> String {
    let text = format!("{number:.precision$e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ('-', exponent),
        None => ('+', exponent),
    };
    format!("{digits}e{sign}{exponent:0>2}")
}

/// `%g`: the shorter of the two forms, without zeros at the end.
pub(in crate::render) fn general(number: f64, precision: usize, keep: bool) -> String {
    let precision = precision.max(1);
    let science = scientific(number, precision - 1);
    let exponent: i64 = science.split_once('e').and_then(|(_, e)| e.parse().ok()).unwrap_or(0);
    let limit = i64::try_from(precision).unwrap_or(i64::MAX);
    if exponent < -4 || exponent >= limit {
        let (digits, tail) = science.split_once('e').unwrap_or((&science, "+00"));
        let digits = if keep { digits } else { trimmed(digits) };
        return format!("{digits}e{tail}");
    }
    let places = usize::try_from(limit - 1 - exponent).unwrap_or(0);
    let digits = fixed(number, places);
    if keep { digits } else { trimmed(&digits).to_owned() }
}

fn trimmed(digits: &str) -> &str {
    if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits }
}
