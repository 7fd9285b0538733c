//! The demo's controller: its keys, its process, and the orderly end of all it started.

use super::board::Board;
use super::config::{CLUSTER, Settings};
use super::folder::Folder;
use super::leftover::{self, Process};
use crate::binaries::Binary;
use crate::failure::{Failure, OrNext, Result};
use crate::session::Session;
use anyhow::{Context, anyhow};
use muster_protocol::api::{PoolScale, Target, WorkerList, WorkerTerminate};
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::time::{Instant, interval, timeout_at};

/// How long making keys may take.
const INIT_TIMEOUT: Duration = Duration::from_secs(30);
/// How long all workers together may take to go.
const TERMINATE_TIMEOUT: Duration = Duration::from_secs(45);
const POLL: Duration = Duration::from_millis(100);

/// The running controller.
#[derive(Debug)]
pub(super) struct Controller {
    child: Child,
}

impl Controller {
    /// Makes keys and configuration, and starts it. Its process group is its own, so that a Ctrl-C
    /// in the terminal does not end it before its workers.
    pub(super) async fn start(
        program: &Path,
        folder: &Folder,
        settings: &Settings,
    ) -> Result<Controller> {
        let mut init = Command::new(program);
        init.args(["init", "--cluster", CLUSTER, "--listen", "127.0.0.1:0", "--dir"]);
        leftover::run(init.arg(folder.config()), INIT_TIMEOUT, "making keys").await?;
        settings.write(&folder.controller_config())?;
        let open = OpenOptions::new().create(true).append(true).mode(0o600).open(folder.log());
        let log = open.context("making the controller's log").or_next("make room on the disk")?;
        let errors = log.try_clone().context("making the controller's log").or_next("try again")?;
        let child = Command::new(program)
            .args(["run", "--config"])
            .arg(folder.controller_config())
            .env(Binary::NatsServer.variable(), Binary::NatsServer.find()?)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .process_group(0)
            .spawn()
            .with_context(|| format!("starting {}", program.display()))
            .or_next("set MUSTER_CONTROLLER to a muster-controller")?;
        Ok(Controller { child })
    }

    /// Returns once it has ended, which it should not.
    pub(super) async fn died(&mut self) -> Failure {
        let status = self.child.wait().await;
        let how = status.map_or_else(|error| error.to_string(), |status| status.to_string());
        let error = anyhow!("the controller ended ({how})");
        Failure::new(error, "correct what its log says below")
    }

    fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Asks it to end, which ends its NATS server too; kills it if it does not.
    async fn stop(&mut self) -> Result<()> {
        let Some(process) = self.child.id().and_then(Process::of) else { return Ok(()) };
        let (ended, _) = tokio::join!(process.end(leftover::GRACE), self.child.wait());
        ended
    }
}

/// Terminates the workers, ends the controller, and removes the folder; whatever of it was there.
pub(super) async fn clear(
    folder: &Folder,
    program: &Path,
    controller: Option<Controller>,
    board: &mut Board,
    keep: bool,
) -> Result<()> {
    if let Some(mut controller) = controller {
        board.note("stopping the workers, the controller and nats-server");
        if controller.is_alive() {
            let gone = terminate(folder).await;
            if let Err(failure) = gone {
                // Not the end: the sweep below removes them without the controller.
                board.note(&format!("terminating the workers: {}", failure.text()));
            }
        }
        controller.stop().await?;
    }
    for process in leftover::daemons(folder) {
        process.end(leftover::GRACE).await?;
    }
    leftover::workers(folder, program).await?;
    leftover::none_remains(folder)?;
    if keep {
        board.note(&format!("kept: {}", folder.path().display()));
        return Ok(());
    }
    folder.remove()
}

async fn terminate(folder: &Folder) -> Result<()> {
    let deadline = Instant::now() + TERMINATE_TIMEOUT;
    let work = async {
        let session = folder.connect().await?;
        let gone = gone(&session).await;
        session.close().await;
        gone
    };
    let done = timeout_at(deadline, work).await;
    done.map_err(|_| anyhow!("they were not gone within {TERMINATE_TIMEOUT:?}")).or_next("")?
}

/// The pool shrinks first, so that none is launched again.
async fn gone(session: &Session) -> Result<()> {
    let pool = super::config::POOL.parse().expect("the demo's pool has a valid name");
    session.ask(&PoolScale { pool, size: 0 }).await?;
    let target = Target::Names("*".to_owned());
    let mut poll = interval(POLL);
    loop {
        let left = session.ask(&WorkerList { target: None, all: false }).await?;
        let left = left.iter().filter(|worker| !worker.phase.is_over());
        let asked =
            left.clone().all(|worker| worker.phase == muster_protocol::worker::Phase::Terminating);
        if left.count() == 0 {
            return Ok(());
        }
        if !asked {
            // A worker may be gone by now: then this is refused, and the list tells.
            // Nobody says of the demo's workers that they are idle.
            let end = WorkerTerminate { target: target.clone(), force: true };
            drop(session.ask(&end).await);
        }
        poll.tick().await;
    }
}
