//! `muster worker launch | terminate | rebuild`, and the marks.

use crate::command::wait::{Goal, Wait, of_these};
use crate::command::{Caller, pool};
use crate::failure::{Exit, Failure, Result};
use crate::output::{Cell, Table, note};
use crate::session::Session;
use crate::target::Which;
use muster_protocol::api::{
    Mark, RefusalKind, Target, WorkerLaunch, WorkerList, WorkerMark, WorkerRebuild,
    WorkerTerminate, WorkerView,
};
use muster_protocol::id::{AgentId, PoolName, WorkerName};
use muster_protocol::worker::Phase;
use std::collections::BTreeSet;

/// Launches more in a pool.
pub(super) async fn launch(
    pool: &PoolName,
    count: u32,
    wait: &Wait,
    caller: &Caller,
) -> Result<Exit> {
    let session = caller.connect().await?;
    let before = match wait.wait {
        true => agents(&session, pool).await?,
        false => BTreeSet::new(),
    };
    let view = session.ask(&WorkerLaunch { pool: pool.clone(), count }).await?;
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let goal = Goal::Launched { pool: pool.clone(), before, count };
    let table = || pool::table(std::slice::from_ref(&view));
    let exit = wait.end(&session, caller, goal, &view, table).await?;
    if !wait.wait {
        pool::tell_breakers(std::slice::from_ref(&view), caller);
    }
    session.close().await;
    Ok(exit)
}

async fn agents(session: &Session, pool: &PoolName) -> Result<BTreeSet<AgentId>> {
    let list = WorkerList { target: Some(Target::Pool(pool.clone())), all: false };
    Ok(session.ask(&list).await?.into_iter().map(|worker| worker.agent_id).collect())
}

/// Terminates workers.
pub(super) async fn terminate(
    target: Target,
    force: bool,
    wait: &Wait,
    caller: &Caller,
) -> Result<Exit> {
    let session = caller.connect().await?;
    let lives = wait.lives(&session, &target).await?;
    let names = session.ask(&WorkerTerminate { target, force }).await.map_err(unforced)?;
    some(&names, "this target means no worker that is not terminating already")?;
    let goal = Goal::Gone(of_these(lives, &names));
    let exit = wait.end(&session, caller, goal, &names, || column("TERMINATING", &names)).await?;
    session.close().await;
    Ok(exit)
}

/// What can be done about workers that are not simply terminated.
fn unforced(failure: Failure) -> Failure {
    let conflict = failure.refusal().is_some_and(|refusal| refusal.kind == RefusalKind::Conflict);
    // The controller may have said it already.
    if !conflict || failure.text().contains("force") {
        return failure;
    }
    failure.advise(
        "see `muster worker show` for why; `muster worker idle` says that no job runs, \
         `muster worker release` ends a hold; --force ends the jobs with the workers",
    )
}

/// Rebuilds workers in place.
pub(super) async fn rebuild(
    target: Target,
    image: Option<String>,
    wait: &Wait,
    caller: &Caller,
) -> Result<Exit> {
    let session = caller.connect().await?;
    let meant = meant(&session, &target).await?;
    let names = session.ask(&WorkerRebuild { target, image }).await.map_err(not_now)?;
    some(&names, "this target means no worker that can be rebuilt")?;
    let lives = meant.iter().map(|worker| (worker.name.clone(), worker.generation)).collect();
    let goal = Goal::Rebuilt(of_these(lives, &names));
    let exit = wait.end(&session, caller, goal, &names, || column("REBUILDING", &names)).await?;
    session.close().await;
    Ok(worst(exit, left_alone(&meant, &names)))
}

/// Says something of workers.
pub(super) async fn mark(which: &Which, mark: Mark, caller: &Caller) -> Result<Exit> {
    let target = which.target()?;
    let session = caller.connect().await?;
    let meant = meant(&session, &target).await?;
    let names = session.ask(&WorkerMark { target, mark }).await.map_err(not_now)?;
    some(&names, "this target means no worker of which that can be said")?;
    caller.output.show(&names, || column(marked(mark), &names))?;
    session.close().await;
    Ok(worst(Exit::Ok, left_alone(&meant, &names)))
}

