//! The desired state of one agent, and the state tree it names: a manifest and blobs by hash.
//!
//! A blob is cut into pieces of [`CHUNK_BYTES`]; each is compressed by itself (zlib) and stored
//! under `muster.blob.<hash>.<n>`, where the hash is the SHA-256 of the whole, uncompressed blob.

use crate::id::{AgentId, Generation, Hash};
use crate::seal::Sealed;
use crate::wire::Message;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The uncompressed bytes of one piece of a blob.
pub const CHUNK_BYTES: usize = 512 << 10;
/// The largest file of a tree.
pub const FILE_BYTES_MAX: u64 = 1 << 30;
/// The largest manifest, in bytes: some 300 for each of [`FILES_MAX`] files.
pub const MANIFEST_BYTES_MAX: usize = 16 << 20;
/// The most files of a tree.
pub const FILES_MAX: usize = 50_000;

/// What one agent shall be; always inside a signed envelope for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Desired {
    /// The agent.
    pub agent_id: AgentId,
    /// With `revision`, never goes back.
    pub generation: Generation,
    /// Grows with every change.
    pub revision: u64,
    /// Apply it at once; otherwise it waits for a command `apply`.
    #[serde(default = "yes")]
    pub apply: bool,
    /// The blob of the [`Manifest`].
    pub manifest: Blob,
    /// The agent's pillar: a JSON map, sealed to its curve key.
    pub pillar: Sealed,
    /// Salt's minion options, by Salt's names, as far as they differ from the defaults; not sealed.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub opts: Map<String, Value>,
}

fn yes() -> bool {
    true
}

impl Message for Desired {
    const NAME: &'static str = "desired";
}

/// A blob by its hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blob {
    /// The SHA-256 of its uncompressed bytes.
    pub hash: Hash,
    /// Its uncompressed bytes.
    pub size: u64,
}

impl Blob {
    /// In how many pieces it travels: at least one.
    #[must_use]
    pub fn chunks(&self) -> u32 {
        let chunks = self.size.div_ceil(CHUNK_BYTES as u64).max(1);
        u32::try_from(chunks).unwrap_or(u32::MAX)
    }
}

/// The name of the environment that is always there.
pub const BASE: &str = "base";
/// The most environments of a tree, beside `base`.
pub const ENVIRONMENTS_MAX: usize = 64;

/// All files of a state tree.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Of the environment `base`, in the order of their paths.
    pub files: Vec<File>,
    /// The other environments; an agent that knows of none has `base` alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub environments: Vec<Environment>,
}

impl Manifest {
    /// Each environment with its files, `base` first.
    pub fn by_environment(&self) -> impl Iterator<Item = (&str, &[File])> {
        let others = self.environments.iter().map(|env| (env.name.as_str(), env.files.as_slice()));
        std::iter::once((BASE, self.files.as_slice())).chain(others)
    }

    /// All files of all environments.
    pub fn all(&self) -> impl Iterator<Item = &File> {
        self.by_environment().flat_map(|(_, files)| files)
    }
}

/// One environment of a tree (`salt://x?saltenv=name`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// As top files name it; see [`is_environment`].
    pub name: String,
    /// In the order of their paths.
    pub files: Vec<File>,
}

impl Message for Manifest {
    const NAME: &'static str = "manifest";
}

/// One file of a tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Below the tree's root, with `/`; never absolute, no `..`.
    pub path: String,
    /// Permission bits.
    pub mode: u32,
    /// Its bytes.
    pub blob: Blob,
}

/// Whether a path is one that a manifest may hold: relative, without `.`, `..` or empty parts.
#[must_use]
pub fn is_tree_path(path: &str) -> bool {
    let part = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains('\0');
    path.len() <= 4096 && path.split('/').all(part)
}

/// Whether a text may name an environment: it is also the name of a folder.
#[must_use]
pub fn is_environment(name: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    (1..=64).contains(&name.len()) && name.chars().all(letter) && !name.starts_with('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_is_one_word() {
        for name in ["", ".", "..", "a/b", "a b", ".git", &"x".repeat(65)] {
            assert!(!is_environment(name), "{name:?}");
        }
        assert!(["base", "dev", "2026.1", "a-b_c"].into_iter().all(is_environment));
    }

    #[test]
    fn a_path_stays_below_its_root() {
        for path in ["", "/etc/passwd", "a/../b", "..", "a//b", "a/", "./a", "a\0"] {
            assert!(!is_tree_path(path), "{path:?}");
        }
        assert!(is_tree_path("salt/top.sls"));
    }

    #[test]
    fn an_empty_blob_travels_in_one_piece() {
        let blob = |size| Blob { hash: Hash::of(b""), size }.chunks();
        let chunk = CHUNK_BYTES as u64;
        assert_eq!((blob(0), blob(1), blob(chunk), blob(chunk + 1)), (1, 1, 1, 2));
    }
}
