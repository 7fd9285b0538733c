//! When each agent was last heard, in memory: losing it costs a minute's patience, no truth.

use muster_protocol::id::{AgentId, UnixMillis};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The frames of one agent since the controller started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// How many.
    pub frames: u64,
    /// When the last one came.
    pub last: UnixMillis,
}

/// Agents that were heard.
#[derive(Debug)]
pub struct Heartbeats {
    since: UnixMillis,
    heard: Mutex<HashMap<AgentId, Heard>>,
}

impl Heartbeats {
    /// Nobody was heard yet.
    #[must_use]
    pub fn new(now: UnixMillis) -> Heartbeats {
        Heartbeats { since: now, heard: Mutex::new(HashMap::new()) }
    }

    /// A frame came. Returns whether it is the agent's first.
    pub fn beat(&self, agent: &AgentId, now: UnixMillis) -> bool {
        let mut heard = self.lock();
        let entry = heard.entry(agent.clone()).or_default();
        entry.frames += 1;
        entry.last = now;
        entry.frames == 1
    }

    /// What was heard of an agent.
    #[must_use]
    pub fn of(&self, agent: &AgentId) -> Option<Heard> {
        self.lock().get(agent).copied()
    }

    /// For how long an agent has been silent, in milliseconds; at most since the start.
    #[must_use]
    pub fn silence(&self, agent: &AgentId, now: UnixMillis) -> i64 {
        now.since(self.of(agent).map_or(self.since, |heard| heard.last))
    }

    /// Whether an agent was heard within so many milliseconds; none if it was not, and nobody has
    /// listened for so long yet.
    #[must_use]
    pub fn answers(&self, agent: &AgentId, now: UnixMillis, within: i64) -> Option<bool> {
        match self.of(agent) {
            Some(heard) => Some(now.since(heard.last) < within),
            None => (now.since(self.since) >= within).then_some(false),
        }
    }

    /// Forgets an agent that is over.
    pub fn forget(&self, agent: &AgentId) {
        self.lock().remove(agent);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AgentId, Heard>> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use muster_protocol::id::{WorkerName, random};

    /// Guards: whoever has just begun to listen takes no agent for one that answers, nor for one
    /// that does not.
    #[test]
    fn what_was_not_listened_for_is_not_known() {
        let name: WorkerName = "compute-0001".parse().unwrap();
        let (heard, other) = (AgentId::new(&name, random()), AgentId::new(&name, random()));
        let heartbeats = Heartbeats::new(UnixMillis(1_000));
        assert!(heartbeats.beat(&heard, UnixMillis(1_050)));
        let of = |agent: &AgentId, now: i64| heartbeats.answers(agent, UnixMillis(now), 100);
        assert_eq!((of(&heard, 1_099), of(&other, 1_099)), (Some(true), None));
        assert_eq!((of(&heard, 1_149), of(&other, 1_100)), (Some(true), Some(false)));
        assert_eq!(of(&heard, 1_150), Some(false));
        heartbeats.forget(&heard);
        assert_eq!((of(&heard, 1_099), of(&heard, 1_150)), (None, Some(false)));
    }
}
