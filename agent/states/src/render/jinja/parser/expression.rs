//! Expressions, by Jinja's precedence.

use minijinja::value::Value;

use super::super::Syntax;
use super::super::ast::{Arguments, Compare, Expr, Math, Name};
use super::super::lexer::Token;
use super::{CHAIN_MAX, Parser};

impl Parser {
    pub(super) fn expression(&mut self) -> Result<Expr, Syntax> {
        self.nested(|parser| parser.conditional(true))
    }

    fn conditional(&mut self, conditional: bool) -> Result<Expr, Syntax> {
        let known = self.unknown.len();
        let mut found = self.or()?;
        let mut count = 0;
        while conditional && self.take_word("if") {
            self.chain(&mut count)?;
            // What stands before this may never run.
            self.unknown.truncate(known);
            self.soft += 1;
            let test = Box::new(self.or()?);
            let otherwise = if self.take_word("else") {
                Some(Box::new(self.nested(|parser| parser.conditional(true))?))
            } else {
                None
            };
            self.soft -= 1;
            found = Expr::If { test, then: Box::new(found), otherwise };
        }
        Ok(found)
    }

    /// Counts one more operator of a chain.
    fn chain(&self, count: &mut usize) -> Result<(), Syntax> {
        *count += 1;
        if *count > CHAIN_MAX {
            return self.fail(format!("more than {CHAIN_MAX} operators follow each other"));
        }
        Ok(())
    }

    fn or(&mut self) -> Result<Expr, Syntax> {
        let first = self.and()?;
        if !self.is_word("or") {
            return Ok(first);
        }
        let mut all = vec![first];
        while self.take_word("or") {
            all.push(self.and()?);
        }
        Ok(Expr::Or(all))
    }

    fn and(&mut self) -> Result<Expr, Syntax> {
        let first = self.not()?;
        if !self.is_word("and") {
            return Ok(first);
        }
        let mut all = vec![first];
        while self.take_word("and") {
            all.push(self.not()?);
        }
        Ok(Expr::And(all))
    }

    fn not(&mut self) -> Result<Expr, Syntax> {
        if self.take_word("not") {
            return Ok(Expr::Not(Box::new(self.nested(Parser::not)?)));
        }
        self.compare()
    }

    fn compare(&mut self) -> Result<Expr, Syntax> {
        let first = self.sum()?;
        let mut rest = Vec::new();
        while let Some(op) = self.compare_op() {
            rest.push((op, self.sum()?));
        }
        Ok(if rest.is_empty() { first } else { Expr::Compare(Box::new(first), rest) })
    }

    fn compare_op(&mut self) -> Option<Compare> {
        let op = match self.peek()? {
            Token::Op("==") => Compare::Eq,
            Token::Op("!=") => Compare::Ne,
            Token::Op("<") => Compare::Lt,
            Token::Op("<=") => Compare::Le,
            Token::Op(">") => Compare::Gt,
            Token::Op(">=") => Compare::Ge,
            Token::Name(word) if word == "in" => Compare::In,
            Token::Name(word)
                if word == "not" && self.peek_next() == Some(&Token::Name("in".to_owned())) =>
            {
                self.skip();
                Compare::NotIn
            }
            _ => return None,
        };
        self.skip();
        Some(op)
    }

    fn sum(&mut self) -> Result<Expr, Syntax> {
        let mut left = self.concat()?;
        let mut count = 0;
        loop {
            let op = match self.peek() {
                Some(Token::Op("+")) => Math::Add,
                Some(Token::Op("-")) => Math::Sub,
                Some(_) | None => return Ok(left),
            };
            self.skip();
            self.chain(&mut count)?;
            left = Expr::Math(op, Box::new(left), Box::new(self.concat()?));
        }
    }

    fn concat(&mut self) -> Result<Expr, Syntax> {
        let first = self.product()?;
        if !self.is_op("~") {
            return Ok(first);
        }
        let mut all = vec![first];
        while self.take_op("~") {
            all.push(self.product()?);
        }
        Ok(Expr::Concat(all))
    }

    fn product(&mut self) -> Result<Expr, Syntax> {
        let mut left = self.power()?;
        let mut count = 0;
        loop {
            let op = match self.peek() {
                Some(Token::Op("*")) => Math::Mul,
                Some(Token::Op("/")) => Math::Div,
                Some(Token::Op("//")) => Math::FloorDiv,
                Some(Token::Op("%")) => Math::Rem,
                Some(_) | None => return Ok(left),
            };
            self.skip();
            self.chain(&mut count)?;
            left = Expr::Math(op, Box::new(left), Box::new(self.power()?));
        }
    }

    fn power(&mut self) -> Result<Expr, Syntax> {
        let mut left = self.unary(true)?;
        let mut count = 0;
        while self.take_op("**") {
            self.chain(&mut count)?;
            left = Expr::Math(Math::Pow, Box::new(left), Box::new(self.unary(true)?));
        }
        Ok(left)
    }

