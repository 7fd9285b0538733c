//! What people ask of the controller: the calls, who may make them, their questions and answers.

use crate::command;
use crate::event::Outcome;
use crate::id::{AgentId, Generation, PoolName, Token, UnixMillis, WorkerName};
use crate::subject::Role;
use crate::wire::Message;
use crate::worker::{AfterDrain, Milestones, Occupancy, Phase};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// One call: its noun and verb, and the least role that may make it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// What it is about, e.g. `worker`.
    pub noun: &'static str,
    /// What is asked, e.g. `list`.
    pub verb: &'static str,
    /// The least role: viewer, operator or admin.
    pub role: Role,
}

const fn call(noun: &'static str, verb: &'static str, role: Role) -> Call {
    Call { noun, verb, role }
}

/// The matrix of roles and calls; the templates of the roles are made from it.
pub const CALLS: &[Call] = &[
    call("cluster", "show", Role::Viewer),
    call("cluster", "destroy", Role::Admin),
    call("cluster", "confirm", Role::Admin),
    call("cluster", "backup", Role::Admin),
    call("cloud", "show", Role::Viewer),
    call("worker", "list", Role::Viewer),
    call("worker", "launch", Role::Operator),
    call("worker", "terminate", Role::Operator),
    call("worker", "mark", Role::Operator),
    call("worker", "rebuild", Role::Operator),
    call("pool", "list", Role::Viewer),
    call("pool", "scale", Role::Operator),
    call("pool", "mark", Role::Operator),
    call("image", "list", Role::Viewer),
    call("image", "set", Role::Operator),
    call("states", "push", Role::Operator),
    call("states", "show", Role::Operator),
    call("states", "reveal", Role::Admin),
    call("tail", "open", Role::Viewer),
    call("tail", "suspect", Role::Viewer),
    call("stats", "show", Role::Viewer),
    call("command", "run", Role::Operator),
    call("user", "add", Role::Admin),
    call("user", "list", Role::Operator),
    call("user", "renew", Role::Viewer),
    call("user", "revoke", Role::Admin),
    call("keys", "show", Role::Viewer),
    call("keys", "rotate", Role::Admin),
    call("keys", "drop", Role::Admin),
];

/// Whether a role may make a call.
#[must_use]
pub fn may(role: Role, noun: &str, verb: &str) -> bool {
    CALLS.iter().any(|call| call.noun == noun && call.verb == verb && call.role <= role)
}

/// The subjects of the API that a role may publish, for its template.
pub(crate) fn subjects_of(role: Role) -> Vec<String> {
    let calls = CALLS.iter().filter(|call| call.role <= role);
    calls.map(|call| format!("muster.api.{{{{name()}}}}.{}.{}", call.noun, call.verb)).collect()
}

/// A question to the controller, with its noun, verb and answer.
pub trait Question: Message {
    /// The noun of its subject.
    const NOUN: &'static str;
    /// The verb of its subject.
    const VERB: &'static str;
    /// What a success holds.
    type Answer: Serialize + for<'de> Deserialize<'de>;
}

/// What comes back: the answer, or why not.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Answer<T> {
    /// Done.
    Ok(T),
    /// Not done.
    Refused(Refusal),
}

impl<T: Serialize + for<'de> Deserialize<'de>> Message for Answer<T> {
    const NAME: &'static str = "api.answer";
}

/// Why a call was not done, in words for the person who made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// What a program can act on.
    pub kind: RefusalKind,
    /// What a person reads; it ends with what to do next.
    pub message: String,
}

/// What a program can do about a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalKind {
    /// The question makes no sense.
    Invalid,
    /// There is no such worker, pool, ...
    Missing,
    /// Not in this phase, or not within the limits.
    Conflict,
    /// The caller's role does not allow it.
    Forbidden,
    /// The controller could not do it now.
    Unavailable,
}

macro_rules! question {
    ($question:ident, $name:literal, $noun:literal, $verb:literal, $answer:ty) => {
        impl Message for $question {
            const NAME: &'static str = $name;
        }
        impl Question for $question {
            const NOUN: &'static str = $noun;
            const VERB: &'static str = $verb;
            type Answer = $answer;
        }
    };
}

mod backup;
mod images;
mod keys;
mod people;
mod states;

pub use backup::{BackupPart, ClusterBackup};
pub use images::{ImageList, ImageSet, ImageView};
pub use keys::*;
pub use people::*;
pub use states::{Compiled, PushView, Shown, Stage, StatesPush, StatesReveal, StatesShow};

/// Which workers: `compute-*`, `a,b`, or all of a pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Globs and names, separated by commas.
    Names(String),
    /// All workers of a pool.
    Pool(PoolName),
}

/// Asks for the cluster's own state.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClusterShow {}
question!(ClusterShow, "api.cluster.show", "cluster", "show", ClusterView);

