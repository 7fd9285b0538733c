//! What the controller says when it cannot start: one sentence with what to do, and exit code 1.

use anyhow::{Context, Result, ensure};
use muster_tests::cluster::{Cluster, Setup, nats_server, program};
use muster_tests::host::{Ran, is_root, run};
use rcgen::{CertificateParams, DnType, Issuer, KeyPair, date_time_ymd};
use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// What the controller of this cluster says until it has ended.
async fn start(cluster: &Cluster) -> Result<Ran> {
    let mut command = Command::new(program("muster-controller"));
    command.args(["run", "--config"]).arg(cluster.path("config/controller.yaml"));
    command.env("MUSTER_NATS_SERVER", nats_server());
    run(command).await
}

/// The last line of it, which must have all these words.
async fn refusal(cluster: &Cluster, words: &[&str]) -> Result<()> {
    let ran = start(cluster).await?.with_code(1)?;
    let last = ran.stderr.lines().last().context("it says nothing")?;
    for word in words {
        ensure!(last.contains(word), "no {word:?} in {}", ran.stderr);
    }
    ensure!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    Ok(())
}

/// Writes a file of the cluster, with a mode.
fn put(cluster: &Cluster, file: &str, text: &str, mode: u32) -> Result<()> {
    let path = cluster.path(file);
    fs::write(&path, text)?;
    Ok(fs::set_permissions(path, Permissions::from_mode(mode))?)
}

/// Guards: `keys::files::check`, and what `Keys::load` makes of each key that is not as it was.
#[tokio::test]
async fn a_key_that_is_open_damaged_or_gone() -> Result<()> {
    let cluster = Cluster::prepare(&Setup::default())?;
    let key = cluster.path("config/role-agent.nk");
    let good = fs::read_to_string(&key)?;
    put(&cluster, "config/role-agent.nk", &good, 0o644)?;
    refusal(&cluster, &["role-agent.nk is open to others (mode 0644): run `chmod 600 "]).await?;
    put(&cluster, "config/role-agent.nk", &good[..20], 0o600)?;
    refusal(&cluster, &["role-agent.nk holds no seed: put it back from a backup"]).await?;
    put(&cluster, "config/role-agent.nk", "\u{0}\u{1}", 0o600)?;
    refusal(&cluster, &["role-agent.nk holds no seed: put it back from a backup"]).await?;
    fs::write(&key, b"\xff\xfe")?;
    refusal(&cluster, &["reading", "role-agent.nk"]).await?;
    fs::remove_file(&key)?;
    refusal(&cluster, &["role-agent.nk is missing: run `muster-controller init`"]).await?;
    fs::create_dir(&key)?;
    refusal(&cluster, &["role-agent.nk is no plain file"]).await?;
    fs::remove_dir(&key)?;
    put(&cluster, "config/role-agent.nk", &good, 0o600)?;
    put(&cluster, "config/public.yaml", "operator: [\n", 0o600)?;
    refusal(&cluster, &["public.yaml:", "or put it back from a backup"]).await?;
    fs::set_permissions(cluster.path("config"), Permissions::from_mode(0o755))?;
    refusal(&cluster, &["is open to others (mode 0755): run `chmod 700 "]).await?;
    fs::set_permissions(cluster.path("config"), Permissions::from_mode(0o700))?;
    Ok(())
}

/// Guards: `keys::files::check` of the owner. Needs root, who alone can give files away.
#[tokio::test]
async fn a_key_of_another_owner() -> Result<()> {
    if !is_root()? {
        eprintln!("skipped: only root can give a key to another user");
        return Ok(());
    }
    let cluster = Cluster::prepare(&Setup::default())?;
    std::os::unix::fs::chown(cluster.path("config/root.nk"), Some(65_534), None)?;
    let words = ["root.nk belongs to uid 65534 and this process runs as uid 0", "chown -R 0 "];
    refusal(&cluster, &words).await
}

/// Guards: the lock of the folder, and nats-server's own words on its port.
#[tokio::test]
async fn a_port_in_use_and_a_second_controller() -> Result<()> {
    let held = TcpListener::bind("127.0.0.1:0")?;
    let listen = held.local_addr()?.to_string();
    let cluster = Cluster::prepare(&Setup { listen: listen.clone(), ..Setup::default() })?;
    refusal(&cluster, &["nats-server", "address already in use"]).await?;
    let cluster = Cluster::start(&Setup::default()).await?;
    let config = cluster.path("config").display().to_string();
    refusal(&cluster, &[&config, "another"]).await?;
    cluster.finish(&[])
}

/// Guards: the controller does not wait for a certificate to become good. Once it was made anew as
/// the sentence says, the controller starts.
#[tokio::test]
async fn a_certificate_that_has_expired() -> Result<()> {
    let mut cluster = Cluster::prepare(&Setup::default())?;
    let pem = |file: &str| fs::read_to_string(cluster.path("config").join(file));
    let (ca_key, key) =
        (KeyPair::from_pem(&pem("ca.key")?)?, KeyPair::from_pem(&pem("server.key")?)?);
    let mut ca = CertificateParams::new(vec![])?;
    ca.distinguished_name.push(DnType::CommonName, "Muster CA of test");
    let hosts = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
    let mut server = CertificateParams::new(hosts)?;
    (server.not_before, server.not_after) = (date_time_ymd(1975, 1, 1), date_time_ymd(2001, 1, 1));
    let server = server.signed_by(&key, &Issuer::from_params(&ca, &ca_key))?;
    put(&cluster, "config/server.pem", &server.pem(), 0o600)?;
    let cure = "remove server.pem and run `muster-controller init`";
    refusal(&cluster, &["invalid peer certificate: certificate expired", cure]).await?;
    fs::remove_file(cluster.path("config/server.pem"))?;
    let mut init = Command::new(program("muster-controller"));
    init.args(["init", "--dir"]).arg(cluster.path("config"));
    run(init).await?.with_code(0)?;
    cluster.start_controller().await?;
    cluster.finish(&[])
}

/// Guards: folders that cannot be made are named, with the reason. A file is in the way: not even
/// root can write below it.
#[tokio::test]
async fn a_folder_that_cannot_be_written() -> Result<()> {
    for (blocked, words) in [
        ("data", ["making", "data: File exists"]),
        ("config/store", ["nats-server does not start", "storage directory"]),
    ] {
        let cluster = Cluster::prepare(&Setup::default())?;
        let path = cluster.path(blocked);
        if Path::new(&path).is_dir() {
            fs::remove_dir_all(&path)?;
        }
        fs::write(&path, "in the way")?;
        refusal(&cluster, &words).await.context(blocked)?;
    }
    Ok(())
}
