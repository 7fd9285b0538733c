//! The desired state: opened, never older than before, brought onto the disk with its tree.

use crate::blobs::{self, Blobs};
use crate::files::{self, Lasting};
use crate::identity::{Identity, Keys};
use crate::paths::Data;
use crate::tree::{self, Roots, Trees};
use muster_protocol::bus::{self, Bus};
use muster_protocol::desired::{Desired, MANIFEST_BYTES_MAX, Manifest};
use muster_protocol::id::{AgentId, Generation};
use muster_protocol::seal::{self, Signed};
use muster_protocol::{subject, wire};
use serde_json::{Map, Value};
use std::collections::HashSet;
use std::sync::Arc;

/// Why there is no desired state.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// It is not signed for this agent.
    #[error("the desired state cannot be trusted")]
    Untrusted(#[source] seal::Error),
    /// It is for another.
    #[error("the desired state is for {0}")]
    Other(AgentId),
    /// Somebody shows an old one again.
    #[error("the desired state went back from {then} to {now}")]
    Back {
        /// The newest seen.
        then: Order,
        /// The one that came.
        now: Order,
    },
    /// What came is no message.
    #[error(transparent)]
    Wire(#[from] wire::Error),
    /// The bus.
    #[error("reading the desired state")]
    Bus(#[from] bus::Error),
    /// The answer is another's state, steered here.
    #[error("the desired state was stored as {0:?}")]
    Steered(String),
    /// The pillar is not for this agent, or no map.
    #[error("opening the pillar")]
    Pillar(#[source] seal::Error),
    /// It opens, and is something else.
    #[error("the pillar is no map")]
    PillarShape,
    /// A blob.
    #[error(transparent)]
    Blob(#[from] blobs::Error),
    /// The tree.
    #[error(transparent)]
    Tree(#[from] tree::Error),
    /// The agent's own files.
    #[error(transparent)]
    File(#[from] files::Error),
}

impl Error {
    /// Whether somebody tried what only an attacker or a broken controller does.
    pub(crate) fn is_alarming(&self) -> bool {
        match self {
            Error::Untrusted(_) | Error::Other(_) | Error::Back { .. } | Error::Steered(_) => true,
            Error::Blob(error) => !error.is_retryable(),
            Error::Wire(_)
            | Error::Bus(_)
            | Error::Pillar(_)
            | Error::PillarShape
            | Error::Tree(_)
            | Error::File(_) => false,
        }
    }
}

/// What never goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Order {
    generation: Generation,
    revision: u64,
}

impl std::fmt::Display for Order {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(to, "revision {} of generation {}", self.revision, self.generation)
    }
}

/// The order of a desired state.
fn order(desired: &Desired) -> Order {
    Order { generation: desired.generation, revision: desired.revision }
}

/// Opens an envelope. A desired state has no expiry, so its signer's certificate is not judged by
/// the time: what matters is that it is not older than one seen before.
fn open(payload: &[u8], identity: &Identity) -> Result<Desired, Error> {
    let signed: Signed = wire::decode(payload)?;
    let desired: Desired = signed
        .open(&identity.root_public_key, identity.agent_id.as_str(), None)
        .map_err(Error::Untrusted)?;
    if desired.agent_id != identity.agent_id {
        return Err(Error::Other(desired.agent_id));
    }
    Ok(desired)
}

/// Whether `next` is newer than what was seen.
fn is_newer(next: &Desired, seen: Option<&Desired>) -> Result<bool, Error> {
    let (Some(then), now) = (seen.map(order), order(next)) else { return Ok(true) };
    if now < then {
        return Err(Error::Back { then, now });
    }
    Ok(now > then)
}

/// A desired state whose tree is on the disk and whose pillar is open.
#[derive(Clone)]
pub(crate) struct Ready {
    /// Its number.
    pub(crate) revision: u64,
    /// Where its tree is.
    pub(crate) tree: Roots,
    /// The agent's pillar.
    pub(crate) pillar: Map<String, Value>,
    /// Salt's minion options.
    pub(crate) opts: Map<String, Value>,
}

/// The desired state that holds, and what it needs from the disk and the bus.
pub(crate) struct Store {
    identity: Arc<Identity>,
    keys: Arc<Keys>,
    data: Data,
    blobs: Blobs,
    trees: Trees,
    seen: Option<Desired>,
    ready: Option<Ready>,
    manifest: Option<Arc<Manifest>>,
}

impl Store {
    /// Goes on from the newest desired state that an earlier start has seen.
    pub(crate) fn open(
        identity: Arc<Identity>,
        keys: Arc<Keys>,
        data: Data,
    ) -> Result<Store, files::Error> {
        let blobs = Blobs::open(data.blobs())?;
        let trees = Trees::open(data.trees())?;
        let seen = match files::read_secret(&data.desired())? {
            Some(payload) => open(&payload, &identity).map_err(|error| {
                tracing::error!(error = %crate::chain(&error), "the kept desired state is damaged");
            }),
            None => Err(()),
        };
        let seen = seen.ok();
        Ok(Store { identity, keys, data, blobs, trees, seen, ready: None, manifest: None })
    }

    /// The newest one seen.
    pub(crate) fn seen(&self) -> Option<&Desired> {
        self.seen.as_ref()
    }

    /// Reads what is stored for this agent, in case that a push was missed; true if it is newer.
    pub(crate) async fn fetch(&mut self, bus: &Bus) -> Result<bool, Error> {
        let agent_id = &self.identity.agent_id;
        let Some(stored) = bus.fetch(subject::state(agent_id)).await? else { return Ok(false) };
        if stored.subject != subject::desired_key(agent_id) {
            return Err(Error::Steered(stored.subject));
        }
        // An agent that is over: its key was deleted.
        if stored.payload.is_empty() {
            return Ok(false);
        }
        self.take(&stored.payload)
    }

    /// Takes a desired state that came; true if it is newer.
    pub(crate) fn take(&mut self, payload: &[u8]) -> Result<bool, Error> {
        let desired = open(payload, &self.identity)?;
        if !is_newer(&desired, self.seen.as_ref())? {
            return Ok(false);
        }
        // On disk first: what was seen once is never forgotten.
        files::write(&self.data.desired(), payload, Lasting::Power)?;
        tracing::info!(revision = desired.revision, apply = desired.apply, "a new desired state");
        self.seen = Some(desired);
        self.ready = None;
        Ok(true)
    }

    /// The desired state with all that it needs; none if none has come yet.
    pub(crate) async fn ready(&mut self, bus: &Bus) -> Result<Option<Ready>, Error> {
        let Some(desired) = self.seen.clone() else { return Ok(None) };
        if self.ready.is_none() {
            let pillar = self.pillar(&desired)?;
            let tree = self.tree(bus, &desired).await?;
            let Desired { revision, opts, .. } = desired;
            self.ready = Some(Ready { revision, tree, pillar, opts });
        }
        Ok(self.ready.clone())
    }

    fn pillar(&self, desired: &Desired) -> Result<Map<String, Value>, Error> {
        let opened = desired.pillar.open(&self.keys.curve, &self.identity.controller_xkey);
        match serde_json::from_slice(&opened.map_err(Error::Pillar)?) {
            Ok(Value::Object(pillar)) => Ok(pillar),
            Ok(_) | Err(_) => Err(Error::PillarShape),
        }
    }

    async fn tree(&mut self, bus: &Bus, desired: &Desired) -> Result<Roots, Error> {
        let hash = &desired.manifest.hash;
        self.blobs.fetch(bus, std::slice::from_ref(&desired.manifest)).await?;
        let path = self.blobs.path(hash);
        let read = std::fs::read(&path).map_err(|source| files::Error::Read { path, source });
        let manifest: Manifest = wire::decode_within(&read?, MANIFEST_BYTES_MAX)?;
        tree::check(&manifest)?;
        let wanted: Vec<_> = manifest.all().map(|file| file.blob.clone()).collect();
        self.blobs.fetch(bus, &wanted).await?;
        let (trees, blobs, name) = (self.trees.clone(), self.blobs.clone(), hash.clone());
        let manifest = Arc::new(manifest);
        let files = manifest.clone();
        let made = tokio::task::spawn_blocking(move || trees.make(&name, &files, &blobs)).await;
        let tree = made.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
        self.manifest = Some(manifest);
        Ok(tree)
    }

    /// Removes trees and blobs that are not of the desired state that holds.
    pub(crate) fn prune(&self) {
        let (Some(desired), Some(manifest)) = (&self.seen, &self.manifest) else { return };
        let hash = &desired.manifest.hash;
        let blobs = manifest.all().map(|file| &file.blob.hash).chain([hash]);
        self.blobs.prune(&blobs.collect::<HashSet<_>>());
        self.trees.prune(&[hash]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock, settings::Given};
    use muster_protocol::desired::Blob;
    use muster_protocol::id::{Hash, UnixMillis};
    use muster_protocol::seal::{Certificate, Sealed, Signer};
    use nkeys::{KeyPair, XKey};

    struct Side {
        signer: Signer,
        curve: XKey,
        identity: Arc<Identity>,
        keys: Arc<Keys>,
    }

    fn side() -> Side {
        let (root, key, curve) = (KeyPair::new_operator(), KeyPair::new_service(), XKey::new());
        let (from, until) = (UnixMillis(0), UnixMillis(1));
        let certificate = Certificate::sign(&root, key.public_key(), from, until).unwrap();
        let identity = Identity {
            agent_id: "compute-0007-abcdefghijkm".parse().unwrap(),
            cluster: "pluto".parse().unwrap(),
            servers: Vec::new(),
            ca: String::new(),
            root_public_key: root.public_key(),
            jwt: String::new(),
            expires: UnixMillis(0),
            given: UnixMillis(0),
            bus_account: String::new(),
            controller_xkey: curve.public_key(),
            time: clock::mark(UnixMillis(0)),
            server_id: None,
            agent: Given::default(),
        };
        let keys = Keys { user: Arc::new(KeyPair::new_user()), curve: XKey::new() };
        let signer = Signer::new(key, certificate);
        Side { signer, curve, identity: Arc::new(identity), keys: Arc::new(keys) }
    }

    impl Side {
        fn desired(&self, generation: u32, revision: u64) -> Desired {
            let to = self.keys.curve.public_key();
            Desired {
                agent_id: self.identity.agent_id.clone(),
                generation: Generation(generation),
                revision,
                apply: true,
                manifest: Blob { hash: Hash::of(b""), size: 0 },
                pillar: Sealed::seal(b"{\"a\": 1}", &self.curve, &to).unwrap(),
                opts: Map::new(),
            }
        }

        fn payload(&self, desired: &Desired) -> Vec<u8> {
            wire::encode(&self.signer.sign(desired.agent_id.as_str(), desired).unwrap())
        }

        fn store(&self, folder: &std::path::Path) -> Store {
            let data = Data::new(folder.to_owned());
            Store::open(self.identity.clone(), self.keys.clone(), data).unwrap()
        }
    }

    #[test]
    fn a_desired_state_never_goes_back_not_even_over_a_restart() {
        let (side, dir) = (side(), tempfile::tempdir().unwrap());
        let mut store = side.store(dir.path());
        assert!(store.take(&side.payload(&side.desired(2, 5))).unwrap());
        assert!(!store.take(&side.payload(&side.desired(2, 5))).unwrap());
        let mut store = side.store(dir.path());
        for (generation, revision) in [(2, 4), (1, 9)] {
            let back = store.take(&side.payload(&side.desired(generation, revision)));
            assert!(matches!(back, Err(Error::Back { .. })));
        }
        assert!(store.take(&side.payload(&side.desired(2, 6))).unwrap());
        assert!(store.take(&side.payload(&side.desired(3, 1))).unwrap());
    }

    #[test]
    fn a_desired_state_of_another_or_by_another_is_refused() {
        let (side, thief, dir) = (side(), self::side(), tempfile::tempdir().unwrap());
        let mut store = side.store(dir.path());
        let forged = store.take(&thief.payload(&thief.desired(1, 1)));
        assert!(matches!(forged, Err(Error::Untrusted(_))));
        let mut other = side.desired(1, 1);
        other.agent_id = "compute-0008-abcdefghijkm".parse().unwrap();
        assert!(matches!(store.take(&side.payload(&other)), Err(Error::Untrusted(_))));
        let signed = side.signer.sign(side.identity.agent_id.as_str(), &other).unwrap();
        assert!(matches!(store.take(&wire::encode(&signed)), Err(Error::Other(_))));
        assert!(store.seen().is_none());
    }

    #[test]
    fn pillar_opens_with_the_agents_key_alone() {
        let (side, dir) = (side(), tempfile::tempdir().unwrap());
        let store = side.store(dir.path());
        assert_eq!(store.pillar(&side.desired(1, 1)).unwrap()["a"], 1);
        let mut desired = side.desired(1, 1);
        desired.pillar = Sealed::seal(b"{}", &XKey::new(), &side.keys.curve.public_key()).unwrap();
        assert!(matches!(store.pillar(&desired), Err(Error::Pillar(_))));
    }
}