/// The cluster as the controller sees it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClusterView {
    /// Its name.
    pub name: String,
    /// The controller's release.
    pub version: String,
    /// When the controller started.
    pub started: UnixMillis,
    /// The controller's present time.
    #[serde(default)]
    pub now: UnixMillis,
    /// The controller that reconciles: this one, another, or none at the moment.
    #[serde(default)]
    pub leader: String,
    /// What waits for a person's word (`muster reconcile --confirm`), in words.
    #[serde(default)]
    pub doubts: Vec<String>,
    /// The NATS server's version.
    pub nats_version: String,
    /// Workers by phase.
    pub phases: BTreeMap<Phase, u32>,
    /// The sinks and how they do.
    pub sinks: Vec<SinkView>,
}

/// One sink, and how far it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SinkView {
    /// Its name in the configuration.
    pub name: String,
    /// Frames written.
    pub written: u64,
    /// Frames that could not be written for ever, and were dropped.
    pub dropped: u64,
    /// What failed last, if it is failing.
    pub error: Option<String>,
}

/// Asks for workers; all if no target is given.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WorkerList {
    /// Which ones.
    pub target: Option<Target>,
    /// With those that are terminated.
    #[serde(default)]
    pub all: bool,
}
question!(WorkerList, "api.worker.list", "worker", "list", Vec<WorkerView>);

/// A worker as people see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkerView {
    /// Its name.
    pub name: WorkerName,
    /// Its pool.
    pub pool: PoolName,
    /// Where it is in its life.
    pub phase: Phase,
    /// Why, if it failed.
    pub reason: Option<String>,
    /// Which life this is.
    pub generation: Generation,
    /// The agent of this generation.
    pub agent_id: AgentId,
    /// The cloud's server, once it is known.
    pub provider_id: Option<String>,
    /// When it got where.
    pub milestones: Milestones,
    /// The last result of its states.
    pub states: Option<Outcome>,
    /// Frames received from this generation since the controller started.
    pub frames: u64,
    /// When the last frame came.
    pub last_frame: Option<UnixMillis>,
    /// The image that its server was made from.
    #[serde(default)]
    pub image: String,
    /// Whether that is not its pool's current one.
    #[serde(default)]
    pub image_is_old: bool,
    /// Where it is.
    #[serde(default)]
    pub addresses: Vec<IpAddr>,
    /// Whether jobs run on it.
    #[serde(default)]
    pub occupancy: Occupancy,
    /// An operator holds it.
    #[serde(default)]
    pub held: bool,
    /// What follows when it is drained.
    #[serde(default)]
    pub after_drain: Option<AfterDrain>,
    /// The newest steps of its life, oldest first.
    #[serde(default)]
    pub history: Vec<(UnixMillis, String)>,
}

/// Asks for more workers in a pool, beyond its present size.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WorkerLaunch {
    /// The pool.
    pub pool: PoolName,
    /// How many more.
    pub count: u32,
}
question!(WorkerLaunch, "api.worker.launch", "worker", "launch", PoolView);

/// Asks to terminate workers; the pool shrinks by as many.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WorkerTerminate {
    /// Which ones.
    pub target: Target,
    /// Also those on which jobs run, or that an operator holds.
    #[serde(default)]
    pub force: bool,
}
question!(WorkerTerminate, "api.worker.terminate", "worker", "terminate", Vec<WorkerName>);

/// Asks to mark workers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WorkerMark {
    /// Which ones.
    pub target: Target,
    /// As what.
    pub mark: Mark,
}
question!(WorkerMark, "api.worker.mark", "worker", "mark", Vec<WorkerName>);

/// What an operator, or the workload manager, says of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// It shall take no more jobs.
    Drain,
    /// It may take jobs again.
    Undrain,
    /// Nothing but an operator removes it.
    Hold,
    /// It may be removed again.
    Release,
    /// Jobs run on it.
    Busy,
    /// No job runs on it.
    Idle,
}

/// Asks to rebuild workers in place, each when no job runs on it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WorkerRebuild {
    /// Which ones.
    pub target: Target,
    /// With this image; with its pool's current one if absent.
    pub image: Option<String>,
}
question!(WorkerRebuild, "api.worker.rebuild", "worker", "rebuild", Vec<WorkerName>);

/// Asks to end all workers of all pools.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClusterDestroy {}
question!(ClusterDestroy, "api.cluster.destroy", "cluster", "destroy", Vec<WorkerName>);

/// Gives a person's word for what the reconciler would not do in doubt.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReconcileConfirm {}
question!(ReconcileConfirm, "api.cluster.confirm", "cluster", "confirm", Vec<String>);

/// Asks for the clouds' side of the story.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CloudShow {}
question!(CloudShow, "api.cloud.show", "cloud", "show", Vec<CloudView>);

