//! Samples of this host through a real NATS stream into history, file and Graphite.

#![allow(clippy::unwrap_used, reason = "what fails in a test shall end it, in its helpers too")]

use muster_agent::stats::{Outgoing, Pending, Sampler};
use muster_protocol::api::StatsShow;
use muster_protocol::bus::stream::{EVENTS, JetStream, STATS, Spec};
use muster_protocol::bus::{Bus, Credential, Options};
use muster_protocol::event::Event;
use muster_protocol::id::{AgentId, Token, UnixMillis, random};
use muster_protocol::subject::{self, Role};
use muster_protocol::wire;
use muster_reactors::history::{History, Limits};
use muster_reactors::pipeline::{Pipeline, Schemas, Status};
use muster_reactors::sink::Sink;
use nkeys::KeyPair;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const DEADLINE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(50);
const SAMPLES: usize = 3;

/// A nats-server of its own, without accounts: those are tested elsewhere.
struct Nats {
    home: TempDir,
    process: Child,
}

impl Drop for Nats {
    fn drop(&mut self) {
        let killed = self.process.kill().and_then(|()| self.process.wait());
        assert!(killed.is_ok(), "nats-server cannot be stopped: {killed:?}");
    }
}

impl Nats {
    fn start() -> Nats {
        let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/nats-server");
        let program = std::env::var_os("MUSTER_NATS_SERVER").map_or(tools, PathBuf::from);
        let home = tempfile::tempdir().unwrap();
        // The bus only connects to servers that send a nonce: those that know a key.
        let configuration = format!(
            "authorization: {{users: [{{nkey: {}}}, {{user: any, password: any}}]}}\n\
             no_auth_user: any\nlisten: '127.0.0.1:-1'\njetstream: {{store_dir: '{}'}}\n",
            KeyPair::new_user().public_key(),
            home.path().display(),
        );
        fs::write(home.path().join("nats.conf"), configuration).unwrap();
        let process = Command::new(program)
            .arg("-c")
            .arg(home.path().join("nats.conf"))
            .arg("--ports_file_dir")
            .arg(home.path())
            .stderr(fs::File::create(home.path().join("log")).unwrap())
            .stdin(Stdio::null())
            .spawn()
            .expect("nats-server is missing: run `make tools`");
        Nats { home, process }
    }

    async fn connect(&self) -> Bus {
        let url = poll("nats-server to listen", async || {
            let mut files = fs::read_dir(self.home.path()).ok()?.filter_map(Result::ok);
            let ports = files.find(|file| file.path().extension().is_some_and(|e| e == "ports"))?;
            let ports = fs::read(ports.path()).ok()?;
            let ports: serde_json::Value = serde_json::from_slice(&ports).ok()?;
            ports["nats"][0].as_str().map(str::to_owned)
        })
        .await;
        let credential = Credential::new(Arc::new(KeyPair::new_user()), "none".into());
        let (role, name, servers) = (Role::Controller, "controller".into(), vec![url]);
        Bus::connect(Options { role, name, servers, ca: None, credential }).await.unwrap()
    }
}

/// Asks again and again until there is an answer.
async fn poll<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let mut ticks = tokio::time::interval(POLL);
    let asking = async {
        loop {
            ticks.tick().await;
            if let Some(answer) = ask().await {
                return answer;
            }
        }
    };
    let answer = tokio::time::timeout(DEADLINE, asking).await;
    answer.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

async fn streams(bus: &Bus) -> JetStream {
    let jetstream = bus.jetstream();
    for (name, subject) in [(EVENTS, subject::EVENT_ALL), (STATS, subject::STATS_ALL)] {
        let spec = Spec {
            name,
            subject,
            bytes_max: 64 << 20,
            per_subject_max: 1000,
            age_max: None,
            duplicate_window: Duration::from_secs(120),
            replicas: 1,
            asynchronous: false,
        };
        jetstream.ensure_stream(&spec, &bus.server_version()).await.unwrap();
    }
    jetstream
}

