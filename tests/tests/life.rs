//! What becomes of workers after they are ready: busy, drained, held, rebuilt, scaled down; and
//! what the registry's loss does not do to them.

use anyhow::{Context, Result, ensure};
use muster_protocol::api::{
    ClusterDestroy, ClusterShow, Mark, PoolList, PoolMark, PoolMarking, ReconcileConfirm, Target,
    WorkerMark, WorkerRebuild, WorkerView,
};
use muster_protocol::bus::Bus;
use muster_protocol::worker::{Occupancy, Phase};
use muster_tests::cluster::{Cluster, PATIENCE, Setup};
use std::time::{Duration, Instant};

fn all(phase: Phase, count: usize) -> impl Fn(&[WorkerView]) -> bool {
    move |workers| {
        let of_it = workers.iter().filter(|worker| worker.phase == phase).count();
        of_it == count && workers.iter().all(|w| w.phase == phase || w.phase == Phase::Terminated)
    }
}

async fn ready(count: u32) -> Result<(Cluster, Bus)> {
    let config = "timeouts: {reconcile_secs: 1, orphan_secs: 1}\n".to_owned();
    let cluster = Cluster::start(&Setup { config, ..Setup::default() }).await?;
    let admin = cluster.admin().await?;
    cluster.scale(&admin, count).await?;
    cluster.until(&admin, "ready", all(Phase::Ready, count as usize)).await?;
    Ok((cluster, admin))
}

async fn mark(cluster: &Cluster, admin: &Bus, names: &str, mark: Mark) -> Result<()> {
    let target = Target::Names(names.to_owned());
    cluster.ask(admin, &WorkerMark { target, mark }).await?;
    Ok(())
}

#[tokio::test]
async fn scaling_to_nothing_leaves_the_busy_and_the_unknown_alone() -> Result<()> {
    let (cluster, admin) = ready(3).await?;
    mark(&cluster, &admin, "test-0001", Mark::Busy).await?;
    mark(&cluster, &admin, "test-0002", Mark::Idle).await?;
    cluster.scale(&admin, 0).await?;
    cluster.until(&admin, "two left", all(Phase::Ready, 2)).await?;
    mark(&cluster, &admin, "test-0003", Mark::Idle).await?;
    let left = cluster.until(&admin, "one left", all(Phase::Ready, 1)).await?;
    let busy = left.iter().find(|worker| worker.phase == Phase::Ready).context("none")?;
    assert_eq!((busy.name.as_str(), busy.occupancy), ("test-0001", Occupancy::Busy));
    mark(&cluster, &admin, "test-0001", Mark::Idle).await?;
    cluster.until(&admin, "none left", all(Phase::Ready, 0)).await?;
    cluster.finish(&[])
}

#[tokio::test]
async fn a_worker_is_rebuilt_on_its_server_when_no_job_runs_on_it() -> Result<()> {
    let (cluster, admin) = ready(1).await?;
    let before = cluster.workers(&admin).await?.remove(0);
    mark(&cluster, &admin, "*", Mark::Busy).await?;
    let (target, image) = (Target::Names("*".into()), Some("rocky-10".to_owned()));
    cluster.ask(&admin, &WorkerRebuild { target, image }).await?;
    cluster.until(&admin, "drains", |workers| workers[0].phase == Phase::Draining).await?;
    mark(&cluster, &admin, "*", Mark::Idle).await?;
    let anew = |workers: &[WorkerView]| {
        workers[0].phase == Phase::Ready && workers[0].agent_id != before.agent_id
    };
    let after = cluster.until(&admin, "rebuilt", anew).await?.remove(0);
    assert_eq!(after.provider_id, before.provider_id);
    assert_eq!(after.generation.0, before.generation.0 + 1);
    assert_eq!((after.image.as_str(), after.image_is_old), ("rocky-10", true));
    cluster.finish(&[])
}

