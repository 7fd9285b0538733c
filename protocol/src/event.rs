//! Events: what happened, durable, on a subject that says whose it is.
//!
//! Identity comes from the subject, never from the payload.

use crate::id::{Token, UnixMillis};
use crate::wire::Message;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The states of one report that are sent in full; the rest are only counted.
pub const STATES_MAX: usize = 2000;
/// The bytes of a program's output that an event holds, of each stream.
pub const OUTPUT_BYTES_MAX: usize = 64 << 10;

/// What is stored under a subject `muster.event.<source>.<id>.<kind>`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Unique and unguessable: reactors act on each id once.
    pub id: Token,
    /// When it happened, by the clock of whoever says it.
    pub at: UnixMillis,
    /// What there is to say, by kind.
    pub data: serde_json::Value,
}

impl Message for Event {
    const NAME: &'static str = "event";
}

impl Event {
    /// An event that says `data`.
    #[must_use]
    pub fn new(id: Token, at: UnixMillis, data: &impl Serialize) -> Event {
        let data = serde_json::to_value(data).expect("an event's data is plain JSON");
        Event { id, at, data }
    }

    /// The data as the type of its kind; none if it is something else.
    #[must_use]
    pub fn read<T: DeserializeOwned>(&self) -> Option<T> {
        T::deserialize(&self.data).ok()
    }
}

/// `agent.<id>.started`: the agent has a session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Started {
    /// The agent's release.
    pub version: String,
    /// The newest desired state it has applied: (revision), 0 for none.
    pub revision: u64,
    /// Whether the process is a new one, or only its connection.
    pub fresh: bool,
}

/// How many states, and what became of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// All.
    pub total: u32,
    /// Changed something (or would, in a dry run).
    pub changed: u32,
    /// Failed.
    pub failed: u32,
    /// Milliseconds.
    pub duration_millis: u64,
    /// Nothing was changed: a dry run.
    #[serde(default)]
    pub test: bool,
}

/// `agent.<id>.applied` (no state failed) or `.failed` (some did, or nothing could be run).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Applied {
    /// The command that asked, if it was one.
    pub command: Option<Token>,
    /// The desired state's revision.
    pub revision: u64,
    /// Whether all of the worker's states were applied, not chosen files.
    pub highstate: bool,
    /// The counts.
    pub outcome: Outcome,
    /// Why nothing was run: the tree's errors, with file and line.
    pub errors: Vec<String>,
    /// Each state's return in Salt's shape, by key; at most [`STATES_MAX`].
    pub states: serde_json::Value,
}

impl Applied {
    /// Why the states are not as they shall be, in one line; none if they are.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        match (self.errors.first(), self.outcome.failed) {
            (Some(error), _) => Some(error.clone()),
            (None, 0) => None,
            (None, failed) => Some(format!("{failed} of {} states failed", self.outcome.total)),
        }
    }
}

/// `agent.<id>.fired`: a state's `fire_event` or `event.send`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fired {
    /// What the state calls it.
    pub tag: String,
    /// The state's key.
    pub key: String,
    /// The desired state's revision.
    pub revision: u64,
    /// In a dry run.
    pub test: bool,
    /// What `event.send` was given, or the state's return in Salt's shape.
    pub data: serde_json::Value,
    /// There was more than an event may hold.
    pub cut: bool,
}

/// `agent.<id>.executed`: a program has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Executed {
    /// The command that asked.
    pub command: Token,
    /// The exit code; none if it was killed or did not start.
    pub code: Option<i32>,
    /// Its output, at most [`OUTPUT_BYTES_MAX`].
    pub stdout: String,
    /// Its errors, at most [`OUTPUT_BYTES_MAX`].
    pub stderr: String,
    /// Output was cut.
    pub truncated: bool,
    /// Why it did not run to its end.
    pub error: Option<String>,
    /// Milliseconds.
    pub duration_millis: u64,
}

/// `worker.<name>.<phase>`: a worker changed its phase.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PhaseChanged {
    /// Its agent.
    pub agent_id: String,
    /// Its pool.
    pub pool: String,
    /// Its generation.
    pub generation: u32,
    /// From.
    pub from: String,
    /// To.
    pub to: String,
    /// Why, where it is not plain.
    pub reason: Option<String>,
    /// Milliseconds since the launch.
    pub millis: Option<i64>,
}

/// `api.<call>.result`: what one worker made of a command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommandResult {
    /// The worker.
    pub worker: String,
    /// It did what was asked.
    pub ok: bool,
    /// It answered at all.
    pub answered: bool,
    /// What it says, by verb: a reply, an [`Applied`], an [`Executed`].
    pub data: serde_json::Value,
    /// Why not.
    pub error: Option<String>,
    /// Milliseconds from the call.
    pub millis: u64,
}

/// The verbs of calls that change nothing: these are told together.
pub const READING: &[&str] = &["list", "show", "open", "backup", "suspect"];

/// `api.<user>.called` (a call that changes something was done), `.read` (one that changes nothing)
/// or `.refused` (either was not done).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Called {
    /// Who called, as the server says.
    pub user: String,
    /// With which role, as the server says.
    pub role: String,
    /// From which address.
    pub host: String,
    /// The noun of the call.
    pub noun: String,
    /// The verb.
    pub verb: String,
    /// It was done.
    pub ok: bool,
    /// Why not.
    pub error: Option<String>,
    /// What it was about: some fields of the question, never its whole.
    #[serde(default)]
    pub about: serde_json::Value,
    /// How many calls this event tells of: more than one if the same came again and again.
    pub count: u64,
}

/// `security.<id>.<kind>`: something that a person should look at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alarm {
    /// Who, as the server says.
    pub who: String,
    /// What happened, in words.
    pub what: String,
}
