//! Publishes what an agent shall be: the state tree as blobs by hash, its manifest, and the agent's
//! desired state, signed, with its pillar sealed.

mod digests;
mod push;
mod scan;
mod show;
mod watch;

use crate::config::{self, Roots};
use crate::keys::Keys;
use crate::lifecycle::Refused;
use crate::registry::{self, Registry};
use digests::Digests;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use muster_protocol::bus::bucket::Bucket;
use muster_protocol::bus::stream::{BLOBS, JetStream};
use muster_protocol::bus::{self, Bus};
use muster_protocol::desired::{Blob, CHUNK_BYTES, Desired};
use muster_protocol::id::{AgentId, Hash, UnixMillis};
use muster_protocol::seal::{self, Sealed};
use muster_protocol::subject;
use muster_protocol::wire;
use muster_protocol::worker::{Phase, Worker};
use muster_states::{Facts, LazyTree, Opts, pillar};
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::{Mutex, Semaphore};

pub(crate) use push::takes_states;
pub(crate) use show::Secrecy;

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
    /// What a worker's states come to cannot be shown.
    #[error("compiling the states of {worker}: {what}")]
    Show {
        /// Whose.
        worker: String,
        /// Why.
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
    /// Held over a look at the tree, so that starting agents look after each other.
    digests: Arc<std::sync::Mutex<Digests>>,
    /// Blobs known to be stored; held over an upload, so that each goes once.
    stored: Mutex<HashSet<Hash>>,
    /// What this controller gave to each agent last: the hashes of manifest and pillar.
    given: std::sync::Mutex<HashMap<AgentId, (Hash, Hash)>>,
    /// Compilations for people that go on.
    shows: Semaphore,
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
        let (digests, stored) = (Arc::default(), Mutex::new(HashSet::new()));
        let given = std::sync::Mutex::default();
        let shows = Semaphore::new(show::SHOWS_MAX);
        States { config, bus, jetstream, desired, keys, registry, digests, stored, given, shows }
    }

    /// Stores the tree as it is now. Returns its manifest's blob.
    ///
    /// # Errors
    /// When a file cannot be read or stored.
    pub async fn publish_tree(&self) -> Result<Blob, Error> {
        let (roots, digests) = (self.config.tree.clone(), Arc::clone(&self.digests));
        let scan = move || {
            let mut digests = digests.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            scan::scan(&roots, &mut digests)
        };
        let scanned = tokio::task::spawn_blocking(scan).await;
        let (manifest, files) = scanned.map_err(|_| Error::Tree {
            path: self.tree(),
            what: "reading it was interrupted".into(),
        })??;
        let mut stored = self.stored.lock().await;
        for (file, path) in &files {
            if !stored.contains(&file.blob.hash) {
                let bytes = std::fs::read(path)
                    .map_err(|source| Error::Read { path: path.clone(), source })?;
                if Hash::of(&bytes) != file.blob.hash {
                    let what = "it changed while it was read; try again".to_owned();
                    return Err(Error::Tree { path: path.clone(), what });
                }
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
            opts: self.config.options().into_map(),
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

    /// The folder that errors of the whole tree name.
    fn tree(&self) -> PathBuf {
        self.config.tree.folders().next().cloned().unwrap_or_default()
    }

    async fn pillar(&self, worker: &Worker) -> Result<String, Error> {
        let Some(roots) = self.config.pillar.clone() else { return Ok("{}".into()) };
        let known = known(worker, &self.config.facts);
        let opts = self.config.options();
        let failed = |what: String| Error::Pillar { worker: worker.name.to_string(), what };
        let states = self.config.tree.clone();
        let states = LazyTree::new(move || states.read().map_err(|error| crate::chain(&error)));
        let render = move || pillar_of(&roots, &states, &known, &opts);
        let rendered = tokio::task::spawn_blocking(render);
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
fn known(worker: &Worker, allowed: &[String]) -> Facts {
    let claimed = worker.facts.iter().filter(|(name, _)| allowed.contains(name));
    let claimed = claimed.map(|(name, value)| (name.clone(), value.clone()));
    let mut facts = Facts::from_map(claimed.collect());
    facts.set("id", worker.name.as_str());
    facts.set("pool", worker.pool.as_str());
    facts.set("generation", worker.generation.0);
    facts.set("image", worker.image.as_str());
    if let Some(server) = &worker.provider_id {
        facts.set("server", server.as_str());
    }
    facts
}

/// The pillar of the worker whose facts these are, or why there is none.
fn pillar_of(
    roots: &Roots,
    states: &LazyTree,
    facts: &Facts,
    opts: &Opts,
) -> Result<Value, String> {
    let tree = &roots.read().map_err(|error| crate::chain(&error))?;
    let (id, over, pillarenv, local) = (facts.id(), None, None, None);
    let request = pillar::Request { tree, states, id, facts, opts, over, pillarenv, local };
    pillar::render_request(&request).map_err(|errors| {
        let told: Vec<String> = errors.iter().map(told).collect();
        told.join("; ")
    })
}

/// A fault of a pillar without the lines around it: they hold what is sealed, and events and
/// answers that tell the fault are not.
fn told(error: &muster_states::Error) -> String {
    let text = error.to_string();
    text.split_once("\n---\n").map_or(text.as_str(), |(what, _)| what).to_owned()
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
    fn functions_of_a_pillar_read_the_state_tree_and_only_they_do() {
        let dir = tempfile::tempdir().unwrap();
        let roots: Roots = serde_json::from_value(serde_json::json!(dir.path())).unwrap();
        let pillar_of = |sls: &str, states: LazyTree| {
            std::fs::write(dir.path().join("top.sls"), "base: {'*': [p]}").unwrap();
            std::fs::write(dir.path().join("p.sls"), sls).unwrap();
            pillar_of(&roots, &states, &Facts::default(), &Opts::default())
        };
        let asks = "x: {{ salt['cp.get_file_str']('salt://motd') }}";
        let tree = muster_states::Tree::from_files([("motd", "hi")]);
        assert_eq!(pillar_of(asks, tree.into()), Ok(serde_json::json!({"x": "hi"})));
        let broken = || LazyTree::new(|| Err("the state tree is gone".to_owned()));
        let told = pillar_of(asks, broken()).unwrap_err();
        assert!(told.contains("the state tree is gone"), "{told}");
        assert_eq!(pillar_of("x: 1", broken()), Ok(serde_json::json!({"x": 1})));
    }

    #[test]
    fn a_revision_grows_though_the_registry_or_the_clock_went_back() {
        let (then, later) = (UnixMillis(1_700_000_000_000), UnixMillis(1_700_000_060_000));
        let told = next_revision(0, then);
        assert!(next_revision(told, then) > told && next_revision(told, UnixMillis(0)) > told);
        assert!(next_revision(0, later) > told, "restored from before anything was told");
    }
}
