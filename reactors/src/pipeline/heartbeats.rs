//! When each agent was heard last: in memory, from its frames.

use muster_protocol::id::{AgentId, UnixMillis};
use muster_protocol::stats::Batch;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Agents that are remembered; the one that was silent longest goes first.
const AGENTS_MAX: usize = 50_000;

/// What is known of one agent since the controller's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// Frames that came.
    pub frames: u64,
    /// When the first came, by the controller's clock.
    pub first: UnixMillis,
    /// When the last came, by the controller's clock.
    pub last: UnixMillis,
    /// When the last sample was read, by the agent's clock.
    pub sampled: UnixMillis,
}

type OnFirst = Box<dyn Fn(&AgentId, UnixMillis) + Send + Sync>;

/// The agents that were heard.
pub struct Heartbeats {
    agents: Mutex<HashMap<AgentId, Heartbeat>>,
    on_first: OnFirst,
}

impl Heartbeats {
    /// None was heard yet. `on_first` is called at an agent's first frame, with the time at which
    /// it came; it must not block.
    pub fn new(on_first: impl Fn(&AgentId, UnixMillis) + Send + Sync + 'static) -> Heartbeats {
        Heartbeats { agents: Mutex::default(), on_first: Box::new(on_first) }
    }

    /// What is known of an agent.
    #[must_use]
    pub fn of(&self, agent: &AgentId) -> Option<Heartbeat> {
        self.agents().get(agent).copied()
    }

    /// Forgets an agent that is gone for good.
    pub fn forget(&self, agent: &AgentId) {
        self.agents().remove(agent);
    }

    pub(super) fn observe(&self, batch: &Batch, now: UnixMillis) {
        let sampled = batch.times.last().copied().unwrap_or_default();
        let mut agents = self.agents();
        if let Some(known) = agents.get_mut(&batch.agent) {
            known.frames += 1;
            known.last = now;
            known.sampled = sampled;
            return;
        }
        if agents.len() >= AGENTS_MAX {
            let silent = agents.iter().min_by_key(|(_, heartbeat)| heartbeat.last);
            if let Some(silent) = silent.map(|(agent, _)| agent.clone()) {
                agents.remove(&silent);
            }
        }
        let first = Heartbeat { frames: 1, first: now, last: now, sampled };
        agents.insert(batch.agent.clone(), first);
        drop(agents);
        (self.on_first)(&batch.agent, now);
    }

    fn agents(&self) -> MutexGuard<'_, HashMap<AgentId, Heartbeat>> {
        self.agents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
