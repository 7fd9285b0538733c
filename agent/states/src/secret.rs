//! Secrets of the pillar, and how a report tells of them: not at all.
//!
//! Which values are secrets is decided once, from the pillar alone (`rule`); wherever one stands
//! afterwards, in whichever of its `forms`, asterisks stand in its place. docs/security.md tells
//! operators the rule.

mod forms;
mod rule;

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::outcome::Outcome;
use crate::report::Name;
use rule::Word;

/// What is shown in place of a secret, as in Salt.
pub(crate) const MASK: &str = "**********";

/// Below this length a secret counts only where it is a whole word.
const WORD_BELOW: usize = 8;

/// The secrets of a pillar.
#[derive(Debug, Default)]
pub(crate) struct Secrets {
    /// Longest first: a secret may hold another.
    needles: Vec<String>,
    shortest: usize,
}

impl Secrets {
    pub(crate) fn of(pillar: &Value) -> Secrets {
        let mut found = Vec::new();
        collect(pillar, Word::Plain, &mut found);
        let mut needles: Vec<String> = found
            .iter()
            .flat_map(|secret| forms::of(secret))
            .collect::<HashSet<_>>()
            .into_iter()
            .collect();
        needles.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        let shortest = needles.last().map_or(0, String::len);
        Secrets { needles, shortest }
    }

    /// The text without secrets; `None` if it holds none.
    pub(crate) fn masked(&self, text: &str) -> Option<String> {
        if self.needles.is_empty() || text.len() < self.shortest {
            return None;
        }
        let mut out: Option<String> = None;
        for needle in &self.needles {
            if let Some(replaced) = without(out.as_deref().unwrap_or(text), needle) {
                out = Some(replaced);
            }
        }
        out
    }

    /// Masks a text in place.
    pub(crate) fn mask(&self, text: &mut String) {
        if let Some(masked) = self.masked(text) {
            *text = masked;
        }
    }

    /// Masks the name of a state.
    pub(crate) fn mask_name(&self, name: &mut Name) {
        match name {
            Name::One(name) => self.mask(name),
            Name::Many(names) => names.iter_mut().for_each(|name| self.mask(name)),
        }
    }

    /// Masks what came of a state.
    pub(crate) fn mask_outcome(&self, outcome: &mut Outcome) {
        if self.needles.is_empty() {
            return;
        }
        self.mask(&mut outcome.comment);
        self.mask_map(&mut outcome.changes);
    }

    fn mask_map(&self, map: &mut Map<String, Value>) {
        if map.keys().any(|key| self.masked(key).is_some()) {
            let entries = std::mem::take(map).into_iter();
            *map = entries.map(|(key, value)| (self.masked(&key).unwrap_or(key), value)).collect();
        }
        map.values_mut().for_each(|value| self.mask_value(value));
    }

