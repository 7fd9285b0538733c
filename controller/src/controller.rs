//! Starts the controller's tasks, in the order in which they need each other, and stops them.
//!
//! Every task is named and awaited; one that ends unexpectedly stops the process, so that whatever
//! runs it (systemd) starts it whole again.

mod buses;
mod core;
mod leader;
mod restore;
mod room;
mod trust;

pub use restore::restore;

use crate::config::{Config, Nats};
use crate::keys::Keys;
use crate::nats;
use anyhow::{Context, bail};
use core::Core;
use muster_protocol::id::UnixMillis;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long tasks may take to stop.
const STOP_GRACE: Duration = Duration::from_secs(15);
/// So long before its end the command key is warned of.
const KEY_WARNING_MILLIS: i64 = 14 * 86_400_000;

type Tasks = JoinSet<(&'static str, anyhow::Result<()>)>;

/// Runs the controller until a signal or the end of a task; or only checks its configuration, its
/// rules and who it is in its clouds.
///
/// # Errors
/// With what could not be started, or which task ended.
pub fn main(config: &Path, check: bool) -> anyhow::Result<()> {
    let config = Config::load(config)?;
    if check {
        // They are read again whenever a controller begins to lead.
        if let Some(rules) = &config.reactors {
            muster_reactors::rule::load(rules)?;
        }
        for (name, provider) in &config.providers {
            provider.check_files().with_context(|| format!("the provider {name}"))?;
        }
        return Ok(());
    }
    crate::logging::start();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(run(config))
}

async fn run(config: Config) -> anyhow::Result<()> {
    let cancel = CancellationToken::new();
    let signalled = signals(cancel.clone())?;
    let keys = Arc::new(Keys::load(&config.keys)?);
    warn_of_the_end(&keys);
    let (embedded, servers, own) = start_nats(&config).await?;
    let reach = Reach { servers, own, room: embedded.as_ref().map(nats::Server::room) };
    let nats_stop = CancellationToken::new();
    let (mut tasks, mut nats) = (Tasks::new(), Tasks::new());
    if let Some(server) = embedded {
        let (stop, changes) = (nats_stop.clone(), keys.changes());
        nats.spawn(
            async move { ("nats-server", server.run(changes, stop).await.map_err(Into::into)) },
        );
    }
    tasks.spawn(async move { ("signals", signalled.await) });
    let result = Box::pin(work(config, keys, reach, &cancel, &mut tasks, &mut nats)).await;
    cancel.cancel();
    nats_stop.cancel();
    finish(&mut nats, STOP_GRACE).await;
    result
}

/// Without a new command key in time, every agent refuses what this controller signs.
fn warn_of_the_end(keys: &Keys) {
    let left = keys.signer().certificate().until.since(UnixMillis::now());
    if left < KEY_WARNING_MILLIS {
        let days = left / 86_400_000;
        tracing::warn!(days, "the command key ends soon; run `muster keys rotate command`");
    }
}

/// How NATS is reached.
struct Reach {
    /// By agents and people.
    servers: Vec<String>,
    /// By the controller.
    own: Vec<String>,
    /// How much room its store has, if it is ours.
    room: Option<tokio::sync::watch::Receiver<nats::Room>>,
}

/// Works until a task ends; NATS outlives all others, since they still have something to say.
async fn work(
    config: Config,
    keys: Arc<Keys>,
    reach: Reach,
    cancel: &CancellationToken,
    tasks: &mut Tasks,
    nats: &mut Tasks,
) -> anyhow::Result<()> {
    let opening = Core::open(config, keys, reach.servers, &reach.own, cancel.clone(), tasks);
    let Some(core) = cancel.run_until_cancelled(Box::pin(opening)).await else { return Ok(()) };
    let mut core = core?;
    core.start(tasks).await?;
    tracing::info!(nats = core.bus.server_version(), "the controller works");
    if let Some(room) = reach.room {
        let done = room::tell(room, core.bus.clone(), cancel.clone());
        tasks.spawn(async {
            done.await;
            ("room", Ok(()))
        });
    }
    let core = Arc::new(core);
    let leading = Arc::clone(&core);
    tasks.spawn(async move { ("leader", leader::run(leading).await) });
    let result = watch(tasks, nats, cancel).await;
    cancel.cancel();
    core.tracker.close();
    finish(tasks, STOP_GRACE).await;
    core.bus.close().await;
    result
}

/// Waits for the first task that ends.
async fn watch(
    tasks: &mut Tasks,
    nats: &mut Tasks,
    cancel: &CancellationToken,
) -> anyhow::Result<()> {
    let ended = tokio::select! {
        Some(ended) = tasks.join_next() => ended,
        Some(ended) = nats.join_next() => ended,
    };
    let (name, result) = ended.context("a task panicked")?;
    match result {
        Ok(()) if cancel.is_cancelled() => Ok(()),
        Ok(()) => bail!("the task {name} ended unexpectedly"),
        Err(error) => Err(error.context(format!("the task {name} failed"))),
    }
}

async fn finish(tasks: &mut Tasks, grace: Duration) {
    let all = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(grace, all).await.is_err() {
        tracing::warn!(count = tasks.len(), "tasks did not stop in time");
        tasks.shutdown().await;
    }
}

fn signals(cancel: CancellationToken) -> anyhow::Result<impl Future<Output = anyhow::Result<()>>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = cancel.cancelled() => {}
        }
        tracing::info!("stopping");
        cancel.cancel();
        Ok(())
    })
}

/// The embedded server, if it is one; where agents find NATS; where the controller does.
async fn start_nats(
    config: &Config,
) -> anyhow::Result<(Option<nats::Server>, Vec<String>, Vec<String>)> {
    match &config.nats {
        Nats::Servers(servers) => Ok((None, servers.clone(), servers.clone())),
        Nats::Embedded => {
            let server = nats::Server::start(&nats::Options::new(&config.keys)).await?;
            let (servers, own) = (server.servers(), vec![server.url()]);
            Ok((Some(server), servers, own))
        }
    }
}
