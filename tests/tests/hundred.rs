//! A hundred starts within one second: a Salt master configures one of such a burst, or some.

use anyhow::{Context, Result, ensure};
use muster_protocol::event::Applied;
use muster_protocol::worker::Phase;
use muster_tests::cluster::{Cluster, PATIENCE, Setup};
use std::collections::BTreeSet;
use std::fs;

const WORKERS: u32 = 100;

/// Guards: events are taken by source, each in its order; an enrolment waits for no other; a worker
/// is bound, and configured, once.
#[tokio::test]
async fn a_hundred_that_start_at_once_are_all_configured_and_none_twice() -> Result<()> {
    let setup = Setup { pool: ", launches_max: 200", ..Setup::default() };
    let cluster = Cluster::start(&setup).await?;
    let admin = cluster.admin().await?;
    cluster.scale(&admin, WORKERS).await?;
    let all = usize::try_from(WORKERS)?;
    let ready = cluster
        .until_within(PATIENCE * 5, &admin, "all ready", |workers| {
            workers.iter().filter(|worker| worker.phase == Phase::Ready).count() == all
        })
        .await?;
    let distinct = |of: &dyn Fn(usize) -> String| (0..all).map(of).collect::<BTreeSet<_>>().len();
    let servers = fs::read_dir(cluster.path("data/local/here"))?.count();
    assert_eq!((ready.len(), servers), (all, all));
    assert_eq!(distinct(&|n| ready[n].agent_id.to_string()), all);
    assert_eq!(distinct(&|n| ready[n].provider_id.clone().unwrap_or_default()), all);
    assert!(ready.iter().all(|worker| worker.generation.0 == 1), "{ready:#?}");

    let events = cluster.stored_events(&admin, "muster.event.agent.*.applied").await?;
    let mut applied = BTreeSet::new();
    for (subject, event) in &events {
        let report: Applied = event.read().context("no report")?;
        ensure!(report.highstate, "{subject}: {report:?}");
        ensure!(applied.insert(subject), "{subject}: configured twice");
    }
    assert_eq!(applied.len(), all);
    cluster.finish(&[])
}
