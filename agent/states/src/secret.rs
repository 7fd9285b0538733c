//! Secrets of the pillar, and how a report tells of them: not at all.
//!
//! Which values are secrets is decided once, from the pillar: by keys and looks (`rule`), and by
//! what the operator has chosen (`choice`): paths, or all that is not `open` to everybody anyhow.
//! Wherever one stands afterwards, in whichever of its `forms`, asterisks stand in its place.
//! docs/security.md tells operators the rule.

mod choice;
mod forms;
mod open;
mod rule;

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use serde_json::{Map, Value};

use crate::data::key;
use crate::error::Error;
use crate::facts::Facts;
use crate::function::args::truth;
use crate::opts::Opts;
use crate::outcome::Outcome;
use crate::report::{Fired, Name, StateReturn};
use crate::tree::Tree;
use choice::{Choice, Said};
use open::Open;
use rule::Word;

pub(crate) use choice::check;

/// What is shown in place of a secret, as in Salt.
pub(crate) const MASK: &str = "**********";

/// What Salt shows of a value that nobody shall see: its shape, and what is empty, 0 or false.
pub fn hidden(value: &Value) -> Value {
    match value {
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), hidden(value))).collect(),
        Value::Array(items) => items.iter().map(hidden).collect(),
        Value::Null => Value::Null,
        Value::Bool(_) | Value::Number(_) | Value::String(_) if !truth(value) => value.clone(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => Value::from(MASK),
    }
}

/// Below this length a secret counts only where it is a whole word.
const WORD_BELOW: usize = 8;

/// The bytes by which a secret is looked for: no secret is shorter.
type Start = [u8; rule::LENGTH_MIN];

/// The secrets of a pillar.
#[derive(Debug, Default)]
pub(crate) struct Secrets {
    /// By their first bytes, longest first: a secret may hold another.
    needles: HashMap<Start, Vec<String>>,
}

impl Secrets {
    /// The secrets of a worker's pillar, by what its options choose; its tree and its facts are
    /// read by everybody, and what stands there is not hidden for standing in the pillar, too.
    pub(crate) fn of(pillar: &Value, opts: &Opts, tree: &Tree, facts: &Facts) -> Secrets {
        let mut found = Found { choice: Choice::of(opts), ..Found::default() };
        found.collect(pillar, Said::Nothing, Word::Plain, &mut Vec::new());
        let sure = found.sure.iter().flat_map(|secret| forms::of(secret, &|_| true));
        let mut forms: HashSet<String> = sure.collect();
        if !found.others.is_empty() {
            let open = Open::of(&found.others, tree, facts);
            let hidden = |piece: &str| piece.len() >= choice::ALL_MIN && !open.has(piece);
            forms.extend(found.others.iter().flat_map(|text| forms::of(text, &hidden)));
        }
        let mut needles: HashMap<Start, Vec<String>> = HashMap::new();
        for form in forms {
            if let Some(start) = form.as_bytes().first_chunk() {
                needles.entry(*start).or_default().push(form);
            }
        }
        needles.values_mut().for_each(|all| all.sort_by_key(|form| std::cmp::Reverse(form.len())));
        Secrets { needles }
    }

    /// Masks these, too.
    pub(crate) fn add(&mut self, more: &Secrets) {
        for (start, secrets) in &more.needles {
            let own = self.needles.entry(*start).or_default();
            own.extend(secrets.iter().cloned());
            own.sort_by_key(|form| std::cmp::Reverse(form.len()));
            own.dedup();
        }
    }

    /// The text without secrets; `None` if it holds none.
    pub(crate) fn masked(&self, text: &str) -> Option<String> {
        let spans = self.spans(text);
        if spans.is_empty() {
            return None;
        }
        let mut out = String::new();
        let mut rest = 0;
        for span in spans {
            out.push_str(&text[rest..span.start]);
            out.push_str(MASK);
            rest = span.end;
        }
        out.push_str(&text[rest..]);
        Some(out)
    }

    /// Where secrets stand, in order; those that overlap are one.
    fn spans(&self, text: &str) -> Vec<Range<usize>> {
        let mut spans: Vec<Range<usize>> = Vec::new();
        if self.needles.is_empty() {
            return spans;
        }
        for (at, start) in text.as_bytes().windows(rule::LENGTH_MIN).enumerate() {
            let Some(known) =
                Start::try_from(start).ok().and_then(|start| self.needles.get(&start))
            else {
                continue;
            };
            let rest = &text[at..];
            let found = known.iter().find(|one| rest.starts_with(*one) && counts(text, at, one));
            let Some(end) = found.map(|one| at + one.len()) else { continue };
            match spans.last_mut() {
                Some(last) if at < last.end => last.end = last.end.max(end),
                Some(_) | None => spans.push(at..end),
            }
        }
        spans
    }

