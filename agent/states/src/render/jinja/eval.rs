//! The value of an expression.

use minijinja::Error;
use minijinja::value::{Value, ValueKind};

use super::args::Args;
use super::ast::{Arguments, Compare, Expr, Math, Name};
use super::failure::Failure;
use super::objects::Bound;
use super::run::{Frame, Run};
use super::{ops, undefined};
use crate::render::filters;
use crate::render::methods;
use crate::render::python::{fault, items, list, text};

impl Run<'_> {
    pub(super) fn eval(&mut self, expr: &Expr, frame: &Frame) -> Result<Value, Failure> {
        self.step(0)?;
        Ok(match expr {
            Expr::Const(value) => value.clone(),
            Expr::Name(name) => self.name(name, frame),
            Expr::List(all) => list(self.evals(all, frame)?),
            Expr::Tuple(all) => {
                let all = self.evals(all, frame)?;
                ops::tuple(all)?
            }
            Expr::Dict(pairs) => {
                let mut all = Vec::with_capacity(pairs.len());
                for (key, value) in pairs {
                    all.push((self.eval(key, frame)?, self.eval(value, frame)?));
                }
                ops::dict_of(all)?
            }
            Expr::Attr(of, name) => {
                let of = self.eval(of, frame)?;
                attribute(&of, name)?
            }
            Expr::Item(of, key) => {
                let (of, key) = (self.eval(of, frame)?, self.eval(key, frame)?);
                item(&of, &key)?
            }
            Expr::Slice(of, parts) => self.slice(of, parts, frame)?,
            Expr::Call(..) => self.eval_call(expr, frame, None)?,
            Expr::Filter(of, name, args) => {
                let value = self.eval(of, frame)?;
                let args = self.args(args, frame)?;
                self.filter(name, value, args)?
            }
            Expr::Test { of, name, args, negated } => {
                let value = self.eval(of, frame)?;
                let args = self.args(args, frame)?;
                let found = self.test(name, &value, &args)?;
                Value::from(found != *negated)
            }
            Expr::Neg(of) => ops::negate(&self.eval(of, frame)?, true)?,
            Expr::Pos(of) => ops::negate(&self.eval(of, frame)?, false)?,
            Expr::Not(of) => Value::from(!ops::truth(&self.eval(of, frame)?)?),
            Expr::Math(op, left, right) => self.math(*op, left, right, frame)?,
            Expr::And(all) => self.until(all, false, frame)?,
            Expr::Or(all) => self.until(all, true, frame)?,
            Expr::Compare(first, rest) => self.compare(first, rest, frame)?,
            Expr::Concat(all) => self.concat(all, frame)?,
            Expr::If { test, then, otherwise } => {
                if ops::truth(&self.eval(test, frame)?)? {
                    self.eval(then, frame)?
                } else if let Some(otherwise) = otherwise {
                    self.eval(otherwise, frame)?
                } else {
                    undefined::lenient()
                }
            }
        })
    }

    fn evals(&mut self, all: &[Expr], frame: &Frame) -> Result<Vec<Value>, Failure> {
        all.iter().map(|one| self.eval(one, frame)).collect()
    }

    fn name(&self, name: &Name, frame: &Frame) -> Value {
        let found = frame.scope.find(name).or_else(|| frame.globals.get(name).cloned());
        found
            .or_else(|| self.engine.builtins.get(name).cloned())
            .unwrap_or_else(|| undefined::name(name))
    }

    fn slice(
        &mut self,
        of: &Expr,
        parts: &[Option<Expr>; 3],
        frame: &Frame,
    ) -> Result<Value, Failure> {
        let of = self.eval(of, frame)?;
        let mut bounds = [None, None, None];
        for (bound, part) in bounds.iter_mut().zip(parts) {
            if let Some(part) = part {
                *bound = Some(self.eval(part, frame)?);
            }
        }
        self.charge(&of)?;
        if of.kind() == ValueKind::Map {
            return Err(fault("unhashable type: 'slice'").into());
        }
        Ok(ops::slice(&of, bounds)?)
    }

    /// Counts what copying a value costs.
    pub(super) fn charge(&mut self, value: &Value) -> Result<(), Error> {
        match value.kind() {
            ValueKind::String => self.made(value.as_str().map_or(0, str::len)),
            ValueKind::Bytes => self.made(value.as_bytes().map_or(0, <[u8]>::len)),
            ValueKind::Seq | ValueKind::Map => {
                let len = value.len().unwrap_or(0);
                self.made(len.saturating_mul(16))?;
                self.step(len / 8)
            }
            _ => Ok(()),
        }
    }

    fn math(
        &mut self,
        op: Math,
        left: &Expr,
        right: &Expr,
        frame: &Frame,
    ) -> Result<Value, Failure> {
        let (left, right) = (self.eval(left, frame)?, self.eval(right, frame)?);
        let found = ops::math(op, &left, &right)?;
        self.charge(&found)?;
        Ok(found)
    }

    /// The first value whose truth is `wanted`, or the last.
    fn until(&mut self, all: &[Expr], wanted: bool, frame: &Frame) -> Result<Value, Failure> {
        let mut found = Value::UNDEFINED;
        for (at, one) in all.iter().enumerate() {
            found = self.eval(one, frame)?;
            if at + 1 < all.len() && ops::truth(&found)? == wanted {
                break;
            }
        }
        Ok(found)
    }

    fn compare(
        &mut self,
        first: &Expr,
        rest: &[(Compare, Expr)],
        frame: &Frame,
    ) -> Result<Value, Failure> {
        let mut left = self.eval(first, frame)?;
        for (op, right) in rest {
            let right = self.eval(right, frame)?;
            let len = left.len().unwrap_or(0).max(right.len().unwrap_or(0));
            self.step(len / 16)?;
            if !ops::compare(*op, &left, &right)? {
                return Ok(Value::from(false));
            }
            left = right;
        }
        Ok(Value::from(true))
    }

    fn concat(&mut self, all: &[Expr], frame: &Frame) -> Result<Value, Failure> {
        let mut out = String::new();
        for one in all {
            let value = self.eval(one, frame)?;
            undefined::refuse(&value)?;
            out.push_str(&text(&value));
            if out.len() > ops::TEXT_MAX {
                return Err(fault("the text is too large").into());
            }
        }
        self.made(out.len())?;
        Ok(Value::from(out))
    }

    pub(super) fn args(&mut self, args: &Arguments, frame: &Frame) -> Result<Args, Failure> {
        let mut out = Args::of(self.evals(&args.plain, frame)?);
        for (name, value) in &args.named {
            out.named.push((Name::clone(name), self.eval(value, frame)?));
        }
        if let Some(star) = &args.star {
            out.plain.extend(ops::iterate(&self.eval(star, frame)?)?);
        }
        if let Some(stars) = &args.stars {
            let stars = self.eval(stars, frame)?;
            undefined::refuse(&stars)?;
            if stars.kind() != ValueKind::Map {
                return Err(fault("argument after ** must be a mapping").into());
            }
            for (key, value) in crate::render::python::pairs(&stars) {
                out.named.push((Name::from(text(&key)), value));
            }
        }
        Ok(out)
    }

    /// Applies a filter by its name.
    pub(in crate::render) fn filter(
        &mut self,
        name: &str,
        value: Value,
        args: Args,
    ) -> Result<Value, Failure> {
        self.step(1 + value.len().unwrap_or(0) / 8)?;
        if value.kind() == ValueKind::Seq && !["length", "count", "first", "last"].contains(&name) {
            bulk(&value)?;
        }
        let found = filters::apply(self, name, value, args)?;
        self.charge(&found)?;
        Ok(found)
    }

    /// Applies a test by its name.
    pub(in crate::render) fn test(
        &mut self,
        name: &str,
        value: &Value,
        args: &Args,
    ) -> Result<bool, Failure> {
        match filters::test(name) {
            Some(test) => Ok(test(value, args)?),
            None => Err(Failure::syntax(format!("No test named '{name}' found."))),
        }
    }
}

