//! `encoding` and `encoding_errors`: the bytes that a text is written as.

use serde_json::Value;

use crate::chunk::Chunk;
use crate::function::args::text;
use crate::function::{Context, Lint};

/// Encodings that this engine writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Utf8 { mark: bool },
    Ascii,
    Latin1,
    Utf16 { mark: bool, big: bool },
}

fn encoding(name: &str) -> Option<Encoding> {
    Some(match name.to_lowercase().replace('_', "-").as_str() {
        "utf-8" | "utf8" | "u8" => Encoding::Utf8 { mark: false },
        "utf-8-sig" => Encoding::Utf8 { mark: true },
        "ascii" | "us-ascii" => Encoding::Ascii,
        "latin-1" | "latin1" | "iso-8859-1" | "iso8859-1" | "l1" => Encoding::Latin1,
        "utf-16" | "utf16" => Encoding::Utf16 { mark: true, big: false },
        "utf-16-le" | "utf-16le" => Encoding::Utf16 { mark: false, big: false },
        "utf-16-be" | "utf-16be" => Encoding::Utf16 { mark: false, big: true },
        _ => return None,
    })
}

const ERRORS: [&str; 5] = ["strict", "ignore", "replace", "backslashreplace", "xmlcharrefreplace"];

/// Encodings and ways of erring that this engine does not have.
pub(in super::super) fn lint(chunk: &Chunk) -> Vec<Lint> {
    let word = |key: &str| chunk.args.get(key).filter(|value| !value.is_null()).map(text);
    let mut out = Vec::new();
    if let Some(name) = word("encoding").filter(|name| encoding(name).is_none()) {
        let told = format!("the encoding '{name}' is not supported: use utf-8, latin-1 or utf-16");
        out.push(("encoding", told));
    }
    if let Some(name) = word("encoding_errors").filter(|name| !ERRORS.contains(&name.as_str())) {
        let told = format!("encoding_errors '{name}' is not supported: use {}", ERRORS.join(", "));
        out.push(("encoding_errors", told));
    }
    out
}

/// The contents in the encoding asked for.
pub(in super::super) fn encoded(ctx: &Context<'_>, data: Vec<u8>) -> Result<Vec<u8>, String> {
    let name = ctx.value("encoding").and_then(Value::as_str).filter(|name| !name.is_empty());
    let Some(name) = name else { return Ok(data) };
    let Some(encoding) = encoding(name) else { return Err(format!("unknown encoding: {name}")) };
    let Ok(text) = String::from_utf8(data) else {
        return Err("binary contents have no encoding".to_owned());
    };
    let errors = ctx.text("encoding_errors").unwrap_or_else(|| ERRORS[0].to_owned());
    written(&text, encoding, &errors)
}

fn written(text: &str, to: Encoding, errors: &str) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(text.len());
    match to {
        Encoding::Utf8 { mark } => {
            out.extend_from_slice(if mark { "\u{feff}".as_bytes() } else { b"" });
            out.extend_from_slice(text.as_bytes());
        }
        Encoding::Utf16 { mark, big } => {
            let mark = mark.then_some(0xfeff);
            for unit in mark.into_iter().chain(text.encode_utf16()) {
                out.extend(if big { unit.to_be_bytes() } else { unit.to_le_bytes() });
            }
        }
        Encoding::Ascii | Encoding::Latin1 => {
            let (name, last) =
                if to == Encoding::Ascii { ("ascii", 0x7f) } else { ("latin-1", 0xff) };
            for (at, sign) in text.chars().enumerate() {
                let number = u32::from(sign);
                match (u8::try_from(number).ok().filter(|byte| *byte <= last), errors) {
                    (Some(byte), _) => out.push(byte),
                    (None, "ignore") => {}
                    (None, "replace") => out.push(b'?'),
                    (None, "xmlcharrefreplace") => {
                        out.extend(format!("&#{number};").into_bytes());
                    }
                    (None, "backslashreplace") => out.extend(escaped(number).into_bytes()),
                    (None, _) => {
                        let out = |sign: &char| u32::from(*sign) > u32::from(last);
                        let place = match text.chars().skip(at).take_while(out).count() {
                            1 => format!(" '{}' in position {at}", escaped(number)),
                            count => format!("s in position {at}-{}", at + count - 1),
                        };
                        let range = u32::from(last) + 1;
                        return Err(format!(
                            "'{name}' codec can't encode character{place}: ordinal not in \
                             range({range})"
                        ));
                    }
                }
            }
        }
    }
    Ok(out)
}

/// Python's escape of a sign.
fn escaped(number: u32) -> String {
    match number {
        0..=0xff => format!("\\x{number:02x}"),
        0x100..=0xffff => format!("\\u{number:04x}"),
        _ => format!("\\U{number:08x}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_written_in_the_encoding_asked_for() {
        let write = |name: &str, errors: &str| written("é€", encoding(name).unwrap(), errors);
        assert_eq!(write("utf-16", "strict").unwrap(), [0xff, 0xfe, 0xe9, 0, 0xac, 0x20]);
        assert_eq!(write("latin-1", "replace").unwrap(), [0xe9, b'?']);
        assert_eq!(write("ascii", "ignore").unwrap(), b"");
        assert_eq!(write("ascii", "backslashreplace").unwrap(), b"\\xe9\\u20ac");
        let told = |name: &str| write(name, "strict").unwrap_err();
        let range = |last| format!("ordinal not in range({last})");
        assert_eq!(
            told("iso-8859-1"),
            format!(
                "'latin-1' codec can't encode character '\\u20ac' in position 1: {}",
                range(256)
            )
        );
        assert_eq!(
            told("ascii"),
            format!("'ascii' codec can't encode characters in position 0-1: {}", range(128))
        );
    }
}
