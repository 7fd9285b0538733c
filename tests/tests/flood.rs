//! One agent says as much as it can, with its true credential: the others lose nothing, what they
//! say is acted on in time, and the flood is told.

use anyhow::{Context, Result, ensure};
use muster_controller::keys::Keys;
use muster_protocol::api::WorkerView;
use muster_protocol::bus::stream::STATS;
use muster_protocol::bus::{Ack, Bus, Options};
use muster_protocol::event::{Event, Executed};
use muster_protocol::id::{AgentId, Token, UnixMillis, random};
use muster_protocol::jwt::Stamp;
use muster_protocol::subject::Role;
use muster_protocol::worker::Phase;
use muster_protocol::{subject, wire};
use muster_tests::cluster::{Cluster, PATIENCE, Setup, next_event};
use muster_tests::host::until;
use muster_tests::machines::{Machine, Yard};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio::time::interval;

/// What the flood's events hold, near the limit of a message; of all kinds, so that limits of
/// single subjects are of no help.
const FLOOD_BYTES: usize = 900 << 10;
/// Its messages on their way at once.
const FLOOD_WINDOW: usize = 16;
/// So much is poured into the stream: more than it holds.
const FLOOD_TOTAL: u64 = 200 << 20;
/// The most bytes of all streams and buckets: the stream of events has a third of it.
const STORE_BYTES: u64 = 300_000_000;
/// The duration that marks the event which is acted on.
const MARKED: u64 = 77_777;
const PACE: Duration = Duration::from_millis(50);
/// From the moment at which an honest event is said until it was acted on.
const ACTED_WITHIN: Duration = Duration::from_secs(10);

fn event(bytes: usize) -> Event {
    event_of(bytes, 1)
}

fn event_of(bytes: usize, duration_millis: u64) -> Event {
    let executed = Executed {
        command: Token::random(random()),
        code: Some(0),
        stdout: noise(bytes),
        stderr: String::new(),
        truncated: false,
        error: None,
        duration_millis,
    };
    Event::new(Token::random(random()), UnixMillis::now(), &executed)
}

/// What the store cannot make smaller.
fn noise(bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 26);
    while text.len() < bytes {
        text.push_str(Token::random(random()).as_str());
    }
    text
}

async fn say(bus: &Bus, agent: &AgentId, kind: &str, event: &Event) -> Result<Ack> {
    let to = subject::agent_event(agent, kind);
    Ok(bus.publish(to, event.id.as_str(), wire::encode(event)).await?)
}

/// Says as much as it can until so much is stored.
async fn flood(bus: Bus, agent: AgentId, poured: Arc<AtomicU64>) -> Result<()> {
    let full = event(FLOOD_BYTES);
    while poured.load(Ordering::Relaxed) < FLOOD_TOTAL {
        for kind in subject::AGENT_EVENT_KINDS {
            let event = Event { id: Token::random(random()), ..full.clone() };
            // Whatever is refused is not its business.
            if say(&bus, &agent, kind, &event).await.is_ok() {
                poured.fetch_add(FLOOD_BYTES as u64, Ordering::Relaxed);
            }
            drop(bus.publish(subject::stats(&agent), event.id.as_str(), vec![7; 1000]).await);
        }
    }
    Ok(())
}

/// The same with frames that nobody can read.
async fn flood_of_frames(bus: Bus, agent: AgentId) -> Result<()> {
    let (garbage, to) = (noise(FLOOD_BYTES).into_bytes(), subject::stats(&agent));
    for _ in 0..FLOOD_TOTAL / FLOOD_BYTES as u64 {
        let id = Token::random(random());
        drop(bus.publish(to.clone(), id.as_str(), garbage.clone()).await);
    }
    Ok(())
}

/// Says something small again and again. Returns its ids.
async fn honest(bus: Bus, agent: AgentId, over: Arc<AtomicBool>) -> Result<Vec<String>> {
    let (mut said, mut pace) = (Vec::new(), interval(PACE));
    while !over.load(Ordering::Relaxed) {
        pace.tick().await;
        let event = event(100);
        say(&bus, &agent, "executed", &event).await?;
        said.push(event.id.to_string());
    }
    Ok(said)
}

/// A cluster with a small store, whose reactors mark that they have seen the marked event.
async fn start(yard: &Yard, mark: &Path) -> Result<Cluster> {
    let config = "reactors: ../rules\nagent: {exec: true, interval_secs: 1}\n".to_owned();
    let mut cluster = Cluster::prepare(&Setup { agent: yard.agent(), config, ..Setup::default() })?;
    let path = cluster.path("config/controller.yaml");
    let text = fs::read_to_string(&path)?.replace("900000000", &STORE_BYTES.to_string());
    fs::write(&path, text)?;
    fs::create_dir(cluster.path("rules"))?;
    let rule = serde_json::json!({
        "name": "mark", "on": "muster.event.agent.*.executed",
        "when": format!("data.duration_millis == {MARKED}"),
        "do": [{"exec": {"argv": ["touch", mark]}}],
    });
    fs::write(cluster.path("rules/mark.yaml"), rule.to_string())?;
    cluster.start_controller().await?;
    Ok(cluster)
}

