//! Durable events through one nats-server and one controller: as many as go, and the latency of a
//! steady thousand a second. Each is acknowledged to its agent when it is on the disk.

use anyhow::{Context, Result, ensure};
use muster_protocol::bus::{Bus, Feed, Pushes};
use muster_protocol::event::{Event, Executed, Started};
use muster_protocol::id::{AgentId, Token, UnixMillis, random};
use muster_protocol::{subject, wire};
use muster_tests::cluster::{Cluster, PATIENCE, Setup, next_event};
use muster_tests::figures::{
    Part, Spent, millis, own_cpu, say, tell, tell_median, tell_tail, title,
};
use muster_tests::joiner::report_applied;
use muster_tests::machines::Yard;
use serde::Serialize;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// All machines at once.
const POOL: &str = ", launches_max: 200";
/// Connections of agents that publish.
const AGENTS: usize = 20;
/// Events that each has on their way at once.
const WINDOW: u64 = 16;
/// Runs at full speed, and the events of each.
const RUNS: usize = 3;
const BURST: u64 = 10_000;
/// The steady load.
const RATE: u64 = 1000;
const STEADY: u64 = 20_000;

fn main() -> Result<()> {
    title("events: durable (fsync each), over TLS, from account AGENTS into stream EVENTS");
    tokio::runtime::Runtime::new()?.block_on(events())
}

struct Site {
    cluster: Cluster,
    admin: Bus,
    agents: Vec<(AgentId, Bus)>,
}

async fn events() -> Result<()> {
    let yard = Yard::new()?;
    let cluster =
        Cluster::start(&Setup { agent: yard.agent(), pool: POOL, ..Setup::default() }).await?;
    let admin = cluster.admin().await?;
    let count = u32::try_from(AGENTS + RUNS + 1)?;
    let mut agents = Vec::new();
    for machine in yard.machines(&cluster, &admin, count).await? {
        agents.push((machine.agent_id().clone(), machine.enrol(&cluster).await?));
    }
    let markers = agents.split_off(AGENTS);
    let site = Site { cluster, admin, agents };
    let mut bursts = Vec::new();
    for marker in &markers[..RUNS] {
        bursts.push(burst(&site, marker).await?);
    }
    say(&format!("{BURST} events, {AGENTS} connections, {WINDOW} on their way on each:"));
    let column = |at: usize| bursts.iter().map(|burst| burst[at]).collect::<Vec<f64>>();
    tell_median("acknowledged", &column(0), "events/s");
    tell_median("and taken by the controller's reactors", &column(1), "events/s");
    tell_median("and taken by the controller's witness", &column(2), "events/s");
    tell_median("CPU of nats-server per event", &column(3), "ms");
    tell_median("CPU of the controller per event", &column(4), "ms");
    tell_median("CPU of this load's source per event", &column(5), "ms");
    steady(&site, &markers[RUNS]).await?;
    site.cluster.finish(&[])
}

/// Publishes as fast as it goes, then waits until the controller has taken all of it.
async fn burst(site: &Site, marker: &(AgentId, Bus)) -> Result<[f64; 6]> {
    let mut end = End::of(site, marker).await?;
    let folder = site.cluster.path("");
    let (before, own, begin) = (Spent::now(&folder)?, own_cpu(), Instant::now());
    let mut publishers = JoinSet::new();
    for (agent, bus) in &site.agents {
        for lane in 0..WINDOW {
            let (agent, bus) = (agent.clone(), bus.clone());
            let share = BURST / AGENTS as u64 / WINDOW;
            let all = (0..share).map(move |number| lane * share + number);
            publishers.spawn(async move {
                for number in all {
                    publish(&bus, &agent, number).await?;
                }
                anyhow::Ok(share)
            });
        }
    }
    let mut published = 0;
    while let Some(done) = publishers.join_next().await {
        published += done??;
    }
    let acknowledged = begin.elapsed();
    let [reacted, witnessed] = end.reached(begin).await?;
    let (after, own) = (Spent::now(&folder)?, own_cpu().saturating_sub(own));
    let count = published as f64;
    let per_event = |cpu: Duration| millis(cpu) / count;
    Ok([
        count / acknowledged.as_secs_f64(),
        count / reacted.as_secs_f64(),
        count / witnessed.as_secs_f64(),
        per_event(after.since(&before, Part::Nats)),
        per_event(after.since(&before, Part::Controller)),
        per_event(own),
    ])
}

