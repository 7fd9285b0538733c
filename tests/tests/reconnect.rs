//! A fleet whose NATS is killed comes back by itself, all of it.

use anyhow::Result;
use muster_tests::cluster::{Cluster, PATIENCE, Setup};
use muster_tests::fleet::Fleet;
use muster_tests::host;

/// The bench `reconnect` has two thousand.
const AGENTS: usize = 200;

/// Guards: the jitter of reconnects, and the server's time for them (`authorization`, `tls`).
#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_agents_come_back_after_nats_was_killed() -> Result<()> {
    let cluster = Cluster::start(&Setup::default()).await?;
    let fleet = Fleet::connect(&cluster, AGENTS).await?;
    host::signal(cluster.nats_pid()?, "KILL")?;
    let mut back = fleet.all_come_back(PATIENCE).await?;
    back.sort_by(f64::total_cmp);
    assert_eq!(back.len(), AGENTS);
    let admin = cluster.admin().await?;
    let stored = cluster.stored_events(&admin, "muster.event.agent.*.started").await?;
    assert_eq!(stored.len(), AGENTS, "each is stored once");
    cluster.finish(&[
        "nats-server ended",
        "could not be planned",
        "could not be read or written",
        "the lease is lost",
        "age could not be noted",
    ])
}