/// Refuses a list that holds large texts, or one many times: filters copy and compare them.
fn bulk(list: &Value) -> Result<(), Error> {
    let all: usize = items(list).iter().map(|item| item.as_str().map_or(0, str::len)).sum();
    if all > ops::BULK_MAX { Err(ops::too_large()) } else { Ok(()) }
}

/// `of.name`: an attribute, or else an item.
pub(in crate::render) fn attribute(of: &Value, name: &Name) -> Result<Value, Error> {
    undefined::refuse(of)?;
    let key = Value::from(&**name);
    if methods::has(of, name) {
        return Ok(Value::from_object(Bound { of: of.clone(), method: Name::clone(name) }));
    }
    let found = methods::member(of, name).or_else(|| own_item(of, &key));
    if found.is_none() && name.starts_with("__") {
        return Ok(undefined::hidden(ops::type_name(of), name));
    }
    Ok(found.unwrap_or_else(|| undefined::part(of, &key)))
}

/// `of[key]`: an item, or else an attribute.
pub(in crate::render) fn item(of: &Value, key: &Value) -> Result<Value, Error> {
    undefined::refuse(of)?;
    undefined::refuse(key)?;
    if let Some(found) = own_item(of, key) {
        return Ok(found);
    }
    match key.to_str() {
        Some(name) if methods::has(of, &name) => {
            Ok(Value::from_object(Bound { of: of.clone(), method: name }))
        }
        Some(name) => Ok(methods::member(of, &name).unwrap_or_else(|| undefined::part(of, key))),
        None => Ok(undefined::part(of, key)),
    }
}

