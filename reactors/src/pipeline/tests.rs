//! The loop over a made-up source: retries, redelivery, poison, heartbeats.

use super::*;
use crate::history::{History, Limits};
use muster_protocol::api::StatsShow;
use muster_protocol::id::{AgentId, Token};
use muster_protocol::stats::{Frame, Kind, Metric, Row, Schema};
use muster_protocol::{subject, wire};
use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

const NOW: UnixMillis = UnixMillis(1_763_600_000_000);
const AGENT: &str = "compute-0007-abcdefghijkm";

fn schema() -> Schema {
    Schema::new(vec![Metric::new("load.1m", "", Kind::Gauge)]).unwrap()
}

fn payload(seq: u64) -> Vec<u8> {
    let row = Row { time: NOW.plus(seq as i64 * 10_000), values: vec![seq as f64] };
    wire::encode(&Frame::pack(&schema(), &Token::random([1; 26]), seq, &[row]).unwrap())
}

#[derive(Clone)]
struct Stored {
    subject: String,
    payload: Vec<u8>,
    attempt: u64,
    acked: Arc<AtomicUsize>,
    put_off: Arc<AtomicUsize>,
}

impl Message for Stored {
    fn subject(&self) -> &str {
        &self.subject
    }
    fn payload(&self) -> &[u8] {
        &self.payload
    }
    fn attempt(&self) -> u64 {
        self.attempt
    }
    async fn retry_after(&self, _wait: Duration) -> Result<(), BusError> {
        self.put_off.fetch_add(1, Relaxed);
        Ok(())
    }
    async fn ack(&self) -> Result<(), BusError> {
        self.acked.fetch_add(1, Relaxed);
        Ok(())
    }
}

/// Gives its batches, then ends the pipeline.
struct Script(VecDeque<Result<Vec<Stored>, BusError>>);

impl Source for Script {
    type Message = Stored;
    async fn next_batch(&mut self, _max: usize) -> Result<Vec<Stored>, BusError> {
        self.0.pop_front().unwrap_or(Err(BusError::Closed))
    }
}

/// Answers after some failures.
struct Events {
    failures: AtomicUsize,
    asked: AtomicUsize,
    announced: Mutex<Vec<Schema>>,
}

impl Announced for Events {
    async fn schemas(&self, _agent: &AgentId) -> Result<Vec<Schema>, BusError> {
        self.asked.fetch_add(1, Relaxed);
        if self.failures.load(Relaxed) > 0 {
            self.failures.fetch_sub(1, Relaxed);
            return Err(BusError::NoResponders { subject: "events".into() });
        }
        Ok(self.announced.lock().unwrap().clone())
    }
}

struct Bench {
    acked: Arc<AtomicUsize>,
    put_off: Arc<AtomicUsize>,
    history: Arc<History>,
    heard: Arc<Mutex<Vec<String>>>,
    status: Arc<Status>,
    schemas: Arc<Schemas<Events>>,
}

impl Bench {
    fn new(announced: Vec<Schema>, failures: usize) -> Bench {
        let events =
            Events { failures: failures.into(), asked: 0.into(), announced: Mutex::new(announced) };
        Bench {
            acked: Arc::default(),
            put_off: Arc::default(),
            history: Arc::new(History::new(Limits::default())),
            heard: Arc::default(),
            status: Arc::new(Status::new("history")),
            schemas: Arc::new(Schemas::new(events)),
        }
    }

    fn stored(&self, payload: Vec<u8>) -> Stored {
        let subject = subject::stats(&AGENT.parse().unwrap());
        let (acked, put_off) = (self.acked.clone(), self.put_off.clone());
        Stored { subject, payload, attempt: 1, acked, put_off }
    }

    async fn run(&self, sink: Sink, batches: Vec<Result<Vec<Stored>, BusError>>) {
        let heard = self.heard.clone();
        let on_frame = move |batch: &Batch| heard.lock().unwrap().push(batch.agent.to_string());
        let pipeline = Pipeline {
            source: Script(batches.into()),
            schemas: self.schemas.clone(),
            sink,
            status: self.status.clone(),
            written: Arc::default(),
            on_frame: Some(Box::new(on_frame)),
            clock: || NOW,
        };
        let end = pipeline.run(CancellationToken::new()).await;
        assert!(matches!(end, Err(BusError::Closed)));
    }

    async fn run_history(&self, batches: Vec<Result<Vec<Stored>, BusError>>) {
        self.run(Sink::History(self.history.clone()), batches).await;
    }

    fn acked(&self) -> usize {
        self.acked.load(Relaxed)
    }

    fn points(&self) -> usize {
        let question = StatsShow { target: None, metrics: Vec::new(), range_secs: 3600 };
        let views = self.history.show(&self.history.workers(), &question, NOW).unwrap();
        views.iter().map(|view| view.points.len()).sum()
    }
}

