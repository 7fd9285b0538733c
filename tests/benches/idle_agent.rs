//! What an agent costs a worker that has nothing to do: memory, the binary's size, CPU per sample.

use anyhow::{Result, bail};
use muster_protocol::bus::Bus;
use muster_protocol::event::Outcome;
use muster_tests::cluster::{Cluster, Setup, next_event, program};
use muster_tests::figures::{cpu, memory, millis, tell, tell_median, title};
use muster_tests::machines::{Agent, Machine, Yard};
use std::time::Duration;

/// Agents that are watched at the same time, one sample a second each.
const AGENTS: u32 = 4;
/// How long they are watched: the second half is idle life.
const WATCH: Duration = Duration::from_secs(20);
const MIB: f64 = 1024.0 * 1024.0;

fn main() -> Result<()> {
    title("idle agent, after its states were applied");
    let binary = std::fs::metadata(program("muster-agent"))?.len();
    tell("binary", binary as f64 / MIB, "MiB");
    tokio::runtime::Runtime::new()?.block_on(idle())
}

async fn idle() -> Result<()> {
    let yard = Yard::new()?;
    let cluster = Cluster::start(&Setup { agent: yard.agent(), ..Setup::default() }).await?;
    let admin = cluster.admin().await?;
    let machines = yard.machines(&cluster, &admin, AGENTS + 2).await?;
    let [quiet, alone, sampling @ ..] = &machines[..] else { bail!("too few machines") };

    // One alone: others of the same binary would share its pages and make its part look smaller.
    let agent = configured(&cluster, &admin, alone, 1).await?;
    tokio::time::sleep(WATCH).await;
    let all = memory(agent.pid())?;
    tell("RSS", all.rss as f64 / 1024.0, "MiB");
    tell("PSS", all.pss as f64 / 1024.0, "MiB");
    tell("of it heap and stacks", all.anonymous as f64 / 1024.0, "MiB");
    drop(agent);

    let idle = configured(&cluster, &admin, quiet, 3600).await?;
    let mut agents = Vec::new();
    for machine in sampling {
        agents.push(configured(&cluster, &admin, machine, 1).await?);
    }
    tokio::time::sleep(WATCH / 2).await;
    let before = agents.iter().chain([&idle]).map(|agent| cpu(agent.pid()));
    let before: Vec<Duration> = before.collect::<Result<_>>()?;
    tokio::time::sleep(WATCH).await;
    let spent = agents.iter().chain([&idle]).zip(before).map(|(agent, before)| {
        Ok(millis(cpu(agent.pid())?.saturating_sub(before)) / WATCH.as_secs_f64())
    });
    let mut spent: Vec<f64> = spent.collect::<Result<_>>()?;
    let quiet = spent.pop().unwrap_or_default();
    tell_median("CPU per sample, taken, sent and acknowledged", &spent, "ms");
    tell("CPU per second without samples", quiet, "ms");
    cluster.finish(&[])
}

/// An agent whose states are applied, with a sample each so many seconds.
async fn configured(
    cluster: &Cluster,
    admin: &Bus,
    machine: &Machine,
    interval_secs: u32,
) -> Result<Agent> {
    machine.set_interval(interval_secs)?;
    let filter = format!("muster.event.agent.{}.applied", machine.agent_id());
    let mut feed = cluster.tail(admin, &filter).await?;
    let agent = machine.start("info")?;
    let (_, event) = next_event(&mut feed).await?;
    let outcome: Option<Outcome> = serde_json::from_value(event.data["outcome"].clone()).ok();
    match outcome {
        Some(Outcome { changed: 1, failed: 0, .. }) => Ok(agent),
        other => bail!("one state should have changed: {other:?}\n{}", agent.log()?),
    }
}
