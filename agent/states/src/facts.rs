//! What a host is: Salt's grains, by Salt's names, read from files and system calls only.

mod hardware;
pub(crate) mod interfaces;
mod network;
mod own;
mod release;
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
    ///
    /// Salt's number of a server, `server_id`, follows from its `id`.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        let (name, value) = (name.into(), value.into());
        if let ("id", Some(id)) = (name.as_str(), value.as_str()) {
            self.0.insert("server_id".to_owned(), server_id(id).into());
        }
        self.0.insert(name, value);
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
/// `/etc/salt/grains` and `/etc/muster/grains` are read last: what they say counts.
pub fn collect(host: &Host) -> Facts {
    let mut facts = Facts::default();
    system::collect(host, &mut facts);
    hardware::collect(host, &mut facts);
    network::collect(host, &mut facts);
    own::collect(host, &mut facts);
    facts
}

/// The lowest 31 bits of the SHA-256 of an id.
fn server_id(id: &str) -> u32 {
    use sha2::{Digest, Sha256};
    let sum = Sha256::digest(id.as_bytes());
    let last =
        sum.iter().rev().take(4).rev().fold(0_u32, |word, byte| word << 8 | u32::from(*byte));
    last & 0x7fff_ffff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_the_usual_facts() {
        let mut facts = collect(&Host::new());
        for name in ["id", "os", "os_family", "kernel", "kernelrelease", "cpuarch", "num_cpus"] {
            assert!(facts.get(name).is_some_and(|value| !value.is_null()), "{name}");
        }
        assert!(facts.get("ipv4").unwrap().as_array().unwrap().contains(&"127.0.0.1".into()));
        assert!(facts.get("path").unwrap().is_string());
        facts.set("id", "vm");
        assert_eq!(facts.get("server_id").unwrap(), 2_067_164_805_u32);
    }
}
