//! Python's regular expressions on Rust's engine: flags, and `\1`, `\g<name>` in replacements.
//!
//! Look-around and back-references in a pattern are not supported; the error says so.

use regex::{Captures, Regex, RegexBuilder};

/// Bytes that a compiled pattern may take.
const SIZE_MAX: usize = 4 << 20;

/// Compiles a pattern of Python's dialect.
pub(crate) fn python_regex(
    pattern: &str,
    ignore_case: bool,
    multi_line: bool,
    dot_all: bool,
) -> Result<Regex, regex::Error> {
    RegexBuilder::new(&translated(pattern))
        .case_insensitive(ignore_case)
        .multi_line(multi_line)
        .dot_matches_new_line(dot_all)
        .size_limit(SIZE_MAX)
        .build()
}

/// `(?P<n>..)` and most else are the same; `\Z` is `\z`, and a bare `{`, `}` or `]` is literal.
fn translated(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('Z') => out.push_str("\\z"),
            // Python takes any escaped sign as itself; Rust refuses those it does not know.
            Some(sign) if sign.is_ascii_alphanumeric() || is_meta(sign) => {
                out.push('\\');
                out.push(sign);
            }
            Some(sign) => out.push(sign),
            None => out.push('\\'),
        }
    }
    out
}

fn is_meta(sign: char) -> bool {
    "\\.+*?()|[]{}^$#&-~/<>".contains(sign)
}

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
            '0'..='9' => {
                let digits = rest.bytes().take(2).take_while(u8::is_ascii_digit).count();
                let group = rest[..digits].parse().ok().and_then(|group| captures.get(group));
                out.push_str(group.map_or("", |group| group.as_str()));
                &rest[digits..]
            }
            'g' if rest.starts_with("g<") && rest.contains('>') => {
                let end = rest.find('>').unwrap_or(2);
                out.push_str(named(&rest[2..end], captures));
                &rest[end + 1..]
            }
            'n' => push(&mut out, "\n", &rest[1..]),
            't' => push(&mut out, "\t", &rest[1..]),
            'r' => push(&mut out, "\r", &rest[1..]),
            '\\' => push(&mut out, "\\", &rest[1..]),
            other => {
                out.push('\\');
                out.push(other);
                &rest[other.len_utf8()..]
            }
        };
    }
    out + rest
}

fn push<'a>(out: &mut String, text: &str, rest: &'a str) -> &'a str {
    out.push_str(text);
    rest
}

fn named<'h>(name: &str, captures: &Captures<'h>) -> &'h str {
    let group = match name.parse::<usize>() {
        Ok(number) => captures.get(number),
        Err(_) => captures.name(name),
    };
    group.map_or("", |group| group.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replacements_follow_python() {
        let check = |pattern: &str, by: &str, text: &str, expected: &str| {
            let regex = python_regex(pattern, false, true, false).unwrap();
            let out = regex.replace_all(text, |captures: &Captures<'_>| expand(by, captures));
            assert_eq!(out, expected);
        };
        check(r"(\d+)", r"<\1>", "a 12", "a <12>");
        check(r"(?P<k>\w+)=", r"\g<k>:", "k=v", "k:v");
        check("^b$", r"x\ny", "a\nb", "a\nx\ny");
        check(r"\'", r"\\", "it's", r"it\s");
    }
}
