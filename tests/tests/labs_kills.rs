//! A controller that is killed over and over while it launches and removes servers of a real Nova:
//! at the end there are exactly the wanted ones, no double, no orphan, and none is forgotten.
//!
//! Each round launches ten workers and removes five, under ten `kill -9` whose moments come from a
//! seed. `MUSTER_KILL_ROUNDS` sets the rounds (1 unless told), `MUSTER_SEED` the first one's seed,
//! and `MUSTER_LAB_LOCK` a file that those lock in turn, a round at a time, who share a cloud.

#![allow(clippy::unwrap_used, reason = "what fails in a test shall end it, in its helpers too")]

#[allow(dead_code, reason = "it is the lab of other tests, too")]
#[path = "labs_openstack/admin.rs"]
mod admin;
#[path = "labs_kills/agents.rs"]
mod agents;
#[path = "labs_kills/dice.rs"]
mod dice;
#[allow(dead_code, reason = "it is the lab of other tests, too")]
#[path = "labs_openstack/lab.rs"]
mod lab;

use agents::Agents;
use anyhow::{Context, Result, ensure};
use dice::Dice;
use lab::Lab;
use muster_protocol::api::{Mark, Target, WorkerMark, WorkerView};
use muster_protocol::bus::Bus;
use muster_protocol::worker::Phase;
use muster_tests::cluster::{Cluster, Setup};
use muster_tests::figures::say;
use std::collections::{BTreeMap, BTreeSet};
use std::env::var;
use std::fs::File;
use std::time::{Duration, Instant};

const LAUNCHED: u32 = 10;
const REMOVED: u32 = 5;
/// Kills while workers are launched, and while they are removed.
const KILLS_UP: u32 = 7;
const KILLS_DOWN: u32 = 3;
/// One kill in so many comes before the controller answers anybody.
const EARLY: u64 = 4;
/// The latest moment of such a kill, after the controller was executed.
const EARLY_MILLIS_MAX: u64 = 2000;
/// The latest moment of the other kills, after the controller began to call the cloud.
const LATE_MILLIS_MAX: u64 = 2000;
/// What its log says then, and how long that is waited for: it may have nothing new to do.
const CALLS: [&str; 2] = [" phase=launching", " phase=terminating"];
const CALLS_WITHIN: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long it may take until all is as it should be, after the last kill.
const SETTLED_WITHIN: Duration = Duration::from_secs(600);
/// How often the test asks the cloud, which has enough to do.
const ASK_EVERY: Duration = Duration::from_secs(2);
/// What a killed controller's successors may say, and all that a slow cloud makes them say.
const DECLARED: [&str; 4] =
    ["it is tried again", "not admitted", "a server is removed", "the cloud did not answer within"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_leave_exactly_the_wanted_servers() {
    let mut turn = turn();
    let lab = Lab::alone().await;
    let mut cluster = Cluster::prepare(&setup(&lab)).unwrap();
    let done = rounds(&lab, &mut cluster, &mut turn).await;
    // It would ask why its servers go.
    cluster.stop_controller();
    let log = cluster.log();
    if let Err(error) = &done {
        say(&format!("{error:#}"));
    }
    drop_servers(&lab).await;
    done.with_context(|| log.clone()).unwrap();
    for text in DECLARED {
        say(&format!("{text:?} was logged {} times", log.matches(text).count()));
    }
    cluster.finish(&DECLARED).unwrap();
}

/// Who shares a cloud with others waits for its turn.
fn turn() -> Option<File> {
    let path = std::env::var_os("MUSTER_LAB_LOCK")?;
    let file = File::create(path).unwrap();
    file.lock().unwrap();
    Some(file)
}

fn setup(lab: &Lab) -> Setup {
    let clouds = lab.clouds_file();
    Setup {
        name: lab.cluster.to_string(),
        provider: Some(format!(
            "{{kind: openstack, cloud: ctl, clouds_file: {clouds:?}, \
             server: {{networks: [ci-net]}}}}"
        )),
        pool: ", flavor: m1.tiny, image: tiny",
        // Machines have addresses of the cloud, and this test speaks for them from another.
        config: "verify_instance: {here: {policy: required, nat: true}}\n\
                 timeouts: {boot_secs: 900, lost_secs: 86400, cloud_secs: 25, reconcile_secs: 5, \
                 orphan_secs: 60}\n"
            .to_owned(),
        ..Setup::default()
    }
}

async fn rounds(lab: &Lab, cluster: &mut Cluster, turn: &mut Option<File>) -> Result<()> {
    let number = |name: &str| var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let rounds = number("MUSTER_KILL_ROUNDS").unwrap_or(1);
    let seed = number("MUSTER_SEED").unwrap_or_else(dice::seed);
    let mut agents = Agents::new(lab, cluster.path("config/ca.pem"));
    let mut size = 0;
    for round in 0..rounds {
        let begun = Instant::now();
        let seed = seed.wrapping_add(round);
        say(&format!("round {} of {rounds}: MUSTER_SEED={seed}", round + 1));
        let mut killing = Killing { cluster, dice: Dice::new(seed), kills: 0 };
        let work = killing.round(lab, size);
        tokio::select! {
            done = work => done.with_context(|| format!("MUSTER_SEED={seed}"))?,
            () = agents.play() => {}
        }
        size += LAUNCHED - REMOVED;
        say(&format!("round {}: {:.0} s", round + 1, begun.elapsed().as_secs_f64()));
        // Between two rounds nobody of this test uses the cloud.
        cluster.stop_controller();
        if round + 1 < rounds {
            drop(turn.take());
            *turn = self::turn();
        }
    }
    Ok(())
}

struct Killing<'a> {
    cluster: &'a mut Cluster,
    dice: Dice,
    kills: u32,
}

