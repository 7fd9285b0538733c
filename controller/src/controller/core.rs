//! What all tasks of a controller share, and the tasks of every controller: it answers calls, keeps
//! the history, follows the registry. Who reconciles does more: see [`super::leader`].

use super::buses::{self, Buses, CONNECT_DEADLINE, CONNECT_PAUSE};
use super::{Tasks, trust};
use crate::api::{Api, Told};
use crate::config::{AgentInstall, Config};
use crate::documents::Clock;
use crate::enrolment::{Enrolment, Limits};
use crate::hooks::Hooks;
use crate::https::{self, Https};
use crate::inspection::Inspector;
use crate::instances::Instances;
use crate::jobs::Jobs;
use crate::keys::Keys;
use crate::launcher::{Cloud, Launcher};
use crate::lease::{Contender, Fence};
use crate::membership;
use crate::people::People;
use crate::provider::kind::Site;
use crate::registry::{self, Registry};
use crate::results;
use crate::revocations::Revocations;
use crate::rotation::Rotor;
use crate::rpc::Rpc;
use crate::server_clock;
use crate::states::States;
use crate::stats::{self, Stats};
use crate::store::{self, Buckets};
use crate::ties::BusTies;
use crate::trust::Keeper;
use crate::user_data::Install;
use anyhow::Context;
use muster_protocol::bus::stream::JetStream;
use muster_protocol::bus::{self, Bus};
use muster_protocol::id::{Token, UnixMillis, random};
use muster_reactors::engine::Memory;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Where JetStream tells of itself.
const JETSTREAM_INFO: &str = "$JS.API.INFO";
/// Holds this controller's own name, which outlives its restarts.
const NAME_FILE: &str = "controller.name";

/// What all tasks share.
pub(super) struct Core {
    pub(super) config: Arc<Config>,
    keys: Arc<Keys>,
    pub(super) bus: Bus,
    machines: Bus,
    pub(super) jetstream: JetStream,
    pub(super) buckets: Buckets,
    pub(super) registry: Arc<Registry>,
    pub(super) revocations: Arc<Revocations>,
    pub(super) people: Arc<People>,
    pub(super) rotor: Arc<Rotor>,
    pub(super) states: Arc<States>,
    pub(super) jobs: Arc<Jobs>,
    pub(super) stats: Arc<Stats>,
    pub(super) launcher: Arc<Launcher>,
    pub(super) inspector: Arc<Inspector>,
    pub(super) keeper: Arc<Keeper>,
    pub(super) hooks: Arc<Hooks>,
    /// Which events the reactors have acted on, whenever this controller led.
    pub(super) acted: Arc<Memory>,
    contender: Option<Contender>,
    pub(super) fence: Fence,
    leader: tokio::sync::watch::Receiver<String>,
    /// Answers and commands under way.
    pub(super) tracker: TaskTracker,
    pub(super) cancel: CancellationToken,
}

