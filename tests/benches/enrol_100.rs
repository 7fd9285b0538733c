//! A hundred agents at once: launched by the local provider, and started by hand in one instant.
//! All must be configured, each bound to keys of its own, none twice.

use anyhow::{Context, Result, ensure};
use muster_protocol::api::WorkerView;
use muster_protocol::bus::{Bus, Feed};
use muster_protocol::id::UnixMillis;
use muster_protocol::worker::Phase;
use muster_tests::cluster::{Cluster, Setup, next_event};
use muster_tests::figures::{Part, Spent, cpu, memory, millis, say, tell, tell_tail, title};
use muster_tests::machines::Yard;
use serde::Deserialize;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const AGENTS: usize = 100;
/// "At once".
const STARTED_WITHIN: Duration = Duration::from_secs(1);
/// All of them at once.
const POOL: &str = ", launches_max: 200";

fn main() -> Result<()> {
    title("100 agents enrol at once, each applies one file state");
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(by_hand())?;
    runtime.block_on(by_the_provider())
}

/// Waits for the event of each worker that it is ready; asking for the list would cost the
/// controller what is to be measured.
async fn all_ready(cluster: &Cluster, admin: &Bus, mut feed: Feed) -> Result<Vec<WorkerView>> {
    for _ in 0..AGENTS {
        next_event(&mut feed).await?;
    }
    let workers = cluster.workers(admin).await?;
    let ready = workers.iter().all(|worker| worker.phase == Phase::Ready);
    ensure!(ready && workers.len() == AGENTS, "not a hundred that are ready: {workers:#?}");
    Ok(workers)
}

const READY: &str = "muster.event.worker.*.ready";

/// The machines are there; their agents are executed one after the other, without a pause.
async fn by_hand() -> Result<()> {
    let yard = Yard::new()?;
    let setup = Setup { agent: yard.agent(), pool: POOL, ..Setup::default() };
    let cluster = Cluster::start(&setup).await?;
    let admin = cluster.admin().await?;
    let machines = yard.machines(&cluster, &admin, u32::try_from(AGENTS)?).await?;
    let feed = cluster.tail(&admin, READY).await?;
    let before = Spent::now(&cluster.path(""))?;
    let (begin, begin_millis) = (Instant::now(), UnixMillis::now());
    let agents = machines.iter().map(|machine| machine.start("info"));
    let agents = agents.collect::<Result<Vec<_>>>()?;
    let started = begin.elapsed();
    let workers = all_ready(&cluster, &admin, feed).await?;
    let all = begin.elapsed();
    let after = Spent::now(&cluster.path(""))?;
    let mut spent = Duration::ZERO;
    let mut resident = 0;
    for agent in &agents {
        spent += cpu(agent.pid())?;
        resident += memory(agent.pid())?.pss;
    }
    say("started by hand, from the first exec:");
    tell("until the last was executed", started.as_secs_f64(), "s");
    if started > STARTED_WITHIN {
        say("  beyond the aim of one second: this run says nothing of 100 starts at once");
    }
    told(&workers, begin_millis, all)?;
    costs(&after, &before, spent);
    tell("PSS of all agents", resident as f64 / 1024.0, "MiB");
    let roots: Vec<PathBuf> = machines.iter().map(|machine| machine.root().to_owned()).collect();
    once_each(&workers, &roots)?;
    drop(agents);
    cluster.finish(&[])
}

/// The whole chain, from the call that wants a hundred workers.
async fn by_the_provider() -> Result<()> {
    let setup = Setup { pool: POOL, ..Setup::default() };
    let cluster = Cluster::start(&setup).await?;
    let admin = cluster.admin().await?;
    let feed = cluster.tail(&admin, READY).await?;
    let before = Spent::now(&cluster.path(""))?;
    let (begin, begin_millis) = (Instant::now(), UnixMillis::now());
    cluster.scale(&admin, u32::try_from(AGENTS)?).await?;
    let workers = all_ready(&cluster, &admin, feed).await?;
    let all = begin.elapsed();
    let after = Spent::now(&cluster.path(""))?;
    say("launched by the local provider (isolation none), from the call to scale:");
    told(&workers, begin_millis, all)?;
    costs(&after, &before, after.since(&before, Part::Agents));
    let sandboxes = after.since(&before, Part::Sandboxes);
    tell("CPU of the sandboxes, each agent", millis(sandboxes) / AGENTS as f64, "ms");
    let servers = std::fs::read_dir(cluster.path("data/local/here"))?;
    let roots = servers.filter_map(|entry| root_of(&entry.ok()?.path()));
    once_each(&workers, &roots.collect::<Vec<_>>())?;
    cluster.finish(&[])
}

fn told(workers: &[WorkerView], begin: UnixMillis, all: Duration) -> Result<()> {
    let since = |at: Option<UnixMillis>| at.map(|at| at.since(begin) as f64 / 1000.0);
    let column = |of: fn(&WorkerView) -> Option<UnixMillis>| -> Result<Vec<f64>> {
        workers.iter().map(|worker| since(of(worker)).context("a milestone")).collect()
    };
    tell_tail("until enrolled", &column(|worker| worker.milestones.enrolled)?, "s");
    tell_tail("until configured", &column(|worker| worker.milestones.configured)?, "s");
    tell("until all are seen ready", all.as_secs_f64(), "s");
    Ok(())
}

fn costs(after: &Spent, before: &Spent, agents: Duration) {
    let each = |cpu: Duration| millis(cpu) / AGENTS as f64;
    tell("CPU of the controller, each agent", each(after.since(before, Part::Controller)), "ms");
    tell("CPU of nats-server, each agent", each(after.since(before, Part::Nats)), "ms");
    tell("CPU of an agent", each(agents), "ms");
}

/// The folder that stands for a server's `/`.
fn root_of(server: &Path) -> Option<PathBuf> {
    let below = std::fs::read_dir(server).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    below.into_iter().find(|path| path.join(IDENTITY).exists())
}

const IDENTITY: &str = "var/lib/muster-agent/identity.json";
const KEYS: &str = "var/lib/muster-agent/keys.json";

#[derive(Deserialize)]
struct Identity {
    agent_id: String,
}

/// As many servers, ids and pairs of keys as workers, and no more.
fn once_each(workers: &[WorkerView], roots: &[PathBuf]) -> Result<()> {
    let wanted: HashSet<String> = workers.iter().map(|w| w.agent_id.to_string()).collect();
    let servers: HashSet<_> = workers.iter().map(|worker| &worker.provider_id).collect();
    let (mut enrolled, mut keys) = (HashSet::new(), HashSet::new());
    for root in roots {
        let identity = std::fs::read_to_string(root.join(IDENTITY))?;
        enrolled.insert(serde_json::from_str::<Identity>(&identity)?.agent_id);
        keys.insert(std::fs::read_to_string(root.join(KEYS))?);
    }
    let counts = [workers.len(), servers.len(), enrolled.len(), keys.len(), roots.len()];
    ensure!(counts == [AGENTS; 5] && enrolled == wanted, "workers, servers, ids, keys: {counts:?}");
    say("  100 workers, 100 servers, 100 ids, 100 pairs of keys: none twice");
    Ok(())
}
