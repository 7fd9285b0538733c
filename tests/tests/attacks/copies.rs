//! Copies: a machine's disk in another machine, two that live with one key, ids of messages.

use crate::ground::{Ears, Ground, agent_id, no_agent, told, tried, user_data};
use anyhow::{Context, Result, ensure};
use muster_protocol::event::{Event, Started};
use muster_protocol::id::{AgentId, Token, UnixMillis, random};
use muster_protocol::subject::{self, Account, Role};
use muster_protocol::wire;
use muster_tests::cluster::{Setup, next_event, program};
use muster_tests::host;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

const MESSAGE_ID: &str = "Nats-Msg-Id";

/// A machine's disk, and the agent that runs on it.
struct Disk {
    dir: TempDir,
    agent: Option<Child>,
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Disk {
    fn with(user_data: &str) -> Result<Disk> {
        let dir = tempfile::tempdir()?;
        let muster = dir.path().join("etc/muster");
        std::fs::create_dir_all(&muster)?;
        write_secret(&muster.join("bootstrap.yaml"), user_data)?;
        std::fs::write(muster.join("agent.yaml"), "interval_secs: 1\n")?;
        Ok(Disk { dir, agent: None })
    }

    fn copy(&self) -> Result<Disk> {
        let dir = tempfile::tempdir()?;
        let from = self.dir.path().join(".");
        let copied = Command::new("cp").arg("-a").arg(from).arg(dir.path()).status()?;
        ensure!(copied.success(), "cp");
        Ok(Disk { dir, agent: None })
    }

    /// The agent as it is started in this instance.
    fn command(&self, instance: &str) -> Command {
        let mut command = Command::new(program("muster-agent"));
        command.arg("run").env_clear().env("PATH", "/usr/bin:/bin");
        command.env("MUSTER_ROOT", self.dir.path()).env("MUSTER_SERVER_ID", instance);
        command
    }

    fn start(&mut self, instance: &str) -> Result<()> {
        let log = std::fs::File::create(self.log())?;
        let mut command = self.command(instance);
        let command = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        self.agent = Some(command.spawn()?);
        Ok(())
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    /// Ends it at once, as a power cut does.
    fn stop(&mut self) {
        if let Some(mut agent) = self.agent.take() {
            drop(agent.kill());
            drop(agent.wait());
        }
    }
}

fn write_secret(path: &Path, text: &str) -> Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(path)?;
    Ok(file.write_all(text.as_bytes())?)
}

/// A cluster with one machine, whose disk is here.
async fn one() -> Result<(Ground, Disk, AgentId, TempDir)> {
    let (agent, dir) = no_agent()?;
    let ground = Ground::start(&Setup { agent: Some(agent), ..Setup::default() }).await?;
    ground.cluster.scale(&ground.admin, 1).await?;
    let text = user_data(&ground, &dir).await?;
    let agent_id = crate::machine::Machine::of(&text)?.agent_id;
    Ok((ground, Disk::with(&text)?, agent_id, dir))
}

/// Guards: `Identity::check_instance` in the agent, which has kept the instance that enrolled.
#[tokio::test]
async fn a_copy_of_a_disk_refuses_to_start_in_another_instance() -> Result<()> {
    let (ground, mut disk, _, _dir) = one().await?;
    disk.start("11111111-aaaa")?;
    ground.ready().await?;
    disk.stop();
    let copy = disk.copy()?;
    let ran = host::run(copy.command("22222222-bbbb")).await?;
    ensure!(ran.code != Some(0), "the copy runs: {ran:?}");
    let told = format!("{}{}", ran.stdout, ran.stderr);
    ensure!(told.contains("it is a copy") && told.contains("user-data of its own"), "{told}");
    // And the true one goes on.
    disk.start("11111111-aaaa")?;
    let bus = ground.ears(Account::Bus).await?;
    bus.until(|heard| heard.subject.starts_with("muster.event.agent.")).await?;
    tried("a copied disk", 1)?;
    ground.cluster.finish(&[])
}

/// A copy that says it is the same instance: NATS takes both connections. It is told.
///
/// Guards: `Doubles::hear` in the controller, and `on_frame` in its `stats.rs`.
#[tokio::test]
async fn two_that_live_with_one_key_are_told() -> Result<()> {
    let (ground, mut disk, agent, _dir) = one().await?;
    disk.start("11111111-aaaa")?;
    ground.ready().await?;
    disk.stop();
    let mut copy = disk.copy()?;
    disk.start("11111111-aaaa")?;
    copy.start("11111111-aaaa")?;
    let what = told(&ground, &agent, "two processes speak with its key").await;
    what.with_context(|| ground.cluster.log())?;
    tried("a second connection with one key", 1)?;
    ground.cluster.finish(&["two processes speak", "has not announced schema"])
}

/// Two starts of an agent number their messages under bits of their own: who knows all ids of one
/// start cannot take one of the next. Nobody but the agent and BUS sees them.
///
/// Guards: `Outbox::open`, which draws `boot` anew, and the template of `Role::Agent`.
#[tokio::test]
async fn nobody_can_take_the_ids_of_another_agents_messages() -> Result<()> {
    let (ground, mut disk, agent, _dir) = one().await?;
    let bus = ground.ears(Account::Bus).await?;
    disk.start("11111111-aaaa")?;
    ground.ready().await?;
    disk.stop();
    bus.catch_up().await?;
    let first = prefixes(&bus, &agent);
    ensure!(first.iter().all(|prefix| prefix.len() == 26), "{first:?}");

    // The attacker has found out the ids of the first start, and takes the next ones.
    let thief = agent_id();
    let attacker = ground.bus(Role::Agent, thief.as_str()).await?;
    let mut taken = 0;
    for prefix in &first {
        for number in 0..20 {
            let started = Started { version: "x".into(), revision: 0, fresh: true };
            let event = Event::new(Token::random(random()), UnixMillis::now(), &started);
            let to = subject::agent_event(&thief, "alarm");
            attacker.publish(to, &format!("{prefix}-e{number}"), wire::encode(&event)).await?;
            taken += 1;
        }
    }
    let started = subject::agent_event(&agent, "started");
    let mut starts = ground.cluster.tail(&ground.admin, &started).await?;
    next_event(&mut starts).await?;
    disk.start("11111111-aaaa")?;
    next_event(&mut starts).await.context("the second start is not stored")?;
    bus.catch_up().await?;
    let all = prefixes(&bus, &agent);
    ensure!(all.difference(&first).next().is_some(), "the second start has the ids of the first");
    let mut person = ground.person(Role::Agent, thief.as_str()).await?;
    for subject in [subject::agent_event(&agent, "started"), subject::stats(&agent)] {
        ensure!(!person.may_subscribe(&subject).await?, "{subject} can be read");
    }
    tried("ids of another agent's messages", taken + 2)?;
    ground.cluster.finish(&["an agent raises an alarm"])
}

/// What stands before the number in the ids of an agent's messages: its events', and its frames'.
fn prefixes(bus: &Ears, agent: &AgentId) -> BTreeSet<String> {
    let of_it = |subject: &str| subject.split('.').any(|token| token == agent.as_str());
    let heard = bus.heard().into_iter().filter(|heard| of_it(&heard.subject));
    let ids = heard.filter_map(|heard| Some(heard.headers?.get(MESSAGE_ID)?.to_string()));
    ids.filter_map(|id| Some(id.rsplit_once('-')?.0.to_owned())).collect()
}
