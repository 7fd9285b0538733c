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
    /// Whether a zero stands before the width: numbers are then filled behind their sign.
    pub(super) zero: bool,
    pub(super) no_negative_zero: bool,
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
    /// Reads a form for a value of a type.
    pub(super) fn parse(text: &str, of_type: &str) -> Result<Spec, Error> {
        let invalid =
            || fault(format!("Invalid format specifier '{text}' for object of type '{of_type}'"));
        let mut spec = Spec { fill: ' ', ..Spec::default() };
        let is_align = |c: char| "<>=^".contains(c);
        let mut chars = text.chars();
        let (first, second) = (chars.next(), chars.next());
        let filled = second.is_some_and(is_align);
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
            spec.sign = Some(sign);
            rest = &rest[1..];
        }
        if let Some(after) = rest.strip_prefix('z') {
            spec.no_negative_zero = true;
            rest = after;
        }
        if let Some(after) = rest.strip_prefix('#') {
            spec.alternate = true;
            rest = after;
        }
        if let Some(after) = rest.strip_prefix('0').filter(|_| !filled) {
            spec.zero = true;
            spec.fill = '0';
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
            if let Some(other) = rest.chars().next().filter(|c| ",_".contains(*c)) {
                return Err(fault(match other == group {
                    true => format!("Cannot specify '{group}' with '{group}'."),
                    false => "Cannot specify both ',' and '_'.".to_owned(),
                }));
            }
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
    pub(super) fn value(mut self, value: &Value) -> Result<String, Error> {
        match (ops::number(value), value.kind()) {
            (_, ValueKind::String) => {
                self.judge_group()?;
                self.word(value.as_str().unwrap_or_default())
            }
            (Some(number), _) => {
                self.judge_group()?;
                let align = if self.zero { '=' } else { '>' };
                self.align = self.align.or(Some(align));
                match (number, self.kind) {
                    (number, Some(kind @ ('e' | 'E' | 'f' | 'F' | 'g' | 'G' | '%'))) => {
                        self.float(number.as_float(), kind)
                    }
                    (Number::Int(number), _) => self.whole(number, type_name(value)),
                    (Number::Float(number), _) => self.real(number),
                }
            }
            (None, _) => Err(fault(format!(
                "unsupported format string passed to {}.__format__",
                type_name(value)
            ))),
        }
    }

    /// Refuses separators that a form of number does not have.
    fn judge_group(self) -> Result<(), Error> {
        let (Some(by), Some(kind)) = (self.group, self.kind) else { return Ok(()) };
        if "deEfFgG%".contains(kind) || (by == '_' && "boxX".contains(kind)) {
            return Ok(());
        }
        Err(fault(format!("Cannot specify '{by}' with {}.", shown(kind))))
    }

    fn word(self, text: &str) -> Result<String, Error> {
        if let Some(kind) = self.kind.filter(|kind| *kind != 's') {
            return Err(unknown(kind, "str"));
        }
        let refused = match self {
            Spec { sign: Some(' '), .. } => "Space",
            Spec { sign: Some(_), .. } => "Sign",
            Spec { no_negative_zero: true, .. } => "Negative zero coercion (z)",
            Spec { alternate: true, .. } => "Alternate form (#)",
            Spec { align: Some('='), .. } => "'=' alignment",
            Spec { group: Some(by), .. } => {
                return Err(fault(format!("Cannot specify '{by}' with 's'.")));
            }
            _ => return Ok(self.text(text)),
        };
        Err(fault(format!("{refused} not allowed in string format specifier")))
    }

    fn whole(self, number: i128, of_type: &str) -> Result<String, Error> {
        let kind = self.kind.unwrap_or('d');
        if !"dncxXob".contains(kind) {
            return Err(unknown(kind, of_type));
        }
        if self.precision.is_some() {
            return Err(fault("Precision not allowed in integer format specifier"));
        }
        if self.no_negative_zero {
            let refused = "Negative zero coercion (z) not allowed in integer format specifier";
            return Err(fault(refused));
        }
        match kind {
            'c' => self.character(number),
            'x' => self.integer(number, 16, false),
            'X' => self.integer(number, 16, true),
            'o' => self.integer(number, 8, false),
            'b' => self.integer(number, 2, false),
            _ => self.integer(number, 10, false),
        }
    }

    fn character(self, code: i128) -> Result<String, Error> {
        let refused = match self {
            Spec { sign: Some(_), .. } => "Sign",
            Spec { alternate: true, .. } => "Alternate form (#)",
            _ => {
                let c = u32::try_from(code).ok().and_then(char::from_u32);
                let c = c.ok_or_else(|| fault("%c arg not in range(0x110000)"))?;
                return Ok(self.padded(&c.to_string(), self.align.unwrap_or('<')));
            }
        };
        Err(fault(format!("{refused} not allowed with integer format specifier 'c'")))
    }

    fn real(self, number: f64) -> Result<String, Error> {
        match (self.kind, self.precision) {
            (Some('n'), _) => self.float(number, 'g'),
            (Some(kind), _) => Err(unknown(kind, "float")),
            (None, None) => {
                let digits = text(&Value::from(number.abs()));
                Ok(self.signed(number.is_sign_negative(), "", &digits))
            }
            (None, Some(precision)) if precision > PRECISION_MAX => Err(fault("precision too big")),
            (None, Some(precision)) => {
                let digits = general(number.abs(), precision, self.alternate);
                let bare = number.is_finite() && !digits.contains(['.', 'e']);
                let digits = if bare { format!("{digits}.0") } else { digits };
                Ok(self.signed(number.is_sign_negative(), "", &digits))
            }
        }
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
        let negative = negative
            && !(self.no_negative_zero && digits.chars().all(|c| !c.is_ascii_digit() || c == '0'));
        let sign = match (negative, self.sign) {
            (true, _) => "-".to_owned(),
            (false, Some(sign)) if sign != '-' => sign.to_string(),
            (false, _) => String::new(),
        };
        let filled = self.fill == '0' && self.align == Some('=');
        let least = self.width.saturating_sub(sign.len() + prefix.len());
        let least = if filled { least } else { 0 };
        let by = if matches!(self.kind, Some('b' | 'o' | 'x' | 'X')) { 4 } else { 3 };
        let digits = match self.group {
            Some(group) => grouped(digits, group, by, least),
            None => digits.to_owned(),
        };
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
            Some(precision) => zeros(&digits, precision),
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
        let point = if self.alternate && precision == 0 { "." } else { "" };
        let pointed = |size: f64| format!("{}{point}", fixed(size, precision));
        let digits = if !size.is_finite() {
            if size.is_nan() { "nan".to_owned() } else { "inf".to_owned() }
        } else {
            match kind {
                'e' | 'E' if self.alternate && precision == 0 => {
                    scientific(size, precision).replacen('e', ".e", 1)
                }
                'e' | 'E' => scientific(size, precision),
                'g' | 'G' => general(size, precision, self.alternate),
                '%' => format!("{}%", pointed(size * 100.0)),
                _ => pointed(size),
            }
        };
        let digits = if kind.is_ascii_uppercase() { digits.to_uppercase() } else { digits };
        Ok(self.signed(number.is_sign_negative(), "", &digits))
    }
}

