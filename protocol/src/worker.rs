//! A worker as the registry holds it: one signed document, the truth about one name.

use crate::event::Outcome;
use crate::id::{AgentId, Generation, PoolName, Token, UnixMillis, WorkerName};
use crate::wire::Message;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

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

/// Whether jobs run on a worker, by the workload manager's or an operator's word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Occupancy {
    /// Nobody has said so: it counts as busy.
    #[default]
    Unknown,
    /// No job runs.
    Idle,
    /// Jobs run: it is never scaled down or rebuilt.
    Busy,
}

/// What follows when a draining worker has no more jobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AfterDrain {
    /// It stays drained until somebody undrains it.
    Stay,
    /// It is terminated.
    Terminate,
    /// It is rebuilt with an image; with its pool's current one if absent.
    Rebuild(Option<String>),
}

/// Why a generation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The cloud has no room, or the project's quota is full.
    Capacity,
    /// The cloud refused for another reason, or could not make the server.
    Cloud,
    /// The server came up, and its agent did not, or its states failed.
    Boot,
    /// Somebody else claimed its identity.
    Security,
    /// It was there, and is gone.
    Gone,
}

/// A worker's failures since it was last ready; they outlive its generations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failures {
    /// How many in a row.
    pub count: u32,
    /// When the last one was.
    pub at: UnixMillis,
    /// What kind.
    pub kind: FailureKind,
    /// Why, in words.
    pub reason: String,
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
    /// The image that its server was made from.
    #[serde(default)]
    pub image: String,
    /// Where its cloud says that it is.
    #[serde(default)]
    pub addresses: Vec<IpAddr>,
    /// Whether jobs run on it.
    #[serde(default)]
    pub occupancy: Occupancy,
    /// An operator holds it: nothing but an operator removes it.
    #[serde(default)]
    pub held: bool,
    /// What follows when it is drained.
    #[serde(default)]
    pub after_drain: Option<AfterDrain>,
    /// Its failures in a row.
    #[serde(default)]
    pub failures: Option<Failures>,
    /// When a generation of it was last ready.
    #[serde(default)]
    pub last_ready: Option<UnixMillis>,
    /// When its cloud was asked for a server, as long as what came of it is not known.
    #[serde(default)]
    pub asked: Option<UnixMillis>,
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

/// What people want of a pool, which outlives the controller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolState {
    /// The pool.
    pub name: PoolName,
    /// The wanted size.
    pub size: u32,
    /// What wrote this document.
    pub op_id: Token,
    /// Nothing is launched or removed.
    #[serde(default)]
    pub frozen: bool,
    /// All its workers drain and go; nothing is launched.
    #[serde(default)]
    pub draining: bool,
    /// The image of new workers, instead of the configuration's.
    #[serde(default)]
    pub image: Option<String>,
}

impl Message for PoolState {
    const NAME: &'static str = "pool";
}
