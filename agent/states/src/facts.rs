//! What a host is: Salt's grains, by Salt's names, read from files and system calls only.

pub(crate) mod interfaces;
mod network;
mod system;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::host::Host;

/// The facts of one host. Serialises as the map of grains.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Facts(Map<String, Value>);

impl Facts {
    /// Facts from a map of names and values.
    pub fn from_map(map: Map<String, Value>) -> Facts {
        Facts(map)
    }

    /// Sets one fact, e.g. `id` to the worker's name.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        self.0.insert(name.into(), value.into());
    }

    /// One fact by its name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// The fact `id`: Salt's minion id, the worker's name.
    pub fn id(&self) -> &str {
        self.0.get("id").and_then(Value::as_str).unwrap_or_default()
    }

    /// All facts.
    pub fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }
}

/// Reads the facts of a host; costs well under a millisecond, starts no process.
///
/// What cannot be read is absent. `id` is the fully qualified host name until the caller sets it.
pub fn collect(host: &Host) -> Facts {
    let mut facts = Facts::default();
    system::collect(host, &mut facts);
    network::collect(host, &mut facts);
    facts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_the_usual_facts() {
        let facts = collect(&Host::new());
        for name in ["id", "os", "os_family", "kernel", "kernelrelease", "cpuarch", "num_cpus"] {
            assert!(facts.get(name).is_some_and(|value| !value.is_null()), "{name}");
        }
        assert!(facts.get("ipv4").unwrap().as_array().unwrap().contains(&"127.0.0.1".into()));
        assert!(facts.get("path").unwrap().is_string());
    }
}
