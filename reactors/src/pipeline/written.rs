//! What a sink's pipelines have written, so that a redelivered frame is not written twice.

use crate::history::Seen;
use muster_protocol::id::AgentId;
use muster_protocol::stats::Batch;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Agents that are remembered; then all are forgotten, and a redelivery is written again.
const AGENTS_MAX: usize = 50_000;

/// The samples that a sink has. It outlives the sink's pipeline, which ends with the lease.
#[derive(Default)]
pub struct Written(Mutex<HashMap<AgentId, Seen>>);

impl Written {
    pub(super) fn covers(&self, batch: &Batch) -> bool {
        self.agents().get(&batch.agent).is_some_and(|seen| seen.covers(batch))
    }

    pub(super) fn insert(&self, batch: &Batch) {
        let mut agents = self.agents();
        if agents.len() >= AGENTS_MAX && !agents.contains_key(&batch.agent) {
            agents.clear();
        }
        agents.entry(batch.agent.clone()).or_default().insert(batch);
    }

    fn agents(&self) -> MutexGuard<'_, HashMap<AgentId, Seen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