#[tokio::test]
async fn what_is_held_or_drained_or_frozen_stays_as_it_is() -> Result<()> {
    let (cluster, admin) = ready(2).await?;
    mark(&cluster, &admin, "*", Mark::Idle).await?;
    mark(&cluster, &admin, "test-0001", Mark::Hold).await?;
    mark(&cluster, &admin, "test-0002", Mark::Drain).await?;
    cluster.until(&admin, "drained", |w| w[1].phase == Phase::Draining).await?;
    mark(&cluster, &admin, "test-0002", Mark::Undrain).await?;
    cluster.until(&admin, "back", all(Phase::Ready, 2)).await?;
    let pool = "test".parse()?;
    cluster.ask(&admin, &PoolMark { pool, mark: PoolMarking::Freeze }).await?;
    cluster.scale(&admin, 0).await?;
    let pool = cluster.ask(&admin, &PoolList {}).await?.remove(0);
    assert!(pool.frozen && pool.size == 0);
    assert!(all(Phase::Ready, 2)(&cluster.workers(&admin).await?));
    let pool = "test".parse()?;
    cluster.ask(&admin, &PoolMark { pool, mark: PoolMarking::Thaw }).await?;
    let left = cluster.until(&admin, "the held one left", all(Phase::Ready, 1)).await?;
    assert!(left.iter().all(|w| (w.phase == Phase::Ready) == (w.name.as_str() == "test-0001")));
    cluster.ask(&admin, &ClusterDestroy {}).await?;
    cluster.until(&admin, "nothing left", all(Phase::Ready, 0)).await?;
    cluster.finish(&[])
}

/// Guards: `Keeper::settle` and `doubt::judge`; without them the new registry would take all
/// servers for orphans.
#[tokio::test]
async fn a_lost_registry_removes_nothing_until_somebody_confirms_it() -> Result<()> {
    let (mut cluster, admin) = ready(2).await?;
    assert_eq!(cluster_servers(&cluster)?, 2);
    admin.close().await;
    cluster.kill_controller()?;
    cluster.lose_store()?;
    cluster.start_controller().await?;
    let admin = cluster.admin().await?;
    let doubts = cluster.until_asked(&admin, "is gone").await?;
    let about_servers = cluster.until_asked(&admin, "2 servers of nobody").await;
    assert!(about_servers.is_ok(), "{doubts:?}");
    assert_eq!(cluster_servers(&cluster)?, 2);
    cluster.ask(&admin, &ReconcileConfirm {}).await?;
    cluster.until(&admin, "removed", |_| cluster_servers(&cluster).is_ok_and(|n| n == 0)).await?;
    let view = cluster.ask(&admin, &ClusterShow {}).await?;
    assert!(view.doubts.is_empty(), "{:?}", view.doubts);
    cluster.finish(&[
        "somebody must say",
        "nothing is removed unasked",
        "a server is removed",
        "has not announced schema",
    ])
}

/// Guards: the lease is watched by its follower's own clock, and given up by a killed holder.
#[tokio::test]
async fn a_stand_by_takes_over_within_ten_seconds() -> Result<()> {
    let (mut cluster, admin) = ready(1).await?;
    let first = cluster.ask(&admin, &ClusterShow {}).await?.leader;
    cluster.start_stand_by()?;
    cluster.kill_controller()?;
    let killed = Instant::now();
    let taken_over = loop {
        // Until the stand-by listens, nobody answers.
        let asked = cluster.ask(&admin, &ClusterShow {});
        // What was on its way to the killed one is answered by nobody.
        let view = tokio::time::timeout(Duration::from_secs(1), asked).await.ok();
        let other = |leader: &str| !leader.is_empty() && leader != first;
        if view.is_some_and(|view| view.is_ok_and(|view| other(&view.leader))) {
            break killed.elapsed();
        }
        let log = || std::fs::read_to_string(cluster.path("log2")).unwrap_or_default();
        ensure!(killed.elapsed() < PATIENCE, "nobody took over:\n{}", log());
        tokio::task::yield_now().await;
    };
    ensure!(taken_over < Duration::from_secs(10), "only after {taken_over:?}");
    cluster.scale(&admin, 2).await?;
    cluster.until(&admin, "two ready", all(Phase::Ready, 2)).await?;
    cluster.finish(&[])
}

/// The local provider's servers on disk.
fn cluster_servers(cluster: &Cluster) -> Result<usize> {
    let entries = std::fs::read_dir(cluster.path("data/local/here"))?;
    Ok(entries
        .filter_map(Result::ok)
        .filter(|entry| entry.path().join("spec.json").exists())
        .count())
}
