//! What stands for an agent at enrolment: it has read its user-data and speaks the protocol.

use anyhow::{Context, Result};
use muster_protocol::bus::{Bus, Credential, Options};
use muster_protocol::enrol::{Answer, Claim, Request, Verdict};
use muster_protocol::event::{Applied, Event, Outcome};
use muster_protocol::id::{AgentId, Token, UnixMillis, random};
use muster_protocol::seal::Signed;
use muster_protocol::subject::{self, Role};
use muster_protocol::wire;
use nkeys::{KeyPair, XKey};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The bootstrap file.
#[derive(Debug, Deserialize)]
struct Bootstrap {
    agent_id: AgentId,
    servers: Vec<String>,
    root_public_key: String,
    jwt: String,
    seed: String,
}

#[derive(Deserialize)]
struct CloudConfig {
    write_files: Vec<WriteFile>,
}

#[derive(Deserialize)]
struct WriteFile {
    content: String,
}

/// A machine that wants to enrol. Its keys stay the same, however often it tries.
pub struct Joiner {
    bootstrap: Bootstrap,
    key: KeyPair,
    xkey: XKey,
}

impl std::fmt::Debug for Joiner {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(to, "Joiner({})", self.bootstrap.agent_id)
    }
}

/// What became of it.
#[derive(Debug)]
pub enum Joined {
    /// The connection that an agent would have.
    Admitted(Bus),
    /// It never will be admitted.
    Refused(String),
    /// Not now.
    Later(String),
}

impl Joiner {
    /// From the text of a bootstrap file.
    ///
    /// # Errors
    /// When it is none.
    pub fn of(bootstrap: &str) -> Result<Joiner> {
        let bootstrap = serde_saphyr::from_str(bootstrap)?;
        Ok(Joiner { bootstrap, key: KeyPair::new_user(), xkey: XKey::new() })
    }

    /// From user-data, as the cloud gives it to its server.
    ///
    /// # Errors
    /// When it is no `#cloud-config` of ours.
    pub fn of_user_data(text: &str) -> Result<Joiner> {
        let config: CloudConfig = serde_saphyr::from_str(text)?;
        Joiner::of(&config.write_files.first().context("user-data writes no file")?.content)
    }

    /// Who it is.
    #[must_use]
    pub fn agent_id(&self) -> &AgentId {
        &self.bootstrap.agent_id
    }

    /// Enrols, or is told why not.
    ///
    /// # Errors
    /// When nobody answers for so long, or NATS does not let it in.
    pub async fn enrol(&self, ca: &Path, patience: Duration) -> Result<Joined> {
        let Bootstrap { agent_id, root_public_key, seed, jwt, .. } = &self.bootstrap;
        let boot = self.connect(ca, Role::Bootstrap, seed, jwt).await?;
        let claim = Claim {
            agent_id: agent_id.clone(),
            public_key: self.key.public_key(),
            xkey: self.xkey.public_key(),
            server_id: None,
            facts: BTreeMap::new(),
            nonce: Token::random(random()),
            version: "bench".into(),
        };
        let request = Request::sign(&claim, &KeyPair::from_seed(seed)?, &self.key)?;
        let signed: Signed = boot.request(subject::enrol(agent_id), &request, patience).await?;
        boot.close().await;
        let answer: Answer = signed.open(root_public_key, agent_id.as_str(), None)?;
        let admission = match answer.verdict {
            Verdict::Admitted(admission) => admission,
            Verdict::Refused(why) => return Ok(Joined::Refused(why)),
            Verdict::Later(why) => return Ok(Joined::Later(why)),
        };
        let agent = self.connect(ca, Role::Agent, &self.key.seed()?, &admission.jwt).await?;
        agent.probe(&subject::rpc(agent_id, "hello")).await?;
        Ok(Joined::Admitted(agent))
    }

    async fn connect(&self, ca: &Path, role: Role, seed: &str, jwt: &str) -> Result<Bus> {
        Ok(Bus::connect(Options {
            role,
            name: self.bootstrap.agent_id.to_string(),
            servers: self.bootstrap.servers.clone(),
            ca: Some(ca.to_owned()),
            credential: Credential::new(Arc::new(KeyPair::from_seed(seed)?), jwt.to_owned()),
        })
        .await?)
    }
}

/// Reports a highstate that succeeded: what makes a worker ready.
///
/// # Errors
/// When it is not stored.
pub async fn report_applied(agent: &AgentId, bus: &Bus) -> Result<()> {
    let applied = Applied {
        command: None,
        revision: 1,
        highstate: true,
        outcome: Outcome { total: 1, changed: 1, ..Outcome::default() },
        errors: Vec::new(),
        states: serde_json::json!({}),
    };
    let event = Event::new(Token::random(random()), UnixMillis::now(), &applied);
    let to = subject::agent_event(agent, "applied");
    bus.publish(to, event.id.as_str(), wire::encode(&event)).await?;
    Ok(())
}
