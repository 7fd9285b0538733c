//! What the states that edit a text share: reading it, searching it, writing it back.

use std::io;

use super::not_absolute;
use crate::function::{Context, Plan};
use crate::host::files::{Access, copy_beside, replace_keeping};
use crate::outcome::{Changes, Outcome, change};
use crate::regex::{Flags, Regex, byte_text};

use super::diff::{self, is_text};

/// A text's new contents, and what came of it once they are written.
pub(in crate::function) struct Edit {
    data: Vec<u8>,
    /// What the old file's copy ends with, if one is kept.
    backup: Option<String>,
    link: Link,
    done: Outcome,
}

/// What comes of a link to the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    /// It stays; the text's copy is beside the text.
    Stays,
    /// It stays, and beside it comes one to the text's copy.
    Paired,
    /// The new text takes its place; the copy is beside that.
    Replaced,
}

impl Edit {
    /// A change to a text: what a dry run tells, what is written, and what is told then.
    pub(super) fn plan(
        foreseen: Outcome,
        data: Vec<u8>,
        backup: Option<String>,
        done: Outcome,
    ) -> Plan<Edit> {
        Plan::Change { foreseen, step: Edit { data, backup, link: Link::Stays, done } }
    }

    /// The same with another end for links.
    pub(super) fn with_link(plan: Plan<Edit>, link: Link) -> Plan<Edit> {
        match plan {
            Plan::Change { foreseen, step } => {
                Plan::Change { foreseen, step: Edit { link, ..step } }
            }
            done @ Plan::Done(_) => done,
        }
    }

    /// What is told of it.
    pub(super) fn changes(&self) -> &Changes {
        &self.done.changes
    }

    /// Writes it.
    pub(super) fn apply(self, ctx: &Context<'_>) -> Outcome {
        match save(ctx, &self.data, self.backup.as_deref(), self.link) {
            Ok(()) => self.done,
            Err(error) => Outcome::failed(format!("Failed to write {}: {error}", ctx.name())),
        }
    }
}

/// Writes a text back: its owner, mode and attributes stay; a copy of the old one is kept if asked.
fn save(ctx: &Context<'_>, data: &[u8], backup: Option<&str>, link: Link) -> io::Result<()> {
    let name = ctx.name();
    let place = match link {
        Link::Stays | Link::Paired => ctx.host.followed(name),
        Link::Replaced => ctx.host.path(name),
    };
    let access = ctx.host.stat(name).map_or_else(Access::default, |meta| Access::of(&meta));
    if let Some(ending) = backup {
        copy_beside(ctx.host, &place, ending)?;
        if link == Link::Paired {
            link_backup(ctx, ending)?;
        }
    }
    replace_keeping(ctx.host, &place, data, Access::default(), access)
}

/// Beside a link to the file stands a link to the file's copy.
fn link_backup(ctx: &Context<'_>, ending: &str) -> io::Result<()> {
    let path = ctx.host.path(ctx.name());
    let Ok(target) = std::fs::read_link(&path) else { return Ok(()) };
    let with = |path: std::path::PathBuf| {
        let mut name = path.into_os_string();
        name.push(ending);
        name
    };
    let (target, link) = (with(target), with(path));
    crate::backup::keep(std::path::Path::new(&link));
    match std::fs::remove_file(&link) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    std::os::unix::fs::symlink(target, link)
}

/// Salt's check before it edits: an absolute path, and something there.
pub(super) fn present(ctx: &Context<'_>) -> Result<(), String> {
    let name = ctx.name();
    match not_absolute(name) {
        Some(problem) => Err(problem),
        None if ctx.host.stat(name).is_none() => Err(format!("{name}: file not found")),
        None => Ok(()),
    }
}

/// The file's bytes; Salt edits no binary file.
pub(super) fn read(ctx: &Context<'_>) -> Result<Vec<u8>, String> {
    let name = ctx.name();
    let data = std::fs::read(ctx.host.followed(name))
        .map_err(|error| format!("Unable to open file '{name}'. Exception: {error}"))?;
    if is_text(&data) {
        return Ok(data);
    }
    Err(format!("Cannot perform string replacements on a binary file: {name}"))
}

/// Whether a pattern is found in a file's bytes, line by line.
pub(super) fn search(data: &[u8], pattern: &str) -> Result<bool, String> {
    let flags = Flags { multi_line: true, ascii: true, ..Flags::default() };
    let regex = Regex::new(&byte_text(pattern.as_bytes()), flags);
    let found = regex.and_then(|regex| regex.search(&byte_text(data)));
    found.map_err(|error| error.to_string())
}

/// What `backup` asks for: an ending, or none.
pub(super) fn backup(ctx: &Context<'_>, default: &str) -> Option<String> {
    match ctx.chunk.args.get("backup") {
        None => Some(default.to_owned()),
        Some(value) if !crate::function::args::truth(value) => None,
        Some(_) => ctx.text("backup"),
    }
}