fn own_item(of: &Value, key: &Value) -> Option<Value> {
    if of.kind() == ValueKind::Map {
        ops::hashable(key).ok()?;
    } else if let (Some(ops::Number::Int(at)), true) =
        (ops::number(key), ops::is_list(of) || of.as_str().is_some())
    {
        return by_index(of, at);
    } else if key.kind() == ValueKind::Number && of.kind() != ValueKind::Plain {
        return None;
    }
    let found = match (of.kind(), key.as_str()) {
        (ValueKind::Plain, _) => of.as_object()?.get_value(key)?,
        _ => of.get_item(key).ok()?,
    };
    (!found.is_undefined()).then_some(found)
}

fn by_index(of: &Value, at: i128) -> Option<Value> {
    if let Some(text) = of.as_str() {
        let len = text.chars().count();
        let at = if at < 0 { at + i128::try_from(len).ok()? } else { at };
        let c = text.chars().nth(usize::try_from(at).ok()?)?;
        return Some(crate::render::markup::like(of, c));
    }
    let len = i128::try_from(of.len()?).ok()?;
    let at = if at < 0 { at + len } else { at };
    if let Some(name) = crate::render::python::view_name(of) {
        // Of views only a range has places.
        let own = crate::render::python::items(of);
        return own.get(usize::try_from(at).ok()?).filter(|_| name == "range").cloned();
    }
    let found = of.get_item_by_index(usize::try_from(at).ok()?).ok()?;
    (!found.is_undefined()).then_some(found)
}

/// A value's attribute or item, by a path with dots, as `map(attribute=..)` takes it.
pub(in crate::render) fn path(value: &Value, path: &Value) -> Result<Value, Error> {
    let Some(words) = path.as_str() else { return item(value, path) };
    let mut here = value.clone();
    for part in words.split('.') {
        let key = part.parse::<i64>().map_or_else(|_| Value::from(part), Value::from);
        here = item(&here, &key)?;
    }
    Ok(here)
}
