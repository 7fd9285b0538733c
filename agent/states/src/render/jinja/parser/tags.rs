//! The tags: Jinja's own, `do`, loop controls, and Salt's `load_*`, `import_*` and `profile`.

use std::sync::Arc;

use super::super::Syntax;
use super::super::ast::{
    Arguments, Block, Branch, Expr, For, Macro, Name, Stmt, StmtKind, Target, Uses,
};
use super::super::lexer::Token;
use super::Parser;

impl Parser {
    pub(super) fn tag(&mut self) -> Result<StmtKind, Syntax> {
        let word = self.expect_name()?;
        let kind = match &*word {
            "for" => self.for_tag(),
            "if" => self.if_tag(),
            "set" => self.set_tag(),
            "with" => self.with_tag(),
            "macro" => self.macro_tag(),
            "call" => self.call_tag(),
            "filter" => return self.inner(Self::filter_tag),
            "block" => self.block_tag(),
            "autoescape" => {
                self.expression()?;
                return Ok(StmtKind::Group(self.inner(|parser| parser.body("endautoescape"))?));
            }
            "load_yaml" | "load_json" | "load_text" => {
                self.expect_word("as")?;
                let target = self.target(true)?;
                let filter = vec![(word, Arguments::default())];
                let body = self.inner(|parser| parser.body("endload"))?;
                return Ok(StmtKind::SetBlock(target, filter, body));
            }
            "profile" => {
                self.expect_word("as")?;
                self.expression()?;
                return Ok(StmtKind::Group(self.body("endprofile")?));
            }
            "extends" => Ok(StmtKind::Extends(self.expression()?)),
            "include" => self.include_tag(),
            "import" => self.import_tag(None),
            "import_yaml" => self.import_tag(Some("load_yaml")),
            "import_json" => self.import_tag(Some("load_json")),
            "import_text" => self.import_tag(Some("load_text")),
            "from" => self.names_tag(),
            "do" => Ok(StmtKind::Do(self.tuple(true)?)),
            "print" => Ok(StmtKind::Print(self.tuple(true)?)),
            "break" => self.loop_tag(&word, StmtKind::Break),
            "continue" => self.loop_tag(&word, StmtKind::Continue),
            other => {
                self.at -= 1;
                self.open.pop();
                self.unclosed(Some(other))
            }
        }?;
        match kind {
            // These read their closing tag themselves.
            StmtKind::For(_)
            | StmtKind::If(..)
            | StmtKind::SetBlock(..)
            | StmtKind::With(..)
            | StmtKind::Macro(_)
            | StmtKind::Call(..)
            | StmtKind::Block(_) => {}
            StmtKind::Text(_)
            | StmtKind::Print(_)
            | StmtKind::Set(..)
            | StmtKind::Filter(..)
            | StmtKind::Import { .. }
            | StmtKind::From { .. }
            | StmtKind::Data { .. }
            | StmtKind::Include { .. }
            | StmtKind::Extends(_)
            | StmtKind::Group(_)
            | StmtKind::Do(_)
            | StmtKind::Break
            | StmtKind::Continue => self.expect_tag_end()?,
        }
        Ok(kind)
    }

    /// What stands in the body of a loop only: what is called is in none.
    fn loop_tag(&self, word: &str, kind: StmtKind) -> Result<StmtKind, Syntax> {
        // What else is wrong with the tag is told first.
        if !matches!(self.peek(), Some(Token::TagEnd) | None) {
            return Ok(kind);
        }
        let around = self.open.iter().rev().skip(1).map(String::as_str);
        let mut bounds = around.filter(|tag| ["for", "macro", "call", "block"].contains(tag));
        if bounds.next() == Some("for") {
            return Ok(kind);
        }
        self.fail(format!("'{word}' outside loop"))
    }

    fn filter_tag(&mut self) -> Result<StmtKind, Syntax> {
        let filters = self.filters(true)?;
        Ok(StmtKind::Filter(filters, self.body("endfilter")?))
    }

