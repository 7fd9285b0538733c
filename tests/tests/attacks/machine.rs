//! A launched machine that was taken over: it has read its user-data, and speaks as it likes.

use crate::ground::Ground;
use crate::person::Person;
use anyhow::{Context, Result, ensure};
use muster_protocol::bus::Bus;
use muster_protocol::enrol::{Answer, Claim, Request, Verdict};
use muster_protocol::id::{AgentId, Token, random};
use muster_protocol::seal::Signed;
use muster_protocol::subject::{self, Role};
use muster_protocol::wire::Message;
use muster_tests::cluster::PATIENCE;
use nkeys::{KeyPair, XKey};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Instant;

/// What its user-data holds.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Machine {
    pub(super) agent_id: AgentId,
    pub(super) servers: Vec<String>,
    pub(super) root_public_key: String,
    pub(super) jwt: String,
    pub(super) seed: String,
}

impl Machine {
    pub(super) fn of(user_data: &str) -> Result<Machine> {
        Ok(serde_saphyr::from_str(user_data)?)
    }

    pub(super) fn key(&self) -> Result<KeyPair> {
        Ok(KeyPair::from_seed(&self.seed)?)
    }

    /// A claim of a pair of keys.
    pub(super) fn claim(&self, key: &KeyPair, xkey: &XKey) -> Claim {
        Claim {
            agent_id: self.agent_id.clone(),
            public_key: key.public_key(),
            xkey: xkey.public_key(),
            server_id: None,
            facts: BTreeMap::new(),
            nonce: Token::random(random()),
            version: "test".into(),
        }
    }

    /// The product's connection with its bootstrap credential.
    pub(super) async fn boot(&self, ground: &Ground) -> Result<Bus> {
        self.boot_with(ground, self.jwt.clone()).await
    }

    /// The same with another JWT for its key.
    pub(super) async fn boot_with(&self, ground: &Ground, jwt: String) -> Result<Bus> {
        let name = self.agent_id.as_str();
        ground.bus_of(Role::Bootstrap, name, self.key()?, jwt).await
    }

    /// Returns once the server does not let it in any more; for a second after its end it does.
    pub(super) async fn until_out(&self, ground: &Ground) -> Result<()> {
        let since = Instant::now();
        while self.boot(ground).await.is_ok() {
            ensure!(since.elapsed() < PATIENCE, "it still gets in\n{}", ground.cluster.log());
        }
        Ok(())
    }

    /// A plain one.
    pub(super) async fn plain(&self, ground: &Ground) -> Result<Person> {
        let (url, ca) = (self.servers.first().context("no server")?, ground.keys.tls_files().ca);
        let (name, jwt) = (self.agent_id.as_str(), self.jwt.clone());
        Person::connect(url, &ca, Role::Bootstrap, name, &self.key()?, jwt).await
    }

    /// Asks as this machine; the answer must be the controller's, and about this question.
    pub(super) async fn ask(&self, bus: &Bus, request: &Request, nonce: &Token) -> Result<Verdict> {
        let answer = self.answer(bus, subject::enrol(&self.agent_id), request).await?;
        ensure!(answer.nonce == *nonce, "another nonce");
        Ok(answer.verdict)
    }

    /// The answer, whatever question it is to.
    pub(super) async fn answer<Q: Message>(
        &self,
        bus: &Bus,
        subject: String,
        question: &Q,
    ) -> Result<Answer> {
        let signed: Signed = bus.request(subject, question, PATIENCE).await?;
        let answer: Answer = signed.open(&self.root_public_key, self.agent_id.as_str(), None)?;
        signed.certificate.check_time(answer.now)?;
        Ok(answer)
    }

    /// Claims as an honest machine would.
    pub(super) async fn enrol(&self, bus: &Bus, key: &KeyPair, xkey: &XKey) -> Result<Verdict> {
        let claim = self.claim(key, xkey);
        let request = Request::sign(&claim, &self.key()?, key)?;
        self.ask(bus, &request, &claim.nonce).await
    }
}
