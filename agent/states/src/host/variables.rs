//! The environment that states change: of this run's commands, never of the agent itself.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What differs from the agent's own environment; `None` is unset.
#[derive(Debug, Default)]
pub(crate) struct Variables(Mutex<BTreeMap<String, Option<String>>>);

impl Variables {
    fn own(&self) -> MutexGuard<'_, BTreeMap<String, Option<String>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The agent's own environment again: each run begins with that.
    pub(crate) fn reset(&self) {
        self.own().clear();
    }

    /// The value of a variable.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        if !is_name(name) {
            return None;
        }
        self.own().get(name).cloned().unwrap_or_else(|| std::env::var(name).ok())
    }

    /// All of them, by name.
    pub(crate) fn all(&self) -> BTreeMap<String, String> {
        let lossy = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        let inherited = std::env::vars_os().map(|(name, value)| (lossy(name), lossy(value)));
        let mut all: BTreeMap<String, String> = inherited.collect();
        for (name, value) in self.own().iter() {
            match value {
                Some(value) => all.insert(name.clone(), value.clone()),
                None => all.remove(name),
            };
        }
        all
    }

    /// Sets a variable, or unsets it; whether there can be one of that name and value.
    pub(crate) fn set(&self, name: &str, value: Option<&str>) -> bool {
        let can = is_name(name) && !value.is_some_and(|value| value.contains('\0'));
        if can {
            self.own().insert(name.to_owned(), value.map(str::to_owned));
        }
        can
    }

    /// Gives a command what differs.
    pub(super) fn lay_over(&self, command: &mut Command) {
        for (name, value) in self.own().iter() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(['=', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_lies_over_the_agents_own() {
        let variables = Variables::default();
        let path = variables.get("PATH").unwrap();
        assert!(variables.set("PATH", None) && variables.set("MT_X", Some("x")));
        assert_eq!((variables.get("PATH"), variables.get("MT_X")), (None, Some("x".to_owned())));
        let all = variables.all();
        assert!(!all.contains_key("PATH") && all["MT_X"] == "x");
        assert!(!variables.set("A=B", Some("x")) && !variables.set("", None));
        variables.reset();
        assert_eq!((variables.get("PATH"), variables.get("MT_X")), (Some(path), None));
    }
}
