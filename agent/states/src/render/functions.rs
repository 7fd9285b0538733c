//! `salt['module.function'](...)` in templates: what trees use of Salt's execution modules.
//!
//! `salt` looks like Salt's loader: `salt['a.b']`, `salt.a.b` and `'a.b' in salt` all work. A
//! function that is not in the table is undefined, so that calling it names the template's line.

mod command;
mod data;
mod files;
mod system;

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Kwargs, Object, ObjectRepr, Value, from_args};
use minijinja::{Environment, Error, State};

use super::Scope;
use super::python::{fault, text};

/// One call: what it may see, and its arguments.
pub(super) struct Call<'a> {
    scope: &'a Scope,
    args: Vec<Value>,
    kwargs: Kwargs,
}

type Body = fn(&Call<'_>) -> Result<Value, Error>;

/// The functions by name.
fn find(name: &str) -> Option<Body> {
    data::find(name)
        .or_else(|| files::find(name))
        .or_else(|| command::find(name))
        .or_else(|| system::find(name))
}

/// Whether there is a function of this name.
pub(crate) fn has(name: &str) -> bool {
    find(name).is_some()
}

/// Runs a function outside templates, as `onlyif: {fun: ..}` does; `None` if there is no such one.
pub(crate) fn run(
    scope: &Scope,
    name: &str,
    args: Vec<Value>,
    kwargs: Kwargs,
) -> Option<Result<Value, Error>> {
    Some(find(name)?(&Call { scope, args, kwargs }))
}

impl Call<'_> {
    /// The argument at a place or of a name.
    fn arg(&self, at: usize, name: &str) -> Option<Value> {
        self.args.get(at).cloned().or_else(|| self.kwargs.get::<Value>(name).ok())
    }

    fn must(&self, at: usize, name: &str) -> Result<Value, Error> {
        self.arg(at, name).ok_or_else(|| fault(format!("missing argument '{name}'")))
    }

    fn text(&self, at: usize, name: &str) -> Result<String, Error> {
        self.must(at, name).map(|value| text(&value))
    }

    fn flag(&self, at: usize, name: &str) -> bool {
        self.arg(at, name).is_some_and(|flag| flag.is_true())
    }
}

pub(super) fn install(env: &mut Environment<'static>, scope: &Arc<Scope>) {
    data::install(env, scope);
    env.add_function("raise", |message: String| -> Result<Value, Error> { Err(fault(message)) });
}

/// The value that templates see as `salt`.
pub(super) fn salt(scope: &Arc<Scope>) -> Value {
    Value::from_object(Loader { scope: Arc::clone(scope), module: None })
}

/// `salt`, or one module of it.
struct Loader {
    scope: Arc<Scope>,
    module: Option<String>,
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
        let scope = Arc::clone(&self.scope);
        match &self.module {
            None if !key.contains('.') => {
                Some(Value::from_object(Loader { scope, module: Some(key.to_owned()) }))
            }
            None => Some(Value::from_object(Function { scope, body: find(key)? })),
            Some(module) => {
                let body = find(&format!("{module}.{key}"))?;
                Some(Value::from_object(Function { scope, body }))
            }
        }
    }

    fn call_method(
        self: &Arc<Self>,
        state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        match self.get_value(&Value::from(method)) {
            Some(function) => function.call(state, args),
            None => Err(fault(format!(
                "the salt function '{}.{method}' is not supported",
                self.module.as_deref().unwrap_or("salt")
            ))),
        }
    }
}

struct Function {
    scope: Arc<Scope>,
    body: Body,
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<salt function>")
    }
}

impl Object for Function {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, _state: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        let (args, kwargs): (&[Value], Kwargs) = from_args(args)?;
        (self.body)(&Call { scope: &self.scope, args: args.to_vec(), kwargs })
    }
}