    fn for_tag(&mut self) -> Result<StmtKind, Syntax> {
        let target = self.target(true)?;
        self.expect_word("in")?;
        let items = self.tuple(false)?;
        let test = if self.take_word("if") {
            let line = self.line();
            Some((line, self.inner(Self::expression)?))
        } else {
            None
        };
        let recursive = self.take_word("recursive");
        self.expect_tag_end()?;
        let before = self.seen.of_loop;
        let body = self.inner(|parser| parser.statements(&["endfor", "else"]))?;
        let uses_loop = recursive || self.seen.of_loop > before;
        let otherwise = if self.take_word("else") {
            self.inner(|parser| parser.body("endfor"))?
        } else {
            self.close()?
        };
        let parts = For { target, items, test, recursive, body, otherwise, uses_loop };
        Ok(StmtKind::For(Arc::new(parts)))
    }

    /// The end of a closing tag, whose name is next.
    fn close(&mut self) -> Result<Vec<Stmt>, Syntax> {
        self.skip();
        self.expect_tag_end()?;
        Ok(Vec::new())
    }

    fn if_tag(&mut self) -> Result<StmtKind, Syntax> {
        let mut branches = Vec::new();
        let mut line = None;
        self.soft += 1;
        loop {
            let test = self.tuple(false)?;
            self.expect_tag_end()?;
            let body = self.statements(&["elif", "else", "endif"])?;
            branches.push(Branch { line, test, body });
            if self.take_word("elif") {
                line = Some(self.line());
                continue;
            }
            let otherwise =
                if self.take_word("else") { self.body("endif")? } else { self.close()? };
            self.soft -= 1;
            return Ok(StmtKind::If(branches, otherwise));
        }
    }

    fn set_tag(&mut self) -> Result<StmtKind, Syntax> {
        let target = self.target(true)?;
        if self.take_op("=") {
            return Ok(StmtKind::Set(target, self.tuple(true)?));
        }
        self.inner(|parser| {
            let filters = if parser.is_op("|") { parser.filters(false)? } else { Vec::new() };
            Ok(StmtKind::SetBlock(target, filters, parser.body("endset")?))
        })
    }

    fn with_tag(&mut self) -> Result<StmtKind, Syntax> {
        let mut pairs = Vec::new();
        while !matches!(self.peek(), Some(Token::TagEnd) | None) {
            if !pairs.is_empty() {
                self.expect_op(",")?;
            }
            let target = self.target(false)?;
            self.expect_op("=")?;
            pairs.push((target, self.expression()?));
        }
        Ok(StmtKind::With(pairs, self.inner(|parser| parser.body("endwith"))?))
    }

    fn macro_tag(&mut self) -> Result<StmtKind, Syntax> {
        let name = self.expect_name()?;
        let (params, defaults) = self.signature()?;
        Ok(StmtKind::Macro(Arc::new(self.macro_of(name, params, defaults, "endmacro")?)))
    }

    fn call_tag(&mut self) -> Result<StmtKind, Syntax> {
        let (params, defaults) =
            if self.is_op("(") { self.signature()? } else { (Vec::new(), Vec::new()) };
        let call = self.expression()?;
        if !matches!(call, Expr::Call(..)) {
            return self.fail("expected call");
        }
        let body = self.macro_of(Name::from("caller"), params, defaults, "endcall")?;
        Ok(StmtKind::Call(Arc::new(body), call))
    }

    fn macro_of(
        &mut self,
        name: Name,
        params: Vec<Name>,
        defaults: Vec<Expr>,
        end: &'static str,
    ) -> Result<Macro, Syntax> {
        let before = self.seen;
        let body = self.inner(|parser| parser.body(end))?;
        let uses = Uses {
            caller: self.seen.caller > before.caller,
            varargs: self.seen.varargs > before.varargs,
            kwargs: self.seen.kwargs > before.kwargs,
        };
        Ok(Macro { name, params, defaults, body, uses })
    }

    fn signature(&mut self) -> Result<(Vec<Name>, Vec<Expr>), Syntax> {
        let (mut params, mut defaults) = (Vec::new(), Vec::new());
        self.expect_op("(")?;
        while !self.is_op(")") {
            if !params.is_empty() {
                self.expect_op(",")?;
            }
            if self.is_op(")") {
                break;
            }
            params.push(self.expect_name()?);
            if self.take_op("=") {
                defaults.push(self.inner(Self::expression)?);
            } else if !defaults.is_empty() {
                return self.fail("non-default argument follows default argument");
            }
        }
        self.expect_op(")")?;
        Ok((params, defaults))
    }

