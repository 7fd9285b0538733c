//! Publishes what an agent shall be: the state tree as blobs by hash, its manifest, and the agent's
//! desired state, signed, with its pillar sealed.

mod push;
mod watch;

use crate::config;
use crate::keys::Keys;
use crate::lifecycle::Refused;
use crate::registry::{self, Registry};
use flate2::Compression;
use flate2::write::ZlibEncoder;
use muster_protocol::bus::bucket::Bucket;
use muster_protocol::bus::stream::{BLOBS, JetStream};
use muster_protocol::bus::{self, Bus};
use muster_protocol::desired::{
    Blob, CHUNK_BYTES, Desired, FILE_BYTES_MAX, FILES_MAX, File, Manifest,
};
use muster_protocol::id::{AgentId, Hash, UnixMillis};
use muster_protocol::seal::{self, Sealed};
use muster_protocol::subject;
use muster_protocol::wire;
use muster_protocol::worker::{Phase, Worker};
use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::Mutex;

pub(crate) use push::takes_states;

/// How deep folders of a tree may nest.
const DEPTH_MAX: usize = 64;

/// Why a desired state could not be published.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of the tree.
    #[error("reading {path} of the state tree")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The tree is not one that travels.
    #[error("the state tree {path}: {what}")]
    Tree {
        /// Where.
        path: PathBuf,
        /// What is wrong, and what to do.
        what: String,
    },
    /// The pillar does not render.
    #[error("rendering the pillar of {worker}: {what}")]
    Pillar {
        /// Whose.
        worker: String,
        /// File, line and reason.
        what: String,
    },
    /// The worker has not enrolled.
    #[error("{0} has not enrolled")]
    NotEnrolled(AgentId),
    /// Sealing or signing.
    #[error("sealing the desired state")]
    Seal(#[from] seal::Error),
    /// The registry.
    #[error(transparent)]
    Registry(#[from] registry::Error),
    /// The bus.
    #[error(transparent)]
    Bus(#[from] bus::Error),
}

/// Publishes desired states.
#[derive(Debug)]
pub struct States {
    config: config::States,
    bus: Bus,
    jetstream: JetStream,
    desired: Bucket,
    keys: Arc<Keys>,
    registry: Arc<Registry>,
    /// Blobs known to be stored; held over an upload, so that each goes once.
    stored: Mutex<HashSet<Hash>>,
    /// What this controller gave to each agent last: the hashes of manifest and pillar.
    given: std::sync::Mutex<HashMap<AgentId, (Hash, Hash)>>,
}

impl States {
    /// Publishes states from a folder.
    #[must_use]
    pub fn new(
        config: config::States,
        bus: Bus,
        jetstream: JetStream,
        desired: Bucket,
        keys: Arc<Keys>,
        registry: Arc<Registry>,
    ) -> States {
        let stored = Mutex::new(HashSet::new());
        let given = std::sync::Mutex::default();
        States { config, bus, jetstream, desired, keys, registry, stored, given }
    }

    /// Stores the tree as it is now. Returns its manifest's blob.
    ///
    /// # Errors
    /// When a file cannot be read or stored.
    pub async fn publish_tree(&self) -> Result<Blob, Error> {
        let root = self.config.tree.clone();
        let scanned = tokio::task::spawn_blocking(move || scan(&root)).await;
        let files = scanned.map_err(|_| Error::Tree {
            path: self.config.tree.clone(),
            what: "reading it was interrupted".into(),
        })??;
        let manifest = Manifest { files: files.iter().map(|(file, _)| file.clone()).collect() };
        let mut stored = self.stored.lock().await;
        for (file, path) in &files {
            if !stored.contains(&file.blob.hash) {
                let bytes = std::fs::read(path)
                    .map_err(|source| Error::Read { path: path.clone(), source })?;
                self.store(&file.blob, &bytes).await?;
                stored.insert(file.blob.hash.clone());
            }
        }
        let bytes = wire::encode(&manifest);
        let blob = Blob { hash: Hash::of(&bytes), size: bytes.len() as u64 };
        if !stored.contains(&blob.hash) {
            self.store(&blob, &bytes).await?;
            stored.insert(blob.hash.clone());
        }
        Ok(blob)
    }

    /// Publishes one agent's desired state under its next revision. Returns the revision.
    ///
    /// # Errors
    /// When it has not enrolled, its pillar does not render, or the bus fails.
    pub async fn publish(&self, agent: &AgentId, apply: bool) -> Result<u64, Error> {
        let manifest = self.publish_tree().await?;
        let worker = self.registry.agent(agent).ok_or_else(|| Error::NotEnrolled(agent.clone()))?;
        let pillar = self.pillar(&worker).await?;
        self.give(&worker, manifest, &pillar, apply).await
    }

    /// Publishes a tree and a pillar as one agent's desired state.
    async fn give(
        &self,
        worker: &Worker,
        manifest: Blob,
        pillar: &str,
        apply: bool,
    ) -> Result<u64, Error> {
        let agent = &worker.agent_id;
        let given = (manifest.hash.clone(), Hash::of(pillar.as_bytes()));
        let keys = worker.keys.as_ref().ok_or_else(|| Error::NotEnrolled(agent.clone()))?;
        let sealed = Sealed::seal(pillar.as_bytes(), self.keys.xkey(), &keys.xkey)?;
        let worker = self.next_revision(worker).await?;
        let desired = Desired {
            agent_id: agent.clone(),
            generation: worker.generation,
            revision: worker.revision,
            apply,
            manifest,
            pillar: sealed,
        };
        let signed = self.keys.signer().sign(agent.as_str(), &desired)?;
        self.desired.put(agent.as_str(), wire::encode(&signed)).await?;
        tracing::debug!(agent_id = %agent, revision = worker.revision, "desired state published");
        self.given().insert(agent.clone(), given);
        Ok(worker.revision)
    }

    /// Forgets the desired state of an agent that is over.
    ///
    /// # Errors
    /// When the bus fails.
    pub async fn forget(&self, agent: &AgentId) -> Result<(), Error> {
        self.given().remove(agent);
        Ok(self.desired.remove(agent.as_str()).await?)
    }

    fn given(&self) -> std::sync::MutexGuard<'_, HashMap<AgentId, (Hash, Hash)>> {
        self.given.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    async fn next_revision(&self, worker: &Worker) -> Result<Worker, Error> {
        let agent = &worker.agent_id;
        let counted = |worker: &Worker| {
            let over = matches!(worker.phase, Phase::Terminating | Phase::Terminated);
            if worker.agent_id != *agent || over {
                return Err(Refused { phase: worker.phase, what: "configured" });
            }
            let revision = next_revision(worker.revision, self.registry.now());
            Ok(Worker { revision, ..worker.clone() })
        };
        Ok(self.registry.change(&worker.name, counted).await?)
    }

    async fn pillar(&self, worker: &Worker) -> Result<String, Error> {
        let Some(root) = self.config.pillar.clone() else { return Ok("{}".into()) };
        let name = worker.name.to_string();
        let known = known(worker, &self.config.facts);
        let failed = |what: String| Error::Pillar { worker: worker.name.to_string(), what };
        let rendered = tokio::task::spawn_blocking(move || {
            muster_states::pillar::render(&root, &name, &known).map_err(|errors| {
                let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
                errors.join("; ")
            })
        });
        let pillar = rendered.await.map_err(|_| failed("it was interrupted".into()))?;
        Ok(pillar.map_err(failed)?.to_string())
    }

    async fn store(&self, blob: &Blob, bytes: &[u8]) -> Result<(), Error> {
        for number in 0..blob.chunks() {
            let subject = subject::blob(&blob.hash, number);
            if self.jetstream.last(BLOBS, &subject).await?.is_some() {
                continue;
            }
            let from = number as usize * CHUNK_BYTES;
            let piece = &bytes[from..bytes.len().min(from + CHUNK_BYTES)];
            let id = format!("{}.{number}", blob.hash);
            self.bus.publish(subject, &id, compress(piece)).await?;
        }
        Ok(())
    }
}

/// What the pillar may see of a worker: what the controller knows, and what the operator lets its
/// agent say of itself. Anything else that the agent claims would choose its own secrets.
fn known(worker: &Worker, allowed: &[String]) -> muster_states::Facts {
    let claimed = worker.facts.iter().filter(|(name, _)| allowed.contains(name));
    let claimed = claimed.map(|(name, value)| (name.clone(), value.clone()));
    let mut facts = muster_states::Facts::from_map(claimed.collect());
    facts.set("id", worker.name.as_str());
    facts.set("pool", worker.pool.as_str());
    facts.set("generation", worker.generation.0);
    facts.set("image", worker.image.as_str());
    if let Some(server) = &worker.provider_id {
        facts.set("server", server.as_str());
    }
    facts
}

/// An agent takes nothing older than it had, and a registry that was restored has forgotten what it
/// had: therefore a revision is also not below the present time, in seconds.
fn next_revision(revision: u64, now: UnixMillis) -> u64 {
    (revision + 1).max(u64::try_from(now.0 / 1000).unwrap_or_default())
}

fn compress(piece: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(piece).expect("a Vec takes any bytes");
    encoder.finish().expect("a Vec takes any bytes")
}

/// All files below a folder, in the order of their paths, with where to read them.
fn scan(root: &Path) -> Result<Vec<(File, PathBuf)>, Error> {
    let mut found = Vec::new();
    walk(root, root, 0, &mut found)?;
    found.sort_by(|(a, _), (b, _)| a.path.cmp(&b.path));
    Ok(found)
}

fn walk(
    root: &Path,
    dir: &Path,
    depth: usize,
    found: &mut Vec<(File, PathBuf)>,
) -> Result<(), Error> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::Read { path, source }
    };
    let tree = |path: &Path, what: String| Err(Error::Tree { path: path.to_owned(), what });
    if depth > DEPTH_MAX {
        return tree(dir, format!("folders nest deeper than {DEPTH_MAX}; is a link a circle?"));
    }
    for entry in std::fs::read_dir(dir).map_err(failed(dir))? {
        let path = entry.map_err(failed(dir))?.path();
        // Links are followed, as Salt's file server does.
        let meta = std::fs::metadata(&path).map_err(failed(&path))?;
        if meta.is_dir() {
            if path.file_name().is_some_and(|name| name == ".git") {
                continue;
            }
            walk(root, &path, depth + 1, found)?;
        } else if meta.is_file() {
            if meta.len() > FILE_BYTES_MAX || found.len() >= FILES_MAX {
                let what =
                    format!("more than {FILES_MAX} files, or a file over {FILE_BYTES_MAX} B");
                return tree(&path, what);
            }
            found.push((file(root, &path, &meta)?, path));
        }
    }
    Ok(())
}

