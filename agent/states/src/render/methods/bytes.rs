//! Methods of Python's bytes, and the encodings between them and texts.

use minijinja::Error;
use minijinja::value::{Value, ValueKind};

use crate::render::jinja::args::Args;
use crate::render::jinja::ops::{self, TEXT_MAX};
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
    if out.len() > TEXT_MAX { Err(ops::too_large()) } else { Ok(Value::from_bytes(out)) }
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
    let out = match encoding(args)? {
        Encoding::Latin1 => own.iter().map(|byte| char::from(*byte)).collect(),
        Encoding::Ascii => of_ascii(own, &errors)?,
        Encoding::Utf8 => of_utf8(own, &errors)?,
    };
    if out.len() > TEXT_MAX { Err(ops::too_large()) } else { Ok(Value::from(out)) }
}

fn of_ascii(own: &[u8], errors: &str) -> Result<String, Error> {
    let mut out = String::with_capacity(own.len());
    for (at, byte) in own.iter().enumerate() {
        if byte.is_ascii() {
            out.push(char::from(*byte));
            continue;
        }
        out.push_str(&instead(errors, &[*byte])?.ok_or_else(|| {
            fault(format!(
                "'ascii' codec can't decode byte {byte:#04x} in position {at}: ordinal not in \
                 range(128)"
            ))
        })?);
    }
    Ok(out)
}

fn of_utf8(own: &[u8], errors: &str) -> Result<String, Error> {
    let mut out = String::with_capacity(own.len());
    for chunk in own.utf8_chunks() {
        out.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            out.push_str(&instead(errors, chunk.invalid())?.ok_or_else(|| no_utf8(own))?);
        }
    }
    Ok(out)
}

/// What stands for bytes that are no text; `None` where they are an error.
fn instead(errors: &str, wrong: &[u8]) -> Result<Option<String>, Error> {
    Ok(match errors {
        "ignore" => Some(String::new()),
        "replace" => Some("\u{fffd}".to_owned()),
        "backslashreplace" => Some(wrong.iter().map(|byte| format!("\\x{byte:02x}")).collect()),
        // Half a surrogate is no character here.
        "strict" | "surrogateescape" | "surrogatepass" => None,
        _ => return Err(fault(format!("unknown error handler name '{errors}'"))),
    })
}

fn no_utf8(own: &[u8]) -> Error {
    let Err(error) = std::str::from_utf8(own) else { return fault("no text of UTF-8") };
    let at = error.valid_up_to();
    let byte = own.get(at).copied().unwrap_or_default();
    let end = error.error_len().map_or(own.len(), |len| at + len);
    let wrong = match end - at {
        1 => format!("byte {byte:#04x} in position {at}"),
        _ => format!("bytes in position {at}-{}", end - 1),
    };
    let why = match error.error_len() {
        None => "unexpected end of data",
        Some(_) if (0x80..0xc2).contains(&byte) || byte > 0xf4 => "invalid start byte",
        Some(_) => "invalid continuation byte",
    };
    fault(format!("'utf-8' codec can't decode {wrong}: {why}"))
}

/// `hex(sep, bytes_per_sep=1)`: groups count from the right, those of a negative size from the
/// left.
fn hex(own: &[u8], args: &Args) -> Result<Value, Error> {
    let by = args.get(0, "sep").map(|by| separator(&by)).transpose()?;
    let per = args.int(1, "bytes_per_sep", 1)?;
    let size = usize::try_from(per.unsigned_abs()).unwrap_or(usize::MAX);
    if own.len() > TEXT_MAX / 3 {
        return Err(ops::too_large());
    }
    let mut out = String::with_capacity(own.len() * 3);
    for (at, byte) in own.iter().enumerate() {
        let place = if per < 0 { at } else { own.len() - at };
        if at > 0 && size > 0 && place.is_multiple_of(size) {
            out.extend(by);
        }
        out.push_str(&format!("{byte:02x}"));
    }
    Ok(Value::from(out))
}

fn separator(by: &Value) -> Result<char, Error> {
    let Some(own) = by.as_bytes() else {
        return Err(fault(format!("object of type '{}' has no len()", ops::type_name(by))));
    };
    let shown = String::from_utf8_lossy(own);
    let mut chars = shown.chars();
    match (chars.next(), chars.next()) {
        (Some(by), None) if by.is_ascii() => Ok(by),
        (Some(_), None) => Err(fault("sep must be ASCII.")),
        _ => Err(fault("sep must be length 1.")),
    }
}

pub(super) fn call(own: &[u8], method: &str, args: &Args) -> Result<Value, Error> {
    match method {
        "decode" => decoded(own, args),
        "hex" => hex(own, args),
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
