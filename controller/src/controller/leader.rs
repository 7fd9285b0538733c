//! The tasks of the one controller that reconciles: they begin when it gains the lease, and end
//! when it loses it.

use super::core::Core;
use super::{STOP_GRACE, Tasks};
use crate::actions::{self, Programs};
use crate::floods::{Floods, Of};
use crate::hooks::follow;
use crate::people::Cut;
use crate::reconciler::Reconciler;
use crate::store;
use crate::witness::Witness;
use anyhow::{Context, bail};
use muster_protocol::bus::stream::{EVENTS, HeardClaims, STATS};
use muster_protocol::id::UnixMillis;
use muster_protocol::subject;
use muster_reactors::engine::Engine;
use muster_reactors::rule;
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;

/// Leads whenever this controller holds the lease, until it is cancelled.
///
/// # Errors
/// When a task ends that should not: whatever runs the process starts it whole again.
pub(super) async fn run(core: Arc<Core>) -> anyhow::Result<()> {
    let mut fence = core.fence.clone();
    while core.cancel.run_until_cancelled(fence.gained()).await.is_some() {
        let stop = core.cancel.child_token();
        let mut tasks = Tasks::new();
        let result = lead(&core, &stop, &mut tasks).await;
        stop.cancel();
        super::finish(&mut tasks, STOP_GRACE).await;
        result?;
        if !core.cancel.is_cancelled() {
            tracing::warn!("the lease is lost, to another controller or with NATS: standing by");
        }
    }
    Ok(())
}

async fn lead(core: &Arc<Core>, stop: &CancellationToken, tasks: &mut Tasks) -> anyhow::Result<()> {
    let mut fence = core.fence.clone();
    let taking = Box::pin(take_over(core, stop, tasks));
    tokio::select! {
        taken = taking => taken?,
        () = fence.lost() => return Ok(()),
        () = stop.cancelled() => return Ok(()),
    }
    tokio::select! {
        Some(ended) = tasks.join_next() => {
            let (name, result) = ended.context("a task panicked")?;
            match result {
                Ok(()) if stop.is_cancelled() => Ok(()),
                Ok(()) => bail!("the task {name} ended unexpectedly"),
                Err(error) => Err(error.context(format!("the task {name} failed"))),
            }
        }
        () = fence.lost() => Ok(()),
        () = stop.cancelled() => Ok(()),
    }
}

/// Learns what another controller may have done, then starts what only one may do.
async fn take_over(
    core: &Arc<Core>,
    stop: &CancellationToken,
    tasks: &mut Tasks,
) -> anyhow::Result<()> {
    core.registry.reload().await?;
    let heard = core.revocations.listen().await?;
    core.rotor.take_over().await.context("taking over the keys and the accounts' claims")?;
    start_keys(core, heard, stop, tasks);
    let empty = core.inspector.all_empty();
    core.keeper.settle(empty).await.context("settling whether the registry is the known one")?;
    start_cut(core, stop, tasks);
    start_witness(core, stop, tasks).await?;
    start_reactors(core, stop, tasks).await?;
    start_hooks(core, stop, tasks).await?;
    let done = Arc::clone(&core.stats).feed(stop.clone());
    tasks.spawn(async { ("sinks", done.await.map_err(Into::into)) });
    let done = Arc::clone(&core.states).watch(stop.clone());
    tasks.spawn(async {
        done.await;
        ("states", Ok(()))
    });
    start_reconciler(core, stop, tasks);
    Ok(())
}

fn start_cut(core: &Core, stop: &CancellationToken, tasks: &mut Tasks) {
    let (people, revocations) = (Arc::clone(&core.people), Arc::clone(&core.revocations));
    let done = Cut { people, revocations }.run(stop.clone());
    tasks.spawn(async {
        done.await;
        ("cut", Ok(()))
    });
}

fn start_keys(core: &Core, heard: HeardClaims, stop: &CancellationToken, tasks: &mut Tasks) {
    let (revocations, cancel) = (Arc::clone(&core.revocations), stop.clone());
    tasks.spawn(async move {
        ("revocations", revocations.keep(heard, cancel).await.map_err(Into::into))
    });
    let (rotor, cancel) = (Arc::clone(&core.rotor), stop.clone());
    tasks.spawn(async move {
        rotor.tend(cancel).await;
        ("rotations", Ok(()))
    });
}

async fn start_witness(
    core: &Core,
    stop: &CancellationToken,
    tasks: &mut Tasks,
) -> anyhow::Result<()> {
    let filter = "muster.event.agent.>";
    let events = core.jetstream.consumer(EVENTS, "controller", filter).await?;
    let bytes = store::events_bytes(&core.config.store);
    let floods = Floods::new(Of::Events, core.jetstream.clone(), core.bus.clone(), bytes);
    let teller = Arc::new(core.bus.clone());
    let witness = Witness { registry: Arc::clone(&core.registry), teller, floods };
    let done = witness.run(events, stop.clone());
    tasks.spawn(async { ("witness", done.await.map_err(Into::into)) });
    let frames = core.jetstream.reader(STATS, subject::STATS_ALL, UnixMillis::now()).await?;
    let bytes = store::stats_bytes(&core.config.store);
    let floods = Floods::new(Of::Frames, core.jetstream.clone(), core.bus.clone(), bytes);
    let done = floods.run(frames, stop.clone());
    tasks.spawn(async { ("floods", done.await.map_err(Into::into)) });
    Ok(())
}

async fn start_reactors(
    core: &Core,
    stop: &CancellationToken,
    tasks: &mut Tasks,
) -> anyhow::Result<()> {
    let mut rules = rule::built_in();
    if let Some(dir) = &core.config.reactors {
        rules.extend(rule::load(dir)?);
    }
    let documents = Arc::new(core.buckets.cluster.clone());
    let actions = actions::Controller {
        registry: Arc::clone(&core.registry),
        states: Arc::clone(&core.states),
        jobs: Arc::clone(&core.jobs),
        tasks: core.tracker.clone(),
        programs: Programs::open(documents, Arc::new(core.bus.clone())).await?,
    };
    let events = core.jetstream.consumer(EVENTS, "reactors", subject::EVENT_ALL).await?;
    let done = Engine::new(rules, actions, Arc::clone(&core.acted)).run(events, stop.clone());
    tasks.spawn(async { ("reactors", done.await.map_err(Into::into)) });
    Ok(())
}

async fn start_hooks(
    core: &Core,
    stop: &CancellationToken,
    tasks: &mut Tasks,
) -> anyhow::Result<()> {
    let events = core.jetstream.consumer(EVENTS, follow::CONSUMER, follow::FILTER).await?;
    let (hooks, registry) = (Arc::clone(&core.hooks), Arc::clone(&core.registry));
    let done = follow::follow(hooks, registry, events, stop.clone());
    tasks.spawn(async { ("hooks", done.await.map_err(Into::into)) });
    Ok(())
}

fn start_reconciler(core: &Core, stop: &CancellationToken, tasks: &mut Tasks) {
    let reconciler = Reconciler {
        config: Arc::clone(&core.config),
        registry: Arc::clone(&core.registry),
        launcher: Arc::clone(&core.launcher),
        inspector: Arc::clone(&core.inspector),
        hearing: Arc::clone(&core.stats) as Arc<_>,
        busy: Mutex::default(),
        failures: Mutex::default(),
    };
    let done = Arc::new(reconciler).run(stop.clone());
    tasks.spawn(async {
        done.await;
        ("reconciler", Ok(()))
    });
}
