//! Readings: every frame to the history and to each sink, and what the API shows of them.
//!
//! The history lives in memory and is filled anew at start from the stream's last hours. Each sink
//! has a consumer of its own in the stream, so one that is down holds nobody back and catches up.

use crate::config::Config;
use crate::doubles::Doubles;
use crate::heartbeats::Heartbeats;
use crate::lifecycle::Input;
use crate::registry::Registry;
use muster_protocol::api::{SeriesView, SinkView, StatsShow};
use muster_protocol::bus::stream::{Consumer, JetStream, STATS};
use muster_protocol::bus::{self, Bus};
use muster_protocol::event::{Alarm, Event};
use muster_protocol::id::{AgentId, Token, UnixMillis, WorkerName, random};
use muster_protocol::subject::{self, Source};
use muster_protocol::worker::Worker;
use muster_reactors::history::{History, Limits, TooMany};
use muster_reactors::pipeline::{OnFrame, Pipeline, Schemas, Status, Written};
use muster_reactors::sink::{self, Sink};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// What frames have shown and waits to be told.
const NEWS_MAX: usize = 4096;
/// How far back the history is filled at start.
const REFILL_MILLIS: i64 = 3_600_000;
/// The name of the history among the sinks.
const HISTORY: &str = "history";

/// What the pipelines need.
#[derive(Debug)]
pub struct Parts {
    /// Sinks.
    pub config: Arc<Config>,
    /// Tells first frames.
    pub bus: Bus,
    /// Where frames and schemas are.
    pub jetstream: JetStream,
    /// Whose first frame it is.
    pub registry: Arc<Registry>,
}

impl Parts {
    /// From what the controller shares.
    #[must_use]
    pub fn new(
        config: &Arc<Config>,
        bus: &Bus,
        jetstream: &JetStream,
        registry: &Arc<Registry>,
    ) -> Parts {
        let (config, registry) = (Arc::clone(config), Arc::clone(registry));
        Parts { config, bus: bus.clone(), jetstream: jetstream.clone(), registry }
    }
}

/// The pipelines as the API and the reconciler see them.
pub struct Stats {
    parts: Parts,
    schemas: Arc<Schemas<JetStream>>,
    history: Arc<History>,
    sinks: Mutex<Vec<Arc<Status>>>,
    /// By sink, what it has: a pipeline ends with the lease, and what NATS did not learn was
    /// written comes again.
    written: Mutex<BTreeMap<String, Arc<Written>>>,
    heartbeats: Arc<Heartbeats>,
    doubles: Arc<Doubles>,
}

/// What a frame has shown besides its readings.
enum News {
    /// It is the agent's first since the controller started.
    First(AgentId),
    /// Two processes speak with the agent's key.
    Double(AgentId),
}

impl std::fmt::Debug for Stats {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(to, "Stats({} sinks)", self.lock().len())
    }
}

impl Stats {
    /// An empty history, and no sinks yet.
    #[must_use]
    pub fn new(parts: Parts) -> Stats {
        let heartbeats = Arc::new(Heartbeats::new(UnixMillis::now()));
        let history = Arc::new(History::new(Limits::default()));
        let schemas = Arc::new(Schemas::new(parts.jetstream.clone()));
        let (sinks, written, doubles) = (Mutex::default(), Mutex::default(), Arc::default());
        Stats { parts, schemas, history, sinks, written, heartbeats, doubles }
    }

    /// Fills the history and hears agents, until it is cancelled; on every controller.
    ///
    /// # Errors
    /// When the consumer is gone for good.
    pub async fn hear(self: Arc<Self>, cancel: CancellationToken) -> Result<(), bus::Error> {
        let since = UnixMillis::now().plus(-REFILL_MILLIS);
        let reader = self.parts.jetstream.reader(STATS, subject::STATS_ALL, since).await?;
        let (tell, news) = mpsc::channel(NEWS_MAX);
        let on_frame = on_frame(Arc::clone(&self.heartbeats), Arc::clone(&self.doubles), tell);
        let memory = Sink::History(Arc::clone(&self.history));
        let pipeline = self.pipeline(reader, memory, HISTORY, Some(on_frame));
        let mut running = JoinSet::new();
        running.spawn(pipeline.run(cancel.clone()));
        let this = Arc::clone(&self);
        running.spawn(async move { this.tell_news(news, cancel).await });
        finish(running).await
    }

    /// Feeds the sinks until it is cancelled; on the controller that reconciles.
    ///
    /// # Errors
    /// When a consumer is gone for good.
    pub async fn feed(self: Arc<Self>, cancel: CancellationToken) -> Result<(), bus::Error> {
        self.lock().retain(|status| status.name() == HISTORY);
        let mut running = JoinSet::new();
        for config in &self.parts.config.sinks {
            let name = config.name().to_string();
            let durable = format!("sink-{name}");
            let jetstream = &self.parts.jetstream;
            let source = jetstream.consumer(STATS, &durable, subject::STATS_ALL).await?;
            let pipeline = self.pipeline(source, Sink::new(config.clone()), &name, None);
            running.spawn(pipeline.run(cancel.clone()));
        }
        // Without sinks there is nothing to wait for but the end.
        running.spawn(async move {
            cancel.cancelled().await;
            Ok(())
        });
        finish(running).await
    }

