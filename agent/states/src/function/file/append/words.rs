//! The pattern by which a text is found whatever the spaces between its words.

use crate::regex::escape;

/// Salt's pattern for a text: its words, in the order of its lines, with any space between them.
pub(super) fn pattern(text: &str) -> Result<String, String> {
    const SPACE: &str = r"(?:[\s]+)?";
    let mut out = String::new();
    for line in super::lines_of(text) {
        let words: Vec<String> = words(&line, quotes(text))?.iter().map(|w| escape(w)).collect();
        out.push_str(&format!("{SPACE}{}{SPACE}", words.join(SPACE)));
    }
    Ok(format!("(?m)^{out}$"))
}

/// The signs that hold words together: those of a kind that the text does not use for more.
fn quotes(text: &str) -> &'static str {
    if text.contains("'\\\"") {
        ""
    } else if text.contains('\'') {
        "\""
    } else if text.contains('"') {
        "'"
    } else {
        "'\""
    }
}

/// Splits at spaces as Python's `shlex` does when it is not strict: a quoted word keeps its quotes.
fn words(line: &str, quotes: &str) -> Result<Vec<String>, String> {
    let mut out = Vec::new();
    let mut rest = line.trim_start_matches([' ', '\t', '\r', '\n']);
    while let Some(first) = rest.chars().next() {
        let end = if quotes.contains(first) {
            let close =
                rest[1..].find(first).ok_or_else(|| format!("No closing quotation: {line}"))?;
            close + 2
        } else {
            rest.find([' ', '\t', '\r', '\n']).unwrap_or(rest.len())
        };
        out.push(rest[..end].to_owned());
        rest = rest[end..].trim_start_matches([' ', '\t', '\r', '\n']);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_words_are_one_word() {
        assert_eq!(words("a  b \"c d\"e", "\"").unwrap(), ["a", "b", "\"c d\"", "e"]);
        assert_eq!(words("it's 'x y'", "\"").unwrap(), ["it's", "'x", "y'"]);
        assert!(words("\"open", "\"").is_err());
    }

    #[test]
    fn a_text_is_found_whatever_its_spaces() {
        let pattern = pattern("a b\nc").unwrap();
        let regex = crate::regex::python_regex(&pattern, false, false, false).unwrap();
        assert!(regex.is_match("x\n a \t b\nc\n"));
        assert!(!regex.is_match("a b\n"));
    }
}
