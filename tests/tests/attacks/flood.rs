//! A machine that asks to enrol without end.

use crate::ground::{Ground, no_agent, told, tried, user_data};
use crate::machine::Machine;
use anyhow::{Result, ensure};
use async_nats::Client;
use futures_util::StreamExt;
use muster_protocol::api::{TailOpen, TailOpened};
use muster_protocol::bus::Bus;
use muster_protocol::enrol::Request;
use muster_protocol::id::{AgentId, Token, random};
use muster_protocol::subject::Role;
use muster_protocol::{subject, wire};
use muster_tests::cluster::Setup;
use muster_tests::joiner::{Joined, Joiner};
use nkeys::{KeyPair, XKey};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Within this another machine is an agent while one floods: with a round trip's worth of room for
/// a machine of two busy processors.
const BOUND: Duration = Duration::from_secs(10);
/// So long an agent waits for its first answer: the push that cuts the flood off may cost one.
const AGENT_WAITS: Duration = Duration::from_secs(3);
/// The answers that one id gets at once, and each second from then on.
const BURST: u64 = 20;

/// One bootstrap credential floods as fast as it can, with claims that are as good as its first
/// one; another machine of the same address enrols meanwhile.
///
/// Guards: `Limits` in the controller's `enrolment/limit.rs`, asked in `Rpc::run`: without it every
/// claim is verified, written to the disk, and answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_claims_holds_up_nobody_else_and_is_told_once() -> Result<()> {
    let (agent, dir) = no_agent()?;
    let ground = Ground::start(&Setup { agent: Some(agent), ..Setup::default() }).await?;
    let mut machines = Vec::new();
    for size in 1..=2 {
        ground.cluster.scale(&ground.admin, size).await?;
        machines.push(user_data(&ground, &dir).await?);
    }
    let other = Joiner::of(&machines[1])?;
    let flood = Flood::of(&ground, &machines[0]).await?;
    let begun = Instant::now();
    let (stop, sent) = (CancellationToken::new(), watch::Sender::new(0));
    let flooding = tokio::spawn(flood.clone().send(sent.clone(), stop.clone()));
    // It floods from here on: it has sent what one id may ask at once.
    let mut counted = sent.subscribe();
    counted.wait_for(|sent| *sent > BURST).await?;

    let asked = Instant::now();
    let mut tries = 1;
    loop {
        match other.enrol(&ground.keys.tls_files().ca, AGENT_WAITS).await {
            Ok(Joined::Admitted(_)) => break,
            Ok(other) => anyhow::bail!("not admitted: {other:?}"),
            Err(error) => ensure!(asked.elapsed() < BOUND, "it still waits: {error:#}"),
        }
        tries += 1;
    }
    let took = asked.elapsed();
    let what = told(&ground, &flood.agent, "asks too often").await?;
    Machine::of(&machines[0])?.until_out(&ground).await?;
    stop.cancel();
    flooding.await??;
    let (sent, answered) = (*sent.borrow(), *flood.answers.borrow());
    let allowed = BURST + begun.elapsed().as_secs() + 1;
    ensure!(answered <= allowed, "{answered} of {sent} claims are answered, not {allowed}");
    let filter = format!("muster.event.security.{}.*", flood.agent);
    let events = ground.cluster.stored_events(&ground.admin, &filter).await?;
    ensure!(events.len() == 1, "told {} times: {what}", events.len());
    eprintln!(
        "flood: {sent} claims, {answered} answered; the other enrolled in {took:?}, at try {tries}"
    );
    tried("claims of a flood", usize::try_from(sent - answered)?)?;
    ground.cluster.finish(&["asks too often", "messages come faster"])
}

/// A machine that sends one claim again and again.
#[derive(Clone)]
struct Flood {
    agent: AgentId,
    nats: Client,
    claim: Vec<u8>,
    inbox: String,
    answers: watch::Receiver<u64>,
}

impl Flood {
    async fn of(ground: &Ground, user_data: &str) -> Result<Flood> {
        let machine = Machine::of(user_data)?;
        let key = KeyPair::new_user();
        let claim = machine.claim(&key, &XKey::new());
        let claim = wire::encode(&Request::sign(&claim, &machine.key()?, &key)?);
        let nats = machine.plain(ground).await?.nats;
        let inbox = nats.new_inbox();
        let mut heard = nats.subscribe(inbox.clone()).await?;
        let (count, answers) = watch::channel(0);
        tokio::spawn(async move {
            while heard.next().await.is_some() {
                count.send_modify(|count| *count += 1);
            }
        });
        Ok(Flood { agent: machine.agent_id, nats, claim, inbox, answers })
    }

    /// Sends until it is told to stop, and counts.
    async fn send(self, sent: watch::Sender<u64>, stop: CancellationToken) -> Result<()> {
        let subject = subject::enrol(&self.agent);
        loop {
            let (subject, inbox, claim) =
                (subject.clone(), self.inbox.clone(), self.claim.clone().into());
            let published = self.nats.publish_with_reply(subject, inbox, claim);
            match stop.run_until_cancelled(published).await {
                Some(published) => published?,
                None => return Ok(()),
            }
            sent.send_modify(|sent| *sent += 1);
        }
    }
}

/// One person opens tails and never closes them: each is a consumer in NATS.
///
/// Guards: `TAILS_MAX` in `Api::tail`, and that it counts each person's own.
#[tokio::test]
async fn one_person_can_open_so_many_tails_and_another_still_opens_its_own() -> Result<()> {
    const TAILS_MAX: usize = 64;
    let ground = Ground::start(&Setup::default()).await?;
    let open = async |bus: &Bus| -> Result<TailOpened> {
        let lease = Token::random(random());
        let open = TailOpen { lease, filter: "muster.event.>".into(), since: None };
        ground.cluster.ask(bus, &open).await
    };
    // The one's name begins as the other's.
    let greedy = ground.bus(Role::Viewer, "vera").await?;
    let other = ground.bus(Role::Viewer, "vera-b").await?;
    for _ in 0..TAILS_MAX {
        open(&greedy).await?;
    }
    let refused = open(&greedy).await.err().map(|error| error.to_string()).unwrap_or_default();
    ensure!(refused.contains("64 tails of vera are open"), "{refused}");
    open(&other).await?;
    tried("a tail too many", 1)?;
    ground.cluster.finish(&[])
}
