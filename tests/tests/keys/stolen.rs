//! Credentials in the hands of a test: an agent's files as a thief copies them, and those that the
//! controller's directory lets anybody make.

use anyhow::{Context, Result, ensure};
use muster_controller::keys::Keys;
use muster_protocol::api::WorkerView;
use muster_protocol::bus::{self, Bus, Credential, Options, State};
use muster_protocol::id::{AgentId, UnixMillis};
use muster_protocol::jwt::{PUSHER, Stamp};
use muster_protocol::subject::{self, Role};
use muster_tests::cluster::{Cluster, PATIENCE};
use nkeys::KeyPair;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

const TRY: Duration = Duration::from_millis(100);
const HOUR_MILLIS: i64 = 3_600_000;

/// What lets somebody be an agent.
#[derive(Debug)]
pub(super) struct Stolen {
    agent: AgentId,
    servers: Vec<String>,
    ca: PathBuf,
    key: Arc<KeyPair>,
    jwt: String,
}

/// The agent's own folder.
pub(super) fn folder(cluster: &Cluster, worker: &WorkerView) -> Result<PathBuf> {
    let id = worker.provider_id.as_deref().context("no server")?;
    Ok(cluster.path(&format!("data/local/here/{id}/root/var/lib/muster-agent")))
}

impl Stolen {
    /// A copy of a worker's files.
    pub(super) fn from(cluster: &Cluster, worker: &WorkerView) -> Result<Stolen> {
        let folder = folder(cluster, worker)?;
        let read = |file: &str| -> Result<Value> {
            Ok(serde_json::from_slice(&fs::read(folder.join(file))?)?)
        };
        let (identity, keys) = (read("identity.json")?, read("keys.json")?);
        let text = |value: &Value| value.as_str().map(str::to_owned).context("no text");
        Ok(Stolen {
            agent: worker.agent_id.clone(),
            servers: serde_json::from_value(identity["servers"].clone())?,
            ca: cluster.path("config/ca.pem"),
            key: Arc::new(KeyPair::from_seed(&text(&keys["user"])?)?),
            jwt: text(&identity["jwt"])?,
        })
    }

    /// One that the present keys sign for an agent that is nobody's.
    pub(super) fn made(cluster: &Cluster) -> Result<Stolen> {
        let keys = Keys::load(&cluster.path("config"))?;
        let (agent, key) = ("nobody-abcdefghijkm".parse()?, KeyPair::new_user());
        let until = UnixMillis::now().plus(HOUR_MILLIS);
        let jwt = keys.agent_jwt(&agent, &key.public_key(), until, &Stamp::fresh())?;
        let (servers, ca) = (cluster.servers()?, cluster.path("config/ca.pem"));
        Ok(Stolen { agent, servers, ca, key: Arc::new(key), jwt })
    }

    /// Its public key.
    pub(super) fn public_key(&self) -> String {
        self.key.public_key()
    }

    /// Whether the server lets it in.
    pub(super) async fn is_let_in(&self) -> Result<bool> {
        let connected = Bus::connect(Options {
            role: Role::Agent,
            name: self.agent.to_string(),
            servers: self.servers.clone(),
            ca: Some(self.ca.clone()),
            credential: Credential::new(Arc::clone(&self.key), self.jwt.clone()),
        })
        .await;
        let bus = match connected {
            Ok(bus) => bus,
            Err(bus::Error::Refused { .. }) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let proved = bus.probe(&subject::rpc(&self.agent, "hello")).await;
        let refused = matches!(*bus.state().borrow(), State::Refused(_));
        ensure!(proved.is_ok() || refused, "{proved:?}");
        bus.close().await;
        Ok(proved.is_ok())
    }

    /// Waits until the server does not let it in.
    pub(super) async fn until_refused(&self) -> Result<()> {
        within_patience("refused", async || Ok(!self.is_let_in().await?)).await
    }
}

/// The connection in SYS that every controller has.
pub(super) async fn pusher(cluster: &Cluster, keys: &Keys) -> Result<Bus> {
    Ok(Bus::connect(Options {
        role: Role::Controller,
        name: PUSHER.into(),
        servers: cluster.servers()?,
        ca: Some(cluster.path("config/ca.pem")),
        credential: keys.pusher(&Stamp::fresh())?,
    })
    .await?)
}

/// What the controller and its nats-server have logged last.
pub(super) fn logs(cluster: &Cluster) -> String {
    let nats = fs::read_to_string(cluster.path("config/run/nats.log")).unwrap_or_default();
    let from = nats.len().saturating_sub(5000);
    format!("{}\nnats-server:\n{}", cluster.log(), nats.get(from..).unwrap_or_default())
}

/// Asks again and again until it is so.
pub(super) async fn within_patience(
    what: &str,
    mut is_so: impl AsyncFnMut() -> Result<bool>,
) -> Result<()> {
    let asking = async {
        let mut tries = tokio::time::interval(TRY);
        loop {
            tries.tick().await;
            if is_so().await? {
                return Ok(());
            }
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.with_context(|| format!("never {what}"))?
}
