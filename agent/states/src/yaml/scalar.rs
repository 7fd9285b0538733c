//! Plain scalars of YAML 1.1, with Salt's own rules: `0644` is the decimal 644, dates stay text.

use std::sync::LazyLock;

use regex::Regex;

use super::{Data, Node};

static INT: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r"(?x)^(?: [-+]?0b[0-1_]+ | [-+]?0[0-7_]+ | [-+]?(?:0|[1-9][0-9_]*)
        | [-+]?0x[0-9a-fA-F_]+ | [-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+ )$";
    Regex::new(pattern).expect("a constant pattern")
});

static FLOAT: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r"(?x)^(?: [-+]?(?:[0-9][0-9_]*)\.[0-9_]*(?:[eE][-+][0-9]+)?
        | \.[0-9][0-9_]*(?:[eE][-+][0-9]+)? | [-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]* )$";
    Regex::new(pattern).expect("a constant pattern")
});

const STANDARD: &str = "tag:yaml.org,2002:";

fn unknown(tag: &str) -> String {
    let tag = crate::render::python::repr(&minijinja::Value::from(tag));
    format!("could not determine a constructor for the tag {tag}")
}

/// Resolves a scalar by its tag, or by its look when it is plain.
pub(crate) fn typed(text: String, plain: bool, tag: Option<&str>) -> Result<Data, String> {
    let kind = match tag {
        None if plain && text == "=" => return Err(unknown("tag:yaml.org,2002:value")),
        None if plain && text == "<<" => return Err(unknown("tag:yaml.org,2002:merge")),
        None if plain => return Ok(plain_scalar(text)),
        Some("!") if plain => return Ok(plain_scalar(text)),
        None | Some("!") => return Ok(Data::Str(text)),
        Some(tag) => tag.strip_prefix(STANDARD).ok_or_else(|| unknown(tag))?,
    };
    let resolved = || look(&text.to_lowercase());
    match kind {
        "str" | "python/unicode" | "timestamp" => Ok(Data::Str(text)),
        "null" => Ok(Data::Null),
        "bool" => match resolved() {
            Some(found @ Data::Bool(_)) => Ok(found),
            _ => Err(format!("'{text}' is no boolean")),
        },
        "int" => match integer(&text) {
            Some(number) => Ok(Data::Int(number)),
            None => Err(format!("invalid literal for int() with base 10: '{text}'")),
        },
        "float" => match (resolved(), text.replace('_', "").parse()) {
            (Some(found @ Data::Float(_)), _) => Ok(found),
            (_, Ok(number)) => Ok(Data::Float(number)),
            _ => Err(format!("could not convert string to float: '{text}'")),
        },
        "binary" => binary(&text),
        other => Err(unknown(&format!("{STANDARD}{other}"))),
    }
}

/// Base64 as text; Salt's trees hold text only. As in Python, what is no base64 is passed over.
fn binary(text: &str) -> Result<Data, String> {
    use base64::Engine;
    let signs = text.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '='));
    let clean: String = signs.take_while(|c| *c != '=').collect();
    let data = base64::engine::general_purpose::STANDARD_NO_PAD
        .decode(clean)
        .map_err(|error| format!("failed to decode base64 data: {error}"))?;
    let text = String::from_utf8(data);
    text.map(Data::Str).map_err(|_| "!!binary that is no UTF-8 text is not supported".to_owned())
}

/// What a tag says of a list or map that it does not fit; nothing of a tag that nobody knows.
fn misfit(tag: &str, found: &str) -> Option<String> {
    let wanted = match tag.strip_prefix(STANDARD)? {
        "seq" => "sequence",
        "map" | "set" => "mapping",
        "str" | "int" | "float" | "bool" | "null" | "binary" | "timestamp" => "scalar",
        _ => return None,
    };
    Some(format!("expected a {wanted} node, but found {found}"))
}

/// A list by its tag: `!!omap` and `!!pairs` are lists of pairs.
pub(crate) fn list(data: Data, tag: Option<&str>) -> Result<Data, String> {
    let Some(tag) = tag.filter(|tag| *tag != "!") else { return Ok(data) };
    match (tag.strip_prefix(STANDARD), data) {
        (Some("seq"), data) => Ok(data),
        (Some("omap" | "pairs"), Data::Seq(items)) => {
            let pair = |node: Node| match node.data {
                Data::Map(mut pairs) if pairs.len() == 1 => {
                    let (key, value) = pairs.swap_remove(0);
                    let data = Data::Seq(vec![key, value]);
                    Ok(Node { data, ..node })
                }
                _ => Err("while constructing an ordered map: expected a single mapping item"),
            };
            let items: Result<Vec<_>, _> = items.into_iter().map(pair).collect();
            Ok(Data::Seq(items?))
        }
        (_, _) => Err(misfit(tag, "sequence").unwrap_or_else(|| unknown(tag))),
    }
}

