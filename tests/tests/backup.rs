//! The registry is lost, emptied, or restored from earlier: nothing is destroyed, what does not fit
//! is asked, and a person's word ends the doubt.

use anyhow::{Context, Result, ensure};
use muster_protocol::api::{ClusterShow, WorkerView};
use muster_protocol::bus::Bus;
use muster_protocol::id::UnixMillis;
use muster_protocol::worker::Phase;
use muster_tests::cluster::{Cluster, PATIENCE, Setup, program};
use muster_tests::host::{self, until};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use tokio::time::interval;

const HELLO: &str = "/etc/hello:\n  file.managed:\n    - contents: ";
const CONFIG: &str = "timeouts: {reconcile_secs: 1, orphan_secs: 1}\n";
/// So long a worker may take to be configured, where that matters.
const CONFIGURE_SECS: u64 = 10;
const POLL: Duration = Duration::from_millis(100);
const EXPECTED: &[&str] = &[
    "somebody must say",
    "nothing is removed unasked",
    "a server is removed",
    "has not announced schema",
];

fn setup() -> Setup {
    let top = "base:\n  '*':\n    - hello\n".to_owned();
    let tree = vec![("top.sls", top), ("hello.sls", format!("{HELLO}before\n"))];
    Setup { tree, config: CONFIG.to_owned(), isolation: "none", ..Setup::default() }
}

fn ready(count: usize) -> impl Fn(&[WorkerView]) -> bool {
    move |workers| {
        let wanted: Vec<_> = workers.iter().filter(|w| w.phase != Phase::Terminated).collect();
        wanted.len() == count && wanted.iter().all(|w| w.phase == Phase::Ready)
    }
}

