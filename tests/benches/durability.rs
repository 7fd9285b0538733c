//! What durability and the border of accounts cost: the same events from AGENTS, through the
//! import, and from inside BUS; with a sync for each, and with NATS' own setting.

use anyhow::Result;
use muster_protocol::bus::Bus;
use muster_protocol::event::{Event, Executed};
use muster_protocol::id::{AgentId, Token, UnixMillis, WorkerName, random};
use muster_protocol::subject::{self, Role};
use muster_protocol::wire;
use muster_tests::cluster::{Cluster, Setup};
use muster_tests::figures::{Part, Spent, millis, say, tell_median, title};
use muster_tests::fleet::Issuer;
use std::fs;
use std::time::Instant;
use tokio::task::JoinSet;

/// Connections, and events on their way on each.
const CONNECTIONS: u64 = 20;
const WINDOW: u64 = 16;
/// Events of one run, and runs of each kind; they take turns.
const BURST: u64 = 3200;
const RUNS: usize = 3;

fn main() -> Result<()> {
    title("durable events: the border of accounts, and a sync for each");
    say(&format!("{BURST} events, {CONNECTIONS} connections, {WINDOW} on their way on each:"));
    let runtime = tokio::runtime::Runtime::new()?;
    for (sync, what) in [("always", "sync_interval: always"), ("\"2m\"", "sync_interval: 2m")] {
        runtime.block_on(compare(sync, what))?;
    }
    Ok(())
}

async fn compare(sync: &str, what: &str) -> Result<()> {
    let mut cluster = Cluster::prepare(&Setup::default())?;
    let path = cluster.path("config/nats.conf");
    let text = fs::read_to_string(&path)?;
    fs::write(&path, text.replace("sync_interval: always", &format!("sync_interval: {sync}")))?;
    cluster.start_controller().await?;
    let (mut agents, mut inside) = (Vec::new(), Vec::new());
    let (agent_issuer, bus_issuer) =
        (Issuer::of(&cluster, Role::Agent)?, Issuer::of(&cluster, Role::Controller)?);
    for number in 0..CONNECTIONS {
        let agent = AgentId::new(&format!("bench-{number:04}").parse::<WorkerName>()?, random());
        agents.push((agent.clone(), agent_issuer.connect(&cluster, agent.as_str()).await?));
        inside.push((agent, bus_issuer.connect(&cluster, &format!("bench-{number}")).await?));
    }
    let mut figures = [const { Vec::new() }; 4];
    for _ in 0..RUNS {
        for (at, from) in [&agents, &inside].into_iter().enumerate() {
            let (rate, cpu) = burst(&cluster, from).await?;
            figures[2 * at].push(rate);
            figures[2 * at + 1].push(cpu);
        }
    }
    for (at, from) in ["AGENTS", "BUS"].into_iter().enumerate() {
        tell_median(&format!("{what}, from {from}: stored"), &figures[2 * at], "events/s");
        let cpu = &figures[2 * at + 1];
        tell_median(&format!("{what}, from {from}: CPU of nats-server"), cpu, "ms/event");
    }
    Ok(())
}

/// Events per second, and the server's CPU for each in milliseconds.
async fn burst(cluster: &Cluster, from: &[(AgentId, Bus)]) -> Result<(f64, f64)> {
    let folder = cluster.path("");
    let (before, begin) = (Spent::now(&folder)?, Instant::now());
    let mut publishers = JoinSet::new();
    for (agent, bus) in from {
        for _ in 0..WINDOW {
            let (agent, bus) = (agent.clone(), bus.clone());
            publishers.spawn(async move {
                for _ in 0..BURST / CONNECTIONS / WINDOW {
                    publish(&bus, &agent).await?;
                }
                anyhow::Ok(())
            });
        }
    }
    while let Some(done) = publishers.join_next().await {
        done??;
    }
    let (count, elapsed) = (BURST as f64, begin.elapsed().as_secs_f64());
    let cpu = Spent::now(&folder)?.since(&before, Part::Nats);
    Ok((count / elapsed, millis(cpu) / count))
}

async fn publish(bus: &Bus, agent: &AgentId) -> Result<()> {
    let executed = Executed {
        command: Token::random(random()),
        code: Some(0),
        stdout: "Filesystem 1K-blocks Used Available Use% Mounted on\n".repeat(2),
        stderr: String::new(),
        truncated: false,
        error: None,
        duration_millis: 1,
    };
    let event = Event::new(Token::random(random()), UnixMillis::now(), &executed);
    let to = subject::agent_event(agent, "executed");
    bus.publish(to, event.id.as_str(), wire::encode(&event)).await?;
    Ok(())
}
