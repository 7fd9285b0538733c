//! Launches, rebuilds and removes one worker: the only place that calls a cloud to change it.
//!
//! Intent is durable before each call, and a call begins only while this controller's lease lasts
//! longer than the call may. The seed of a bootstrap key is in memory only, from the intent to the
//! call. A controller that dies in between has not called the cloud, or has: a worker found in
//! `Launching` is looked for by its agent id, never asked for again, and when the cloud never shows
//! it, its generation is fenced and another is made.

mod cloud;
mod error;

pub use cloud::{CALLS_MAX, Cloud};
pub use error::Error;

use crate::config;
use crate::keys::Keys;
use crate::lease::Fence;
use crate::lifecycle::Input;
use crate::provider::{self, ErrorKind, Secret, Server, ServerId, ServerSpec, Status};
use crate::registry::Registry;
use crate::user_data::{self, AgentSettings, Install, UserData};
use futures_util::future::BoxFuture;
use muster_protocol::id::{AgentId, Generation, PoolName, Token, UnixMillis, WorkerName, random};
use muster_protocol::jwt::Stamp;
use muster_protocol::worker::{
    AfterDrain, Bootstrap, FailureKind, Milestones, Occupancy, Phase, Worker,
};
use nkeys::KeyPair;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A call that changes a cloud begins only with so much of the lease left, and ends before it does.
const FENCE_MIN: Duration = Duration::from_secs(2);
/// Between looks at a server that is being deleted; afterwards its removal is tried again.
const GONE_WAITS: [Duration; 5] = [
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];
/// What remains of the lease when such a call is given up.
const FENCE_SPARE: Duration = Duration::from_millis(500);

/// What ties a worker to the bus besides its document: its credentials and its desired state.
pub trait Ties: fmt::Debug + Send + Sync {
    /// Makes credentials void; certain when it succeeds, harmless to repeat.
    fn revoke(&self, keys: Vec<(String, UnixMillis)>) -> BoxFuture<'_, Result<(), Error>>;

    /// Forgets what an agent that is over should be, and what was heard of it.
    fn forget<'a>(&'a self, agent: &'a AgentId) -> BoxFuture<'a, Result<(), Error>>;

    /// Runs what an operator hooked in before a worker is launched, or removed.
    fn before<'a>(&'a self, what: Before, worker: &'a Worker) -> BoxFuture<'a, ()>;
}

/// What is about to happen to a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// The cloud is asked for its server.
    Launch,
    /// Its server is removed.
    Terminate,
}

/// Launches and removes workers.
#[derive(Debug)]
pub struct Launcher {
    /// Pools, the cluster's name, times.
    pub config: Arc<config::Config>,
    /// What credentials are signed with.
    pub keys: Arc<Keys>,
    /// The truth.
    pub registry: Arc<Registry>,
    /// The clouds by their names in the configuration.
    pub clouds: BTreeMap<String, Cloud>,
    /// Credentials, desired states, hooks.
    pub ties: Arc<dyn Ties>,
    /// Until when this controller may act.
    pub fence: Fence,
    /// Where agents find NATS.
    pub servers: Vec<String>,
    /// How the agent gets onto a worker.
    pub install: Install,
    /// Seeds of workers whose server is not asked for yet.
    pub seeds: Mutex<HashMap<AgentId, String>>,
}

impl Launcher {
    /// The intent to launch a worker of a pool, or a new life of a name that is free again.
    ///
    /// # Errors
    /// When the registry does not store it.
    pub async fn intend(&self, name: &WorkerName, pool: &PoolName) -> Result<(), Error> {
        let (agent_id, bootstrap) = self.identity(name)?;
        match self.registry.worker(name) {
            Some(_) => {
                self.registry.happen(name, &Input::Reborn { agent_id, bootstrap }).await?;
            }
            None => {
                let now = self.registry.now();
                self.registry.add(new_worker(name, pool, agent_id, bootstrap, now)).await?;
            }
        }
        Ok(())
    }

    /// A fresh id with a bootstrap key whose seed stays here.
    fn identity(&self, name: &WorkerName) -> Result<(AgentId, Bootstrap), Error> {
        let agent_id = AgentId::new(name, random());
        let key = KeyPair::new_user();
        let seed = key.seed().map_err(Error::Seed)?;
        self.lock().insert(agent_id.clone(), seed);
        let lifetime = i64::from(self.config.timeouts.boot_secs) * 1000;
        let expires = self.registry.now().plus(lifetime);
        Ok((agent_id, Bootstrap { public_key: key.public_key(), expires }))
    }

