//! Tags that a comma follows without a space: the parser gives up on them, and with it the program.
//!
//! The comma of what may be such a tag is hidden behind a sign that the text does not have. Where
//! it was a tag, that is a fault; in a text, whose sign it is otherwise, the comma comes back.

use std::borrow::Cow;

/// Signs that no document should have; one that this text has not is taken.
const SIGNS: std::ops::RangeInclusive<char> = '\u{e000}'..='\u{e0ff}';

/// The text, and the sign that stands for some of its commas; `None` if it has all signs.
pub(super) fn guarded(text: &str) -> Option<(Cow<'_, str>, Option<char>)> {
    let commas: Vec<usize> =
        text.match_indices('!').filter_map(|(at, _)| comma(text, at)).collect();
    if commas.is_empty() {
        return Some((Cow::Borrowed(text), None));
    }
    let sign = SIGNS.into_iter().find(|sign| !text.contains(*sign))?;
    let mut out = String::with_capacity(text.len() + 2 * commas.len());
    let mut from = 0;
    for at in commas {
        // One comma may end two of them.
        if at >= from {
            out.push_str(&text[from..at]);
            out.push(sign);
            from = at + 1;
        }
    }
    out.push_str(&text[from..]);
    Some((Cow::Owned(out), Some(sign)))
}

/// Where the comma is that follows what may be a tag at `at`.
fn comma(text: &str, at: usize) -> Option<usize> {
    let (before, tag) = (&text[..at], &text[at + 1..]);
    let end = if tag.starts_with('<') {
        tag.find('>').map(|end| end + 1)?
    } else {
        let is_tag = |c: char| c.is_ascii_alphanumeric() || "_-;/?:@&=+$.%!~*'()".contains(c);
        tag.find(|c: char| !is_tag(c))?
    };
    (tag[end..].starts_with(',') && starts(before)).then_some(at + 1 + end)
}

/// Whether something new may start behind a text: all but the inside of a plain scalar.
fn starts(before: &str) -> bool {
    let line = before.rsplit(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']).next();
    let line = line.unwrap_or_default();
    let head = line.trim_end_matches([' ', '\t', '\u{feff}']);
    let Some(last) = head.chars().next_back() else { return true };
    let spaced = head.len() < line.len();
    match last {
        '[' | ']' | '{' | '}' | ',' | '"' | '\'' => true,
        ':' | '?' => spaced || head[..head.len() - 1].ends_with(['"', '\'', ']', '}']),
        _ => {
            let word = head.rsplit([' ', '\t', '[', ']', '{', '}', ',']).next();
            spaced && word.is_some_and(|word| word.starts_with(['&', '*', '!']))
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::yaml::parse;
    use serde_json::json;

    #[test]
    fn a_tag_before_a_comma_is_a_fault_and_a_text_is_as_it_was() {
        for text in [
            "[!, !!float 1: ",
            "{a: [? a : b] !, .5",
            "{a: !-x, [[1, 2], [3]]: !!int '5', ",
            "[!a, b]",
            "[a, # c\n!a, b]",
            "[&a !b, c]",
            "[!<x>, a]",
            "[\"a\" !b, c]",
            "{\"a\":!b, c: d}",
            "[[a] !b, c]",
            "[!a !b, c]",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
        let read = |text: &str| parse(text).unwrap().to_json();
        assert_eq!(read("- 'ALL, !/bin/su, !/bin/sh'"), json!(["ALL, !/bin/su, !/bin/sh"]));
        assert_eq!(
            read("[Hello!, you, a !x, b:!y, c]"),
            json!(["Hello!", "you", "a !x", "b:!y", "c"])
        );
        assert_eq!(read("a: |\n  !x, y\nb: z !q, r\n"), json!({"a": "!x, y\n", "b": "z !q, r"}));
        assert_eq!(read("{\"a !b, c\": [\"!d, e\"]}"), json!({"a !b, c": ["!d, e"]}));
    }
}
