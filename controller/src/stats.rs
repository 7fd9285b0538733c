//! Readings: every frame to the history and to each sink, and what the API shows of them.
//!
//! The history lives in memory and is filled anew at start from the stream's last hours. Each sink
//! has a consumer of its own in the stream, so one that is down holds nobody back and catches up.

use crate::config::Config;
use crate::heartbeats::Heartbeats;
use crate::lifecycle::Input;
use crate::registry::Registry;
use muster_protocol::api::{SeriesView, SinkView, StatsShow};
use muster_protocol::bus::stream::{Consumer, JetStream, STATS};
use muster_protocol::bus::{self, Bus};
use muster_protocol::event::Event;
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

/// First frames that wait to be told.
const FIRST_MAX: usize = 4096;
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
        let (sinks, written) = (Mutex::default(), Mutex::default());
        Stats { parts, schemas, history, sinks, written, heartbeats }
    }

    /// Fills the history and hears agents, until it is cancelled; on every controller.
    ///
    /// # Errors
    /// When the consumer is gone for good.
    pub async fn hear(self: Arc<Self>, cancel: CancellationToken) -> Result<(), bus::Error> {
        let since = UnixMillis::now().plus(-REFILL_MILLIS);
        let reader = self.parts.jetstream.reader(STATS, subject::STATS_ALL, since).await?;
        let (tell, first) = mpsc::channel(FIRST_MAX);
        let on_frame = on_frame(Arc::clone(&self.heartbeats), tell);
        let memory = Sink::History(Arc::clone(&self.history));
        let pipeline = self.pipeline(reader, memory, HISTORY, Some(on_frame));
        let mut running = JoinSet::new();
        running.spawn(pipeline.run(cancel.clone()));
        let this = Arc::clone(&self);
        running.spawn(async move { this.tell_first(first, cancel).await });
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

    /// The first frame of a generation is a milestone that people wait for.
    async fn tell_first(
        &self,
        mut first: mpsc::Receiver<AgentId>,
        cancel: CancellationToken,
    ) -> Result<(), bus::Error> {
        let registry = &self.parts.registry;
        while let Some(Some(agent)) = cancel.run_until_cancelled(first.recv()).await {
            let Some(worker) = registry.agent(&agent) else { continue };
            if worker.milestones.first_sample.is_some() {
                continue;
            }
            match registry.happen_to(&agent, &Input::Heard).await {
                Ok(worker) => tell(&self.parts.bus, &worker).await,
                Err(error) => tracing::debug!(agent_id = %agent, %error, "it is told already"),
            }
        }
        Ok(())
    }

    /// Forgets an agent that is over.
    pub fn forget(&self, agent: &AgentId) {
        self.heartbeats.forget(agent);
        self.history.forget(&agent.worker());
    }
}

impl crate::reconciler::Hearing for Stats {
    fn silence(&self, agent: &AgentId, now: UnixMillis) -> i64 {
        self.heartbeats.silence(agent, now)
    }
}

/// Counts each frame; an agent's first one since the start is looked at further.
fn on_frame(heartbeats: Arc<Heartbeats>, tell: mpsc::Sender<AgentId>) -> OnFrame {
    Box::new(move |agent| {
        let first = heartbeats.beat(agent, UnixMillis::now());
        // A first frame that is not told comes to light with the next start.
        if first && tell.try_send(agent.clone()).is_err() {
            tracing::warn!(agent_id = %agent, "too many first frames at once");
        }
    })
}

async fn finish(mut running: JoinSet<Result<(), bus::Error>>) -> Result<(), bus::Error> {
    while let Some(done) = running.join_next().await {
        done.map_err(|_| bus::Error::Closed)??;
    }
    Ok(())
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
