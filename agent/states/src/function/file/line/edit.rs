//! Lines in, lines out: what each mode of `file.line` does. Lines keep their ends.

use crate::regex::python_regex;

/// What is to be done with the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Ensure,
    Replace,
    Delete,
    Insert,
}

impl Mode {
    pub(super) fn of(word: &str) -> Result<Mode, String> {
        Ok(match word.to_lowercase().as_str() {
            "ensure" => Mode::Ensure,
            "replace" => Mode::Replace,
            "delete" => Mode::Delete,
            "insert" => Mode::Insert,
            other => return Err(format!("Unknown mode: \"{other}\"")),
        })
    }
}

/// The state's arguments.
pub(super) struct Wanted {
    pub(super) mode: Mode,
    pub(super) content: String,
    pub(super) matching: Option<String>,
    pub(super) location: Option<String>,
    pub(super) before: Option<String>,
    pub(super) after: Option<String>,
    pub(super) indent: bool,
}

impl Wanted {
    /// The lines as they should be.
    pub(super) fn edited(&self, mut lines: Vec<String>) -> Result<Vec<String>, String> {
        // A last line that has an end is followed by an empty one.
        if lines.last().is_some_and(|last| !end_of(last).is_empty()) {
            lines.push(String::new());
        }
        let mut lines = self.set(lines)?;
        for at in 0..lines.len().saturating_sub(1) {
            if end_of(&lines[at]).is_empty() {
                // Python's `at and at - 1 or 1`: the second line is like itself.
                let like = if at > 1 { at - 1 } else { 1 };
                let line = with_end(&lines[like], &lines[at]);
                lines[at] = line;
            }
        }
        if lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        Ok(lines)
    }

    fn set(&self, lines: Vec<String>) -> Result<Vec<String>, String> {
        let mut matching = self.matching.clone().filter(|matching| !matching.is_empty());
        if matching.is_none() && self.before.is_none() && self.after.is_none() {
            matching = Some(self.content.clone());
        }
        let after = found(&lines, self.after.as_deref())?;
        let before = found(&lines, self.before.as_deref())?;
        let matched = found(&lines, matching.as_deref())?.unwrap_or_default();
        match (self.mode, matched.first()) {
            (Mode::Delete, Some(line)) => {
                Ok(lines.iter().filter(|own| *own != line).cloned().collect())
            }
            (Mode::Replace, Some(line)) => {
                let mut lines = lines;
                if let Some(at) = lines.iter().position(|own| own == line) {
                    lines[at] = self.indented(&lines[at]);
                }
                Ok(lines)
            }
            (Mode::Delete | Mode::Replace, None) => Ok(lines),
            (Mode::Insert, _) => self.insert(lines, before, after),
            (Mode::Ensure, _) => self.ensure(lines, before, after),
        }
    }

    fn insert(
        &self,
        mut lines: Vec<String>,
        before: Option<Vec<String>>,
        after: Option<Vec<String>>,
    ) -> Result<Vec<String>, String> {
        if self.location.is_none() && before.is_none() && after.is_none() {
            return Err("On insert either \"location\" or \"before/after\" conditions are \
                        required."
                .to_owned());
        }
        match (self.location.as_deref(), before, after) {
            (Some("end"), ..) => {
                let line = lines.last().map_or_else(|| self.content.clone(), |l| self.indented(l));
                lines.push(line);
            }
            (Some("start"), ..) => match lines.first() {
                Some(first) => lines.insert(0, with_end(first, &self.content)),
                None => lines = vec![format!("{}\n", self.content)],
            },
            (Some(_), ..) => {}
            (None, Some(before), Some(after)) if !before.is_empty() && !after.is_empty() => {
                let last = only(&lines, &before, "before")?;
                only(&lines, &after, "after")?;
                let line = self.indented(&lines[last]);
                lines.insert(last, line);
            }
            (None, before, after) => {
                let some = |found: &Option<Vec<String>>| found.clone().filter(|f| !f.is_empty());
                if let Some(after) = some(&after) {
                    let at = only(&lines, &after, "after")?;
                    if lines.get(at + 1).is_none_or(|next| !self.is(next)) {
                        let line = self.indented(&lines[at]);
                        lines.insert(at + 1, line);
                    }
                } else if let Some(before) = some(&before) {
                    let at = only(&lines, &before, "before")?;
                    // Python's index -1 is the last line.
                    let previous = if at == 0 { lines.last() } else { lines.get(at - 1) };
                    if !previous.is_some_and(|previous| self.is(previous)) {
                        let line = self.indented(&lines[at]);
                        lines.insert(at, line);
                    }
                } else {
                    return Err("Neither before or after was found in file".to_owned());
                }
            }
        }
        Ok(lines)
    }

