//! The reconciler: makes what is so what is wanted, again and again, from the documents alone.
//!
//! It takes no input: a change of the registry only wakes it. At most one task acts on a worker at
//! a time; a task that fails waits, longer each time, and the next round looks again. One that is
//! stuck holds nobody else back. Every interval it compares the clouds with what is known
//! ([`crate::inspection`]).

use crate::config::Config;
use crate::inspection::Inspector;
use crate::launcher::{Error, Launcher};
use crate::lifecycle::Input;
use crate::planner::{self, Wanted};
use crate::registry::{self, Registry};
use futures_util::{StreamExt, TryStreamExt, stream};
use muster_protocol::id::{AgentId, PoolName, Token, UnixMillis, WorkerName, random};
use muster_protocol::worker::{AfterDrain, Occupancy, Phase, PoolState, Worker};
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Tasks that act on workers at once; the rest wait for the next round.
pub const TASKS_MAX: usize = 256;
/// Intents to launch that are written at once.
const INTENTS_MAX: usize = 16;
/// The wait after a failed action; it doubles with each further one.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(30);
/// A greater part of the ready workers is not lost at once: it is the bus.
const LOST_PART_MAX: usize = 5;

/// When agents were last heard.
pub trait Hearing: fmt::Debug + Send + Sync {
    /// For how long an agent has been silent, in milliseconds.
    fn silence(&self, agent: &AgentId, now: UnixMillis) -> i64;

    /// Whether an agent was heard within so many milliseconds; none if it was not, and nobody has
    /// listened for so long yet.
    fn answers(&self, agent: &AgentId, now: UnixMillis, within: i64) -> Option<bool>;
}

/// Acts on what the documents demand.
#[derive(Debug)]
pub struct Reconciler {
    /// Pools and times.
    pub config: Arc<Config>,
    /// The documents.
    pub registry: Arc<Registry>,
    /// Who calls the clouds.
    pub launcher: Arc<Launcher>,
    /// Who compares the clouds with what is known.
    pub inspector: Arc<Inspector>,
    /// When each agent was last heard.
    pub hearing: Arc<dyn Hearing>,
    /// Workers that a task acts on.
    pub busy: Mutex<HashSet<WorkerName>>,
    /// Actions that failed in a row.
    pub failures: Mutex<HashMap<WorkerName, u32>>,
}

/// What time has done.
#[derive(Debug, Default)]
struct Judged {
    overdue: Vec<(AgentId, String)>,
    /// Lost, and heard again.
    heard: Vec<AgentId>,
    /// How many are ready.
    ready: usize,
    /// Of these, the silent ones.
    silent: Vec<AgentId>,
}

/// What a worker's document demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Demand {
    Launch,
    Look,
    Rebuild,
    Remove,
}

impl Reconciler {
    /// Works until it is cancelled, then stops what is under way.
    pub async fn run(self: Arc<Self>, cancel: CancellationToken) {
        let mut changes = self.registry.changes();
        let interval = Duration::from_secs(self.config.timeouts.reconcile_secs.into());
        let mut inspect = tokio::time::interval(interval);
        let (mut tasks, mut inspections) = (JoinSet::new(), JoinSet::new());
        while !cancel.is_cancelled() {
            changes.mark_unchanged();
            let resumes = self.round(&mut tasks).await;
            // In order, so that changes without end do not put the others off.
            tokio::select! {
                biased;
                () = cancel.cancelled() => {}
                _ = inspect.tick() => self.inspect(&mut inspections),
                () = tokio::time::sleep(resumes), if resumes < interval => {}
                _ = changes.changed() => {}
            }
            while tasks.try_join_next().is_some() || inspections.try_join_next().is_some() {}
        }
        tasks.shutdown().await;
        inspections.shutdown().await;
    }

    /// Looks at the clouds beside the work on workers; one look at a time.
    fn inspect(&self, inspections: &mut JoinSet<()>) {
        if inspections.is_empty() {
            let inspector = Arc::clone(&self.inspector);
            inspections.spawn(async move { inspector.look().await });
        }
    }

