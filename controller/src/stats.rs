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
use muster_reactors::pipeline::{OnFrame, Pipeline, Schemas, Status};
use muster_reactors::sink::{self, Sink};
use std::sync::Arc;
use tokio::sync::mpsc;
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

/// The pipelines as the API and the reconciler see them.
pub struct Stats {
    history: Arc<History>,
    sinks: Vec<Arc<Status>>,
    heartbeats: Arc<Heartbeats>,
}

impl std::fmt::Debug for Stats {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(to, "Stats({} sinks)", self.sinks.len())
    }
}

/// The pipelines that are to run.
type Pipelines = Vec<Pipeline<Consumer, JetStream>>;

/// Everything that [`Stats::open`] made and somebody must run.
pub struct Work {
    pipelines: Pipelines,
    first: mpsc::Receiver<AgentId>,
    parts: Parts,
}

impl Stats {
    /// Makes the history, the sinks and their consumers.
    ///
    /// # Errors
    /// When the server does not make a consumer.
    pub async fn open(parts: Parts) -> Result<(Stats, Work), bus::Error> {
        let now = UnixMillis::now();
        let (tell, first) = mpsc::channel(FIRST_MAX);
        let heartbeats = Arc::new(Heartbeats::new(now));
        let on_frame = on_frame(Arc::clone(&heartbeats), tell);
        let history = Arc::new(History::new(Limits::default()));
        let schemas = Arc::new(Schemas::new(parts.jetstream.clone()));
        let since = now.plus(-REFILL_MILLIS);
        let reader = parts.jetstream.reader(STATS, subject::STATS_ALL, since).await?;
        let pipeline = |source, sink, name: &str, on_frame| Pipeline {
            source,
            schemas: Arc::clone(&schemas),
            sink,
            status: Arc::new(Status::new(name)),
            on_frame,
            clock: UnixMillis::now,
        };
        let memory = Sink::History(Arc::clone(&history));
        let mut pipelines = vec![pipeline(reader, memory, HISTORY, Some(on_frame))];
        for config in &parts.config.sinks {
            let name = config.name().to_string();
            let durable = format!("sink-{name}");
            let source = parts.jetstream.consumer(STATS, &durable, subject::STATS_ALL).await?;
            pipelines.push(pipeline(source, Sink::new(config.clone()), &name, None));
        }
        let sinks = pipelines.iter().map(|pipeline| Arc::clone(&pipeline.status)).collect();
        Ok((Stats { history, sinks, heartbeats }, Work { pipelines, first, parts }))
    }

    /// The sinks and how they do.
    #[must_use]
    pub fn sinks(&self) -> Vec<SinkView> {
        self.sinks.iter().map(|status| status.view()).collect()
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

    /// Forgets an agent that is over.
    pub fn forget(&self, agent: &AgentId) {
        self.heartbeats.forget(agent);
        self.history.forget(&agent.worker());
    }
}

impl Work {
    /// Runs all pipelines until they are cancelled.
    ///
    /// # Errors
    /// When a consumer is gone for good.
    pub async fn run(self, cancel: CancellationToken) -> Result<(), bus::Error> {
        let mut running = tokio::task::JoinSet::new();
        for pipeline in self.pipelines {
            running.spawn(pipeline.run(cancel.clone()));
        }
        running.spawn(tell_first(self.parts, self.first, cancel));
        while let Some(done) = running.join_next().await {
            done.map_err(|_| bus::Error::Closed)??;
        }
        Ok(())
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

/// The first frame of a generation is a milestone that people wait for.
async fn tell_first(
    parts: Parts,
    mut first: mpsc::Receiver<AgentId>,
    cancel: CancellationToken,
) -> Result<(), bus::Error> {
    while let Some(Some(agent)) = cancel.run_until_cancelled(first.recv()).await {
        let Some(worker) = parts.registry.agent(&agent) else { continue };
        if worker.milestones.first_sample.is_some() {
            continue;
        }
        match parts.registry.happen_to(&agent, &Input::Heard).await {
            Ok(worker) => tell(&parts.bus, &worker).await,
            Err(error) => tracing::debug!(agent_id = %agent, %error, "a first frame is not told"),
        }
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
