//! From a line of a rendered SLS back to the line of its source.
//!
//! The SLS is rendered once more with marks in its text; where that gives the same text, the
//! marks tell which source line each rendered one came from. It is done for faults only.

const OPEN: char = '\u{E000}';
const CLOSE: char = '\u{E001}';

/// Blocks whose text is not output but used: marks would change what it means.
const CAPTURING: [(&str, &str); 6] = [
    ("load_yaml", "endload"),
    ("load_json", "endload"),
    ("load_text", "endload"),
    ("filter", "endfilter"),
    ("macro", "endmacro"),
    ("call", "endcall"),
];

/// Puts a mark with its number before the text of each line that is output as it stands.
pub(super) fn marked(source: &str) -> String {
    let mut out = String::with_capacity(source.len() * 2);
    let mut state = State::default();
    for (number, line) in (1..).zip(source.split_inclusive('\n')) {
        let text = line.trim_start();
        let starts_tag = ["{%", "{#", "{{-", "{{+"].iter().any(|tag| text.starts_with(tag));
        if state.is_text() && !starts_tag && !text.is_empty() {
            out.push_str(&line[..line.len() - text.len()]);
            out.push_str(&format!("{OPEN}{number}{CLOSE}"));
            out.push_str(text);
        } else {
            out.push_str(line);
        }
        state.read(line);
    }
    out
}

/// The source line of each rendered line, if the marked rendering is the plain one with marks.
pub(super) fn lines_of(rendered: &str, plain: &str) -> Option<Vec<u32>> {
    let mut out = Vec::new();
    let mut stripped = String::with_capacity(plain.len());
    let mut last = 1;
    for line in rendered.split_inclusive('\n') {
        let mut first = None;
        let mut rest = line;
        while let Some(at) = rest.find(OPEN) {
            stripped.push_str(&rest[..at]);
            let after = &rest[at + OPEN.len_utf8()..];
            let end = after.find(CLOSE)?;
            let number: u32 = after[..end].parse().ok()?;
            first = first.or(Some(number));
            rest = &after[end + CLOSE.len_utf8()..];
        }
        stripped.push_str(rest);
        last = first.unwrap_or(last);
        out.push(last);
    }
    (stripped == plain).then_some(out)
}

/// Lines shown before and after the one at fault.
const AROUND: usize = 5;

/// The lines around one, as Salt shows them below an error.
pub(super) fn around(source: &str, line: u32) -> String {
    let lines: Vec<&str> = source.lines().collect();
    let at = usize::try_from(line).unwrap_or(1).saturating_sub(1);
    if at >= lines.len() {
        return source.to_owned();
    }
    let (start, end) = (at.saturating_sub(AROUND), (at + AROUND + 1).min(lines.len()));
    let mut out: Vec<String> = lines[start.min(end)..end]
        .iter()
        .enumerate()
        .map(|(number, text)| {
            let mark = if start + number == at { "    <======================" } else { "" };
            format!("{text}{mark}")
        })
        .collect();
    if start > 0 {
        out.insert(0, "[...]".to_owned());
    }
    if end < lines.len() {
        out.push("[...]".to_owned());
    }
    format!("---\n{}\n---", out.join("\n"))
}

/// Where in a template a line stands: inside a tag, or a block that captures.
#[derive(Default)]
struct State {
    /// What closes the tag that is open.
    tag: Option<&'static str>,
    captures: usize,
}

impl State {
    fn is_text(&self) -> bool {
        self.tag.is_none() && self.captures == 0
    }

    fn read(&mut self, line: &str) {
        let mut rest = line;
        loop {
            if let Some(close) = self.tag {
                let Some(at) = rest.find(close) else { return };
                rest = &rest[at + close.len()..];
                self.tag = None;
            }
            let opens = [("{%", "%}"), ("{{", "}}"), ("{#", "#}")];
            let next = opens.iter().filter_map(|(open, close)| Some((rest.find(open)?, *close)));
            let Some((at, close)) = next.min() else { return };
            rest = &rest[at + 2..];
            self.tag = Some(close);
            if close == "%}" {
                self.statement(rest);
            }
        }
    }

    fn statement(&mut self, code: &str) {
        let code = code.trim_start_matches(['-', '+']).trim_start();
        let word = code.split(|c: char| !(c.is_alphanumeric() || c == '_')).next();
        let word = word.unwrap_or_default();
        let body = code.split("%}").next().unwrap_or_default();
        let set_block = word == "set" && !body.contains('=');
        if set_block || CAPTURING.iter().any(|(open, _)| *open == word) {
            self.captures += 1;
        } else if word == "endset" || CAPTURING.iter().any(|(_, close)| *close == word) {
            self.captures = self.captures.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_stand_before_text_and_never_inside_tags_or_captured_blocks() {
        let source = "a:\n{% if x %}\n  b: {{ c }}\n{% endif %}\n{% load_yaml as y %}\nk: 1\n\
                      {% endload %}\nz: 1\n";
        let expected = "\u{E000}1\u{E001}a:\n{% if x %}\n  \u{E000}3\u{E001}b: {{ c }}\n{% \
                       endif %}\n\
                        {% load_yaml as y %}\nk: 1\n{% endload %}\n\u{E000}8\u{E001}z: 1\n";
        assert_eq!(marked(source), expected);
    }

    #[test]
    fn rendered_lines_lead_back_to_their_source() {
        let rendered = "\u{E000}1\u{E001}a:\n\n  \u{E000}3\u{E001}b: x\nmore\n";
        assert_eq!(lines_of(rendered, "a:\n\n  b: x\nmore\n"), Some(vec![1, 1, 3, 3]));
        assert_eq!(lines_of(rendered, "other"), None);
    }
}