async fn meant(session: &Session, target: &Target) -> Result<Vec<WorkerView>> {
    session.ask(&WorkerList { target: Some(target.clone()), all: false }).await
}

/// A worker's phase may not allow it.
fn not_now(failure: Failure) -> Failure {
    match failure.refusal().map(|refusal| refusal.kind) {
        Some(RefusalKind::Conflict) => {
            failure.advise("see `muster worker list` for the phases; try again when it is ready")
        }
        Some(_) | None => failure,
    }
}

/// The controller does what it can: the others are told here.
fn left_alone(meant: &[WorkerView], done: &[WorkerName]) -> Exit {
    let others = others(meant, done);
    others.iter().for_each(|line| note(line));
    if others.is_empty() { Exit::Ok } else { Exit::SomeFailed }
}

fn others(meant: &[WorkerView], done: &[WorkerName]) -> Vec<String> {
    let going = |phase| matches!(phase, Phase::Failed | Phase::Terminating | Phase::Terminated);
    let left = meant.iter().filter(|one| !going(one.phase) && !done.contains(&one.name));
    left.map(|one| format!("{}: left as it is: {}", one.name, one.phase)).collect()
}

fn worst(exit: Exit, other: Exit) -> Exit {
    if exit == Exit::Ok { other } else { exit }
}

fn marked(mark: Mark) -> &'static str {
    match mark {
        Mark::Drain => "DRAINING",
        Mark::Undrain => "NOT DRAINING",
        Mark::Hold => "HELD",
        Mark::Release => "RELEASED",
        Mark::Busy => "BUSY",
        Mark::Idle => "IDLE",
    }
}

fn some(names: &[WorkerName], otherwise: &str) -> Result<()> {
    match names.is_empty() {
        true => Err(Failure::say(otherwise, "see `muster worker list --all` for the names")),
        false => Ok(()),
    }
}

fn column(head: &str, names: &[WorkerName]) -> Table {
    let mut table = Table::new(&[head]);
    names.iter().for_each(|name| table.row([Cell::text(name)]));
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use muster_protocol::api::Refusal;

    #[test]
    fn a_refused_termination_says_how_to_go_on() {
        let refused = |kind, message: &str| {
            unforced(Failure::new(Refusal { kind, message: message.to_owned() }, ""))
        };
        let busy = refused(RefusalKind::Conflict, "compute-0001 is busy");
        assert_eq!(busy.text(), "compute-0001 is busy");
        assert!(busy.next().contains("--force ends the jobs"), "{}", busy.next());
        let told = refused(RefusalKind::Conflict, "compute-0001 is busy; give --force");
        assert_eq!(told.next(), "");
        assert_eq!(refused(RefusalKind::Missing, "there is no pool x").next(), "");
    }

    #[test]
    fn workers_that_were_not_changed_are_told() {
        let worker = |name: &str, phase| {
            let mut worker = crate::command::worker::example();
            (worker.name, worker.phase) = (name.parse().unwrap(), phase);
            worker
        };
        let meant = [
            worker("a", Phase::Ready),
            worker("b", Phase::Booting),
            worker("c", Phase::Terminating),
        ];
        let done = ["a".parse().unwrap()];
        assert_eq!(others(&meant, &done), ["b: left as it is: booting"]);
        assert_eq!(left_alone(&meant, &done), Exit::SomeFailed);
        assert_eq!(left_alone(&meant[..1], &done), Exit::Ok);
        assert_eq!(worst(Exit::SomeSilent, Exit::SomeFailed), Exit::SomeSilent);
    }

    #[test]
    fn names_are_one_column() {
        let names: Vec<WorkerName> = vec!["a-1".parse().unwrap(), "a-2".parse().unwrap()];
        assert_eq!(column(marked(Mark::Hold), &names).render(false), "HELD\na-1\na-2\n");
    }
}
