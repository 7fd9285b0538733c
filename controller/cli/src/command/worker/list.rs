//! `muster worker list` and `show`.

use super::view::{self, Shown};
use crate::command::Caller;
use crate::failure::{Exit, Failure, Result};
use crate::output::{Cell, Table, clean, note};
use crate::session::Session;
use muster_protocol::api::{Target, WorkerList, WorkerView};
use muster_protocol::id::{UnixMillis, WorkerName};

/// Shows workers in a table.
pub(super) async fn list(target: Option<Target>, all: bool, caller: &Caller) -> Result<Exit> {
    let session = caller.connect().await?;
    let workers = session.ask(&WorkerList { target, all }).await?;
    let shown: Vec<Shown<'_>> = workers.iter().map(Shown::of).collect();
    caller.output.show(&shown, || table(&workers, UnixMillis::now()))?;
    // A column of its own would be empty most of the time, and too wide the rest of it.
    let reasons = workers.iter().filter_map(|worker| Some((&worker.name, worker.reason.as_ref()?)));
    for (name, reason) in reasons.filter(|_| caller.output.is_table()) {
        note(&format!("{name}: {}", clean(reason)));
    }
    session.close().await;
    Ok(Exit::Ok)
}

/// Shows one in full.
pub(super) async fn show(name: &WorkerName, caller: &Caller) -> Result<Exit> {
    let session = caller.connect().await?;
    let worker = find(&session, name).await?.ok_or_else(|| {
        Failure::say(format!("there is no worker {name}"), "see `muster worker list --all`")
    })?;
    caller.output.show(&Shown::of(&worker), || view::details(&worker, UnixMillis::now()))?;
    session.close().await;
    Ok(Exit::Ok)
}

/// A target never means a worker that is terminated: that one is looked for among all.
async fn find(session: &Session, name: &WorkerName) -> Result<Option<WorkerView>> {
    for target in [Some(Target::Names(name.to_string())), None] {
        let workers = session.ask(&WorkerList { target, all: true }).await?;
        let found = workers.into_iter().find(|worker| worker.name == *name);
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

fn table(workers: &[WorkerView], now: UnixMillis) -> Table {
    let mut table = Table::new(&[
        "NAME",
        "POOL",
        "PHASE",
        "GEN",
        "AGE",
        "STATES",
        "FRAMES",
        "LAST FRAME",
        "FLAGS",
    ]);
    for worker in workers {
        table.row([
            Cell::text(&worker.name),
            Cell::text(&worker.pool),
            Cell::text(worker.phase).styled(view::phase_style(worker.phase)),
            Cell::number(worker.generation),
            Cell::maybe(worker.milestones.launched.map(|at| view::age(at, now))),
            view::states(worker),
            Cell::number(worker.frames),
            Cell::maybe(worker.last_frame.map(|at| format!("{} ago", view::age(at, now)))),
            view::flags(worker),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use muster_protocol::worker::{Occupancy, Phase};

    #[test]
    fn workers_are_shown_aligned() {
        let ready = view::example();
        let mut failed = view::example();
        failed.name = "compute-0012".parse().unwrap();
        failed.phase = Phase::Failed;
        failed.milestones = Default::default();
        failed.occupancy = Occupancy::Unknown;
        (failed.states, failed.last_frame, failed.frames) = (None, None, 0);
        let expected = "\
NAME          POOL     PHASE   GEN  AGE    STATES                 FRAMES  LAST FRAME  FLAGS
compute-0001  compute  ready     2  1 min  14 states, 12 changed       7  4.0 s ago   idle
compute-0012  compute  failed    2  -      -                           0  -           -
";
        let text = table(&[ready, failed], UnixMillis(160_000)).render(false);
        assert_eq!(text, expected);
    }
}
