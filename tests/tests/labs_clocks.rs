//! Clocks that are a day off, of an agent or of the controller (libfaketime). The nats-server keeps
//! the true time: it is the one that judges when credentials end.

#[path = "attacks/ground.rs"]
#[allow(dead_code, reason = "shared with the attacks, which use all of it")]
mod ground;
#[path = "accounts/person.rs"]
#[allow(dead_code, reason = "shared with the tests of accounts, which use all of it")]
mod person;

use anyhow::{Context, Result, ensure};
use ground::Ground;
use muster_protocol::api::{CommandRun, Target};
use muster_protocol::command::Verb;
use muster_protocol::event::CommandResult;
use muster_protocol::id::{Token, UnixMillis, random};
use muster_protocol::subject::{self, Account};
use muster_tests::cluster::{PATIENCE, Setup, next_event, program};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Instant;

/// Renewed at half of its life: thrice is longer than one credential lives.
const CONFIG: &str = "timeouts: {credential_secs: 6}\nagent: {interval_secs: 1}\n";
const RENEWALS: usize = 3;
const DAY_MILLIS: i64 = 86_400_000;
const HOUR_MILLIS: i64 = 3_600_000;

/// The environment in which a program's wall clock is off.
fn off(by: &str) -> Result<Vec<(&'static str, String)>> {
    let folders =
        ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"];
    let all = folders.map(|folder| PathBuf::from(folder).join("faketime/libfaketimeMT.so.1"));
    let library = all.into_iter().find(|path| path.exists());
    let library = library.context("no libfaketimeMT.so.1: install the package faketime")?;
    Ok(vec![
        ("LD_PRELOAD", library.display().to_string()),
        ("FAKETIME", by.to_owned()),
        // Nobody sets the clocks that run since the machine was started.
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ("DONT_FAKE_MONOTONIC", "1".to_owned()),
    ])
}

/// An agent that runs in such an environment.
fn agent_off(dir: &tempfile::TempDir, by: &str) -> Result<String> {
    let script = dir.path().join("agent");
    let set: Vec<String> =
        off(by)?.iter().map(|(name, value)| format!("export {name}='{value}'\n")).collect();
    let agent = program("muster-agent");
    let text = format!("#!/bin/sh\n{}exec '{}' \"$@\"\n", set.concat(), agent.display());
    std::fs::write(&script, text)?;
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755))?;
    Ok(script.display().to_string())
}

/// Enrols, applies, obeys, and renews, so often that the first credential is long over.
async fn lives(setup: &Setup, by_controller_millis: i64) -> Result<()> {
    let ground = Ground::start(setup).await?;
    let bus = ground.ears(Account::Bus).await?;
    ground.cluster.scale(&ground.admin, 1).await?;
    let agent = ground.ready().await?.agent_id;
    obeys(&ground, by_controller_millis).await?;
    let renew = subject::rpc(&agent, "renew");
    let renewals = || bus.heard().iter().filter(|heard| heard.subject.as_str() == renew).count();
    let since = Instant::now();
    while renewals() < RENEWALS {
        ensure!(since.elapsed() < PATIENCE, "{} renewals\n{}", renewals(), ground.cluster.log());
        tokio::task::yield_now().await;
    }
    ground.cluster.more_samples(1, 2).await?;
    obeys(&ground, by_controller_millis).await?;
    ground.cluster.finish(&["the NATS server's clock is not this machine's"])
}

/// A command is good for a minute: agent and controller must agree on the time.
async fn obeys(ground: &Ground, by_controller_millis: i64) -> Result<()> {
    let call = Token::random(random());
    let filter = format!("muster.event.api.{call}.>");
    let mut feed = ground.cluster.tail(&ground.admin, &filter).await?;
    let (target, verb) = (Target::Names("*".into()), Verb::Ping);
    let run = CommandRun { call, target, verb, timeout_secs: 30 };
    ground.cluster.ask(&ground.admin, &run).await?;
    let (_, event) = next_event(&mut feed).await?;
    let result: CommandResult = event.read().context("no result")?;
    ensure!(result.ok, "{result:?}");
    // That the clock was off at all.
    let off = event.at.since(UnixMillis::now()) - by_controller_millis;
    ensure!(off.abs() < HOUR_MILLIS, "the controller's clock is off by {off} ms more");
    Ok(())
}

/// Guards: the agent's `clock.rs`: it counts by the controller's signed word.
#[tokio::test]
async fn an_agent_whose_clock_is_a_day_off_enrols_applies_obeys_and_renews() -> Result<()> {
    for by in ["+1d", "-1d"] {
        let dir = tempfile::tempdir()?;
        let agent = Some(agent_off(&dir, by)?);
        let setup = Setup { agent, config: CONFIG.to_owned(), ..Setup::default() };
        lives(&setup, 0).await.with_context(|| format!("the agent's clock {by}"))?;
    }
    Ok(())
}

/// Guards: the controller's `server_clock.rs` and `Keys::by_server`: credentials begin and end in
/// the time of who judges them; `BEGIN_EARLIER_MS` in its `keys/make.rs`.
#[tokio::test]
async fn a_controller_whose_clock_is_a_day_off_admits_configures_commands_and_renews() -> Result<()>
{
    for (by, millis) in [("+1d", DAY_MILLIS), ("-1d", -DAY_MILLIS)] {
        let (environment, config) = (off(by)?, CONFIG.to_owned());
        let setup = Setup { environment, config, ..Setup::default() };
        lives(&setup, millis).await.with_context(|| format!("the controller's clock {by}"))?;
    }
    Ok(())
}
