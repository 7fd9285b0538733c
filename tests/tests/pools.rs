//! Several pools in one cloud, and several clouds: each gets its workers, and nobody else's.

use anyhow::{Result, ensure};
use muster_protocol::api::{
    CloudShow, ClusterDestroy, PoolList, PoolScale, Target, WorkerTerminate, WorkerView,
};
use muster_protocol::bus::Bus;
use muster_protocol::id::PoolName;
use muster_protocol::worker::Phase;
use muster_tests::cluster::{Cluster, Setup, program};
use std::collections::BTreeMap;

/// The pools, with their clouds and sizes.
const POOLS: [(&str, &str, u32); 3] =
    [("test", "here", 2), ("big", "here", 1), ("far", "there", 2)];

/// Two clouds; two pools in the first of them.
fn setup() -> Setup {
    let agent = program("muster-agent").display().to_string();
    let local = format!("{{kind: local, isolation: none, agent: {agent:?}}}");
    Setup {
        provider: Some(format!("{local}\n  there: {local}")),
        pool: "}\n  big: {provider: here, max: 9, priority: -1}\n  far: {provider: there, max: 9",
        ..Setup::default()
    }
}

async fn scale(cluster: &Cluster, admin: &Bus, pool: &str, size: u32) -> Result<()> {
    cluster.ask(admin, &PoolScale { pool: pool.parse()?, size }).await?;
    Ok(())
}

/// The ready workers of each pool; none while some are on their way.
fn ready(workers: &[WorkerView]) -> Option<BTreeMap<&str, u32>> {
    let mut counts = BTreeMap::new();
    for worker in workers.iter().filter(|worker| worker.phase != Phase::Terminated) {
        if worker.phase != Phase::Ready {
            return None;
        }
        *counts.entry(worker.pool.as_str()).or_default() += 1;
    }
    Some(counts)
}

/// How many servers each cloud shows, and whether they are all somebody's.
async fn servers(cluster: &Cluster, admin: &Bus) -> Result<BTreeMap<String, usize>> {
    let mut counts = BTreeMap::new();
    for row in cluster.ask(admin, &CloudShow {}).await? {
        ensure!(row.difference.is_none(), "{row:?}");
        *counts.entry(row.provider).or_default() += usize::from(row.server.is_some());
    }
    Ok(counts)
}

#[tokio::test]
async fn pools_and_clouds_stand_beside_each_other() -> Result<()> {
    let cluster = Cluster::start(&setup()).await?;
    let admin = cluster.admin().await?;
    for (pool, _, size) in POOLS {
        scale(&cluster, &admin, pool, size).await?;
    }
    let wanted: BTreeMap<&str, u32> = POOLS.map(|(pool, _, size)| (pool, size)).into();
    cluster.until(&admin, "ready", |workers| ready(workers).as_ref() == Some(&wanted)).await?;
    for view in cluster.ask(&admin, &PoolList {}).await? {
        let row = POOLS.iter().find(|(pool, ..)| *pool == view.name.as_str());
        let told = (view.name.as_str(), view.provider.as_str(), view.size);
        ensure!(row == Some(&told), "{view:?}");
    }
    let shown = servers(&cluster, &admin).await?;
    ensure!(shown == BTreeMap::from([("here".into(), 3), ("there".into(), 2)]), "{shown:?}");

    // What is done to one pool is not done to its neighbours.
    scale(&cluster, &admin, "far", 0).await?;
    let far: PoolName = "far".parse()?;
    let target = Target::Pool(far);
    cluster.ask(&admin, &WorkerTerminate { target, force: false }).await?;
    let left: BTreeMap<&str, u32> = [("test", 2), ("big", 1)].into();
    cluster.until(&admin, "two pools left", |workers| ready(workers) == Some(left.clone())).await?;
    let shown = servers(&cluster, &admin).await?;
    ensure!(shown == BTreeMap::from([("here".into(), 3)]), "{shown:?}");
    cluster.ask(&admin, &ClusterDestroy {}).await?;
    let nothing = BTreeMap::new();
    cluster
        .until(&admin, "nothing left", |workers| ready(workers) == Some(nothing.clone()))
        .await?;
    cluster.finish(&[])
}
