//! From the exec of the agent to the acknowledged report of one file state, enrolment included;
//! and the same behind the local provider, from the intent to launch to ready.

use anyhow::{Context, Result, ensure};
use muster_protocol::bus::Bus;
use muster_protocol::worker::{Milestones, Phase};
use muster_tests::cluster::{Cluster, Setup, next_event, program};
use muster_tests::figures::{
    Part, Spent, cpu, memory, millis, say, since_midnight, tell_median, time_of_day, title,
};
use muster_tests::machines::{Machine, Yard};
use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, Instant};

/// Agents that are started by hand, one after the other.
const STARTS: u32 = 15;
/// Workers that the local provider launches, one after the other, by isolation.
const LAUNCHES: usize = 5;
/// What the agent's log says on its way, in order.
const WAY: [(&str, &str); 7] = [
    ("until it enrols (files read, keys made, facts)", " enrolling "),
    ("until it is enrolled", " enrolled "),
    ("until it has a session as itself", " a session "),
    ("until its desired state came", " a new desired state "),
    ("until the tree is there and states begin", " applying states "),
    ("until the state is applied", " states applied "),
    ("until the report is acknowledged", "stored lane=\"applied\""),
];

fn main() -> Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    title("start: one file state, on a fresh machine");
    runtime.block_on(by_hand())?;
    for isolation in ["none", "root"] {
        if supported(isolation)? {
            runtime.block_on(by_the_provider(isolation))?;
        } else {
            say(&format!("  isolation {isolation} is not supported on this machine"));
        }
    }
    Ok(())
}

fn supported(isolation: &str) -> Result<bool> {
    let mut command = Command::new(program("muster-controller"));
    let told = command.args(["isolations", "-o", "json"]).output()?;
    let told: serde_json::Value = serde_json::from_slice(&told.stdout)?;
    let all = told.as_array().context("a list of isolations")?;
    Ok(all.iter().any(|one| one["isolation"] == isolation && one["ok"] == true))
}

/// What was measured of one start.
struct Start {
    steps: Vec<f64>,
    seen: f64,
    agent: f64,
    controller: f64,
    nats: f64,
    rss: f64,
}

async fn by_hand() -> Result<()> {
    let yard = Yard::new()?;
    let setup = Setup { agent: yard.agent(), ..Setup::default() };
    let cluster = Cluster::start(&setup).await?;
    let admin = cluster.admin().await?;
    let mut starts = Vec::new();
    for machine in yard.machines(&cluster, &admin, STARTS).await? {
        starts.push(start(&cluster, &admin, &machine).await?);
    }
    let column = |of: &dyn Fn(&Start) -> f64| starts.iter().map(of).collect::<Vec<f64>>();
    say(&format!("by hand, from the exec of the agent ({STARTS} machines, one after the other):"));
    for (step, (what, _)) in WAY.iter().enumerate() {
        tell_median(what, &column(&|start| start.steps[step]), "ms");
    }
    tell_median("exec to the acknowledged report", &column(&|s| s.steps.iter().sum()), "ms");
    tell_median("exec to the report on an operator's tail", &column(&|s| s.seen), "ms");
    tell_median("CPU of the agent", &column(&|s| s.agent), "ms");
    tell_median("CPU of the controller", &column(&|s| s.controller), "ms");
    tell_median("CPU of nats-server", &column(&|s| s.nats), "ms");
    tell_median("RSS of the agent at that moment", &column(&|s| s.rss), "MiB");
    cluster.finish(&[])
}

async fn start(cluster: &Cluster, admin: &Bus, machine: &Machine) -> Result<Start> {
    let filter = format!("muster.event.agent.{}.*", machine.agent_id());
    let mut feed = cluster.tail(admin, &filter).await?;
    let before = Spent::now(&cluster.path(""))?;
    let (day, begin) = (since_midnight(), Instant::now());
    let agent = machine.start("debug")?;
    loop {
        let (subject, _) = next_event(&mut feed).await?;
        ensure!(!subject.ends_with("failed"), "{}", agent.log()?);
        if subject.ends_with("applied") {
            break;
        }
    }
    let seen = millis(begin.elapsed());
    let until = Instant::now() + Duration::from_secs(5);
    let log = loop {
        let log = agent.log()?;
        if log.contains(WAY[6].1) {
            break log;
        }
        ensure!(Instant::now() < until, "the report was not acknowledged:\n{log}");
        tokio::task::yield_now().await;
    };
    let (agent_cpu, rss) = (cpu(agent.pid())?, memory(agent.pid())?.rss);
    let after = Spent::now(&cluster.path(""))?;
    Ok(Start {
        steps: steps(&log, day)?,
        seen,
        agent: millis(agent_cpu),
        controller: millis(after.since(&before, Part::Controller)),
        nats: millis(after.since(&before, Part::Nats)),
        rss: rss as f64 / 1024.0,
    })
}

/// The milliseconds of each step, from the times in the log.
fn steps(log: &str, begin: Duration) -> Result<Vec<f64>> {
    let mut last = begin;
    let mut steps = Vec::new();
    for (_, mark) in WAY {
        let line = log.lines().find(|line| line.contains(mark)).context(mark)?;
        let at = time_of_day(line).with_context(|| line.to_owned())?;
        steps.push((at.as_secs_f64() - last.as_secs_f64()) * 1000.0);
        last = at;
    }
    Ok(steps)
}

async fn by_the_provider(isolation: &'static str) -> Result<()> {
    let cluster = Cluster::start(&Setup { isolation, ..Setup::default() }).await?;
    let admin = cluster.admin().await?;
    let mut steps: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for count in 1..=LAUNCHES {
        cluster.scale(&admin, u32::try_from(count)?).await?;
        let ready = |workers: &[muster_protocol::api::WorkerView]| {
            workers.len() == count && workers.iter().all(|worker| worker.phase == Phase::Ready)
        };
        let workers = cluster.until(&admin, "ready", ready).await?;
        let newest = workers.iter().max_by_key(|worker| worker.milestones.launched);
        for (step, value) in launch(&newest.context("a worker")?.milestones)?.iter().enumerate() {
            steps.entry(step).or_default().push(*value);
        }
    }
    say(&format!("by the local provider, isolation {isolation}, from the intent to launch:"));
    for (step, what) in ["until enrolled", "until configured", "until ready"].iter().enumerate() {
        tell_median(what, &steps[&step], "ms");
    }
    cluster.finish(&[])
}

/// Milliseconds from the launch, by the controller's clock.
fn launch(way: &Milestones) -> Result<[f64; 3]> {
    let launched = way.launched.context("launched")?;
    let mut times = [0.0; 3];
    for (time, at) in times.iter_mut().zip([way.enrolled, way.configured, way.ready]) {
        *time = at.context("a milestone")?.since(launched) as f64;
    }
    Ok(times)
}
