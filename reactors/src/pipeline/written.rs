//! What this pipeline has written, so that a redelivered frame is not written twice.

use crate::history::Seen;
use muster_protocol::id::AgentId;
use muster_protocol::stats::Batch;
use std::collections::HashMap;

/// Agents that are remembered; then all are forgotten, and a redelivery is written again.
const AGENTS_MAX: usize = 50_000;

#[derive(Default)]
pub(super) struct Written {
    agents: HashMap<AgentId, Seen>,
}

impl Written {
    pub(super) fn covers(&self, batch: &Batch) -> bool {
        self.agents.get(&batch.agent).is_some_and(|seen| seen.covers(batch))
    }

    pub(super) fn insert(&mut self, batch: &Batch) {
        if self.agents.len() >= AGENTS_MAX && !self.agents.contains_key(&batch.agent) {
            self.agents.clear();
        }
        self.agents.entry(batch.agent.clone()).or_default().insert(batch);
    }
}
