//! Plain scalars of YAML 1.1, with Salt's own rules: `0644` is the decimal 644, dates stay text.

use std::sync::LazyLock;

use regex::Regex;

use super::Data;

static INT: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r"(?x)^(?: [-+]?0b[0-1_]+ | [-+]?0[0-7_]+ | [-+]?(?:0|[1-9][0-9_]*)
        | [-+]?0x[0-9a-fA-F_]+ | [-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+ )$";
    Regex::new(pattern).expect("a constant pattern")
});

static FLOAT: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r"(?x)^(?: [-+]?(?:[0-9][0-9_]*)\.[0-9_]*(?:[eE][-+][0-9]+)?
        | [-+]?\.[0-9][0-9_]*(?:[eE][-+][0-9]+)? )$";
    Regex::new(pattern).expect("a constant pattern")
});

/// Resolves a scalar by its tag, or by its look when it is plain.
pub(crate) fn typed(text: &str, plain: bool, tag: Option<&str>) -> Data {
    match tag {
        Some("str" | "unicode" | "python/unicode" | "") => Data::Str(text.to_owned()),
        Some("int") => text.parse().map_or_else(|_| Data::Str(text.to_owned()), Data::Int),
        Some("float") => text.parse().map_or_else(|_| Data::Str(text.to_owned()), Data::Float),
        _ if plain => plain_scalar(text),
        _ => Data::Str(text.to_owned()),
    }
}

/// Resolves a plain scalar by its look.
pub(crate) fn plain_scalar(text: &str) -> Data {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Data::Null,
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Data::Bool(true);
        }
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Data::Bool(false);
        }
        _ => {}
    }
    number(text).unwrap_or_else(|| Data::Str(text.to_owned()))
}

fn number(text: &str) -> Option<Data> {
    let first = text.bytes().next()?;
    if !(first.is_ascii_digit() || matches!(first, b'-' | b'+' | b'.')) {
        return None;
    }
    if INT.is_match(text) {
        return integer(text).map(Data::Int);
    }
    match text {
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Some(Data::Float(f64::INFINITY)),
        "-.inf" | "-.Inf" | "-.INF" => Some(Data::Float(f64::NEG_INFINITY)),
        ".nan" | ".NaN" | ".NAN" => Some(Data::Float(f64::NAN)),
        _ if FLOAT.is_match(text) => text.replace('_', "").parse().ok().map(Data::Float),
        _ => None,
    }
}

fn integer(text: &str) -> Option<i64> {
    let clean = text.replace('_', "");
    let (negative, digits) = match clean.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, clean.strip_prefix('+').unwrap_or(&clean)),
    };
    let value = if let Some(binary) = digits.strip_prefix("0b") {
        i64::from_str_radix(binary, 2).ok()?
    } else if let Some(hex) = digits.strip_prefix("0x") {
        i64::from_str_radix(hex, 16).ok()?
    } else if digits.contains(':') {
        sexagesimal(digits)?
    } else if digits.len() > 1 && digits.starts_with('0') {
        leading_zero(text, digits)?
    } else {
        digits.parse().ok()?
    };
    Some(if negative { -value } else { value })
}

/// Salt strips leading zeros of an unsigned number and reads the rest as decimal; PyYAML's octal
/// remains for signed ones.
fn leading_zero(text: &str, digits: &str) -> Option<i64> {
    if text.starts_with('0') {
        let rest = digits.trim_start_matches('0');
        return if rest.is_empty() { Some(0) } else { rest.parse().ok() };
    }
    i64::from_str_radix(digits, 8).ok()
}

fn sexagesimal(digits: &str) -> Option<i64> {
    digits
        .split(':')
        .try_fold(0_i64, |sum, part| sum.checked_mul(60)?.checked_add(part.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_resolve_as_in_salt() {
        let int = |text, value| assert_eq!(plain_scalar(text), Data::Int(value), "{text}");
        int("0644", 644);
        int("22:22", 1342);
        int("0x1f", 31);
        int("1_000", 1000);
        int("-7", -7);
        int("0", 0);
        let text = |text: &str| assert_eq!(plain_scalar(text), Data::Str(text.into()));
        text("0o644");
        text("1e3");
        text("y");
        text("n");
        text("2026-01-01");
        text("1.2.3");
        assert_eq!(plain_scalar("1.5"), Data::Float(1.5));
        assert_eq!(plain_scalar("off"), Data::Bool(false));
        assert_eq!(plain_scalar("~"), Data::Null);
    }

    #[test]
    fn quoted_and_tagged_scalars_keep_their_type() {
        assert_eq!(typed("yes", false, None), Data::Str("yes".into()));
        assert_eq!(typed("12", true, Some("str")), Data::Str("12".into()));
    }
}