    fn block_tag(&mut self) -> Result<StmtKind, Syntax> {
        let name = self.expect_name()?;
        let scoped = self.take_word("scoped");
        let required = self.take_word("required");
        self.expect_tag_end()?;
        let body = self.inner(|parser| parser.statements(&["endblock"]))?;
        self.skip();
        self.take_word(&name);
        self.expect_tag_end()?;
        if self.blocks.iter().any(|block| block.name == name) {
            return self.fail(format!("block '{name}' defined twice"));
        }
        let block = Arc::new(Block { name, body, required, scoped });
        self.blocks.push(Arc::clone(&block));
        Ok(StmtKind::Block(block))
    }

    fn include_tag(&mut self) -> Result<StmtKind, Syntax> {
        let file = self.expression()?;
        let ignore = Token::Name("missing".to_owned());
        let optional = self.is_word("ignore") && self.peek_next() == Some(&ignore);
        if optional {
            self.at += 2;
        }
        let context = self.context(true);
        self.seen.of_loop += 1;
        Ok(StmtKind::Include { file, context, optional })
    }

    /// `with context` or `without context`, if it stands there.
    fn context(&mut self, usual: bool) -> bool {
        let context = Token::Name("context".to_owned());
        for (word, wanted) in [("with", true), ("without", false)] {
            if self.is_word(word) && self.peek_next() == Some(&context) {
                self.at += 2;
                return wanted;
            }
        }
        usual
    }

    fn import_tag(&mut self, data: Option<&str>) -> Result<StmtKind, Syntax> {
        let file = self.expression()?;
        self.expect_word("as")?;
        let target = self.expect_name()?;
        let context = self.context(false);
        self.seen.of_loop += usize::from(context);
        Ok(match data {
            Some(filter) => StmtKind::Data { file, target, context, filter: Name::from(filter) },
            None => StmtKind::Import { file, target, context },
        })
    }

    fn names_tag(&mut self) -> Result<StmtKind, Syntax> {
        let file = self.expression()?;
        self.expect_word("import")?;
        let mut names = Vec::new();
        loop {
            if !names.is_empty() {
                self.expect_op(",")?;
            }
            if self.ends_names() {
                break;
            }
            let name = self.expect_name()?;
            if name.starts_with('_') {
                return self.fail("names starting with an underline can not be imported");
            }
            let own = if self.take_word("as") { self.expect_name()? } else { Name::clone(&name) };
            names.push((name, own));
            if self.ends_names() || !self.is_op(",") {
                break;
            }
        }
        let context = self.context(false);
        self.seen.of_loop += usize::from(context);
        Ok(StmtKind::From { file, names, context })
    }

    fn ends_names(&self) -> bool {
        let context = Token::Name("context".to_owned());
        (self.is_word("with") || self.is_word("without")) && self.peek_next() == Some(&context)
    }

    /// What may be assigned to: a name, `namespace.name`, or several with commas.
    pub(super) fn target(&mut self, many: bool) -> Result<Target, Syntax> {
        let mut all = Vec::new();
        let mut comma = false;
        loop {
            if !all.is_empty() && (self.is_op("=") || self.is_word("in")) {
                break;
            }
            all.push(self.one_target()?);
            comma |= self.is_op(",");
            if !many || !self.take_op(",") {
                break;
            }
        }
        if comma && many {
            return Ok(Target::Many(all));
        }
        all.pop().map_or_else(|| self.wanted("name"), Ok)
    }

    fn one_target(&mut self) -> Result<Target, Syntax> {
        if self.take_op("(") {
            let inner = self.nested(|parser| parser.target(true))?;
            self.expect_op(")")?;
            return Ok(inner);
        }
        if let Some(Token::Str(_) | Token::Int(_) | Token::Float(_)) = self.peek() {
            return self.fail("can't assign to 'const'");
        }
        let name = self.expect_name()?;
        if ["true", "false", "none", "True", "False", "None"].contains(&&*name) {
            self.at -= 1;
            return self.fail("can't assign to 'const'");
        }
        if self.take_op(".") {
            return Ok(Target::Attr(name, self.expect_name()?));
        }
        Ok(Target::Name(name))
    }

    /// `name(args)|name|..`, with a bar before the first one or not.
    fn filters(&mut self, bare: bool) -> Result<Vec<(Name, Arguments)>, Syntax> {
        let mut out = Vec::new();
        while (bare && out.is_empty()) || self.take_op("|") {
            let name = self.filter_name()?;
            let args = if self.is_op("(") { self.arguments()? } else { Arguments::default() };
            out.push((name, args));
        }
        Ok(out)
    }
}
