//! Hooks: what an operator wants run on the head node, or called, at points of a worker's life.
//!
//! Points *before* something are waited for by whoever is about to do it ([`Hooks::run`]); points
//! *after* it come from the workers' events ([`follow`]). Either way a hook may run twice, never
//! longer than its time, and its failure changes nothing but what is told: a warning, and the event
//! `muster.event.worker.<name>.hook_failed`.

pub mod config;
pub mod follow;
mod header;
pub(crate) mod program;
mod seen;
pub mod view;
mod webhook;

pub use config::{Act, Config, Point};

use crate::documents::Teller;
use futures_util::future::join_all;
use muster_protocol::event::Event;
use muster_protocol::id::{AgentId, ClusterName, PoolName, Token, UnixMillis, WorkerName, random};
use muster_protocol::subject::{self, Source};
use muster_protocol::worker::Worker;
use program::Failed;
use seen::Seen;
use serde::Serialize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::Semaphore;
use view::View;
use webhook::Webhook;

/// Hooks that run before something at once; the next ones wait, and what they precede with them.
const BEFORE_RUNNING_MAX: usize = 32;
/// Hooks that run after something at once, apart from the others: they hold back no launch.
const AFTER_RUNNING_MAX: usize = 32;

/// Why hooks cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A webhook's certificates cannot be read.
    #[error("hook {hook}: {what}")]
    Certificates {
        /// Which hook.
        hook: String,
        /// What is wrong, and what to do.
        what: String,
    },
}

/// All hooks of a configuration.
#[derive(Debug)]
pub struct Hooks {
    hooks: Vec<Hook>,
    cluster: ClusterName,
    teller: Arc<dyn Teller>,
    before: Semaphore,
    after: Semaphore,
    /// What precedes something, run before: a launch or a removal that is tried again.
    ran: Mutex<Seen<(Point, AgentId)>>,
}

/// One hook, ready to run.
#[derive(Debug)]
struct Hook {
    config: Config,
    /// Set for one that calls.
    webhook: Option<Webhook>,
}

/// `worker.<name>.hook_failed`: a hook did not do what it should.
#[derive(Debug, Serialize)]
struct HookFailed<'a> {
    point: Point,
    /// The program, or the webhook's scheme and host: the rest of an URL may be a secret.
    hook: String,
    agent_id: &'a str,
    pool: &'a PoolName,
    generation: u32,
    /// Why, in words.
    error: String,
    /// The last lines of its output, or of the answer.
    output: String,
    millis: u64,
}

impl Hooks {
    /// The hooks of a configuration; failures are told to `teller`.
    ///
    /// # Errors
    /// When certificates of a webhook cannot be read.
    pub fn new(
        configs: Vec<Config>,
        cluster: ClusterName,
        teller: Arc<dyn Teller>,
    ) -> Result<Hooks, Error> {
        let ready = |config: Config| {
            let webhook = match &config.act {
                Act::Run(_) => None,
                Act::Webhook(act) => Some(
                    Webhook::new(act)
                        .map_err(|what| Error::Certificates { hook: config.act.name(), what })?,
                ),
            };
            Ok(Hook { config, webhook })
        };
        Ok(Hooks {
            hooks: configs.into_iter().map(ready).collect::<Result<_, Error>>()?,
            cluster,
            teller,
            before: Semaphore::new(BEFORE_RUNNING_MAX),
            after: Semaphore::new(AFTER_RUNNING_MAX),
            ran: Mutex::default(),
        })
    }

    /// Runs a point's hooks of a worker side by side, and returns when all have ended or their
    /// time is over. A failure is told and stops nothing. They run once for a generation, however
    /// often what follows is tried.
    pub async fn run(&self, point: Point, worker: &Worker) {
        let id = (point, worker.agent_id.clone());
        if !self.concern(point, &worker.pool) || lock(&self.ran).is_done(&id) {
            return;
        }
        self.run_view(&View::of(point, &self.cluster, worker)).await;
        lock(&self.ran).done(&id);
    }

    /// Whether any hook waits for a point of a pool's worker.
    #[must_use]
    pub fn concern(&self, point: Point, pool: &PoolName) -> bool {
        self.hooks.iter().any(|hook| hook.config.concerns(point, pool))
    }

    async fn run_view(&self, view: &View) {
        let input = view.json();
        let of_it = self.hooks.iter().filter(|hook| hook.config.concerns(view.point, &view.pool));
        join_all(of_it.map(|hook| self.run_one(hook, view, &input))).await;
    }

    async fn run_one(&self, hook: &Hook, view: &View, input: &str) {
        let room = if view.point.is_before() { &self.before } else { &self.after };
        let Ok(_permit) = room.acquire().await else { return };
        let began = Instant::now();
        let done = hook.run(input).await;
        let millis = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (worker, point, name) = (&view.name, view.point, hook.config.act.name());
        match done {
            Ok(()) => {
                tracing::debug!(%worker, %point, hook = name, elapsed_ms = millis, "hook ran")
            }
            Err(failed) => {
                let error = &failed.what;
                let elapsed_ms = millis;
                tracing::warn!(%worker, %point, hook = name, elapsed_ms, error, "hook failed");
                self.tell(view, name, failed, millis).await;
            }
        }
    }

    async fn tell(&self, view: &View, hook: String, failed: Failed, millis: u64) {
        let data = HookFailed {
            point: view.point,
            hook,
            agent_id: &view.agent_id,
            pool: &view.pool,
            generation: view.generation,
            error: failed.what,
            output: failed.output,
            millis,
        };
        let event = Event::new(Token::random(random()), UnixMillis::now(), &data);
        let subject = failed_subject(&view.name);
        if let Err(error) = self.teller.tell(subject.clone(), event).await {
            tracing::warn!(error = crate::chain(&error), subject, "event was not stored");
        }
    }
}

impl Hook {
    async fn run(&self, input: &str) -> Result<(), Failed> {
        match (&self.config.act, &self.webhook) {
            (Act::Run(argv), _) => program::run(argv, input, self.config.timeout).await,
            (Act::Webhook(_), Some(webhook)) => webhook.call(input, self.config.timeout).await,
            (Act::Webhook(_), None) => Ok(()),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn failed_subject(worker: &WorkerName) -> String {
    let name: Token = worker.as_str().parse().expect("a worker's name is a token");
    let kind: Token = "hook_failed".parse().expect("a token");
    subject::event(Source::Worker, &name, &kind)
}

#[cfg(test)]
mod tests;
