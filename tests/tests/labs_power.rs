//! A power cut: nats-server is killed, and its disk has only what was written through to it.
//!
//! The store is an ext4 on a loop device. Pages that nobody has synced are in the kernel's cache of
//! that file system and not in the file below the device: a copy of this file, taken after the kill
//! and without a sync, is what a machine would find after the power came back. What stands for the
//! disk itself keeps all that the kernel sends it: a disk that lies about its cache is not tried.

use anyhow::{Context, Result, ensure};
use muster_protocol::api::PoolList;
use muster_protocol::bus::{Bus, State};
use muster_protocol::event::{Event, Executed};
use muster_protocol::id::{AgentId, Token, UnixMillis, random};
use muster_protocol::{subject, wire};
use muster_tests::cluster::{Cluster, Setup};
use muster_tests::host::{self, until};
use muster_tests::machines::Yard;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tempfile::TempDir;
use tokio::task::JoinSet;

const DISK_BYTES: u64 = 256 << 20;
const AGENTS: u32 = 4;
/// Acknowledged events before the cut.
const BEFORE_CUT: u64 = 300;

fn run(program: &str, arguments: &[&Path]) -> Result<()> {
    let output = Command::new(program).args(arguments).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program} {arguments:?}: {said}; be root");
    Ok(())
}

/// A file that stands for a disk, with a file system on it.
struct Disk {
    dir: TempDir,
    image: PathBuf,
}

impl Disk {
    fn new() -> Result<Disk> {
        let dir = tempfile::Builder::new().prefix("muster-power-").tempdir()?;
        let image = dir.path().join("disk");
        File::create(&image)?.set_len(DISK_BYTES)?;
        run("mkfs.ext4", &["-q".as_ref(), "-F".as_ref(), &image])?;
        fs::create_dir(dir.path().join("mnt"))?;
        let disk = Disk { dir, image };
        disk.mount()?;
        Ok(disk)
    }

    fn mnt(&self) -> PathBuf {
        self.dir.path().join("mnt")
    }

    /// Its journal is written when somebody syncs, and by itself not during a test.
    fn mount(&self) -> Result<()> {
        run("mount", &["-o".as_ref(), "loop,commit=300".as_ref(), &self.image, &self.mnt()])
    }

    /// The disk as it is, without what was not synced.
    fn cut(&mut self) -> Result<()> {
        let after = self.dir.path().join("after");
        run("cp", &["--sparse=always".as_ref(), &self.image, &after])?;
        // A process that has just been killed may hold it for a moment.
        run("umount", &["-l".as_ref(), &self.mnt()])?;
        self.image = after;
        self.mount()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let unmounted = run("umount", &["-l".as_ref(), &self.mnt()]);
        assert!(unmounted.is_ok() || std::thread::panicking(), "{unmounted:?}");
    }
}

/// Says one event after the other until the connection goes. Returns those acknowledged.
async fn talk(bus: Bus, agent: AgentId, count: Arc<AtomicU64>) -> Result<BTreeSet<Token>> {
    let (mut said, mut state) = (BTreeSet::new(), bus.state());
    loop {
        let executed = Executed {
            command: Token::random(random()),
            code: Some(0),
            stdout: "x".repeat(500),
            stderr: String::new(),
            truncated: false,
            error: None,
            duration_millis: 1,
        };
        let event = Event::new(Token::random(random()), UnixMillis::now(), &executed);
        let to = subject::agent_event(&agent, "executed");
        let stored = tokio::select! {
            stored = bus.publish(to, event.id.as_str(), wire::encode(&event)) => stored,
            _ = state.wait_for(|state| *state != State::Connected) => return Ok(said),
        };
        if stored.is_ok() {
            said.insert(event.id);
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// What was acknowledged before a cut, and is not there after it.
struct Lost {
    acknowledged: usize,
    events: usize,
    size: bool,
}

async fn cut(sync: Option<&str>) -> Result<Lost> {
    let (mut disk, yard) = (Disk::new()?, Yard::new()?);
    let mut cluster = Cluster::prepare(&Setup { agent: yard.agent(), ..Setup::default() })?;
    symlink(disk.mnt(), cluster.path("config/store"))?;
    if let Some(sync) = sync {
        let path = cluster.path("config/nats.conf");
        let text = fs::read_to_string(&path)?;
        fs::write(&path, text.replace("sync_interval: always", sync))?;
    }
    cluster.start_controller().await?;
    let admin = cluster.admin().await?;
    let (count, mut talking) = (Arc::new(AtomicU64::new(0)), JoinSet::new());
    for machine in yard.machines(&cluster, &admin, AGENTS).await? {
        let (agent, bus) = (machine.agent_id().clone(), machine.enrol(&cluster).await?);
        talking.spawn(talk(bus, agent, Arc::clone(&count)));
    }
    until("events", || Ok((count.load(Ordering::Relaxed) >= BEFORE_CUT).then_some(()))).await?;
    cluster.scale(&admin, AGENTS + 1).await?;
    let nats = cluster.nats_pid()?;
    cluster.kill_controller()?;
    host::signal(nats, "KILL")?;
    until("its end", || Ok(cluster.nats_pid().is_err().then_some(()))).await?;
    disk.cut()?;
    let mut acknowledged = BTreeSet::new();
    while let Some(said) = talking.join_next().await {
        acknowledged.extend(said??);
    }
    cluster.start_controller().await?;
    let admin = cluster.admin().await?;
    let stored = cluster.stored_events(&admin, "muster.event.agent.*.executed").await?;
    let stored: BTreeSet<Token> = stored.into_iter().map(|(_, event)| event.id).collect();
    let pool = cluster.ask(&admin, &PoolList {}).await?;
    let size = pool.first().context("the pool")?.size;
    let events = acknowledged.difference(&stored).count();
    Ok(Lost { acknowledged: acknowledged.len(), events, size: size != AGENTS + 1 })
}

/// Guards: `sync_interval: always` in nats.conf, for events and for the registry.
#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_takes_nothing_that_was_acknowledged() -> Result<()> {
    let lost = cut(None).await?;
    eprintln!("{} acknowledged, {} lost", lost.acknowledged, lost.events);
    ensure!(lost.events == 0 && !lost.size, "{} of {} lost", lost.events, lost.acknowledged);
    Ok(())
}

/// The same with NATS' own setting loses something: the cut is one.
#[tokio::test(flavor = "multi_thread")]
async fn the_cut_takes_what_nats_does_not_sync() -> Result<()> {
    let lost = cut(Some("sync_interval: \"2m\"")).await?;
    eprintln!("not synced: {} acknowledged, {} lost", lost.acknowledged, lost.events);
    ensure!(lost.events > 0, "nothing is lost: this is no power cut");
    Ok(())
}
