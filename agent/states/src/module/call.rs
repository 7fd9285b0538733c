//! One call of a function: its arguments bound to names, as Python binds them.

use std::cell::Cell;

use minijinja::value::Value;
use minijinja::{Error, ErrorKind};

use super::{Function, Site};
use crate::render::Scope;
use crate::render::python::{fault, text};

/// Arguments in Salt's order: a bare name must be given, `name=` may be, `*args` takes the rest,
/// `**kwargs` any other name. What follows `*` or `*args` is given by name only. `name=!` is one
/// that Salt knows and this engine refuses if it is set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signature(pub(super) &'static str);

impl Signature {
    fn words(self) -> impl Iterator<Item = &'static str> {
        self.0.split_whitespace()
    }

    /// The arguments that have a place.
    pub(crate) fn places(self) -> impl Iterator<Item = &'static str> {
        self.words().take_while(|word| !word.starts_with('*')).map(bare)
    }

    /// The arguments that must be given.
    pub(crate) fn needs(self) -> impl Iterator<Item = &'static str> {
        self.words().filter(|word| !word.contains('=') && !word.starts_with('*'))
    }

    /// The arguments that are refused if they are set: without them the function would act on
    /// something else, or in another way.
    pub(crate) fn refuses(self) -> impl Iterator<Item = &'static str> {
        self.words().filter(|word| word.ends_with('!')).map(bare)
    }

    /// The name of `*args`, if it takes such.
    pub(crate) fn rest(self) -> Option<&'static str> {
        self.words()
            .filter(|word| !word.starts_with("**"))
            .find_map(|word| word.strip_prefix('*'))
            .filter(|name| !name.is_empty())
    }

    /// The name of `**kwargs`, if it takes such.
    pub(crate) fn others(self) -> Option<&'static str> {
        self.words().find_map(|word| word.strip_prefix("**"))
    }

    fn knows(self, name: &str) -> bool {
        self.words().any(|word| !word.starts_with('*') && bare(word) == name)
    }
}

/// The name in a word of a signature.
fn bare(word: &'static str) -> &'static str {
    word.trim_end_matches(['=', '!'])
}

/// Why a function refuses an argument.
pub(crate) fn refusal(function: &str, name: &str) -> String {
    format!("{function} with '{name}' is not supported: leave it out")
}

/// Marks an error that Salt itself raises: templates tell of it in other words than of Python's.
#[derive(Debug, thiserror::Error)]
#[error("a salt function failed")]
struct Problem;

/// A fault that Salt itself raises.
pub(super) fn problem(reason: impl Into<String>) -> Error {
    fault(reason.into()).with_source(Problem)
}

/// Whether Salt itself raises an error, not Python.
pub(crate) fn is_salts(error: &Error) -> bool {
    std::error::Error::source(error).is_some_and(|cause| cause.is::<Problem>())
}

/// Whether a call failed for its arguments, which `module.run` tells in other words.
pub(crate) fn is_invalid(error: &Error) -> bool {
    error.kind() == ErrorKind::MissingArgument
}

/// One call: what it may see, and its arguments.
pub(crate) struct Call<'a> {
    pub(super) scope: &'a Scope,
    pub(super) site: Site<'a>,
    name: &'static str,
    takes: Signature,
    args: Vec<Value>,
    kwargs: Vec<(String, Value)>,
    retcode: Cell<Option<i32>>,
}

