//! How a text may be written: plain, in single or in double quotes.

use crate::yaml::scalar::look;

/// What a text's characters allow, as libyaml judges it.
pub(super) struct Shape {
    pub(super) multiline: bool,
    pub(super) flow_plain: bool,
    pub(super) block_plain: bool,
    pub(super) single: bool,
}

pub(super) fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn is_printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}')
        && c != '\u{feff}'
}

impl Shape {
    /// What a text allows where all must be printable, and ASCII if only that is.
    pub(super) fn of(text: &str, ascii: bool) -> Shape {
        let (mut flow, mut block) = (false, false);
        if text.starts_with("---") || text.starts_with("...") {
            (flow, block) = (true, true);
        }
        let (mut breaks, mut special) = (false, false);
        let (mut break_space, mut space_break) = (false, false);
        let mut before: Option<char> = None;
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            let next_blank = chars.peek().is_none_or(|c| *c == ' ' || *c == '\t' || is_break(*c));
            let before_blank = before.is_none_or(|c| c == ' ' || c == '\t' || is_break(c));
            match c {
                '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"'
                | '%' | '@' | '`'
                    if before.is_none() =>
                {
                    (flow, block) = (true, true);
                }
                '?' | ':' if before.is_none() => {
                    flow = true;
                    block |= next_blank;
                }
                '-' if before.is_none() && next_blank => (flow, block) = (true, true),
                ',' | '?' | '[' | ']' | '{' | '}' => flow = true,
                ':' => {
                    flow = true;
                    block |= next_blank;
                }
                '#' if before_blank => (flow, block) = (true, true),
                _ => {}
            }
            breaks |= is_break(c);
            special |= !is_printable(c) || (ascii && !c.is_ascii());
            break_space |= c == ' ' && before.is_some_and(is_break);
            space_break |= is_break(c) && before == Some(' ');
            before = Some(c);
        }
        let edge = |c: Option<char>| c.is_some_and(|c| c == ' ' || is_break(c));
        let edges = edge(text.chars().next()) || edge(before);
        let quoted = edges || break_space || space_break || special || breaks;
        Shape {
            multiline: breaks,
            flow_plain: !(quoted || flow),
            block_plain: !(quoted || block),
            single: !(break_space || space_break || special),
        }
    }
}

/// Whether a plain scalar of this look is a text to PyYAML.
pub(super) fn reads_as_text(text: &str) -> bool {
    if matches!(text, "=" | "<<") || is_date(text) {
        return false;
    }
    look(text).is_none()
}

/// PyYAML's pattern of a date or time.
fn is_date(text: &str) -> bool {
    let digits = |text: &str, most: usize| -> Option<usize> {
        let count = text.bytes().take_while(u8::is_ascii_digit).count();
        (1..=most).contains(&count).then_some(count)
    };
    let bytes = text.as_bytes();
    if bytes.len() < 8 || digits(text, 4) != Some(4) || bytes[4] != b'-' {
        return false;
    }
    let Some(month) = digits(&text[5..], 2) else { return false };
    let rest = &text[5 + month..];
    let Some(rest) = rest.strip_prefix('-') else { return false };
    let Some(day) = digits(rest, 2) else { return false };
    let after = &rest[day..];
    if after.is_empty() {
        return month == 2 && day == 2;
    }
    is_time(after)
}

/// What follows a date: `T` or spaces, the time, a fraction, a zone.
fn is_time(text: &str) -> bool {
    let trimmed = text.trim_start_matches([' ', '\t']);
    let time = match text.strip_prefix(['T', 't']) {
        Some(time) => time,
        None if trimmed.len() < text.len() => trimmed,
        None => return false,
    };
    let end = time.find(|c: char| !(c.is_ascii_digit() || c == ':')).unwrap_or(time.len());
    let parts: Vec<_> = time[..end].split(':').collect();
    let fits = matches!(parts.as_slice(), [h, m, s]
        if (1..=2).contains(&h.len()) && m.len() == 2 && s.len() == 2);
    if !fits {
        return false;
    }
    let rest = &time[end..];
    let rest = match rest.strip_prefix('.') {
        Some(rest) => rest.trim_start_matches(|c: char| c.is_ascii_digit()),
        None => rest,
    };
    let rest = rest.trim_start_matches([' ', '\t']);
    if rest.is_empty() || rest == "Z" {
        return true;
    }
    let Some(zone) = rest.strip_prefix(['+', '-']) else { return false };
    let (hours, minutes) = zone.split_once(':').unwrap_or((zone, "00"));
    let digits = |text: &str, least| {
        (least..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
    };
    digits(hours, 1) && digits(minutes, 2)
}

/// What stands for a character in double quotes, if it cannot stand for itself.
pub(super) fn escape(c: char, ascii: bool) -> Option<String> {
    let simple = match c {
        '\0' => "\\0",
        '\u{7}' => "\\a",
        '\u{8}' => "\\b",
        '\t' => "\\t",
        '\n' => "\\n",
        '\u{b}' => "\\v",
        '\u{c}' => "\\f",
        '\r' => "\\r",
        '\u{1b}' => "\\e",
        '"' => "\\\"",
        '\\' => "\\\\",
        '\u{85}' => "\\N",
        '\u{a0}' if ascii => "\\_",
        '\u{2028}' => "\\L",
        '\u{2029}' => "\\P",
        c if is_printable(c) && (c.is_ascii() || !ascii) => return None,
        c => {
            let code = u32::from(c);
            return Some(match code {
                0..=0xff => format!("\\x{code:02X}"),
                0x100..=0xffff => format!("\\u{code:04X}"),
                _ => format!("\\U{code:08X}"),
            });
        }
    };
    Some(simple.to_owned())
}

/// In single quotes, as Salt's `yaml_squote` has it: line breaks double.
pub(crate) fn single_quoted(string: &str) -> String {
    let mut out = String::from("'");
    let mut before = ' ';
    for c in string.chars() {
        if c == '\'' || (c == '\n' && before != '\n') {
            out.push(c);
        }
        out.push(c);
        before = c;
    }
    out.push('\'');
    out
}

/// In double quotes and ASCII, as Salt's `yaml_dquote` has it.
pub(crate) fn ascii_quoted(string: &str) -> String {
    let mut out = String::from("\"");
    for c in string.chars() {
        match escape(c, false) {
            Some(escape) => out.push_str(&escape),
            None if c.is_ascii() => out.push(c),
            None if u32::from(c) <= 0xff => out.push_str(&format!("\\x{:02X}", u32::from(c))),
            None => out.push_str(&format!("\\u{:04X}", u32::from(c))),
        }
    }
    out.push('"');
    out
}

pub(crate) fn double_quoted(string: &str) -> String {
    let mut out = String::from("\"");
    for c in string.chars() {
        match escape(c, false) {
            Some(escape) => out.push_str(&escape),
            None => out.push(c),
        }
    }
    out.push('"');
    out
}
