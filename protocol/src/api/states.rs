//! The calls about states: the tree and the pillars are read anew and sent out, or shown.

use super::{Message, Question, Target};
use crate::id::WorkerName;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Asks to read the state tree and the pillars anew, and to give workers what has changed for them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StatesPush {
    /// Which workers; all if absent.
    pub target: Option<Target>,
    /// Those that get something new shall apply it at once.
    #[serde(default)]
    pub apply: bool,
}
question!(StatesPush, "api.states.push", "states", "push", Vec<PushView>);

/// What became of a push for one worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushView {
    /// The worker.
    pub worker: WorkerName,
    /// The revision that it was given; none if nothing has changed for it.
    pub revision: Option<u64>,
    /// Why it was given none although something has changed.
    #[serde(default)]
    pub error: Option<String>,
}

/// Asks what the tree comes to for one worker; secrets of its pillar are masked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StatesShow {
    /// Of what.
    pub of: Compiled,
}
question!(StatesShow, "api.states.show", "states", "show", Shown);

/// Asks the same, and nothing is masked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StatesReveal {
    /// Of what.
    pub of: Compiled,
}
question!(StatesReveal, "api.states.reveal", "states", "reveal", Shown);

/// A compilation for one worker, by what the controller knows of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compiled {
    /// The worker.
    pub worker: WorkerName,
    /// How far.
    pub stage: Stage,
    /// Which SLS; what the top files select if there are none.
    #[serde(default)]
    pub sls: Vec<String>,
}

/// A stage of a compilation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The SLS that the top files select, by environment.
    Top,
    /// States by their ID.
    High,
    /// States in the order in which they run.
    Low,
}

/// What a compilation came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shown {
    /// The stage; null if there are faults.
    pub shown: Value,
    /// Why there is none, each with file and line.
    #[serde(default)]
    pub faults: Vec<String>,
}
