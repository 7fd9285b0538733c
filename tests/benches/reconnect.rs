//! Two thousand agents whose NATS is killed: until each is back, by an event of its that is stored,
//! and what that costs.

use anyhow::{Result, ensure};
use muster_tests::cluster::{Cluster, Setup};
use muster_tests::figures::{
    Part, Spent, cpu, memory, millis, own_cpu, say, tell, tell_tail, title,
};
use muster_tests::fleet::Fleet;
use muster_tests::host;
use std::time::{Duration, Instant};

const AGENTS: usize = 2000;
const PATIENCE: Duration = Duration::from_secs(300);

fn main() -> Result<()> {
    title("2,000 agents come back after nats-server was killed (connections of one process)");
    tokio::runtime::Runtime::new()?.block_on(reconnect())
}

async fn reconnect() -> Result<()> {
    let cluster = Cluster::start(&Setup::default()).await?;
    let began = Instant::now();
    let fleet = Fleet::connect(&cluster, AGENTS).await?;
    tell("until all are connected, at first", began.elapsed().as_secs_f64(), "s");
    let (before, own) = (Spent::now(&cluster.path(""))?, own_cpu());
    host::signal(cluster.nats_pid()?, "KILL")?;
    let back = fleet.all_come_back(PATIENCE).await?;
    ensure!(back.len() == AGENTS, "only {} are back", back.len());
    let nats = cluster.nats_pid()?;
    let (after, own) = (Spent::now(&cluster.path(""))?, own_cpu().saturating_sub(own));
    say("from the kill:");
    tell_tail("until back, and an event stored", &back, "s");
    let each = |cpu: Duration| millis(cpu) / AGENTS as f64;
    tell("CPU of the new nats-server", cpu(nats)?.as_secs_f64(), "s");
    tell("CPU of the new nats-server, each agent", each(cpu(nats)?), "ms");
    tell("CPU of the controller", after.since(&before, Part::Controller).as_secs_f64(), "s");
    tell("CPU of the agents' side, each", each(own), "ms");
    tell("RSS of nats-server", memory(nats)?.rss as f64 / 1024.0, "MiB");
    Ok(())
}
