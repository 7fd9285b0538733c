//! Unified diffs as Python's difflib prints them.

use similar::algorithms::{Capture, Compact, Replace, myers};
use similar::{ChangeTag, DiffOp, DiffableStr, group_diff_ops};

/// Bytes of a file above which no diff is made.
const DIFF_MAX: usize = 1 << 20;

/// The difference between two contents as a state reports it.
pub(super) fn between(old: &[u8], new: &[u8], show: bool) -> String {
    if !show {
        return "<show_changes=False>".to_owned();
    }
    match (text(old), text(new)) {
        (Some(old), Some(new)) if old.len().max(new.len()) <= DIFF_MAX => unified(old, new),
        (Some(_), Some(_)) => "File too large to show a diff".to_owned(),
        (None, None) => "Replace binary file".to_owned(),
        (None, Some(_)) => "Replace binary file with text file".to_owned(),
        (Some(_), None) => "Replace text file with binary file".to_owned(),
    }
}

fn text(data: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(data).ok()?;
    (!text.contains('\0')).then_some(text)
}

/// Python's `unified_diff` of lines with their ends.
fn unified(old: &str, new: &str) -> String {
    let mut out = String::from("--- \n+++ \n");
    hunks(old, new, "\n", &mut |line| out.push_str(line));
    out
}

/// Python's `"\n".join(unified_diff(..))` of lines without their ends, as `file.append` has it.
pub(super) fn joined(old: &str, new: &str) -> String {
    let mut lines = vec!["--- \n".to_owned(), "+++ \n".to_owned()];
    hunks(old, new, "\n", &mut |line| lines.push(line.to_owned()));
    let header = |line: &String| line.starts_with("@@");
    let lines: Vec<String> = lines
        .iter()
        .enumerate()
        .map(|(at, line)| {
            if at < 2 || header(line) {
                line.clone()
            } else {
                line.trim_end_matches('\n').to_owned()
            }
        })
        .collect();
    lines.join("\n")
}

fn hunks(old: &str, new: &str, end: &str, emit: &mut dyn FnMut(&str)) {
    let (old, new) = (old.tokenize_lines(), new.tokenize_lines());
    for group in group_diff_ops(operations(&old, &new), 3) {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { continue };
        let old_range = range(first.old_range().start, last.old_range().end);
        let new_range = range(first.new_range().start, last.new_range().end);
        emit(&format!("@@ -{old_range} +{new_range} @@{end}"));
        for change in group.iter().flat_map(|op| op.iter_changes(&old[..], &new[..])) {
            let sign = match change.tag() {
                ChangeTag::Equal => ' ',
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
            };
            emit(&format!("{sign}{}", change.value()));
        }
    }
}

/// By Myers' algorithm alone: the crate's `TextDiff` brings all that it knows, 250 kB of them.
fn operations(old: &[&str], new: &[&str]) -> Vec<DiffOp> {
    let mut found = Compact::new(Replace::new(Capture::new()), old, new);
    let Ok(()) = myers::diff(&mut found, old, 0..old.len(), new, 0..new.len());
    found.into_inner().into_inner().into_ops()
}

fn range(start: usize, end: usize) -> String {
    match end - start {
        0 => format!("{start},0"),
        1 => format!("{}", start + 1),
        len => format!("{},{len}", start + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn diffs_look_like_difflibs() {
        let expected = "--- \n+++ \n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n";
        assert_eq!(between(b"a\nb\nc\n", b"a\nB\nc\n", true), expected);
        assert_eq!(between(b"", b"x\n", true), "--- \n+++ \n@@ -0,0 +1 @@\n+x\n");
        assert_eq!(between(b"\0", b"x", true), "Replace binary file with text file");
        assert_eq!(between(b"a", b"b", false), "<show_changes=False>");
        let expected = "--- \n\n+++ \n\n@@ -1 +1,2 @@\n\n nonl\n+x";
        assert_eq!(joined("nonl\n", "nonl\nx\n"), expected);
    }
}
