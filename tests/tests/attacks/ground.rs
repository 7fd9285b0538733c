//! A cluster with what an attacker would need: its keys, plain connections, ears in each account.

use crate::person::{DEADLINE, Person};
use anyhow::{Context, Result, ensure};
use async_nats::Message;
use futures_util::StreamExt;
use muster_controller::keys::Keys;
use muster_protocol::api::WorkerView;
use muster_protocol::bus::{Bus, Credential, Options};
use muster_protocol::id::{AgentId, Token, UnixMillis, random};
use muster_protocol::jwt::Stamp;
use muster_protocol::subject::{self, Account, Role};
use muster_protocol::worker::Phase;
use muster_tests::cluster::{Cluster, Setup};
use nkeys::KeyPair;
use std::fmt::Display;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

const HOUR_MS: i64 = 3_600_000;

/// The cluster, and all its keys.
pub(super) struct Ground {
    pub(super) cluster: Cluster,
    pub(super) admin: Bus,
    pub(super) keys: Keys,
}

impl Ground {
    pub(super) async fn start(setup: &Setup) -> Result<Ground> {
        Ground::of(Cluster::start(setup).await?).await
    }

    pub(super) async fn of(cluster: Cluster) -> Result<Ground> {
        let (admin, keys) = (cluster.admin().await?, Keys::load(&cluster.path("config"))?);
        Ok(Ground { cluster, admin, keys })
    }

    /// A cluster whose machines start no agent; their user-data is left at this path.
    pub(super) async fn without_agents(config: &str) -> Result<(Ground, tempfile::TempDir)> {
        let (agent, dir) = no_agent()?;
        let config = config.to_owned();
        let setup = Setup { agent: Some(agent), config, ..Setup::default() };
        Ok((Ground::start(&setup).await?, dir))
    }

    /// The first worker, once its states are applied.
    pub(super) async fn ready(&self) -> Result<WorkerView> {
        let ready = |workers: &[WorkerView]| workers.iter().any(|one| one.phase == Phase::Ready);
        let workers = self.cluster.until(&self.admin, "ready", ready).await?;
        let mut ready = workers.into_iter().filter(|worker| worker.phase == Phase::Ready);
        ready.next().context("it was ready")
    }

    fn url(&self) -> Result<String> {
        self.cluster.servers()?.first().cloned().context("no server")
    }

    fn ca(&self) -> PathBuf {
        self.keys.tls_files().ca
    }

    /// A JWT as only the controller makes them; people are added for it.
    pub(super) async fn jwt(&self, role: Role, name: &str, public_key: &str) -> Result<String> {
        let (stamp, expires) = (Stamp::fresh(), UnixMillis::now().plus(HOUR_MS));
        let keys = &self.keys;
        Ok(match role {
            Role::Bootstrap => keys.bootstrap_jwt(&name.parse()?, public_key, expires, &stamp)?,
            Role::Agent => keys.agent_jwt(&name.parse()?, public_key, expires, &stamp)?,
            Role::Viewer | Role::Operator | Role::Admin => {
                self.cluster.enlist(&self.admin, role, name, public_key).await?
            }
            Role::Controller => keys.controller_jwt(&name.parse()?, public_key, &stamp)?,
        })
    }

    /// A plain connection that may do what the role may.
    pub(super) async fn person(&self, role: Role, name: &str) -> Result<Person> {
        let key = KeyPair::new_user();
        let jwt = self.jwt(role, name, &key.public_key()).await?;
        Person::connect(&self.url()?, &self.ca(), role, name, &key, jwt).await
    }

    /// The product's own connection in such a role: with its receivers' checks.
    pub(super) async fn bus(&self, role: Role, name: &str) -> Result<Bus> {
        let key = KeyPair::new_user();
        let jwt = self.jwt(role, name, &key.public_key()).await?;
        self.bus_of(role, name, key, jwt).await
    }

    pub(super) async fn bus_of(
        &self,
        role: Role,
        name: &str,
        key: KeyPair,
        jwt: String,
    ) -> Result<Bus> {
        let credential = Credential::new(Arc::new(key), jwt);
        let (servers, ca) = (self.cluster.servers()?, Some(self.ca()));
        let name = name.to_owned();
        Ok(Bus::connect(Options { role, name, servers, ca, credential }).await?)
    }

    /// Hears all that is said in an account, as its owner could.
    pub(super) async fn ears(&self, account: Account) -> Result<Ears> {
        let file = format!("{}.nk", account.name().to_lowercase());
        let seed = self.cluster.path("config").join(file);
        let person = Person::owner(&self.url()?, &self.ca(), &seed, "ears").await?;
        Ears::listen(person).await
    }
}

