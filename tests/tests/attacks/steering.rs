//! Answers that their caller steers onto somebody else's subject. NATS checks what a caller
//! publishes and hears, and not the reply subject that it chooses.

use crate::ground::{Ground, agent_id, may_say, told, tried};
use anyhow::{Context, Result, ensure};
use muster_protocol::bus::{Bus, Incoming};
use muster_protocol::id::{AgentId, Token, UserName, random};
use muster_protocol::subject::{self, Account, Role};
use muster_tests::cluster::{PATIENCE, Setup};
use std::fmt::Debug;
use std::process::Stdio;

/// Where an answer would do harm in BUS, in somebody's name that is put for `OTHER`.
const HARMFUL: [&str; 17] = [
    "$KV.DESIRED.OTHER",
    "$KV.WORKERS.OTHER",
    "$KV.CLUSTER.OTHER",
    "$JS.API.STREAM.DELETE.OTHER",
    "$JS.API.CONSUMER.CREATE.EVENTS.OTHER",
    "muster.event.agent.OTHER.started",
    "muster.event.worker.OTHER.ready",
    "muster.event.security.OTHER.enrolment",
    "muster.stats.OTHER",
    "muster.state.OTHER",
    "muster.blob.OTHER.0",
    "muster.rpc.OTHER.renew",
    "muster.enrol.OTHER",
    "muster.api.OTHER.worker.terminate",
    "muster.cmd.OTHER.exec",
    "muster.desired.OTHER",
    "muster.feed.OTHER.lease",
];

/// What the server itself takes from nobody as a reply.
const RESERVED: [&str; 2] = ["$JS.ACK.EVENTS.OTHER.1.1.1.1.1", "_R_.OTHER.reply"];

/// Besides what a test expects: nobody's messages are no events and no frames.
const GARBAGE: [&str; 3] = ["cannot be read", "dropped a frame", "not admitted"];

/// Roles whose holders may be attackers, in the accounts that they are in.
const ATTACKERS: [(Role, Account); 5] = [
    (Role::Bootstrap, Account::Agents),
    (Role::Agent, Account::Agents),
    (Role::Viewer, Account::People),
    (Role::Operator, Account::People),
    (Role::Admin, Account::People),
];

/// Each subject of each role's template in `subject.rs` with each of these replies. The answer does
/// come: it is heard in the attacker's own account.
///
/// Guards: `Role::account` and `CROSSINGS`: agents and people are in accounts of their own, and
/// nothing but the rows of that table crosses into BUS. With agents in BUS all of it lands there.
#[tokio::test]
async fn no_answer_can_be_steered_onto_a_subject_of_bus() -> Result<()> {
    let ground = Ground::start(&Setup::default()).await?;
    let bus = ground.ears(Account::Bus).await?;
    let mut attacks = 0;
    for (role, account) in ATTACKERS {
        let own = ground.ears(account).await?;
        let mut others = Vec::new();
        for harmful in HARMFUL {
            // By a name of its own each: who asks too often is not answered.
            let name = name(role);
            let attacker = ground.person(role, &name).await?;
            for subject in may_say(role, &name) {
                let other = Token::random(random());
                let reply = harmful.replace("OTHER", other.as_str());
                attacker.nats.publish_with_reply(subject.clone(), reply.clone(), "".into()).await?;
                others.push((subject, reply, other));
            }
            attacker.nats.flush().await?;
        }
        attacks += reserved(&ground, role).await?;
        for (subject, reply, other) in &others {
            let answer = own.until(|message| message.subject.as_str() == reply).await;
            answer.with_context(|| format!("{role:?}: {subject} gives no answer to {reply}"))?;
            bus.catch_up().await?;
            ensure!(bus.count(other.as_str()) == 0, "{role:?}: {subject} reached {reply} in BUS");
        }
        attacks += others.len();
    }
    tried("answers steered into BUS", attacks)?;
    ground.cluster.finish(&GARBAGE)
}