/// `changes` with a diff, or with what stands for one that is not to be shown.
pub(super) fn shown(ctx: &Context<'_>, old: &[u8], diff: String) -> Changes {
    if !is_text(old) {
        change("diff", "Replace binary file")
    } else if ctx.flag("show_changes", true) {
        change("diff", diff)
    } else {
        change("diff", diff::HIDDEN)
    }
}

/// A text that must be UTF-8; what is none ends the state, in Python's words.
pub(super) fn utf8(data: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(data).map_err(|error| {
        let at = error.valid_up_to();
        let (len, reason) = match error.error_len() {
            None => (data.len() - at, "unexpected end of data"),
            Some(len) if matches!(data[at], 0x80..=0xc1 | 0xf5..) => (len, "invalid start byte"),
            Some(len) => (len, "invalid continuation byte"),
        };
        match len {
            1 => format!(
                "'utf-8' codec can't decode byte 0x{:02x} in position {at}: {reason}",
                data[at]
            ),
            len => format!(
                "'utf-8' codec can't decode bytes in position {at}-{}: {reason}",
                at + len - 1
            ),
        }
    })
}

/// Text as Salt decodes it: UTF-8, else Latin-1, and back again by `encoded`.
pub(super) fn decoded(data: &[u8]) -> (String, bool) {
    match std::str::from_utf8(data) {
        Ok(text) => (text.to_owned(), true),
        Err(_) => (byte_text(data), false),
    }
}

/// The bytes of a text that `decoded` took from UTF-8 (or from Latin-1).
pub(super) fn encoded(text: &str, utf8: bool) -> Vec<u8> {
    if utf8 { text.as_bytes().to_vec() } else { crate::regex::text_bytes(text) }
}

/// Python's `splitlines(True)` of a text.
pub(in crate::function) fn python_lines(text: &str) -> Vec<&str> {
    split_lines(text, |sign| {
        matches!(
            sign,
            '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'
                ..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}'
        )
    })
}

/// Lines with their ends: `\n`, `\r` and `\r\n`.
pub(super) fn universal_lines(text: &str) -> Vec<&str> {
    split_lines(text, |sign| sign == '\n' || sign == '\r')
}

fn split_lines(text: &str, ends: impl Fn(char) -> bool) -> Vec<&str> {
    let mut out = Vec::new();
    let mut start = 0;
    let mut signs = text.char_indices().peekable();
    while let Some((at, sign)) = signs.next() {
        if !ends(sign) {
            continue;
        }
        let mut end = at + sign.len_utf8();
        if sign == '\r' && signs.next_if(|(_, next)| *next == '\n').is_some() {
            end += 1;
        }
        out.push(&text[start..end]);
        start = end;
    }
    if start < text.len() {
        out.push(&text[start..]);
    }
    out
}

/// A line without its end, as Python's `splitlines()` has it.
pub(in crate::function) fn without_end(line: &str) -> &str {
    let ends = [
        '\n', '\r', '\u{b}', '\u{c}', '\u{1c}', '\u{1d}', '\u{1e}', '\u{85}', '\u{2028}',
        '\u{2029}',
    ];
    match line.strip_suffix("\r\n") {
        Some(line) => line,
        None => line.strip_suffix(ends).unwrap_or(line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_where_python_ends_them() {
        assert_eq!(python_lines("a\r\nb\u{c}c\rd\n"), ["a\r\n", "b\u{c}", "c\r", "d\n"]);
        assert_eq!(universal_lines("a\r\nb\u{c}c\rd"), ["a\r\n", "b\u{c}c\r", "d"]);
        assert_eq!(without_end("a\r\n"), "a");
        assert_eq!(without_end("a"), "a");
        assert!(python_lines("").is_empty());
    }

    #[test]
    fn what_is_no_utf8_is_told_as_python_tells_it() {
        let told = |data: &[u8]| utf8(data).unwrap_err();
        let start = "'utf-8' codec can't decode byte";
        assert_eq!(
            told(b"caf\xe9\n"),
            format!("{start} 0xe9 in position 3: invalid continuation byte")
        );
        assert_eq!(told(b"\xff"), format!("{start} 0xff in position 0: invalid start byte"));
        assert_eq!(told(b"\xe2\x82"), format!("{start}s in position 0-1: unexpected end of data"));
        assert_eq!(utf8("é".as_bytes()), Ok("é"));
    }

    #[test]
    fn patterns_are_searched_line_by_line_in_bytes() {
        assert!(search(b"a\nb\xff\n", "^b").unwrap());
        assert!(!search(b"a\nb\n", "^c").unwrap());
        assert!(search("é\n".as_bytes(), "é").unwrap());
        assert!(search(b"", "(").is_err());
    }
}
