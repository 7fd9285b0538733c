//! `stateful`: what a command prints says what it changed.

use serde_json::Value;

use crate::function::args::text;
use crate::outcome::{Changes, Outcome};

const UNREADABLE: &str =
    "Failed parsing script output! Stdout must be JSON or a line of name=value pairs.";
const NO_OBJECT: &str = "script JSON output must be a JSON object (e.g., {})!";

/// Reads `{"changed": .., "comment": ..}`, or `changed=yes comment='..'` from the last line.
pub(super) fn reinterpreted(outcome: Outcome) -> Outcome {
    let told = |key: &str| outcome.changes.get(key).and_then(Value::as_str).unwrap_or_default();
    let (stdout, stderr) = (told("stdout").to_owned(), told("stderr").to_owned());
    if stdout.is_empty() {
        return Outcome { comment: stderr, changes: Changes::new(), ..outcome };
    }
    let failed = |comment: String, changes: Changes| Outcome {
        result: Some(false),
        comment,
        changes,
        ..outcome.clone()
    };
    let (mut data, before) = match read(&stdout) {
        Read::Told { data, before } => (data, before),
        Read::NoObject => return failed(NO_OBJECT.to_owned(), Changes::new()),
        Read::Unreadable => return failed(UNREADABLE.to_owned(), outcome.changes.clone()),
    };
    let said = data.get("changed").map_or_else(|| "no".to_owned(), text);
    let changed = match said.to_lowercase().as_str() {
        "true" | "yes" | "1" => true,
        "false" | "no" | "0" => false,
        _ => return failed(format!("Failed parsing boolean value: {said}"), Changes::new()),
    };
    let comment = data.remove("comment").map(|comment| text(&comment)).unwrap_or_default();
    if !changed {
        return Outcome { changes: Changes::new(), comment, ..outcome };
    }
    for (key, value) in &outcome.changes {
        data.entry(key.clone()).or_insert_with(|| value.clone());
    }
    data.insert("stdout".to_owned(), Value::from(before));
    Outcome { changes: data, comment, ..outcome }
}

enum Read {
    /// The pairs, and the output that is left to show.
    Told {
        data: Changes,
        before: String,
    },
    NoObject,
    Unreadable,
}

fn read(stdout: &str) -> Read {
    match serde_json::from_str(stdout) {
        Ok(Value::Object(data)) => return Read::Told { data, before: String::new() },
        Ok(_) => return Read::NoObject,
        Err(_) => {}
    }
    let (before, last) = match stdout.trim_end().rsplit_once('\n') {
        Some((before, last)) => (before.to_owned(), last),
        None => {
            // Salt cuts at "one before the start" then: all but the last character.
            let mut before = stdout.to_owned();
            before.pop();
            (before, stdout)
        }
    };
    let Some(words) = words(last) else { return Read::Unreadable };
    let mut data = Changes::new();
    for word in words {
        match word.split('=').collect::<Vec<_>>().as_slice() {
            [key, value] => {
                data.insert((*key).to_owned(), Value::from(*value));
            }
            _ => return Read::Unreadable,
        }
    }
    Read::Told { data, before }
}

/// Splits at spaces as a shell does: quotes kept whole and dropped, backslashes taken off.
/// `None` if a quote is not closed.
pub(in crate::function) fn words(line: &str) -> Option<Vec<String>> {
    let mut out = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some('"') | None, '\\') => {
                let next = chars.next()?;
                let word = word.get_or_insert_default();
                if quote.is_some() && !matches!(next, '"' | '\\') {
                    word.push('\\');
                }
                word.push(next);
            }
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => out.extend(word.take()),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    out.extend(word);
    quote.is_none().then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::change;

    fn check(stdout: &str) -> Outcome {
        reinterpreted(Outcome::changed("run", change("stdout", stdout)))
    }

    #[test]
    fn the_last_line_tells_what_changed() {
        let told = check("noise\nchanged=yes comment='all new' x=1");
        assert_eq!((told.comment.as_str(), told.changes["x"].as_str()), ("all new", Some("1")));
        assert_eq!(told.changes["stdout"], "noise");
        assert!(check("{\"changed\": false, \"comment\": \"same\"}").changes.is_empty());
        assert_eq!(check("{\"changed\": true,\n\"a\": [1]}").changes["a"][0], 1);
    }

    #[test]
    fn what_says_nothing_readable_fails_and_shows_what_was_printed() {
        let told = check("nonsense");
        assert_eq!((told.result, &told.changes["stdout"]), (Some(false), &"nonsense".into()));
        assert_eq!(check("changed=maybe").comment, "Failed parsing boolean value: maybe");
        assert_eq!(check("[1]").comment, NO_OBJECT);
    }

    #[test]
    fn words_are_split_as_a_shell_does() {
        let split = words("a='b c' \"d\\\"e\"  f\\ g ''").unwrap();
        assert_eq!(split, ["a=b c", "d\"e", "f g", ""]);
        assert_eq!(words("'open"), None);
    }
}