async fn reserved(ground: &Ground, role: Role) -> Result<usize> {
    let (name, bus) = (name(role), ground.ears(Account::Bus).await?);
    let mut attacker = ground.person(role, &name).await?;
    // That a person was added is told in BUS.
    bus.catch_up().await?;
    let before = bus.count(&name);
    for reserved in RESERVED {
        for subject in may_say(role, &name) {
            let reply = reserved.replace("OTHER", &name);
            attacker.nats.publish_with_reply(subject, reply, "".into()).await?;
            attacker.wait_for("Reply").await?;
        }
    }
    bus.catch_up().await?;
    ensure!(bus.count(&name) == before, "{role:?} has reached BUS with a reserved reply");
    Ok(RESERVED.len() * may_say(role, &name).len())
}

fn name(role: Role) -> String {
    match role {
        Role::Bootstrap | Role::Agent => agent_id().to_string(),
        Role::Viewer | Role::Operator | Role::Admin | Role::Controller => {
            format!("user-{}", &Token::random(random()).as_str()[..8])
        }
    }
}

/// What waits in a victim's subscription: what it would take, and what it drops.
struct Drops {
    taken: Vec<String>,
    dropped: usize,
}

/// Takes as many messages as were steered.
async fn take<T: Debug>(
    count: usize,
    mut next: impl AsyncFnMut() -> Option<Incoming<T>>,
) -> Result<Drops> {
    let mut drops = Drops { taken: Vec::new(), dropped: 0 };
    for at in 0..count {
        let came = tokio::time::timeout(PATIENCE, next()).await;
        let came = came.with_context(|| format!("{at} of {count} came"))?;
        match came.context("the subscription is closed")? {
            Ok(taken) => drops.taken.push(format!("{taken:?}")),
            Err(_) => drops.dropped += 1,
        }
    }
    Ok(drops)
}

/// What an agent hears within its own account: the answers to another agent's or a machine's calls,
/// on its command and desired subjects.
///
/// Guards: `Commands::next`, `call` and `Pushes::next` in `bus/incoming.rs`: the account in
/// `Nats-Request-Info`, and the key in `Nats-Subject`.
#[tokio::test]
async fn an_agent_drops_what_another_steers_onto_its_subjects() -> Result<()> {
    let ground = Ground::start(&Setup::default()).await?;
    let victim = agent_id();
    let bus = ground.bus(Role::Agent, victim.as_str()).await?;
    let mut commands = bus.commands(&victim, ground.keys.bus_account()).await?;
    let mut pushes = bus.pushes(&victim).await?;
    bus.probe(&subject::rpc(&victim, "hello")).await?;
    let mut attacks = 0;
    for role in [Role::Bootstrap, Role::Agent] {
        let attacker = agent_id();
        // So that the answers are documents, with the header that the server gives them.
        put_desired(&ground, &attacker).await?;
        let person = ground.person(role, attacker.as_str()).await?;
        let said = may_say(role, attacker.as_str());
        for reply in [subject::command(&victim, "exec"), subject::desired(&victim)] {
            for subject in &said {
                let reply = reply.clone();
                person.nats.publish_with_reply(subject.clone(), reply, "".into()).await?;
            }
        }
        person.nats.flush().await?;
        let commands = take(said.len(), async || commands.next().await).await?;
        let pushes = take(said.len(), async || pushes.next().await).await?;
        for Drops { taken, dropped } in [commands, pushes] {
            ensure!(taken.is_empty(), "{role:?} was believed: {taken:?}");
            attacks += dropped;
        }
    }
    tried("answers steered onto an agent's subjects", attacks)?;
    ground.cluster.finish(&GARBAGE)
}

async fn put_desired(ground: &Ground, agent: &AgentId) -> Result<()> {
    let controller = ground.person(Role::Controller, "controller").await?;
    let js = async_nats::jetstream::new(controller.nats.clone());
    let bucket = js.get_key_value("DESIRED").await?;
    bucket.put(agent.as_str(), "a document".into()).await?;
    Ok(())
}

