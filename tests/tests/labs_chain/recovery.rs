//! What the controller makes of what goes wrong in a real cloud, and what the operator reads then.

use crate::lab::{LIMIT, Lab, until};
use crate::{SLOW, setup, terminate};
use anyhow::{Context, Result, ensure};
use muster_controller::provider::{Provider, ServerSpec, Status};
use muster_protocol::api::WorkerView;
use muster_protocol::bus::Bus;
use muster_protocol::worker::Phase;
use muster_tests::cluster::{Cluster, Setup};

/// A server whose creation was under way as its worker ended is nobody's, and goes, too.
const QUICK: &str = "timeouts: {boot_secs: 20, reconcile_secs: 3, orphan_secs: 15}\n";
const ORPHANS: &[&str] = &["a server of nobody"];

async fn all_end(cluster: &Cluster, admin: &Bus, lab: &Lab) -> Result<()> {
    terminate(cluster, admin, "*").await?;
    let over = |workers: &[WorkerView]| workers.iter().all(|w| w.phase == Phase::Terminated);
    cluster.until_within(LIMIT, admin, "terminated", over).await?;
    until("Nova's servers to go", async || (lab.servers().await == 0).then_some(())).await;
    Ok(())
}

/// A step of any worker's life, in the words that `muster worker show` has.
fn told(workers: &[WorkerView], words: &str) -> bool {
    workers.iter().flat_map(|worker| &worker.history).any(|(_, text)| text.starts_with(words))
}

#[tokio::test]
async fn a_server_that_is_built_for_ever_is_replaced_at_the_deadline() -> Result<()> {
    let lab = Lab::alone().await;
    let cluster = Cluster::start(&setup(&lab, QUICK)).await?;
    let admin = cluster.admin().await?;
    let outage = lab.frozen("nova-scheduler");
    cluster.scale(&admin, 1).await?;
    let booting = |workers: &[WorkerView]| workers.iter().any(|w| w.phase == Phase::Booting);
    let workers = cluster.until(&admin, "asked for", booting).await?;
    let first = workers[0].agent_id.clone();
    let seen = lab.provider("").list().await?;
    ensure!(seen.len() == 1 && seen[0].status == Status::Building, "{seen:?}");
    let words = "failed: its agent did not enrol within 20 s";
    cluster.until(&admin, "given up", |workers| told(workers, words)).await?;
    drop(outage);
    let replaced = |workers: &[WorkerView]| {
        let is_over = |w: &WorkerView| w.agent_id != first || w.phase == Phase::Terminated;
        workers.iter().any(|w| w.agent_id != first && w.phase == Phase::Booting)
            && workers.iter().all(is_over)
    };
    cluster.until_within(LIMIT, &admin, "replaced", replaced).await?;
    until("the first server to go", async || {
        let servers = lab.provider("").list().await.unwrap();
        servers.iter().all(|server| server.agent_id != first).then_some(())
    })
    .await;
    all_end(&cluster, &admin, &lab).await?;
    cluster.finish(&[ORPHANS, SLOW].concat())
}

#[tokio::test]
async fn a_second_server_of_the_same_name_is_removed_and_the_first_stays() -> Result<()> {
    let lab = Lab::alone().await;
    let cluster = Cluster::start(&setup(&lab, "timeouts: {reconcile_secs: 3}\n")).await?;
    let admin = cluster.admin().await?;
    cluster.scale(&admin, 1).await?;
    let known = |workers: &[WorkerView]| {
        workers.len() == 1 && workers[0].provider_id.is_some() && !workers[0].addresses.is_empty()
    };
    let workers = cluster.until_within(LIMIT, &admin, "known", known).await?;
    let first = workers[0].provider_id.clone().context("it is known")?;
    let provider = lab.provider("");
    let spec = lab.spec(workers[0].agent_id.as_str());
    let double = provider.create(ServerSpec { name: workers[0].name.clone(), ..spec }).await?;
    until("the double to go", async || {
        provider.get(&double.id).await.unwrap().is_none().then_some(())
    })
    .await;
    let left = provider.list().await?;
    ensure!(left.len() == 1 && left[0].id.as_str() == first, "{left:?}");
    all_end(&cluster, &admin, &lab).await?;
    cluster.finish(&[&["a double of a server"], SLOW].concat())
}

#[tokio::test]
async fn a_server_that_finds_no_room_is_told_and_removed() -> Result<()> {
    let lab = Lab::alone().await;
    let huge = Setup { pool: ", flavor: m1.huge, image: tiny", ..setup(&lab, QUICK) };
    let cluster = Cluster::start(&huge).await?;
    let admin = cluster.admin().await?;
    cluster.scale(&admin, 1).await?;
    let words = "failed: its server failed: No valid host was found";
    cluster.until_within(LIMIT, &admin, "told", |workers| told(workers, words)).await?;
    all_end(&cluster, &admin, &lab).await?;
    cluster.finish(&[ORPHANS, SLOW].concat())
}
