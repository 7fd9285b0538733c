//! From Python's dialect of regular expressions to the engine's.
//!
//! What differs: `\Z`, a `$` before the last line break, signs that only Python takes for
//! themselves (`{`, `[` in a class, `\<`), comments, flags at the start, and none elsewhere.

use super::Flags;

/// The letters of flags of a whole pattern.
const FLAGS: &str = "aiLmsux";

/// The pattern in the engine's dialect, and the flags with those that it sets itself.
pub(super) fn translated(pattern: &str, flags: Flags) -> Result<(String, Flags), String> {
    let mut flags = flags;
    let rest = leading_flags(pattern, &mut flags);
    let mut reader = Reader {
        signs: rest.chars().collect(),
        at: 0,
        flags,
        out: String::with_capacity(pattern.len()),
    };
    reader.all()?;
    Ok((reader.out, flags))
}

/// Takes each `(?im)` from the start: the rules for `$` and `\w` hang on them.
fn leading_flags<'p>(pattern: &'p str, flags: &mut Flags) -> &'p str {
    let mut rest = pattern;
    while let Some((words, after)) = rest.strip_prefix('(').and_then(global_flags) {
        for sign in words.chars() {
            match sign {
                'a' | 'L' => flags.ascii = true,
                'i' => flags.ignore_case = true,
                'm' => flags.multi_line = true,
                's' => flags.dot_all = true,
                'x' => flags.verbose = true,
                _ => {}
            }
        }
        rest = after;
    }
    rest
}

/// The letters of `(?im)`, whose parenthesis was read, and what comes after it.
fn global_flags(rest: &str) -> Option<(&str, &str)> {
    let (words, after) = rest.strip_prefix('?')?.split_once(')')?;
    let flags = !words.is_empty() && words.chars().all(|sign| FLAGS.contains(sign));
    flags.then_some((words, after))
}

struct Reader {
    signs: Vec<char>,
    at: usize,
    flags: Flags,
    out: String,
}

impl Reader {
    fn all(&mut self) -> Result<(), String> {
        while let Some(sign) = self.next() {
            match sign {
                '\\' => self.escaped(false)?,
                '[' => self.class()?,
                '{' => self.braces(),
                '}' => self.out.push_str("\\}"),
                ']' => self.out.push_str("\\]"),
                '$' if !self.flags.multi_line => self.out.push_str("(?=\\n?\\z)"),
                '#' if self.flags.verbose => while self.next().is_some_and(|sign| sign != '\n') {},
                '(' if self.rest_is("?#") => while self.next().is_some_and(|sign| sign != ')') {},
                '(' if self.has_flags() => {
                    return Err("global flags not at the start of the expression".to_owned());
                }
                other => self.out.push(other),
            }
        }
        Ok(())
    }

    /// Whether `(?im)` stands here, which Python takes at the start only.
    fn has_flags(&self) -> bool {
        let rest = self.signs.get(self.at..).unwrap_or_default();
        let Some(('?', rest)) = rest.split_first().map(|(sign, rest)| (*sign, rest)) else {
            return false;
        };
        let words = rest.iter().take_while(|sign| FLAGS.contains(**sign)).count();
        words > 0 && rest.get(words) == Some(&')')
    }

    fn next(&mut self) -> Option<char> {
        let sign = self.peek(0)?;
        self.at += 1;
        Some(sign)
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.signs.get(self.at + ahead).copied()
    }

    fn rest_is(&self, text: &str) -> bool {
        text.chars().enumerate().all(|(ahead, sign)| self.peek(ahead) == Some(sign))
    }

    /// What follows a backslash.
    fn escaped(&mut self, in_class: bool) -> Result<(), String> {
        let sign = self.next().ok_or("it ends with a backslash")?;
        let ascii = self.flags.ascii;
        let set = match sign {
            'd' if ascii => Some("0-9"),
            'w' if ascii => Some("0-9A-Za-z_"),
            's' if ascii => Some(" \\t\\n\\r\\x0b\\x0c"),
            _ => None,
        };
        match (sign, set) {
            (_, Some(set)) if in_class => self.out.push_str(set),
            (_, Some(set)) => self.out.push_str(&format!("[{set}]")),
            ('D', None) if ascii && !in_class => self.out.push_str("[^0-9]"),
            ('W', None) if ascii && !in_class => self.out.push_str("[^0-9A-Za-z_]"),
            ('S', None) if ascii && !in_class => self.out.push_str("[^ \\t\\n\\r\\x0b\\x0c]"),
            ('b', None) if in_class => self.out.push_str("\\x08"),
            ('Z', None) if !in_class => self.out.push_str("\\z"),
            ('a', None) => self.out.push_str("\\x07"),
            ('f', None) => self.out.push_str("\\x0c"),
            ('v', None) => self.out.push_str("\\x0b"),
            ('0'..='9', None) => self.number(sign, in_class),
            ('A' | 'b' | 'B', None) if !in_class => self.keep(sign),
            ('d' | 'D' | 'w' | 'W' | 's' | 'S' | 'n' | 'r' | 't' | 'x' | 'u' | 'U', None) => {
                self.keep(sign);
            }
            (letter, None) if letter.is_ascii_alphabetic() => {
                return Err(format!("bad escape \\{letter}"));
            }
            (other, None) => self.literal(other),
        }
        Ok(())
    }

