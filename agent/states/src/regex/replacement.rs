//! Replacements as Python writes them: `\1`, `\g<name>`, `\n`.

use super::{Captures, Regex};

/// Expands a replacement: `\1`, `\g<1>`, `\g<name>`, `\n`, `\t`, `\\`.
pub(crate) fn expand(by: &str, captures: &Captures<'_>) -> String {
    let mut out = String::new();
    let mut rest = by;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let Some(sign) = rest.chars().next() else {
            out.push('\\');
            break;
        };
        rest = match sign {
            '0'..='9' => numbered(&mut out, rest, captures),
            'g' if rest.starts_with("g<") && rest.contains('>') => {
                let end = rest.find('>').unwrap_or(2);
                out.push_str(named(&rest[2..end], captures));
                &rest[end + 1..]
            }
            sign => {
                match control(sign) {
                    Some(control) => out.push(control),
                    None => out.extend(['\\', sign]),
                }
                &rest[sign.len_utf8()..]
            }
        };
    }
    out + rest
}

fn control(sign: char) -> Option<char> {
    Some(match sign {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        'a' => '\x07',
        'b' => '\x08',
        'f' => '\x0c',
        'v' => '\x0b',
        '\\' => '\\',
        _ => return None,
    })
}

/// A group of one or two digits, or an octal character (`\0`, `\101`).
fn numbered<'b>(out: &mut String, rest: &'b str, captures: &Captures<'_>) -> &'b str {
    let octal = rest.bytes().take(3).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
    if rest.starts_with('0') || octal == 3 {
        let value = u32::from_str_radix(&rest[..octal], 8).unwrap_or(0) & 0o377;
        out.extend(char::from_u32(value));
        return &rest[octal..];
    }
    let digits = rest.bytes().take(2).take_while(u8::is_ascii_digit).count();
    let group = rest[..digits].parse().ok().and_then(|group| captures.get(group));
    out.push_str(group.map_or("", |group| group.as_str()));
    &rest[digits..]
}

fn named<'h>(name: &str, captures: &Captures<'h>) -> &'h str {
    let group = match name.parse::<usize>() {
        Ok(number) => captures.get(number),
        Err(_) => captures.name(name),
    };
    group.map_or("", |group| group.as_str())
}

/// What Python would refuse in a replacement, in its words: escapes that mean nothing, groups that
/// do not exist.
pub(crate) fn check_replacement(by: &str, regex: &Regex) -> Result<(), String> {
    let mut rest = by;
    while let Some(at) = rest.find('\\') {
        let place = by[..by.len() - rest.len() + at].chars().count();
        rest = &rest[at + 1..];
        let Some(sign) = rest.chars().next() else {
            return Err(format!("bad escape (end of pattern) at position {place}"));
        };
        let octal = rest.bytes().take(3).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
        let mut skip = sign.len_utf8();
        match sign {
            '1'..='9' if octal < 3 => {
                skip = rest.bytes().take(2).take_while(u8::is_ascii_digit).count();
                group(&rest[..skip], regex, place + 1)?;
            }
            'g' => {
                let name = rest[1..].strip_prefix('<');
                let name = name.ok_or_else(|| format!("missing < at position {}", place + 2))?;
                let (name, _) = name.split_once('>').ok_or_else(|| {
                    format!("missing >, unterminated name at position {}", place + 3)
                })?;
                group(name, regex, place + 3)?;
                skip = name.len() + 3;
            }
            letter if letter.is_ascii_alphabetic() && control(letter).is_none() => {
                return Err(format!("bad escape \\{letter} at position {place}"));
            }
            _ => {}
        }
        rest = &rest[skip..];
    }
    Ok(())
}

fn group(name: &str, regex: &Regex, place: usize) -> Result<(), String> {
    match name.parse::<usize>() {
        Ok(number) if number < regex.groups() => Ok(()),
        Ok(number) => Err(format!("invalid group reference {number} at position {place}")),
        Err(_) if regex.names().any(|own| own == name) => Ok(()),
        Err(_) => Err(format!("unknown group name '{name}'")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::python_regex;
    use super::*;

    #[test]
    fn a_replacement_that_python_refuses_is_refused() {
        let regex = python_regex("(?P<a>x)", false, false, false).unwrap();
        for fine in [r"\1", r"\g<a>", r"\n\\", r"\.", "plain", r"\0"] {
            assert!(check_replacement(fine, &regex).is_ok(), "{fine}");
        }
        for wrong in [r"\2", r"\g<b>", r"\g", r"\q", "x\\"] {
            assert!(check_replacement(wrong, &regex).is_err(), "{wrong}");
        }
    }
}