impl<'a> Call<'a> {
    /// Binds arguments; a fault is in Python's words.
    pub(super) fn bind(
        function: &Function,
        site: Site<'a>,
        args: Vec<Value>,
        kwargs: Vec<(String, Value)>,
    ) -> Result<Call<'a>, Error> {
        let Function { name, takes, .. } = *function;
        let call =
            Call { scope: site.scope, site, name, takes, args, kwargs, retcode: Cell::new(None) };
        call.judge().map_err(|problem| {
            Error::new(ErrorKind::MissingArgument, format!("{}() {problem}", call.short()))
        })?;
        let is_set = |name: &&str| call.value(name).is_some_and(|value| value.is_true());
        match takes.refuses().find(is_set) {
            Some(refused) => Err(call.fail(refusal(name, refused))),
            None => Ok(call),
        }
    }

    fn short(&self) -> &'static str {
        self.name.rsplit('.').next().unwrap_or(self.name)
    }

    fn judge(&self) -> Result<(), String> {
        let places: Vec<&str> = self.takes.places().collect();
        if self.args.len() > places.len() && self.takes.rest().is_none() {
            let least = places.len().min(self.takes.needs().count());
            let takes = match (least == places.len(), places.len()) {
                (true, 1) => "1 positional argument".to_owned(),
                (true, count) => format!("{count} positional arguments"),
                (false, count) => format!("from {least} to {count} positional arguments"),
            };
            let were = if self.args.len() == 1 { "was" } else { "were" };
            return Err(format!("takes {takes} but {} {were} given", self.args.len()));
        }
        for (name, _) in &self.kwargs {
            if places.iter().take(self.args.len()).any(|place| place == name) {
                return Err(format!("got multiple values for argument '{name}'"));
            }
            // Salt hands these to every function that is called over the bus.
            let public = name.starts_with("__pub_");
            if !public && !self.takes.knows(name) && self.takes.others().is_none() {
                return Err(format!("got an unexpected keyword argument '{name}'"));
            }
        }
        let missing: Vec<String> = self
            .takes
            .needs()
            .filter(|name| self.value(name).is_none())
            .map(|name| format!("'{name}'"))
            .collect();
        match missing.split_last() {
            None => Ok(()),
            Some((last, [])) => Err(format!("missing 1 required positional argument: {last}")),
            Some((last, rest)) => {
                let comma = if rest.len() > 1 { "," } else { "" };
                Err(format!(
                    "missing {} required positional arguments: {}{comma} and {last}",
                    missing.len(),
                    rest.join(", ")
                ))
            }
        }
    }

    /// An argument that was given.
    pub(super) fn value(&self, name: &str) -> Option<Value> {
        let at = self.takes.places().position(|place| place == name);
        let by_place = at.and_then(|at| self.args.get(at));
        let by_name = || self.kwargs.iter().find(|(key, _)| key == name).map(|(_, value)| value);
        by_place.or_else(by_name).cloned()
    }

    /// An argument that was given and is not `None`.
    pub(super) fn set(&self, name: &str) -> Option<Value> {
        self.value(name).filter(|value| !value.is_none())
    }

    /// An argument that must be there.
    pub(super) fn must(&self, name: &str) -> Value {
        self.value(name).unwrap_or_default()
    }

    /// An argument as Python's `str()` has it; nothing if it was not given.
    pub(super) fn text(&self, name: &str) -> String {
        self.value(name).map(|value| text(&value)).unwrap_or_default()
    }

    /// An argument as text, unless it was not given or is `None`.
    pub(super) fn text_of(&self, name: &str) -> Option<String> {
        self.set(name).map(|value| text(&value))
    }

    /// An argument as text, or its default.
    pub(super) fn text_or(&self, name: &str, default: &str) -> String {
        self.text_of(name).unwrap_or_else(|| default.to_owned())
    }

    /// An argument's truth, or its default.
    pub(super) fn flag(&self, name: &str, default: bool) -> bool {
        self.value(name).map_or(default, |value| value.is_true())
    }

    /// An argument as a whole number, given as one or as digits.
    pub(super) fn number(&self, name: &str) -> Result<Option<i64>, Error> {
        let Some(value) = self.set(name) else { return Ok(None) };
        let shown = text(&value);
        let number = value.as_i64().or_else(|| shown.trim().parse().ok());
        number.map(Some).ok_or_else(|| self.fail(format!("'{shown}' is not a whole number")))
    }

    /// What `*args` took.
    pub(super) fn rest(&self) -> &[Value] {
        self.args.get(self.takes.places().count()..).unwrap_or_default()
    }

    /// What `**kwargs` took.
    pub(super) fn others(&self) -> impl Iterator<Item = (&str, &Value)> {
        let other = |name: &str| !self.takes.knows(name) && !name.starts_with("__pub_");
        self.kwargs.iter().filter(move |(name, _)| other(name)).map(|(k, v)| (k.as_str(), v))
    }

    /// A fault of this call, in Salt's words.
    #[allow(clippy::unused_self, reason = "every fault is of a call")]
    pub(super) fn fail(&self, reason: impl Into<String>) -> Error {
        problem(reason)
    }

    /// A fault that Salt leaves to Python, and tells in Python's words.
    #[allow(clippy::unused_self, reason = "every fault is of a call")]
    pub(super) fn raise(&self, reason: impl Into<String>) -> Error {
        fault(reason.into())
    }

    /// A fault of the arguments, Salt's `SaltInvocationError`.
    #[allow(clippy::unused_self, reason = "every fault is of a call")]
    pub(super) fn invalid(&self, reason: impl Into<String>) -> Error {
        Error::new(ErrorKind::MissingArgument, reason.into()).with_source(Problem)
    }

    /// The function's whole name.
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// Notes a failure that the return value does not tell.
    pub(super) fn set_retcode(&self, code: i32) {
        self.retcode.set(Some(code));
    }

    pub(super) fn retcode(&self) -> Option<i32> {
        self.retcode.get()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{find, reads};
    use super::*;

    fn bound(takes: &'static str, args: &[&str], kwargs: &[&str]) -> String {
        let renderer = crate::render::Renderer::new(
            &crate::tree::Tree::default(),
            &crate::facts::Facts::default(),
            &serde_json::json!({}),
            &crate::host::Host::new(),
            &crate::opts::Opts::default(),
        );
        let function = reads("mod.fun", takes, |_| Ok(Value::from(())));
        let args = args.iter().map(|text| Value::from(*text)).collect();
        let kwargs = kwargs.iter().map(|name| ((*name).to_owned(), Value::from(1))).collect();
        let bound = Call::bind(&function, renderer.site(), args, kwargs);
        bound.map_or_else(|error| error.detail().unwrap_or_default().to_owned(), |_| "ok".into())
    }

    #[test]
    fn arguments_bind_as_in_python() {
        assert_eq!(bound("a b=", &["1"], &["b"]), "ok");
        assert_eq!(bound("a *rest **more", &["1", "2", "3"], &["z"]), "ok");
        for (takes, args, kwargs, expected) in [
            ("a b=", &[] as &[&str], &[] as &[&str], "missing 1 required positional argument: 'a'"),
            ("a b c", &[], &["b"], "missing 2 required positional arguments: 'a' and 'c'"),
            ("a", &["1"], &["x"], "got an unexpected keyword argument 'x'"),
            ("a", &["1"], &["a"], "got multiple values for argument 'a'"),
            ("a", &["1", "2"], &[], "takes 1 positional argument but 2 were given"),
            (
                "a b=",
                &["1", "2", "3"],
                &[],
                "takes from 1 to 2 positional arguments but 3 were given",
            ),
        ] {
            assert_eq!(bound(takes, args, kwargs), format!("fun() {expected}"));
        }
    }

    #[test]
    fn a_refused_argument_is_told_if_it_is_set() {
        let takes = "a root=! * bare=! **kwargs";
        let told = |name: &str| format!("mod.fun with '{name}' is not supported: leave it out");
        assert_eq!(bound(takes, &["1"], &["other"]), "ok");
        assert_eq!(bound(takes, &["1", ""], &[]), "ok");
        assert_eq!(bound(takes, &["1", "/mnt"], &[]), told("root"));
        assert_eq!(bound(takes, &["1"], &["root"]), told("root"));
        assert_eq!(bound(takes, &["1"], &["bare"]), told("bare"));
        assert_eq!(Signature(takes).needs().collect::<Vec<_>>(), ["a"]);
    }

    #[test]
    fn no_function_takes_another_root_without_using_it() {
        for function in super::super::TABLES.iter().copied().flatten() {
            let takes = function.takes;
            assert!(
                !takes.knows("root") || takes.refuses().any(|name| name == "root"),
                "{takes:?}"
            );
        }
    }

    #[test]
    fn every_function_is_listed_once() {
        let mut seen = std::collections::HashSet::new();
        for function in super::super::TABLES.iter().copied().flatten() {
            assert!(seen.insert(function.name), "{} is listed twice", function.name);
            assert!(find(function.name).is_some());
            assert!(super::super::is_module(function.name.split('.').next().unwrap()));
        }
    }
}