#[tokio::test(start_paused = true)]
async fn frames_are_written_then_acknowledged_and_redelivered_ones_only_acknowledged() {
    let bench = Bench::new(vec![schema()], 0);
    let frame = |seq| bench.stored(payload(seq));
    let batches =
        vec![Ok(vec![frame(0), frame(1), frame(1)]), Ok(vec![frame(1)]), Ok(vec![frame(2)])];
    bench.run_history(batches).await;
    assert_eq!((bench.acked(), bench.points()), (5, 3));
    let view = bench.status.view();
    assert_eq!((view.written, view.dropped, view.error), (3, 0, None));
    assert_eq!(*bench.heard.lock().unwrap(), [AGENT; 3]);
}

#[tokio::test(start_paused = true)]
async fn poison_is_counted_acknowledged_and_holds_nothing_back() {
    let bench = Bench::new(vec![schema()], 0);
    let mut stranger = bench.stored(payload(0));
    stranger.subject = "muster.stats.*".into();
    let mut garbled = payload(3);
    let end = garbled.len() - 1;
    garbled[end] ^= 0x80;
    let batch = [&b"junk"[..], &garbled, &payload(1)];
    let mut batch: Vec<Stored> = batch.iter().map(|bytes| bench.stored(bytes.to_vec())).collect();
    batch.push(stranger);
    bench.run_history(vec![Ok(batch)]).await;
    assert_eq!((bench.acked(), bench.points()), (4, 1));
    assert_eq!((bench.status.view().written, bench.status.view().dropped), (1, 3));
}

#[tokio::test(start_paused = true)]
async fn a_bus_that_fails_is_asked_again() {
    let bench = Bench::new(vec![schema()], 3);
    let lost = BusError::Timeout { subject: "stats".into(), millis: 1 };
    bench.run_history(vec![Err(lost), Ok(vec![bench.stored(payload(0))])]).await;
    assert_eq!((bench.acked(), bench.points()), (1, 1));
    assert_eq!(bench.schemas.known(schema().id()).as_deref(), Some(&schema()));
}

#[tokio::test(start_paused = true)]
async fn a_frame_without_a_schema_is_put_off_and_in_the_end_dropped() {
    let bench = Bench::new(Vec::new(), 0);
    let frames = |attempt| -> Vec<Stored> {
        let stored = |seq| Stored { attempt, ..bench.stored(payload(seq)) };
        (0..50).map(stored).collect()
    };
    bench.run_history(vec![Ok(frames(1)), Ok(frames(SCHEMA_ATTEMPTS))]).await;
    let count = |of: &AtomicUsize| of.load(Relaxed);
    assert_eq!((count(&bench.put_off), count(&bench.acked)), (50, 50));
    assert_eq!(bench.status.view().dropped, 50);
    assert_eq!(count(&bench.schemas.announced.asked), 1);
}

fn json_lines(folder: &std::path::Path) -> Sink {
    let path = folder.join("late/stats.jsonl");
    let text = format!("{{kind: json_lines, name: lines, path: '{}'}}", path.display());
    Sink::new(serde_saphyr::from_str(&text).unwrap())
}

/// Waits until a sink reports an error, and mends what is wrong.
async fn mend(bench: &Bench, mut folder: std::path::PathBuf) {
    while bench.status.view().error.is_none() {
        tokio::task::yield_now().await;
    }
    assert_eq!(bench.acked(), 0);
    folder.push("late");
    std::fs::create_dir(folder).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_is_down_gets_everything_when_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::new(vec![schema()], 0);
    let batches = (0..5).map(|seq| Ok(vec![bench.stored(payload(seq))])).collect();
    let run = bench.run(json_lines(folder.path()), batches);
    tokio::join!(run, mend(&bench, folder.path().to_owned()));
    let text = std::fs::read_to_string(folder.path().join("late/stats.jsonl")).unwrap();
    assert_eq!((text.lines().count(), bench.acked()), (5, 5));
    assert_eq!(bench.status.view().error, None);
}

#[tokio::test(start_paused = true)]
async fn a_pipeline_whose_sink_is_down_can_be_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::new(vec![schema()], 0);
    let cancel = CancellationToken::new();
    let pipeline = Pipeline {
        source: Script([Ok(vec![bench.stored(payload(0))])].into()),
        schemas: bench.schemas.clone(),
        sink: json_lines(folder.path()),
        status: bench.status.clone(),
        written: Arc::default(),
        on_frame: None,
        clock: || NOW,
    };
    let stop = async {
        while bench.status.view().error.is_none() {
            tokio::task::yield_now().await;
        }
        cancel.cancel();
    };
    let (end, ()) = tokio::join!(pipeline.run(cancel.clone()), stop);
    end.unwrap();
    assert_eq!(bench.acked(), 0);
}
