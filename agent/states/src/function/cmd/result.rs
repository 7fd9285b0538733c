//! `stateful`: the last line that a command prints says what it changed.

use serde_json::Value;

use crate::outcome::{Changes, Outcome};

/// Reads `{"changed": .., "comment": ..}` or `changed=yes comment='..'` from the last line.
pub(super) fn reinterpreted(outcome: Outcome) -> Outcome {
    let stdout = outcome.changes.get("stdout").and_then(Value::as_str).unwrap_or_default();
    let (before, last) = stdout.rsplit_once('\n').unwrap_or(("", stdout));
    let data = parse(last);
    let mut changes = Changes::new();
    let mut comment = String::new();
    for (key, value) in &data {
        match key.as_str() {
            "changed" => {}
            "comment" => comment = crate::function::args::text(value),
            _ => {
                changes.insert(key.clone(), value.clone());
            }
        }
    }
    let changed = data.get("changed").is_some_and(is_changed);
    if data.is_empty() {
        comment = format!(
            "Failed parsing script output! Stdout must be JSON or a line of name=value pairs.\n{}",
            outcome.comment
        );
        return Outcome { result: Some(false), comment, ..outcome };
    }
    if !changed {
        return Outcome { changes: Changes::new(), comment, ..outcome };
    }
    let mut all = outcome.changes.clone();
    all.insert("stdout".to_owned(), Value::from(before));
    all.extend(changes);
    Outcome { changes: all, comment, ..outcome }
}

fn is_changed(value: &Value) -> bool {
    match value {
        Value::Bool(flag) => *flag,
        Value::String(word) => {
            matches!(word.to_lowercase().as_str(), "yes" | "true" | "on" | "1")
        }
        other => crate::function::args::truth(other),
    }
}

fn parse(line: &str) -> Changes {
    if let Ok(Value::Object(map)) = serde_json::from_str(line) {
        return map;
    }
    let mut out = Changes::new();
    for word in words(line) {
        if let Some((key, value)) = word.split_once('=') {
            out.insert(key.to_owned(), Value::from(value));
        }
    }
    out
}

/// Splits at spaces, keeping quoted parts whole and dropping the quotes.
fn words(line: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut word = String::new();
    let mut quote: Option<char> = None;
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, c) if c.is_whitespace() => out.push(std::mem::take(&mut word)),
            (_, c) => word.push(c),
        }
    }
    out.push(word);
    out.retain(|word| !word.is_empty());
    out
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
        assert!(check("{\"changed\": false, \"comment\": \"same\"}").changes.is_empty());
        assert_eq!(check("nonsense").result, Some(false));
    }
}
