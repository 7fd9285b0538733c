//! The schemas that frames name: announced once, kept by id, looked up when missing.

use muster_protocol::bus::Error as BusError;
use muster_protocol::id::{AgentId, UnixMillis};
use muster_protocol::stats::{Schema, SchemaId};
use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Metrics of all schemas that are kept: some 100 MB at worst. The first come go first.
const METRICS_MAX: usize = 1_000_000;
/// Schemas that nobody announced; each is asked for again after a while.
const MISSING_MAX: usize = 10_000;
const MISSING_MILLIS: i64 = 5_000;

/// Where announced schemas are stored.
pub trait Announced: Send + Sync {
    /// All that an agent has announced and that are still stored.
    fn schemas(
        &self,
        agent: &AgentId,
    ) -> impl Future<Output = Result<Vec<Schema>, BusError>> + Send;
}

/// The schemas known here. Equal schemas of many agents are one.
pub struct Schemas<A> {
    pub(super) announced: A,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    known: HashMap<SchemaId, Arc<Schema>>,
    order: VecDeque<SchemaId>,
    metrics: usize,
    missing: HashMap<(AgentId, SchemaId), UnixMillis>,
}

impl<A> Schemas<A> {
    /// Knows none yet.
    pub fn new(announced: A) -> Schemas<A> {
        Schemas { announced, state: Mutex::default() }
    }

    /// The schema with this id, if it is known.
    pub fn known(&self, id: &SchemaId) -> Option<Arc<Schema>> {
        self.state().known.get(id).cloned()
    }

    /// Adds a schema, for instance from an event that just came.
    pub fn insert(&self, schema: Schema) {
        self.state().insert(schema);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<A: Announced> Schemas<A> {
    /// Looks up what `agent` has announced; whether the schema `id` was among it.
    ///
    /// # Errors
    /// When the bus does not answer; the look-up may be tried again.
    pub async fn fetch(
        &self,
        agent: &AgentId,
        id: &SchemaId,
        now: UnixMillis,
    ) -> Result<bool, BusError> {
        let key = (agent.clone(), id.clone());
        if self.state().is_missing(&key, now) {
            return Ok(false);
        }
        let announced = self.announced.schemas(agent).await?;
        let mut state = self.state();
        announced.into_iter().for_each(|schema| state.insert(schema));
        let found = state.known.contains_key(id);
        if !found {
            state.note_missing(key, now);
        }
        Ok(found)
    }
}

impl State {
    fn insert(&mut self, schema: Schema) {
        if self.known.contains_key(schema.id()) {
            return;
        }
        self.metrics += schema.metrics().len();
        self.order.push_back(schema.id().clone());
        self.known.insert(schema.id().clone(), Arc::new(schema));
        while self.metrics > METRICS_MAX && self.order.len() > 1 {
            let oldest = self.order.pop_front().and_then(|id| self.known.remove(&id));
            self.metrics -= oldest.map_or(0, |schema| schema.metrics().len());
        }
    }

    fn is_missing(&self, key: &(AgentId, SchemaId), now: UnixMillis) -> bool {
        self.missing.get(key).is_some_and(|since| now.since(*since).abs() < MISSING_MILLIS)
    }

    fn note_missing(&mut self, key: (AgentId, SchemaId), now: UnixMillis) {
        if self.missing.len() >= MISSING_MAX {
            self.missing.clear();
        }
        self.missing.insert(key, now);
    }
}
