//! Directories that are copies, and servers that the controller does not run.

use crate::many::ready;
use crate::stolen::{logs, within_patience};
use anyhow::{Context, Result, ensure};
use muster_tests::cluster::{Cluster, Setup, nats_server, program};
use muster_tests::host::{self, run};
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::process::{Child, Command, Stdio};

/// Guards: a controller compares the number of its keys with the cluster's (`Rotor::check`,
/// `Rotor::follow`). One that signs with keys that were dropped would cut its agents off.
#[tokio::test]
async fn a_controller_with_an_old_copy_of_the_keys_ends_and_says_what_to_copy() -> Result<()> {
    let cluster = Cluster::start(&Setup::default()).await?;
    let copy = cluster.path("copy");
    fs::DirBuilder::new().mode(0o700).create(&copy)?;
    for entry in fs::read_dir(cluster.path("config"))? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), copy.join(entry.file_name()))?;
        }
    }
    let text = fs::read_to_string(copy.join("controller.yaml"))?;
    let (data, servers) = (cluster.path("data-of-copy"), cluster.servers()?);
    let text =
        text.replace("data: ../data", &format!("data: {data:?}\nnats: {{servers: {servers:?}}}"));
    let config = copy.join("stand-by.yaml");
    fs::write(&config, text)?;
    fs::set_permissions(&config, fs::Permissions::from_mode(0o600))?;
    let stand_by = || {
        let mut command = Command::new(program("muster-controller"));
        command.arg("--config").arg(&config);
        command
    };
    let rotate = async {
        let admin = cluster.admin().await?;
        let line = format!("{}", config.display());
        within_patience("started", async || Ok(!host::processes(&line).is_empty())).await?;
        cluster.scale(&admin, 1).await?;
        cluster.until(&admin, "ready", ready(1)).await?;
        cluster.muster(&["keys", "rotate", "command"]).await?.with_code(0)
    };
    // One that stands by meanwhile, and one that starts afterwards.
    let (ended, rotated) = tokio::join!(run(stand_by()), rotate);
    rotated?;
    for ended in [ended?, run(stand_by()).await?] {
        let ended = ended.with_code(1)?;
        ensure!(ended.stderr.contains("copy the directory"), "{ended:#?}");
    }
    cluster.muster(&["ping", "*"]).await?.with_code(0)?;
    cluster.finish(&[])
}

/// A nats-server that is nobody's child but the test's.
struct Given(Child);

impl Drop for Given {
    fn drop(&mut self) {
        let killed = self.0.kill().and_then(|()| self.0.wait());
        assert!(killed.is_ok(), "nats-server cannot be stopped: {killed:?}");
    }
}

/// Guards: clients trust both CAs until the old one is dropped, and it is not dropped before each
/// server shows the new certificate (`Rotor::check_certificate`).
#[tokio::test]
async fn a_given_server_that_has_not_read_its_certificate_keeps_the_old_ca() -> Result<()> {
    let listen = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
    let config = format!("nats: {{servers: ['tls://{listen}']}}\n");
    let mut cluster = Cluster::prepare(&Setup { listen, config, ..Setup::default() })?;
    let mut command = Command::new(nats_server());
    command.arg("-c").arg(cluster.path("config/nats.conf")).stdin(Stdio::null());
    let given = Given(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
    cluster.start_controller().await?;
    let admin = cluster.admin().await?;
    cluster.scale(&admin, 1).await?;
    cluster.until(&admin, "ready", ready(1)).await?;
    let told = cluster.muster(&["keys", "rotate", "ca"]).await?.with_code(0)?;
    ensure!(told.stderr.contains("nats-server --signal reload"), "{told:#?}");
    // Everybody knows both CAs by then, and the server shows the old one's certificate.
    cluster.kill_controller()?;
    cluster.start_controller().await?;
    cluster.muster(&["ping", "*"]).await?.with_code(0)?;
    within_patience("told of the certificate", async || {
        let refused = cluster
            .ask(&cluster.admin().await?, &muster_protocol::api::KeysDrop { force: false })
            .await;
        let said = refused.err().context("it was dropped")?.to_string();
        ensure!(
            ["a moment ago", "stands by", "does not show the new certificate"]
                .iter()
                .any(|text| said.contains(text)),
            "{said}"
        );
        Ok(said.contains("does not show"))
    })
    .await
    .with_context(|| logs(&cluster))?;
    host::signal(given.0.id(), "HUP")?;
    within_patience("dropped", async || {
        Ok(cluster.muster(&["keys", "drop-old", "--yes"]).await?.code == Some(0))
    })
    .await
    .with_context(|| logs(&cluster))?;
    within_patience("answered", async || Ok(cluster.muster(&["ping", "*"]).await?.code == Some(0)))
        .await?;
    cluster.finish(&["NATS is not reached yet"])
}
