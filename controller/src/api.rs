//! What people ask: each call is checked, done, and answered in words.
//!
//! The server lets a role make only the calls of its template, and says who calls; the name in the
//! subject is checked against that. Calls that change something are told as events.

use crate::config::Config;
use crate::jobs::{Job, Jobs};
use crate::lifecycle::Input;
use crate::registry::{self, Registry};
use crate::stats::Stats;
use muster_protocol::api::{
    Answer, ClusterShow, ClusterView, CommandRun, CommandStarted, PoolList, PoolScale, PoolView,
    Question, Refusal, RefusalKind, StatsShow, TailOpen, TailOpened, Target, WorkerLaunch,
    WorkerList, WorkerTerminate, WorkerView,
};
use muster_protocol::bus::stream::JetStream;
use muster_protocol::bus::{self, Bus, Call};
use muster_protocol::event::Event;
use muster_protocol::id::{PoolName, Token, UnixMillis, UserName, WorkerName, random};
use muster_protocol::subject::{self, Source};
use muster_protocol::wire;
use muster_protocol::worker::{Phase, PoolState, Worker};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::task::TaskTracker;

/// The longest that a command may wait for its results.
pub const COMMAND_TIMEOUT_MAX: Duration = Duration::from_secs(86_400);

/// Answers people.
#[derive(Debug)]
pub struct Api {
    /// Pools.
    pub config: Arc<Config>,
    /// The connection in BUS.
    pub bus: Bus,
    /// Opens tails.
    pub jetstream: JetStream,
    /// The truth.
    pub registry: Arc<Registry>,
    /// Runs commands.
    pub jobs: Arc<Jobs>,
    /// Readings.
    pub stats: Arc<Stats>,
    /// Publishes states before they are applied.
    pub states: Arc<crate::states::States>,
    /// When the controller started.
    pub started: UnixMillis,
    /// The commands under way.
    pub tasks: TaskTracker,
}

type Done<T> = Result<T, Refusal>;

impl Api {
    /// Answers one call on `muster.api.<user>.<noun>.<verb>`.
    pub async fn answer(&self, call: Call) {
        let Some([user, noun, verb]) = subject::tokens(&call.subject, "muster.api.") else {
            return;
        };
        let Ok(user) = user.parse::<UserName>() else { return };
        if call.caller.name != user.as_str() {
            let refusal = refuse(RefusalKind::Forbidden, "call in your own name");
            return respond::<ClusterShow>(call, Err(refusal)).await;
        }
        let about = (noun.to_owned(), verb.to_owned());
        match (noun, verb) {
            ("cluster", "show") => self.done::<ClusterShow>(&user, call, self.cluster_show()).await,
            ("worker", "list") => with(call, async |q: WorkerList| self.worker_list(&q)).await,
            ("worker", "launch") => {
                let launched =
                    async |q: WorkerLaunch| self.told(&user, &about, self.launch(&q).await).await;
                with(call, launched).await;
            }
            ("worker", "terminate") => {
                let ended = async |q: WorkerTerminate| {
                    self.told(&user, &about, self.terminate(&user, &q).await).await
                };
                with(call, ended).await;
            }
            ("pool", "list") => with(call, async |_: PoolList| self.pool_list().await).await,
            ("pool", "scale") => {
                let scaled =
                    async |q: PoolScale| self.told(&user, &about, self.scale(&q).await).await;
                with(call, scaled).await;
            }
            ("tail", "open") => with(call, async |q: TailOpen| self.tail(&user, &q).await).await,
            ("stats", "show") => with(call, async |q: StatsShow| self.stats_show(&q)).await,
            ("command", "run") => {
                let run =
                    async |q: CommandRun| self.told(&user, &about, self.command(q).await).await;
                with(call, run).await;
            }
            _ => {
                let text = format!("there is no call {noun} {verb}; upgrade the controller");
                respond::<ClusterShow>(call, Err(refuse(RefusalKind::Invalid, text))).await;
            }
        }
    }

    async fn done<Q: Question>(&self, _user: &UserName, call: Call, answer: Done<Q::Answer>) {
        respond::<Q>(call, answer).await;
    }

    fn cluster_show(&self) -> Done<ClusterView> {
        Ok(ClusterView {
            name: self.config.cluster.to_string(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: self.started,
            nats_version: self.bus.server_version(),
            phases: phases(self.registry.workers().iter()),
            sinks: self.stats.sinks(),
        })
    }

    fn worker_list(&self, question: &WorkerList) -> Done<Vec<WorkerView>> {
        let workers = match &question.target {
            Some(target) => self.select(target)?,
            None => self.registry.workers(),
        };
        let shown = workers.iter().filter(|w| question.all || w.phase != Phase::Terminated);
        Ok(shown.map(|worker| self.view(worker)).collect())
    }

    fn view(&self, worker: &Worker) -> WorkerView {
        let heard = self.stats.heartbeats().of(&worker.agent_id);
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
        }
    }

