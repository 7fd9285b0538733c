//! `muster worker`: the workers, and their coming and going.

mod view;

use super::Caller;
use crate::command::pool;
use crate::failure::{Exit, Failure, Result};
use crate::output::{Cell, Output, Table, clean, note};
use crate::session::Session;
use crate::target;
use muster_protocol::api::{Target, WorkerLaunch, WorkerList, WorkerTerminate, WorkerView};
use muster_protocol::id::{PoolName, UnixMillis, WorkerName};
use view::Shown;

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
    },
    /// Terminate workers; their pools shrink by as many
    Terminate {
        /// Which ones: 'compute-*', a,b
        #[arg(required_unless_present = "pool")]
        target: Option<String>,
        /// All of this pool
        #[arg(long)]
        pool: Option<PoolName>,
    },
}

/// Does it.
pub(crate) async fn run(command: &Command, caller: &Caller) -> Result<Exit> {
    let output = &caller.output;
    match command {
        Command::List { target, pool, all } => {
            let target = target::target(target.as_deref(), pool.as_ref())?;
            let session = caller.connect().await?;
            list(&session, target, *all, output).await?;
        }
        Command::Show { name } => show(&caller.connect().await?, name, output).await?,
        Command::Launch { pool, count } => {
            let session = caller.connect().await?;
            let question = WorkerLaunch { pool: pool.clone(), count: *count };
            let view = session.ask(&question).await?;
            output.show(&view, || pool::table(std::slice::from_ref(&view)))?;
        }
        Command::Terminate { target, pool } => {
            let target = target::target(target.as_deref(), pool.as_ref())?;
            let target = target.ok_or_else(|| Failure::say("no target is given", "name one"))?;
            terminate(&caller.connect().await?, target, output).await?;
        }
    }
    Ok(Exit::Ok)
}

async fn list(session: &Session, target: Option<Target>, all: bool, output: &Output) -> Result<()> {
    let workers = session.ask(&WorkerList { target, all }).await?;
    let shown: Vec<Shown> = workers.iter().map(Shown::of).collect();
    output.show(&shown, || table(&workers, UnixMillis::now()))?;
    // A column of its own would be empty most of the time, and too wide the rest of it.
    let reasons = workers.iter().filter_map(|worker| Some((&worker.name, worker.reason.as_ref()?)));
    for (name, reason) in reasons.filter(|_| output.is_table()) {
        note(&format!("{name}: {}", clean(reason)));
    }
    Ok(())
}

async fn show(session: &Session, name: &WorkerName, output: &Output) -> Result<()> {
    let target = Some(Target::Names(name.to_string()));
    let workers = session.ask(&WorkerList { target, all: true }).await?;
    let newest = workers.iter().filter(|worker| worker.name == *name).max_by_key(|w| w.generation);
    let worker = newest.ok_or_else(|| {
        Failure::say(format!("there is no worker {name}"), "see `muster worker list --all`")
    })?;
    output.show(&Shown::of(worker), || view::details(worker, UnixMillis::now()))
}

async fn terminate(session: &Session, target: Target, output: &Output) -> Result<()> {
    let names = session.ask(&WorkerTerminate { target }).await?;
    if names.is_empty() {
        return Err(Failure::say(
            "this target means no worker that is not terminating already",
            "see `muster worker list --all` for the names",
        ));
    }
    output.show(&names, || {
        let mut table = Table::new(&["TERMINATING"]);
        names.iter().for_each(|name| table.row([Cell::text(name)]));
        table
    })
}

fn table(workers: &[WorkerView], now: UnixMillis) -> Table {
    let mut table = Table::new(&[
        "NAME",
        "POOL",
        "PHASE",
        "GEN",
        "AGE",
        "READY AFTER",
        "STATES",
        "FRAMES",
        "LAST FRAME",
    ]);
    for worker in workers {
        table.row([
            Cell::text(&worker.name),
            Cell::text(&worker.pool),
            Cell::text(worker.phase).styled(view::phase_style(worker.phase)),
            Cell::number(worker.generation),
            Cell::maybe(worker.milestones.launched.map(|at| view::age(at, now))),
            Cell::maybe(view::ready_after(worker)),
            view::states(worker),
            Cell::number(worker.frames),
            Cell::maybe(worker.last_frame.map(|at| format!("{} ago", view::age(at, now)))),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_are_shown_aligned() {
        let ready = view::example();
        let mut failed = view::example();
        failed.name = "compute-0012".parse().unwrap();
        failed.phase = muster_protocol::worker::Phase::Failed;
        failed.milestones = Default::default();
        (failed.states, failed.last_frame, failed.frames) = (None, None, 0);
        let expected = "\
NAME          POOL     PHASE   GEN  AGE    READY AFTER  STATES                 FRAMES  LAST FRAME
compute-0001  compute  ready     2  1 min  1.5 s        14 states, 12 changed       7  4.0 s ago
compute-0012  compute  failed    2  -      -            -                           0  -
";
        let text = table(&[ready, failed], UnixMillis(160_000)).render(false);
        assert_eq!(text, expected);
    }
}
