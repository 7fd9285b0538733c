//! Splits a template into text and tokens, by Jinja's rules for white space.

use super::{Options, Syntax};

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Text(String),
    PrintBegin,
    PrintEnd,
    TagBegin,
    TagEnd,
    Name(String),
    Str(String),
    Int(i128),
    Float(f64),
    Op(&'static str),
}

const OPERATORS: [&str; 26] = [
    "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}",
    ">", "<", "=", ".", ":", "|", ",", ";",
];

/// What a tag's opening stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Opens {
    Comment,
    Tag,
    Print,
    LineTag,
    LineComment,
}

/// Where a word first stands, by its first character: where that is rare, this is fast.
fn find(text: &str, word: &str) -> Option<usize> {
    let Some(first) = word.chars().next() else { return Some(0) };
    text.match_indices(first).map(|(at, _)| at).find(|at| text[*at..].starts_with(word))
}

pub(super) fn tokens(source: &str, options: &Options) -> (Vec<(u32, Token)>, Result<(), Syntax>) {
    let mut lexer = Lexer { source, options, at: 0, counted: 0, line: 1, out: Vec::new() };
    let ended = lexer.run();
    (lexer.out, ended)
}

struct Lexer<'a> {
    source: &'a str,
    options: &'a Options,
    at: usize,
    /// Up to here `line` has counted.
    counted: usize,
    line: u32,
    out: Vec<(u32, Token)>,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.source[self.at..]
    }

    fn line(&mut self) -> u32 {
        let passed = self.source[self.counted..self.at].bytes().filter(|b| *b == b'\n').count();
        self.line = self.line.saturating_add(u32::try_from(passed).unwrap_or(u32::MAX));
        self.counted = self.at;
        self.line
    }

    fn fail<T>(&mut self, reason: impl Into<String>) -> Result<T, Syntax> {
        Err(Syntax { line: self.line(), reason: reason.into() })
    }

    fn push(&mut self, token: Token) {
        let line = self.line();
        self.out.push((line, token));
    }

    fn run(&mut self) -> Result<(), Syntax> {
        while self.at < self.source.len() {
            let Some((begin, after, opens)) = self.next_opening() else {
                self.text(self.source.len(), "", false);
                return Ok(());
            };
            let sign = match self.source.as_bytes().get(after) {
                Some(b'-') if opens != Opens::LineTag => "-",
                Some(b'+') if opens != Opens::LineTag => "+",
                _ => "",
            };
            self.text(begin, sign, opens != Opens::Print);
            self.at = begin;
            self.line();
            let inside = after + sign.len();
            match opens {
                Opens::Comment => self.comment(inside)?,
                Opens::LineComment => {
                    let end =
                        self.source[after..].find('\n').map_or(self.source.len(), |e| after + e);
                    self.at = end;
                }
                Opens::Tag => match self.raw_end(inside) {
                    Some(end) => self.raw(end)?,
                    None => {
                        self.push(Token::TagBegin);
                        self.at = inside;
                        self.code(&self.options.tag_end, Token::TagEnd)?;
                    }
                },
                Opens::Print => {
                    self.push(Token::PrintBegin);
                    self.at = inside;
                    self.code(&self.options.print_end, Token::PrintEnd)?;
                }
                Opens::LineTag => {
                    self.push(Token::TagBegin);
                    self.at = after;
                    self.code("", Token::TagEnd)?;
                }
            }
        }
        Ok(())
    }

    /// The first opening from here: where it begins and ends, and its kind; the longest wins.
    fn next_opening(&self) -> Option<(usize, usize, Opens)> {
        let o = self.options;
        let plain = [
            (o.comment_begin.as_str(), Opens::Comment),
            (o.tag_begin.as_str(), Opens::Tag),
            (o.print_begin.as_str(), Opens::Print),
        ];
        let found = plain.into_iter().filter_map(|(text, opens)| {
            let at = self.at + find(self.rest(), text)?;
            Some((at, at + text.len(), opens))
        });
        let mut best = found.min_by_key(|(at, end, _)| (*at, usize::MAX - end));
        let lines = [(&o.line_tag, Opens::LineTag), (&o.line_comment, Opens::LineComment)];
        for (prefix, opens) in lines {
            let Some(prefix) = prefix else { continue };
            let found = self.line_opening(prefix, opens);
            if let Some((at, end)) = found
                && best.is_none_or(|(first, _, _)| at < first)
            {
                best = Some((at, end, opens));
            }
        }
        best
    }

    fn line_opening(&self, prefix: &str, opens: Opens) -> Option<(usize, usize)> {
        let blank = |c: char| c == ' ' || c == '\t' || c == '\u{b}';
        let mut from = self.at;
        loop {
            let at = from + self.source[from..].find(prefix)?;
            let before = &self.source[..at];
            let start = before.trim_end_matches(blank).len();
            let fits = start == 0 || before[..start].ends_with('\n') || opens == Opens::LineComment;
            if fits && start >= self.at {
                return Some((start, at + prefix.len()));
            }
            from = at + prefix.len();
        }
    }

    /// The text up to `end`, stripped as the sign of what follows asks.
    fn text(&mut self, end: usize, sign: &str, tag: bool) {
        let mut text = &self.source[self.at..end];
        if sign == "-" {
            text = text.trim_end_matches(is_space);
        } else if sign != "+" && tag && self.options.lstrip {
            let start = text.rfind('\n').map_or(0, |at| at + 1);
            let line_start = start > 0
                || self.source[..self.at].is_empty()
                || self.source[..self.at].ends_with('\n');
            if line_start && text[start..].chars().all(is_space) {
                text = &text[..start];
            }
        }
        if !text.is_empty() {
            self.push(Token::Text(text.to_owned()));
        }
        self.at = end;
    }

    fn comment(&mut self, inside: usize) -> Result<(), Syntax> {
        let close = self.options.comment_end.clone();
        let Some(at) = self.source[inside..].find(&close) else {
            return self.fail("Missing end of comment tag");
        };
        let end = inside + at;
        self.at = end + close.len();
        let strip = self.source[..end].ends_with('-') && at > 0;
        let keep = self.source[..end].ends_with('+') && at > 0;
        self.after_tag(strip, keep);
        Ok(())
    }

    /// What a closing takes with it: white space after `-`, one line break with `trim_blocks`.
    fn after_tag(&mut self, strip: bool, keep: bool) {
        if strip {
            self.at = self.source.len() - self.rest().trim_start_matches(is_space).len();
        } else if self.options.trim && !keep && self.rest().starts_with('\n') {
            self.at += 1;
        }
    }

    /// If a tag is `raw`: where its opening ends.
    fn raw_end(&self, inside: usize) -> Option<usize> {
        let rest = self.source[inside..].trim_start_matches(is_space);
        let rest = rest.strip_prefix("raw")?.trim_start_matches(is_space);
        let (strip, rest) = match rest.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        let rest = rest.strip_prefix(self.options.tag_end.as_str())?;
        let rest = if strip { rest.trim_start_matches(is_space) } else { rest };
        Some(self.source.len() - rest.len())
    }

    fn raw(&mut self, start: usize) -> Result<(), Syntax> {
        self.at = start;
        let mut from = start;
        loop {
            let Some(at) = self.source[from..].find(&self.options.tag_begin) else {
                return self.fail("Missing end of raw directive");
            };
            let begin = from + at;
            from = begin + self.options.tag_begin.len();
            let inner = &self.source[from..];
            let sign = if inner.starts_with('-') {
                "-"
            } else if inner.starts_with('+') {
                "+"
            } else {
                ""
            };
            let rest = inner[sign.len()..].trim_start_matches(is_space);
            let Some(rest) = rest.strip_prefix("endraw") else { continue };
            let rest = rest.trim_start_matches(is_space);
            let strip = rest.starts_with('-');
            let keep = rest.starts_with('+');
            let rest = if strip || keep { &rest[1..] } else { rest };
            let Some(rest) = rest.strip_prefix(self.options.tag_end.as_str()) else { continue };
            let end = self.source.len() - rest.len();
            self.text(begin, sign, true);
            self.at = end;
            self.after_tag(strip, keep);
            return Ok(());
        }
    }

    /// The tokens of a tag, up to its closing; an empty one is the end of the line.
    fn code(&mut self, close: &str, token: Token) -> Result<(), Syntax> {
        let mut open: Vec<&'static str> = Vec::new();
        loop {
            if open.is_empty() && self.close(close, &token) {
                return Ok(());
            }
            let rest = self.rest();
            let Some(c) = rest.chars().next() else {
                if close.is_empty() {
                    return Ok(());
                }
                let kind =
                    if token == Token::PrintEnd { "print statement" } else { "statement block" };
                return self.fail(format!("unexpected end of template, expected 'end of {kind}'."));
            };
            if is_space(c) {
                self.at += c.len_utf8();
            } else if c.is_ascii_digit() {
                self.number()?;
            } else if c.is_alphabetic() || c == '_' {
                let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_'));
                let end = end.unwrap_or(rest.len());
                self.push(Token::Name(rest[..end].to_owned()));
                self.at += end;
            } else if c == '\'' || c == '"' {
                self.string(c)?;
            } else if let Some(op) = OPERATORS.iter().find(|op| rest.starts_with(**op)) {
                self.balance(op, &mut open)?;
                self.push(Token::Op(op));
                self.at += op.len();
            } else {
                let line = self.line();
                return Err(Syntax { line, reason: self.unexpected(c) });
            }
        }
    }

    /// Jinja's words for a character that begins nothing.
    fn unexpected(&self, c: char) -> String {
        let shown = match c {
            '\'' => "\"'\"".to_owned(),
            '\\' => "'\\\\'".to_owned(),
            c => format!("'{c}'"),
        };
        format!("unexpected char {shown} at {}", self.source[..self.at].chars().count())
    }

    fn close(&mut self, close: &str, token: &Token) -> bool {
        let rest = self.rest();
        if close.is_empty() {
            let blank = rest.len() - rest.trim_start_matches(|c| is_space(c) && c != '\n').len();
            let ends = rest[blank..].is_empty() || rest[blank..].starts_with('\n');
            if ends {
                self.push(token.clone());
                self.at = (self.at + blank + 1).min(self.source.len());
            }
            return ends;
        }
        let signed = rest.strip_prefix(['-', '+']).is_some_and(|rest| rest.starts_with(close));
        let strip = signed && rest.starts_with('-');
        let keep = signed && rest.starts_with('+');
        if !signed && !rest.starts_with(close) || keep && *token == Token::PrintEnd {
            return false;
        }
        self.push(token.clone());
        self.at += close.len() + usize::from(signed);
        if *token == Token::PrintEnd {
            if strip {
                self.after_tag(true, false);
            }
        } else {
            self.after_tag(strip, keep);
        }
        true
    }

    fn balance(&mut self, op: &'static str, open: &mut Vec<&'static str>) -> Result<(), Syntax> {
        let wanted = match op {
            "(" => return self.opened(")", open),
            "[" => return self.opened("]", open),
            "{" => return self.opened("}", open),
            ")" | "]" | "}" => open.pop(),
            _ => return Ok(()),
        };
        match wanted {
            None => self.fail(format!("unexpected '{op}'")),
            Some(wanted) if wanted != op => {
                self.fail(format!("unexpected '{op}', expected '{wanted}'"))
            }
            Some(_) => Ok(()),
        }
    }

    fn opened(&mut self, close: &'static str, open: &mut Vec<&'static str>) -> Result<(), Syntax> {
        open.push(close);
        if open.len() > super::BRACKETS_MAX {
            return self.fail("brackets nest too deep");
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), Syntax> {
        let rest = self.rest();
        let digits = |text: &str, ok: fn(&char) -> bool| {
            text.chars().take_while(|c| ok(c) || *c == '_').count()
        };
        for (prefixes, radix) in [(["0x", "0X"], 16), (["0b", "0B"], 2), (["0o", "0O"], 8)] {
            if prefixes.iter().any(|prefix| rest.starts_with(prefix)) {
                let len = 2 + digits(&rest[2..], char::is_ascii_alphanumeric);
                let clean = rest[2..len].replace('_', "");
                let Ok(number) = i128::from_str_radix(&clean, radix) else {
                    return self.fail(format!("invalid number '{}'", &rest[..len]));
                };
                self.push(Token::Int(number));
                self.at += len;
                return Ok(());
            }
        }
        let mut len = digits(rest, char::is_ascii_digit);
        let mut float = false;
        let zeros = digits(rest, |c| *c == '0');
        let after_dot = !self.source[..self.at].ends_with('.');
        if after_dot && rest[len..].starts_with('.') && starts_digit(&rest[len + 1..]) {
            len += 1 + digits(&rest[len + 1..], char::is_ascii_digit);
            float = true;
        }
        if after_dot && rest[len..].starts_with(['e', 'E']) {
            let sign = usize::from(rest[len + 1..].starts_with(['+', '-']));
            if starts_digit(&rest[len + 1 + sign..]) {
                len += 1 + sign + digits(&rest[len + 1 + sign..], char::is_ascii_digit);
                float = true;
            }
        }
        // What follows a leading zero is another number.
        if !float && rest.starts_with('0') {
            len = zeros;
        }
        let clean = rest[..len].replace('_', "");
        let token = if float {
            clean.parse().map(Token::Float).ok()
        } else {
            clean.parse().map(Token::Int).ok()
        };
        let Some(token) = token else {
            return self.fail(format!("the number {clean} is too large"));
        };
        self.push(token);
        self.at += len;
        Ok(())
    }

    fn string(&mut self, quote: char) -> Result<(), Syntax> {
        let rest = &self.rest()[1..];
        let mut escaped = false;
        for (at, c) in rest.char_indices() {
            if escaped {
                escaped = false;
            } else if c == '\\' {
                escaped = true;
            } else if c == quote {
                self.push(Token::Str(unescaped(&rest[..at])));
                self.at += at + 2;
                return Ok(());
            }
        }
        self.fail(self.unexpected(quote))
    }
}

