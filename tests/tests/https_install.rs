//! `agent.install: url`: a worker fetches its agent from the controller's HTTPS port, and runs it
//! only if it is the one that its user-data names.

use anyhow::{Context, Result, ensure};
use muster_protocol::api::WorkerView;
use muster_protocol::event::PhaseChanged;
use muster_protocol::worker::Phase;
use muster_tests::cluster::{Cluster, Setup, next_event, program};
use muster_tests::host;
use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;

fn ready(workers: &[WorkerView]) -> bool {
    workers.len() == 1 && workers[0].phase == Phase::Ready
}

/// A binary that is the agent and still not the one of any other worker.
fn agent_of_its_own(cluster: &Cluster, more: &str) -> Result<()> {
    let path = cluster.path("muster-agent");
    fs::copy(program("muster-agent"), &path)?;
    // What stands behind the last section is not loaded.
    fs::OpenOptions::new().append(true).open(&path)?.write_all(more.as_bytes())?;
    Ok(())
}

fn settings(cluster: &Cluster, listen: &str, host: &str) -> String {
    let binary = cluster.path("muster-agent");
    format!("agent: {{install: url, listen: '{listen}', host: {host}, binary: {binary:?}}}\n")
}

fn configure(cluster: &Cluster, old: &str, new: &str) -> Result<()> {
    let path = cluster.path("config/controller.yaml");
    let text = fs::read_to_string(&path)?;
    ensure!(text.contains(old), "{text}");
    Ok(fs::write(path, text.replace(old, new))?)
}

async fn fetched(isolation: &'static str) -> Result<()> {
    if !host::supports(isolation).await? {
        return Ok(());
    }
    let config = "agent: {install: url, listen: '127.0.0.1:0'}\n".to_owned();
    let mut cluster = Cluster::prepare(&Setup { isolation, config, ..Setup::default() })?;
    agent_of_its_own(&cluster, isolation)?;
    let own = settings(&cluster, "127.0.0.1:0", "127.0.0.1");
    configure(&cluster, "agent: {install: url, listen: '127.0.0.1:0'}\n", &own)?;
    cluster.start_controller().await?;
    let admin = cluster.admin().await?;
    cluster.scale(&admin, 1).await?;
    let workers = cluster.until(&admin, "ready", ready).await?;
    let id = workers[0].provider_id.clone().context("no server")?;
    let root = match isolation {
        "none" => cluster.path(&format!("data/local/here/{id}/root")),
        _ => root_of_a_process(&cluster.path(&format!("data/local/here/{id}")))?,
    };
    let agent = fs::read(root.join("usr/bin/muster-agent"))?;
    ensure!(agent == fs::read(cluster.path("muster-agent"))?, "it runs another agent");
    cluster.finish(&[])
}

/// What a worker's processes see at `/`.
fn root_of_a_process(folder: &Path) -> Result<std::path::PathBuf> {
    let text = folder.display().to_string();
    let pids = host::processes(&text);
    let mut inner = pids.into_iter().map(|pid| Path::new("/proc").join(format!("{pid}/root")));
    let worker = inner.find(|root| root.join("etc/hello").exists());
    worker.with_context(|| format!("no process of {text} has the worker's root"))
}

#[tokio::test]
async fn a_worker_in_a_folder_fetches_its_agent() -> Result<()> {
    fetched("none").await
}

#[tokio::test]
async fn a_worker_as_root_fetches_its_agent() -> Result<()> {
    fetched("root").await
}

#[tokio::test]
async fn a_worker_in_a_user_namespace_fetches_its_agent() -> Result<()> {
    fetched("user").await
}

/// The worker is sent to where nobody listens until another controller, with another binary, does.
/// Guards: the hash in user-data decides, not whoever answers with the cluster's certificate.
#[tokio::test]
async fn a_binary_that_was_changed_is_refused_and_the_next_launch_gets_it() -> Result<()> {
    let listener = TcpListener::bind("0.0.0.0:0")?;
    let port = listener.local_addr()?.port();
    let (first, second) = (format!("127.0.0.1:{port}"), format!("127.0.0.2:{port}"));
    let config = "timeouts: {reconcile_secs: 1}\n".to_owned();
    let listen = "127.0.0.2:0".to_owned();
    let mut cluster = Cluster::prepare(&Setup { config, listen, ..Setup::default() })?;
    agent_of_its_own(&cluster, "")?;
    let (before, after) =
        (settings(&cluster, &first, "127.0.0.2"), settings(&cluster, &second, "127.0.0.2"));
    configure(&cluster, "timeouts:", &format!("{before}timeouts:"))?;
    drop(listener);
    cluster.start_controller().await?;
    let admin = cluster.admin().await?;
    cluster.scale(&admin, 1).await?;
    let booting = |workers: &[WorkerView]| workers.iter().any(|w| w.phase == Phase::Booting);
    let workers = cluster.until(&admin, "booting", booting).await?;
    cluster.kill_controller()?;
    agent_of_its_own(&cluster, "changed")?;
    configure(&cluster, &before, &after)?;
    cluster.start_controller().await?;

    let admin = cluster.admin().await?;
    let mut failures = cluster.tail(&admin, "muster.event.worker.*.failed").await?;
    let (_, event) = next_event(&mut failures).await?;
    let failed: PhaseChanged = event.read().context("no change of phase")?;
    assert_eq!(
        (failed.agent_id.as_str(), &*failed.from),
        (workers[0].agent_id.as_str(), "booting")
    );
    let reason = failed.reason.context("no reason")?;
    ensure!(reason.contains("computed checksum did NOT match"), "{reason}");
    let next = cluster.until(&admin, "ready", ready).await?;
    ensure!(next[0].agent_id != workers[0].agent_id, "the refused binary has become ready");
    cluster.finish(&[])
}
