//! One reconcile of two thousand workers that are as they should be: what it costs to look at all
//! of the documents, and to compare them with what the cloud shows. Documents and cloud are in
//! memory, so all CPU time is the controller's own, and that of copying the listing.

use anyhow::{Result, ensure};
use futures_util::future::{BoxFuture, ready};
use muster_controller::config::Config;
use muster_controller::documents::{Clock, Memory, Teller};
use muster_controller::inspection::Inspector;
use muster_controller::keys::Keys;
use muster_controller::launcher::{self, Before, Launcher, Ties};
use muster_controller::lease::Fence;
use muster_controller::provider::simulated::{self, Call};
use muster_controller::provider::{Provider, Secret, ServerSpec};
use muster_controller::reconciler::{Hearing, Reconciler};
use muster_controller::registry::{On, Registry};
use muster_controller::trust::Keeper;
use muster_controller::user_data::Install;
use muster_protocol::bus::Error;
use muster_protocol::event::Event;
use muster_protocol::id::{AgentId, Generation, Token, UnixMillis, WorkerName, random};
use muster_protocol::worker::{Bootstrap, Keys as Bound, Milestones, Occupancy, Phase, Worker};
use muster_tests::cluster::{Cluster, Setup};
use muster_tests::figures::{millis, own_cpu, say, tell, tell_median, title};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinSet;

const WORKERS: usize = 2000;
const RUNS: usize = 20;
/// The aim.
const CPU_MAX: Duration = Duration::from_millis(100);

fn main() -> Result<()> {
    title("a reconcile of 2,000 workers in one pool, all ready");
    tokio::runtime::Runtime::new()?.block_on(reconcile())
}

async fn reconcile() -> Result<()> {
    // Only its keys and configuration are used.
    let cluster = Cluster::prepare(&Setup { pool: POOL, ..Setup::default() })?;
    let site = Site::new(&cluster).await?;
    let (mut rounds, mut looks) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let mut tasks = JoinSet::new();
        let begun = own_cpu();
        site.reconciler.round(&mut tasks).await;
        rounds.push(own_cpu().saturating_sub(begun));
        ensure!(tasks.is_empty(), "there was something to do");
        let begun = own_cpu();
        site.reconciler.inspector.look().await;
        looks.push(own_cpu().saturating_sub(begun));
    }
    ensure!(site.cloud.calls(Call::List) == RUNS, "the cloud was not listed");
    let column = |all: &[Duration]| all.iter().map(|cpu| millis(*cpu)).collect::<Vec<f64>>();
    tell_median("CPU of a round over all documents", &column(&rounds), "ms");
    tell_median("CPU of a look at the cloud", &column(&looks), "ms");
    let total: Duration = rounds.iter().chain(&looks).sum();
    let each = total / u32::try_from(RUNS)?;
    tell("both together, on average", millis(each), "ms");
    let verdict = if each <= CPU_MAX { "within" } else { "beyond" };
    say(&format!("  {verdict} the aim of {} ms", millis(CPU_MAX)));
    cluster.finish(&[])
}

const POOL: &str = ", flavor: m1.tiny, image: rocky-9";

struct Site {
    reconciler: Arc<Reconciler>,
    cloud: simulated::Cloud,
}

