//! The whole chain with real agents: launched, enrolled, configured, ready, streaming; commands and
//! their results; a controller that is killed; the end.

use anyhow::{Context, Result};
use muster_protocol::api::{CommandRun, Target, WorkerTerminate};
use muster_protocol::command::Verb;
use muster_protocol::event::CommandResult;
use muster_protocol::id::{Token, random};
use muster_protocol::worker::Phase;
use muster_tests::cluster::{Cluster, Setup, next_event};

fn all(phase: Phase, count: usize) -> impl Fn(&[muster_protocol::api::WorkerView]) -> bool {
    move |workers| workers.len() == count && workers.iter().all(|worker| worker.phase == phase)
}

#[tokio::test]
async fn a_worker_goes_its_whole_way() -> Result<()> {
    let cluster = Cluster::start(&Setup::default()).await?;
    let admin = cluster.admin().await?;
    cluster.scale(&admin, 1).await?;
    let done = |workers: &[muster_protocol::api::WorkerView]| {
        all(Phase::Ready, 1)(workers) && workers[0].milestones.first_sample.is_some()
    };
    let workers = cluster.until(&admin, "ready with a sample", done).await?;
    let states = workers[0].states.clone().context("no states")?;
    assert_eq!((states.total, states.changed, states.failed), (1, 1, 0));

    let target = Target::Names("*".into());
    cluster.ask(&admin, &WorkerTerminate { target, force: false }).await?;
    cluster.until(&admin, "terminated", all(Phase::Terminated, 1)).await?;
    let mut feed = cluster.tail(&admin, "muster.event.worker.test-0001.>").await?;
    let mut seen = Vec::new();
    while seen.last().is_none_or(|kind| kind != "terminated") {
        let (subject, _) = next_event(&mut feed).await?;
        seen.push(subject.rsplit('.').next().unwrap_or_default().to_owned());
    }
    seen.retain(|kind| kind != "first_sample");
    let path =
        ["pending", "launching", "booting", "configuring", "ready", "terminating", "terminated"];
    assert_eq!(seen, path);
    cluster.finish(&[])
}

#[tokio::test]
async fn a_commands_result_is_an_event_for_each_worker() -> Result<()> {
    let cluster = Cluster::start(&Setup::default()).await?;
    let admin = cluster.admin().await?;
    cluster.scale(&admin, 2).await?;
    cluster.until(&admin, "ready", all(Phase::Ready, 2)).await?;
    for verb in [Verb::Ping, Verb::Facts, Verb::Apply { sls: vec![], test: true, revision: 0 }] {
        let call = Token::random(random());
        let mut feed = cluster.tail(&admin, &format!("muster.event.api.{call}.>")).await?;
        let target = Target::Names("test-*".into());
        let run = CommandRun { call, target, verb: verb.clone(), timeout_secs: 30 };
        let started = cluster.ask(&admin, &run).await?;
        assert_eq!(started.workers.len(), 2);
        for _ in 0..2 {
            let (_, event) = next_event(&mut feed).await?;
            let result: CommandResult = event.read().context("no result")?;
            assert!(result.ok && result.answered, "{verb:?}: {result:?}");
        }
    }
    cluster.finish(&[])
}

#[tokio::test]
async fn a_killed_controller_finds_its_workers_and_goes_on() -> Result<()> {
    let mut cluster = Cluster::start(&Setup::default()).await?;
    let admin = cluster.admin().await?;
    cluster.scale(&admin, 2).await?;
    let before = cluster.until(&admin, "ready", all(Phase::Ready, 2)).await?;
    cluster.kill_controller()?;
    cluster.start_controller().await?;
    let heard = |workers: &[muster_protocol::api::WorkerView]| {
        workers.iter().all(|worker| worker.frames > 0)
    };
    let after = cluster.until(&admin, "heard again", heard).await?;
    let ids = |workers: &[muster_protocol::api::WorkerView]| {
        workers.iter().map(|w| (w.agent_id.clone(), w.provider_id.clone())).collect::<Vec<_>>()
    };
    assert_eq!(ids(&before), ids(&after));
    cluster.scale(&admin, 3).await?;
    cluster.until(&admin, "three ready", all(Phase::Ready, 3)).await?;
    cluster.finish(&[])
}
