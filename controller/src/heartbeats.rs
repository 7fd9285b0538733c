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

    /// Forgets an agent that is over.
    pub fn forget(&self, agent: &AgentId) {
        self.lock().remove(agent);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AgentId, Heard>> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
