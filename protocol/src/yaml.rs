//! YAML that people write: read within limits, and refused with a place and in plain words.
//!
//! An error is one sentence: `file:line:column: what was expected; what to do`. It never quotes the
//! file: what stands there may be a secret, and the place is enough to find it.

use serde::de::DeserializeOwned;
use serde_saphyr::granit_parser::{Event, Parser};
use serde_saphyr::{Error as Cause, Location, UserMessageFormatter};
use std::io::Read;
use std::path::{Path, PathBuf};

/// The largest file that is read, in bytes.
pub const FILE_BYTES_MAX: u64 = 1 << 20;
/// How deep maps and lists may nest in a file.
pub const DEPTH_MAX: usize = 64;
/// How many values a file may have, those included that aliases repeat.
pub const NODES_MAX: usize = 50_000;
/// The longest word of a file that an error repeats, in characters.
const SHOWN_CHARS_MAX: usize = 64;

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not there, or may not be read.
    #[error("reading {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It has more bytes than any of its kind.
    #[error("{} has more than {max} bytes: is it the right file?", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit.
        max: u64,
    },
    /// It is not YAML, or has not the fields that it should.
    #[error("{}:{line}:{column}: {what}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// Where, from 1.
        line: u64,
        /// Where, from 1, in characters.
        column: u64,
        /// What was expected, and what to do.
        what: String,
    },
}

/// Whether an error may repeat a word of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Words {
    /// It may: the file holds no secret.
    Shown,
    /// It may not.
    Hidden,
}

/// Reads a file of text, at most [`FILE_BYTES_MAX`] of it.
///
/// # Errors
/// When it cannot be read, is larger, or is no UTF-8; with the place in the last case.
pub fn read_text(path: &Path) -> Result<String, Error> {
    let failed = |source| Error::Read { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    text_of(bytes, path)
}

/// The text that bytes of a file are.
///
/// # Errors
/// When they are more than [`FILE_BYTES_MAX`], or no UTF-8.
pub fn text_of(bytes: Vec<u8>, path: &Path) -> Result<String, Error> {
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(Error::TooLarge { path: path.to_owned(), max: FILE_BYTES_MAX });
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let good = String::from_utf8_lossy(good);
        let line = good.matches('\n').count() as u64 + 1;
        let column = good.rsplit('\n').next().unwrap_or_default().chars().count() as u64 + 1;
        let what = "expected text in UTF-8: save the file in that encoding".to_owned();
        Error::Content { path: path.to_owned(), line, column, what }
    })
}

/// Reads one document. `path` is for the error alone.
///
/// # Errors
/// With the place, what was expected there, and what to do.
pub fn parse<T: DeserializeOwned>(text: &str, path: &Path, words: Words) -> Result<T, Error> {
    let budget = serde_saphyr::budget! { max_depth: DEPTH_MAX, max_nodes: NODES_MAX };
    let options = serde_saphyr::options! { with_snippet: false, budget: budget };
    serde_saphyr::from_str_with_options(text, options).map_err(|cause| {
        let cause = cause.without_snippet();
        let (line, column) = place(cause, text);
        let key = key_before(text, line, column);
        let what = match (key, says(cause, words)) {
            (Some(key), (what, true)) => format!("`{key}`: {what}"),
            (_, (what, _)) => what,
        };
        Error::Content { path: path.to_owned(), line, column, what }
    })
}

/// A file that reads well and makes no sense: `what` is said of the value at `keys`, from the
/// outermost map inwards (the number, from 0, where a list is), or of the nearest one around it.
#[must_use]
pub fn invalid(text: &str, path: &Path, keys: &[&str], what: String) -> Error {
    let found = (0..=keys.len()).rev().find_map(|depth| place_of(text, &keys[..depth]));
    let (line, column) = found.unwrap_or((1, 1));
    Error::Content { path: path.to_owned(), line, column, what }
}

