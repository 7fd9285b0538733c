//! The arguments of one call, by place and by name.

use minijinja::Error;
use minijinja::value::{Kwargs, Value};

use super::ast::Name;
use super::{ops, undefined};
use crate::render::python::{fault, text};

#[derive(Debug, Default, Clone)]
pub(in crate::render) struct Args {
    pub(in crate::render) plain: Vec<Value>,
    pub(in crate::render) named: Vec<(Name, Value)>,
}

impl Args {
    pub(in crate::render) fn of(plain: Vec<Value>) -> Args {
        Args { plain, named: Vec::new() }
    }

    pub(in crate::render) fn named(&self, name: &str) -> Option<Value> {
        self.named.iter().find(|(own, _)| &**own == name).map(|(_, value)| value.clone())
    }

    /// The argument at a place or of a name.
    pub(in crate::render) fn get(&self, at: usize, name: &str) -> Option<Value> {
        self.plain.get(at).cloned().or_else(|| self.named(name))
    }

    pub(in crate::render) fn must(&self, at: usize, name: &str) -> Result<Value, Error> {
        let found = self
            .get(at, name)
            .ok_or_else(|| fault(format!("missing 1 required positional argument: '{name}'")))?;
        undefined::refuse(&found)?;
        Ok(found)
    }

    pub(in crate::render) fn text(&self, at: usize, name: &str) -> Result<String, Error> {
        self.must(at, name).map(|value| text(&value))
    }

    /// A text, or what stands for it when it is not given.
    pub(in crate::render) fn text_or(&self, at: usize, name: &str, usual: &str) -> String {
        self.get(at, name).map_or_else(|| usual.to_owned(), |value| text(&value))
    }

    pub(in crate::render) fn flag(&self, at: usize, name: &str, usual: bool) -> bool {
        self.get(at, name).map_or(usual, |flag| flag.is_true())
    }

    /// A whole number; an error if it is something else.
    pub(in crate::render) fn int(&self, at: usize, name: &str, usual: i64) -> Result<i64, Error> {
        match self.get(at, name) {
            None => Ok(usual),
            Some(value) => match ops::number(&value) {
                Some(ops::Number::Int(number)) => {
                    let words = "Python int too large to convert to C ssize_t";
                    i64::try_from(number).map_err(|_| fault(words))
                }
                Some(ops::Number::Float(_)) | None => {
                    let kind = ops::type_name(&value);
                    Err(fault(format!("'{kind}' object cannot be interpreted as an integer")))
                }
            },
        }
    }

    /// The arguments in minijinja's form, for functions and filters of that form.
    pub(in crate::render) fn into_values(self) -> Vec<Value> {
        let mut all = self.plain;
        if !self.named.is_empty() {
            let named = self.named.into_iter().map(|(name, value)| (name.to_string(), value));
            all.push(Kwargs::from_iter(named).into());
        }
        all
    }
}
