//! Texts and paths as Python's standard library makes them: wrap, center, normpath, join.

/// Breaks a text into lines of at most `width` characters, as `textwrap` does with plain words.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let mut word = word.to_owned();
        let len = |text: &str| text.chars().count();
        if !line.is_empty() && len(&line) + 1 + len(&word) <= width {
            line.push(' ');
            line.push_str(&word);
            continue;
        }
        lines.extend((!line.is_empty()).then(|| std::mem::take(&mut line)));
        while len(&word) > width {
            let rest: String = word.chars().skip(width).collect();
            lines.push(word.chars().take(width).collect());
            word = rest;
        }
        line = word;
    }
    lines.extend((!line.is_empty()).then_some(line));
    lines
}

/// Python's `str.center`: an odd space goes left when the width is odd.
pub(super) fn centred(text: &str, width: usize) -> String {
    let missing = width.saturating_sub(text.chars().count());
    let left = missing / 2 + (missing & width & 1);
    format!("{}{text}{}", " ".repeat(left), " ".repeat(missing - left))
}

/// Python's `os.path.normpath`.
pub(super) fn normal(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    // Two slashes at the start are kept, three are one: POSIX says so.
    let root = match (rooted, path.starts_with("//") && !path.starts_with("///")) {
        (_, true) => "//",
        (true, false) => "/",
        (false, false) => "",
    };
    let out = format!("{root}{}", parts.join("/"));
    if out.is_empty() { ".".to_owned() } else { out }
}

/// Python's `os.path.join`.
pub(super) fn join(parts: &[String]) -> String {
    let mut out = String::new();
    for part in parts {
        if part.starts_with('/') || out.is_empty() {
            out.clone_from(part);
        } else {
            if !out.ends_with('/') {
                out.push('/');
            }
            out.push_str(part);
        }
    }
    out
}

/// Python's `os.path.dirname`.
pub(super) fn folder(path: &str) -> String {
    let Some(at) = path.rfind('/') else { return String::new() };
    let head = &path[..=at];
    let trimmed = head.trim_end_matches('/');
    if trimmed.is_empty() { head.to_owned() } else { trimmed.to_owned() }
}

/// Words of a command line as `shlex.split` cuts them; `None` if a quote is left open.
pub(crate) fn words(line: &str) -> Option<Vec<String>> {
    let mut out = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => quoted(&mut chars, word.get_or_insert_default())?,
            '\\' => word.get_or_insert_default().push(chars.next()?),
            c if c.is_whitespace() => out.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    out.extend(word);
    Some(out)
}

fn quoted(chars: &mut std::str::Chars<'_>, word: &mut String) -> Option<()> {
    loop {
        match chars.next()? {
            '"' => return Some(()),
            '\\' => match chars.next()? {
                c @ ('"' | '\\') => word.push(c),
                c => word.extend(['\\', c]),
            },
            c => word.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_paths_are_as_python_makes_them() {
        assert_eq!(wrap("aa bb cc", 5), ["aa bb", "cc"]);
        assert_eq!(wrap("abcdefg h", 3), ["abc", "def", "g h"]);
        assert_eq!(centred("ab", 5), "  ab ");
        assert_eq!(centred("a", 4), " a  ");
        for (path, expected) in
            [("/a/../b//c/.", "/b/c"), ("", "."), ("../a", "../a"), ("/..", "/"), ("a/..", ".")]
        {
            assert_eq!(normal(path), expected);
        }
        for (path, expected) in [("/a/b", "/a"), ("/a", "/"), ("a", ""), ("/a/b/", "/a/b")] {
            assert_eq!(folder(path), expected);
        }
        assert_eq!(words("a 'b c' \"d \\\" e\" f\\ g").unwrap(), ["a", "b c", "d \" e", "f g"]);
        assert_eq!(words("a 'b"), None);
    }
}