/// Where the entry at these keys begins: its key in a map, itself in a list.
fn place_of(text: &str, keys: &[&str]) -> Option<(u64, u64)> {
    /// A map or list that is being read, and the key or number that was read in it last.
    struct Around {
        is_map: bool,
        awaits_key: bool,
        count: usize,
        at: String,
    }
    let mut around: Vec<Around> = Vec::new();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.ok()?;
        let here = (span.start.line() as u64, span.start.col() as u64 + 1);
        let (name, opens) = match &event {
            Event::Scalar(name, ..) => (name.as_ref(), None),
            Event::Alias(..) => ("", None),
            Event::MappingStart(..) => ("", Some(true)),
            Event::SequenceStart(..) => ("", Some(false)),
            Event::MappingEnd | Event::SequenceEnd => {
                around.pop();
                continue;
            }
            _ => continue,
        };
        if around.is_empty() && keys.is_empty() {
            return Some(here);
        }
        if let Some(inner) = around.last_mut() {
            let is_value = inner.is_map && !inner.awaits_key;
            inner.awaits_key = inner.is_map && !inner.awaits_key;
            if !is_value {
                inner.at = if inner.is_map { name.to_owned() } else { inner.count.to_string() };
                inner.count += 1;
                if around.iter().map(|inner| inner.at.as_str()).eq(keys.iter().copied()) {
                    return Some(here);
                }
            }
        }
        if let Some(is_map) = opens {
            if around.len() > DEPTH_MAX {
                return None;
            }
            around.push(Around { is_map, awaits_key: is_map, count: 0, at: String::new() });
        }
    }
    None
}

/// The place of an error, from 1. The parser gives that of the whole entry where a field of it was
/// read ahead: then the word that is wrong is looked for from there.
fn place(cause: &Cause, text: &str) -> (u64, u64) {
    let found = cause.location().filter(|place| *place != Location::UNKNOWN);
    let (line, column) = found.map_or((1, 1), |place| (place.line(), place.column()));
    let word = match cause {
        Cause::SerdeUnknownField { field, .. } => field.as_str(),
        Cause::SerdeUnknownVariant { variant, .. } => variant.as_str(),
        _ => return (line, column),
    };
    find(text, line, column, word).unwrap_or((line, column))
}

/// Where a word stands at or behind a place.
fn find(text: &str, line: u64, column: u64, word: &str) -> Option<(u64, u64)> {
    let inner = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let skip = |n: u64| usize::try_from(n.saturating_sub(1)).unwrap_or(usize::MAX);
    for (number, whole) in text.lines().enumerate().skip(skip(line)) {
        let from = if number == skip(line) { skip(column) } else { 0 };
        let start = whole.char_indices().nth(from).map_or(whole.len(), |(at, _)| at);
        let stands = |at: &usize| {
            let end = at + word.len();
            !whole[..*at].ends_with(inner) && !whole[end..].starts_with(inner)
        };
        let mut found = whole[start..].match_indices(word).map(|(at, _)| start + at);
        if let Some(at) = found.find(stands).filter(|_| !word.is_empty()) {
            return Some((number as u64 + 1, whole[..at].chars().count() as u64 + 1));
        }
    }
    None
}

/// The key whose value begins at a place, if it stands on the same line.
fn key_before(text: &str, line: u64, column: u64) -> Option<String> {
    let nth = |n: u64| usize::try_from(n.saturating_sub(1)).ok();
    let whole = text.lines().nth(nth(line)?)?;
    let mut before: String = whole.chars().take(nth(column)?).collect();
    // Where there is no value, the place is the colon's.
    before.extend(whole.chars().nth(nth(column)?).filter(|c| *c == ':'));
    let key = before.trim_end().strip_suffix(':')?.trim_end();
    let key = key.rsplit(['{', ',', ' ', '\t']).next()?.trim_matches(['"', '\'']);
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    (!key.is_empty() && key.len() <= SHOWN_CHARS_MAX && key.chars().all(plain))
        .then(|| key.to_owned())
}

/// What was expected and what to do, and whether it is said of a value, so that its key helps.
fn says(cause: &Cause, words: Words) -> (String, bool) {
    let one_of = |names: &[&str]| match names {
        [] => "there is none".to_owned(),
        [name] => format!("use {name}"),
        names => format!("use one of {}", names.join(", ")),
    };
    let of_value = |what: &str| (what.to_owned(), true);
    let of_place = |what: &str| (what.to_owned(), false);
    match cause {
        Cause::Eof { .. } => of_place("it ends too early: expected fields, `name: value`"),
        Cause::MultipleDocuments { .. } => {
            of_place("a second document begins here: keep one, without `---`")
        }
        Cause::Unexpected { expected, .. } => (format!("expected {}", shape(expected)), true),
        Cause::NullIntoString { .. } => of_value("expected a text, and there is nothing"),
        Cause::InvalidBooleanStrict { .. } => of_value("expected true or false"),
        Cause::InvalidScalar { ty, .. } => (format!("expected {}", kind(ty)), true),
        Cause::SerdeInvalidType { expected, .. } | Cause::SerdeInvalidValue { expected, .. } => {
            (format!("expected {}", shape(expected)), true)
        }
        Cause::SerdeUnknownVariant { variant, expected, .. } => {
            let variant = quote(variant, words).unwrap_or("what stands here".into());
            (format!("{variant} is unknown: {}", one_of(expected)), true)
        }
        Cause::SerdeUnknownField { field, expected, .. } => {
            let field =
                quote(field, words).map_or("this field".into(), |name| format!("the field {name}"));
            (format!("{field} is unknown: remove it, or {}", one_of(expected)), false)
        }
        Cause::SerdeMissingField { field, .. } => {
            (format!("the field `{field}` is missing: add it"), false)
        }
        Cause::DuplicateMappingKey { key, .. } => {
            let key = key.as_deref().and_then(|key| quote(key, words)).unwrap_or("this key".into());
            (format!("{key} stands twice: keep one of them"), false)
        }
        Cause::UnknownAnchor { .. } => of_value("`*` refers to nothing: put the text in quotes"),
        Cause::Budget { .. }
        | Cause::AliasReplayLimitExceeded { .. }
        | Cause::AliasExpansionLimitExceeded { .. }
        | Cause::AliasReplayStackDepthExceeded { .. } => (
            format!("at most {DEPTH_MAX} levels and {NODES_MAX} values are read: make it simpler"),
            false,
        ),
        Cause::AliasError { error, .. } => says(error.without_snippet(), words),
        Cause::Message { .. } => {
            let what = clean(&plain(cause), words);
            (format!("{what}{}", what_to_do(&what)), true)
        }
        _ => {
            let what = clean(&plain(cause), words);
            (format!("{what}{}", what_to_do(&what)), false)
        }
    }
}

