//! What is waited for, and how far it is: pure functions of what the controller tells.

use muster_protocol::api::{CloudView, PoolView, WorkerView};
use muster_protocol::id::{AgentId, Generation, PoolName, WorkerName};
use muster_protocol::worker::{AfterDrain, Occupancy, Phase};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Names that one sentence tells.
const NAMED_MAX: usize = 5;

/// What a cloud says of a server that it still lists and no longer has.
const DELETED: &str = "deleted";

/// Workers, each in one of its lives.
pub(crate) type Lives = BTreeMap<WorkerName, Generation>;

/// What is waited for.
#[derive(Clone, Debug)]
pub(crate) enum Goal {
    /// These lives have ended.
    Gone(Lives),
    /// These workers are ready, in a life after this one.
    Rebuilt(Lives),
    /// So many more are ready in a pool, beside those that were there.
    Launched {
        /// The pool.
        pool: PoolName,
        /// The agents that were there.
        before: BTreeSet<AgentId>,
        /// How many more.
        count: usize,
    },
    /// A pool has its size, and all its workers are ready.
    Sized(PoolName),
    /// These workers and all others have ended, and no cloud shows a server.
    Empty(Vec<WorkerName>),
}

/// What the controller tells now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// The workers that the goal is about and that are not terminated.
    pub(crate) workers: Vec<WorkerView>,
    /// The goal's pool, if it is about one.
    pub(crate) pool: Option<PoolView>,
    /// The clouds' side, if it was asked for.
    pub(crate) cloud: Option<Vec<CloudView>>,
}

/// How far it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Stand {
    /// How many have to be there.
    pub(crate) total: usize,
    /// How many are.
    pub(crate) reached: usize,
    /// What is still on its way.
    pub(crate) waiting: Vec<Open>,
    /// What will not come.
    pub(crate) failed: Vec<Open>,
}

/// What is not there: whose, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Open {
    /// The worker, the server or the pool.
    pub(crate) name: String,
    /// Where it is instead.
    pub(crate) why: String,
}

impl Open {
    pub(super) fn new(name: impl ToString, why: impl Into<String>) -> Open {
        Open { name: name.to_string(), why: why.into() }
    }

    fn of(worker: &WorkerView) -> Open {
        Open::new(&worker.name, state(worker))
    }
}

impl Goal {
    /// What those that have reached it are.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Goal::Gone(_) | Goal::Empty(_) => "gone",
            Goal::Rebuilt(_) => "rebuilt",
            Goal::Launched { .. } => "ready",
            Goal::Sized(_) => "as wanted",
        }
    }

    /// How far it is.
    pub(crate) fn judge(&self, seen: &Seen) -> Stand {
        match self {
            Goal::Gone(lives) => each(lives, seen, gone),
            Goal::Rebuilt(lives) => each(lives, seen, rebuilt),
            Goal::Launched { before, count, .. } => launched(before, *count, seen),
            Goal::Sized(_) => sized(seen),
            Goal::Empty(names) => empty(names.len(), seen),
        }
    }

    /// How far it is as long as nobody has told anything.
    pub(crate) fn unseen(&self) -> Stand {
        let open = |name: &dyn ToString| Open::new(name.to_string(), "nothing is known of it");
        let waiting: Vec<Open> = match self {
            Goal::Gone(lives) | Goal::Rebuilt(lives) => {
                lives.keys().map(|name| open(name)).collect()
            }
            Goal::Launched { pool, .. } | Goal::Sized(pool) => {
                vec![open(&format!("pool {pool}"))]
            }
            Goal::Empty(names) => {
                names.iter().map(|name| open(name)).chain([open(&"the cloud")]).collect()
            }
        };
        Stand { total: waiting.len(), waiting, ..Stand::default() }
    }
}

impl Stand {
    /// Whether nothing more is waited for.
    pub(crate) fn is_over(&self) -> bool {
        self.waiting.is_empty()
    }
}

enum Step {
    Reached,
    Waiting(Open),
    Failed(Open),
}

