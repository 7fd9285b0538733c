//! A worker as the registry holds it: one signed document, the truth about one name.

use crate::event::Outcome;
use crate::id::{AgentId, Generation, PoolName, Token, UnixMillis, WorkerName};
use crate::wire::Message;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// How many steps of its past a worker's document keeps.
pub const HISTORY_MAX: usize = 32;

/// Where a worker is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Wanted; the cloud does not know of it.
    Pending,
    /// The cloud was asked, or is about to be.
    Launching,
    /// The cloud has it; the agent has not enrolled.
    Booting,
    /// The agent is there; its states are not applied.
    Configuring,
    /// It works.
    Ready,
    /// It was ready and is silent.
    Lost,
    /// It takes no more work.
    Draining,
    /// It gets a new image.
    Rebuilding,
    /// The cloud is asked to remove it.
    Terminating,
    /// It is gone.
    Terminated,
    /// Something went wrong; the reason is in the document.
    Failed,
}

impl Phase {
    /// Whether nothing more happens to it.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, Phase::Terminated)
    }

    /// Whether it counts to its pool's size.
    #[must_use]
    pub fn is_wanted(self) -> bool {
        match self {
            Phase::Pending
            | Phase::Launching
            | Phase::Booting
            | Phase::Configuring
            | Phase::Ready
            | Phase::Lost
            | Phase::Rebuilding => true,
            Phase::Draining | Phase::Terminating | Phase::Terminated | Phase::Failed => false,
        }
    }

    /// The name in lower case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Phase::Pending => "pending",
            Phase::Launching => "launching",
            Phase::Booting => "booting",
            Phase::Configuring => "configuring",
            Phase::Ready => "ready",
            Phase::Lost => "lost",
            Phase::Draining => "draining",
            Phase::Rebuilding => "rebuilding",
            Phase::Terminating => "terminating",
            Phase::Terminated => "terminated",
            Phase::Failed => "failed",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(self.name())
    }
}

/// When a generation got where, by the controller's clock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Milestones {
    /// The intent to launch it was stored.
    pub launched: Option<UnixMillis>,
    /// Its keys were bound.
    pub enrolled: Option<UnixMillis>,
    /// Its first highstate succeeded.
    pub configured: Option<UnixMillis>,
    /// It became ready.
    pub ready: Option<UnixMillis>,
    /// Its first frame came.
    pub first_sample: Option<UnixMillis>,
}

/// What a machine needs to enrol: the public half stays here, the seed goes into user-data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bootstrap {
    /// The public half of the bootstrap key.
    pub public_key: String,
    /// After this it admits nobody.
    pub expires: UnixMillis,
}

/// The keys that an AgentId is bound to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keys {
    /// The agent's user key.
    pub public_key: String,
    /// The agent's curve key.
    pub xkey: String,
    /// When its newest credential ends: until then a revocation is kept.
    pub credential_expires: UnixMillis,
}

/// One worker. The document's key in the bucket is its name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Worker {
    /// Its name.
    pub name: WorkerName,
    /// Its pool.
    pub pool: PoolName,
    /// Where it is.
    pub phase: Phase,
    /// Why it failed or is being removed.
    pub reason: Option<String>,
    /// Which life this is.
    pub generation: Generation,
    /// The agent of this generation.
    pub agent_id: AgentId,
    /// How this generation may enrol.
    pub bootstrap: Bootstrap,
    /// The keys it enrolled with.
    pub keys: Option<Keys>,
    /// The cloud's server.
    pub provider_id: Option<String>,
    /// The facts of its claim.
    pub facts: BTreeMap<String, serde_json::Value>,
    /// The newest revision of its desired state that was published.
    pub revision: u64,
    /// The last result of its states.
    pub states: Option<Outcome>,
    /// When it got where.
    pub milestones: Milestones,
    /// When the phase began.
    pub since: UnixMillis,
    /// What wrote this document: a retry that finds its own id has succeeded.
    pub op_id: Token,
    /// The newest steps, oldest first: time and text.
    pub history: Vec<(UnixMillis, String)>,
}

impl Message for Worker {
    const NAME: &'static str = "worker";
}

impl Worker {
    /// Adds a step to the past, dropping the oldest over [`HISTORY_MAX`].
    pub fn note(&mut self, at: UnixMillis, text: impl Into<String>) {
        if self.history.len() >= HISTORY_MAX {
            self.history.remove(0);
        }
        self.history.push((at, text.into()));
    }
}

/// A pool's wanted size, which outlives the controller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolSize {
    /// The pool.
    pub name: PoolName,
    /// The wanted size.
    pub size: u32,
    /// What wrote this document.
    pub op_id: Token,
}

impl Message for PoolSize {
    const NAME: &'static str = "pool";
}
