//! The reconciler: makes what is so what is wanted, again and again, from the documents alone.
//!
//! It takes no input: a change of the registry only wakes it. At most one task acts on a worker at
//! a time; a task that fails waits, longer each time, and the next round looks again. One
//! that is stuck holds nobody else back.

use crate::config::Config;
use crate::launcher::{Error, Launcher};
use crate::lifecycle::Input;
use crate::planner::{self, Wanted};
use crate::provider::Status;
use crate::registry::Registry;
use crate::stats::Stats;
use muster_protocol::id::{PoolName, Token, UnixMillis, WorkerName, random};
use muster_protocol::worker::{Phase, PoolState, Worker};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Tasks that act on workers at once; the rest wait for the next round.
pub const TASKS_MAX: usize = 256;
/// The wait after a failed action; it doubles with each further one.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(30);
/// A greater part of the ready workers is not lost at once: it is the bus.
const LOST_PART_MAX: usize = 5;

/// Acts on what the documents demand.
#[derive(Debug)]
pub struct Reconciler {
    /// Pools and times.
    pub config: Arc<Config>,
    /// The documents.
    pub registry: Arc<Registry>,
    /// Who calls the clouds.
    pub launcher: Arc<Launcher>,
    /// When each agent was last heard.
    pub stats: Arc<Stats>,
    /// Workers that a task acts on.
    pub busy: Mutex<HashSet<WorkerName>>,
    /// Actions that failed in a row.
    pub failures: Mutex<HashMap<WorkerName, u32>>,
}

/// What a worker's document demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Demand {
    Launch,
    Look,
    Inspect,
    Remove,
}

impl Reconciler {
    /// Works until it is cancelled, then waits for what is under way.
    pub async fn run(self: Arc<Self>, cancel: CancellationToken) {
        let mut changes = self.registry.changes();
        let interval = Duration::from_secs(self.config.timeouts.reconcile_secs.into());
        let mut tasks = JoinSet::new();
        while !cancel.is_cancelled() {
            changes.mark_unchanged();
            let resumes = self.round(&mut tasks).await;
            tokio::select! {
                _ = changes.changed() => {}
                () = tokio::time::sleep(resumes), if resumes < interval => {}
                () = tokio::time::sleep(interval) => self.inspect(&mut tasks),
                () = cancel.cancelled() => {}
            }
            while tasks.try_join_next().is_some() {}
        }
        tasks.shutdown().await;
    }

    /// Looks at everything once. Returns when a pool that pauses goes on.
    async fn round(self: &Arc<Self>, tasks: &mut JoinSet<()>) -> Duration {
        let mut resumes = Duration::MAX;
        for pool in self.config.pools.keys() {
            match self.plan(pool).await {
                Ok(pause) => resumes = resumes.min(pause),
                Err(error) => {
                    tracing::warn!(%pool, %error, "a pool could not be planned, trying again");
                }
            }
        }
        self.judge_time().await;
        for worker in self.registry.workers() {
            if let Some(demand) = demand(&worker) {
                self.act(tasks, worker, demand);
            }
        }
        resumes
    }

    async fn plan(&self, name: &PoolName) -> Result<Duration, Error> {
        let Some(pool) = self.config.pools.get(name) else { return Ok(Duration::MAX) };
        let _planning = self.registry.planning.lock().await;
        let size = self.size(name).await?.clamp(pool.min, pool.max);
        let workers = self.registry.workers();
        let of_it = workers.iter().filter(|worker| worker.pool == *name);
        let wanted = Wanted { size, launches_max: pool.launches_max };
        let now = UnixMillis::now();
        let plan = planner::plan(wanted, of_it, now);
        for name in plan.terminate {
            let reason = "the pool was scaled down".to_owned();
            self.registry.happen(&name, &Input::Terminate(reason)).await?;
        }
        for free in free_names(name, &workers, plan.launch) {
            self.launcher.intend(&free, name).await?;
        }
        let pause = plan.paused_until.map(|until| until.since(now).unsigned_abs());
        Ok(pause.map_or(Duration::MAX, Duration::from_millis))
    }

    /// The stored size; the least one until somebody asks for another.
    async fn size(&self, name: &PoolName) -> Result<u32, Error> {
        if let Some(pool) = self.registry.pool(name).await? {
            return Ok(pool.size);
        }
        let min = self.config.pools.get(name).map_or(0, |pool| pool.min);
        let first = |before: Option<PoolState>| before.unwrap_or_else(|| pool_size(name, min));
        Ok(self.registry.change_pool(name, first).await?.size)
    }

