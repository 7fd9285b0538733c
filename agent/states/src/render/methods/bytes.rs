//! Methods of Python's bytes, and the encodings between them and texts.

use minijinja::Error;
use minijinja::value::{Value, ValueKind};

use crate::render::jinja::args::Args;
use crate::render::jinja::ops;
use crate::render::python::{fault, text};

pub(super) const NAMES: [&str; 4] = ["decode", "hex", "startswith", "endswith"];

enum Encoding {
    Utf8,
    Ascii,
    Latin1,
}

/// An encoding by one of Python's names.
fn encoding(args: &Args) -> Result<Encoding, Error> {
    let name = args.get(0, "encoding").map_or_else(|| "utf-8".to_owned(), |name| text(&name));
    Ok(match name.to_lowercase().replace(['-', ' '], "_").as_str() {
        "utf_8" | "utf8" | "u8" | "utf" => Encoding::Utf8,
        "ascii" | "us_ascii" | "646" => Encoding::Ascii,
        "latin_1" | "latin1" | "iso_8859_1" | "iso8859_1" | "l1" | "8859" | "cp819" => {
            Encoding::Latin1
        }
        _ => return Err(fault(format!("unknown encoding: {name}"))),
    })
}

/// `str.encode`.
pub(super) fn encoded(own: &str, args: &Args) -> Result<Value, Error> {
    let errors = args.text_or(1, "errors", "strict");
    let (limit, name) = match encoding(args)? {
        Encoding::Utf8 => return Ok(Value::from_bytes(own.as_bytes().to_vec())),
        Encoding::Ascii => (128, "ascii"),
        Encoding::Latin1 => (256, "latin-1"),
    };
    let mut out = Vec::with_capacity(own.len());
    for (at, c) in own.chars().enumerate() {
        match (u8::try_from(u32::from(c)), errors.as_str()) {
            (Ok(byte), _) if u32::from(byte) < limit => out.push(byte),
            (_, "ignore") => {}
            (_, "replace") => out.push(b'?'),
            (_, "xmlcharrefreplace") => out.extend(format!("&#{};", u32::from(c)).bytes()),
            (_, "backslashreplace") => out.extend(escaped(c).bytes()),
            _ => {
                return Err(fault(format!(
                    "'{name}' codec can't encode character '{}' in position {at}: ordinal not in \
                     range({limit})",
                    escaped(c)
                )));
            }
        }
    }
    Ok(Value::from_bytes(out))
}

/// A character as Python escapes it.
pub(in crate::render) fn escaped(c: char) -> String {
    match u32::from(c) {
        code @ 0..=0xff => format!("\\x{code:02x}"),
        code @ 0x100..=0xffff => format!("\\u{code:04x}"),
        code => format!("\\U{code:08x}"),
    }
}

fn decoded(own: &[u8], args: &Args) -> Result<Value, Error> {
    let errors = args.text_or(1, "errors", "strict");
    let lossy = |own: &[u8]| match errors.as_str() {
        "replace" => Some(String::from_utf8_lossy(own).into_owned()),
        "ignore" => Some(String::from_utf8_lossy(own).replace('\u{fffd}', "")),
        _ => None,
    };
    match encoding(args)? {
        Encoding::Latin1 => Ok(Value::from(own.iter().map(|b| char::from(*b)).collect::<String>())),
        Encoding::Ascii => match own.iter().enumerate().find(|(_, byte)| !byte.is_ascii()) {
            None => Ok(Value::from(String::from_utf8_lossy(own))),
            Some((at, byte)) => lossy(own).map(Value::from).ok_or_else(|| {
                fault(format!(
                    "'ascii' codec can't decode byte {byte:#04x} in position {at}: ordinal not \
                     in range(128)"
                ))
            }),
        },
        Encoding::Utf8 => match std::str::from_utf8(own) {
            Ok(text) => Ok(Value::from(text)),
            Err(error) => lossy(own).map(Value::from).ok_or_else(|| {
                let at = error.valid_up_to();
                let byte = own.get(at).copied().unwrap_or_default();
                let why = match error.error_len() {
                    None => "unexpected end of data",
                    Some(_) if (0x80..0xc2).contains(&byte) || byte > 0xf4 => "invalid start byte",
                    Some(_) => "invalid continuation byte",
                };
                fault(format!(
                    "'utf-8' codec can't decode byte {byte:#04x} in position {at}: {why}"
                ))
            }),
        },
    }
}

pub(super) fn call(own: &[u8], method: &str, args: &Args) -> Result<Value, Error> {
    match method {
        "decode" => decoded(own, args),
        "hex" => {
            let pairs: Vec<String> = own.iter().map(|byte| format!("{byte:02x}")).collect();
            Ok(Value::from(pairs.join(&args.text_or(0, "sep", ""))))
        }
        _ => {
            let wanted = args.must(0, "prefix")?;
            let Some(part) = wanted.as_bytes().filter(|_| wanted.kind() == ValueKind::Bytes) else {
                return Err(fault(format!(
                    "{method} first arg must be bytes or a tuple of bytes, not {}",
                    ops::type_name(&wanted)
                )));
            };
            let start = method == "startswith";
            Ok(Value::from(if start { own.starts_with(part) } else { own.ends_with(part) }))
        }
    }
}