    /// Asks the cloud for a pending worker's server.
    ///
    /// # Errors
    /// When the outcome is not known, or not stored; the worker is then in `Launching`.
    pub async fn launch(&self, worker: &Worker) -> Result<(), Error> {
        let seed = self.lock().remove(&worker.agent_id);
        let Some(seed) = seed else {
            // Another process had the seed, and never called the cloud: the worker is pending.
            return self.intend(&worker.name, &worker.pool).await;
        };
        let launched = self.launch_with(worker, &seed).await;
        // Until the cloud was asked, the seed is still good for the next try.
        if launched.is_err() && self.registry.agent(&worker.agent_id).is_some_and(is_pending) {
            self.lock().insert(worker.agent_id.clone(), seed);
        }
        launched
    }

    async fn launch_with(&self, worker: &Worker, seed: &str) -> Result<(), Error> {
        let (pool, cloud) = self.pool_of(worker)?;
        self.lasting()?;
        let image = self.image_of(&worker.pool, pool).await?;
        let spec = self.spec(worker, pool, &image, seed)?;
        let about = Worker { image: image.clone(), ..worker.clone() };
        self.ties.before(Before::Launch, &about).await;
        let call = cloud.permit().await?;
        // A controller that is killed up to here leaves no doubt: the worker is still pending.
        let prepared = match self.in_time(cloud.provider.prepare(&spec)).await {
            Err(Error::Slow(limit)) => return Err(Error::Slow(limit)),
            prepared => prepared,
        };
        self.lasting()?;
        let agent = &worker.agent_id;
        let begun = self.registry.happen_untold(agent, &Input::LaunchBegins { image }).await?;
        let asking = async {
            prepared?;
            self.change(cloud.provider.create(spec)).await
        };
        let ((), answer) = tokio::join!(self.registry.tell_of(&begun), asking);
        drop(call);
        match answer {
            Ok(server) => self.created(agent, &server).await,
            Err(Error::Provider(error)) if !error.outcome_unknown() => {
                let (kind, reason) = (failure(error.kind()), error.to_string());
                let refused = Input::CreateRefused { kind, reason };
                self.registry.happen_to(agent, &refused).await?;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Looks for the server of a launch whose answer was lost.
    ///
    /// # Errors
    /// When the cloud cannot be asked, or does not show it yet; nothing is concluded then.
    pub async fn look(&self, worker: &Worker) -> Result<(), Error> {
        let (_, cloud) = self.pool_of(worker)?;
        let servers = cloud.servers(self.patience()).await?;
        let of_it = servers.iter().filter(|server| server.agent_id == worker.agent_id);
        if let Some(server) = of_it.min_by_key(|server| (server.created_at, &server.id)) {
            return self.created(&worker.agent_id, server).await;
        }
        if !self.may_appear(worker) {
            let why = "its cloud never showed the server that was asked for".to_owned();
            self.registry.happen_to(&worker.agent_id, &Input::TimedOut(why)).await?;
            return Ok(());
        }
        Err(Error::NotSeen(worker.agent_id.clone()))
    }

    /// Whether the cloud may still show a server that it was asked for and did not answer about.
    fn may_appear(&self, worker: &Worker) -> bool {
        let patience = i64::from(self.config.timeouts.cloud_secs) * 2000;
        worker.asked.is_some_and(|asked| self.registry.now().since(asked) <= patience)
    }

    async fn created(&self, agent: &AgentId, server: &Server) -> Result<(), Error> {
        let addresses = server.addresses.clone();
        let created = Input::Created { id: server.id.to_string(), addresses };
        self.registry.happen_to(agent, &created).await?;
        Ok(())
    }

    /// Rebuilds a drained worker's server for a new generation. Each try is a generation of its
    /// own, and the old one's credentials are void before the cloud is asked.
    ///
    /// # Errors
    /// When the outcome is not known; the next try has another identity.
    pub async fn rebuild(&self, worker: &Worker) -> Result<(), Error> {
        let (pool, cloud) = self.pool_of(worker)?;
        let Some(id) = worker.provider_id.as_ref().map(ServerId::new) else {
            let why = "it has no server to rebuild".to_owned();
            self.registry.happen_to(&worker.agent_id, &Input::RebuildRefused(why)).await?;
            return Ok(());
        };
        let image = match &worker.after_drain {
            Some(AfterDrain::Rebuild(Some(image))) => image.clone(),
            // A try before this one has stored the image with its generation.
            None if worker.keys.is_none() && !worker.image.is_empty() => worker.image.clone(),
            _ => self.image_of(&worker.pool, pool).await?,
        };
        self.ties.revoke(credentials(worker)).await?;
        self.ties.forget(&worker.agent_id).await?;
        let (agent_id, bootstrap) = self.identity(&worker.name)?;
        let seed = self.lock().remove(&agent_id).unwrap_or_default();
        let begins = Input::RebuildBegins { agent_id, bootstrap, image: image.clone() };
        let next = self.registry.happen_to(&worker.agent_id, &begins).await?;
        let spec = self.spec(&next, pool, &image, &seed)?;
        let call = cloud.permit().await?;
        if let Err(error) = self.in_time(cloud.provider.prepare(&spec)).await {
            tracing::debug!(%error, "the rebuild itself will tell");
        }
        let answer = self.change(cloud.provider.rebuild(&id, spec)).await;
        drop(call);
        let input = match answer {
            Ok(()) => Input::Rebuilt,
            Err(Error::Provider(error)) if !error.outcome_unknown() && !error.is_retryable() => {
                Input::RebuildRefused(error.to_string())
            }
            Err(error) => return Err(error),
        };
        self.registry.happen_to(&next.agent_id, &input).await?;
        Ok(())
    }

    /// Voids a worker's credentials, then removes its server, and is content when it is gone.
    ///
    /// # Errors
    /// When any of it is not certain; it is all tried again.
    pub async fn remove(&self, worker: &Worker) -> Result<(), Error> {
        self.lock().remove(&worker.agent_id);
        self.ties.revoke(credentials(worker)).await?;
        self.ties.before(Before::Terminate, worker).await;
        let (_, cloud) = self.pool_of(worker)?;
        let servers = self.servers_of(worker, &cloud).await?;
        if servers.is_empty() && self.may_appear(worker) {
            return Err(Error::NotSeen(worker.agent_id.clone()));
        }
        for id in servers {
            self.delete(&cloud, &id).await?;
        }
        self.ties.forget(&worker.agent_id).await?;
        self.registry.happen_to(&worker.agent_id, &Input::Gone).await?;
        Ok(())
    }

    /// Removes a server, and is content when it is gone: clouds say that they delete for a while,
    /// and some could still give it back.
    ///
    /// # Errors
    /// When that is not certain.
    pub async fn delete(&self, cloud: &Cloud, id: &ServerId) -> Result<(), Error> {
        let call = cloud.permit().await?;
        self.change(cloud.provider.delete(id)).await?;
        drop(call);
        for wait in GONE_WAITS {
            let left = self.in_time(cloud.provider.get(id)).await?;
            match left.map(|server| server.status) {
                None => return Ok(()),
                Some(Status::Deleted) => tokio::time::sleep(wait).await,
                Some(_) => break,
            }
        }
        Err(Error::StillThere(id.clone()))
    }

    /// Every server that was made for this generation: the known one, and what a lost answer left.
    async fn servers_of(&self, worker: &Worker, cloud: &Cloud) -> Result<Vec<ServerId>, Error> {
        let servers = cloud.servers(self.patience()).await?;
        let of_it = servers.iter().filter(|server| server.agent_id == worker.agent_id);
        let mut ids: Vec<ServerId> = of_it.map(|server| server.id.clone()).collect();
        if let Some(known) = worker.provider_id.as_ref().map(ServerId::new)
            && !ids.contains(&known)
        {
            ids.push(known);
        }
        Ok(ids)
    }

    /// One server as its cloud sees it; `None` when the cloud says it has none.
    ///
    /// # Errors
    /// When the cloud cannot be asked.
    pub async fn server(&self, cloud: &Cloud, id: &ServerId) -> Result<Option<Server>, Error> {
        self.in_time(cloud.provider.get(id)).await
    }

    /// All servers of a cloud.
    ///
    /// # Errors
    /// When the cloud cannot be asked.
    pub async fn list(&self, cloud: &Cloud) -> Result<Vec<Server>, Error> {
        Ok(cloud.servers(self.patience()).await?.to_vec())
    }

    fn pool_of(&self, worker: &Worker) -> Result<(&config::Pool, Cloud), Error> {
        let none = || Error::NoPool(worker.pool.clone());
        let pool = self.config.pools.get(&worker.pool).ok_or_else(none)?;
        let cloud = self.clouds.get(&pool.provider).ok_or_else(none)?;
        Ok((pool, cloud.clone()))
    }

    /// The image of a pool's new workers.
    async fn image_of(&self, name: &PoolName, pool: &config::Pool) -> Result<String, Error> {
        let stored = self.registry.pool(name).await?.and_then(|state| state.image);
        Ok(stored.unwrap_or_else(|| pool.image.clone()))
    }

    fn spec(
        &self,
        worker: &Worker,
        pool: &config::Pool,
        image: &str,
        seed: &str,
    ) -> Result<ServerSpec, Error> {
        Ok(ServerSpec {
            name: worker.name.clone(),
            cluster: self.config.cluster.clone(),
            agent_id: worker.agent_id.clone(),
            pool: worker.pool.clone(),
            flavor: pool.flavor.clone(),
            image: image.to_owned(),
            user_data: Secret::new(self.user_data(worker, seed)?),
        })
    }

    fn user_data(&self, worker: &Worker, seed: &str) -> Result<String, Error> {
        let bootstrap = &worker.bootstrap;
        let stamp = Stamp { now: self.registry.now(), jti: Token::random(random()) };
        let jwt = self.keys.bootstrap_jwt(
            &worker.agent_id,
            &bootstrap.public_key,
            bootstrap.expires,
            &stamp,
        )?;
        Ok(user_data::render(&UserData {
            agent_id: worker.agent_id.clone(),
            cluster: self.config.cluster.clone(),
            servers: self.servers.clone(),
            ca: self.keys.ca_pem(),
            root_public_key: self.keys.root_public_key().to_owned(),
            jwt: Secret::new(jwt),
            seed: Secret::new(seed),
            install: self.install.clone(),
            agent: AgentSettings {
                exec: self.config.agent.exec,
                interval_secs: self.config.agent.interval_secs,
            },
        })?)
    }

    /// A call that changes a cloud. It is given up before the lease ends, which its holder prolongs
    /// while the cloud thinks; one that woke too late to hold the lease does not even begin it.
    async fn change<T>(
        &self,
        call: impl Future<Output = Result<T, provider::Error>>,
    ) -> Result<T, Error> {
        self.lasting()?;
        let mut fence = self.fence.clone();
        tokio::select! {
            biased;
            () = fence.runs_out(FENCE_SPARE) => Err(Error::Lapsed),
            done = limited(call, self.patience()) => done,
        }
    }

    /// Whether enough of the lease remains for a call that changes a cloud to begin.
    fn lasting(&self) -> Result<(), Error> {
        let lasts = self.fence.remaining().is_some_and(|left| left > FENCE_MIN);
        lasts.then_some(()).ok_or(Error::Fenced)
    }

    /// A call that only reads.
    async fn in_time<T>(
        &self,
        call: impl Future<Output = Result<T, provider::Error>>,
    ) -> Result<T, Error> {
        limited(call, self.patience()).await
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(self.config.timeouts.cloud_secs.into())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AgentId, String>> {
        self.seeds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn limited<T>(
    call: impl Future<Output = Result<T, provider::Error>>,
    limit: Duration,
) -> Result<T, Error> {
    match tokio::time::timeout(limit, call).await {
        Ok(done) => Ok(done?),
        Err(_) => Err(Error::Slow(limit)),
    }
}

#[allow(clippy::needless_pass_by_value, reason = "it stands in is_some_and")]
fn is_pending(worker: Worker) -> bool {
    worker.phase == Phase::Pending
}

/// What kind of failure a launch is that a cloud refuses, or breaks, so.
pub(crate) fn failure(kind: ErrorKind) -> FailureKind {
    match kind {
        ErrorKind::Capacity | ErrorKind::Quota => FailureKind::Capacity,
        ErrorKind::Rate
        | ErrorKind::Auth
        | ErrorKind::Invalid
        | ErrorKind::Conflict
        | ErrorKind::Gone
        | ErrorKind::Transient => FailureKind::Cloud,
    }
}

/// All credentials of a generation, with the times until which they would live.
fn credentials(worker: &Worker) -> Vec<(String, UnixMillis)> {
    let bootstrap = &worker.bootstrap;
    let mut all = vec![(bootstrap.public_key.clone(), bootstrap.expires)];
    all.extend(worker.keys.iter().map(|k| (k.public_key.clone(), k.credential_expires)));
    all
}

fn new_worker(
    name: &WorkerName,
    pool: &PoolName,
    agent_id: AgentId,
    bootstrap: Bootstrap,
    now: UnixMillis,
) -> Worker {
    Worker {
        name: name.clone(),
        pool: pool.clone(),
        phase: Phase::Pending,
        reason: None,
        generation: Generation(1),
        agent_id,
        bootstrap,
        keys: None,
        provider_id: None,
        facts: BTreeMap::new(),
        revision: 0,
        states: None,
        milestones: Milestones { launched: Some(now), ..Milestones::default() },
        since: now,
        op_id: Token::random(random()),
        history: vec![(now, "pending".to_owned())],
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