    /// Whether a text holds a secret that is hardly there by chance: a password that is also a
    /// common word is everywhere.
    pub(crate) fn telling_in(&self, text: &str) -> bool {
        let telling = |secret: &str| {
            let has = |class: fn(&char) -> bool| secret.chars().any(|c| class(&c));
            let mixed = has(char::is_ascii_digit) || has(|c| !c.is_lowercase());
            secret.len() >= WORD_BELOW && mixed
        };
        self.spans(text).into_iter().any(|span| telling(&text[span]))
    }

    /// Masks a text in place.
    pub(crate) fn mask(&self, text: &mut String) {
        if let Some(masked) = self.masked(text) {
            *text = masked;
        }
    }

    /// Masks what a report tells of a state, but for its changes, which its outcome masks.
    pub(crate) fn mask_state(&self, state: &mut StateReturn) {
        if self.needles.is_empty() {
            return;
        }
        match &mut state.name {
            Name::One(name) => self.mask(name),
            Name::Many(names) => names.iter_mut().for_each(|name| self.mask(name)),
        }
        for text in [&mut state.id, &mut state.sls, &mut state.comment] {
            self.mask(text);
        }
        for Fired { tag, data } in &mut state.events {
            self.mask(tag);
            data.iter_mut().for_each(|data| self.mask_value(data));
        }
    }

    /// Masks a fault of a tree.
    pub(crate) fn mask_error(&self, error: &mut Error) {
        self.mask(&mut error.reason);
        error.in_full.iter_mut().for_each(|words| self.mask(words));
    }

    /// Masks what came of a state.
    pub(crate) fn mask_outcome(&self, outcome: &mut Outcome) {
        if self.needles.is_empty() {
            return;
        }
        self.mask(&mut outcome.comment);
        self.mask_map(&mut outcome.changes);
        outcome.warnings.iter_mut().for_each(|warnings| self.mask_value(warnings));
    }

    fn mask_map(&self, map: &mut Map<String, Value>) {
        if map.keys().any(|key| self.masked(key).is_some()) {
            let entries = std::mem::take(map).into_iter();
            *map = entries.map(|(key, value)| (self.masked(&key).unwrap_or(key), value)).collect();
        }
        map.values_mut().for_each(|value| self.mask_value(value));
    }

    /// Masks all texts of a value.
    pub(crate) fn mask_value(&self, value: &mut Value) {
        match value {
            Value::String(text) => self.mask(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.mask_value(item)),
            Value::Object(map) => self.mask_map(map),
            Value::Number(number) => {
                if self.masked(&number.to_string()).as_deref() == Some(MASK) {
                    *value = Value::from(MASK);
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }
}

/// What of a pillar is hidden.
#[derive(Debug, Default)]
struct Found {
    choice: Choice,
    /// Whatever else says the same.
    sure: Vec<String>,
    /// Unless it is known to everybody.
    others: Vec<String>,
}

impl Found {
    /// Collects below a value to which keys (`above`) and the operator (`said`) have given a
    /// meaning; `path` leads to it.
    fn collect<'a>(&mut self, value: &'a Value, said: Said, above: Word, path: &mut Vec<&'a str>) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    path.push(key);
                    let said = self.choice.said(path, said);
                    self.collect(value, said, rule::word(key, above), path);
                    path.pop();
                }
            }
            Value::Array(items) => {
                items.iter().for_each(|item| self.collect(item, said, above, path));
            }
            Value::String(text) if !key::is_text(text) => {
                self.number(key::text(text).to_owned(), said, above);
            }
            Value::String(text) => self.text(key::text(text), said, above),
            Value::Number(number) => self.number(number.to_string(), said, above),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn text(&mut self, text: &str, said: Said, above: Word) {
        match said {
            Said::Open => {}
            Said::Secret => self.sure.extend(rule::whole(text)),
            Said::Nothing => match rule::secret_in(text, above) {
                // The password of an address is; the rest of the address is another matter.
                Some(secret) if secret.len() == text.trim().len() => self.sure.push(secret),
                found => {
                    self.sure.extend(found);
                    self.other(text.trim());
                }
            },
        }
    }

    fn number(&mut self, digits: String, said: Said, above: Word) {
        match said {
            Said::Open => {}
            Said::Nothing if above != Word::Secret => self.other(&digits),
            Said::Secret | Said::Nothing => self.sure.extend(rule::whole(&digits)),
        }
    }

    fn other(&mut self, text: &str) {
        if self.choice.all && text.len() >= choice::ALL_MIN {
            self.others.push(text.to_owned());
        }
    }
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

    fn of(pillar: &Value) -> Secrets {
        Secrets::of(pillar, &Opts::default(), &Tree::default(), &Facts::default())
    }

    fn check(pillar: Value, text: &str, expected: &str) {
        let secrets = of(&pillar);
        assert_eq!(secrets.masked(text).as_deref().unwrap_or(text), expected, "{pillar}");
    }

    #[test]
    fn a_hidden_value_keeps_its_shape_and_what_is_empty() {
        let shown =
            hidden(&json!({"a": [0, 1, false, true, "", "x", null, 0.5], "b": {}, "c": []}));
        let mask = MASK;
        let left = json!([0, mask, false, mask, "", mask, null, mask]);
        assert_eq!(shown, json!({"a": left, "b": {}, "c": []}));
    }

    #[test]
    fn a_password_of_many_digits_is_masked() {
        let pillar = crate::yaml::read_pillar("password: 98765432109876543210\n").unwrap();
        check(pillar, "is 98765432109876543210.", "is **********.");
    }

    #[test]
    fn secrets_before_and_after_a_reload_are_masked() {
        let mut secrets = of(&json!({"password": "n3w-secret"}));
        secrets.add(&of(&json!({"password": "n3w-sec", "token": "0ld-secret"})));
        let shown = secrets.masked("-0ld-secret +n3w-secret");
        assert_eq!(shown, Some(format!("-{MASK} +{MASK}")));
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
            let secrets = of(&pillar);
            let masked = secrets.masked(text).unwrap_or_default();
            assert!(masked.contains(MASK) && !masked.contains("S3cret"), "{text}: {masked}");
        }
        use base64::Engine;
        let coded = base64::engine::general_purpose::STANDARD.encode("it's \"S3cret\"\n");
        let masked = of(&pillar).masked(&coded).unwrap();
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
        let secrets = of(&json!({"secret": "hunter2hunter2"}));
        let mut outcome = Outcome::changed(
            "Command \"x hunter2hunter2\" run",
            Map::from_iter([("hunter2hunter2".to_owned(), json!({"stdout": ["hunter2hunter2"]}))]),
        );
        secrets.mask_outcome(&mut outcome);
        assert_eq!(outcome.comment, "Command \"x **********\" run");
        assert_eq!(Value::Object(outcome.changes), json!({MASK: {"stdout": [MASK]}}));
    }

