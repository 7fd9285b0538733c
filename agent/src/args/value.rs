//! Arguments of `single`, read as Salt's command line reads them: as YAML, if that gives more.

use serde_json::{Map, Value};

/// Words, and the arguments that were named (`key=value`).
pub(super) fn split(words: &[String]) -> (Vec<Value>, Map<String, Value>) {
    let mut plain = Vec::new();
    let mut named = Map::new();
    for word in words {
        match named_value(word) {
            Some((name, value)) => {
                named.insert(name.to_owned(), typed(value));
            }
            None => plain.push(typed(word)),
        }
    }
    (plain, named)
}

/// `key=value`: a name, one `=`, and no line break anywhere.
fn named_value(word: &str) -> Option<(&str, &str)> {
    let (name, value) = word.split_once('=')?;
    let mut letters = name.chars();
    let first = letters.next()?;
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let is_name = is_word(first)
        && !first.is_numeric()
        && letters.all(|c| is_word(c) || c == '.' || c == '-');
    (is_name && !value.starts_with('=') && !word.contains('\n')).then_some((name, value))
}

/// A text as the YAML value that it spells; what YAML would mangle stays a text.
fn typed(text: &str) -> Value {
    let trimmed = text.trim();
    let own = || Value::from(text);
    let digits = trimmed.chars().all(|c| c.is_ascii_digit() || c == '_');
    if matches!(trimmed, "" | "---" | "..." | "|" | "!")
        || (text.contains('_') && digits)
        || text.contains(['\t', '\r', '\n'])
    {
        return own();
    }
    if text == "None" {
        return Value::Null;
    }
    let Ok(value) = muster_states::read_yaml(text) else { return own() };
    let kept = match &value {
        // A `#` starts a comment in YAML; on a command line nothing shall be lost.
        Value::String(_) | Value::Null => !text.contains('#'),
        Value::Object(_) => text.starts_with('{'),
        Value::Array(_) => text.starts_with('['),
        Value::Bool(_) | Value::Number(_) => true,
    };
    if kept { value } else { own() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_yaml_where_that_says_more_than_the_text() {
        for (text, wanted) in [
            ("5", json!(5)),
            ("0.5", json!(0.5)),
            ("yes", json!(true)),
            ("None", json!(null)),
            ("null", json!(null)),
            ("", json!("")),
            ("---", json!("---")),
            ("1_000", json!("1_000")),
            ("a\tb", json!("a\tb")),
            ("{a: 1}", json!({"a": 1})),
            ("a: 1", json!("a: 1")),
            ("[a, 2]", json!(["a", 2])),
            ("- a", json!("- a")),
            ("a #b", json!("a #b")),
            ("#b", json!("#b")),
            ("[a] # b", json!(["a"])),
            ("|", json!("|")),
            ("[a", json!("[a")),
            ("'5'", json!("5")),
            ("2026-01-01", json!("2026-01-01")),
            ("0644", json!(644)),
        ] {
            assert_eq!(typed(text), wanted, "{text:?}");
        }
    }

    #[test]
    fn a_name_and_one_equals_sign_make_a_named_argument() {
        assert_eq!(named_value("a.b-c=1=2"), Some(("a.b-c", "1=2")));
        assert_eq!(named_value("_a="), Some(("_a", "")));
        for word in ["a==b", "1a=b", "=b", "/a=b", "a b=c", "a=b\nc"] {
            assert_eq!(named_value(word), None, "{word:?}");
        }
    }
}