type Judge = fn(&WorkerName, Generation, Option<&WorkerView>) -> Step;

fn each(lives: &Lives, seen: &Seen, judge: Judge) -> Stand {
    let mut stand = Stand { total: lives.len(), ..Stand::default() };
    let by_name: BTreeMap<&WorkerName, &WorkerView> =
        seen.workers.iter().map(|worker| (&worker.name, worker)).collect();
    for (name, generation) in lives {
        match judge(name, *generation, by_name.get(name).copied()) {
            Step::Reached => stand.reached += 1,
            Step::Waiting(open) => stand.waiting.push(open),
            Step::Failed(open) => stand.failed.push(open),
        }
    }
    stand
}

fn gone(_: &WorkerName, generation: Generation, worker: Option<&WorkerView>) -> Step {
    match worker {
        None => Step::Reached,
        Some(worker) if worker.generation > generation || worker.phase.is_over() => Step::Reached,
        Some(worker) => Step::Waiting(Open::of(worker)),
    }
}

fn rebuilt(name: &WorkerName, generation: Generation, worker: Option<&WorkerView>) -> Step {
    let Some(worker) = worker else { return Step::Failed(Open::new(name, "it is gone")) };
    match worker.phase {
        Phase::Ready if worker.generation > generation => Step::Reached,
        Phase::Failed | Phase::Terminating | Phase::Terminated => Step::Failed(Open::of(worker)),
        Phase::Pending
        | Phase::Launching
        | Phase::Booting
        | Phase::Configuring
        | Phase::Ready
        | Phase::Lost
        | Phase::Draining
        | Phase::Rebuilding => Step::Waiting(Open::of(worker)),
    }
}

fn launched(before: &BTreeSet<AgentId>, count: usize, seen: &Seen) -> Stand {
    let new: Vec<&WorkerView> =
        seen.workers.iter().filter(|worker| !before.contains(&worker.agent_id)).collect();
    let ready = new.iter().filter(|worker| worker.phase == Phase::Ready).count();
    let mut stand = Stand { total: count, reached: ready.min(count), ..Stand::default() };
    if ready >= count {
        return stand;
    }
    let others = new.iter().filter(|worker| worker.phase != Phase::Ready);
    stand.waiting.extend(others.map(|worker| Open::of(worker)));
    let coming = new.iter().filter(|worker| worker.phase.is_wanted()).count();
    not_launched(&mut stand, count.saturating_sub(coming), seen);
    stand
}

/// What drains has left its pool's size, unless it comes back rebuilt: only that may be waited for.
fn sized(seen: &Seen) -> Stand {
    let size = seen.pool.as_ref().map_or(0, |pool| pool.size) as usize;
    let of = |is: fn(&&WorkerView) -> bool| seen.workers.iter().filter(is);
    let ready = of(|one| one.phase == Phase::Ready).count();
    let away = of(|one| !matches!(one.phase, Phase::Ready | Phase::Draining));
    let back = of(|one| {
        one.phase == Phase::Draining && matches!(one.after_drain, Some(AfterDrain::Rebuild(_)))
    });
    let counted = of(|one| one.phase.is_wanted()).count();
    let total = size.max(ready + away.clone().count());
    let mut stand = Stand { total, reached: ready.min(size), ..Stand::default() };
    stand.waiting.extend(away.map(Open::of));
    if ready < size {
        stand.waiting.extend(back.clone().map(Open::of));
    }
    if counted > size {
        too_many(&mut stand, counted - size, seen);
    }
    not_launched(&mut stand, size.saturating_sub(counted + back.count()), seen);
    stand
}

/// What a pool lacks and is not launching: it comes, or it does not because of the pool.
fn not_launched(stand: &mut Stand, missing: usize, seen: &Seen) {
    let (Some(pool), 1..) = (&seen.pool, missing) else { return };
    let workers = if missing == 1 { "worker" } else { "workers" };
    let lacks = format!("{missing} {workers} not launched");
    if stuck(stand, pool) {
        return;
    }
    let why = match &pool.breaker {
        Some(breaker) => format!("{lacks}: {breaker}"),
        None => lacks,
    };
    stand.waiting.push(Open::new(format!("pool {}", pool.name), why));
}