fn file(root: &Path, path: &Path, meta: &std::fs::Metadata) -> Result<File, Error> {
    let below = path.strip_prefix(root).expect("a walk stays below its root");
    let Some(name) = below.to_str() else {
        let what = "its name is not UTF-8; rename it".to_owned();
        return Err(Error::Tree { path: path.to_owned(), what });
    };
    let read = |source| Error::Read { path: path.to_owned(), source };
    let bytes = std::fs::read(path).map_err(read)?;
    let blob = Blob { hash: Hash::of(&bytes), size: bytes.len() as u64 };
    Ok(File { path: name.to_owned(), mode: meta.permissions().mode() & 0o7777, blob })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pillar_sees_of_a_workers_own_words_only_what_the_operator_allows() {
        let mut worker = crate::lifecycle::tests::pending();
        for (name, value) in [("os", "Rocky"), ("roles", "db"), ("id", "other"), ("pool", "x")] {
            worker.facts.insert(name.to_owned(), value.into());
        }
        let allowed = ["os".to_owned(), "id".to_owned(), "pool".to_owned()];
        let facts = known(&worker, &allowed);
        assert_eq!(facts.get("os"), Some(&"Rocky".into()));
        assert_eq!(facts.get("roles"), None);
        assert_eq!(facts.id(), worker.name.as_str());
        assert_eq!(facts.get("pool"), Some(&worker.pool.as_str().into()));
        assert_eq!(known(&worker, &[]).get("os"), None);
    }

    #[test]
    fn a_tree_is_listed_by_path_with_the_hashes_of_its_files() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("b/.git")).unwrap();
        std::fs::write(dir.path().join("b/c.sls"), "x").unwrap();
        std::fs::write(dir.path().join("b/.git/no"), "x").unwrap();
        std::fs::write(dir.path().join("a.sls"), "").unwrap();
        let files = scan(dir.path()).unwrap();
        let paths: Vec<&str> = files.iter().map(|(file, _)| file.path.as_str()).collect();
        assert_eq!(paths, ["a.sls", "b/c.sls"]);
        assert_eq!(files[0].0.blob, Blob { hash: Hash::of(b""), size: 0 });
    }

    #[test]
    fn a_revision_grows_though_the_registry_or_the_clock_went_back() {
        let (then, later) = (UnixMillis(1_700_000_000_000), UnixMillis(1_700_000_060_000));
        let told = next_revision(0, then);
        assert!(next_revision(told, then) > told && next_revision(told, UnixMillis(0)) > told);
        assert!(next_revision(0, later) > told, "restored from before anything was told");
    }

    #[test]
    fn a_link_that_is_a_circle_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(dir.path(), dir.path().join("again")).unwrap();
        assert!(scan(dir.path()).is_err());
    }
}