    /// Looks at every document once. Returns when a pool that pauses goes on.
    pub async fn round(self: &Arc<Self>, tasks: &mut JoinSet<()>) -> Duration {
        let mut resumes = Duration::MAX;
        for pool in self.pools() {
            match self.plan(&pool).await {
                Ok(pause) => resumes = resumes.min(pause),
                Err(error) => {
                    tracing::warn!(
                        %pool,
                        error = crate::chain(&error),
                        "a pool could not be planned, trying again"
                    );
                }
            }
        }
        self.judge_time().await;
        for worker in self.registry.look(|workers| busy(workers, &self.config)) {
            if let Some(demand) = demand(&worker) {
                self.act(tasks, worker, demand);
            } else if worker.phase == Phase::Draining && is_free(&worker) {
                self.happen(&worker.agent_id, &Input::Drained).await;
            }
        }
        resumes
    }

    /// The pools, those with the smallest priority first.
    fn pools(&self) -> Vec<PoolName> {
        let mut pools: Vec<_> = self.config.pools.iter().collect();
        pools.sort_by_key(|(name, pool)| (pool.priority, *name));
        pools.into_iter().map(|(name, _)| name.clone()).collect()
    }

    async fn plan(&self, name: &PoolName) -> Result<Duration, Error> {
        let Some(pool) = self.config.pools.get(name) else { return Ok(Duration::MAX) };
        let _planning = self.registry.planning.lock().await;
        let state = self.state(name).await?;
        let wanted = Wanted::of(&state, pool.min, pool.max, pool.launches_max);
        let now = self.registry.now();
        let (plan, pause, free) = self.registry.look(|workers| {
            let of_it: Vec<&Worker> = workers.iter().copied().filter(|w| w.pool == *name).collect();
            let plan = planner::plan(wanted, &of_it, now);
            let pause = planner::breaker(&of_it, now).filter(|breaker| breaker.until > now);
            let free = free_names(name, workers, plan.launch);
            (plan, pause.map(|breaker| breaker.until.since(now).unsigned_abs()), free)
        });
        for name in plan.terminate {
            // It may have become ready or busy since it was looked at: then it stays.
            self.ask(&name, &Input::ScaledDown).await?;
        }
        for name in plan.drain {
            self.ask(&name, &Input::Drain(AfterDrain::Terminate)).await?;
        }
        let intents =
            stream::iter(free).map(|free| async move { self.launcher.intend(&free, name).await });
        intents.buffer_unordered(INTENTS_MAX).try_collect::<()>().await?;
        Ok(pause.map_or(Duration::MAX, Duration::from_millis))
    }

