//! A cluster of three nats-servers that others run: streams and buckets on all of them, and one of
//! the servers killed.

use anyhow::{Context, Result, ensure};
use muster_protocol::api::WorkerView;
use muster_protocol::worker::Phase;
use muster_tests::cluster::{Cluster, PATIENCE, Setup, nats_server};
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const SERVERS: usize = 3;

/// The servers, each with its configuration; they end with the test.
struct Nodes {
    configs: Vec<PathBuf>,
    running: Vec<Option<Child>>,
}

impl Nodes {
    /// Three times the configuration that `init` has made, and what makes a cluster of them.
    fn of(cluster: &Cluster, clients: &[u16], routes: &[u16]) -> Result<Nodes> {
        let text = fs::read_to_string(cluster.path("config/nats.conf"))?;
        let mut configs = Vec::new();
        for (node, route) in routes.iter().enumerate() {
            let folder = cluster.path(&format!("node{node}"));
            fs::create_dir(&folder)?;
            let own: Vec<String> =
                text.lines().map(|line| own(line, node, clients, &folder)).collect();
            // All know the first, which tells them of each other: servers that start at once and
            // dial each other close connections as duplicates from both sides.
            let more = format!(
                "cluster {{\n  name: \"test\"\n  listen: \"127.0.0.1:{route}\"\n  \
                 routes: [\"nats://127.0.0.1:{}\"]\n}}\n",
                routes[0]
            );
            let config = cluster.path("config").join(format!("node{node}.conf"));
            fs::write(&config, format!("{}\n{more}", own.join("\n")))?;
            configs.push(config);
        }
        let mut nodes = Nodes { configs, running: (0..SERVERS).map(|_| None).collect() };
        for node in 0..SERVERS {
            nodes.start(node)?;
        }
        Ok(nodes)
    }