    fn mask_value(&self, value: &mut Value) {
        match value {
            Value::String(text) => self.mask(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.mask_value(item)),
            Value::Object(map) => self.mask_map(map),
            Value::Number(number) => {
                if self.needles.contains(&number.to_string()) {
                    *value = Value::from(MASK);
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }
}

fn collect(value: &Value, above: Word, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                collect(value, rule::word(key, above), found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, above, found)),
        Value::String(text) => found.extend(rule::secret_in(text, above)),
        Value::Number(number) => {
            let text = number.to_string();
            if above == Word::Secret && text.len() >= rule::LENGTH_MIN {
                found.push(text);
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

/// The text with a mask in place of each `needle`; `None` if there is none.
fn without(text: &str, needle: &str) -> Option<String> {
    let mut out = String::new();
    let mut rest = 0;
    for (at, _) in text.match_indices(needle) {
        if at < rest || !counts(text, at, needle) {
            continue;
        }
        out.push_str(&text[rest..at]);
        out.push_str(MASK);
        rest = at + needle.len();
    }
    if rest == 0 {
        return None;
    }
    out.push_str(&text[rest..]);
    Some(out)
}

/// A short secret within a longer word is another word.
fn counts(text: &str, at: usize, needle: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    needle.len() >= WORD_BELOW
        || !(text[..at].ends_with(is_word) || text[at + needle.len()..].starts_with(is_word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(pillar: Value, text: &str, expected: &str) {
        let secrets = Secrets::of(&pillar);
        assert_eq!(secrets.masked(text).as_deref().unwrap_or(text), expected, "{pillar}");
    }

    #[test]
    fn a_password_is_masked_wherever_and_however_it_stands() {
        let pillar = json!({"db": {"user": "app", "password": "it's \"S3cret\""}});
        for text in [
            "password = it's \"S3cret\"",
            r#"{"password": "it's \"S3cret\""}"#,
            r#"'it\'s "S3cret"'"#,
            r#"mysql -p'it'"'"'s "S3cret"'"#,
            r#"'it'\''s "S3cret"'"#,
            "'it''s \"S3cret\"'",
            "url: https://app:it%27s%20%22S3cret%22@db/",
        ] {
            let secrets = Secrets::of(&pillar);
            let masked = secrets.masked(text).unwrap_or_default();
            assert!(masked.contains(MASK) && !masked.contains("S3cret"), "{text}: {masked}");
        }
        use base64::Engine;
        let coded = base64::engine::general_purpose::STANDARD.encode("it's \"S3cret\"\n");
        let masked = Secrets::of(&pillar).masked(&coded).unwrap();
        assert!(masked.starts_with(MASK) && masked.len() < MASK.len() + 5, "{masked}");
    }

    #[test]
    fn lines_of_a_private_key_are_masked_each() {
        let key = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\n-----END \
                   PRIVATE KEY-----\n";
        let diff = "+-----BEGIN PRIVATE KEY-----\n+MIIEvQIBADANBgkq\n+hkiG9w0BAQEFAASC\n";
        let pillar = json!({"tls": {"pem": key}});
        check(pillar, diff, "+-----BEGIN PRIVATE KEY-----\n+**********\n+**********\n");
    }

    #[test]
    fn numbers_hashes_and_tokens_are_secrets_by_their_key_or_look() {
        let pillar = json!({"pin": 4711, "wifi_password": 48151623, "short": {"passwd": "a1b2"}});
        check(pillar.clone(), "is 48151623 or 148151623", "is ********** or 1**********");
        check(pillar, "a1b2 but not a1b2c; 4711", "********** but not a1b2c; 4711");
        let crypt = "$6$rounds=5000$salt1234$hash.hash/hash";
        check(json!({"users": {"amy": {"shadow": crypt}}}), crypt, MASK);
        let token = "ghp_16C7e42F292c6912E7710c838347Ae178B4a";
        check(json!({"x": token}), &format!("token {token}!"), "token **********!");
        check(json!({"u": "https://amy:pa55word@host/x"}), "pa55word", MASK);
    }

    #[test]
    fn names_paths_modes_and_public_things_stay_readable() {
        let pillar = json!({
            "app": {"name": "webserver", "user": "root", "mode": "0640", "dir": "/srv/app/data"},
            "password_file": "/etc/app/secret.txt",
            "ssl": {"key": "/etc/ssl/private/app.key", "private_key_path": "/etc/x.key"},
            "repo": {"key_url": "https://example.org/key.asc", "keyserver": "keys.example.org"},
            "ssh_keys": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJqH+xx0 amy@example"],
            "sysctl": [{"key": "net.ipv4.ip_forward", "value": "1"}],
            "source_hash": "md5=9f86d081884c7d659a2feaa0c55ad015",
            "password": {"policy": "strict", "min_length": 1234, "user": "postgres"},
            "enabled_secrets": true,
            "uuid": "0d3f5b4e-57bb-4b0a-9c79-0f6f8e2a9d11",
            "version": "1.24.3-0ubuntu1~22.04.1+really1.24.2",
        });
        let text = pillar.to_string();
        check(pillar, &text, &text);
    }

    #[test]
    fn changes_are_masked_with_their_keys() {
        let secrets = Secrets::of(&json!({"secret": "hunter2hunter2"}));
        let mut outcome = Outcome::changed(
            "Command \"x hunter2hunter2\" run",
            Map::from_iter([("hunter2hunter2".to_owned(), json!({"stdout": ["hunter2hunter2"]}))]),
        );
        secrets.mask_outcome(&mut outcome);
        assert_eq!(outcome.comment, "Command \"x **********\" run");
        assert_eq!(Value::Object(outcome.changes), json!({MASK: {"stdout": [MASK]}}));
    }
}
