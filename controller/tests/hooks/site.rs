//! What the tests share: a NATS server, a registry on it, a worker and its life.

use muster_controller::config::Store;
use muster_controller::documents::Clock;
use muster_controller::init::{self, Args};
use muster_controller::keys::Keys;
use muster_controller::lifecycle::Input;
use muster_controller::nats::{self, Options, Server};
use muster_controller::registry::{On, Registry};
use muster_controller::store;
use muster_protocol::bus::stream::JetStream;
use muster_protocol::bus::{self, Bus};
use muster_protocol::event::Event;
use muster_protocol::id::{AgentId, Generation, Token, UnixMillis, UserName, WorkerName, random};
use muster_protocol::jwt::Stamp;
use muster_protocol::subject::Role;
use muster_protocol::wire;
use muster_protocol::worker::{Bootstrap, Milestones, Occupancy, Phase, Worker};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// How long anything here may take, on a busy machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);
/// The time between two looks at something that is to come.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A registry on a NATS server of its own.
pub(crate) struct Site {
    pub(crate) bus: Bus,
    pub(crate) jetstream: JetStream,
    pub(crate) registry: Arc<Registry>,
    pub(crate) dir: TempDir,
    server: Option<Server>,
}

impl Site {
    pub(crate) async fn open() -> Site {
        let dir = tempfile::tempdir().unwrap();
        let mut args = Args::new(&dir.path().join("muster"), Some("pluto".parse().unwrap()));
        args.listen = Some("127.0.0.1:0".parse().unwrap());
        let made = init::run(&args).unwrap();
        let mut options = Options::new(&made.dir);
        options.program = Some(program());
        let server = Server::start(&options).await.unwrap();
        let keys = Arc::new(Keys::load(&made.dir).unwrap());
        let bus = connect(&keys, server.url()).await;
        let (jetstream, buckets) = Box::pin(store::open(&bus, &Store::default())).await.unwrap();
        let on = On {
            workers: Arc::new(buckets.workers),
            pools: Arc::new(buckets.pools),
            teller: Arc::new(bus.clone()),
            clock: Clock::system(),
        };
        let registry = Arc::new(Registry::open(on, keys).await.unwrap());
        Site { bus, jetstream, registry, dir, server: Some(server) }
    }

    /// A path in the site's own folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) async fn close(mut self) {
        self.bus.close().await;
        self.server.take().unwrap().stop().await.unwrap();
    }

    /// A worker that waits to be launched.
    pub(crate) async fn add(&self, name: &str) -> AgentId {
        let worker = pending(name);
        let agent = worker.agent_id.clone();
        self.registry.add(worker).await.unwrap();
        agent
    }

    /// A worker that boots at an address.
    pub(crate) async fn boot(&self, name: &str, address: &str) -> AgentId {
        let agent = self.add(name).await;
        self.happen(&agent, Input::LaunchBegins { image: "rocky-9".into() }).await;
        let addresses = vec![address.parse().unwrap()];
        self.happen(&agent, Input::Created { id: format!("server-{name}"), addresses }).await;
        agent
    }

    pub(crate) async fn happen(&self, agent: &AgentId, input: Input) {
        self.registry.happen_to(agent, &input).await.unwrap();
    }

    /// Ends a worker, and its server.
    pub(crate) async fn end(&self, agent: &AgentId) {
        self.happen(agent, Input::Terminate("not wanted".into())).await;
        self.happen(agent, Input::Gone).await;
    }

    /// What is stored under a subject, when there are so many.
    pub(crate) async fn events(&self, subject: &str, count: usize) -> Vec<Event> {
        let mut found = Vec::new();
        let look = async {
            let mut poll = tokio::time::interval(LOOK_EVERY);
            while found.len() < count {
                poll.tick().await;
                found = self.jetstream.all("EVENTS", subject, count + 1).await.unwrap();
            }
        };
        assert!(tokio::time::timeout(LIMIT, look).await.is_ok(), "{subject} has not {count}");
        found.iter().map(|event| wire::decode(&event.payload).unwrap()).collect()
    }
}

/// A test that failed leaves no server.
impl Drop for Site {
    fn drop(&mut self) {
        if self.server.is_none() {
            return;
        }
        let dir = self.dir.path().join("muster");
        let clear = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.map(|runtime| runtime.block_on(nats::stop_leftover(&dir)).is_ok())
        });
        assert!(clear.join().is_ok() || std::thread::panicking(), "a server is left");
    }
}

/// What the environment names, else what `make tools` has fetched.
fn program() -> PathBuf {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/nats-server");
    std::env::var_os("MUSTER_NATS_SERVER").map_or(tools, PathBuf::from)
}

async fn connect(keys: &Keys, url: String) -> Bus {
    let name: UserName = "controller".parse().unwrap();
    let options = bus::Options {
        role: Role::Controller,
        name: name.to_string(),
        servers: vec![url],
        ca: Some(keys.tls_files().ca),
        credential: keys.controller(&name, &Stamp::fresh()).unwrap(),
    };
    let bus = Bus::connect(options).await.unwrap();
    bus.probe("$JS.API.INFO").await.unwrap();
    bus
}

fn pending(name: &str) -> Worker {
    let (name, now): (WorkerName, _) = (name.parse().unwrap(), UnixMillis::now());
    Worker {
        agent_id: AgentId::new(&name, random()),
        name,
        pool: "compute".parse().unwrap(),
        phase: Phase::Pending,
        reason: None,
        generation: Generation(1),
        bootstrap: Bootstrap { public_key: "U".into(), expires: now.plus(60_000) },
        keys: None,
        provider_id: None,
        facts: BTreeMap::new(),
        revision: 0,
        states: None,
        milestones: Milestones { launched: Some(now), ..Milestones::default() },
        since: now,
        op_id: Token::random(random()),
        history: Vec::new(),
        image: String::new(),
        addresses: Vec::new(),
        occupancy: Occupancy::Unknown,
        held: false,
        after_drain: None,
        failures: None,
        last_ready: None,
        asked: None,
    }
}

/// Waits until something holds.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let wait = async {
        let mut poll = tokio::time::interval(LOOK_EVERY);
        while !holds() {
            poll.tick().await;
        }
    };
    assert!(tokio::time::timeout(LIMIT, wait).await.is_ok(), "not in time: {what}");
}