    fn pipeline(
        &self,
        source: Consumer,
        sink: Sink,
        name: &str,
        on_frame: Option<OnFrame>,
    ) -> Pipeline<Consumer, JetStream> {
        let status = Arc::new(Status::new(name));
        self.lock().push(Arc::clone(&status));
        let (schemas, clock) = (Arc::clone(&self.schemas), UnixMillis::now);
        let mut all = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let written = Arc::clone(all.entry(name.to_owned()).or_default());
        Pipeline { source, schemas, sink, status, written, on_frame, clock }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Status>>> {
        self.sinks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The sinks and how they do.
    #[must_use]
    pub fn sinks(&self) -> Vec<SinkView> {
        self.lock().iter().map(|status| status.view()).collect()
    }

    /// Readings of workers.
    ///
    /// # Errors
    /// When they are too many for one answer.
    pub fn show(
        &self,
        names: &[WorkerName],
        question: &StatsShow,
        now: UnixMillis,
    ) -> Result<Vec<SeriesView>, TooMany> {
        self.history.show(names, question, now)
    }

    /// When agents were heard.
    #[must_use]
    pub fn heartbeats(&self) -> &Heartbeats {
        &self.heartbeats
    }

    async fn tell_news(
        &self,
        mut news: mpsc::Receiver<News>,
        cancel: CancellationToken,
    ) -> Result<(), bus::Error> {
        while let Some(Some(news)) = cancel.run_until_cancelled(news.recv()).await {
            match news {
                News::First(agent) => self.tell_first(&agent).await,
                News::Double(agent) => tell_double(&self.parts.bus, &agent).await,
            }
        }
        Ok(())
    }

    /// The first frame of a generation is a milestone that people wait for.
    async fn tell_first(&self, agent: &AgentId) {
        let registry = &self.parts.registry;
        let Some(worker) = registry.agent(agent) else { return };
        if worker.milestones.first_sample.is_some() {
            return;
        }
        match registry.happen_to(agent, &Input::Heard).await {
            Ok(worker) => tell(&self.parts.bus, &worker).await,
            Err(error) => tracing::debug!(agent_id = %agent, %error, "it is told already"),
        }
    }

    /// Forgets an agent that is over.
    pub fn forget(&self, agent: &AgentId) {
        self.heartbeats.forget(agent);
        self.doubles.forget(agent);
        self.history.forget(&agent.worker());
    }
}

impl crate::reconciler::Hearing for Stats {
    fn silence(&self, agent: &AgentId, now: UnixMillis) -> i64 {
        self.heartbeats.silence(agent, now)
    }

    fn answers(&self, agent: &AgentId, now: UnixMillis, within: i64) -> Option<bool> {
        self.heartbeats.answers(agent, now, within)
    }
}

/// Counts each frame; an agent's first one since the start is looked at further.
fn on_frame(
    heartbeats: Arc<Heartbeats>,
    doubles: Arc<Doubles>,
    tell: mpsc::Sender<News>,
) -> OnFrame {
    Box::new(move |batch| {
        let agent = &batch.agent;
        let first = heartbeats.beat(agent, UnixMillis::now()).then(|| News::First(agent.clone()));
        let double = doubles.hear(agent, &batch.boot, batch.seq);
        let double = double.then(|| News::Double(agent.clone()));
        // What is not told comes to light with the next start.
        for news in first.into_iter().chain(double) {
            if tell.try_send(news).is_err() {
                tracing::warn!(agent_id = %agent, "too many first frames at once");
            }
        }
    })
}

async fn finish(mut running: JoinSet<Result<(), bus::Error>>) -> Result<(), bus::Error> {
    while let Some(done) = running.join_next().await {
        done.map_err(|_| bus::Error::Closed)??;
    }
    Ok(())
}

async fn tell_double(bus: &Bus, agent: &AgentId) {
    let what = "two processes speak with its key: its disk or its keys were copied; terminate it, \
                and see who could read them";
    tracing::warn!(agent_id = %agent, "two processes speak with one agent's key");
    let token = |text: &str| -> Token { text.parse().expect("ids and kinds are tokens") };
    let alarm = Alarm { who: agent.to_string(), what: what.to_owned() };
    let event = Event::new(Token::random(random()), UnixMillis::now(), &alarm);
    let subject = subject::event(Source::Security, &token(agent.as_str()), &token("double"));
    if let Err(error) = bus.publish_event(subject, &event).await {
        tracing::error!(
            agent_id = %agent,
            error = crate::chain(&error),
            "a security event could not be stored"
        );
    }
}

async fn tell(bus: &Bus, worker: &Worker) {
    let token = |text: &str| -> Token { text.parse().expect("names are tokens") };
    let (name, kind) = (token(worker.name.as_str()), token("first_sample"));
    let millis = worker.milestones.first_sample.zip(worker.milestones.launched);
    let data = serde_json::json!({
        "agent_id": worker.agent_id, "millis": millis.map(|(sample, launch)| sample.since(launch)),
    });
    let event = Event { id: Token::random(random()), at: UnixMillis::now(), data };
    let subject = subject::event(Source::Worker, &name, &kind);
    if let Err(error) = bus.publish_event(subject, &event).await {
        tracing::debug!(%error, "the event of a first sample was not stored");
    }
}

/// Resolves the files of sinks against the configuration's folder.
pub(crate) fn resolve(sinks: &mut [sink::Config], base: &std::path::Path) {
    for sink in sinks {
        match sink {
            sink::Config::JsonLines(lines) => lines.path = base.join(&lines.path),
            sink::Config::Graphite(_) => {}
        }
    }
}