impl Site {
    async fn new(of: &Cluster) -> Result<Site> {
        let mut config = Config::load(&of.path("config/controller.yaml"))?;
        let name = config.cluster.clone();
        for pool in config.pools.values_mut() {
            pool.max = u32::try_from(WORKERS)?;
        }
        let (config, keys) = (Arc::new(config), Arc::new(Keys::load(&of.path("config"))?));
        let on = On {
            workers: Arc::new(Memory::default()),
            pools: Arc::new(Memory::default()),
            teller: Arc::new(Nobody),
            clock: Clock::system(),
        };
        let registry = Arc::new(Registry::open(on, Arc::clone(&keys)).await?);
        let cloud = simulated::Cloud::on(Clock::system());
        let provider = cloud.provider(name.clone());
        for number in 1..=WORKERS {
            let worker: WorkerName = format!("test-{number:04}").parse()?;
            let agent_id = AgentId::new(&worker, random());
            let spec = ServerSpec {
                name: worker.clone(),
                cluster: name.clone(),
                agent_id: agent_id.clone(),
                pool: "test".parse()?,
                flavor: "m1.tiny".to_owned(),
                image: "rocky-9".to_owned(),
                user_data: Secret::new("#cloud-config\n"),
            };
            let made = provider.create(spec).await?;
            let mut ready = ready_worker(worker, agent_id);
            ready.provider_id = Some(made.id.to_string());
            ready.addresses = provider.get(&made.id).await?.map_or(Vec::new(), |s| s.addresses);
            registry.add(ready).await?;
        }
        let size = u32::try_from(WORKERS)?;
        let pool = "test".parse()?;
        let state = |_| muster_controller::reconciler::new_pool(&pool, size);
        registry.change_pool(&pool, state).await?;
        let clouds = BTreeMap::from([(
            "here".to_owned(),
            launcher::Cloud::new("here".into(), Arc::new(provider)),
        )]);
        let launcher = Arc::new(Launcher {
            config: Arc::clone(&config),
            keys,
            registry: Arc::clone(&registry),
            clouds,
            ties: Arc::new(Nobody),
            fence: Fence::open(),
            servers: vec!["tls://127.0.0.1:4222".to_owned()],
            install: Install::Image,
            seeds: Mutex::default(),
        });
        let keeper = Keeper::new(Memory::default(), &of.path("data"));
        keeper.settle(std::future::ready(true)).await?;
        let inspector = Arc::new(Inspector {
            config: Arc::clone(&config),
            registry: Arc::clone(&registry),
            launcher: Arc::clone(&launcher),
            keeper: Arc::new(keeper),
            hearing: Arc::new(Nobody),
        });
        let hearing = Arc::new(Nobody);
        let (busy, failures) = (Mutex::default(), Mutex::default());
        let reconciler =
            Reconciler { config, registry, launcher, inspector, hearing, busy, failures };
        Ok(Site { reconciler: Arc::new(reconciler), cloud })
    }
}

/// A worker some days into its life, with what a real agent tells of its host.
fn ready_worker(name: WorkerName, agent_id: AgentId) -> Worker {
    let now = UnixMillis::now();
    let key = "U".repeat(56);
    Worker {
        name,
        pool: "test".parse().expect("a name"),
        phase: Phase::Ready,
        reason: None,
        generation: Generation(3),
        agent_id,
        bootstrap: Bootstrap { public_key: key.clone(), expires: now },
        keys: Some(Bound { public_key: key.clone(), xkey: key, credential_expires: now }),
        provider_id: None,
        facts: facts(),
        revision: 7,
        states: None,
        milestones: Milestones { launched: Some(now), ready: Some(now), ..Milestones::default() },
        since: now,
        op_id: Token::random(random()),
        history: (0..12).map(|n| (now, format!("phase {n}: a reason in some words"))).collect(),
        image: "rocky-9".to_owned(),
        addresses: Vec::new(),
        occupancy: Occupancy::Busy,
        held: false,
        after_drain: None,
        failures: None,
        last_ready: Some(now),
        asked: None,
    }
}

fn facts() -> BTreeMap<String, Value> {
    let mut facts: BTreeMap<String, Value> = (0..40)
        .map(|number| (format!("fact_{number}"), json!(format!("a value of fact {number}"))))
        .collect();
    facts.insert("cpu_flags".to_owned(), json!(["fpu", "sse", "sse2", "avx", "avx2", "aes"]));
    facts.insert("ip4_interfaces".to_owned(), json!({"eth0": ["10.0.0.7"], "lo": ["127.0.0.1"]}));
    facts
}

/// Nobody is told, nothing is tied, and all agents have just been heard.
#[derive(Debug)]
struct Nobody;

impl Teller for Nobody {
    fn tell(&self, _: String, _: Event) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(ready(Ok(())))
    }
}

impl Ties for Nobody {
    fn revoke(&self, _: Vec<(String, UnixMillis)>) -> BoxFuture<'_, Result<(), launcher::Error>> {
        Box::pin(ready(Ok(())))
    }

    fn forget<'a>(&'a self, _: &'a AgentId) -> BoxFuture<'a, Result<(), launcher::Error>> {
        Box::pin(ready(Ok(())))
    }

    fn before<'a>(&'a self, _: Before, _: &'a Worker) -> BoxFuture<'a, ()> {
        Box::pin(ready(()))
    }
}

impl Hearing for Nobody {
    fn silence(&self, _: &AgentId, _: UnixMillis) -> i64 {
        0
    }

    fn answers(&self, _: &AgentId, _: UnixMillis, _: i64) -> Option<bool> {
        Some(true)
    }
}
