//! Commands, desired states and documents as whoever owns the NATS server could bring them about:
//! it may publish everything in account BUS, and has none of the controller's keys.

use crate::ground::{Ground, told, tried};
use crate::person::Person;
use anyhow::{Context, Result, bail, ensure};
use muster_protocol::bus::Bus;
use muster_protocol::command::{Command, Reply, Verb};
use muster_protocol::desired::{Blob, Desired};
use muster_protocol::id::{AgentId, Generation, Hash, Token, UnixMillis, random};
use muster_protocol::seal::{Certificate, Sealed, Signed, Signer};
use muster_protocol::subject::{self, Role};
use muster_protocol::wire;
use muster_tests::cluster::{PATIENCE, Setup};
use nkeys::KeyPair;
use std::time::Instant;

/// An hour that a thief's certificate is good for, too.
const HOUR_MS: i64 = 3_600_000;

async fn ready() -> Result<(Ground, AgentId, Bus)> {
    let ground = Ground::start(&Setup::default()).await?;
    ground.cluster.scale(&ground.admin, 1).await?;
    let agent = ground.ready().await?.agent_id;
    let owner = ground.bus(Role::Controller, "controller").await?;
    Ok((ground, agent, owner))
}

fn command(agent: &AgentId, issued: UnixMillis) -> Command {
    let verb = Verb::Apply { sls: vec![], test: false, revision: 0 };
    Command { id: Token::random(random()), agent_id: agent.clone(), issued, verb }
}

/// What the agent replies to bytes on its subject `apply`, which come through BUS as they should.
async fn reply(owner: &Bus, agent: &AgentId, signed: &Signed) -> Result<Reply> {
    Ok(owner.request(subject::command(agent, "apply"), signed, PATIENCE).await?)
}

fn refused(what: &str, reply: Reply) -> Result<String> {
    match reply {
        Reply::Refused(why) => Ok(why),
        other => bail!("{what} is obeyed: {other:?}"),
    }
}

/// A signer with a certificate of its own making, or of another root.
fn thief(root: &KeyPair) -> Result<Signer> {
    let (key, now) = (KeyPair::new_service(), UnixMillis::now());
    let (from, until) = (now.plus(-HOUR_MS), now.plus(HOUR_MS));
    let certificate = Certificate::sign(root, key.public_key(), from, until)?;
    Ok(Signer::new(key, certificate))
}

/// What nobody but an attacker sends: each is refused, and told as a `security` event.
fn forged(ground: &Ground, agent: &AgentId) -> Result<Vec<(&'static str, Signed)>> {
    let command = command(agent, UnixMillis::now());
    let (signer, other) = (ground.keys.signer(), crate::ground::agent_id());
    let honest = signer.sign(agent.as_str(), &command)?;
    let thief = thief(&KeyPair::new_operator())?.sign(agent.as_str(), &command)?;
    let borrowed = Signed { certificate: honest.certificate.clone(), ..thief.clone() };
    let mut longer = honest.clone();
    longer.certificate.until = longer.certificate.until.plus(1);
    let mut flipped = honest.clone();
    flipped.body[0] ^= 1;
    let half = honest.body.len() / 2;
    let cut = Signed { body: honest.body[..half].to_vec(), ..honest.clone() };
    let unsigned = Signed { signature: vec![], ..honest.clone() };
    let short = Signed { signature: honest.signature[..63].to_vec(), ..honest.clone() };
    let elsewhere = signer.sign(other.as_str(), &command)?;
    let as_document = signer.sign("registry/worker/test-0001", &command)?;
    // Of another kind: what the controller signed as a desired state is no command.
    let desired = signer.sign(agent.as_str(), &desired(ground, agent, 1, 1)?)?;
    Ok(vec![
        ("a stranger's key and root", thief),
        ("a stranger's key under the controller's certificate", borrowed),
        ("a certificate that was lengthened", longer),
        ("a body that was changed", flipped),
        ("a body that was cut", cut),
        ("no signature", unsigned),
        ("a signature that was cut", short),
        ("what was signed for another agent", elsewhere),
        ("what was signed as a document", as_document),
        ("what was signed as a desired state", desired),
    ])
}

/// Guards: `Signed::open` in `seal.rs` and `Answerer::admit` in the agent: certificate, kind,
/// audience, body.
#[tokio::test]
async fn a_command_that_the_controller_has_not_signed_for_this_agent_is_refused_and_told()
-> Result<()> {
    let (ground, agent, owner) = ready().await?;
    let forged = forged(&ground, &agent)?;
    let tries = forged.len() + 1;
    for (what, signed) in forged {
        refused(what, reply(&owner, &agent, &signed).await?)?;
    }
    // Honest, but on the subject of another verb.
    let honest = ground.keys.signer().sign(agent.as_str(), &command(&agent, UnixMillis::now()))?;
    let as_ping = owner.request(subject::command(&agent, "ping"), &honest, PATIENCE).await?;
    refused("a command under another's subject", as_ping)?;
    told(&ground, &agent, "is refused").await?;
    let reply = reply(&owner, &agent, &honest).await?;
    ensure!(matches!(reply, Reply::Accepted), "the honest one is refused: {reply:?}");
    tried("commands that were forged", tries)?;
    ground.cluster.finish(&["an agent was attacked"])
}