/// What to do about what the parser says, where it does not say it.
fn what_to_do(what: &str) -> &'static str {
    let known = [
        ("tabs", ": indent with spaces"),
        ("unclosed", ": close it"),
        ("socket address", ": expected ADDRESS:PORT, as in 127.0.0.1:8443"),
    ];
    known.iter().find(|(part, _)| what.contains(part)).map_or("", |(_, advice)| advice)
}

fn plain(cause: &Cause) -> String {
    let text = cause.render_with_formatter(&UserMessageFormatter);
    // The place is told in front.
    let place = cause.location().map(|at| {
        [
            format!(" at line {}, column {}", at.line(), at.column()),
            format!("line {} column {}: ", at.line(), at.column()),
            "error: ".to_owned(),
        ]
    });
    place.into_iter().flatten().fold(text, |text, part| text.replace(&part, ""))
}

/// The parser's words for a shape, as people say them.
fn shape(expected: &str) -> &str {
    match expected {
        "mapping start" | "a map" => "fields, `name: value`",
        "sequence start" | "a sequence" => "a list",
        "string scalar" | "scalar" | "a string" => "a text",
        "a boolean" => "true or false",
        other => other.strip_prefix("struct ").map_or(other, |_| "fields, `name: value`"),
    }
}

/// A number's type, as people say it.
fn kind(ty: &str) -> String {
    let bits = |ty: &str| ty[1..].parse::<u32>().ok().filter(|bits| (8..=64).contains(bits));
    match (ty.as_bytes().first(), bits(ty)) {
        (Some(b'u'), Some(bits)) => format!("a whole number from 0 to {}", u64::MAX >> (64 - bits)),
        (Some(b'i'), Some(bits)) => {
            let max = i64::MAX >> (64 - bits);
            format!("a whole number from {} to {max}", -max - 1)
        }
        (Some(b'f'), Some(_)) => "a number".to_owned(),
        _ if ty.starts_with("bool") => "true or false".to_owned(),
        _ => ty.to_owned(),
    }
}

/// A word of the file as an error repeats it; nothing if it may not.
fn quote(word: &str, words: Words) -> Option<String> {
    let short = word.chars().count() <= SHOWN_CHARS_MAX && !word.chars().any(char::is_control);
    (words == Words::Shown && short).then(|| format!("`{word}`"))
}

