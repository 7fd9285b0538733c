//! The built-in history: the last hours of every worker, in memory, for the CLI and the dashboard.
//!
//! A worker's newest samples are rows; older ones are packed into blocks, as frames are, at one or
//! two bytes a value. Redelivered samples are known by their agent's start and number and counted
//! once. All is bounded: by age, by bytes, by workers. It starts empty; the stream fills it.

mod derived;
mod seen;
mod series;

pub(crate) use seen::Seen;

use muster_protocol::api::{SeriesView, StatsShow};
use muster_protocol::id::{UnixMillis, WorkerName};
use muster_protocol::stats::Batch;
use series::{Points, Worker};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Workers that are remembered; the one that was silent longest goes first.
pub const WORKERS_MAX: usize = 20_000;
/// Bytes of one answer, about: it must fit into a message.
const ANSWER_BYTES_MAX: usize = 700 << 10;
/// What a point and a series take in an answer, at most.
const POINT_BYTES: usize = 19;
const SERIES_BYTES: usize = 160;

/// How much is remembered.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For how long.
    pub keep: Duration,
    /// In how many bytes, of all workers; the largest worker's oldest samples go first.
    pub bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { keep: Duration::from_secs(2 * 3600), bytes_max: 256 << 20 }
    }
}

/// The answer would not fit into a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{series} series are too many for one answer; name fewer workers or metrics")]
pub struct TooMany {
    /// How many were asked for.
    pub series: usize,
}

/// The samples of all workers.
pub struct History {
    limits: Limits,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    workers: HashMap<WorkerName, Worker>,
    bytes: usize,
}

impl History {
    /// An empty history.
    #[must_use]
    pub fn new(limits: Limits) -> History {
        History { limits, state: Mutex::default() }
    }

    /// Adds the samples of a batch that are new. `now` is when it came.
    pub fn insert(&self, batch: &Batch, now: UnixMillis) {
        let keep = i64::try_from(self.limits.keep.as_millis()).unwrap_or(i64::MAX);
        let mut state = self.state();
        if !state.workers.contains_key(&batch.worker) && state.workers.len() >= WORKERS_MAX {
            state.forget_silent();
        }
        let worker = state.workers.entry(batch.worker.clone()).or_default();
        let before = worker.bytes();
        worker.insert(batch, now);
        worker.drop_older_than(now.plus(-keep));
        let after = worker.bytes();
        state.bytes = state.bytes + after - before;
        while state.bytes > self.limits.bytes_max && state.drop_block() {}
    }

    /// Forgets a worker that is gone.
    pub fn forget(&self, worker: &WorkerName) {
        self.state().forget(worker);
    }

    /// The workers of which there are samples.
    #[must_use]
    pub fn workers(&self) -> Vec<WorkerName> {
        let mut all: Vec<WorkerName> = self.state().workers.keys().cloned().collect();
        all.sort();
        all
    }

    /// Bytes that are held, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.state().bytes
    }

    /// The series of `workers` that `question` asks for, with those made of others, such as
    /// `cpu.busy`. Points are thinned evenly if they are too many for one answer.
    ///
    /// # Errors
    /// When even one point of each series is too much.
    pub fn show<'a>(
        &self,
        workers: impl IntoIterator<Item = &'a WorkerName>,
        question: &StatsShow,
        now: UnixMillis,
    ) -> Result<Vec<SeriesView>, TooMany> {
        let from = now.plus(-i64::from(question.range_secs) * 1000);
        let wanted = |name: &str| {
            let all = question.metrics.is_empty();
            all || question.metrics.iter().any(|prefix| name.starts_with(prefix.as_str()))
        };
        let mut views = Vec::new();
        for worker in workers {
            let Some(points) = self.points(worker, question.range_secs, from) else { continue };
            views.extend(points.views(worker, &wanted, question.range_secs == 0));
        }
        thin(views)
    }

    /// One worker's points; the lock is held for no longer than one worker takes.
    fn points(&self, worker: &WorkerName, range_secs: u32, from: UnixMillis) -> Option<Points> {
        let state = self.state();
        let worker = state.workers.get(worker)?;
        let mut points = if range_secs == 0 { worker.latest() } else { worker.since(from) };
        drop(state);
        derived::add(&mut points);
        Some(points)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn forget(&mut self, worker: &WorkerName) {
        if let Some(worker) = self.workers.remove(worker) {
            self.bytes -= worker.bytes();
        }
    }

    fn forget_silent(&mut self) {
        let silent = self.workers.iter().min_by_key(|(_, worker)| worker.heard());
        if let Some(name) = silent.map(|(name, _)| name.clone()) {
            self.forget(&name);
        }
    }

    /// Whoever fills the memory pays for it.
    fn drop_block(&mut self) -> bool {
        let largest = self.workers.values_mut().max_by_key(|worker| worker.bytes());
        let dropped = largest.map_or(0, Worker::drop_oldest);
        self.bytes -= dropped;
        dropped > 0
    }
}

/// Keeps every n-th point, counted from the newest, so that the answer fits.
fn thin(mut views: Vec<SeriesView>) -> Result<Vec<SeriesView>, TooMany> {
    let series = views.len();
    let room = ANSWER_BYTES_MAX.saturating_sub(series * SERIES_BYTES) / POINT_BYTES;
    if room < series {
        return Err(TooMany { series });
    }
    let points: usize = views.iter().map(|view| view.points.len()).sum();
    if points <= room {
        return Ok(views);
    }
    // Every series keeps its newest point beside its share, so the room is what is left by those.
    let stride = points.div_ceil((room - series).max(1));
    for view in &mut views {
        let last = view.points.len().saturating_sub(1);
        let mut at = 0;
        view.points.retain(|_| {
            at += 1;
            (last + 1 - at).is_multiple_of(stride)
        });
    }
    Ok(views)
}

#[cfg(test)]
mod tests;
