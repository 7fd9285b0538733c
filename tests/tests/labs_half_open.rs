//! A connection that is open on one side only: both sides notice within a minute, and the agent is
//! back. In a network namespace of the test's own, whose packet filter drops the packets; as root.

use anyhow::{Context, Result, ensure};
use muster_protocol::api::WorkerView;
use muster_protocol::worker::Phase;
use muster_tests::cluster::{Cluster, Setup};
use muster_tests::host::until;
use nix::sched::{CloneFlags, unshare};
use std::process::Command;
use std::time::{Duration, Instant};
use tokio::time::interval;

/// Each side notices within it.
const NOTICED_WITHIN: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(250);

fn run(line: &str) -> Result<String> {
    let mut words = line.split(' ');
    let mut command = Command::new(words.next().context("a program")?);
    let output = command.args(words).output().with_context(|| line.to_owned())?;
    ensure!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

/// The port from which a process has a connection to a server's port.
fn port_of(pid: u32, server: u16) -> Result<Option<u16>> {
    let owner = format!("pid={pid},");
    let lines = run("ss -Htnp state established")?;
    let mut ours = lines.lines().filter(|line| line.contains(&owner));
    Ok(ours.find_map(|line| {
        let mut fields = line.split_whitespace().skip(2);
        let (local, peer) = (fields.next()?, fields.next()?);
        let port = |address: &str| address.rsplit(':').next()?.parse::<u16>().ok();
        (port(peer) == Some(server)).then(|| port(local)).flatten()
    }))
}

/// Whether the side that is at `port` still holds its connection with the one at `peer`.
fn is_open(port: u16, peer: u16) -> Result<bool> {
    let lines = run("ss -Htn state established")?;
    let (port, peer) = (format!(":{port}"), format!(":{peer}"));
    Ok(lines.lines().any(|line| {
        let mut fields = line.split_whitespace().skip(2);
        fields.next().is_some_and(|local| local.ends_with(&port))
            && fields.next().is_some_and(|other| other.ends_with(&peer))
    }))
}

async fn noticed(what: &str, since: Instant, port: u16, peer: u16) -> Result<()> {
    let mut ticks = interval(POLL);
    while is_open(port, peer)? {
        ensure!(since.elapsed() < NOTICED_WITHIN, "{what} does not notice within a minute");
        ticks.tick().await;
    }
    eprintln!("{what} noticed after {:?}", since.elapsed());
    Ok(())
}

/// Guards: `PING_INTERVAL` of the bus, and `ping_interval` of nats.conf: with NATS' own defaults
/// the server holds such a connection for up to eight minutes.
#[tokio::test]
async fn a_connection_whose_packets_are_dropped_is_given_up_by_both_sides_within_a_minute()
-> Result<()> {
    // Of this thread, and of all that it starts.
    unshare(CloneFlags::CLONE_NEWNET).context("a network namespace: be root")?;
    run("ip link set lo up")?;
    let config = "agent: {exec: true}\n".to_owned();
    let cluster = Cluster::start(&Setup { config, ..Setup::default() }).await?;
    let admin = cluster.admin().await?;
    cluster.scale(&admin, 1).await?;
    let ready = |workers: &[WorkerView]| workers.len() == 1 && workers[0].phase == Phase::Ready;
    let workers = cluster.until(&admin, "ready", ready).await?;
    let server = cluster.servers()?[0].rsplit(':').next().context("a port")?.parse::<u16>()?;
    let agent = cluster.agent_pid(workers[0].provider_id.as_deref().context("no server")?)?;
    let port = port_of(agent, server)?.context("the agent is not connected")?;
    run("nft add table inet muster-test")?;
    run("nft add chain inet muster-test out { type filter hook output priority 0 ; }")?;
    for side in ["sport", "dport"] {
        run(&format!("nft add rule inet muster-test out tcp {side} {port} drop"))?;
    }
    let dropped = Instant::now();
    let agent_side = noticed("the agent", dropped, port, server);
    let server_side = noticed("nats-server", dropped, server, port);
    let (agent_side, server_side) = tokio::join!(agent_side, server_side);
    agent_side.and(server_side)?;
    until("connected again", || port_of(agent, server)).await?;
    let mut ticks = interval(POLL);
    while cluster.muster(&["exec", "*", "--", "true"]).await?.code != Some(0) {
        ensure!(dropped.elapsed() < NOTICED_WITHIN * 2, "it does not answer: {}", cluster.log());
        ticks.tick().await;
    }
    cluster.finish(&[])
}