    fn unary(&mut self, with_filters: bool) -> Result<Expr, Syntax> {
        let found = if self.take_op("-") {
            Expr::Neg(Box::new(self.nested(|parser| parser.unary(false))?))
        } else if self.take_op("+") {
            Expr::Pos(Box::new(self.nested(|parser| parser.unary(false))?))
        } else {
            self.primary()?
        };
        let found = self.postfix(found)?;
        if with_filters { self.filtered(found) } else { Ok(found) }
    }

    fn primary(&mut self) -> Result<Expr, Syntax> {
        let Some(token) = self.peek().cloned() else {
            return self.fail("unexpected 'end of template'");
        };
        self.skip();
        match token {
            Token::Name(word) => Ok(match word.as_str() {
                "true" | "True" => Expr::Const(Value::from(true)),
                "false" | "False" => Expr::Const(Value::from(false)),
                "none" | "None" => Expr::Const(Value::from(())),
                name => {
                    self.note(name);
                    Expr::Name(Name::from(name))
                }
            }),
            Token::Str(mut text) => {
                while let Some(Token::Str(more)) = self.peek() {
                    text.push_str(more);
                    self.skip();
                }
                Ok(Expr::Const(Value::from(text)))
            }
            Token::Int(number) => Ok(Expr::Const(super::super::ops::int(number))),
            Token::Float(number) => Ok(Expr::Const(Value::from(number))),
            Token::Op("(") => {
                let inner = self.nested(|parser| parser.brackets())?;
                self.expect_op(")")?;
                Ok(inner)
            }
            Token::Op("[") => self.nested(Parser::list),
            Token::Op("{") => self.nested(Parser::dict),
            Token::Text(_)
            | Token::PrintBegin
            | Token::PrintEnd
            | Token::TagBegin
            | Token::TagEnd
            | Token::Op(_) => {
                self.at -= 1;
                self.fail(format!("unexpected '{}'", self.described()))
            }
        }
    }

    fn note(&mut self, name: &str) {
        match name {
            "loop" => self.seen.of_loop += 1,
            "caller" => self.seen.caller += 1,
            "varargs" => self.seen.varargs += 1,
            "kwargs" => self.seen.kwargs += 1,
            _ => {}
        }
    }

    fn brackets(&mut self) -> Result<Expr, Syntax> {
        if self.is_op(")") { Ok(Expr::Tuple(Vec::new())) } else { self.tuple(true) }
    }

    /// One expression, or several with commas between: a tuple.
    pub(super) fn tuple(&mut self, conditional: bool) -> Result<Expr, Syntax> {
        if self.ends_tuple() {
            return self.fail(format!("Expected an expression, got '{}'", self.described()));
        }
        let one = |parser: &mut Parser| parser.nested(|parser| parser.conditional(conditional));
        let first = one(self)?;
        if !self.is_op(",") {
            return Ok(first);
        }
        let mut all = vec![first];
        while self.take_op(",") {
            if self.ends_tuple() {
                break;
            }
            all.push(one(self)?);
        }
        Ok(Expr::Tuple(all))
    }

    fn ends_tuple(&self) -> bool {
        match self.peek() {
            None | Some(Token::PrintEnd | Token::TagEnd) => true,
            Some(Token::Op(op)) => *op == ")",
            Some(_) => false,
        }
    }

    fn list(&mut self) -> Result<Expr, Syntax> {
        let mut all = Vec::new();
        while !self.is_op("]") {
            if !all.is_empty() {
                self.expect_op(",")?;
            }
            if self.is_op("]") {
                break;
            }
            all.push(self.expression()?);
        }
        self.expect_op("]")?;
        Ok(Expr::List(all))
    }

    fn dict(&mut self) -> Result<Expr, Syntax> {
        let mut all = Vec::new();
        while !self.is_op("}") {
            if !all.is_empty() {
                self.expect_op(",")?;
            }
            if self.is_op("}") {
                break;
            }
            let key = self.expression()?;
            self.expect_op(":")?;
            all.push((key, self.expression()?));
        }
        self.expect_op("}")?;
        Ok(Expr::Dict(all))
    }

    fn postfix(&mut self, mut found: Expr) -> Result<Expr, Syntax> {
        let mut count = 0;
        loop {
            if self.take_op(".") {
                found = self.attribute(found)?;
            } else if self.take_op("[") {
                found = self.nested(|parser| parser.subscript(found))?;
            } else if self.is_op("(") {
                found = Expr::Call(Box::new(found), self.arguments()?);
            } else {
                return Ok(found);
            }
            self.chain(&mut count)?;
        }
    }

    fn attribute(&mut self, of: Expr) -> Result<Expr, Syntax> {
        if let Some(Token::Int(number)) = self.peek() {
            let index = super::super::ops::int(*number);
            self.skip();
            return Ok(Expr::Item(Box::new(of), Box::new(Expr::Const(index))));
        }
        Ok(Expr::Attr(Box::new(of), self.expect_name()?))
    }

