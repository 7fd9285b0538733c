//! From tokens to a template: the stream, and what stands between tags.

mod expression;
mod tags;

use std::sync::Arc;

use super::ast::{Block, Name, Stmt, StmtKind, Template};
use super::lexer::{self, Token};
use super::{Options, Syntax};

/// Statements and operators that may nest in each other.
const DEPTH_MAX: usize = 150;
/// Operators of one kind that may follow each other without brackets.
pub(super) const CHAIN_MAX: usize = 400;

/// Parses a template that came from `file`.
pub(super) fn parse(file: &str, source: &str, options: &Options) -> Result<Template, Syntax> {
    let (tokens, ended) = lexer::tokens(source, options);
    let last = tokens.last().map_or(1, |(line, _)| *line);
    let mut parser = Parser {
        tokens,
        at: 0,
        last,
        depth: 0,
        blocks: Vec::new(),
        seen: Seen::default(),
        open: Vec::new(),
        ends: Vec::new(),
        soft: 0,
        unknown: Vec::new(),
    };
    let body = parser.statements(&[]);
    // Jinja reads as it parses: what cannot be read counts if it comes to it.
    if parser.at >= parser.tokens.len() {
        ended?;
    }
    let body = body?;
    if !parser.unknown.is_empty() {
        return Err(parser.unknown.swap_remove(0));
    }
    let file = Name::from(file);
    Ok(Template { file, body, blocks: parser.blocks })
}

/// How often names with a meaning of their own were used so far.
#[derive(Debug, Default, Clone, Copy)]
struct Seen {
    of_loop: usize,
    caller: usize,
    varargs: usize,
    kwargs: usize,
}

