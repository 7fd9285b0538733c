//! Broken messages on the real bus: refused in a sentence or dropped with a warning; whoever got
//! them lives, and nothing has changed.

use anyhow::{Context, Result, ensure};
use async_nats::{Auth, Client, ConnectOptions};
use muster_controller::keys::Keys;
use muster_protocol::api::{
    Answer, CloudShow, ClusterDestroy, ClusterShow, CommandRun, ImageList, ImageSet, PoolList,
    PoolMark, PoolScale, Question, ReconcileConfirm, RefusalKind, StatesPush, StatesReveal,
    StatesShow, StatsShow, TailOpen, TailSuspect, WorkerLaunch, WorkerList, WorkerMark,
    WorkerRebuild, WorkerTerminate, WorkerView,
};
use muster_protocol::bus::Bus;
use muster_protocol::command::Reply;
use muster_protocol::id::{AgentId, UnixMillis, UserName};
use muster_protocol::jwt::Stamp;
use muster_protocol::subject::{self, Role};
use muster_protocol::wire::{self, Message};
use muster_protocol::worker::Phase;
use muster_tests::cluster::{Cluster, PATIENCE, Setup};
use nkeys::KeyPair;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Within what a server takes, and far more than any question needs.
const HUGE_BYTES: usize = 1_000_000;

/// As a message of a later release.
#[derive(Serialize, Deserialize)]
struct Newer {
    pool: String,
    size: u32,
}
impl Message for Newer {
    const NAME: &'static str = "newer";
    const VERSION: u16 = 99;
}

/// As a message of the same version that has grown.
#[derive(Serialize, Deserialize)]
struct Grown {
    pool: String,
    size: u32,
    later: Vec<u8>,
}
impl Message for Grown {
    const NAME: &'static str = "grown";
}

/// As a message whose body is something else.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Number(u32);
impl Message for Number {
    const NAME: &'static str = "number";
}

