//! What templates hold besides data: macros, modules, `loop`, namespaces, bound methods.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use indexmap::IndexMap;
use minijinja::value::{Object, ObjectRepr, Value};

use super::args::Args;
use super::ast::{self, For, Name};
use super::run::Frame;
use crate::render::python::{dict, fault, list, repr, text, tuple_of};

/// A macro and where it was made.
pub(super) struct Macro {
    pub(super) parts: Arc<ast::Macro>,
    pub(super) frame: Frame,
    pub(super) file: Name,
}

/// An imported template: what it set, and what it printed.
#[derive(Clone)]
pub(super) struct Module {
    pub(super) vars: HashMap<Name, Value>,
    pub(super) text: String,
    pub(super) name: String,
}

/// A method and its object, when the method itself is asked for.
pub(super) struct Bound {
    pub(super) of: Value,
    pub(super) method: Name,
}

/// Jinja's own functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Builtin {
    Range,
    Dict,
    Namespace,
    Cycler,
    Joiner,
    Lipsum,
    Raise,
    FullContext,
    IfElse,
}

#[derive(Debug, Default)]
pub(super) struct Namespace(pub(super) Mutex<IndexMap<Value, Value>>);

#[derive(Debug)]
pub(super) struct Cycler {
    pub(super) items: Vec<Value>,
    pub(super) at: AtomicUsize,
}

#[derive(Debug)]
pub(super) struct Joiner {
    pub(super) by: String,
    pub(super) used: AtomicUsize,
}

/// `loop`.
pub(super) struct Loop {
    pub(super) items: Arc<Vec<Value>>,
    pub(super) at: AtomicUsize,
    pub(super) depth: usize,
    pub(super) last: Mutex<Option<Vec<Value>>>,
    /// What `loop(items)` runs again.
    pub(super) again: Option<(Arc<For>, Frame)>,
}

macro_rules! plain {
    ($type:ident, $words:expr) => {
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&$words(self))
            }
        }
    };
}

plain!(Macro, |own: &Macro| format!("<Macro '{}'>", own.parts.name));
plain!(Module, |own: &Module| own.text.clone());
plain!(Bound, |own: &Bound| format!("<bound method {}>", own.method));
plain!(Loop, |own: &Loop| format!("<LoopContext {}/{}>", own.index() + 1, own.items.len()));

impl Object for Macro {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let parts = &self.parts;
        Some(match key.as_str()? {
            "name" => Value::from(&*parts.name),
            "arguments" => tuple_of(parts.params.iter().map(|name| Value::from(&**name)).collect()),
            "caller" => Value::from(parts.uses.caller),
            "catch_kwargs" => Value::from(parts.uses.kwargs),
            "catch_varargs" => Value::from(parts.uses.varargs),
            _ => return None,
        })
    }
}

impl Object for Module {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let key = key.as_str()?;
        self.vars.get(key).filter(|_| !key.starts_with('_')).cloned()
    }
}

impl Object for Bound {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
}

impl Object for Builtin {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
}

impl Object for Namespace {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let own = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        write!(f, "<Namespace {}>", repr(&dict(own)))
    }
}

impl Cycler {
    pub(super) fn current(&self) -> Value {
        let at = self.at.load(Ordering::Relaxed) % self.items.len().max(1);
        self.items.get(at).cloned().unwrap_or_default()
    }

    pub(super) fn next(&self) -> Value {
        let current = self.current();
        self.at.fetch_add(1, Ordering::Relaxed);
        current
    }
}

impl Object for Cycler {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str()? {
            "current" => Some(self.current()),
            "items" => Some(list(self.items.clone())),
            "pos" => Some(Value::from(self.at.load(Ordering::Relaxed) % self.items.len().max(1))),
            _ => None,
        }
    }
}

impl Object for Joiner {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
}

impl Loop {
    pub(super) fn index(&self) -> usize {
        self.at.load(Ordering::Relaxed)
    }

    /// Whether `values` are others than at the last call.
    pub(super) fn changed(&self, values: &[Value]) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let same = last.as_deref().is_some_and(|last| {
            last.len() == values.len()
                && last.iter().zip(values).all(|(a, b)| super::ops::equal(a, b).unwrap_or(false))
        });
        *last = Some(values.to_vec());
        !same
    }
}

impl Object for Loop {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let (at, len) = (self.index(), self.items.len());
        let neighbour = |at: Option<usize>, words: &str| {
            let found = at.and_then(|at| self.items.get(at)).cloned();
            found.unwrap_or_else(|| super::undefined::new(words))
        };
        Some(match key.as_str()? {
            "index" => Value::from(at + 1),
            "index0" => Value::from(at),
            "revindex" => Value::from(len - at),
            "revindex0" => Value::from(len - at - 1),
            "first" => Value::from(at == 0),
            "last" => Value::from(at + 1 == len),
            "length" => Value::from(len),
            "depth" => Value::from(self.depth + 1),
            "depth0" => Value::from(self.depth),
            "previtem" => neighbour(at.checked_sub(1), "there is no previous item"),
            "nextitem" => neighbour(Some(at + 1), "there is no next item"),
            _ => return None,
        })
    }
}

/// The text that a module printed, as `import_text` takes it.
pub(super) fn module_text(value: &Value) -> String {
    value.downcast_object_ref::<Module>().map_or_else(|| text(value), |own| own.text.clone())
}

/// Whether one of Jinja's own values has a method.
pub(in crate::render) fn has_method(of: &Value, method: &str) -> bool {
    if of.downcast_object_ref::<Cycler>().is_some() {
        return ["next", "reset"].contains(&method);
    }
    of.downcast_object_ref::<Loop>().is_some() && ["cycle", "changed"].contains(&method)
}

pub(in crate::render) fn call_method(
    of: &Value,
    method: &str,
    args: &Args,
) -> Result<Value, minijinja::Error> {
    if let Some(own) = of.downcast_object_ref::<Cycler>() {
        if method == "next" {
            return Ok(own.next());
        }
        own.at.store(0, Ordering::Relaxed);
    }
    if let Some(own) = of.downcast_object_ref::<Loop>() {
        if method == "changed" {
            return Ok(Value::from(own.changed(&args.plain)));
        }
        let Some(len) = std::num::NonZeroUsize::new(args.plain.len()) else {
            return Err(fault("no items for cycling given"));
        };
        return Ok(args.plain[own.index() % len].clone());
    }
    Ok(Value::from(()))
}

/// The type of one of Jinja's own values, as Jinja calls it.
pub(super) fn type_name(of: &Value) -> &'static str {
    if of.downcast_object_ref::<Module>().is_some() {
        "jinja2.environment.TemplateModule"
    } else if of.downcast_object_ref::<Macro>().is_some() {
        "jinja2.runtime.Macro"
    } else if of.downcast_object_ref::<Loop>().is_some() {
        "jinja2.runtime.LoopContext"
    } else if of.downcast_object_ref::<Namespace>().is_some() {
        "jinja2.utils.Namespace"
    } else if of.downcast_object_ref::<Cycler>().is_some() {
        "jinja2.utils.Cycler"
    } else if of.downcast_object_ref::<Joiner>().is_some() {
        "jinja2.utils.Joiner"
    } else {
        "function"
    }
}