/// Publishes at fixed times, whatever becomes of the earlier ones, under an operator's eyes.
async fn steady(site: &Site, marker: &(AgentId, Bus)) -> Result<()> {
    let mut end = End::of(site, marker).await?;
    let feed = site.cluster.tail(&site.admin, "muster.event.agent.*.executed").await?;
    let folder = site.cluster.path("");
    let (before, own) = (Spent::now(&folder)?, own_cpu());
    let begin = Instant::now() + Duration::from_millis(100);
    let due = move |number: u64| begin + Duration::from_micros(number * 1_000_000 / RATE);
    let watcher = tokio::spawn(watch(feed, due));
    let agents = Arc::new(site.agents.clone());
    let mut on_the_way = JoinSet::new();
    let mut acknowledged = Vec::new();
    for number in 0..STEADY {
        tokio::time::sleep_until(due(number).into()).await;
        let agents = Arc::clone(&agents);
        on_the_way.spawn(async move {
            let (agent, bus) = &agents[number as usize % AGENTS];
            // Numbers of the bursts before are smaller.
            publish(bus, agent, BURST + number).await?;
            anyhow::Ok(millis(due(number).elapsed()))
        });
        while let Some(done) = on_the_way.try_join_next() {
            acknowledged.push(done??);
        }
    }
    while let Some(done) = on_the_way.join_next().await {
        acknowledged.push(done??);
    }
    let last = Instant::now();
    let [reacted, witnessed] = end.reached(last).await?;
    let seen = watcher.await??;
    let (after, own) = (Spent::now(&folder)?, own_cpu().saturating_sub(own));
    say(&format!("{RATE} events/s for {} s, from the time that each was due:", STEADY / RATE));
    tell_tail("until acknowledged", &acknowledged, "ms");
    tell_tail("until seen on an operator's tail", &seen, "ms");
    tell("the reactors' delay behind the last event", millis(reacted), "ms");
    tell("the witness's delay behind the last event", millis(witnessed), "ms");
    let per_event = |cpu: Duration| millis(cpu) / STEADY as f64;
    tell("CPU of nats-server per event", per_event(after.since(&before, Part::Nats)), "ms");
    tell(
        "CPU of the controller per event",
        per_event(after.since(&before, Part::Controller)),
        "ms",
    );
    tell("CPU of this load's source per event", per_event(own), "ms");
    Ok(())
}

/// Waits for every event of the steady load, once each.
async fn watch(mut feed: Feed, due: impl Fn(u64) -> Instant) -> Result<Vec<f64>> {
    let mut seen: HashMap<u64, f64> = HashMap::new();
    while seen.len() < STEADY as usize {
        let (_, event) = next_event(&mut feed).await?;
        let number = event.read::<Executed>().context("no result")?.duration_millis;
        // The tail begins with what was stored before.
        let Some(number) = number.checked_sub(BURST) else { continue };
        let late = millis(due(number).elapsed());
        ensure!(seen.insert(number, late).is_none(), "event {number} came twice");
    }
    Ok(seen.into_values().collect())
}

async fn publish(bus: &Bus, agent: &AgentId, number: u64) -> Result<()> {
    let executed = Executed {
        command: Token::random(random()),
        code: Some(0),
        stdout: "Filesystem 1K-blocks Used Available Use% Mounted on\n".repeat(2),
        stderr: String::new(),
        truncated: false,
        error: None,
        duration_millis: number,
    };
    say_event(bus, agent, "executed", &executed).await
}

async fn say_event(bus: &Bus, agent: &AgentId, kind: &str, data: &impl Serialize) -> Result<()> {
    let event = Event::new(Token::random(random()), UnixMillis::now(), data);
    let to = subject::agent_event(agent, kind);
    bus.publish(to, event.id.as_str(), wire::encode(&event)).await?;
    Ok(())
}

/// Tells when the controller has come to the end of what was published: both of its consumers keep
/// the order, so what they do for a last event comes after all others.
struct End<'a> {
    marker: &'a (AgentId, Bus),
    pushes: Pushes,
    feed: Feed,
}

impl End<'_> {
    async fn of<'a>(site: &Site, marker: &'a (AgentId, Bus)) -> Result<End<'a>> {
        let (agent, bus) = marker;
        let pushes = bus.pushes(agent).await?;
        let filter = format!("muster.event.worker.{}.ready", agent.worker());
        let feed = site.cluster.tail(&site.admin, &filter).await?;
        bus.probe(&subject::rpc(agent, "hello")).await?;
        Ok(End { marker, pushes, feed })
    }

    /// Times since `begin` at which the reactors and the witness have taken all.
    async fn reached(&mut self, begin: Instant) -> Result<[Duration; 2]> {
        let (agent, bus) = self.marker;
        let started = Started { version: "bench".into(), revision: 0, fresh: true };
        say_event(bus, agent, "started", &started).await?;
        report_applied(agent, bus).await?;
        let reacted = async {
            let pushed = tokio::time::timeout(PATIENCE, self.pushes.next()).await?;
            pushed.context("the connection is closed")??;
            anyhow::Ok(begin.elapsed())
        };
        let witnessed = async {
            next_event(&mut self.feed).await?;
            anyhow::Ok(begin.elapsed())
        };
        let (reacted, witnessed) = tokio::join!(reacted, witnessed);
        Ok([reacted?, witnessed?])
    }
}