    #[test]
    fn secrets_that_overlap_or_hold_each_other_leave_nothing_between() {
        let pillar =
            json!({"a_token": "abcdefghij", "b_token": "hijklmnop", "c_token": "mnop1234"});
        check(pillar.clone(), "x abcdefghijklmnop1234 y", "x ********** y");
        check(pillar, "abcdefghijhijklmnop", "********************");
    }

    fn chosen(opts: &Value, text: &str) -> String {
        let pillar = json!({
            "motd": {"note": "the horse eats at noon", "owner": "Amy Miller", "short": "noon"},
            "site": {"name": "pluto.example.org", "title": "Welcome to Pluto", "port": 12345678},
            "conf": "listen = 10.1.2.3\nserver_tokens off\n",
            "url": "https://amy:pa55word@db.example.org/x",
        });
        let opts: Opts = serde_json::from_value(opts.clone()).unwrap();
        assert_eq!(opts.check(), Vec::new());
        let tree = Tree::from_files([("a.sls", "title: Welcome to Pluto!\n# server_tokens off\n")]);
        let facts = serde_json::from_value(json!({"fqdns": ["pluto.example.org"]})).unwrap();
        let secrets = Secrets::of(&pillar, &opts, &tree, &facts);
        secrets.masked(text).unwrap_or_else(|| text.to_owned())
    }

    #[test]
    fn all_texts_of_a_pillar_are_secrets_if_the_operator_says_so_but_for_what_is_open() {
        let all = json!({"muster_secrets": "all"});
        for text in ["the horse eats at noon", "Amy Miller", "listen = 10.1.2.3", "12345678"] {
            assert_eq!(chosen(&all, &format!("+ {text}.")), format!("+ {MASK}."));
            assert_eq!(chosen(&json!({"muster_secrets": "keys"}), text), text);
        }
        for text in ["noon", "Welcome to Pluto", "pluto.example.org", "server_tokens off"] {
            assert_eq!(chosen(&all, text), text);
        }
        assert_eq!(chosen(&all, "'https://amy:pa55word@db.example.org/x'"), format!("'{MASK}'"));
    }

    #[test]
    fn paths_of_the_operators_are_secret_or_open_whatever_else_is_said() {
        let paths = json!({"muster_secret_paths": ["motd", "s*:title"],
                           "muster_public_paths": ["motd:owner"]});
        assert_eq!(chosen(&paths, "noon, Amy Miller"), format!("{MASK}, Amy Miller"));
        assert_eq!(chosen(&paths, "Welcome to Pluto"), MASK);
        let open = json!({"muster_secrets": "all", "muster_public_paths": ["motd", "url"],
                          "muster_secret_paths": ["motd:note"]});
        assert_eq!(chosen(&open, "Amy Miller: pa55word"), "Amy Miller: pa55word");
        assert_eq!(chosen(&open, "the horse eats at noon"), MASK);
    }
}