/// The names in the local provider's folder that are servers.
fn servers(cluster: &Cluster) -> Result<BTreeSet<String>> {
    let entries = fs::read_dir(cluster.path("data/local/here"))?.filter_map(Result::ok);
    let servers = entries.filter(|entry| entry.path().join("spec.json").exists());
    Ok(servers.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
}

fn server_of(workers: &[WorkerView], name: &str) -> Result<String> {
    let worker = workers.iter().find(|w| w.name.as_str() == name && w.provider_id.is_some());
    worker.and_then(|worker| worker.provider_id.clone()).with_context(|| format!("no {name}"))
}

/// One worker ends, another begins: what a copy made before does not know. Returns the servers.
async fn change(cluster: &Cluster, admin: &Bus) -> Result<BTreeSet<String>> {
    let first = server_of(&cluster.workers(admin).await?, "test-0001")?;
    let ended = ["worker", "terminate", "test-0001", "--force", "--wait"];
    cluster.muster(&ended).await?.with_code(0)?;
    cluster.scale(admin, 2).await?;
    cluster.until(admin, "changed", ready(2)).await?;
    let left = until("two servers", || {
        let servers = servers(cluster)?;
        Ok((servers.len() == 2 && !servers.contains(&first)).then_some(servers))
    });
    left.await
}

/// Agents come back some seconds after NATS does.
async fn answers(cluster: &Cluster, name: &str) -> Result<()> {
    let (mut ticks, until) = (interval(POLL), Instant::now() + PATIENCE);
    while cluster.muster(&["ping", name]).await?.code != Some(0) {
        ensure!(Instant::now() < until, "{name} does not answer: {}", cluster.log());
        ticks.tick().await;
    }
    Ok(())
}

/// A restored registry knows `test-0002` as it is; the agent has had later revisions than it knows.
async fn is_still_configured(cluster: &Cluster, server: &str) -> Result<()> {
    fs::write(cluster.path("tree/hello.sls"), format!("{HELLO}after\n"))?;
    answers(cluster, "test-0002").await?;
    cluster.muster(&["apply", "test-0002"]).await?.with_code(0)?;
    let file = cluster.path(&format!("data/local/here/{server}/root/etc/hello"));
    let text = fs::read_to_string(&file)?;
    ensure!(text.trim() == "after", "{text:?}\n{}", cluster.log());
    Ok(())
}

/// The doubt ends with a person's word: what nobody knows goes, what is known stays.
async fn confirmed(cluster: &Cluster, admin: &Bus, kept: &str, unknown: &str) -> Result<()> {
    cluster.muster(&["reconcile", "--confirm", "--yes"]).await?.with_code(0)?;
    until("the unknown server to go", || Ok((!servers(cluster)?.contains(unknown)).then_some(())))
        .await?;
    cluster.until_within(PATIENCE * 2, admin, "two ready again", ready(2)).await?;
    ensure!(servers(cluster)?.contains(kept), "the known one went: {}", cluster.log());
    let view = cluster.ask(admin, &ClusterShow {}).await?;
    ensure!(view.doubts.is_empty(), "{:?}", view.doubts);
    Ok(())
}

/// Guards: `Keeper::restored` (without it a new head node believes a backup), `doubt::judge`, and
/// `states::next_revision` (without it agents take no desired state after a restore).
#[tokio::test]
async fn a_backup_brings_a_lost_registry_back_and_nothing_is_destroyed() -> Result<()> {
    let mut cluster = Cluster::start(&setup()).await?;
    let admin = cluster.admin().await?;
    cluster.scale(&admin, 2).await?;
    let before = cluster.until(&admin, "ready", ready(2)).await?;
    let (kept, file) = (server_of(&before, "test-0002")?, cluster.path("pluto.backup"));
    let file = file.to_str().context("a temporary folder is UTF-8")?;
    let made = cluster.muster(&["backup", file, "-o", "json"]).await?.with_code(0)?.json()?;
    assert_eq!((&made["workers"], &made["pools"]), (&2.into(), &1.into()), "{made:#}");
    assert_eq!(fs::metadata(file)?.permissions().mode() & 0o777, 0o600);
    let again = cluster.muster(&["backup", file]).await?.with_code(1)?;
    ensure!(again.stderr.contains("--force"), "{again:?}");
    cluster.muster(&["backup", file, "--force"]).await?.with_code(0)?;
    let servers_before = change(&cluster, &admin).await?;
    cluster.muster(&["apply", "test-0002"]).await?.with_code(0)?;

    admin.close().await;
    cluster.kill_controller()?;
    cluster.lose_store()?;
    // Another head node: it remembers nothing of the registry.
    fs::remove_file(cluster.path("data/registry.json"))?;
    let config = cluster.path("config/controller.yaml").display().to_string();
    let restored = cluster.muster(&["restore", file, "--config", &config]).await?.with_code(0)?;
    ensure!(restored.stderr.contains("restored 2 workers, 1 pools"), "{restored:?}");
    cluster.start_controller().await?;
    let admin = cluster.admin().await?;
    cluster.until_asked(&admin, "the registry was restored from a backup of 20").await?;
    cluster.until_asked(&admin, "of nobody").await?;
    let known = cluster.workers(&admin).await?;
    for worker in &before {
        let same = known.iter().find(|known| known.agent_id == worker.agent_id);
        ensure!(same.is_some(), "{} is not known: {known:#?}", worker.agent_id);
    }
    is_still_configured(&cluster, &kept).await?;
    assert_eq!(servers(&cluster)?, servers_before, "{}", cluster.log());
    let unknown = servers_before.iter().find(|server| **server != kept).context("two")?;
    confirmed(&cluster, &admin, &kept, unknown).await?;
    cluster.finish(EXPECTED)
}

/// Guards: the epoch of `trust.rs`: an older copy of the whole store is known as one.
#[tokio::test]
async fn a_store_that_was_put_back_from_earlier_destroys_nothing() -> Result<()> {
    let mut cluster = Cluster::start(&setup()).await?;
    let admin = cluster.admin().await?;
    cluster.scale(&admin, 2).await?;
    let before = cluster.until(&admin, "ready", ready(2)).await?;
    let kept = server_of(&before, "test-0002")?;
    admin.close().await;
    cluster.stop_controller();
    copy(&cluster.path("config/store"), &cluster.path("copy"))?;
    cluster.start_controller().await?;
    let admin = cluster.admin().await?;
    let servers_before = change(&cluster, &admin).await?;
    admin.close().await;
    cluster.kill_controller()?;
    cluster.lose_store()?;
    copy(&cluster.path("copy"), &cluster.path("config/store"))?;
    cluster.start_controller().await?;
    let admin = cluster.admin().await?;
    cluster.until_asked(&admin, "restored from an older copy").await?;
    cluster.until_asked(&admin, "of nobody").await?;
    is_still_configured(&cluster, &kept).await?;
    assert_eq!(servers(&cluster)?, servers_before, "{}", cluster.log());
    let unknown = servers_before.iter().find(|server| **server != kept).context("two")?;
    confirmed(&cluster, &admin, &kept, unknown).await?;
    cluster.finish(EXPECTED)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status()?;
    ensure!(copied.success(), "cp: {copied}");
    Ok(())
}

async fn restore(cluster: &Cluster, file: &Path, more: &[&str]) -> Result<host::Ran> {
    let mut command = Command::new(program("muster-controller"));
    command.arg("restore").arg(file).arg("--config").arg(cluster.path("config/controller.yaml"));
    command.args(more).env("MUSTER_NATS_SERVER", muster_tests::cluster::nats_server());
    host::run(command).await
}

/// Guards: the lock of the embedded server; `backup::restore`'s checks before it writes.
#[tokio::test]
async fn a_restore_that_could_do_harm_is_refused_and_says_what_to_do() -> Result<()> {
    let mut cluster = Cluster::start(&setup()).await?;
    let admin = cluster.admin().await?;
    cluster.scale(&admin, 1).await?;
    cluster.until(&admin, "ready", ready(1)).await?;
    let file = cluster.path("pluto.backup");
    let path = file.to_str().context("a temporary folder is UTF-8")?;
    cluster.muster(&["backup", path]).await?.with_code(0)?;

    let refused = restore(&cluster, &file, &["--force"]).await?.with_code(1)?;
    ensure!(refused.stderr.contains("stop it: systemctl stop"), "{refused:?}");
    admin.close().await;
    cluster.stop_controller();
    let refused = restore(&cluster, &file, &[]).await?.with_code(1)?;
    ensure!(refused.stderr.contains("1 workers and 1 pools"), "{refused:?}");
    ensure!(refused.stderr.contains("--force"), "{refused:?}");
    let whole = fs::read(&file)?;
    for (bytes, said) in [
        (&whole[..whole.len() - 1], "damaged"),
        (b"apiVersion: v1\n".as_slice(), "no backup"),
        (b"muster-backup 2 x".as_slice(), "later release"),
    ] {
        let broken = cluster.path("broken.backup");
        fs::write(&broken, bytes)?;
        let refused = restore(&cluster, &broken, &["--force"]).await?.with_code(1)?;
        ensure!(refused.stderr.contains(said), "{refused:?}");
    }
    restore(&cluster, &file, &["--force"]).await?.with_code(0)?;

    // The worker is still there, and works; only nothing is removed unasked.
    cluster.start_controller().await?;
    let admin = cluster.admin().await?;
    cluster.until_asked(&admin, "restored from a backup").await?;
    cluster.until(&admin, "ready", ready(1)).await?;
    answers(&cluster, "*").await?;
    cluster.finish(EXPECTED)
}

/// Guards: `Reconciler::may_end`: without it the copy's worker, which was not ready then, would be
/// given up for its time, and its server removed, though it has been at work since.
#[tokio::test]
async fn a_worker_that_was_not_ready_yet_in_the_backup_is_not_given_up_for_its_time() -> Result<()>
{
    let dir = tempfile::tempdir()?;
    let gate = dir.path().join("gate");
    ensure!(Command::new("mkfifo").arg(&gate).status()?.success(), "mkfifo");
    let begun = dir.path().join("begun");
    // The second run, after the restore, finds the gate gone.
    let wait = format!("echo >{begun:?} && if [ -p {gate:?} ]; then read line <{gate:?}; fi");
    let state = format!("wait:\n  cmd.run:\n    - name: '{wait}'\n");
    let config = CONFIG.replace('{', &format!("{{configure_secs: {CONFIGURE_SECS}, "));
    let tree = vec![("top.sls", "base:\n  '*':\n    - hello\n".into()), ("hello.sls", state)];
    let mut cluster = Cluster::start(&Setup { tree, config, ..setup() }).await?;
    let admin = cluster.admin().await?;
    cluster.scale(&admin, 1).await?;
    until("the state to begin", || Ok(begun.exists().then_some(()))).await?;
    let file = cluster.path("pluto.backup");
    let path = file.to_str().context("a temporary folder is UTF-8")?;
    cluster.muster(&["backup", path]).await?.with_code(0)?;
    fs::write(&gate, "go on\n")?;
    fs::remove_file(&gate)?;
    let before = cluster.until(&admin, "ready", ready(1)).await?;
    let overdue = Duration::from_secs(CONFIGURE_SECS + 1);
    let since = before[0].milestones.enrolled.context("it has enrolled")?;
    until("the copy to be overdue", || {
        let age = UnixMillis::now().since(since).unsigned_abs();
        Ok((Duration::from_millis(age) > overdue).then_some(()))
    })
    .await?;

    admin.close().await;
    cluster.kill_controller()?;
    cluster.lose_store()?;
    restore(&cluster, &file, &[]).await?.with_code(0)?;
    cluster.start_controller().await?;
    let admin = cluster.admin().await?;
    cluster.until_asked(&admin, "1 workers whose time was over").await?;
    answers(&cluster, "*").await?;
    cluster.muster(&["apply", "*"]).await?.with_code(0)?;
    let after = cluster.until(&admin, "ready again", ready(1)).await?;
    assert_eq!(before[0].agent_id, after[0].agent_id);
    let known = server_of(&before, "test-0001")?;
    cluster.muster(&["reconcile", "--confirm", "--yes"]).await?.with_code(0)?;
    cluster.until(&admin, "ready still", ready(1)).await?;
    ensure!(servers(&cluster)?.contains(&known), "the server went: {}", cluster.log());
    cluster.finish(EXPECTED)
}