/// All that was heard in an account.
pub(super) struct Ears {
    person: Person,
    heard: Arc<Mutex<Vec<Message>>>,
    more: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Drop for Ears {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Ears {
    async fn listen(person: Person) -> Result<Ears> {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (mut all, keep) = (person.nats.subscribe(">").await?, heard.clone());
        let more = Arc::new(Notify::new());
        let tell = more.clone();
        let task = tokio::spawn(async move {
            while let Some(message) = all.next().await {
                keep.lock().expect("no listener panics").push(message);
                tell.notify_waiters();
            }
        });
        let ears = Ears { person, heard, more, task };
        ears.catch_up().await?;
        Ok(ears)
    }

    /// Returns when all has been heard that the server has passed on before.
    pub(super) async fn catch_up(&self) -> Result<()> {
        let mark = format!("mark.{}", Token::random(random()));
        self.person.nats.publish(mark.clone(), "".into()).await?;
        self.until(|message| message.subject.as_str() == mark).await.map(drop)
    }

    /// The first message of this kind, also one that was heard before.
    pub(super) async fn until(&self, wanted: impl Fn(&Message) -> bool) -> Result<Message> {
        let found = async {
            let mut looked_at = 0;
            loop {
                let more = self.more.notified();
                {
                    let heard = self.heard.lock().expect("no listener panics");
                    if let Some(found) = heard[looked_at..].iter().find(|one| wanted(one)) {
                        return found.clone();
                    }
                    looked_at = heard.len();
                }
                more.await;
            }
        };
        tokio::time::timeout(DEADLINE, found).await.context("it was never heard")
    }

    pub(super) fn heard(&self) -> Vec<Message> {
        self.heard.lock().expect("no listener panics").clone()
    }

    /// How many were heard whose subject has this token.
    pub(super) fn count(&self, token: &str) -> usize {
        let heard = self.heard.lock().expect("no listener panics");
        let named = |message: &&Message| message.subject.split('.').any(|part| part == token);
        heard.iter().filter(named).count()
    }
}

/// An agent id that nothing else uses.
pub(super) fn agent_id() -> AgentId {
    AgentId::new(&"other-0001".parse().expect("a name"), random())
}

/// A program that stands for the agent: it leaves the machine's user-data in the folder, as `left`.
pub(super) fn no_agent() -> Result<(String, tempfile::TempDir)> {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir()?;
    let (script, left) = (dir.path().join("agent"), dir.path().join("left"));
    let left = left.display();
    let bootstrap = "$MUSTER_ROOT/etc/muster/bootstrap.yaml";
    let text = format!("#!/bin/sh\ncp \"{bootstrap}\" {left}.new && mv {left}.new {left}\n");
    std::fs::write(&script, text)?;
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755))?;
    Ok((script.display().to_string(), dir))
}

/// The user-data of the next machine, as text.
pub(super) async fn user_data(ground: &Ground, dir: &tempfile::TempDir) -> Result<String> {
    let left = dir.path().join("left");
    let there = |_: &[_]| left.exists();
    ground.cluster.until(&ground.admin, "a machine with user-data", there).await?;
    let text = std::fs::read_to_string(&left)?;
    std::fs::remove_file(left)?;
    Ok(text)
}

/// The next security event of an agent or person, with these words.
pub(super) async fn told(ground: &Ground, who: impl Display, words: &str) -> Result<String> {
    let filter = format!("muster.event.security.{who}.>");
    let mut alarms = ground.cluster.tail(&ground.admin, &filter).await?;
    loop {
        let next = muster_tests::cluster::next_event(&mut alarms).await;
        let (_, event) = next.with_context(|| format!("{words:?} is not told of {who}"))?;
        let what = event.data["what"].as_str().unwrap_or_default();
        if what.contains(words) {
            return Ok(what.to_owned());
        }
    }
}

/// What a test says of itself.
pub(super) fn tried(what: &str, refused: usize) -> Result<()> {
    ensure!(refused > 0, "nothing was tried: {what}");
    eprintln!("attacks: {refused} tried and refused: {what}");
    Ok(())
}

/// What may be said in a role, in one's own name, each wildcard as some token.
pub(super) fn may_say(role: Role, name: &str) -> Vec<String> {
    let own = |pattern: &String| pattern.replace("{{name()}}", name).replace('*', "x");
    subject::template(role).publish.iter().map(own).collect()
}