/// What an operator says; it may be said again.
struct Wish {
    size: u32,
    /// Workers that no job runs on. Of all others nobody knows: just these may go.
    idle: Vec<String>,
}

impl Wish {
    async fn tell(&self, cluster: &Cluster) -> Result<Bus> {
        let admin = cluster.admin().await?;
        if !self.idle.is_empty() {
            let (target, mark) = (Target::Names(self.idle.join(",")), Mark::Idle);
            // Those that go already are not marked any more.
            cluster.ask(&admin, &WorkerMark { target, mark }).await.ok();
        }
        cluster.scale(&admin, self.size).await?;
        Ok(admin)
    }
}

impl Killing<'_> {
    async fn round(&mut self, lab: &Lab, before: u32) -> Result<()> {
        let most = before + LAUNCHED;
        for kill in 1..=KILLS_UP {
            let size = before + LAUNCHED * kill / KILLS_UP;
            self.life(&Wish { size, idle: Vec::new() }).await?;
        }
        let workers = self.settled(lab, &Wish { size: most, idle: Vec::new() }).await?;
        self.cluster.stop_controller();

        let mut names: Vec<String> = workers.iter().map(|w| w.name.to_string()).collect();
        let mut chosen = Vec::new();
        for kill in 1..=KILLS_DOWN {
            while (chosen.len() as u32) < REMOVED * kill / KILLS_DOWN {
                chosen.push(names.swap_remove(self.dice.below(names.len() as u64) as usize));
            }
            self.life(&Wish { size: most - chosen.len() as u32, idle: chosen.clone() }).await?;
        }
        say(&format!("  removed: {}", chosen.join(" ")));
        let wish = Wish { size: most - REMOVED, idle: chosen };
        let left = self.settled(lab, &wish).await?;
        let stayed = left.iter().find(|w| wish.idle.contains(&w.name.to_string()));
        ensure!(stayed.is_none(), "{stayed:#?}");
        Ok(())
    }

    /// One life of the controller: it is told a wish, unless it does not live long enough.
    async fn life(&mut self, wish: &Wish) -> Result<()> {
        let early = self.dice.below(EARLY) == 0;
        let longest = if early { EARLY_MILLIS_MAX } else { LATE_MILLIS_MAX };
        let moment = self.dice.millis(longest);
        let logged = self.cluster.log().len();
        if early {
            self.cluster.spawn_controller()?;
        } else {
            self.cluster.start_controller().await?;
            wish.tell(self.cluster).await?;
            self.calls(logged).await;
        }
        // Time passes, and this test's agents enrol.
        drop(tokio::time::timeout(moment, std::future::pending::<()>()).await);
        self.cluster.kill_controller()?;
        self.kills += 1;
        let what = if early { "its start" } else { "its calls began" };
        let log = self.cluster.log();
        let (kills, phases) = (self.kills, phases(&log));
        say(&format!("  kill {kills}: {moment:?} after {what}; under way: {phases:?}"));
        Ok(())
    }

    /// Waits until the controller calls the cloud to change something.
    async fn calls(&self, logged: usize) {
        let begun = async {
            let mut looks = tokio::time::interval(LOOK_EVERY);
            loop {
                looks.tick().await;
                let log = self.cluster.log();
                if CALLS.iter().any(|call| log[logged..].contains(call)) {
                    return;
                }
            }
        };
        drop(tokio::time::timeout(CALLS_WITHIN, begun).await);
    }

    /// Waits until so many workers are ready, and the cloud has their servers and no other.
    async fn settled(&mut self, lab: &Lab, wish: &Wish) -> Result<Vec<WorkerView>> {
        let size = wish.size;
        self.cluster.start_controller().await?;
        let admin = wish.tell(self.cluster).await?;
        let begun = Instant::now();
        let ready = |workers: &[WorkerView]| {
            let wanted: Vec<_> = workers.iter().filter(|w| w.phase != Phase::Terminated).collect();
            wanted.len() == size as usize && wanted.iter().all(|w| w.phase == Phase::Ready)
        };
        let cluster = &self.cluster;
        let mut workers = cluster.until_within(SETTLED_WITHIN, &admin, "all ready", ready).await?;
        workers.retain(|worker| worker.phase == Phase::Ready);
        let known: Vec<(String, String)> = workers
            .iter()
            .map(|w| (w.provider_id.clone().unwrap_or_default(), w.agent_id.to_string()))
            .collect();
        let known: BTreeSet<_> = known.into_iter().collect();
        let mut seen;
        let mut looks = tokio::time::interval(ASK_EVERY);
        loop {
            looks.tick().await;
            seen = servers(lab).await;
            if seen.iter().cloned().collect::<BTreeSet<_>>() == known && seen.len() == known.len() {
                break;
            }
            ensure!(begun.elapsed() < SETTLED_WITHIN, "known {known:#?}, and there are {seen:#?}");
        }
        let waited = begun.elapsed().as_secs_f64();
        say(&format!(
            "  {size} workers, {} servers, as they should be after {waited:.0} s",
            seen.len()
        ));
        Ok(workers)
    }
}