    fn subscript(&mut self, of: Expr) -> Result<Expr, Syntax> {
        if self.take_op("]") {
            return Ok(Expr::Item(Box::new(of), Box::new(Expr::Tuple(Vec::new()))));
        }
        let first = if self.is_op(":") { None } else { Some(self.expression()?) };
        if self.is_op(":") {
            let mut parts = [first, None, None];
            let mut at = 0;
            while self.take_op(":") {
                at += 1;
                let Some(part) = parts.get_mut(at) else { return self.wanted("]") };
                if !self.is_op(":") && !self.is_op("]") {
                    *part = Some(self.expression()?);
                }
            }
            self.expect_op("]")?;
            return Ok(Expr::Slice(Box::new(of), Box::new(parts)));
        }
        let Some(first) = first else { return self.wanted("]") };
        let mut all = vec![first];
        while self.take_op(",") {
            all.push(self.expression()?);
        }
        self.expect_op("]")?;
        let key = match all.pop() {
            Some(only) if all.is_empty() => only,
            Some(last) => {
                all.push(last);
                Expr::Tuple(all)
            }
            None => return self.wanted("]"),
        };
        Ok(Expr::Item(Box::new(of), Box::new(key)))
    }

    pub(super) fn arguments(&mut self) -> Result<Arguments, Syntax> {
        self.expect_op("(")?;
        let mut args = Arguments::default();
        let mut first = true;
        while !self.is_op(")") {
            if !first {
                self.expect_op(",")?;
                if self.is_op(")") {
                    break;
                }
            }
            first = false;
            self.argument(&mut args)?;
        }
        self.expect_op(")")?;
        Ok(args)
    }

    fn argument(&mut self, args: &mut Arguments) -> Result<(), Syntax> {
        const INVALID: &str = "invalid syntax for function call expression";
        if self.take_op("*") {
            if args.star.is_some() || args.stars.is_some() {
                return self.fail(INVALID);
            }
            args.star = Some(Box::new(self.expression()?));
        } else if self.take_op("**") {
            if args.stars.is_some() {
                return self.fail(INVALID);
            }
            args.stars = Some(Box::new(self.expression()?));
        } else if matches!(self.peek(), Some(Token::Name(_)))
            && self.peek_next() == Some(&Token::Op("="))
        {
            let name = self.expect_name()?;
            self.skip();
            args.named.push((name, self.expression()?));
        } else if args.star.is_some() || args.stars.is_some() || !args.named.is_empty() {
            return self.fail(INVALID);
        } else {
            args.plain.push(self.expression()?);
        }
        Ok(())
    }

    fn filtered(&mut self, mut found: Expr) -> Result<Expr, Syntax> {
        let mut count = 0;
        loop {
            if self.take_op("|") {
                let name = self.filter_name()?;
                let args = if self.is_op("(") { self.arguments()? } else { Arguments::default() };
                found = Expr::Filter(Box::new(found), name, args);
            } else if self.take_word("is") {
                found = self.test(found)?;
            } else if self.is_op("(") {
                found = Expr::Call(Box::new(found), self.arguments()?);
            } else {
                return Ok(found);
            }
            self.chain(&mut count)?;
        }
    }

    /// The name of a filter, which must be there unless it stands in what may never run.
    pub(super) fn filter_name(&mut self) -> Result<Name, Syntax> {
        let line = self.line();
        let name = self.dotted()?;
        if self.soft == 0 && !crate::render::filters::has(&name) {
            self.unknown.push(Syntax { line, reason: format!("No filter named '{name}'.") });
        }
        Ok(name)
    }

    pub(super) fn dotted(&mut self) -> Result<Name, Syntax> {
        let mut name = self.expect_name()?.to_string();
        while self.take_op(".") {
            name = format!("{name}.{}", self.expect_name()?);
        }
        Ok(Name::from(name))
    }

    fn test(&mut self, of: Expr) -> Result<Expr, Syntax> {
        let negated = self.take_word("not");
        let line = self.line();
        let name = self.dotted()?;
        if self.soft == 0 && crate::render::filters::test(&name).is_none() {
            self.unknown.push(Syntax { line, reason: format!("No test named '{name}'.") });
        }
        let args = if self.is_op("(") {
            self.arguments()?
        } else if self.starts_operand()? {
            let operand = self.primary()?;
            Arguments { plain: vec![self.postfix(operand)?], ..Arguments::default() }
        } else {
            Arguments::default()
        };
        Ok(Expr::Test { of: Box::new(of), name, args, negated })
    }

    fn starts_operand(&self) -> Result<bool, Syntax> {
        match self.peek() {
            Some(Token::Name(word)) if word == "is" => {
                self.fail("You cannot chain multiple tests with is")
            }
            Some(Token::Name(word)) => Ok(!["else", "or", "and"].contains(&word.as_str())),
            Some(Token::Str(_) | Token::Int(_) | Token::Float(_)) => Ok(true),
            Some(Token::Op(op)) => Ok(["[", "{"].contains(op)),
            Some(_) | None => Ok(false),
        }
    }
}
