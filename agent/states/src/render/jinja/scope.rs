//! Where names have their values: scopes within scopes, shared with the macros made in them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use minijinja::value::Value;

use super::ast::Name;

#[derive(Debug, Default)]
pub(super) struct Scope {
    vars: Mutex<HashMap<Name, Value>>,
    parent: Option<Arc<Scope>>,
}

impl Scope {
    pub(super) fn new(parent: Option<&Arc<Scope>>) -> Arc<Scope> {
        Arc::new(Scope { vars: Mutex::default(), parent: parent.map(Arc::clone) })
    }

    pub(super) fn of(vars: impl IntoIterator<Item = (Name, Value)>) -> Arc<Scope> {
        Arc::new(Scope { vars: Mutex::new(vars.into_iter().collect()), parent: None })
    }

    fn vars(&self) -> std::sync::MutexGuard<'_, HashMap<Name, Value>> {
        self.vars.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set(&self, name: &Name, value: Value) {
        self.vars().insert(Name::clone(name), value);
    }

    /// The value of a name here, or in what this scope stands in.
    pub(super) fn find(&self, name: &str) -> Option<Value> {
        let mut scope = self;
        loop {
            if let Some(value) = scope.vars().get(name) {
                return Some(value.clone());
            }
            scope = scope.parent.as_deref()?;
        }
    }

    /// The values that this scope itself holds.
    pub(super) fn own(&self) -> HashMap<Name, Value> {
        self.vars().clone()
    }

    pub(super) fn clear(&self) {
        let old = std::mem::take(&mut *self.vars());
        drop(old);
    }
}