impl Core {
    /// Connects, makes the streams, reads the documents, publishes the tree.
    pub(super) async fn open(
        config: Config,
        keys: Arc<Keys>,
        servers: Vec<String>,
        own: &[String],
        cancel: CancellationToken,
        tasks: &mut Tasks,
    ) -> anyhow::Result<Core> {
        let config = Arc::new(config);
        let Buses { bus, machines, credential, pusher } = buses::open(&keys, own).await?;
        let (jetstream, buckets) = Box::pin(open_store(&bus, &config)).await?;
        server_clock::ask(&buckets.cluster, &keys).await;
        let registry = Arc::new(open_registry(&bus, &buckets, &keys).await?);
        let people = open_people(&buckets, &keys).await?;
        let contender = Contender::new(buckets.cluster.clone(), own_name(&config.data)?);
        let (tracker, leader) = (TaskTracker::new(), contender.holder());
        let (revocations, rotor) = Box::pin(trust::open(trust::On {
            config: &config,
            keys: &keys,
            bus: &bus,
            credential,
            pusher,
            cluster: &buckets.cluster,
            registry: &registry,
            fence: contender.fence(),
            servers: own,
            tasks: &tracker,
        }))
        .await?;
        let store = (&jetstream, &buckets);
        let states = publish_states(&config, &bus, store, &keys, &registry).await?;
        let parts = stats::Parts::new(&config, &bus, &jetstream, &registry);
        let (stats, hooks) = (Arc::new(Stats::new(parts)), hooks(&config, &bus)?);
        let launcher = Arc::new(Launcher {
            config: Arc::clone(&config),
            keys: Arc::clone(&keys),
            registry: Arc::clone(&registry),
            clouds: clouds(&config).await?,
            ties: ties(&revocations, &states, &stats, &hooks),
            fence: contender.fence(),
            servers,
            install: serve_agent(&config, &keys, &cancel, tasks).await?,
            seeds: Mutex::default(),
        });
        let keeper = Arc::new(Keeper::new(buckets.cluster.clone(), &config.data));
        let inspector = inspector(&config, &registry, &launcher, &keeper, &stats);
        Ok(Core {
            jobs: Arc::new(Jobs::new(bus.clone(), Arc::clone(&keys))),
            config,
            keys,
            bus,
            machines,
            jetstream,
            buckets,
            registry,
            revocations,
            people,
            rotor,
            states,
            stats,
            launcher,
            keeper,
            inspector,
            hooks,
            acted: Arc::default(),
            fence: contender.fence(),
            leader,
            contender: Some(contender),
            tracker,
            cancel,
        })
    }

    /// Starts the tasks of every controller; calls are answered from now on.
    pub(super) async fn start(&mut self, tasks: &mut Tasks) -> anyhow::Result<()> {
        let done = Arc::clone(&self.stats).hear(self.cancel.clone());
        tasks.spawn(async { ("stats", done.await.map_err(Into::into)) });
        let (registry, buckets) = (Arc::clone(&self.registry), self.buckets.clone());
        let (people, cancel) = (Arc::clone(&self.people), self.cancel.clone());
        tasks.spawn(async move {
            let workers = registry.follow(buckets.workers, cancel.clone());
            let pools = registry.follow_pools(buckets.pools, cancel.clone());
            tokio::join!(workers, pools, people.follow(buckets.people, cancel));
            ("registry", Ok(()))
        });
        let (cluster, keys) = (self.buckets.cluster.clone(), Arc::clone(&self.keys));
        let done = server_clock::follow(cluster, keys, self.cancel.clone());
        tasks.spawn(async {
            done.await;
            ("server clock", Ok(()))
        });
        let events = results::reader(&self.jetstream).await?;
        let done = results::run(Arc::clone(&self.jobs), events, self.cancel.clone());
        tasks.spawn(async { ("results", done.await.map_err(Into::into)) });
        let (keeper, fence) = (Arc::clone(&self.keeper), self.fence.clone());
        let (changes, cancel) = (self.registry.changes(), self.cancel.clone());
        tasks.spawn(async move {
            keeper.follow(changes, fence, cancel).await;
            ("epoch", Ok(()))
        });
        self.start_keys(tasks);
        self.start_membership(tasks);
        self.start_calls(tasks).await?;
        if let Some(contender) = self.contender.take() {
            let done = contender.run(self.cancel.clone());
            tasks.spawn(async {
                done.await;
                ("lease", Ok(()))
            });
        }
        Ok(())
    }

    /// On every controller: what the one that leads changes of the keys and the revocations.
    fn start_keys(&self, tasks: &mut Tasks) {
        let (rotor, cancel) = (Arc::clone(&self.rotor), self.cancel.clone());
        tasks.spawn(async move { ("keys", rotor.follow(cancel).await.map_err(Into::into)) });
        let (revocations, cancel) = (Arc::clone(&self.revocations), self.cancel.clone());
        tasks.spawn(async move {
            revocations.follow(cancel).await;
            ("revocations", Ok(()))
        });
    }

    /// On every controller: each keeps its own machine's files and sets.
    fn start_membership(&self, tasks: &mut Tasks) {
        let (config, cluster) = (self.config.membership.clone(), self.config.cluster.clone());
        let (registry, teller) = (Arc::clone(&self.registry), Arc::new(self.bus.clone()));
        let done =
            Box::pin(membership::run(config, cluster, registry, teller, self.cancel.clone()));
        tasks.spawn(async {
            done.await;
            ("membership", Ok(()))
        });
    }