    fn ensure(
        &self,
        mut lines: Vec<String>,
        before: Option<Vec<String>>,
        after: Option<Vec<String>>,
    ) -> Result<Vec<String>, String> {
        let some = |found: Option<Vec<String>>| found.filter(|found| !found.is_empty());
        match (some(before), some(after)) {
            (Some(before), Some(after)) => {
                let first = only(&lines, &after, "after")?;
                let last = only(&lines, &before, "before")?;
                if lines.iter().any(|line| line.trim_start() == self.content) {
                    return Ok(lines);
                }
                let line = self.indented(&lines[first]);
                if first + 1 == last {
                    lines.insert(first + 1, line);
                } else if first + 2 == last {
                    lines[first + 1] = line;
                } else {
                    return Err("Found more than one line between boundaries \"before\" and \
                                \"after\"."
                        .to_owned());
                }
            }
            (Some(before), None) => {
                let at = only(&lines, &before, "before")?;
                if at == 0 || !self.is(&lines[at - 1]) {
                    let like = if at == 0 { lines.len() - 1 } else { at - 1 };
                    let line = self.indented(&lines[like]);
                    lines.insert(at, line);
                }
            }
            (None, Some(after)) => {
                let at = only(&lines, &after, "after")?;
                if lines.get(at + 1).is_none_or(|next| !self.is(next)) {
                    let line = self.indented(&lines[at]);
                    lines.insert(at + 1, line);
                }
            }
            (None, None) => {
                return Err(
                    "Wrong conditions? Unable to ensure line without knowing where to put \
                            it before and/or after."
                        .to_owned(),
                );
            }
        }
        Ok(lines)
    }

    /// The content with the indentation of a line.
    fn indented(&self, like: &str) -> String {
        if !self.indent {
            return self.content.clone();
        }
        let width = like.len() - like.trim_start_matches([' ', '\t']).len();
        format!("{}{}", &like[..width], self.content.trim_start())
    }

    fn is(&self, line: &str) -> bool {
        let ends = ['\r', '\n'];
        line.trim_end_matches(ends) == self.content.trim_end_matches(ends)
    }
}

/// The lines that a pattern matches, or that contain it as it is; `None` without a pattern.
fn found(lines: &[String], pattern: Option<&str>) -> Result<Option<Vec<String>>, String> {
    let Some(pattern) = pattern.filter(|pattern| !pattern.is_empty()) else { return Ok(None) };
    if lines.is_empty() {
        return Ok(None);
    }
    let regex = python_regex(pattern, false, false, true).map_err(|error| error.to_string())?;
    let hit = |line: &&String| regex.is_match(line) || line.contains(pattern);
    Ok(Some(lines.iter().filter(hit).cloned().collect()))
}

/// Where the one line stands that was found.
fn only(lines: &[String], found: &[String], what: &str) -> Result<usize, String> {
    let at = found.first().and_then(|line| lines.iter().position(|own| own == line));
    match (at, found.len()) {
        (Some(at), 1) => Ok(at),
        (_, count) => {
            let count = if count > 1 { "more than" } else { "less than" };
            Err(format!("Found {count} expected occurrences in \"{what}\" expression"))
        }
    }
}

fn end_of(line: &str) -> &str {
    ["\r\n", "\n", "\r"].into_iter().find(|end| line.ends_with(end)).unwrap_or("")
}

/// A line with the end that another has.
fn with_end(like: &str, line: &str) -> String {
    let end = end_of(like);
    format!("{}{}", line.trim_end(), if end.is_empty() { "\n" } else { end })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(mode: Mode, set: impl Fn(&mut Wanted), text: &str) -> Result<String, String> {
        let mut wanted = Wanted {
            mode,
            content: "new".to_owned(),
            matching: None,
            location: None,
            before: None,
            after: None,
            indent: true,
        };
        set(&mut wanted);
        let lines = text.split_inclusive('\n').map(str::to_owned).collect();
        wanted.edited(lines).map(|lines| lines.concat())
    }

    #[test]
    fn each_mode_does_as_in_salt() {
        let after = |wanted: &mut Wanted| wanted.after = Some("^a".to_owned());
        assert!(edited(Mode::Ensure, after, "  a\nb\n").is_err());
        assert_eq!(edited(Mode::Ensure, after, "a\nb\n").unwrap(), "a\nnew\nb\n");
        assert_eq!(edited(Mode::Ensure, after, "a\nnew\n").unwrap(), "a\nnew\n");
        let matching = |wanted: &mut Wanted| wanted.matching = Some("b".to_owned());
        assert_eq!(edited(Mode::Delete, matching, "a\nb\n").unwrap(), "a\n");
        assert_eq!(edited(Mode::Replace, matching, "a\n  b\n").unwrap(), "a\n  new\n");
        let start = |wanted: &mut Wanted| wanted.location = Some("start".to_owned());
        assert_eq!(edited(Mode::Insert, start, "a\n").unwrap(), "new\na\n");
        let both = |wanted: &mut Wanted| {
            (wanted.after, wanted.before) = (Some("a".to_owned()), Some("c".to_owned()));
        };
        assert_eq!(edited(Mode::Ensure, both, "a\nb\nc\n").unwrap(), "a\nnew\nc\n");
        assert!(edited(Mode::Ensure, both, "a\nb\nb\nc\n").is_err());
        assert!(edited(Mode::Insert, |_| {}, "a\n").is_err());
    }
}
