//! The invariants: the judge sees every write and every call in the moment in which it happens, and
//! keeps what must never have happened.
//!
//! It believes no controller: it compares with the documents as they landed, with the cloud as it
//! is, and with what persons asked for.

#[path = "judge/calls.rs"]
mod calls;
#[path = "judge/documents.rs"]
mod documents;

pub(crate) use documents::{epoch, worker};

use muster_controller::documents::Clock;
use muster_controller::provider::ServerId;
use muster_controller::provider::simulated::Cloud;
use muster_protocol::id::{AgentId, UnixMillis, WorkerName};
use muster_protocol::worker::{Phase, Worker};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The newest lines of the log that a failure shows.
const LOG_SHOWN: usize = 120;

/// Watches over one run.
pub(crate) struct Judge {
    clock: Clock,
    cloud: Cloud,
    grace_millis: i64,
    facts: Mutex<Facts>,
}

/// What has happened.
#[derive(Default)]
struct Facts {
    /// The documents, as they landed.
    workers: BTreeMap<WorkerName, Worker>,
    /// Every id that a worker ever had.
    ids: BTreeSet<AgentId>,
    /// Generations that shall never be admitted any more.
    over: BTreeSet<AgentId>,
    /// Generations whose launch was stored.
    intents: BTreeSet<AgentId>,
    /// Generations whose rebuild was stored, on which server.
    rebuilds: BTreeMap<AgentId, ServerId>,
    /// Generations that a cloud was asked for.
    asked_for: BTreeSet<AgentId>,
    /// Generations that were ever ready.
    ready: BTreeSet<AgentId>,
    /// On which server each pair of keys was made.
    owners: BTreeMap<String, ServerId>,
    /// Generations whose end a person asked for.
    ended: BTreeSet<AgentId>,
    /// Generations whose id was claimed twice.
    stolen: BTreeSet<AgentId>,
    /// Servers that something happened to in the cloud.
    harmed: BTreeSet<ServerId>,
    /// When each controller last heard an agent.
    heard: BTreeMap<(usize, AgentId), UnixMillis>,
    /// Who holds the lease, as stored.
    holder: String,
    /// Calls under way that change the cloud, by controller.
    under_way: BTreeMap<usize, usize>,
    /// Why the registry says that it is not to be believed.
    doubt: Option<String>,
    /// An older copy is in the registry's place, and nobody has confirmed it.
    restored: bool,
    /// What a person has said may go.
    confirmed: BTreeSet<String>,
    /// What each controller's present look at the cloud has removed unasked.
    looks: BTreeMap<usize, Look>,
    /// When documents of workers landed.
    changes: Vec<UnixMillis>,
    wrong: Vec<String>,
    log: Vec<String>,
    tally: BTreeMap<&'static str, u64>,
}

/// What one look at the cloud has seen, and what it has removed.
#[derive(Default)]
struct Look {
    /// A server may vanish between the look and what follows from it.
    servers: Vec<(AgentId, ServerId)>,
    lost: BTreeSet<WorkerName>,
    orphans: BTreeSet<ServerId>,
}

impl fmt::Debug for Judge {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "Judge({} wrongs)", self.lock().wrong.len())
    }
}

/// The name of a controller, by its number.
pub(crate) fn name_of(controller: usize) -> String {
    format!("controller-{controller}")
}

impl Judge {
    pub(crate) fn new(clock: Clock, cloud: Cloud, grace_millis: i64) -> Judge {
        let facts = Mutex::new(Facts { doubt: Some("it is new".to_owned()), ..Facts::default() });
        Judge { clock, cloud, grace_millis, facts }
    }

    /// What was wrong so far.
    ///
    /// # Errors
    /// With all of it, and the newest lines of the log.
    pub(crate) fn verdict(&self) -> Result<(), String> {
        let facts = self.lock();
        match facts.wrong.is_empty() {
            true => Ok(()),
            false => Err(format!("{}\n{}", facts.wrong.join("\n"), tail(&facts.log))),
        }
    }