/// One worker, or one server, on both sides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CloudView {
    /// The provider's name in the configuration.
    pub provider: String,
    /// The worker, if the registry knows it.
    pub worker: Option<WorkerName>,
    /// Its phase, if the registry knows it.
    pub phase: Option<Phase>,
    /// The cloud's server, if the cloud shows it.
    pub server: Option<String>,
    /// What the cloud says of it.
    pub status: Option<String>,
    /// What does not fit, in words; none if all is well.
    pub difference: Option<String>,
}

/// Asks for the pools.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PoolList {}
question!(PoolList, "api.pool.list", "pool", "list", Vec<PoolView>);

/// A pool as people see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PoolView {
    /// Its name.
    pub name: PoolName,
    /// The provider of its workers.
    pub provider: String,
    /// The least size.
    pub min: u32,
    /// The largest size.
    pub max: u32,
    /// The size that is wanted now.
    pub size: u32,
    /// Workers by phase.
    pub phases: BTreeMap<Phase, u32>,
    /// The smaller, the sooner it gets its workers when not all pools can.
    #[serde(default)]
    pub priority: i32,
    /// Nothing is launched or removed.
    #[serde(default)]
    pub frozen: bool,
    /// All its workers drain and go.
    #[serde(default)]
    pub draining: bool,
    /// The image of new workers.
    #[serde(default)]
    pub image: String,
    /// Why nothing is launched at the moment, or only one at a time; none if all is well.
    #[serde(default)]
    pub breaker: Option<String>,
}

/// Asks for another size of a pool.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PoolScale {
    /// The pool.
    pub pool: PoolName,
    /// The wanted size, within min and max.
    pub size: u32,
}
question!(PoolScale, "api.pool.scale", "pool", "scale", PoolView);

/// Asks to mark a pool.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PoolMark {
    /// The pool.
    pub pool: PoolName,
    /// As what.
    pub mark: PoolMarking,
}
question!(PoolMark, "api.pool.mark", "pool", "mark", PoolView);

/// What an operator says of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PoolMarking {
    /// Nothing is launched or removed.
    Freeze,
    /// It goes on; ends a drain, too.
    Thaw,
    /// All its workers drain and go.
    Drain,
}

/// Asks for events on the caller's feed `muster.feed.<user>.<lease>`, which it already listens to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TailOpen {
    /// The unguessable end of the feed's subject.
    pub lease: Token,
    /// Which subjects, with `*` and `>`; below `muster.event.`.
    pub filter: String,
    /// Stored events from then on; only new ones if absent.
    pub since: Option<UnixMillis>,
}
question!(TailOpen, "api.tail.open", "tail", "open", TailOpened);

/// The tail runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TailOpened {
    /// How many stored events come first.
    pub pending: u64,
}

/// Tells of what came on the caller's feed and is no event: somebody has steered it there.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TailSuspect {
    /// What was dropped, and why.
    pub what: String,
}
question!(TailSuspect, "api.tail.suspect", "tail", "suspect", ());

/// Asks for the latest readings.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StatsShow {
    /// Which workers; all if absent.
    pub target: Option<Target>,
    /// Metrics whose name begins with one of these; all if empty.
    #[serde(default)]
    pub metrics: Vec<String>,
    /// Points from the last so many seconds; only the latest point if 0.
    #[serde(default)]
    pub range_secs: u32,
}
question!(StatsShow, "api.stats.show", "stats", "show", Vec<SeriesView>);

/// One metric of one worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeriesView {
    /// The worker.
    pub worker: WorkerName,
    /// The metric, e.g. `load.1m`.
    pub metric: String,
    /// Its unit, e.g. `bytes`.
    pub unit: String,
    /// Times and values, oldest first.
    pub points: Vec<(UnixMillis, f64)>,
}

/// Asks to run a command on workers; results come as events `muster.event.api.<call>.result`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CommandRun {
    /// The caller's unguessable name for this call.
    pub call: Token,
    /// On which workers.
    pub target: Target,
    /// What to do.
    pub verb: command::Verb,
    /// How long the controller waits for results, in seconds.
    pub timeout_secs: u32,
}
question!(CommandRun, "api.command.run", "command", "run", CommandStarted);

/// The workers that were asked: one result comes for each.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CommandStarted {
    /// The workers.
    pub workers: Vec<WorkerName>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_what_the_lesser_may() {
        for call in CALLS {
            assert!(may(Role::Admin, call.noun, call.verb), "{call:?}");
            let viewer = may(Role::Viewer, call.noun, call.verb);
            assert!(!viewer || may(Role::Operator, call.noun, call.verb), "{call:?}");
        }
        assert!(!may(Role::Viewer, "worker", "terminate"));
        assert!(!may(Role::Agent, "worker", "list"));
    }
}