/// A connection that reads streams.
async fn inside(cluster: &Cluster) -> Result<Bus> {
    let name = "inside".parse()?;
    let credential = Keys::load(&cluster.path("config"))?.controller(&name, &Stamp::fresh())?;
    let (role, ca) = (Role::Controller, Some(cluster.path("config/ca.pem")));
    let (name, servers) = (name.to_string(), cluster.servers()?);
    Ok(Bus::connect(Options { role, name, servers, ca, credential }).await?)
}

/// The oldest frame of an agent that waits for sinks.
async fn oldest_frame(inside: &Bus, agent: &AgentId) -> Result<Vec<u8>> {
    let frames = inside.jetstream().all(STATS, &subject::stats(agent), 1).await?;
    Ok(frames.first().context("no frame is there")?.payload.to_vec())
}

/// How many the honest have said; fails if one of them is not stored.
async fn all_stored(
    cluster: &Cluster,
    machines: &[Machine],
    mut honest: JoinSet<Result<Vec<String>>>,
) -> Result<usize> {
    let (admin, mut stored, mut all) = (cluster.admin().await?, BTreeSet::new(), Vec::new());
    // First they end: what is said later than the look is not lost.
    while let Some(said) = honest.join_next().await {
        all.extend(said??);
    }
    for machine in machines {
        let filter = subject::agent_event(machine.agent_id(), "executed");
        let events = cluster.stored_events(&admin, &filter).await?;
        stored.extend(events.into_iter().map(|(_, event)| event.id.to_string()));
    }
    let lost = all.iter().filter(|id| !stored.contains(*id)).count();
    ensure!(lost == 0, "{lost} events of honest agents are lost");
    Ok(all.len())
}

/// Guards: `floods.rs`: without it one agent pushes the events of all others out of the stream, and
/// the results of commands with them; and their frames, as long as a sink is down.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_one_agent_costs_the_others_nothing_and_is_told() -> Result<()> {
    let (yard, dir) = (Yard::new()?, tempfile::tempdir()?);
    let mark = dir.path().join("mark");
    let cluster = start(&yard, &mark).await?;
    let admin = cluster.admin().await?;
    let mut machines = yard.machines(&cluster, &admin, 4).await?;
    let (rogue, real) = (machines.remove(0), machines.remove(0));
    let running = real.start("info")?;
    let (over, poured) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let (mut honest_ones, mut floods) = (JoinSet::new(), JoinSet::new());
    let mut last = None;
    for machine in &machines {
        let (agent, bus) = (machine.agent_id().clone(), machine.enrol(&cluster).await?);
        honest_ones.spawn(honest(bus.clone(), agent.clone(), Arc::clone(&over)));
        last = Some((agent, bus));
    }
    let name = real.agent_id().worker();
    let ready = |all: &[WorkerView]| {
        all.iter().any(|worker| worker.name == name && worker.phase == Phase::Ready)
    };
    cluster.until(&admin, "the real one is ready", ready).await?;
    let inside = inside(&cluster).await?;
    cluster.more_samples(1, 2).await?;
    let oldest = oldest_frame(&inside, real.agent_id()).await?;
    let mut told = cluster.tail(&admin, "muster.event.security.*.flood").await?;
    let (rogue_id, rogue_bus) = (rogue.agent_id().clone(), rogue.enrol(&cluster).await?);
    for _ in 0..FLOOD_WINDOW {
        let (bus, agent, poured) = (rogue_bus.clone(), rogue_id.clone(), Arc::clone(&poured));
        floods.spawn(flood(bus, agent, poured));
    }
    let begun = Instant::now();
    let half = || Ok((poured.load(Ordering::Relaxed) > FLOOD_TOTAL / 2).then_some(()));
    until("a flood", half).await?;
    // In its midst: a command, and an event that is acted on.
    let called = Instant::now();
    while cluster.muster(&["exec", name.as_str(), "--", "true"]).await?.code != Some(0) {
        ensure!(called.elapsed() < PATIENCE, "no command is done: {}", cluster.log());
    }
    let called = called.elapsed();
    let (agent, bus) = last.context("somebody is honest")?;
    let said = Instant::now();
    say(&bus, &agent, "executed", &event_of(10, MARKED)).await?;
    until("acted on", || Ok(mark.exists().then_some(()))).await?;
    let acted = said.elapsed();
    while let Some(done) = tokio::time::timeout(PATIENCE * 2, floods.join_next()).await? {
        done??;
    }
    let flooded = begun.elapsed();
    flood_of_frames(rogue_bus.clone(), rogue_id.clone()).await?;
    over.store(true, Ordering::Relaxed);
    let mut of = BTreeSet::new();
    while of.len() < 2 {
        let (subject, event) = next_event(&mut told).await?;
        ensure!(subject.contains(rogue_id.worker().as_str()), "{subject}: {event:?}");
        of.insert(event.data["of"].to_string());
    }
    let still = oldest_frame(&inside, real.agent_id()).await?;
    ensure!(still == oldest, "a frame of an honest agent is lost");
    let count = all_stored(&cluster, &machines, honest_ones).await?;
    eprintln!(
        "{} MiB of one agent in {flooded:?}: {count} events of the others, none lost; acted on \
         after {acted:?}, a command done after {called:?}",
        poured.load(Ordering::Relaxed) >> 20
    );
    ensure!(acted < ACTED_WITHIN, "acted on only after {acted:?}");
    cluster.more_samples(1, 2).await?;
    cluster.ensure_gapless(1.0)?;
    drop(running);
    cluster.finish(&["an agent floods", "raises an alarm", "dropped a frame"])
}