    /// The newest lines of the log.
    pub(crate) fn log(&self) -> String {
        tail(&self.lock().log)
    }

    /// How often what happened.
    pub(crate) fn tally(&self) -> BTreeMap<&'static str, u64> {
        self.lock().tally.clone()
    }

    /// Keeps a line for people who look at a failure.
    pub(crate) fn note(&self, line: impl fmt::Display) {
        let at = self.seconds();
        self.lock().log.push(format!("{at} {line}"));
    }

    /// Counts what happened.
    pub(crate) fn count(&self, what: &'static str) {
        *self.lock().tally.entry(what).or_default() += 1;
    }

    /// A pair of keys was made on a server.
    pub(crate) fn made_keys(&self, public_key: &str, on: &ServerId) {
        self.lock().owners.insert(public_key.to_owned(), on.clone());
    }

    /// Somebody else claims an id.
    pub(crate) fn stolen(&self, agent: &AgentId) {
        self.lock().stolen.insert(agent.clone());
    }

    /// A person asks for the end of a generation.
    pub(crate) fn ended(&self, agent: &AgentId) {
        self.lock().ended.insert(agent.clone());
    }

    /// Something happens to a server in the cloud.
    pub(crate) fn harmed(&self, server: &ServerId) {
        self.lock().harmed.insert(server.clone());
    }

    /// A frame of an agent came to a controller.
    pub(crate) fn heard(&self, controller: usize, agent: &AgentId) {
        self.lock().heard.insert((controller, agent.clone()), self.clock.now());
    }

    /// A controller begins to hear anew.
    pub(crate) fn deaf(&self, controller: usize) {
        self.lock().heard.retain(|(of, _), _| *of != controller);
    }

    /// An older copy is put in the place of the documents; whether that must be noticed.
    pub(crate) fn restored(&self, workers: BTreeMap<WorkerName, Worker>, noticed: bool) {
        let mut facts = self.lock();
        facts.count(if noticed { "restored, to be noticed" } else { "restored" });
        if !noticed {
            // Nobody can know what these were.
            let known = |agent: &AgentId| workers.values().any(|w| w.agent_id == *agent);
            facts.ready.retain(known);
        }
        let live = |worker: &&Worker| !is_over(worker.phase);
        let live: Vec<AgentId> =
            workers.values().filter(live).map(|worker| worker.agent_id.clone()).collect();
        for agent in live {
            facts.over.remove(&agent);
        }
        facts.workers = workers;
        facts.restored |= noticed;
        facts.confirmed.clear();
    }

    /// A person has confirmed what was asked.
    pub(crate) fn confirmed(&self) {
        self.lock().restored = false;
    }

    /// Whether a document of a worker landed between two times.
    pub(crate) fn changed_between(&self, from: UnixMillis, to: UnixMillis) -> bool {
        self.lock().changes.iter().any(|at| *at > from && *at < to)
    }

    /// The present documents.
    pub(crate) fn workers(&self) -> Vec<Worker> {
        self.lock().workers.values().cloned().collect()
    }

    fn seconds(&self) -> String {
        let millis = self.clock.now().0 - crate::world::EPOCH;
        format!("{:>6}.{:03}", millis / 1000, millis % 1000)
    }

    fn wrong(&self, facts: &mut Facts, what: &str) {
        let line = format!("{} WRONG: {what}", self.seconds());
        facts.log.push(line.clone());
        facts.wrong.push(line);
    }

    fn lock(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Facts {
    fn count(&mut self, what: &'static str) {
        *self.tally.entry(what).or_default() += 1;
    }

    /// Whether the registry decides nothing unasked.
    fn is_doubtful(&self) -> bool {
        self.doubt.is_some() || self.restored
    }
}

fn tail(log: &[String]) -> String {
    log[log.len().saturating_sub(LOG_SHOWN)..].join("\n")
}

/// Whether nothing but a removal follows.
fn is_over(phase: Phase) -> bool {
    matches!(phase, Phase::Failed | Phase::Terminating | Phase::Terminated)
}
