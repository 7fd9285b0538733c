//! Enrolment on the real nats-server, by a test that stands for the launched machine: it reads the
//! user-data that the machine was given, and speaks the protocol itself.

use anyhow::{Context, Result, ensure};
use muster_protocol::api::{Target, WorkerTerminate};
use muster_protocol::bus::{Bus, Credential, Options, State};
use muster_protocol::enrol::{Admission, Answer, Claim, Renewal, Request, SignedRenewal, Verdict};
use muster_protocol::id::{AgentId, Token, UnixMillis, random};
use muster_protocol::seal::Signed;
use muster_protocol::subject::{self, Role};
use muster_protocol::worker::Phase;
use muster_tests::cluster::{Cluster, PATIENCE, Setup, next_event};
use nkeys::{KeyPair, XKey};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the machine finds in its user-data.
#[derive(Debug, Deserialize)]
struct Machine {
    agent_id: AgentId,
    servers: Vec<String>,
    root_public_key: String,
    jwt: String,
    seed: String,
}

/// A cluster whose machines start no agent: they only leave their user-data.
async fn cluster() -> Result<(Cluster, Bus, tempfile::TempDir)> {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir()?;
    let script = dir.path().join("agent");
    let left = dir.path().join("left");
    let text = format!(
        "#!/bin/sh\ncp \"$MUSTER_ROOT/etc/muster/bootstrap.yaml\" {0}.new && mv {0}.new {0}\n",
        left.display()
    );
    std::fs::write(&script, text)?;
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755))?;
    let setup = Setup { agent: Some(script.display().to_string()), ..Setup::default() };
    let cluster = Cluster::start(&setup).await?;
    let admin = cluster.admin().await?;
    Ok((cluster, admin, dir))
}

/// Launches one worker and takes its user-data.
async fn machine(cluster: &Cluster, admin: &Bus, dir: &tempfile::TempDir) -> Result<Machine> {
    cluster.scale(admin, 1).await?;
    let left = dir.path().join("left");
    let there = |_: &[_]| left.exists();
    cluster.until(admin, "a machine with user-data", there).await?;
    let machine = serde_saphyr::from_str(&std::fs::read_to_string(&left)?)?;
    std::fs::remove_file(left)?;
    Ok(machine)
}

impl Machine {
    async fn connect(&self, cluster: &Cluster, role: Role, key: &str, jwt: &str) -> Result<Bus> {
        let credential = Credential::new(Arc::new(KeyPair::from_seed(key)?), jwt.to_owned());
        Ok(Bus::connect(Options {
            role,
            name: self.agent_id.to_string(),
            servers: self.servers.clone(),
            ca: Some(cluster.path("config/ca.pem")),
            credential,
        })
        .await?)
    }

    async fn boot(&self, cluster: &Cluster) -> Result<Bus> {
        self.connect(cluster, Role::Bootstrap, &self.seed, &self.jwt).await
    }

    /// Claims with a pair of keys; the answer's signature and nonce are checked.
    async fn claim(&self, bus: &Bus, key: &KeyPair, xkey: &XKey) -> Result<Verdict> {
        let claim = Claim {
            agent_id: self.agent_id.clone(),
            public_key: key.public_key(),
            xkey: xkey.public_key(),
            server_id: None,
            facts: BTreeMap::new(),
            nonce: Token::random(random()),
            version: "test".into(),
        };
        let request = Request::sign(&claim, &KeyPair::from_seed(&self.seed)?, key)?;
        self.ask(bus, subject::enrol(&self.agent_id), &request, &claim.nonce).await
    }

    async fn ask<Q: muster_protocol::wire::Message>(
        &self,
        bus: &Bus,
        subject: String,
        question: &Q,
        nonce: &Token,
    ) -> Result<Verdict> {
        let signed: Signed = bus.request(subject, question, PATIENCE).await?;
        let answer: Answer = signed.open(&self.root_public_key, self.agent_id.as_str(), None)?;
        signed.certificate.check_time(answer.now)?;
        ensure!(answer.nonce == *nonce, "another nonce");
        Ok(answer.verdict)
    }
}

fn admitted(verdict: Verdict) -> Result<Admission> {
    match verdict {
        Verdict::Admitted(admission) => Ok(admission),
        other => anyhow::bail!("not admitted: {other:?}"),
    }
}

