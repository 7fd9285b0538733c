//! Launches one worker and removes one: the only place that calls a cloud to make or end a server.
//!
//! The seed of a bootstrap key is in memory only, from the intent to the call. A controller that
//! dies in between has not called the cloud, or has: a worker found in `Launching` is looked for
//! by its agent id, and when the cloud never shows it, it is fenced and another is made.

use crate::config;
use crate::keys::{self, Keys};
use crate::lifecycle::Input;
use crate::provider::{self, Provider, Secret, Server, ServerId, ServerSpec};
use crate::registry::{self, Registry};
use crate::revocations::{self, Revocations};
use crate::states::{self, States};
use crate::user_data::{self, AgentSettings, Install, UserData};
use muster_protocol::id::{AgentId, PoolName, UnixMillis, WorkerName, random};
use muster_protocol::jwt::Stamp;
use muster_protocol::worker::{Bootstrap, Phase, Worker};
use nkeys::KeyPair;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Why a worker could not be launched or removed now; all are tried again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The registry.
    #[error(transparent)]
    Registry(#[from] registry::Error),
    /// The keys.
    #[error(transparent)]
    Keys(#[from] keys::Error),
    /// The user-data.
    #[error(transparent)]
    UserData(#[from] user_data::Error),
    /// The cloud.
    #[error("the cloud: {0}")]
    Provider(#[from] provider::Error),
    /// The revocations.
    #[error(transparent)]
    Revocations(#[from] revocations::Error),
    /// The desired state.
    #[error(transparent)]
    States(#[from] states::Error),
    /// The cloud did not answer in time.
    #[error("the cloud did not answer within {0:?}")]
    Slow(Duration),
    /// A pool or provider that the configuration does not have any more.
    #[error("the configuration has no pool {0} with a provider; add it, or end its workers there")]
    NoPool(PoolName),
    /// A launch whose answer was lost is not seen in the cloud yet.
    #[error("the cloud does not show the server of {0} yet")]
    NotSeen(AgentId),
    /// The server is still there after its removal.
    #[error("server {0} is not gone yet")]
    StillThere(ServerId),
    /// An agent's key has no seed.
    #[error("making a bootstrap key")]
    Seed(#[source] nkeys::error::Error),
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
    pub providers: BTreeMap<String, Arc<dyn Provider>>,
    /// What is void.
    pub revocations: Arc<Revocations>,
    /// What agents shall be.
    pub states: Arc<States>,
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
                let now = UnixMillis::now();
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
        let expires = UnixMillis::now().plus(lifetime);
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
        let (pool, provider) = self.pool_of(worker)?;
        let user_data = self.user_data(worker, seed)?;
        let agent = &worker.agent_id;
        self.registry.happen_to(agent, &Input::LaunchBegins).await?;
        let spec = ServerSpec {
            name: worker.name.clone(),
            cluster: self.config.cluster.clone(),
            agent_id: agent.clone(),
            pool: worker.pool.clone(),
            flavor: pool.flavor.clone(),
            image: pool.image.clone(),
            user_data: Secret::new(user_data),
        };
        match self.in_time(provider.create(spec)).await {
            Ok(server) => self.created(agent, &server).await,
            Err(Error::Provider(error)) if !error.outcome_unknown() => {
                let refused = Input::CreateRefused(error.to_string());
                self.registry.happen_to(agent, &refused).await?;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Looks for the server of a launch whose answer was lost.
    ///
    /// # Errors
    /// When the cloud cannot be asked; nothing is concluded then.
    pub async fn look(&self, worker: &Worker) -> Result<(), Error> {
        let (_, provider) = self.pool_of(worker)?;
        let servers = self.in_time(provider.list()).await?;
        if let Some(server) = servers.iter().find(|server| server.agent_id == worker.agent_id) {
            return self.created(&worker.agent_id, server).await;
        }
        let patience = i64::from(self.config.timeouts.cloud_secs) * 2000;
        if UnixMillis::now().since(worker.since) > patience {
            let why = "its cloud never showed the server that was asked for".to_owned();
            self.registry.happen_to(&worker.agent_id, &Input::TimedOut(why)).await?;
            return Ok(());
        }
        Err(Error::NotSeen(worker.agent_id.clone()))
    }

    async fn created(&self, agent: &AgentId, server: &Server) -> Result<(), Error> {
        let created = Input::Created(server.id.to_string());
        self.registry.happen_to(agent, &created).await?;
        Ok(())
    }

    /// Voids a worker's credentials, then removes its server, and is content when it is gone.
    ///
    /// # Errors
    /// When any of it is not certain; it is all tried again.
    pub async fn remove(&self, worker: &Worker) -> Result<(), Error> {
        let now = UnixMillis::now();
        self.lock().remove(&worker.agent_id);
        let bootstrap = &worker.bootstrap;
        let mut void = vec![(bootstrap.public_key.clone(), bootstrap.expires)];
        void.extend(worker.keys.iter().map(|k| (k.public_key.clone(), k.credential_expires)));
        self.revocations.revoke(&void, now).await?;
        let (_, provider) = self.pool_of(worker)?;
        for id in self.servers_of(worker, &provider).await? {
            self.in_time(provider.delete(&id)).await?;
            let left = self.in_time(provider.get(&id)).await?;
            if left.is_some_and(|server| server.status != provider::Status::Deleted) {
                return Err(Error::StillThere(id));
            }
        }
        self.states.forget(&worker.agent_id).await?;
        self.registry.happen_to(&worker.agent_id, &Input::Gone).await?;
        Ok(())
    }

    /// Every server that was made for this generation: the known one, and what a lost answer left.
    async fn servers_of(
        &self,
        worker: &Worker,
        provider: &Arc<dyn Provider>,
    ) -> Result<Vec<ServerId>, Error> {
        let servers = self.in_time(provider.list()).await?;
        let of_it = servers.into_iter().filter(|server| server.agent_id == worker.agent_id);
        let mut ids: Vec<ServerId> = of_it.map(|server| server.id).collect();
        if let Some(known) = worker.provider_id.as_ref().map(ServerId::new)
            && !ids.contains(&known)
        {
            ids.push(known);
        }
        Ok(ids)
    }

    /// The server of a worker as its cloud sees it; `None` when the cloud says it has none.
    ///
    /// # Errors
    /// When the cloud cannot be asked.
    pub async fn server_of(&self, worker: &Worker) -> Result<Option<Server>, Error> {
        let (_, provider) = self.pool_of(worker)?;
        let Some(id) = worker.provider_id.as_ref().map(ServerId::new) else { return Ok(None) };
        self.in_time(provider.get(&id)).await
    }

    fn pool_of(&self, worker: &Worker) -> Result<(&config::Pool, Arc<dyn Provider>), Error> {
        let none = || Error::NoPool(worker.pool.clone());
        let pool = self.config.pools.get(&worker.pool).ok_or_else(none)?;
        let provider = self.providers.get(&pool.provider).ok_or_else(none)?;
        Ok((pool, Arc::clone(provider)))
    }

    fn user_data(&self, worker: &Worker, seed: String) -> Result<String, Error> {
        let bootstrap = &worker.bootstrap;
        let jwt = self.keys.bootstrap_jwt(
            &worker.agent_id,
            &bootstrap.public_key,
            bootstrap.expires,
            &Stamp::fresh(),
        )?;
        Ok(user_data::render(&UserData {
            agent_id: worker.agent_id.clone(),
            cluster: self.config.cluster.clone(),
            servers: self.servers.clone(),
            ca: self.keys.ca_pem().to_owned(),
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

    async fn in_time<T>(
        &self,
        call: impl Future<Output = Result<T, provider::Error>>,
    ) -> Result<T, Error> {
        let limit = Duration::from_secs(self.config.timeouts.cloud_secs.into());
        match tokio::time::timeout(limit, call).await {
            Ok(done) => Ok(done?),
            Err(_) => Err(Error::Slow(limit)),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<AgentId, String>> {
        self.seeds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn new_worker(
    name: &WorkerName,
    pool: &PoolName,
    agent_id: AgentId,
    bootstrap: Bootstrap,
    now: UnixMillis,
) -> Worker {
    use muster_protocol::id::{Generation, Token};
    use muster_protocol::worker::Milestones;
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
    }
}
