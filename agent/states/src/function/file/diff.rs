//! Unified diffs as Python's difflib prints them.

use super::matcher;

/// Bytes of a file above which no diff is made.
const DIFF_MAX: usize = 1 << 20;
/// Bytes at a file's start by which Salt tells a text from a binary file.
const BLOCK: usize = 512;

/// What Salt shows in place of a diff that was not asked for.
pub(super) const HIDDEN: &str = "<show_changes=False>";

/// The difference between two contents as a state reports it.
pub(in crate::function) fn between(old: &[u8], new: &[u8], show: bool) -> String {
    if !show {
        return HIDDEN.to_owned();
    }
    match (is_text(old), is_text(new)) {
        (true, true) => lines(old, new),
        (false, false) => "Replace binary file".to_owned(),
        (false, true) => "Replace binary file with text file".to_owned(),
        (true, false) => "Replace text file with binary file".to_owned(),
    }
}

/// The unified diff of two texts, split at line feeds; empty if they are the same.
pub(super) fn lines(old: &[u8], new: &[u8]) -> String {
    if old.len().max(new.len()) > DIFF_MAX {
        return "File too large to show a diff".to_owned();
    }
    let (old, new) = (decoded(old), decoded(new));
    unified(
        &old.split_inclusive('\n').collect::<Vec<_>>(),
        &new.split_inclusive('\n').collect::<Vec<_>>(),
    )
}

/// UTF-8, or Latin-1 for what is none.
fn decoded(data: &[u8]) -> String {
    String::from_utf8(data.to_vec())
        .unwrap_or_else(|_| data.iter().map(|b| char::from(*b)).collect())
}

/// Salt's guess, by the first bytes: no zero byte, and UTF-8 or hardly any control signs.
pub(super) fn is_text(data: &[u8]) -> bool {
    let block = &data[..data.len().min(BLOCK)];
    if block.is_empty() {
        return true;
    }
    if block.contains(&0) {
        return false;
    }
    let utf8 = match std::str::from_utf8(block) {
        Ok(_) => true,
        // A sign that the block's end cuts is none of the file's faults.
        Err(error) => error.error_len().is_none() && data.len() > BLOCK,
    };
    let plain = |byte: &u8| {
        (32..127).contains(byte)
            || b"\n\r\t\x0c\x08".contains(byte)
            || utf8 && (128..255).contains(byte)
    };
    block.iter().filter(|byte| !plain(byte)).count() * 10 <= block.len() * 3
}

/// Python's `unified_diff` of lines with their ends, joined.
pub(super) fn unified(old: &[&str], new: &[&str]) -> String {
    let mut out = String::new();
    each(old, new, &mut |line| out.push_str(line));
    out
}

/// Python's `"\n".join(unified_diff(..))` of lines without their ends, as `file.append` has it.
pub(super) fn joined(old: &[&str], new: &[&str]) -> String {
    let mut lines: Vec<String> = Vec::new();
    each(old, new, &mut |line| lines.push(line.to_owned()));
    lines.join("\n")
}

fn each(old: &[&str], new: &[&str], emit: &mut dyn FnMut(&str)) {
    for (at, group) in matcher::hunks(old, new).iter().enumerate() {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { continue };
        if at == 0 {
            emit("--- \n");
            emit("+++ \n");
        }
        let old_range = range(first.old.start, last.old.end);
        let new_range = range(first.new.start, last.new.end);
        emit(&format!("@@ -{old_range} +{new_range} @@\n"));
        for stretch in group {
            let (gone, came) = if stretch.equal { (" ", None) } else { ("-", Some("+")) };
            old[stretch.old.clone()].iter().for_each(|line| emit(&format!("{gone}{line}")));
            if let Some(sign) = came {
                new[stretch.new.clone()].iter().for_each(|line| emit(&format!("{sign}{line}")));
            }
        }
    }
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
        assert_eq!(between(b"a", b"b", false), HIDDEN);
        assert_eq!(between(b"a", b"a", true), "");
        let expected = "--- \n\n+++ \n\n@@ -1 +1,2 @@\n\n nonl\n+x";
        assert_eq!(joined(&["nonl"], &["nonl", "x"]), expected);
    }

    #[test]
    fn latin1_counts_as_text_and_zero_bytes_do_not() {
        assert!(is_text("é".as_bytes()));
        assert!(is_text(b"caf\xe9 au lait"));
        assert!(!is_text(b"a\0b"));
        assert!(!is_text(&[0xff, 0xfe, 0x01, 0x80]));
    }
}