/// The same to a person's feed, whose lease the attacker has found out.
///
/// Guards: `Feed::next` in `bus/incoming.rs`: what comes on a feed bears an event's subject.
#[tokio::test]
async fn a_person_drops_what_another_steers_onto_a_feed() -> Result<()> {
    let ground = Ground::start(&Setup::default()).await?;
    let (victim, lease): (UserName, Token) = ("vera".parse()?, Token::random(random()));
    let bus: Bus = ground.bus(Role::Viewer, victim.as_str()).await?;
    let mut feed = bus.feed(&victim, &lease).await?;
    bus.probe(&subject::api(&victim, "cluster", "show")).await?;
    let mut attacks = 0;
    for role in [Role::Viewer, Role::Operator, Role::Admin] {
        let attacker = ground.person(role, "mallory").await?;
        let said = may_say(role, "mallory");
        for subject in &said {
            let reply = subject::feed(&victim, &lease);
            attacker.nats.publish_with_reply(subject.clone(), reply, "".into()).await?;
        }
        attacker.nats.flush().await?;
        let Drops { taken, dropped } = take(said.len(), async || feed.next().await).await?;
        ensure!(taken.is_empty(), "{role:?} was believed: {taken:?}");
        attacks += dropped;
    }
    tried("answers steered onto a person's feed", attacks)?;
    ground.cluster.finish(&[])
}

/// A real agent under the same attack: it tells, the controller makes a `security` event of it with
/// the name that is in the subject, and nothing of it is done.
///
/// Guards: `Answerer::take` and `session::pushes` in the agent, `Witness::noticed`.
#[tokio::test]
async fn an_agent_that_was_attacked_tells_it_as_a_security_event() -> Result<()> {
    let ground = Ground::start(&Setup::default()).await?;
    ground.cluster.scale(&ground.admin, 1).await?;
    let victim = ground.ready().await?.agent_id;
    let attacker = agent_id();
    let person = ground.person(Role::Agent, attacker.as_str()).await?;
    for reply in [subject::command(&victim, "exec"), subject::desired(&victim)] {
        let greeted = subject::rpc(&attacker, "hello");
        person.nats.publish_with_reply(greeted, reply, "".into()).await?;
    }
    person.nats.flush().await?;
    let commanded = told(&ground, &victim, &subject::command(&victim, "exec")).await?;
    ensure!(commanded.contains("nobody says who calls"), "{commanded}");
    let pushed = told(&ground, &victim, &subject::desired(&victim)).await?;
    ensure!(pushed.contains("not this agent's stored state"), "{pushed}");
    let done = ground.cluster.stored_events(&ground.admin, "muster.event.agent.*.executed").await?;
    ensure!(done.is_empty(), "{done:?}");
    tried("answers steered onto a real agent's subjects", 2)?;
    ground.cluster.finish(&["an agent was attacked"])
}

/// `muster events` under the same attack, from somebody who has found out where its feed is.
///
/// Guards: `Follow::dropped` in the command `muster`, `Api::tail_suspect`.
#[tokio::test]
async fn a_tail_that_was_attacked_tells_it_as_a_security_event() -> Result<()> {
    let ground = Ground::start(&Setup::default()).await?;
    let people = ground.ears(Account::People).await?;
    let mut tail = tokio::process::Command::from(ground.cluster.muster_command(&["events"]));
    tail.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let tail = tail.spawn()?;
    let attacker = ground.person(Role::Viewer, "mallory").await?;
    let fed = people.until(|heard| heard.subject.starts_with("muster.feed.admin.")).await?;
    let asked = subject::api(&"mallory".parse()?, "cluster", "show");
    for _ in 0..3 {
        attacker.nats.publish_with_reply(asked.clone(), fed.subject.clone(), "".into()).await?;
    }
    attacker.nats.flush().await?;
    let dropped =
        told(&ground, "admin", &format!("{} lacks the server's mark", fed.subject)).await?;
    ensure!(dropped.contains("it is no event"), "{dropped}");
    drop(tail);
    let filter = "muster.event.security.admin.feed";
    let told = ground.cluster.stored_events(&ground.admin, filter).await?;
    ensure!(told.len() == 1, "{told:?}");
    tried("answers steered onto a running tail", 3)?;
    ground.cluster.finish(&["something was steered onto a person's feed"])
}