    /// Ends phases that took too long, and marks who is silent.
    async fn judge_time(&self) {
        let now = UnixMillis::now();
        let workers = self.registry.workers();
        for worker in &workers {
            if let Some(why) = overdue(worker, &self.config, now) {
                self.happen(worker, &Input::TimedOut(why)).await;
            }
        }
        let lost_millis = i64::from(self.config.timeouts.lost_secs) * 1000;
        let back = |worker: &&Worker| {
            worker.phase == Phase::Lost
                && self.stats.heartbeats().silence(&worker.agent_id, now) < lost_millis
        };
        for worker in workers.iter().filter(back) {
            self.happen(worker, &Input::Heard).await;
        }
        let ready: Vec<&Worker> = workers.iter().filter(|w| w.phase == Phase::Ready).collect();
        let silent = |worker: &&&Worker| {
            self.stats.heartbeats().silence(&worker.agent_id, now) > lost_millis
        };
        let silent: Vec<&&Worker> = ready.iter().filter(silent).collect();
        if silent.len() > (ready.len() / LOST_PART_MAX).max(1) {
            tracing::warn!(count = silent.len(), "so many are silent at once that it is the bus");
            return;
        }
        for worker in silent {
            self.happen(worker, &Input::Silent).await;
        }
    }

    async fn happen(&self, worker: &Worker, input: &Input) {
        if let Err(error) = self.registry.happen_to(&worker.agent_id, input).await {
            tracing::debug!(worker = %worker.name, %error, "it changed meanwhile");
        }
    }

    /// Asks the clouds about servers that should be there.
    fn inspect(self: &Arc<Self>, tasks: &mut JoinSet<()>) {
        for worker in self.registry.workers() {
            let alive = matches!(
                worker.phase,
                Phase::Booting | Phase::Configuring | Phase::Ready | Phase::Lost
            );
            if alive && worker.provider_id.is_some() {
                self.act(tasks, worker, Demand::Inspect);
            }
        }
    }

    fn act(self: &Arc<Self>, tasks: &mut JoinSet<()>, worker: Worker, demand: Demand) {
        if tasks.len() >= TASKS_MAX || !lock(&self.busy).insert(worker.name.clone()) {
            return;
        }
        let this = Arc::clone(self);
        tasks.spawn(async move {
            let done = this.act_on(&worker, demand).await;
            this.rest(&worker.name, done.is_ok()).await;
            if let Err(error) = done {
                tracing::warn!(worker = %worker.name, %error, ?demand, "it is tried again");
            }
            lock(&this.busy).remove(&worker.name);
            this.registry.wake();
        });
    }

    async fn act_on(&self, worker: &Worker, demand: Demand) -> Result<(), Error> {
        match demand {
            Demand::Launch => self.launcher.launch(worker).await,
            Demand::Look => self.launcher.look(worker).await,
            Demand::Remove => self.launcher.remove(worker).await,
            Demand::Inspect => {
                let server = self.launcher.server_of(worker).await?;
                match server.map(|server| server.status) {
                    None | Some(Status::Deleted | Status::Stopped) => {
                        self.happen(worker, &Input::Gone).await;
                    }
                    Some(Status::Error(why)) => {
                        self.happen(worker, &Input::TimedOut(format!("its server failed: {why}")))
                            .await;
                    }
                    Some(Status::Building | Status::Active | Status::Unknown) => {}
                }
                Ok(())
            }
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn demand(worker: &Worker) -> Option<Demand> {
    match worker.phase {
        Phase::Pending => Some(Demand::Launch),
        Phase::Launching => Some(Demand::Look),
        Phase::Terminating | Phase::Failed => Some(Demand::Remove),
        Phase::Booting
        | Phase::Configuring
        | Phase::Ready
        | Phase::Lost
        | Phase::Draining
        | Phase::Rebuilding
        | Phase::Terminated => None,
    }
}

fn overdue(worker: &Worker, config: &Config, now: UnixMillis) -> Option<String> {
    let (limit, what) = match worker.phase {
        Phase::Booting => (config.timeouts.boot_secs, "its agent did not enrol"),
        Phase::Configuring => (config.timeouts.configure_secs, "its states were not applied"),
        _ => return None,
    };
    (now.since(worker.since) > i64::from(limit) * 1000).then(|| {
        let reason = worker.reason.as_ref().map_or(String::new(), |reason| format!(": {reason}"));
        format!("{what} within {limit} s{reason}")
    })
}

fn pool_size(name: &PoolName, size: u32) -> PoolState {
    PoolState { name: name.clone(), size, op_id: Token::random(random()) }
}

/// The lowest numbers whose names are free, so that names stay the same few over the years.
fn free_names(pool: &PoolName, workers: &[Worker], count: u32) -> Vec<WorkerName> {
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
    fn names_that_are_free_again_are_used_again() {
        let (mut first, mut second) = (pending(), pending());
        first.phase = Phase::Terminated;
        second.name = "compute-0002".parse().unwrap();
        let names = free_names(&"compute".parse().unwrap(), &[first, second], 2);
        let names: Vec<&str> = names.iter().map(WorkerName::as_str).collect();
        assert_eq!(names, ["compute-0001", "compute-0003"]);
    }
}