/// What a type says of a value: on one line and, where it may be a secret, without what it quotes.
fn clean(text: &str, words: Words) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if words == Words::Shown && text.len() <= 10 * SHOWN_CHARS_MAX {
        return text;
    }
    let mut out = String::new();
    for (at, part) in text.split(['"', '`']).enumerate() {
        out.push_str(if at % 2 == 0 { part } else { "what stands here" });
    }
    out.chars().take(10 * SHOWN_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use std::collections::BTreeMap;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Small {
        #[allow(dead_code, reason = "only whether it is read matters")]
        name: crate::id::ClusterName,
        #[serde(default)]
        #[allow(dead_code, reason = "only whether it is read matters")]
        sizes: BTreeMap<String, u8>,
        #[serde(default)]
        #[allow(dead_code, reason = "only whether it is read matters")]
        on: Option<bool>,
        #[serde(default)]
        #[allow(dead_code, reason = "only whether it is read matters")]
        list: Vec<Kind>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
    enum Kind {
        One {
            #[allow(dead_code, reason = "only whether it is read matters")]
            a: Option<u32>,
        },
    }

    fn refusal(text: &str, words: Words) -> String {
        parse::<Small>(text, Path::new("s.yaml"), words).unwrap_err().to_string()
    }

    #[test]
    fn what_is_wrong_is_one_sentence_with_its_place() {
        for (text, expected) in [
            ("", "s.yaml:1:1: it ends too early: expected fields, `name: value`"),
            (
                "name: a\nsizes: {b: 256}\n",
                "s.yaml:2:12: `b`: expected a whole number from 0 to 255",
            ),
            ("name: a\nsizes: [1]\n", "s.yaml:2:8: `sizes`: expected fields, `name: value`"),
            ("name: a\non: 3\n", "s.yaml:2:5: `on`: expected true or false"),
            ("name:\n", "s.yaml:1:5: `name`: expected a text, and there is nothing"),
            ("on: true\n", "the field `name` is missing: add it"),
            ("name: a\nname: b\n", "s.yaml:2:1: `name` stands twice: keep one of them"),
            ("name: a\n---\nname: b\n", "a second document begins here: keep one, without `---`"),
            (
                "name: a\nnam: b\n",
                "s.yaml:2:1: the field `nam` is unknown: remove it, or use one of",
            ),
            (
                "name: a\nlist:\n  - kind: one\n    a: 1\n    b: 2\n",
                "s.yaml:5:5: the field `b` is unknown: remove it, or use",
            ),
            ("name: a\nlist:\n  - kind: two\n", "s.yaml:3:11: `kind`: `two` is unknown: use one"),
            ("name: *a\n", "refers to nothing"),
        ] {
            let found = refusal(text, Words::Shown);
            assert!(found.contains(expected) && !found.contains('\n'), "{text:?}: {found}");
        }
    }

    #[test]
    fn an_entry_is_found_by_its_keys() {
        let text = "a: {b: [1, {c: 2}], b2: &x [q]}\n\"d\":\n  - e: 1\n    f: *x\n";
        for (keys, place) in [
            (&["a", "b", "1", "c"][..], "1:13"),
            (&["a", "b2"], "1:21"),
            (&["d", "0", "f"], "4:5"),
            (&["d", "0", "none"], "3:5"),
            (&[], "1:1"),
        ] {
            let error = invalid(text, Path::new("s.yaml"), keys, "odd".into()).to_string();
            assert_eq!(error, format!("s.yaml:{place}: odd"), "{keys:?}");
        }
    }

    #[test]
    fn no_word_of_the_file_is_told_where_it_may_be_a_secret() {
        for text in [
            "name: S3CRET/\n",
            "name: a\nS3CRET: 1\n",
            "name: a\nlist: [{kind: S3CRET}]\n",
            "name: a\non: S3CRET\n",
            "name: a\nS3CRET: 1\nS3CRET: 2\n",
            "S3CRET",
            "name: [S3CRET\n",
            "name: a\nsizes: S3CRET\n",
            "name: a\non: *S3CRET\n",
        ] {
            let found = refusal(text, Words::Hidden);
            assert!(!found.contains("S3CRET") && found.starts_with("s.yaml:"), "{found}");
        }
    }

    #[test]
    fn deep_and_huge_files_are_refused() {
        let deep = format!("name: a\nlist: {}", "[".repeat(100_000));
        assert!(refusal(&deep, Words::Shown).starts_with("s.yaml:2:"));
        let any = format!("a: {}{}", "[".repeat(100), "]".repeat(100));
        let deep = parse::<serde_json::Value>(&any, Path::new("s.yaml"), Words::Shown);
        assert!(deep.unwrap_err().to_string().contains("at most 64 levels"));
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for i in 1..9 {
            let refs = vec![format!("*a{}", i - 1); 10].join(", ");
            bomb.push_str(&format!("a{i}: &a{i} [{refs}]\n"));
        }
        let bomb = parse::<serde_json::Value>(&bomb, Path::new("s.yaml"), Words::Shown);
        assert!(bomb.unwrap_err().to_string().contains("make it simpler"));
        let huge = vec![b' '; 1 + (1 << 20)];
        let huge = text_of(huge, Path::new("s.yaml")).unwrap_err().to_string();
        assert!(huge.contains("more than 1048576 bytes"), "{huge}");
        let error = text_of(b"a: b\nc: \xff".to_vec(), Path::new("s.yaml")).unwrap_err();
        assert!(error.to_string().starts_with("s.yaml:2:4: expected text"), "{error}");
    }
}
