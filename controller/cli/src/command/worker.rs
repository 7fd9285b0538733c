//! `muster worker`: the workers, their coming and going, and what operators say of them.

mod change;
mod cloud;
mod list;
mod view;

use super::Caller;
use crate::command::wait::Wait;
use crate::failure::{Exit, Result};
use crate::target::{self, Which};
use muster_protocol::api::Mark;
use muster_protocol::id::{PoolName, WorkerName};

#[cfg(test)]
pub(crate) use view::example;

pub(crate) use view::counts;

/// What to do with workers.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Show workers in a table
    List {
        /// Which ones: 'compute-*', a,b [default: all]
        target: Option<String>,
        /// All of this pool
        #[arg(long)]
        pool: Option<PoolName>,
        /// Also those that are terminated
        #[arg(long)]
        all: bool,
        /// Show the clouds' servers beside the registry's workers, and each difference
        #[arg(long, conflicts_with_all = ["target", "pool", "all"])]
        cloud: bool,
    },
    /// Show all there is to know of one worker
    Show {
        /// Its name
        name: WorkerName,
    },
    /// Launch more workers in a pool
    Launch {
        /// The pool
        pool: PoolName,
        /// How many more
        #[arg(long, default_value_t = 1)]
        count: u32,
        #[command(flatten)]
        wait: Wait,
    },
    /// Terminate workers; their pools shrink by as many
    Terminate {
        #[command(flatten)]
        which: Which,
        /// Also those on which jobs run, or that an operator holds: the jobs end with them
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        wait: Wait,
    },
    /// Rebuild workers in place with another image, each when no job runs on it
    Rebuild {
        #[command(flatten)]
        which: Which,
        /// The image [default: the one that is current in the worker's pool]
        #[arg(long)]
        image: Option<String>,
        #[command(flatten)]
        wait: Wait,
    },
    /// Let workers take no more jobs
    Drain(Which),
    /// Let drained workers take jobs again, and call off what was to follow
    Undrain(Which),
    /// Keep workers: nothing but an operator removes them
    Hold(Which),
    /// Let workers that were held be removed again
    Release(Which),
    /// Say that jobs run on workers: they are neither scaled down nor rebuilt
    Busy(Which),
    /// Say that no job runs on workers
    Idle(Which),
}

/// Does it.
pub(crate) async fn run(command: &Command, caller: &Caller) -> Result<Exit> {
    match command {
        Command::List { cloud: true, .. } => cloud::list(caller).await,
        Command::List { target, pool, all, .. } => {
            let target = target::target(target.as_deref(), pool.as_ref())?;
            list::list(target, *all, caller).await
        }
        Command::Show { name } => list::show(name, caller).await,
        Command::Launch { pool, count, wait } => change::launch(pool, *count, wait, caller).await,
        Command::Terminate { which, force, wait } => {
            change::terminate(which.target()?, *force, wait, caller).await
        }
        Command::Rebuild { which, image, wait } => {
            change::rebuild(which.target()?, image.clone(), wait, caller).await
        }
        Command::Drain(which) => change::mark(which, Mark::Drain, caller).await,
        Command::Undrain(which) => change::mark(which, Mark::Undrain, caller).await,
        Command::Hold(which) => change::mark(which, Mark::Hold, caller).await,
        Command::Release(which) => change::mark(which, Mark::Release, caller).await,
        Command::Busy(which) => change::mark(which, Mark::Busy, caller).await,
        Command::Idle(which) => change::mark(which, Mark::Idle, caller).await,
    }
}
