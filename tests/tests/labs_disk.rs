//! Full disks: under JetStream, under the controller, under an agent. Each is told, nothing that
//! was acknowledged is lost, and all goes on when there is room again. Needs root.

use anyhow::{Context, Result, ensure};
use muster_protocol::api::WorkerView;
use muster_protocol::bus::Bus;
use muster_protocol::event::{Alarm, Event, Executed};
use muster_protocol::id::{AgentId, Token, UnixMillis, random};
use muster_protocol::worker::Phase;
use muster_protocol::{subject, wire};
use muster_tests::cluster::{Cluster, PATIENCE, Setup, next_event};
use muster_tests::host::until;
use muster_tests::machines::Yard;
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::time::interval;

const POLL: Duration = Duration::from_millis(200);
/// So many events of 100 KB a disk is offered that must be full long before.
const EVENTS_MAX: usize = 500;

/// A disk of some MiB.
struct Disk(TempDir);

impl Disk {
    fn of(mib: u32) -> Result<Disk> {
        let dir = tempfile::Builder::new().prefix("muster-disk-").tempdir()?;
        let size = format!("size={mib}m,mode=700");
        let mut mount = Command::new("mount");
        let mounted = mount.args(["-t", "tmpfs", "-o", &size, "muster-test"]).arg(dir.path());
        ensure!(mounted.status()?.success(), "mount: be root");
        Ok(Disk(dir))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Leaves no byte free.
    fn fill(&self) -> Result<()> {
        let mut ballast = fs::OpenOptions::new();
        let mut ballast = ballast.create(true).append(true).open(self.path().join("ballast"))?;
        for piece in [64 << 10, 4096, 1] {
            while ballast.write(&vec![0; piece]).is_ok_and(|written| written > 0) {}
        }
        Ok(())
    }

    fn free(&self) -> Result<()> {
        Ok(fs::remove_file(self.path().join("ballast"))?)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(self.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()), "{:?} stays", self.path());
    }
}

fn event(bytes: usize) -> Event {
    let executed = Executed {
        command: Token::random(random()),
        code: Some(0),
        stdout: Token::random(random()).to_string().repeat(bytes / 26),
        stderr: String::new(),
        truncated: false,
        error: None,
        duration_millis: 1,
    };
    Event::new(Token::random(random()), UnixMillis::now(), &executed)
}

async fn publish(bus: &Bus, agent: &AgentId, event: &Event) -> Result<()> {
    let to = subject::agent_event(agent, "executed");
    bus.publish(to, event.id.as_str(), wire::encode(event)).await?;
    Ok(())
}

async fn until_stored(bus: &Bus, agent: &AgentId, event: &Event) -> Result<()> {
    let (mut ticks, until) = (interval(POLL), Instant::now() + PATIENCE);
    while let Err(error) = publish(bus, agent, event).await {
        ensure!(Instant::now() < until, "not stored: {error:#}");
        ticks.tick().await;
    }
    Ok(())
}

/// What the controller says of it, whatever is on the disk.
const STORE: &[&str] = &[
    "the disk is full",
    "there is room again",
    "almost full",
    "the lease is lost",
    "could not be read or written",
    "could not be planned",
    "event was not stored",
    "age could not be noted",
    "nothing is concluded",
];

/// Guards: `nats::room`: nats-server gives a stream up at the first write that finds no room, and
/// answers nobody any more until it is started again.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_under_jetstream_loses_nothing_that_was_acknowledged() -> Result<()> {
    let (disk, yard) = (Disk::of(48)?, Yard::new()?);
    let setup = Setup { agent: yard.agent(), ..Setup::default() };
    let mut cluster = Cluster::prepare(&setup)?;
    symlink(disk.path(), cluster.path("config/store"))?;
    cluster.start_controller().await?;
    let admin = cluster.admin().await?;
    let machine = yard.machines(&cluster, &admin, 1).await?.remove(0);
    let (agent, bus) = (machine.agent_id().clone(), machine.enrol(&cluster).await?);
    let mut acknowledged = BTreeSet::new();
    for _ in 0..10 {
        let event = event(10_000);
        publish(&bus, &agent, &event).await?;
        acknowledged.insert(event.id);
    }
    disk.fill()?;
    let mut refused = None;
    for _ in 0..EVENTS_MAX {
        let event = event(100_000);
        match publish(&bus, &agent, &event).await {
            Ok(()) => drop(acknowledged.insert(event.id)),
            Err(error) => {
                refused = Some(error);
                break;
            }
        }
    }
    refused.context("a full disk takes events")?;
    until("told", || Ok(cluster.log().contains("NATS stores nothing until").then_some(()))).await?;
    disk.free()?;
    let (last, freed) = (event(1000), Instant::now());
    until_stored(&bus, &agent, &last).await?;
    eprintln!("stored again {:?} after there was room", freed.elapsed());
    acknowledged.insert(last.id);
    let admin = cluster.admin().await?;
    let mut told = cluster.tail(&admin, "muster.event.security.store.full").await?;
    next_event(&mut told).await?;
    let stored = cluster.stored_events(&admin, "muster.event.agent.*.executed").await?;
    let stored: BTreeSet<Token> = stored.into_iter().map(|(_, event)| event.id).collect();
    let lost = acknowledged.difference(&stored).count();
    ensure!(lost == 0, "{lost} of {} lost", acknowledged.len());
    // And it works as before.
    cluster.scale(&admin, 2).await?;
    cluster.until(&admin, "another", |workers| workers.len() == 2).await?;
    cluster.finish(STORE)
}