/// Digits behind zeros: Rust's own widths end at 65535, and panic behind it.
fn zeros(digits: &str, width: usize) -> String {
    "0".repeat(width.saturating_sub(digits.len())) + digits
}

/// Digits with separators; zeros stand before them until they are as wide as is asked for.
fn grouped(digits: &str, group: char, by: usize, least: usize) -> String {
    let radix = if by == 4 { 16 } else { 10 };
    let end = digits.find(|c: char| !c.is_digit(radix)).unwrap_or(digits.len());
    let (whole, rest) = digits.split_at(end);
    if whole.is_empty() {
        return digits.to_owned();
    }
    let mut count = whole.len();
    while count + count.saturating_sub(1) / by + rest.len() < least {
        count += 1;
    }
    let whole = zeros(whole, count);
    let mut out = String::new();
    for (at, digit) in whole.char_indices() {
        if at > 0 && (whole.len() - at).is_multiple_of(by) {
            out.push(group);
        }
        out.push(digit);
    }
    out + rest
}

/// A format code as Python shows it.
fn shown(kind: char) -> String {
    match u32::from(kind) {
        33..=127 => format!("'{kind}'"),
        code => format!("'\\x{code:x}'"),
    }
}

fn unknown(kind: char, of_type: &str) -> Error {
    fault(format!("Unknown format code {} for object of type '{of_type}'", shown(kind)))
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
