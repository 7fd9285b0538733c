//! Calls about workers: what they are, what shall become of them, commands on them.

use super::{Api, Done, refuse, unavailable};
use crate::jobs::Job;
use crate::lifecycle::Input;
use crate::reconciler::new_pool;
use crate::registry;
use muster_protocol::api::{
    CommandRun, CommandStarted, Mark, RefusalKind, WorkerList, WorkerMark, WorkerRebuild,
    WorkerTerminate, WorkerView,
};
use muster_protocol::command::Verb;
use muster_protocol::id::{PoolName, UserName, WorkerName};
use muster_protocol::worker::{AfterDrain, Occupancy, Phase, PoolState, Worker};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The longest that a command may wait for its results.
const COMMAND_TIMEOUT_MAX: Duration = Duration::from_secs(86_400);

impl Api {
    pub(super) async fn worker_list(&self, question: &WorkerList) -> Done<Vec<WorkerView>> {
        let workers = match &question.target {
            Some(target) => self.select(target)?,
            None => self.registry.workers(),
        };
        let mut images = BTreeMap::new();
        for pool in self.config.pools.keys() {
            images.insert(pool.clone(), self.image(pool).await?);
        }
        let shown = workers.iter().filter(|w| question.all || w.phase != Phase::Terminated);
        Ok(shown.map(|worker| self.view(worker, &images)).collect())
    }

    fn view(&self, worker: &Worker, images: &BTreeMap<PoolName, String>) -> WorkerView {
        let heard = self.stats.heartbeats().of(&worker.agent_id);
        let begun = !matches!(worker.phase, Phase::Pending | Phase::Terminated);
        let current = images.get(&worker.pool);
        WorkerView {
            name: worker.name.clone(),
            pool: worker.pool.clone(),
            phase: worker.phase,
            reason: worker.reason.clone(),
            generation: worker.generation,
            agent_id: worker.agent_id.clone(),
            provider_id: worker.provider_id.clone(),
            milestones: worker.milestones.clone(),
            states: worker.states.clone(),
            frames: heard.map_or(0, |heard| heard.frames),
            last_frame: heard.map(|heard| heard.last),
            image: worker.image.clone(),
            image_is_old: begun && current.is_some_and(|current| *current != worker.image),
            addresses: worker.addresses.clone(),
            occupancy: worker.occupancy,
            held: worker.held,
            after_drain: worker.after_drain.clone(),
            history: worker.history.clone(),
        }
    }

    pub(super) async fn terminate(
        &self,
        user: &UserName,
        question: &WorkerTerminate,
    ) -> Done<Vec<WorkerName>> {
        let workers = self.select(&question.target)?;
        if !question.force {
            let busy = |w: &&Worker| w.occupancy == Occupancy::Busy || w.held;
            let busy: Vec<&str> = workers.iter().filter(busy).map(|w| w.name.as_str()).collect();
            if !busy.is_empty() {
                let text =
                    format!("{} run jobs or are held; drain them, or say --force", busy.join(", "));
                return Err(refuse(RefusalKind::Conflict, text));
            }
        }
        let mut ended = Vec::new();
        for worker in workers {
            if matches!(worker.phase, Phase::Terminating | Phase::Terminated) {
                continue;
            }
            // Together, so that nobody replaces the worker, and none other goes in its place.
            let _planning = self.registry.planning.lock().await;
            let reason = format!("terminated by {user}");
            match self.registry.happen(&worker.name, &Input::Terminate(reason)).await {
                Ok(_) if worker.phase.is_wanted() => self.shrink(&worker.pool).await?,
                Ok(_) | Err(registry::Error::Refused(_)) => {}
                Err(error) => return Err(unavailable(error)),
            }
            ended.push(worker.name);
        }
        Ok(ended)
    }

    async fn shrink(&self, pool: &PoolName) -> Done<()> {
        let min = self.config.pools.get(pool).map_or(0, |pool| pool.min);
        let less = |before: Option<PoolState>| {
            let before = before.unwrap_or_else(|| new_pool(pool, min));
            PoolState { size: before.size.saturating_sub(1).max(min), ..before }
        };
        self.registry.change_pool(pool, less).await.map_err(unavailable)?;
        Ok(())
    }