/// Guards: `Seen::admit` in `protocol/src/command.rs`, and the agent's clock that it is given.
#[tokio::test]
async fn a_command_is_good_once_and_for_a_minute() -> Result<()> {
    let (ground, agent, owner) = ready().await?;
    let (signer, now) = (ground.keys.signer(), UnixMillis::now());
    let sign = |issued| signer.sign(agent.as_str(), &command(&agent, issued));
    for (what, issued) in [("old", now.plus(-62_000)), ("future", now.plus(120_000))] {
        let why = refused(what, reply(&owner, &agent, &sign(issued)?).await?)?;
        ensure!(why.contains(what), "{what}: {why}");
    }
    let once = sign(now)?;
    let first = reply(&owner, &agent, &once).await?;
    ensure!(matches!(first, Reply::Accepted), "{first:?}");
    for _ in 0..3 {
        let why = refused("a command again", reply(&owner, &agent, &once).await?)?;
        ensure!(why.contains("seen before"), "{why}");
    }
    tried("commands out of their time, or again", 5)?;
    ground.cluster.finish(&[])
}

fn desired(ground: &Ground, agent: &AgentId, generation: u32, revision: u64) -> Result<Desired> {
    let xkey = nkeys::XKey::new().public_key();
    Ok(Desired {
        agent_id: agent.clone(),
        generation: Generation(generation),
        revision,
        apply: true,
        manifest: Blob { hash: Hash::of(b""), size: 0 },
        pillar: Sealed::seal(b"{}", ground.keys.xkey(), &xkey)?,
        opts: serde_json::Map::new(),
    })
}

/// Pushes what is put where desired states are stored; NATS marks it as the agent's own.
async fn push(owner: &Person, agent: &AgentId, signed: &Signed) -> Result<()> {
    let js = async_nats::jetstream::new(owner.nats.clone());
    let bucket = js.get_key_value("DESIRED").await?;
    bucket.put(agent.as_str(), wire::encode(signed).into()).await?;
    Ok(())
}

/// Guards: `open` and `is_newer` in the agent's `desired.rs`.
#[tokio::test]
async fn a_desired_state_that_is_older_or_not_the_controllers_is_refused_and_told() -> Result<()> {
    let (ground, agent, _) = ready().await?;
    let owner = ground.person(Role::Controller, "controller").await?;
    let signer = ground.keys.signer();
    // Long ago the controller has signed it; the owner of the server has kept it.
    let old = signer.sign(agent.as_str(), &desired(&ground, &agent, 1, 0)?)?;
    push(&owner, &agent, &old).await?;
    told(&ground, &agent, "went back from revision 1").await?;
    let older_generation = signer.sign(agent.as_str(), &desired(&ground, &agent, 0, 99)?)?;
    push(&owner, &agent, &older_generation).await?;
    told(&ground, &agent, "revision 99 of generation 0").await?;
    let new = desired(&ground, &agent, 1, 99)?;
    push(&owner, &agent, &thief(&KeyPair::new_operator())?.sign(agent.as_str(), &new)?).await?;
    told(&ground, &agent, "not signed by the root key").await?;
    let other = crate::ground::agent_id();
    push(&owner, &agent, &signer.sign(other.as_str(), &new)?).await?;
    told(&ground, &agent, "signature over desired").await?;
    let applied = ground.cluster.stored_events(&ground.admin, "muster.event.agent.*.applied");
    ensure!(applied.await?.len() == 1, "something else was applied");
    tried("desired states that are not to be followed", 4)?;
    ground.cluster.finish(&["an agent was attacked"])
}

/// Documents that the owner of the server writes: a worker to launch, a pool of another size, and a
/// true document under another's name.
///
/// Guards: `Registry::read`, and the audience `registry/<kind>/<key>` of each document.
#[tokio::test]
async fn a_document_that_the_controller_has_not_signed_launches_and_changes_nothing() -> Result<()>
{
    let (ground, agent, _) = ready().await?;
    let owner = ground.person(Role::Controller, "controller").await?;
    let js = async_nats::jetstream::new(owner.nats.clone());
    let (workers, pools) = (js.get_key_value("WORKERS").await?, js.get_key_value("POOLS").await?);
    let truth = workers.get(agent.worker().as_str()).await?.context("no document")?;
    let mut signed: Signed = wire::decode(&truth)?;
    workers.put("test-0002", truth.clone()).await?;
    workers.put("test-0003", "no document at all".into()).await?;
    let last = signed.signature.len() - 1;
    signed.signature[last] ^= 1;
    workers.put("test-0004", wire::encode(&signed).into()).await?;
    let since = Instant::now();
    while ground.cluster.log().matches("a document is ignored").count() < 3 {
        ensure!(since.elapsed() < PATIENCE, "it was not told:\n{}", ground.cluster.log());
        tokio::task::yield_now().await;
    }
    let seen = ground.cluster.workers(&ground.admin).await?;
    ensure!(seen.len() == 1 && seen[0].agent_id == agent, "{seen:#?}");

    let pool = pools.get("test").await?.context("no pool")?;
    let mut size: Signed = wire::decode(&pool)?;
    size.signature[0] ^= 1;
    pools.put("test", wire::encode(&size).into()).await?;
    let refused = ground.cluster.scale(&ground.admin, 3).await;
    let why = refused.err().context("the pool's document is believed")?;
    ensure!(
        format!("{why:#}").contains("not one that this controller's key has signed"),
        "{why:#}"
    );
    tried("documents that nobody signed", 4)?;
    ground.cluster.finish(&["a document is ignored", "not one that this controller's key"])
}