    fn start(&mut self, node: usize) -> Result<()> {
        let mut command = Command::new(nats_server());
        command.arg("-c").arg(&self.configs[node]).stdin(Stdio::null());
        self.running[node] = Some(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
        Ok(())
    }

    /// What the servers have said last.
    fn said(&self) -> String {
        let log = |config: &PathBuf| {
            let name = config.file_stem().unwrap_or_default().to_string_lossy();
            let path = config.with_file_name(format!("../{name}.log"));
            let text = fs::read_to_string(path).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            format!("{}:\n{}", config.display(), lines[lines.len().saturating_sub(40)..].join("\n"))
        };
        self.configs.iter().map(log).collect::<Vec<_>>().join("\n")
    }

    fn kill(&mut self, node: usize) -> Result<()> {
        let mut child = self.running[node].take().context("it does not run")?;
        child.kill()?;
        child.wait()?;
        Ok(())
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        for child in self.running.iter_mut().flatten() {
            let killed = child.kill().and_then(|()| child.wait());
            assert!(killed.is_ok(), "nats-server cannot be stopped: {killed:?}");
        }
    }
}

/// A line of the configuration as one node needs it.
fn own(line: &str, node: usize, clients: &[u16], folder: &Path) -> String {
    let folder = folder.display();
    match line.trim_start().split_once(':') {
        Some(("server_name", _)) => format!("server_name: \"n{node}\""),
        Some(("port", _)) => format!("port: {}", clients[node]),
        Some(("log_file", _)) => format!("log_file: \"{folder}.log\""),
        Some(("ports_file_dir", _)) => format!("ports_file_dir: \"{folder}\""),
        Some(("store_dir", _)) => format!("  store_dir: \"{folder}/store\""),
        Some(("resolver { type", _)) => {
            format!("resolver {{ type: full, dir: \"{folder}/jwt\", interval: \"2m\" }}")
        }
        _ => line.to_owned(),
    }
}

fn free_ports(count: usize) -> Result<Vec<u16>> {
    let listeners: Vec<TcpListener> =
        (0..count).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<std::io::Result<_>>()?;
    listeners.iter().map(|listener| Ok(listener.local_addr()?.port())).collect()
}

fn ready(count: usize) -> impl Fn(&[WorkerView]) -> bool {
    move |workers| workers.iter().filter(|w| w.phase == Phase::Ready).count() == count
}

fn with_replicas(cluster: &Cluster) -> Result<()> {
    let path = cluster.path("config/controller.yaml");
    let text = fs::read_to_string(&path)?.replace("store: {", "store: {replicas: 3, ");
    Ok(fs::write(path, text)?)
}

fn three() -> Result<(Cluster, Nodes)> {
    // All at once: one that is given back may come a second time.
    let ports = free_ports(2 * SERVERS)?;
    let (clients, routes) = ports.split_at(SERVERS);
    let servers: Vec<String> =
        clients.iter().map(|port| format!("'tls://127.0.0.1:{port}'")).collect();
    let config = format!("nats: {{servers: [{}]}}\n", servers.join(", "));
    let listen = format!("127.0.0.1:{}", clients[0]);
    let cluster = Cluster::prepare(&Setup { listen, config, ..Setup::default() })?;
    let nodes = Nodes::of(&cluster, clients, routes)?;
    Ok((cluster, nodes))
}

const STARTING: [&str; 2] = ["NATS is not reached yet", "NATS is not ready yet"];

/// Guards: what one server acknowledges the others have; agents, controller and people go on with
/// those that are left, once these have chosen who leads.
#[tokio::test]
async fn a_killed_server_of_three_costs_nothing() -> Result<()> {
    let (mut cluster, mut nodes) = three()?;
    with_replicas(&cluster)?;
    cluster.start_controller().await.with_context(|| nodes.said())?;
    let admin = cluster.admin().await?;
    cluster.scale(&admin, 1).await?;
    cluster.until(&admin, "ready", ready(1)).await?;
    // The test's own person knows the first server alone.
    nodes.kill(1)?;
    within_patience(&cluster, async || cluster.scale(&admin, 2).await).await?;
    cluster.until(&admin, "two ready without a server", ready(2)).await?;
    let ping = async || cluster.muster(&["ping", "*"]).await?.with_code(0).map(drop);
    within_patience(&cluster, ping).await?;
    cluster.more_samples(2, 1).await?;
    cluster.finish(&[
        STARTING[0],
        STARTING[1],
        // While those that are left choose who leads, nothing is written.
        "a pool could not be planned",
        "a call's event was not stored",
        "the lease could not be read or written",
        // NATS' servers wait four to nine seconds before one asks for votes, and again if votes
        // split: that may outlast the lease, which the same controller takes up again.
        "the lease is lost",
        "it is tried again",
        "event was not stored",
    ])
}

/// How long one try may take: what was on its way to a killed server is answered by nobody.
const TRY: Duration = Duration::from_secs(15);

/// Tries again and again.
async fn within_patience(cluster: &Cluster, act: impl AsyncFn() -> Result<()>) -> Result<()> {
    let begun = Instant::now();
    let mut tries = tokio::time::interval(Duration::from_millis(200));
    loop {
        tries.tick().await;
        let tried = tokio::time::timeout(TRY, act()).await;
        match tried.unwrap_or_else(|late| Err(late.into())) {
            Ok(()) => return Ok(()),
            Err(error) if begun.elapsed() > PATIENCE => {
                return Err(error.context(format!("it is never done\n{}", cluster.log())));
            }
            Err(_) => {}
        }
    }
}

/// Guards: streams that one server holds get their copies, also the one whose way of being written
/// does not allow any.
#[tokio::test]
async fn replicas_can_be_asked_for_later() -> Result<()> {
    let (mut cluster, nodes) = three()?;
    cluster.start_controller().await.with_context(|| nodes.said())?;
    cluster.kill_controller()?;
    with_replicas(&cluster)?;
    cluster.start_controller().await.with_context(|| nodes.said())?;
    ensure!(cluster.log().contains("the stream is made anew, with replicas"), "{}", cluster.log());
    let admin = cluster.admin().await?;
    cluster.scale(&admin, 1).await?;
    cluster.until(&admin, "ready", ready(1)).await?;
    cluster.more_samples(1, 1).await?;
    cluster.finish(&STARTING)
}
