//! What changes in the controller's state tree, and who gets it: asked for, and by itself.

use anyhow::{Result, ensure};
use muster_protocol::api::{PushView, StatesPush, Target, WorkerView};
use muster_protocol::worker::Phase;
use muster_tests::cluster::{Cluster, Setup, next_event};
use std::fs;

const CHANGED: &str = "/etc/hello:\n  file.managed:\n    - contents: changed\n";
const BROKEN: &str = "/etc/hello:\n{% if %}\n";

fn ready(workers: &[WorkerView]) -> bool {
    workers.len() == 1 && workers.iter().all(|worker| worker.phase == Phase::Ready)
}

fn revisions(pushed: &[PushView]) -> Vec<Option<u64>> {
    pushed.iter().map(|one| one.revision).collect()
}

/// Guards: `States::push` and `States::check`: only what is new goes out, and never what is broken.
#[tokio::test]
async fn a_push_gives_workers_what_has_changed_and_nobody_what_is_broken() -> Result<()> {
    let cluster = Cluster::start(&Setup::default()).await?;
    let bus = cluster.admin().await?;
    cluster.scale(&bus, 1).await?;
    cluster.until(&bus, "ready", ready).await?;
    let all = StatesPush { target: None, apply: false };
    let first = cluster.ask(&bus, &all).await?;
    ensure!(revisions(&first) == [None], "nothing has changed: {first:?}");
    fs::write(cluster.path("tree/hello.sls"), CHANGED)?;
    let target = Some(Target::Names("test-*".to_owned()));
    let second = cluster.ask(&bus, &StatesPush { target, apply: false }).await?;
    ensure!(second.len() == 1 && second[0].revision.is_some(), "{second:?}");
    ensure!(revisions(&cluster.ask(&bus, &all).await?) == [None], "it goes out once");
    fs::write(cluster.path("tree/hello.sls"), BROKEN)?;
    let refused = cluster.ask(&bus, &all).await.map(|_| ()).unwrap_err().to_string();
    ensure!(refused.contains("hello.sls:2: "), "{refused}");
    cluster.finish(&[])
}

/// Guards: `States::watch`: a change that has come to rest goes out, a broken one is told.
#[tokio::test]
async fn a_tree_that_is_watched_goes_out_by_itself() -> Result<()> {
    let mut cluster = Cluster::prepare(&Setup::default())?;
    let config = cluster.path("config/controller.yaml");
    let text = fs::read_to_string(&config)?;
    let watched = text.replace("{tree: ../tree}", "{tree: ../tree, watch_secs: 1}");
    ensure!(watched != text, "no states in {text}");
    fs::write(&config, watched)?;
    cluster.start_controller().await?;
    let bus = cluster.admin().await?;
    cluster.scale(&bus, 1).await?;
    cluster.until(&bus, "ready", ready).await?;
    let mut feed = cluster.tail(&bus, "muster.event.states.tree.*").await?;
    fs::write(cluster.path("tree/hello.sls"), CHANGED)?;
    let (subject, event) = next_event(&mut feed).await?;
    ensure!(subject == "muster.event.states.tree.pushed", "{subject}: {event:?}");
    ensure!(event.data["workers"] == 1, "{event:?}");
    fs::write(cluster.path("tree/hello.sls"), BROKEN)?;
    let (subject, event) = next_event(&mut feed).await?;
    ensure!(subject == "muster.event.states.tree.broken", "{subject}: {event:?}");
    ensure!(event.data.to_string().contains("hello.sls:2: "), "{event:?}");
    cluster.finish(&["the state tree has changed and is broken"])
}