fn broken() -> Vec<(&'static str, Vec<u8>)> {
    let whole = wire::encode(&Grown { pool: "test".into(), size: 3, later: vec![7; 40] });
    let later = Newer { pool: "test".into(), size: 3 };
    vec![
        ("nothing", Vec::new()),
        ("cut", whole[..whole.len() / 2].to_vec()),
        ("a number for a map", wire::encode(&Number(7))),
        ("a later version", wire::encode(&later)),
        ("JSON", br#"{"v":1,"body":{"pool":"test","size":3}}"#.to_vec()),
        ("never used in MessagePack", vec![0xc1; 16]),
        ("deep lists", vec![0x91; 100_000]),
        ("deep maps", [0x81, 0xa1, b'v'].repeat(30_000)),
        ("a list that says it has 4 thousand million elements", vec![0xdd, 0xff, 0xff, 0xff, 0xff]),
        ("a text that says it has 4 GB", vec![0x81, 0xdb, 0xff, 0xff, 0xff, 0xff]),
        ("huge", vec![0; HUGE_BYTES]),
    ]
}

/// When a machine that is not answered asks again.
const AGAIN: Duration = Duration::from_secs(2);

/// A plain connection with a credential that the cluster's own keys made.
struct Raw {
    nats: Client,
}

impl Raw {
    async fn connect(cluster: &Cluster, admin: &Bus, role: Role, name: &str) -> Result<Raw> {
        let keys = Keys::load(&cluster.path("config"))?;
        let (key, stamp) = (Arc::new(KeyPair::new_user()), Stamp::fresh());
        let until = UnixMillis::now().plus(3_600_000);
        let public = key.public_key();
        let jwt = match role {
            Role::Bootstrap => keys.bootstrap_jwt(&name.parse()?, &public, until, &stamp)?,
            Role::Agent => keys.agent_jwt(&name.parse()?, &public, until, &stamp)?,
            Role::Controller => keys.controller_jwt(&name.parse()?, &public, &stamp)?,
            Role::Viewer | Role::Operator | Role::Admin => {
                cluster.enlist(admin, role, name, &public).await?
            }
        };
        let options = ConnectOptions::with_auth_callback(move |nonce| {
            let mut auth = Auth::new();
            auth.jwt = Some(jwt.clone());
            auth.signature = key.sign(&nonce).ok();
            async move { Ok(auth) }
        });
        let options = options
            .add_root_certificates(cluster.path("config/ca.pem"))
            .require_tls(true)
            .request_timeout(Some(PATIENCE))
            .custom_inbox_prefix(subject::inbox(role, name));
        let server = cluster.servers()?.remove(0);
        Ok(Raw { nats: options.connect(server).await? })
    }

    async fn ask(&self, subject: String, payload: Vec<u8>) -> Result<Vec<u8>> {
        let what = subject.clone();
        let answer = self.nats.request(subject, payload.into()).await;
        Ok(answer.with_context(|| format!("no answer on {what}"))?.payload.to_vec())
    }

    /// As a machine, which is not answered for a while when it has asked too often.
    async fn insist(&self, subject: String, payload: Vec<u8>) -> Result<Vec<u8>> {
        let until = Instant::now() + PATIENCE;
        loop {
            let ask = self.ask(subject.clone(), payload.clone());
            match tokio::time::timeout(AGAIN, ask).await {
                Ok(answer) => return answer,
                Err(_) => ensure!(Instant::now() < until, "no answer on {subject}"),
            }
        }
    }

    async fn say(&self, subject: String, payload: Vec<u8>) -> Result<()> {
        self.nats.publish(subject, payload.into()).await?;
        Ok(self.nats.flush().await?)
    }
}

async fn running() -> Result<(Cluster, Bus, AgentId)> {
    let cluster = Cluster::start(&Setup::default()).await?;
    let admin = cluster.admin().await?;
    cluster.scale(&admin, 1).await?;
    let ready = |all: &[WorkerView]| all.len() == 1 && all[0].phase == Phase::Ready;
    let agent = cluster.until(&admin, "ready", ready).await?.remove(0).agent_id;
    Ok((cluster, admin, agent))
}

/// What no broken message may change.
async fn picture(cluster: &Cluster, admin: &Bus) -> Result<Vec<(AgentId, Phase)>> {
    let workers = cluster.workers(admin).await?;
    Ok(workers.into_iter().map(|worker| (worker.agent_id, worker.phase)).collect())
}

async fn refused<Q: Question>(person: &Raw, user: &UserName) -> Result<()> {
    let subject = subject::api(user, Q::NOUN, Q::VERB);
    for (what, payload) in broken() {
        let answer = person.ask(subject.clone(), payload).await?;
        let answer: Answer<serde_json::Value> = wire::decode(&answer)?;
        let Answer::Refused(refusal) = answer else {
            // A question without fields says nothing wrong in a map.
            anyhow::bail!("{subject}: {what} is no error");
        };
        ensure!(refusal.kind == RefusalKind::Invalid, "{subject}: {what}: {refusal:?}");
        ensure!(refusal.message.contains(Q::NAME), "{subject}: {what}: {refusal:?}");
        ensure!(refusal.message.len() < 1000, "{subject}: {what}: {refusal:?}");
    }
    Ok(())
}

/// Guards: `wire::decode` with its limits, before anything is done about a question.
#[tokio::test]
async fn a_person_is_told_and_the_controller_lives() -> Result<()> {
    let (cluster, admin, _) = running().await?;
    let user: UserName = "odd".parse()?;
    let person = Raw::connect(&cluster, &admin, Role::Admin, user.as_str()).await?;
    let before = picture(&cluster, &admin).await?;
    refused::<CommandRun>(&person, &user).await?;
    refused::<ImageSet>(&person, &user).await?;
    refused::<StatesPush>(&person, &user).await?;
    refused::<StatesReveal>(&person, &user).await?;
    refused::<StatesShow>(&person, &user).await?;
    refused::<PoolMark>(&person, &user).await?;
    refused::<PoolScale>(&person, &user).await?;
    refused::<ReconcileConfirm>(&person, &user).await?;
    refused::<StatsShow>(&person, &user).await?;
    refused::<TailOpen>(&person, &user).await?;
    refused::<TailSuspect>(&person, &user).await?;
    refused::<WorkerLaunch>(&person, &user).await?;
    refused::<WorkerList>(&person, &user).await?;
    refused::<WorkerMark>(&person, &user).await?;
    refused::<WorkerRebuild>(&person, &user).await?;
    refused::<WorkerTerminate>(&person, &user).await?;
    refused::<ClusterDestroy>(&person, &user).await?;
    refused::<CloudShow>(&person, &user).await?;
    refused::<ClusterShow>(&person, &user).await?;
    refused::<ImageList>(&person, &user).await?;
    refused::<PoolList>(&person, &user).await?;
    ensure!(picture(&cluster, &admin).await? == before, "a broken question changed something");
    // A field that came later is no error.
    let grown = Grown { pool: "test".into(), size: 1, later: vec![7] };
    let subject = subject::api(&user, PoolScale::NOUN, PoolScale::VERB);
    let answer = person.ask(subject, wire::encode(&grown)).await?;
    let answer: Answer<serde_json::Value> = wire::decode(&answer)?;
    ensure!(matches!(answer, Answer::Ok(_)), "{answer:?}");
    cluster.muster(&["ping", "*"]).await?.with_code(0)?;
    cluster.finish(&[])
}

/// Guards: `Answerer::admit`, and that an agent keeps its desired state when another is broken.
#[tokio::test]
async fn an_agent_refuses_what_its_controller_did_not_say_so() -> Result<()> {
    let (cluster, admin, agent) = running().await?;
    let inside = Raw::connect(&cluster, &admin, Role::Controller, "odd").await?;
    for verb in ["ping", "facts", "apply", "exec"] {
        for (what, payload) in broken() {
            let reply = inside.ask(subject::command(&agent, verb), payload).await?;
            let reply: Reply = wire::decode(&reply)?;
            let Reply::Refused(why) = &reply else { anyhow::bail!("{verb}: {what}: {reply:?}") };
            ensure!(!why.is_empty() && why.len() < 1000, "{verb}: {what}: {why}");
        }
    }
    for (_, payload) in broken() {
        inside.say(subject::desired_key(&agent), payload).await?;
    }
    let applied = cluster.muster(&["apply", "*", "-o", "json"]).await?.with_code(0)?.json()?;
    ensure!(applied["summary"]["succeeded"] == 1, "{applied:#}");
    cluster.more_samples(1, 1).await?;
    ensure!(picture(&cluster, &admin).await? == [(agent, Phase::Ready)]);
    cluster.finish(&["an agent raises an alarm", "an agent was attacked"])
}

/// Guards: the controller's consumers of events and stats, and its answers to machines.
#[tokio::test]
async fn the_controller_drops_what_a_machine_says_wrongly() -> Result<()> {
    let (cluster, admin, agent) = running().await?;
    let odd = Raw::connect(&cluster, &admin, Role::Agent, agent.as_str()).await?;
    let boot = Raw::connect(&cluster, &admin, Role::Bootstrap, agent.as_str()).await?;
    for (what, payload) in broken() {
        for kind in ["started", "applied", "failed", "schema", "alarm"] {
            odd.say(subject::agent_event(&agent, kind), payload.clone()).await?;
        }
        odd.say(subject::stats(&agent), payload.clone()).await?;
        let renewed = odd.insist(subject::rpc(&agent, "renew"), payload.clone()).await;
        renewed.with_context(|| what.to_owned())?;
        // More than this the server itself refuses, and ends the connection.
        if payload.len() > usize::try_from(subject::template(Role::Bootstrap).payload_bytes_max)? {
            continue;
        }
        let answer = boot.insist(subject::enrol(&agent), payload).await;
        answer.with_context(|| what.to_owned())?;
    }
    cluster.more_samples(1, 1).await?;
    cluster.muster(&["ping", "*"]).await?.with_code(0)?;
    let applied = cluster.muster(&["apply", "*", "-o", "json"]).await?.with_code(0)?.json()?;
    ensure!(applied["summary"]["succeeded"] == 1, "{applied:#}");
    ensure!(picture(&cluster, &admin).await? == [(agent, Phase::Ready)]);
    cluster.finish(&["cannot be read", "not admitted", "dropped a frame", "asks too often"])
}
