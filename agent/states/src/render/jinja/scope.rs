//! Where names have their values: scopes within scopes, shared with the macros made in them.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use minijinja::value::Value;

use super::ast::Name;

#[derive(Debug, Default)]
pub(super) struct Scope {
    vars: Mutex<HashMap<Name, Value>>,
    /// What was imported, and not set since: a template does not export it again.
    imported: Mutex<HashSet<Name>>,
    parent: Option<Arc<Scope>>,
}

impl Scope {
    pub(super) fn new(parent: Option<&Arc<Scope>>) -> Arc<Scope> {
        Arc::new(Scope { parent: parent.map(Arc::clone), ..Scope::default() })
    }

    pub(super) fn of(vars: impl IntoIterator<Item = (Name, Value)>) -> Arc<Scope> {
        Arc::new(Scope { vars: Mutex::new(vars.into_iter().collect()), ..Scope::default() })
    }

    fn vars(&self) -> std::sync::MutexGuard<'_, HashMap<Name, Value>> {
        self.vars.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn imported(&self) -> std::sync::MutexGuard<'_, HashSet<Name>> {
        self.imported.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set(&self, name: &Name, value: Value) {
        self.vars().insert(Name::clone(name), value);
        self.imported().remove(name);
    }

    /// Sets a name to what another template exports.
    pub(super) fn import(&self, name: &Name, value: Value) {
        self.vars().insert(Name::clone(name), value);
        self.imported().insert(Name::clone(name));
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

    /// What the template of this scope exports: its own values, but for imported and hidden ones.
    pub(super) fn exports(&self) -> HashMap<Name, Value> {
        let imported = self.imported();
        let mut vars = self.vars().clone();
        vars.retain(|name, _| !name.starts_with('_') && !imported.contains(name));
        vars
    }

    pub(super) fn clear(&self) {
        self.imported().clear();
        let old = std::mem::take(&mut *self.vars());
        drop(old);
    }
}
