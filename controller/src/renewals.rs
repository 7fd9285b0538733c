//! Asks live agents for a newer credential, when what signed the old ones is to end.
//!
//! A credential's age is judged by its end in the registry, less the life that credentials have by
//! the configuration: whatever that was before, an agent is asked once too often, never too rarely.

use crate::keys::Keys;
use crate::registry::Registry;
use futures_util::StreamExt;
use muster_protocol::bus::Bus;
use muster_protocol::command::{Command, Reply, Verb};
use muster_protocol::id::{AgentId, Token, UnixMillis, random};
use muster_protocol::subject;
use muster_protocol::worker::{Phase, Worker};
use std::sync::Arc;
use std::time::Duration;

/// Agents that are asked at once.
const ASKING_MAX: usize = 64;
/// How long an agent may take to say that it heard.
const REPLY_TIMEOUT: Duration = Duration::from_secs(5);
/// Who has not renewed by then is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(3);
/// A credential that seems to be given later than that from now had a longer life than the present
/// ones: it is an old one.
const AHEAD_MAX_MILLIS: i64 = 60_000;

/// Asks agents.
#[derive(Debug)]
pub struct Renewals {
    /// The connection in BUS.
    pub bus: Bus,
    /// What commands are signed with.
    pub keys: Arc<Keys>,
    /// Who is there, with which credential.
    pub registry: Arc<Registry>,
    /// How long a credential lives.
    pub credential_millis: i64,
}

impl Renewals {
    /// Live agents whose credential was given up to then: in that second, or before.
    #[must_use]
    pub fn older(&self, since: UnixMillis) -> Vec<AgentId> {
        let now = self.registry.now();
        let is_older = |worker: &&&Worker| self.is_older(worker, since, now);
        let id = |worker: &&Worker| worker.agent_id.clone();
        self.registry.look(|workers| workers.iter().filter(is_older).map(id).collect())
    }

    /// How long bootstrap and agents' credentials that were given before live at most, in
    /// milliseconds from now.
    #[must_use]
    pub fn longest(&self, now: UnixMillis) -> (i64, i64) {
        self.registry.look(|workers| {
            let bootstrap = workers.iter().map(|worker| worker.bootstrap.expires.since(now));
            let keys = workers.iter().filter_map(|worker| worker.keys.as_ref());
            let agent = keys.map(|keys| keys.credential_expires.since(now));
            (bootstrap.max().unwrap_or(0), agent.max().unwrap_or(0))
        })
    }

    fn is_older(&self, worker: &Worker, since: UnixMillis, now: UnixMillis) -> bool {
        let ends = matches!(worker.phase, Phase::Failed | Phase::Terminating | Phase::Terminated);
        let keys = worker.keys.as_ref().filter(|_| !ends);
        keys.is_some_and(|keys| {
            let given = keys.credential_expires.plus(-self.credential_millis);
            given.seconds() <= since.seconds() || given > now.plus(AHEAD_MAX_MILLIS)
        })
    }

    /// Asks those agents, again and again, until each has a newer credential or the time is over.
    /// Returns those that have none.
    pub async fn ask(&self, since: UnixMillis, patience: Duration) -> Vec<AgentId> {
        let mut changes = self.registry.changes();
        let asking = async {
            loop {
                futures_util::stream::iter(self.older(since))
                    .for_each_concurrent(ASKING_MAX, |agent| self.ask_one(agent))
                    .await;
                tokio::time::sleep(ASK_AGAIN).await;
            }
        };
        let renewed =
            async { while !self.older(since).is_empty() && changes.changed().await.is_ok() {} };
        let any = async {
            tokio::select! {
                () = asking => {}
                () = renewed => {}
            }
        };
        // What is left tells whether the time was enough.
        tokio::time::timeout(patience, any).await.unwrap_or_default();
        self.older(since)
    }

    async fn ask_one(&self, agent: AgentId) {
        let command = Command {
            id: Token::random(random()),
            agent_id: agent.clone(),
            issued: UnixMillis::now(),
            verb: Verb::Renew,
        };
        let signed = match self.keys.signer().sign(agent.as_str(), &command) {
            Ok(signed) => signed,
            Err(error) => {
                return tracing::error!(
                    error = crate::chain(&error),
                    "a command could not be signed"
                );
            }
        };
        let subject = subject::command(&agent, command.verb.name());
        let reply = self.bus.request(subject, &signed, REPLY_TIMEOUT).await;
        match reply {
            Ok(Reply::Accepted) => {}
            Ok(other) => tracing::debug!(agent_id = %agent, ?other, "an agent does not renew"),
            Err(error) => tracing::debug!(agent_id = %agent, %error, "an agent does not renew"),
        }
    }
}