/// Guards: `Enrolment::bind` compares the bound keys before it answers.
#[tokio::test]
async fn a_token_admits_one_pair_of_keys_and_the_thief_costs_the_worker_its_life() -> Result<()> {
    let (cluster, admin, dir) = cluster().await?;
    let machine = machine(&cluster, &admin, &dir).await?;
    let boot = machine.boot(&cluster).await?;
    let (key, xkey) = (KeyPair::new_user(), XKey::new());
    let first = admitted(machine.claim(&boot, &key, &xkey).await?)?;
    let again = admitted(machine.claim(&boot, &key, &xkey).await?)?;
    assert_eq!(first.bus_account, again.bus_account);

    let (other, sealing) = (KeyPair::new_user(), XKey::new());
    // The worker fails before the thief is answered, so its connection may be cut first.
    tokio::select! {
        thief = machine.claim(&boot, &other, &sealing) => {
            let thief = thief?;
            assert!(matches!(thief, Verdict::Refused(_)), "{thief:?}");
        }
        cut = cut(&boot) => cut?,
    }
    let mut alarms = cluster.tail(&admin, "muster.event.security.>").await?;
    let (subject, _) = next_event(&mut alarms).await?;
    assert_eq!(subject, format!("muster.event.security.{}.enrolment", machine.agent_id));
    let replaced = |workers: &[muster_protocol::api::WorkerView]| {
        workers.iter().all(|worker| worker.agent_id != machine.agent_id)
            && workers.iter().any(|worker| worker.phase == Phase::Booting)
    };
    cluster.until(&admin, "replaced by another", replaced).await?;
    cluster.finish(&["not admitted"])
}

/// Guards: the registry is asked for the live generation, and the server for the bootstrap's seed.
#[tokio::test]
async fn a_bootstrap_credential_ends_with_its_generation() -> Result<()> {
    let (cluster, admin, dir) = cluster().await?;
    let machine = machine(&cluster, &admin, &dir).await?;
    let without_seed = KeyPair::new_user().seed()?;
    let refused = machine.connect(&cluster, Role::Bootstrap, &without_seed, &machine.jwt).await;
    assert!(refused.is_err(), "the JWT alone let somebody in");

    let boot = machine.boot(&cluster).await?;
    boot.probe(&subject::enrol(&machine.agent_id)).await?;
    let target = Target::Names("*".into());
    cluster.ask(&admin, &WorkerTerminate { target, force: false }).await?;
    let gone = |workers: &[muster_protocol::api::WorkerView]| {
        workers.iter().all(|worker| worker.phase == Phase::Terminated)
    };
    cluster.until(&admin, "terminated", gone).await?;
    cut(&boot).await?;
    let again = machine.boot(&cluster).await;
    assert!(again.is_err(), "a revoked credential let somebody in");
    cluster.finish(&["not admitted"])
}

/// Guards: `Launcher::remove` revokes before it deletes, and the push cuts the live connection.
#[tokio::test]
async fn a_terminated_agent_is_cut_off_at_once() -> Result<()> {
    let (cluster, admin, dir) = cluster().await?;
    let machine = machine(&cluster, &admin, &dir).await?;
    let boot = machine.boot(&cluster).await?;
    let (key, xkey) = (KeyPair::new_user(), XKey::new());
    let admission = admitted(machine.claim(&boot, &key, &xkey).await?)?;
    let agent = machine.connect(&cluster, Role::Agent, &key.seed()?, &admission.jwt).await?;
    agent.probe(&subject::rpc(&machine.agent_id, "hello")).await?;
    let target = Target::Names("*".into());
    cluster.ask(&admin, &WorkerTerminate { target, force: false }).await?;
    cut(&agent).await?;
    cluster.finish(&[])
}

/// Waits until a connection is lost or refused.
async fn cut(bus: &Bus) -> Result<()> {
    let mut state = bus.state();
    let lost = state.wait_for(|state| *state != State::Connected);
    tokio::time::timeout(PATIENCE, lost).await.context("the connection lives on")??;
    Ok(())
}

/// Guards: `Enrolment::renewed` checks the bound key's signature and the caller's name.
#[tokio::test]
async fn an_agent_renews_its_own_credential_and_no_others() -> Result<()> {
    let (cluster, admin, dir) = cluster().await?;
    let machine = machine(&cluster, &admin, &dir).await?;
    let boot = machine.boot(&cluster).await?;
    let (key, xkey) = (KeyPair::new_user(), XKey::new());
    let admission = admitted(machine.claim(&boot, &key, &xkey).await?)?;
    let agent = machine.connect(&cluster, Role::Agent, &key.seed()?, &admission.jwt).await?;
    let renewal = Renewal { agent_id: machine.agent_id.clone(), nonce: Token::random(random()) };
    let subject = subject::rpc(&machine.agent_id, "renew");
    let own = SignedRenewal::sign(&renewal, &key)?;
    let renewed = admitted(machine.ask(&agent, subject.clone(), &own, &renewal.nonce).await?)?;
    assert!(renewed.expires > UnixMillis::now());
    let forged = SignedRenewal::sign(&renewal, &KeyPair::new_user())?;
    let signed: Signed = agent.request(subject, &forged, PATIENCE).await?;
    let answer: Answer = signed.open(&machine.root_public_key, machine.agent_id.as_str(), None)?;
    assert!(matches!(answer.verdict, Verdict::Refused(_)), "{answer:?}");
    cluster.finish(&["not admitted"])
}
