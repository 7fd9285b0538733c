//! Connections of many agents in one process: each with keys and a credential of its own, made with
//! the cluster's, and the subscriptions that an agent has.

use crate::cluster::Cluster;
use anyhow::{Context, Result, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};
use muster_protocol::bus::{Bus, Commands, Credential, Options, Pushes, State};
use muster_protocol::event::{Event, Started};
use muster_protocol::id::{AgentId, Token, UnixMillis, WorkerName, random};
use muster_protocol::jwt::{self, Stamp};
use muster_protocol::subject::{self, Role};
use muster_protocol::wire;
use nkeys::KeyPair;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

/// Connections that are opened at once.
const OPENING_MAX: usize = 64;
/// How long the credentials live.
const CREDENTIAL_MILLIS: i64 = 86_400_000;

/// Makes users of a role.
pub struct Issuer {
    role: Role,
    signer: KeyPair,
    account: String,
}

impl std::fmt::Debug for Issuer {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(to, "Issuer({})", self.role.name())
    }
}

impl Issuer {
    /// With the cluster's own keys.
    ///
    /// # Errors
    /// When they are not there.
    pub fn of(cluster: &Cluster, role: Role) -> Result<Issuer> {
        let account = format!("{}.nk", role.account().name().to_lowercase());
        let account = key(cluster, &account)?.public_key();
        let signer = key(cluster, &format!("role-{}.nk", role.name()))?;
        Ok(Issuer { role, signer, account })
    }

    /// A new user's connection.
    ///
    /// # Errors
    /// When it is not let in.
    pub async fn connect(&self, cluster: &Cluster, name: &str) -> Result<Bus> {
        let (key, stamp) = (KeyPair::new_user(), Stamp::fresh());
        let (public, until) = (key.public_key(), UnixMillis::now().plus(CREDENTIAL_MILLIS));
        let Issuer { role, signer, account } = self;
        let jwt = jwt::user(*role, name, &public, signer, account, Some(until), &stamp)?;
        let bus = Bus::connect(Options {
            role: *role,
            name: name.to_owned(),
            servers: cluster.servers()?,
            ca: Some(cluster.path("config/ca.pem")),
            credential: Credential::new(Arc::new(key), jwt),
        });
        Ok(bus.await?)
    }
}

fn key(cluster: &Cluster, file: &str) -> Result<KeyPair> {
    let text = fs::read_to_string(cluster.path("config").join(file))?;
    Ok(KeyPair::from_seed(text.trim())?)
}

/// One agent's connection.
#[derive(Debug)]
struct Member {
    agent: AgentId,
    bus: Bus,
    _commands: Commands,
    _pushes: Pushes,
}

/// The connections of all.
#[derive(Debug)]
pub struct Fleet(Vec<Member>);

impl Fleet {
    /// Connects so many agents. The registry knows none of them.
    ///
    /// # Errors
    /// When one is not let in.
    pub async fn connect(cluster: &Cluster, count: usize) -> Result<Fleet> {
        let agents = Issuer::of(cluster, Role::Agent)?;
        let bus_account = key(cluster, "bus.nk")?.public_key();
        let open = async |number: usize| -> Result<Member> {
            let worker: WorkerName = format!("fleet-{number:04}").parse()?;
            let agent = AgentId::new(&worker, random());
            let bus = agents.connect(cluster, agent.as_str()).await?;
            bus.probe(&subject::rpc(&agent, "hello")).await?;
            let (_commands, _pushes) =
                (bus.commands(&agent, &bus_account).await?, bus.pushes(&agent).await?);
            Ok(Member { agent, bus, _commands, _pushes })
        };
        let opened = stream::iter(0..count).map(open).buffer_unordered(OPENING_MAX);
        Ok(Fleet(opened.try_collect().await?))
    }

    /// Waits until each has lost its connection, and has it again, and an event of each is stored
    /// thereafter. Returns how long that took for each, in seconds.
    ///
    /// # Errors
    /// When one is not back in time, or never can be.
    pub async fn all_come_back(&self, patience: Duration) -> Result<Vec<f64>> {
        let began = tokio::time::Instant::now();
        let back = self.0.iter().map(|member| async move {
            let mut state = member.bus.state();
            // One that was refused, or has not noticed yet, is not back.
            state.wait_for(|state| *state != State::Connected).await?;
            loop {
                let now = state.wait_for(|state| *state != State::Disconnected).await?.clone();
                ensure!(now == State::Connected, "{} is refused: {now:?}", member.agent);
                match member.say().await {
                    Ok(()) => return Ok(began.elapsed().as_secs_f64()),
                    Err(error) => {
                        let bus = error.downcast_ref::<muster_protocol::bus::Error>();
                        ensure!(bus.is_some_and(|error| error.is_retryable()), "{error:#}");
                    }
                }
            }
        });
        let all = futures_util::future::try_join_all(back);
        let all = tokio::time::timeout(patience, all).await;
        all.context("some agents did not come back in time")?
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Member {
    async fn say(&self) -> Result<()> {
        let started = Started { version: "fleet".into(), revision: 0, fresh: false };
        let event = Event::new(Token::random(random()), UnixMillis::now(), &started);
        let to = subject::agent_event(&self.agent, "started");
        self.bus.publish(to, event.id.as_str(), wire::encode(&event)).await?;
        Ok(())
    }
}
