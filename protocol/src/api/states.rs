//! The call about states: the tree and the pillars are read anew and sent out.

use super::{Message, Question, Target};
use crate::id::WorkerName;
use serde::{Deserialize, Serialize};

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
