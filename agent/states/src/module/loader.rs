//! The value that templates see as `salt`: `salt['a.b']`, `salt.a.b`, `'a.b' in salt`.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Enumerator, Kwargs, Object, ObjectRepr, Value, from_args};
use minijinja::{Error, ErrorKind, State};

use super::call::problem;
use super::known::{is_function, may_be_function};
use super::{Function, Site, TABLES, find};
use crate::render::Scope;
use crate::render::python::{fault, list, repr};

/// The value that templates see as `salt`.
pub(crate) fn salt(scope: &Arc<Scope>) -> Value {
    Value::from_object(Loader { scope: Arc::clone(scope), module: None })
}

/// `salt`, or one module of it.
struct Loader {
    scope: Arc<Scope>,
    module: Option<String>,
}

impl Loader {
    fn function(&self, name: &str) -> Option<Value> {
        let found = find(name);
        if found.is_none() {
            // Calling what is undefined tells no name: it is kept for the error's text.
            self.scope.note_missing(name);
        }
        match found {
            Some(function) => {
                Some(Value::from_object(Callable { scope: Arc::clone(&self.scope), function }))
            }
            // A template may look whether Salt has it, and then call it or not.
            None => is_function(name).then(|| Value::from_object(Lacking(name.to_owned()))),
        }
    }
}

impl fmt::Debug for Loader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<salt {}>", self.module.as_deref().unwrap_or_default())
    }
}

impl Object for Loader {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let key = key.as_str()?;
        match &self.module {
            Some(module) => self.function(&format!("{module}.{key}")),
            None if key.contains('.') => self.function(key),
            None => {
                let known = super::is_module(key);
                let scope = Arc::clone(&self.scope);
                let module = || Loader { scope, module: Some(key.to_owned()) };
                known.then(|| Value::from_object(module()))
            }
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let all = TABLES.iter().copied().flatten().map(|function| function.name);
        let names: Vec<Value> = match &self.module {
            None => all.map(Value::from).collect(),
            Some(module) => all
                .filter_map(|name| name.strip_prefix(module.as_str())?.strip_prefix('.'))
                .map(Value::from)
                .collect(),
        };
        Enumerator::Values(names)
    }

    fn call_method(
        self: &Arc<Self>,
        state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        if let Some(function) = self.get_value(&Value::from(method)) {
            return function.call(state, args);
        }
        let first = args.first().cloned().unwrap_or_default();
        match (&self.module, method) {
            (None, "get") => {
                let found = self.get_value(&first);
                Ok(found.or_else(|| args.get(1).cloned()).unwrap_or_else(|| Value::from(())))
            }
            (None, "keys") => Ok(list(items(&Value::from_dyn_object(Arc::clone(self))))),
            (None, "has_key") => Ok(Value::from(self.get_value(&first).is_some())),
            (Some(module), _) if may_be_function(&format!("{module}.{method}")) => {
                Err(fault(unsupported(&format!("{module}.{method}"))))
            }
            (Some(_), _) => {
                let told = format!(
                    "'salt.loader.lazy.LoadedMod object' has no attribute {}",
                    repr(&Value::from(method))
                );
                Err(Error::new(ErrorKind::UndefinedError, told))
            }
            (None, _) => Err(fault(unsupported(method))),
        }
    }
}

fn items(value: &Value) -> Vec<Value> {
    crate::render::python::items(value)
}

/// What is said of a function that is not here.
pub(crate) fn unsupported(name: &str) -> String {
    super::known::advice(name)
}

/// One function, to be called.
struct Callable {
    scope: Arc<Scope>,
    function: &'static Function,
}

impl fmt::Debug for Callable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<function {}>", self.function.name)
    }
}

impl Object for Callable {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, state: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        let (args, kwargs): (&[Value], Kwargs) = from_args(args)?;
        let named =
            kwargs.args().filter_map(|name| Some((name.to_owned(), kwargs.peek(name).ok()?)));
        let site = Site { scope: &self.scope, env: state.env(), state: None };
        let named = named.collect();
        self.function.call(site, args.to_vec(), named).map(|returned| returned.value)
    }
}

/// A function that Salt has and this engine lacks: it is there until it is called.
#[derive(Debug)]
struct Lacking(String);

impl Object for Lacking {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, _: &mut State<'_, '_>, _: &[Value]) -> Result<Value, Error> {
        Err(problem(unsupported(&self.0)))
    }
}
