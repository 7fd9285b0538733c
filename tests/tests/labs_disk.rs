//! Full disks: under JetStream, under the controller, under an agent. Each is told, nothing that was
//! acknowledged is lost, and all goes on when there is room again. Needs root, for small disks.

use anyhow::{Context, Result, ensure};
use muster_protocol::bus::Bus;
use muster_protocol::event::{Alarm, Event, Executed};
use muster_protocol::id::{AgentId, Token, UnixMillis, random};
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

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_under_jetstream_loses_nothing_that_was_acknowledged() -> Result<()> {
    let (disk, yard) = (Disk::of(32)?, Yard::new()?);
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
    for _ in 0..200 {
        let event = event(100_000);
        match publish(&bus, &agent, &event).await {
            Ok(()) => drop(acknowledged.insert(event.id)),
            Err(error) => {
                refused = Some(error);
                break;
            }
        }
    }
    let refused = refused.context("a full disk takes events")?;
    eprintln!("refused: {refused:#}");
    until("told", || Ok(cluster.log().contains("JetStream").then_some(()))).await.ok();
    eprintln!("{}", cluster.log());
    eprintln!("{}", fs::read_to_string(cluster.path("config/run/nats.log"))?);
    disk.free()?;
    let last = event(1000);
    until_stored(&bus, &agent, &last).await?;
    acknowledged.insert(last.id);
    let admin = cluster.admin().await?;
    let stored = cluster.stored_events(&admin, "muster.event.agent.*.executed").await?;
    let stored: BTreeSet<Token> = stored.into_iter().map(|(_, event)| event.id).collect();
    let lost = acknowledged.difference(&stored).count();
    ensure!(lost == 0, "{lost} of {} lost", acknowledged.len());
    cluster.finish(&[])
}