fn starts_digit(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
}

/// Python's white space in `\s`.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// Python's escapes; an unknown one stays as it is.
fn unescaped(text: &str) -> String {
    if !text.contains('\\') {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let Some(c) = rest.chars().next() else { break };
        let after = &rest[c.len_utf8()..];
        let hex = |len: usize| {
            let code = after.get(..len).and_then(|code| u32::from_str_radix(code, 16).ok());
            code.and_then(char::from_u32).map(|c| (c, &after[len..]))
        };
        let simple = match c {
            'n' => Some('\n'),
            't' => Some('\t'),
            'r' => Some('\r'),
            'a' => Some('\u{7}'),
            'b' => Some('\u{8}'),
            'f' => Some('\u{c}'),
            'v' => Some('\u{b}'),
            '\\' | '\'' | '"' => Some(c),
            _ => None,
        };
        let wide = match c {
            'x' => hex(2),
            'u' => hex(4),
            'U' => hex(8),
            '0'..='7' => {
                let len = rest.bytes().take(3).take_while(|b| (b'0'..=b'7').contains(b)).count();
                let code = u32::from_str_radix(&rest[..len], 8).ok().and_then(char::from_u32);
                code.map(|c| (c, &rest[len..]))
            }
            _ => None,
        };
        rest = match (simple, wide) {
            (Some(c), _) => {
                out.push(c);
                after
            }
            (None, Some((c, after))) => {
                out.push(c);
                after
            }
            (None, None) if c == '\n' => after,
            (None, None) => {
                out.push('\\');
                rest
            }
        };
    }
    out + rest
}