    fn keep(&mut self, sign: char) {
        self.out.push('\\');
        self.out.push(sign);
    }

    /// A sign that stands for itself.
    fn literal(&mut self, sign: char) {
        if sign.is_ascii() {
            self.out.push_str(&format!("\\x{:02x}", u32::from(sign)));
        } else {
            self.out.push(sign);
        }
    }

    /// An octal character (`\0`, `\012`), or a reference to a group.
    fn number(&mut self, first: char, in_class: bool) {
        let octal = |sign: Option<char>| sign.and_then(|sign| sign.to_digit(8));
        let three = octal(Some(first)).zip(octal(self.peek(0))).zip(octal(self.peek(1)));
        if first == '0' || in_class || three.is_some() {
            let mut value = first.to_digit(8).unwrap_or(0);
            for _ in 0..2 {
                let Some(digit) = octal(self.peek(0)) else { break };
                value = value * 8 + digit;
                self.at += 1;
            }
            self.out.push_str(&format!("\\x{{{value:x}}}"));
            return;
        }
        // In a group of its own, or digits that follow would join the number.
        let mut number = String::from(first);
        if let Some(second) = self.peek(0).filter(char::is_ascii_digit) {
            number.push(second);
            self.at += 1;
        }
        self.out.push_str(&format!("(?:\\{number})"));
    }

    fn class(&mut self) -> Result<(), String> {
        self.out.push('[');
        if self.peek(0) == Some('^') {
            self.at += 1;
            self.out.push('^');
        }
        let mut first = true;
        loop {
            match self.next().ok_or("a '[' is not closed")? {
                ']' if !first => break,
                '\\' => self.escaped(true)?,
                sign @ ('[' | ']' | '&' | '~' | '#' | ' ') => self.literal(sign),
                '-' if self.peek(0) == Some('-') || self.peek(0) == Some(']') || first => {
                    self.literal('-');
                }
                sign => self.out.push(sign),
            }
            first = false;
        }
        self.out.push(']');
        Ok(())
    }

    /// A repetition, or a brace that stands for itself.
    fn braces(&mut self) {
        let inner: String = self.signs[self.at..].iter().take_while(|s| **s != '}').collect();
        let closed = self.peek(inner.chars().count()) == Some('}');
        let (low, high) = inner.split_once(',').unwrap_or((&inner, &inner));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if !closed || !digits(low) || !digits(high) || inner.is_empty() {
            self.out.push_str("\\{");
            return;
        }
        self.at += inner.len() + 1;
        let low = if low.is_empty() { "0" } else { low };
        match inner.contains(',') {
            true => self.out.push_str(&format!("{{{low},{high}}}")),
            false => self.out.push_str(&format!("{{{low}}}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Flags, Regex, python_regex};

    fn found(pattern: &str, text: &str) -> Option<String> {
        let regex = python_regex(pattern, false, false, false).unwrap();
        let captures = regex.captures(text)?;
        Some(captures.get(0)?.as_str().to_owned())
    }

    #[test]
    fn signs_that_python_takes_for_themselves_do_not_fail() {
        for (pattern, text) in [
            ("{{ x }}", "{{ x }}"),
            ("a{b", "a{b"),
            ("[[]x", "[x"),
            ("[]]", "]"),
            (r"\<x\>", "<x>"),
            (r"[\w.-]+", "a.b-c"),
            ("[a&&b]+", "a&b"),
            (r"\%\@\/", "%@/"),
            ("x]", "x]"),
            (r"a\ b", "a b"),
        ] {
            assert_eq!(found(pattern, text).as_deref(), Some(text), "{pattern}");
        }
    }

    #[test]
    fn a_dollar_matches_before_the_last_line_break() {
        assert_eq!(found("b$", "a\nb\n").as_deref(), Some("b"));
        assert_eq!(found("a$", "a\nb\n"), None);
        assert_eq!(found(r"b\Z", "b\n"), None);
        assert_eq!(found("(?m)a$", "a\nb\n").as_deref(), Some("a"));
    }

    #[test]
    fn counts_comments_and_octal_numbers_are_pythons() {
        assert_eq!(found("a{,2}b", "aab").as_deref(), Some("aab"));
        assert_eq!(found("a(?#x)b", "ab").as_deref(), Some("ab"));
        assert_eq!(found(r"\101", "A").as_deref(), Some("A"));
        assert!(python_regex(r"\q", false, false, false).is_err());
        assert!(python_regex("(", false, false, false).is_err());
        assert!(python_regex("[a", false, false, false).is_err());
    }

    #[test]
    fn flags_of_the_whole_pattern_stand_at_its_start() {
        assert_eq!(found("(?i)(?m)^B$", "a\nb\nc").as_deref(), Some("b"));
        assert_eq!(found("a(?i:b)", "aB").as_deref(), Some("aB"));
        assert_eq!(found("a[(?i)]", "ai").as_deref(), Some("ai"));
        assert!(python_regex("a(?i)b", false, false, false).is_err());
    }

    #[test]
    fn bytes_know_ascii_words_only() {
        let ascii = Regex::new(r"^[\w]+$", Flags { ascii: true, ..Flags::default() }).unwrap();
        assert!(ascii.is_match("abc"));
        assert!(!ascii.is_match("é"));
        assert!(python_regex(r"^\w+$", false, false, false).unwrap().is_match("é"));
    }
}
