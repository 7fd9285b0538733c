//! `rotations.yaml`: when keys were made anew, and which replaced ones still count.

use super::Error;
use super::files::Directory;
use muster_protocol::id::UnixMillis;
use muster_protocol::subject::Role;
use muster_protocol::yaml::{self, Words};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The name of the CA among what was replaced.
pub(crate) const CA: &str = "ca";
/// The name of the command key.
pub(crate) const COMMAND: &str = "command";
/// Replaced keys that are remembered; the oldest go first.
const REPLACED_MAX: usize = 64;

/// What has become of the keys since `init`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    /// Grows with each change: of two copies of a directory the lesser is the older.
    pub(crate) serial: u64,
    /// How often the CA was made anew; its name says it.
    #[serde(default)]
    pub(crate) ca: u32,
    /// When the present key of a name was made, if not by `init`.
    #[serde(default)]
    pub(crate) since: BTreeMap<String, UnixMillis>,
    /// Keys that sign no more and still count.
    #[serde(default)]
    pub(crate) replaced: Vec<Replaced>,
}

/// A key that was replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Replaced {
    /// `role-agent`, `command` or `ca`.
    pub(crate) name: String,
    /// Its public half; of a CA, the certificate's fingerprint.
    pub(crate) public: String,
    /// When it was replaced.
    pub(crate) at: UnixMillis,
    /// When all that it signed has ended; none: not by itself.
    pub(crate) until: Option<UnixMillis>,
}

impl Record {
    pub(crate) const FILE: &str = "rotations.yaml";

    /// What is recorded; nothing if no key was made anew yet.
    pub(crate) fn read(dir: &Directory) -> Result<Record, Error> {
        let Some(text) = dir.read(Self::FILE)? else { return Ok(Record::default()) };
        Ok(yaml::parse(&text, &dir.path(Self::FILE), Words::Hidden)?)
    }

    /// As the next change writes it.
    pub(crate) fn next(mut self) -> (Record, String) {
        self.serial += 1;
        let excess = self.replaced.len().saturating_sub(REPLACED_MAX);
        self.replaced.drain(..excess);
        let text = serde_saphyr::to_string(&self).expect("a record is YAML");
        (self, text)
    }

    /// The replaced keys of a role that the servers still let in.
    pub(crate) fn of_role(&self, role: Role) -> impl Iterator<Item = &Replaced> {
        let name = role_name(role);
        self.replaced.iter().filter(move |replaced| replaced.name == name)
    }

    /// Role keys and CAs, whose end is the controller's to make. A command key's is in its
    /// certificate.
    pub(crate) fn droppable(&self) -> impl Iterator<Item = &Replaced> {
        self.replaced.iter().filter(|replaced| replaced.name != COMMAND)
    }
}

/// The name of a role's key.
pub(crate) fn role_name(role: Role) -> String {
    format!("role-{}", role.name())
}