/// What the agent's outbox does, without its patience; every frame comes twice.
async fn publish_samples(bus: &Bus, agent: &AgentId) {
    let mut sampler = Sampler::new();
    let mut pending = Pending::new(Token::random(random()));
    let now = UnixMillis::now();
    for sample in 0..SAMPLES as i64 {
        pending.push(sampler.sample(now.plus(sample * 10_000 - 60_000), 0));
        while let Some(outgoing) = pending.take() {
            match outgoing {
                Outgoing::Schema(schema) => {
                    let event = Event::new(Token::random(random()), now, &*schema);
                    let subject = subject::agent_event(agent, "schema");
                    bus.publish_event(subject, &event).await.unwrap();
                }
                Outgoing::Frame(frame) => {
                    for copy in ["a", "b"] {
                        let id = format!("{}-{copy}", frame.message_id());
                        let payload = wire::encode(&frame);
                        bus.publish(subject::stats(agent), &id, payload).await.unwrap();
                    }
                }
            }
        }
    }
}

struct Running {
    status: Arc<Status>,
    stop: CancellationToken,
    end: tokio::task::JoinHandle<Result<(), muster_protocol::bus::Error>>,
}

async fn run(jetstream: &JetStream, name: &str, sink: Sink) -> Running {
    let status = Arc::new(Status::new(name));
    let pipeline = Pipeline {
        source: jetstream.consumer(STATS, name, subject::STATS_ALL).await.unwrap(),
        schemas: Arc::new(Schemas::new(jetstream.clone())),
        sink,
        status: status.clone(),
        written: Arc::default(),
        on_frame: None,
        clock: UnixMillis::now,
    };
    let stop = CancellationToken::new();
    Running { status, end: tokio::spawn(pipeline.run(stop.clone())), stop }
}

impl Running {
    async fn wrote_all(&self) {
        let name = self.status.name().to_owned();
        poll(&name, async || (self.status.view().written >= SAMPLES as u64).then_some(())).await;
    }

    async fn stop(self) {
        self.stop.cancel();
        self.end.await.unwrap().unwrap();
        assert_eq!(self.status.view().written, SAMPLES as u64, "{}", self.status.name());
        assert_eq!(self.status.view().dropped, 0, "{}", self.status.name());
    }
}

fn sink(text: &str) -> Sink {
    Sink::new(serde_saphyr::from_str(text).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_sink_gets_every_sample_once_and_one_that_is_down_catches_up() {
    let nats = Nats::start();
    let bus = nats.connect().await;
    let jetstream = streams(&bus).await;
    let agent: AgentId = "compute-0007-abcdefghijkm".parse().unwrap();
    let carbon = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = carbon.local_addr().unwrap();
    drop(carbon);
    let lines = nats.home.path().join("lines/stats.jsonl");

    let history = Arc::new(History::new(Limits::default()));
    let to_history = run(&jetstream, "history", Sink::History(history.clone())).await;
    let file = format!("{{kind: json_lines, name: lines, path: '{}'}}", lines.display());
    let to_file = run(&jetstream, "lines", sink(&file)).await;
    let graphite = format!("{{kind: graphite, name: carbon, address: '{address}'}}");
    let to_graphite = run(&jetstream, "carbon", sink(&graphite)).await;
    publish_samples(&bus, &agent).await;

    // The file's folder and carbon are missing: the history does not wait for them.
    to_history.wrote_all().await;
    let question = StatsShow { target: None, metrics: vec!["load.1m".into()], range_secs: 3600 };
    let views = history.show(&history.workers(), &question, UnixMillis::now()).unwrap();
    assert_eq!((views.len(), views[0].points.len()), (1, SAMPLES));
    for down in [&to_file, &to_graphite] {
        poll("an error", async || down.status.view().error).await;
        assert_eq!(down.status.view().written, 0);
    }

    fs::create_dir(lines.parent().unwrap()).unwrap();
    to_file.wrote_all().await;
    let carbon = TcpListener::bind(address).await.unwrap();
    to_graphite.wrote_all().await;
    let mut received = BufReader::new(carbon.accept().await.unwrap().0).lines();
    assert!(received.next_line().await.unwrap().unwrap().starts_with("compute-0007.load.1m "));

    to_history.stop().await;
    to_file.stop().await;
    to_graphite.stop().await;
    let text = fs::read_to_string(&lines).unwrap();
    assert_eq!(text.lines().count(), SAMPLES);
    let line: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert!(line["metrics"]["memory.total"].as_f64().unwrap() > 0.0, "{line}");
}