    pub(super) async fn mark(&self, question: &WorkerMark) -> Done<Vec<WorkerName>> {
        let input = match question.mark {
            Mark::Drain => Input::Drain(AfterDrain::Stay),
            Mark::Undrain => Input::Undrain,
            Mark::Hold => Input::Held(true),
            Mark::Release => Input::Held(false),
            Mark::Busy => Input::Occupied(Occupancy::Busy),
            Mark::Idle => Input::Occupied(Occupancy::Idle),
        };
        self.each(self.select(&question.target)?, &input).await
    }

    pub(super) async fn rebuild(&self, question: &WorkerRebuild) -> Done<Vec<WorkerName>> {
        let input = Input::Drain(AfterDrain::Rebuild(question.image.clone()));
        self.each(self.select(&question.target)?, &input).await
    }

    /// Lets something happen to workers; refused only when it can happen to none of them.
    async fn each(&self, workers: Vec<Worker>, input: &Input) -> Done<Vec<WorkerName>> {
        let (mut done, mut refused) = (Vec::new(), Vec::new());
        for worker in workers {
            match self.registry.happen(&worker.name, input).await {
                Ok(_) => done.push(worker.name),
                Err(registry::Error::Refused(why)) => {
                    refused.push(format!("{}: {why}", worker.name));
                }
                Err(error) => return Err(unavailable(error)),
            }
        }
        match (done.is_empty(), refused.is_empty()) {
            (true, true) => {
                let text = "no worker matches; see `muster worker list`";
                Err(refuse(RefusalKind::Missing, text))
            }
            (true, false) => Err(refuse(RefusalKind::Conflict, refused.join("; "))),
            (false, _) => Ok(done),
        }
    }

    pub(super) async fn command(&self, question: CommandRun) -> Done<CommandStarted> {
        if matches!(question.verb, Verb::Renew) {
            let text = "agents renew by themselves; `muster keys rotate` lets them do it at once";
            return Err(refuse(RefusalKind::Invalid, text));
        }
        let timeout = Duration::from_secs(question.timeout_secs.into()).min(COMMAND_TIMEOUT_MAX);
        let mut workers = self.select(&question.target)?;
        workers.retain(|worker| !is_ending(worker.phase));
        if workers.is_empty() {
            let text = "no worker matches; see `muster worker list`";
            return Err(refuse(RefusalKind::Missing, text));
        }
        if !self.jobs.has_room(workers.len()) {
            let text = "too many commands wait for their results; try again later";
            return Err(refuse(RefusalKind::Unavailable, text));
        }
        let names = workers.iter().map(|worker| worker.name.clone()).collect();
        for worker in workers {
            let agent = worker.agent_id.clone();
            // One that has not enrolled cannot be asked, and is told like one that is silent.
            let verb = match worker.keys.is_some() {
                true => self.prepared(&worker, &question.verb).await?,
                false => question.verb.clone(),
            };
            let job = Job { call: question.call.clone(), agent, verb, timeout };
            let jobs = Arc::clone(&self.jobs);
            self.tasks.spawn(async move { jobs.run(job).await });
        }
        Ok(CommandStarted { workers: names })
    }

    /// An apply runs on the tree and pillar as they are now.
    async fn prepared(&self, worker: &Worker, verb: &Verb) -> Done<Verb> {
        let Verb::Apply { sls, test, .. } = verb else { return Ok(verb.clone()) };
        let published = self.states.publish(&worker.agent_id, false).await;
        let failed = |error| refuse(RefusalKind::Invalid, crate::chain(&error));
        let revision = published.map_err(failed)?;
        Ok(Verb::Apply { sls: sls.clone(), test: *test, revision })
    }
}

fn is_ending(phase: Phase) -> bool {
    matches!(phase, Phase::Terminating | Phase::Terminated | Phase::Failed)
}
