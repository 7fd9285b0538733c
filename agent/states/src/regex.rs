//! Python's regular expressions: its dialect, its flags, and how it replaces.
//!
//! Look-around and back-references work; a pattern that would search without end is stopped.

mod dialect;
mod replacement;

use fancy_regex::RegexBuilder;

pub(crate) use fancy_regex::Match;
pub(crate) use replacement::{check_replacement, expand};

/// The groups of a match.
pub(crate) type Captures<'t> = fancy_regex::Captures<'t, str>;

/// Bytes that a compiled pattern may take.
const SIZE_MAX: usize = 4 << 20;
/// Steps back that one search may take.
const BACKTRACK_MAX: usize = 1 << 20;

/// What is wrong with a pattern, or with a search.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RegexError {
    #[error("the regular expression '{pattern}' is not valid: {reason}")]
    Pattern { pattern: String, reason: String },
    #[error("the regular expression '{pattern}' takes too long: {reason}")]
    Search { pattern: String, reason: String },
}

/// Python's flags of `re`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Flags {
    pub(crate) ignore_case: bool,
    pub(crate) multi_line: bool,
    pub(crate) dot_all: bool,
    pub(crate) verbose: bool,
    /// `\w`, `\d` and `\s` mean ASCII only, as they do for Python's bytes.
    pub(crate) ascii: bool,
}

/// A compiled pattern.
#[derive(Debug)]
pub(crate) struct Regex {
    compiled: fancy_regex::Regex,
    pattern: String,
}

/// Compiles a pattern of Python's dialect.
pub(crate) fn python_regex(
    pattern: &str,
    ignore_case: bool,
    multi_line: bool,
    dot_all: bool,
) -> Result<Regex, RegexError> {
    Regex::new(pattern, Flags { ignore_case, multi_line, dot_all, ..Flags::default() })
}

impl Regex {
    pub(crate) fn new(pattern: &str, flags: Flags) -> Result<Regex, RegexError> {
        let fault = |reason| RegexError::Pattern { pattern: pattern.to_owned(), reason };
        let (translated, flags) = dialect::translated(pattern, flags).map_err(fault)?;
        let compiled = RegexBuilder::new(&translated)
            .case_insensitive(flags.ignore_case)
            .multi_line(flags.multi_line)
            .dot_matches_new_line(flags.dot_all)
            .verbose_mode(flags.verbose)
            .delegate_size_limit(SIZE_MAX)
            .backtrack_limit(BACKTRACK_MAX)
            .build()
            .map_err(|error| fault(error.to_string()))?;
        Ok(Regex { compiled, pattern: pattern.to_owned() })
    }

    /// Whether it is found anywhere; a search that is given up found nothing.
    pub(crate) fn is_match(&self, text: &str) -> bool {
        self.compiled.is_match(text).unwrap_or(false)
    }

    /// Whether it is found anywhere.
    pub(crate) fn search(&self, text: &str) -> Result<bool, RegexError> {
        self.compiled.is_match(text).map_err(|error| self.fault(&error))
    }

    /// Whether it matches at the text's start, as Python's `match`.
    pub(crate) fn matches_start(&self, text: &str) -> bool {
        self.captures(text).and_then(|found| found.get(0)).is_some_and(|all| all.start() == 0)
    }

    pub(crate) fn captures<'t>(&self, text: &'t str) -> Option<Captures<'t>> {
        self.compiled.captures(text).ok().flatten()
    }

    /// The number of groups, the whole match among them.
    pub(crate) fn groups(&self) -> usize {
        self.compiled.captures_len()
    }

    /// The names of its groups.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.compiled.capture_names().flatten()
    }

    /// Python's `subn`: at most `count` replacements (all, if it is 0), and how many there were.
    ///
    /// An empty match right after another match counts, as it does in Python.
    pub(crate) fn replaced(
        &self,
        text: &str,
        count: usize,
        by: impl Fn(&Captures<'_>) -> String,
    ) -> Result<(String, usize), RegexError> {
        let (mut out, mut done, mut from, mut times) = (String::new(), 0, 0, 0);
        // Where an empty match would be the one that was just replaced.
        let mut empty_at = None;
        while from <= text.len() && (count == 0 || times < count) {
            let found = self.compiled.captures_from_pos(text, from);
            let Some(found) = found.map_err(|error| self.fault(&error))? else { break };
            let Some(all) = found.get(0) else { break };
            if all.start() == all.end() && empty_at == Some(all.start()) {
                from = next_char(text, all.end());
                continue;
            }
            out.push_str(&text[done..all.start()]);
            out.push_str(&by(&found));
            (done, from, times) = (all.end(), all.end(), times + 1);
            empty_at = (all.start() == all.end()).then_some(all.end());
        }
        out.push_str(&text[done..]);
        Ok((out, times))
    }

    fn fault(&self, error: &fancy_regex::Error) -> RegexError {
        RegexError::Search { pattern: self.pattern.clone(), reason: error.to_string() }
    }
}

fn next_char(text: &str, at: usize) -> usize {
    at + text[at..].chars().next().map_or(1, char::len_utf8)
}

/// Quotes a text so that it stands for itself, as Python's `re.escape`.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for sign in text.chars() {
        if sign.is_ascii_punctuation() && !"!\"%',/:;<=>@`_".contains(sign)
            || " \t\n\r\u{b}\u{c}".contains(sign)
        {
            out.push('\\');
        }
        out.push(sign);
    }
    out
}

/// Bytes as text of a character each, so that a pattern counts bytes as Python's do.
pub(crate) fn byte_text(data: &[u8]) -> String {
    data.iter().map(|byte| char::from(*byte)).collect()
}

/// The bytes that `byte_text` made a text of.
pub(crate) fn text_bytes(text: &str) -> Vec<u8> {
    text.chars().map(|sign| u8::try_from(u32::from(sign)).unwrap_or(b'?')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, by: &str, text: &str, expected: &str) {
        let regex = python_regex(pattern, false, true, false).unwrap();
        let out = regex.replaced(text, 0, |captures: &Captures<'_>| expand(by, captures));
        assert_eq!(out.unwrap().0, expected, "{pattern}");
    }

    #[test]
    fn replacements_follow_python() {
        check(r"(\d+)", r"<\1>", "a 12", "a <12>");
        check(r"(?P<k>\w+)=", r"\g<k>:", "k=v", "k:v");
        check("^b$", r"x\ny", "a\nb", "a\nx\ny");
        check(r"\'", r"\\", "it's", r"it\s");
        check("x*", "-", "abxd", "-a-b--d-");
        check("^", "# ", "a\nb\n", "# a\n# b\n# ");
    }

    #[test]
    fn look_around_and_back_references_work() {
        check(r"(?<!\d)1", "x", "21 1", "21 x");
        check(r"foo(?=bar)", "F", "foobar foo", "Fbar foo");
        check(r"(\w)\1", r"<\1>", "aab", "<a>b");
        check(r"(?P<q>['`]).*?(?P=q)", "Q", "a 'b' c", "a Q c");
    }

    #[test]
    fn a_search_without_end_is_given_up() {
        let regex = python_regex(r"^(a|a)*\1?(?!b)c$", false, false, false).unwrap();
        assert!(regex.search(&"a".repeat(64)).is_err());
    }

    #[test]
    fn bytes_come_back_as_they_were() {
        let data: Vec<u8> = (0..=255).collect();
        assert_eq!(text_bytes(&byte_text(&data)), data);
    }
}