struct Parser {
    tokens: Vec<(u32, Token)>,
    at: usize,
    last: u32,
    depth: usize,
    blocks: Vec<Arc<Block>>,
    seen: Seen,
    /// The tags that are open, and those that may end each.
    open: Vec<String>,
    ends: Vec<Vec<&'static str>>,
    /// Whether what is parsed may never run: an unknown filter is refused when it does.
    soft: usize,
    /// Filters and tests that are not there, where they will run.
    unknown: Vec<Syntax>,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(_, token)| token)
    }

    fn peek_next(&self) -> Option<&Token> {
        self.tokens.get(self.at + 1).map(|(_, token)| token)
    }

    fn line(&self) -> u32 {
        self.tokens.get(self.at).map_or(self.last, |(line, _)| *line)
    }

    fn fail<T>(&self, reason: impl Into<String>) -> Result<T, Syntax> {
        Err(Syntax { line: self.line(), reason: reason.into() })
    }

    fn skip(&mut self) {
        self.at += 1;
    }

    fn is_op(&self, op: &str) -> bool {
        matches!(self.peek(), Some(Token::Op(found)) if *found == op)
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Some(Token::Name(found)) if found == word)
    }

    fn take_op(&mut self, op: &str) -> bool {
        let found = self.is_op(op);
        self.at += usize::from(found);
        found
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.at += usize::from(found);
        found
    }

    fn expect_op(&mut self, op: &str) -> Result<(), Syntax> {
        if self.take_op(op) { Ok(()) } else { self.wanted(op) }
    }

    fn expect_word(&mut self, word: &str) -> Result<(), Syntax> {
        if self.take_word(word) { Ok(()) } else { self.wanted(word) }
    }

    fn expect_name(&mut self) -> Result<Name, Syntax> {
        match self.peek() {
            Some(Token::Name(name)) => {
                let name = Name::from(name.as_str());
                self.skip();
                Ok(name)
            }
            Some(_) | None => self.wanted("name"),
        }
    }

    fn expect_tag_end(&mut self) -> Result<(), Syntax> {
        // As in Python, a colon may end what opens a block.
        if self.is_op(":") && self.peek_next() == Some(&Token::TagEnd) {
            self.skip();
        }
        match self.peek() {
            Some(Token::TagEnd) => {
                self.skip();
                Ok(())
            }
            Some(_) | None => self.wanted("end of statement block"),
        }
    }

    fn wanted<T>(&self, wanted: &str) -> Result<T, Syntax> {
        self.fail(format!("expected token '{wanted}', got '{}'", self.described()))
    }

    fn described(&self) -> String {
        match self.peek() {
            None => "end of template".to_owned(),
            Some(Token::Text(_)) => "template data / text".to_owned(),
            Some(Token::PrintBegin) => "begin of print statement".to_owned(),
            Some(Token::PrintEnd) => "end of print statement".to_owned(),
            Some(Token::TagBegin) => "begin of statement block".to_owned(),
            Some(Token::TagEnd) => "end of statement block".to_owned(),
            Some(Token::Name(name)) => name.clone(),
            Some(Token::Str(_)) => "string".to_owned(),
            Some(Token::Int(_)) => "integer".to_owned(),
            Some(Token::Float(_)) => "float".to_owned(),
            Some(Token::Op(op)) => (*op).to_owned(),
        }
    }

    /// Runs a rule that may hold itself.
    fn nested<T>(
        &mut self,
        rule: impl FnOnce(&mut Parser) -> Result<T, Syntax>,
    ) -> Result<T, Syntax> {
        if self.depth >= DEPTH_MAX {
            return self.fail("the template nests too deep");
        }
        self.depth += 1;
        let found = rule(self);
        self.depth -= 1;
        found
    }

    /// Statements up to a tag of one of the names, which stays to be read.
    fn statements(&mut self, ends: &[&'static str]) -> Result<Vec<Stmt>, Syntax> {
        if ends.is_empty() {
            return self.until(ends);
        }
        self.ends.push(ends.to_vec());
        let found = self.until(ends);
        self.ends.pop();
        found
    }

    fn until(&mut self, ends: &[&'static str]) -> Result<Vec<Stmt>, Syntax> {
        let mut out = Vec::new();
        loop {
            let line = self.line();
            let kind = match self.peek() {
                None if ends.is_empty() => return Ok(out),
                None => return self.unclosed(None),
                Some(Token::Text(_)) => {
                    let Token::Text(text) = &mut self.tokens[self.at].1 else { continue };
                    let text = std::mem::take(text);
                    self.skip();
                    StmtKind::Text(text)
                }
                Some(Token::PrintBegin) => {
                    self.skip();
                    let line = self.line();
                    let value = self.tuple(true)?;
                    if !matches!(self.peek(), Some(Token::PrintEnd)) {
                        return self.wanted("end of print statement");
                    }
                    self.skip();
                    out.push(Stmt { line, kind: StmtKind::Print(value) });
                    continue;
                }
                Some(Token::TagBegin) => {
                    self.skip();
                    if ends.iter().any(|end| self.is_word(end)) {
                        return Ok(out);
                    }
                    let line = self.line();
                    self.open.push(self.described());
                    let kind = self.nested(Parser::tag)?;
                    self.open.pop();
                    out.push(Stmt { line, kind });
                    continue;
                }
                Some(_) => return self.fail("a tag was expected"),
            };
            out.push(Stmt { line, kind });
        }
    }

    /// What Jinja says of an end that is missing, or of a tag that it does not know.
    fn unclosed<T>(&self, tag: Option<&str>) -> Result<T, Syntax> {
        let mut words = match tag {
            None => "Unexpected end of template.".to_owned(),
            Some(tag) => format!("Encountered unknown tag '{tag}'."),
        };
        if let Some(ends) = self.ends.last() {
            let quoted: Vec<_> = ends.iter().map(|end| format!("'{end}'")).collect();
            let wanted = quoted.join(" or ");
            let expected = tag.is_some_and(|tag| self.ends.iter().any(|ends| ends.contains(&tag)));
            words += &if expected {
                format!(
                    " You probably made a nesting mistake. Jinja is expecting this tag, but \
                     currently looking for {wanted}."
                )
            } else {
                format!(" Jinja was looking for the following tags: {wanted}.")
            };
        }
        if let Some(open) = self.open.last() {
            words += &format!(" The innermost block that needs to be closed is '{open}'.");
        }
        self.fail(words)
    }

    /// Parses what is a scope of its own: as in Jinja, it does not count as what may never run.
    fn inner<T>(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<T, Syntax>,
    ) -> Result<T, Syntax> {
        let soft = std::mem::take(&mut self.soft);
        let found = parse(self);
        self.soft = soft;
        found
    }

    /// Statements up to `end`, the whole closing tag included.
    fn body(&mut self, end: &'static str) -> Result<Vec<Stmt>, Syntax> {
        self.expect_tag_end()?;
        let body = self.statements(&[end])?;
        self.skip();
        self.expect_tag_end()?;
        Ok(body)
    }
}
