//! The forms in which a secret may stand in a text: as it is, quoted, encoded, line by line.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::rule::LENGTH_MIN;

/// The shortest line of a longer secret that counts by itself.
const LINE_MIN: usize = 8;

/// All forms of a secret that differ from each other in more than their quotes; of the whole and
/// its lines, those that are to be hidden.
pub(super) fn of(secret: &str, hidden: &dyn Fn(&str) -> bool) -> Vec<String> {
    let lines: Vec<&str> = lines(secret).collect();
    let mut plain = Vec::new();
    if hidden(secret) {
        plain.push(secret.to_owned());
    }
    if lines.len() > 1 {
        // Where a key begins and ends is no secret.
        let telling =
            |line: &&&str| line.len() >= LINE_MIN && !line.starts_with("-----") && hidden(line);
        plain.extend(lines.iter().filter(telling).map(|line| (*line).to_owned()));
    }
    let mut out = Vec::new();
    for text in &plain {
        out.extend([text.clone(), json(text), python(text), percent(text, ""), percent(text, "/")]);
        out.extend([
            text.replace('\'', "'\"'\"'"),
            text.replace('\'', "'\\''"),
            text.replace('\'', "''"),
        ]);
    }
    if hidden(secret) {
        out.extend(base64_of(secret));
    }
    out.retain(|form| form.len() >= LENGTH_MIN);
    out
}

/// The lines of a text, as they are looked for.
pub(super) fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim)
}

/// Without the quotes.
fn json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// As in a Python text in single quotes.
fn python(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('\'', "\\'");
    escaped.replace('\n', "\\n").replace('\t', "\\t")
}

/// As in an address, where some signs may stand as they are.
fn percent(text: &str, kept: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            other if kept.contains(char::from(other)) => out.push(char::from(other)),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

/// Whole, and the part that does not depend on what follows.
fn base64_of(secret: &str) -> Vec<String> {
    let whole = STANDARD.encode(secret);
    let sure = secret.len() / 3 * 4;
    let mut out = vec![STANDARD.encode(format!("{secret}\n"))];
    if sure >= LINE_MIN {
        out.push(whole[..sure].to_owned());
    }
    out.push(whole);
    out
}