    async fn launch(&self, question: &WorkerLaunch) -> Done<PoolView> {
        let before = self.size(&question.pool).await?;
        let size = before.saturating_add(question.count);
        self.scale(&PoolScale { pool: question.pool.clone(), size }).await
    }

    async fn scale(&self, question: &PoolScale) -> Done<PoolView> {
        let pool =
            self.config.pools.get(&question.pool).ok_or_else(|| self.no_pool(&question.pool))?;
        let (min, max, size) = (pool.min, pool.max, question.size);
        if size < min || size > max {
            let text =
                format!("pool {} has between {min} and {max} workers, not {size}", question.pool);
            return Err(refuse(RefusalKind::Conflict, text));
        }
        let sized = |before: Option<PoolState>| PoolState {
            name: question.pool.clone(),
            size,
            op_id: before.map_or_else(|| Token::random(random()), |before| before.op_id),
        };
        self.registry.change_pool(&question.pool, sized).await.map_err(unavailable)?;
        self.pool_view(&question.pool).await
    }

    async fn terminate(
        &self,
        user: &UserName,
        question: &WorkerTerminate,
    ) -> Done<Vec<WorkerName>> {
        let mut ended = Vec::new();
        for worker in self.select(&question.target)? {
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
        let less = |before: Option<PoolState>| PoolState {
            name: pool.clone(),
            size: before.map_or(min, |before| before.size.saturating_sub(1).max(min)),
            op_id: Token::random(random()),
        };
        self.registry.change_pool(pool, less).await.map_err(unavailable)?;
        Ok(())
    }

    async fn pool_list(&self) -> Done<Vec<PoolView>> {
        let mut views = Vec::new();
        for name in self.config.pools.keys() {
            views.push(self.pool_view(name).await?);
        }
        Ok(views)
    }

    async fn pool_view(&self, name: &PoolName) -> Done<PoolView> {
        let pool = self.config.pools.get(name).ok_or_else(|| self.no_pool(name))?;
        let workers = self.registry.workers();
        Ok(PoolView {
            name: name.clone(),
            provider: pool.provider.clone(),
            min: pool.min,
            max: pool.max,
            size: self.size(name).await?,
            phases: phases(workers.iter().filter(|worker| worker.pool == *name)),
        })
    }

    async fn size(&self, name: &PoolName) -> Done<u32> {
        let pool = self.config.pools.get(name).ok_or_else(|| self.no_pool(name))?;
        let stored = self.registry.pool(name).await.map_err(unavailable)?;
        Ok(stored.map_or(pool.min, |stored| stored.size))
    }

    async fn tail(&self, user: &UserName, question: &TailOpen) -> Done<TailOpened> {
        let below = question.filter.starts_with(subject::EVENT_PREFIX);
        if !below || question.filter.contains(char::is_whitespace) {
            let text = format!(
                "{:?} is no subject below muster.event., e.g. muster.event.>",
                question.filter
            );
            return Err(refuse(RefusalKind::Invalid, text));
        }
        let feed = subject::feed(user, &question.lease);
        let opened = self.jetstream.open_feed(feed, &question.filter, question.since).await;
        let pending = opened.map_err(|error| refuse(RefusalKind::Invalid, chain(&error)))?;
        Ok(TailOpened { pending })
    }

    fn stats_show(&self, question: &StatsShow) -> Done<Vec<muster_protocol::api::SeriesView>> {
        let workers = match &question.target {
            Some(target) => self.select(target)?,
            None => self.registry.workers(),
        };
        let names: Vec<WorkerName> = workers.into_iter().map(|worker| worker.name).collect();
        let shown = self.stats.show(&names, question, UnixMillis::now());
        shown.map_err(|error| refuse(RefusalKind::Invalid, error.to_string()))
    }

    async fn command(&self, question: CommandRun) -> Done<CommandStarted> {
        let timeout = Duration::from_secs(question.timeout_secs.into()).min(COMMAND_TIMEOUT_MAX);
        let mut workers = self.select(&question.target)?;
        workers.retain(|worker| worker.keys.is_some() && !is_ending(worker.phase));
        if workers.is_empty() {
            let text = "no enrolled worker matches; see `muster worker list`";
            return Err(refuse(RefusalKind::Missing, text));
        }
        if !self.jobs.has_room(workers.len()) {
            let text = "too many commands wait for their results; try again later";
            return Err(refuse(RefusalKind::Unavailable, text));
        }
        let names = workers.iter().map(|worker| worker.name.clone()).collect();
        for worker in workers {
            let agent = worker.agent_id.clone();
            let verb = self.prepared(&worker, &question.verb).await?;
            let job = Job { call: question.call.clone(), agent, verb, timeout };
            let jobs = Arc::clone(&self.jobs);
            self.tasks.spawn(async move { jobs.run(job).await });
        }
        Ok(CommandStarted { workers: names })
    }

    /// An apply runs on the tree and pillar as they are now.
    async fn prepared(
        &self,
        worker: &Worker,
        verb: &muster_protocol::command::Verb,
    ) -> Done<muster_protocol::command::Verb> {
        use muster_protocol::command::Verb;
        let Verb::Apply { sls, test, .. } = verb else { return Ok(verb.clone()) };
        let published = self.states.publish(&worker.agent_id, false).await;
        let revision = published.map_err(|error| refuse(RefusalKind::Invalid, chain(&error)))?;
        Ok(Verb::Apply { sls: sls.clone(), test: *test, revision })
    }

    fn select(&self, target: &Target) -> Done<Vec<Worker>> {
        let workers = self.registry.workers();
        let live = workers.into_iter().filter(|worker| worker.phase != Phase::Terminated);
        let selected: Vec<Worker> = match target {
            Target::Pool(pool) => {
                if !self.config.pools.contains_key(pool) {
                    return Err(self.no_pool(pool));
                }
                live.filter(|worker| worker.pool == *pool).collect()
            }
            Target::Names(names) => live
                .filter(|worker| muster_states::target::selects(names, worker.name.as_str()))
                .collect(),
        };
        Ok(selected)
    }

    fn no_pool(&self, name: &PoolName) -> Refusal {
        let known: Vec<&str> = self.config.pools.keys().map(PoolName::as_str).collect();
        let text = format!("there is no pool {name}; there is: {}", known.join(", "));
        refuse(RefusalKind::Missing, text)
    }

    /// Every call that changes something is an event, with who made it and what came of it.
    async fn told<T>(&self, user: &UserName, call: &(String, String), done: Done<T>) -> Done<T> {
        let refused = done.as_ref().err().map(|refusal| refusal.message.clone());
        let (noun, verb) = call;
        let data = serde_json::json!({
            "user": user, "noun": noun, "verb": verb, "ok": refused.is_none(), "error": refused,
        });
        let token = |text: &str| -> Token { text.parse().expect("names and verbs are tokens") };
        let subject = subject::event(Source::Api, &token(user.as_str()), &token("called"));
        let event = Event { id: Token::random(random()), at: UnixMillis::now(), data };
        if let Err(error) = self.bus.publish_event(subject, &event).await {
            tracing::warn!(%user, noun, verb, %error, "a call's event was not stored");
        }
        done
    }
}

/// Reads a question, does what it asks, and answers.
async fn with<Q, F>(call: Call, serve: F)
where
    Q: Question,
    F: AsyncFnOnce(Q) -> Done<Q::Answer>,
{
    let answer = match wire::decode::<Q>(&call.payload) {
        Ok(question) => serve(question).await,
        Err(error) => Err(refuse(RefusalKind::Invalid, error.to_string())),
    };
    respond::<Q>(call, answer).await;
}

async fn respond<Q: Question>(call: Call, answer: Done<Q::Answer>) {
    let subject = call.subject.clone();
    let answer = match answer {
        Ok(answer) => Answer::Ok(answer),
        Err(refusal) => Answer::Refused(refusal),
    };
    if let Err(error) = call.responder.send(&answer).await {
        tracing::debug!(subject, %error, "an answer was lost");
    }
}

fn refuse(kind: RefusalKind, message: impl Into<String>) -> Refusal {
    Refusal { kind, message: message.into() }
}

fn unavailable(error: registry::Error) -> Refusal {
    let kind = match &error {
        registry::Error::Missing { .. } => RefusalKind::Missing,
        registry::Error::Refused(_) => RefusalKind::Conflict,
        registry::Error::Bus(bus::Error::Conflict { .. })
        | registry::Error::Contended { .. }
        | registry::Error::Foreign { .. }
        | registry::Error::Sign(_)
        | registry::Error::Bus(_) => RefusalKind::Unavailable,
    };
    refuse(kind, chain(&error))
}

/// An error with its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}

fn is_ending(phase: Phase) -> bool {
    matches!(phase, Phase::Terminating | Phase::Terminated | Phase::Failed)
}

fn phases<'a>(workers: impl Iterator<Item = &'a Worker>) -> BTreeMap<Phase, u32> {
    let mut counts = BTreeMap::new();
    for worker in workers.filter(|worker| worker.phase != Phase::Terminated) {
        *counts.entry(worker.phase).or_default() += 1;
    }
    counts
}