/// A pool gives up idle workers only: the others are named.
fn too_many(stand: &mut Stand, more: usize, seen: &Seen) {
    let Some(pool) = &seen.pool else { return };
    if stuck(stand, pool) {
        return;
    }
    let kept = seen.workers.iter().filter(|worker| {
        worker.phase == Phase::Ready && (worker.held || worker.occupancy != Occupancy::Idle)
    });
    let names: Vec<String> = kept.clone().take(NAMED_MAX).map(|one| one.name.to_string()).collect();
    let more_names = if kept.count() > NAMED_MAX { ", ..." } else { "" };
    let why = match names.is_empty() {
        true => format!("{more} more than wanted"),
        false => format!(
            "{more} more than wanted; only idle workers go, and these are busy or held: {}{}",
            names.join(", "),
            more_names
        ),
    };
    stand.waiting.push(Open::new(format!("pool {}", pool.name), why));
}

/// Whether nobody but an operator can bring the pool on.
fn stuck(stand: &mut Stand, pool: &PoolView) -> bool {
    let why = match (pool.frozen, pool.draining) {
        (true, _) => "it is frozen",
        (false, true) => "it drains",
        (false, false) => return false,
    };
    let why = format!("{why}: muster pool thaw {}", pool.name);
    stand.failed.push(Open::new(format!("pool {}", pool.name), why));
    stand.waiting.clear();
    true
}

/// Nothing may be left in the registry, nor in a cloud; a cloud that was not asked may hold all.
fn empty(total: usize, seen: &Seen) -> Stand {
    let mut waiting: Vec<Open> =
        seen.workers.iter().filter(|worker| !worker.phase.is_over()).map(Open::of).collect();
    let known: BTreeSet<String> = waiting.iter().map(|open| open.name.clone()).collect();
    let rows = seen.cloud.iter().flatten().filter(|view| remains(view)).map(left);
    waiting.extend(rows.filter(|open| !known.contains(&open.name)));
    if seen.cloud.is_none() && waiting.is_empty() {
        waiting.push(Open::new("the cloud", "it was not asked yet"));
    }
    let (total, open) = (total.max(waiting.len()), waiting.len());
    Stand { total, reached: total - open, waiting, failed: Vec::new() }
}

/// Whether a row is of a worker that is not over, of a server that is there, or of a cloud that
/// does not answer.
fn remains(view: &CloudView) -> bool {
    let there = view.server.is_some() && view.status.as_deref() != Some(DELETED);
    match (view.phase, &view.server) {
        (Some(phase), _) => there || !phase.is_over(),
        (None, Some(_)) => there,
        (None, None) => true,
    }
}

fn left(view: &CloudView) -> Open {
    let server = view.server.as_ref().map(|server| format!("server {server}"));
    let status = view.status.as_ref().map(|status| format!("is {status}"));
    let place = Some(format!("in {}", view.provider));
    let why = |parts: &[Option<String>]| {
        let some = parts.iter().flatten().map(String::as_str);
        some.collect::<Vec<_>>().join(", ")
    };
    let difference = view.difference.clone();
    match (&view.worker, server) {
        (Some(worker), server) => Open::new(worker, why(&[server, status, place, difference])),
        (None, Some(server)) => Open::new(server, why(&[status, place, difference])),
        (None, None) => Open::new(&view.provider, why(&[status, difference])),
    }
}

/// `draining, busy`, `failed: no room`.
fn state(worker: &WorkerView) -> String {
    let jobs = match (worker.phase, worker.occupancy) {
        (Phase::Draining, Occupancy::Busy) => ", busy",
        (Phase::Draining, Occupancy::Unknown) => ", maybe busy",
        (_, _) => "",
    };
    match (&worker.reason, worker.phase) {
        (Some(reason), Phase::Failed) => format!("failed: {reason}"),
        (_, phase) => format!("{phase}{jobs}"),
    }
}

#[cfg(test)]
mod tests;
