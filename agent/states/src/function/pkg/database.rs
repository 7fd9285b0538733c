//! What is installed on a host, and what became other between two looks.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::{Value, json};

use crate::outcome::Changes;

/// Packages by name, each with its versions in order; foreign ones as `name:arch` or `name.arch`.
pub(super) type Packages = BTreeMap<String, Vec<String>>;

/// The packages of a host, and what they provide.
#[derive(Debug, Default, Clone)]
pub(super) struct Database {
    pub(super) installed: Packages,
    /// Removed, but for their configuration.
    pub(super) removed: Packages,
    /// Installed, and marked to be purged.
    pub(super) doomed: Packages,
    pub(super) held: BTreeSet<String>,
    /// The host's own architecture.
    pub(super) native: String,
    pub(super) provided: HashSet<String>,
}

impl Database {
    /// The versions of an installed package; none if it is not. An architecture in the name that
    /// goes without saying may be said.
    pub(super) fn versions(&self, name: &str) -> &[String] {
        let own = |arch: &&str| *arch == self.native || ["all", "any", "noarch"].contains(arch);
        let bare = name.rsplit_once([':', '.']).filter(|(_, arch)| own(arch));
        let found = self.installed.get(name);
        let found = found.or_else(|| self.installed.get(bare.map(|(bare, _)| bare)?));
        found.map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether something that is installed stands for the name.
    pub(super) fn provides(&self, name: &str) -> bool {
        self.provided.contains(name)
    }

    /// Adds a version, keeping them in order.
    pub(super) fn add(packages: &mut Packages, name: String, version: String) {
        let versions = packages.entry(name).or_default();
        if let Err(at) = versions.binary_search(&version) {
            versions.insert(at, version);
        }
    }

    /// The same without what one transaction brought for later states: as they expect it.
    pub(super) fn before<'a>(
        &self,
        brought: impl Iterator<Item = (&'a String, &'a Value)>,
    ) -> Database {
        let mut out = self.clone();
        for (name, change) in brought {
            let old = change.get("old").and_then(Value::as_str).unwrap_or_default();
            if old.is_empty() {
                out.installed.remove(name);
            } else {
                let versions = old.split(',').map(str::to_owned).collect();
                out.installed.insert(name.clone(), versions);
            }
        }
        out
    }
}

/// What is other afterwards, by package.
pub(super) fn differences(before: &Packages, after: &Packages) -> Changes {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let joined = |packages: &Packages, name: &String| {
        packages.get(name).map(|versions| versions.join(",")).unwrap_or_default()
    };
    let change = |name: &String| {
        let (old, new) = (joined(before, name), joined(after, name));
        (old != new).then(|| (name.clone(), json!({"new": new, "old": old})))
    };
    names.into_iter().filter_map(change).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packages(list: &[(&str, &str)]) -> Packages {
        let mut out = Packages::new();
        for (name, version) in list {
            Database::add(&mut out, (*name).to_owned(), (*version).to_owned());
        }
        out
    }

    #[test]
    fn differences_name_what_came_went_and_changed() {
        let before = packages(&[("a", "1"), ("b", "1"), ("k", "1")]);
        let after = packages(&[("b", "2"), ("c", "3"), ("k", "2"), ("k", "1")]);
        let expected = json!({
            "a": {"new": "", "old": "1"},
            "b": {"new": "2", "old": "1"},
            "c": {"new": "3", "old": ""},
            "k": {"new": "1,2", "old": "1"},
        });
        assert_eq!(Value::Object(differences(&before, &after)), expected);
    }

    #[test]
    fn a_later_state_sees_what_was_there_before_the_transaction() {
        let now =
            Database { installed: packages(&[("a", "2"), ("b", "1")]), ..Database::default() };
        let brought = differences(&packages(&[("a", "1")]), &now.installed);
        assert_eq!(now.before(brought.iter()).installed, packages(&[("a", "1")]));
    }
}