    /// Lets something happen to a worker, unless it has moved on meanwhile.
    async fn ask(&self, name: &WorkerName, input: &Input) -> Result<(), Error> {
        match self.registry.happen(name, input).await {
            Ok(_) | Err(registry::Error::Refused(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// What people want of the pool; its least size until somebody asks for another.
    async fn state(&self, name: &PoolName) -> Result<PoolState, Error> {
        if let Some(state) = self.registry.pool(name).await? {
            return Ok(state);
        }
        let min = self.config.pools.get(name).map_or(0, |pool| pool.min);
        let first = |before: Option<PoolState>| before.unwrap_or_else(|| new_pool(name, min));
        Ok(self.registry.change_pool(name, first).await?)
    }

    /// Ends phases that took too long, and marks who is silent or heard again.
    async fn judge_time(&self) {
        let now = self.registry.now();
        let Judged { overdue, heard, ready, silent } =
            self.registry.look(|workers| self.judged(workers, now));
        if !overdue.is_empty() && self.may_end().await {
            for (agent, why) in overdue {
                self.happen(&agent, &Input::TimedOut(why)).await;
            }
        }
        for agent in heard {
            self.happen(&agent, &Input::Heard).await;
        }
        if silent.len() > (ready / LOST_PART_MAX).max(1) {
            tracing::warn!(count = silent.len(), "so many are silent at once that it is the bus");
            return;
        }
        for agent in silent {
            self.happen(&agent, &Input::Silent).await;
        }
    }

    /// Whether phases may end that took too long: what a doubted registry shows as booting may have
    /// been at work for long.
    async fn may_end(&self) -> bool {
        match self.inspector.keeper.doubt().await {
            Ok(doubt) => doubt.is_none(),
            Err(error) => {
                tracing::debug!(%error, "no phase is ended for its time");
                false
            }
        }
    }

    fn judged(&self, workers: &[&Worker], now: UnixMillis) -> Judged {
        let lost_millis = i64::from(self.config.timeouts.lost_secs) * 1000;
        let mut judged = Judged::default();
        for worker in workers {
            if let Some(why) = overdue(worker, &self.config, now) {
                judged.overdue.push((worker.agent_id.clone(), why));
            }
            let silent = || self.hearing.silence(&worker.agent_id, now) > lost_millis;
            match worker.phase {
                Phase::Lost if !silent() => judged.heard.push(worker.agent_id.clone()),
                Phase::Ready => {
                    judged.ready += 1;
                    judged.silent.extend(silent().then(|| worker.agent_id.clone()));
                }
                _ => {}
            }
        }
        judged
    }

    async fn happen(&self, agent: &AgentId, input: &Input) {
        if let Err(error) = self.registry.happen_to(agent, input).await {
            tracing::debug!(agent_id = %agent, %error, "it changed meanwhile");
        }
    }

    fn act(self: &Arc<Self>, tasks: &mut JoinSet<()>, worker: Worker, demand: Demand) {
        if tasks.len() >= TASKS_MAX || !lock(&self.busy).insert(worker.name.clone()) {
            return;
        }
        let this = Arc::clone(self);
        tasks.spawn(async move {
            let free = Busy(&this.busy, &worker.name);
            let done = Box::pin(this.act_on(&worker.name, demand)).await;
            match &done {
                Err(error) if error.is_of_the_lease() => {
                    tracing::info!(worker = %worker.name, %error, ?demand, "left to who leads");
                }
                Err(error) => {
                    let error = crate::chain(error);
                    tracing::warn!(worker = %worker.name, error, ?demand, "it is tried again");
                }
                Ok(()) => {}
            }
            this.rest(&worker.name, done.is_ok()).await;
            drop(free);
            this.registry.wake();
        });
    }

    async fn act_on(&self, name: &WorkerName, asked: Demand) -> Result<(), Error> {
        // The look at the documents may be older than what the last task on this worker did.
        let Some(worker) = self.registry.worker(name) else { return Ok(()) };
        let done = match demand(&worker) {
            Some(now) if now == asked => match now {
                Demand::Launch => self.launcher.launch(&worker).await,
                Demand::Look => self.launcher.look(&worker).await,
                Demand::Rebuild => self.launcher.rebuild(&worker).await,
                Demand::Remove => self.launcher.remove(&worker).await,
            },
            _ => Ok(()),
        };
        match done {
            // It has moved on meanwhile: the next round looks at it anew.
            Err(Error::Registry(registry::Error::Refused(_))) => Ok(()),
            done => done,
        }
    }

    /// Waits after a failure, the longer the more there were; other workers are not held back.
    async fn rest(&self, name: &WorkerName, ok: bool) {
        let failures = {
            let mut failures = lock(&self.failures);
            if ok {
                failures.remove(name);
                return;
            }
            let count = failures.entry(name.clone()).or_default();
            *count += 1;
            *count
        };
        let wait = RETRY_FIRST * (1 << (failures - 1).min(8));
        tokio::time::sleep(wait.min(RETRY_MAX)).await;
    }
}

/// A worker that a task acts on; free again however the task ends.
struct Busy<'a>(&'a Mutex<HashSet<WorkerName>>, &'a WorkerName);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        lock(self.0).remove(self.1);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Those with which there may be something to do, those of the smallest priority first: they are
/// the first whom a cloud is asked for.
fn busy(workers: &[&Worker], config: &Config) -> Vec<Worker> {
    let busy = |worker: &&&Worker| demand(worker).is_some() || worker.phase == Phase::Draining;
    let mut all: Vec<Worker> = workers.iter().filter(busy).map(|w| (*w).clone()).collect();
    all.sort_by_key(|worker| config.pools.get(&worker.pool).map_or(i32::MAX, |p| p.priority));
    all
}

/// Whether no job can run on a worker, and nobody holds it.
fn is_free(worker: &Worker) -> bool {
    worker.occupancy == Occupancy::Idle && !worker.held
}

fn demand(worker: &Worker) -> Option<Demand> {
    match worker.phase {
        Phase::Pending => Some(Demand::Launch),
        Phase::Launching => Some(Demand::Look),
        Phase::Rebuilding => Some(Demand::Rebuild),
        Phase::Terminating | Phase::Failed => Some(Demand::Remove),
        Phase::Booting
        | Phase::Configuring
        | Phase::Ready
        | Phase::Lost
        | Phase::Draining
        | Phase::Terminated => None,
    }
}

/// What took too long of a worker's phase; none if it is within its time.
pub(crate) fn overdue(worker: &Worker, config: &Config, now: UnixMillis) -> Option<String> {
    let (limit, what) = match worker.phase {
        Phase::Booting => (config.timeouts.boot_secs, "its agent did not enrol"),
        Phase::Configuring => (config.timeouts.configure_secs, "its states were not applied"),
        Phase::Rebuilding => (config.timeouts.boot_secs, "it was not rebuilt"),
        _ => return None,
    };
    (now.since(worker.since) > i64::from(limit) * 1000).then(|| {
        let reason = worker.reason.as_ref().map_or(String::new(), |reason| format!(": {reason}"));
        format!("{what} within {limit} s{reason}")
    })
}

/// A pool of which nobody has said anything yet.
#[must_use]
pub fn new_pool(name: &PoolName, size: u32) -> PoolState {
    let op_id = Token::random(random());
    PoolState { name: name.clone(), size, op_id, frozen: false, draining: false, image: None }
}

/// The lowest numbers whose names are free, so that names stay the same few over the years.
fn free_names(pool: &PoolName, workers: &[&Worker], count: u32) -> Vec<WorkerName> {
    let taken: HashSet<&WorkerName> = workers
        .iter()
        .filter(|worker| worker.phase != Phase::Terminated)
        .map(|worker| &worker.name)
        .collect();
    (1..)
        .filter_map(|number: u32| format!("{pool}-{number:04}").parse::<WorkerName>().ok())
        .filter(|name| !taken.contains(name))
        .take(count as usize)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifecycle::tests::pending;

    #[test]
    fn the_pool_of_the_smallest_priority_is_the_first_to_be_asked_for() {
        let pool = |priority: i32| format!("{{provider: here, max: 2, priority: {priority}}}");
        let text = format!(
            "cluster: c\nkeys: k\nstates: {{tree: t}}\nproviders: {{here: {{kind: local}}}}\n\
             pools:\n  a: {}\n  b: {}\n",
            pool(5),
            pool(-5)
        );
        let config: Config = serde_saphyr::from_str(&text).unwrap();
        let of = |pool: &str, number: u32| {
            let name = format!("{pool}-{number:04}").parse().unwrap();
            Worker { name, pool: pool.parse().unwrap(), ..pending() }
        };
        let workers = [of("a", 1), of("a", 2), of("b", 1), of("b", 2)];
        let all = busy(&workers.iter().collect::<Vec<_>>(), &config);
        let names: Vec<&str> = all.iter().map(|worker| worker.name.as_str()).collect();
        assert_eq!(names, ["b-0001", "b-0002", "a-0001", "a-0002"]);
    }

    #[test]
    fn names_that_are_free_again_are_used_again() {
        let (mut first, mut second) = (pending(), pending());
        first.phase = Phase::Terminated;
        second.name = "compute-0002".parse().unwrap();
        let names = free_names(&"compute".parse().unwrap(), &[&first, &second], 2);
        let names: Vec<&str> = names.iter().map(WorkerName::as_str).collect();
        assert_eq!(names, ["compute-0001", "compute-0003"]);
    }
}