/// What the administrator sees: each server, and whose it is.
async fn servers(lab: &Lab) -> Vec<(String, String)> {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let all = lab.all_servers().await;
    all.iter().map(|one| (text(&one["id"]), text(&one["metadata"]["muster_agent_id"]))).collect()
}

async fn drop_servers(lab: &Lab) {
    lab.clear(&lab.provider("")).await;
}

/// How many workers the log leaves in each phase in which the controller has something to do.
fn phases(log: &str) -> BTreeMap<&str, usize> {
    let field = |line: &'_ str, name: &str| -> Option<(usize, usize)> {
        let begin = line.find(name)? + name.len();
        let length = line[begin..].find(' ').unwrap_or(line.len() - begin);
        Some((begin, begin + length))
    };
    let mut last: BTreeMap<&str, &str> = BTreeMap::new();
    for line in log.lines().filter(|line| line.contains("worker changed phase")) {
        if let (Some(worker), Some(phase)) = (field(line, " worker="), field(line, " phase=")) {
            last.insert(&line[worker.0..worker.1], &line[phase.0..phase.1]);
        }
    }
    let mut counts = BTreeMap::new();
    for phase in last.into_values().filter(|phase| !matches!(*phase, "ready" | "terminated")) {
        *counts.entry(phase).or_default() += 1;
    }
    counts
}