    async fn start_calls(&self, tasks: &mut Tasks) -> anyhow::Result<()> {
        let instances =
            Instances { config: Arc::clone(&self.config), launcher: Arc::clone(&self.launcher) };
        let enrolment = Enrolment {
            teller: Arc::new(self.bus.clone()),
            keys: Arc::clone(&self.keys),
            registry: Arc::clone(&self.registry),
            instances,
            credential_millis: i64::from(self.config.timeouts.credential_secs) * 1000,
            limits: Limits::default(),
        };
        let told = Arc::new(Told::new(self.bus.clone(), self.tracker.clone()));
        let (telling, cancel) = (Arc::clone(&told), self.cancel.clone());
        tasks.spawn(async {
            telling.run(cancel).await;
            ("told", Ok(()))
        });
        let api = Api {
            config: Arc::clone(&self.config),
            bus: self.bus.clone(),
            jetstream: self.jetstream.clone(),
            registry: Arc::clone(&self.registry),
            jobs: Arc::clone(&self.jobs),
            stats: Arc::clone(&self.stats),
            states: Arc::clone(&self.states),
            inspector: Arc::clone(&self.inspector),
            keeper: Arc::clone(&self.keeper),
            keys: Arc::clone(&self.keys),
            people: Arc::clone(&self.people),
            servers: self.launcher.servers.clone(),
            told,
            rotor: Arc::clone(&self.rotor),
            buckets: self.buckets.clone(),
            leader: self.leader.clone(),
            started: UnixMillis::now(),
            tasks: self.tracker.clone(),
        };
        let rpc = Rpc {
            bus: self.bus.clone(),
            machines: self.machines.clone(),
            enrolment: Arc::new(enrolment),
            api: Arc::new(api),
            tasks: self.tracker.clone(),
        };
        let calls = rpc.listen().await?;
        let done = rpc.run(calls, self.cancel.clone());
        tasks.spawn(async { ("calls", done.await) });
        Ok(())
    }
}

/// The servers of a cluster need some seconds to find each other: then they answer, or answer that
/// they are not ready.
pub(super) async fn open_store(bus: &Bus, config: &Config) -> anyhow::Result<(JetStream, Buckets)> {
    let deadline = tokio::time::Instant::now() + CONNECT_DEADLINE;
    loop {
        let ready = bus.probe(JETSTREAM_INFO).await;
        let opened = match ready {
            Ok(()) => Box::pin(store::open(bus, &config.store)).await,
            Err(error) => Err(error),
        };
        let error = match opened {
            Ok(opened) => return Ok(opened),
            Err(error) => error,
        };
        let passing = matches!(error, bus::Error::NotReady { .. } | bus::Error::Timeout { .. });
        if !passing || tokio::time::Instant::now() > deadline {
            return Err(error).context("opening streams and buckets");
        }
        tracing::warn!(error = crate::chain(&error), "NATS is not ready yet");
        tokio::time::sleep(CONNECT_PAUSE).await;
    }
}

async fn open_registry(
    bus: &Bus,
    buckets: &Buckets,
    keys: &Arc<Keys>,
) -> Result<Registry, registry::Error> {
    let on = registry::On {
        workers: Arc::new(buckets.workers.clone()),
        pools: Arc::new(buckets.pools.clone()),
        teller: Arc::new(bus.clone()),
        clock: Clock::system(),
    };
    Registry::open(on, Arc::clone(keys)).await
}

async fn publish_states(
    config: &Config,
    bus: &Bus,
    (jetstream, buckets): (&JetStream, &Buckets),
    keys: &Arc<Keys>,
    registry: &Arc<Registry>,
) -> anyhow::Result<Arc<States>> {
    let (tree, keys, registry) = (config.states.clone(), Arc::clone(keys), Arc::clone(registry));
    let (jetstream, desired) = (jetstream.clone(), buckets.desired.clone());
    let states = States::new(tree, bus.clone(), jetstream, desired, keys, registry);
    states.publish_tree().await.context("publishing the state tree")?;
    Ok(Arc::new(states))
}