/// Guards: a sink that cannot write acknowledges nothing; the controller's own files are written
/// again.
#[tokio::test]
async fn a_full_disk_under_the_controller_stops_a_sink_and_no_sample_is_lost() -> Result<()> {
    let disk = Disk::of(4)?;
    let config = "agent: {interval_secs: 1}\n".to_owned();
    let mut cluster = Cluster::prepare(&Setup { config, ..Setup::default() })?;
    symlink(disk.path().join("samples.jsonl"), cluster.path("samples.jsonl"))?;
    fs::create_dir(disk.path().join("data"))?;
    fs::create_dir(cluster.path("data"))?;
    // The provider's workers need more room than there is.
    let text = fs::read_to_string(cluster.path("config/controller.yaml"))?;
    let (data, folder) = (disk.path().join("data"), cluster.path("data/local/here"));
    let text = text
        .replace("data: ../data", &format!("data: {data:?}"))
        .replace("kind: local,", &format!("kind: local, folder: {folder:?},"));
    fs::write(cluster.path("config/controller.yaml"), text)?;
    cluster.start_controller().await?;
    let admin = cluster.admin().await?;
    cluster.scale(&admin, 1).await?;
    cluster.more_samples(1, 2).await?;
    disk.fill()?;
    until("told", || Ok(cluster.log().contains("the sink does not write").then_some(()))).await?;
    let sinks = cluster.muster(&["cluster", "show"]).await?.with_code(0)?;
    ensure!(sinks.stdout.contains("No space left"), "{sinks:?}");
    cluster.muster(&["ping", "*"]).await?.with_code(0)?;
    cluster.scale(&admin, 2).await?;
    cluster.until(&admin, "launched", |workers| workers.len() == 2).await?;
    disk.free()?;
    cluster.more_samples(2, 2).await?;
    cluster.ensure_gapless(1.0)?;
    cluster.finish(&["the sink does not write"])
}

/// Guards: the memory that `Spool::keep` falls back to, and the alarm that tells of it.
#[tokio::test]
async fn a_full_disk_under_an_agent_is_told_and_its_events_arrive() -> Result<()> {
    let (disk, yard) = (Disk::of(4)?, Yard::new()?);
    let config = "agent: {exec: true, interval_secs: 1}\n".to_owned();
    let setup = Setup { agent: yard.agent(), config, ..Setup::default() };
    let cluster = Cluster::start(&setup).await?;
    let admin = cluster.admin().await?;
    let machine = yard.machines(&cluster, &admin, 1).await?.remove(0);
    let state = machine.root().join("var/lib");
    fs::create_dir_all(&state)?;
    symlink(disk.path(), state.join("muster-agent"))?;
    let agent = machine.start("info")?;
    let ready = |workers: &[WorkerView]| workers.iter().all(|w| w.phase == Phase::Ready);
    cluster.until(&admin, "ready", ready).await?;
    disk.fill()?;
    let mut alarms = cluster.tail(&admin, "muster.event.agent.*.alarm").await?;
    cluster.muster(&["exec", "*", "--", "true"]).await?.with_code(0)?;
    let alarm: Alarm = next_event(&mut alarms).await?.1.read().context("no alarm")?;
    ensure!(alarm.what.contains("disk"), "{alarm:?}\n{}", agent.log()?);
    cluster.more_samples(1, 2).await?;
    let applied = cluster.muster(&["apply", "*"]).await?;
    ensure!(applied.code == Some(2), "states are applied without a journal: {applied:?}");
    disk.free()?;
    cluster.muster(&["apply", "*"]).await?.with_code(0)?;
    cluster.finish(&["raises an alarm"])
}