/// A map by its tag: `!!set` is the list of its keys.
pub(crate) fn map(data: Data, tag: Option<&str>) -> Result<Data, String> {
    let Some(tag) = tag.filter(|tag| *tag != "!") else { return Ok(data) };
    match (tag.strip_prefix(STANDARD), data) {
        (Some("map"), data) => Ok(data),
        (Some("set"), Data::Map(pairs)) => {
            Ok(Data::Seq(pairs.into_iter().map(|(key, _)| key).collect()))
        }
        (_, _) => Err(misfit(tag, "mapping").unwrap_or_else(|| unknown(tag))),
    }
}

/// Resolves a plain scalar by its look.
fn plain_scalar(text: String) -> Data {
    look(&text).unwrap_or(Data::Str(text))
}

/// What a plain scalar looks like; `None` if it is a text.
pub(crate) fn look(text: &str) -> Option<Data> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Some(Data::Null),
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Some(Data::Bool(true))
        }
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Some(Data::Bool(false))
        }
        _ => number(text),
    }
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
        _ if FLOAT.is_match(text) => float(&text.replace('_', "")).map(Data::Float),
        _ => None,
    }
}

fn float(text: &str) -> Option<f64> {
    if !text.contains(':') {
        return text.parse().ok();
    }
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1.0, digits),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    let sum = digits
        .split(':')
        .try_fold(0.0, |sum, part| Some(sum * 60.0 + part.parse::<f64>().ok()?))?;
    Some(sign * sum)
}

fn integer(text: &str) -> Option<i128> {
    let clean = text.replace('_', "");
    let (negative, digits) = match clean.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, clean.strip_prefix('+').unwrap_or(&clean)),
    };
    let value = if let Some(binary) = digits.strip_prefix("0b") {
        i128::from_str_radix(binary, 2).ok()?
    } else if let Some(hex) = digits.strip_prefix("0x") {
        i128::from_str_radix(hex, 16).ok()?
    } else if digits.contains(':') {
        sexagesimal(digits)?
    } else if digits.len() > 1 && digits.starts_with('0') {
        leading_zero(text, digits)?
    } else {
        return if negative { format!("-{digits}") } else { digits.to_owned() }.parse().ok();
    };
    Some(if negative { -value } else { value })
}

/// Salt strips leading zeros of an unsigned number and reads the rest as decimal; PyYAML's octal
/// remains for signed ones.
fn leading_zero(text: &str, digits: &str) -> Option<i128> {
    if text.starts_with('0') {
        let rest = digits.trim_start_matches('0');
        return if rest.is_empty() { Some(0) } else { rest.parse().ok() };
    }
    i128::from_str_radix(digits, 8).ok()
}

/// What a number with a leading zero is to PyYAML, if it is one.
pub(super) fn octal(text: &str) -> Option<i128> {
    let digits = text.strip_prefix('0').filter(|digits| !digits.is_empty())?;
    let is_octal = digits.bytes().all(|byte| matches!(byte, b'0'..=b'7' | b'_'));
    let digits = digits.replace('_', "");
    if digits.is_empty() && is_octal {
        return Some(0);
    }
    i128::from_str_radix(&digits, 8).ok().filter(|_| is_octal)
}

fn sexagesimal(digits: &str) -> Option<i128> {
    digits
        .split(':')
        .try_fold(0_i128, |sum, part| sum.checked_mul(60)?.checked_add(part.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_resolve_as_in_salt() {
        let int = |text, value| assert_eq!(look(text), Some(Data::Int(value)), "{text}");
        int("0644", 644);
        int("22:22", 1342);
        int("0x1f", 31);
        int("1_000", 1000);
        int("-7", -7);
        int("0", 0);
        let text = |text: &str| assert_eq!(look(text), None, "{text}");
        text("0o644");
        text("1e3");
        text("y");
        text("n");
        text("2026-01-01");
        text("1.2.3");
        assert_eq!(look("1.5"), Some(Data::Float(1.5)));
        assert_eq!(look("off"), Some(Data::Bool(false)));
        assert_eq!(look("~"), Some(Data::Null));
    }

    #[test]
    fn numbers_with_a_leading_zero_are_octal_to_pyyaml() {
        for (text, wanted) in [
            ("0644", Some(0o644)),
            ("00", Some(0)),
            ("0_7", Some(7)),
            ("0", None),
            ("08", None),
            ("0x10", None),
            ("0+7", None),
            ("644", None),
        ] {
            assert_eq!(octal(text), wanted, "{text}");
        }
    }

    #[test]
    fn quoted_and_tagged_scalars_keep_their_type() {
        assert_eq!(typed("yes".into(), false, None), Ok(Data::Str("yes".into())));
        let tag = Some("tag:yaml.org,2002:str");
        assert_eq!(typed("12".into(), true, tag), Ok(Data::Str("12".into())));
        let tag = Some("tag:yaml.org,2002:python/object:os.system");
        assert!(typed("x".into(), true, tag).is_err());
    }
}