async fn open_people(buckets: &Buckets, keys: &Arc<Keys>) -> anyhow::Result<Arc<People>> {
    let people = People::open(Arc::new(buckets.people.clone()), Arc::clone(keys)).await;
    people.map(Arc::new).context("reading who may call")
}

fn ties(
    revocations: &Arc<Revocations>,
    states: &Arc<States>,
    stats: &Arc<Stats>,
    hooks: &Arc<Hooks>,
) -> Arc<BusTies> {
    Arc::new(BusTies {
        revocations: Arc::clone(revocations),
        states: Arc::clone(states),
        stats: Arc::clone(stats),
        hooks: Arc::clone(hooks),
    })
}

fn inspector(
    config: &Arc<Config>,
    registry: &Arc<Registry>,
    launcher: &Arc<Launcher>,
    keeper: &Arc<Keeper>,
    stats: &Arc<Stats>,
) -> Arc<Inspector> {
    Arc::new(Inspector {
        config: Arc::clone(config),
        registry: Arc::clone(registry),
        launcher: Arc::clone(launcher),
        keeper: Arc::clone(keeper),
        hearing: Arc::clone(stats) as Arc<_>,
    })
}

fn hooks(config: &Config, bus: &Bus) -> anyhow::Result<Arc<Hooks>> {
    let (hooks, cluster) = (config.hooks.clone(), config.cluster.clone());
    Ok(Arc::new(Hooks::new(hooks, cluster, Arc::new(bus.clone()))?))
}

/// This controller's own name among others; made once, kept in its data folder.
fn own_name(data: &Path) -> anyhow::Result<String> {
    let path = data.join(NAME_FILE);
    std::fs::create_dir_all(data).with_context(|| format!("making {}", data.display()))?;
    match std::fs::read_to_string(&path) {
        Ok(name) if !name.trim().is_empty() => return Ok(name.trim().to_owned()),
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
    }
    let host = nix::unistd::gethostname().unwrap_or_default();
    let random = Token::random(random());
    let name = format!("{}-{}", host.to_string_lossy(), &random.as_str()[..8]);
    std::fs::write(&path, &name).with_context(|| format!("writing {}", path.display()))?;
    Ok(name)
}

async fn clouds(config: &Config) -> anyhow::Result<BTreeMap<String, Cloud>> {
    let mut clouds = BTreeMap::new();
    let agent = beside("muster-agent");
    for (name, provider) in &config.providers {
        let site = Site {
            name,
            cluster: &config.cluster,
            data: &config.data,
            keys: &config.keys,
            agent: agent.as_deref(),
            agent_in_image: config.agent.install == AgentInstall::Image,
        };
        let opened = provider.open(site).await.with_context(|| format!("provider {name}"))?;
        clouds.insert(name.clone(), Cloud::new(name.clone(), opened));
    }
    Ok(clouds)
}

/// A program in this program's folder.
fn beside(name: &str) -> Option<PathBuf> {
    let path = std::env::current_exe().ok()?.parent().map(|dir| dir.join(name))?;
    path.exists().then_some(path)
}

async fn serve_agent(
    config: &Config,
    keys: &Arc<Keys>,
    cancel: &CancellationToken,
    tasks: &mut Tasks,
) -> anyhow::Result<Install> {
    let agent = &config.agent;
    if agent.install == AgentInstall::Image {
        return Ok(Install::Image);
    }
    let binary = agent.binary.clone().or_else(|| beside("muster-agent"));
    let binary = binary.unwrap_or_else(|| Path::new("/usr/bin/muster-agent").to_owned());
    let https = Https::bind(agent.listen, keys, &binary).await?;
    let host = agent.host.clone().unwrap_or_else(|| agent.listen.ip().to_string());
    let url = format!("https://{host}:{}{}", https.port()?, https::AGENT_PATH);
    let sha256 = https.sha256.clone();
    let done = https.run(Arc::clone(keys), cancel.clone());
    tasks.spawn(async {
        done.await;
        ("https", Ok(()))
    });
    Ok(Install::Url { url, sha256 })
}
