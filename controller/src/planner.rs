//! What a pool needs, as a pure function: `plan(pool, workers, now) -> plan`.
//!
//! A pool launches what it lacks, bounded. Failures in a row open its breaker: a pause that
//! doubles, then one launch at a time as a probe, until one succeeds. It gives up only what no job
//! can run on: what is not ready yet, and what is idle; never what is busy, held, or nobody knows
//! of.

use crate::lifecycle::is_spare;
use muster_protocol::id::{UnixMillis, WorkerName};
use muster_protocol::worker::{AfterDrain, FailureKind, Phase, PoolState, Worker};

/// Failures in a row that open the breaker, unless the cloud has no room: then one is enough.
pub const FAILURES_MAX: u32 = 3;
/// The first pause after the breaker opened; it doubles with each further failure.
pub const PAUSE_MILLIS_FIRST: i64 = 30_000;
/// The pause between failures before the breaker opens.
pub const PAUSE_MILLIS_SHORT: i64 = 2_000;
/// The longest pause.
pub const PAUSE_MILLIS_MAX: i64 = 1_800_000;
/// Failures further back than this do not count.
pub const FAILURE_MEMORY_MILLIS: i64 = 2 * PAUSE_MILLIS_MAX;

/// A pool's wishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its size.
    pub size: u32,
    /// Launches under way at once.
    pub launches_max: u32,
    /// Nothing is launched or removed.
    pub frozen: bool,
    /// All drain and go.
    pub draining: bool,
}

impl Wanted {
    /// What a pool's document and its configuration say.
    #[must_use]
    pub fn of(state: &PoolState, min: u32, max: u32, launches_max: u32) -> Wanted {
        let size = state.size.clamp(min, max);
        let PoolState { frozen, draining, .. } = *state;
        Wanted { size: if draining { 0 } else { size }, launches_max, frozen, draining }
    }
}

/// A breaker that is not closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breaker {
    /// Nothing is launched until then; afterwards one at a time, until one succeeds.
    pub until: UnixMillis,
    /// How many failures in a row.
    pub failures: u32,
    /// The last one's kind.
    pub kind: FailureKind,
    /// The last one's reason.
    pub reason: String,
}

/// What to change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Workers to launch.
    pub launch: u32,
    /// Workers to terminate, on which no job can run.
    pub terminate: Vec<WorkerName>,
    /// Workers that shall take no more jobs, and go when they have none.
    pub drain: Vec<WorkerName>,
}

/// What a pool's workers need to become what is wanted.
#[must_use]
pub fn plan(wanted: Wanted, workers: &[&Worker], now: UnixMillis) -> Plan {
    if wanted.frozen {
        return Plan::default();
    }
    let counted: Vec<&Worker> = workers.iter().copied().filter(|worker| counts(worker)).collect();
    let have = count(&counted);
    if have > wanted.size {
        let drain = if wanted.draining { drainable(&counted) } else { Vec::new() };
        return Plan { terminate: spare(&counted, have - wanted.size), drain, launch: 0 };
    }
    let under_way = workers.iter().filter(|worker| is_under_way(worker.phase)).count();
    let under_way = u32::try_from(under_way).unwrap_or(u32::MAX);
    let room = match breaker(workers, now) {
        Some(breaker) if breaker.until > now => 0,
        // The pause is over: one launch at a time is a probe.
        Some(breaker) if breaker.is_open() => 1,
        _ => wanted.launches_max,
    };
    let launch = (wanted.size - have).min(room.saturating_sub(under_way));
    Plan { launch, ..Plan::default() }
}

impl Breaker {
    /// Whether launches are probes; before, failures only make short pauses.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.kind == FailureKind::Capacity || self.failures >= FAILURES_MAX
    }
}

/// The breaker of a pool, if its newest launches have failed.
#[must_use]
pub fn breaker(workers: &[&Worker], now: UnixMillis) -> Option<Breaker> {
    let success = workers.iter().filter_map(|worker| worker.last_ready).max();
    let recent = workers.iter().filter_map(|worker| worker.failures.as_ref()).filter(|failures| {
        Some(failures.at) > success && now.since(failures.at) < FAILURE_MEMORY_MILLIS
    });
    // What was there and is gone says nothing about the next launch.
    let counted = recent.filter(|failures| failures.kind != FailureKind::Gone);
    let all: Vec<_> = counted.collect();
    let last = all.iter().max_by_key(|failures| failures.at)?;
    let failures = all.iter().map(|failures| failures.count).sum();
    // Launches that failed side by side are one failure more, as a probe is: a probe takes the
    // first name that is free again, so its failures are counted there.
    let in_turn = all.iter().map(|failures| failures.count).max().unwrap_or_default();
    let breaker =
        Breaker { until: last.at, failures, kind: last.kind, reason: last.reason.clone() };
    let pause = if breaker.is_open() {
        let beyond = match last.kind {
            FailureKind::Capacity => in_turn.saturating_sub(1),
            _ => in_turn.saturating_sub(FAILURES_MAX),
        };
        (PAUSE_MILLIS_FIRST << beyond.min(16)).min(PAUSE_MILLIS_MAX)
    } else {
        PAUSE_MILLIS_SHORT
    };
    Some(Breaker { until: last.at.plus(pause), ..breaker })
}

/// Whether a worker counts to its pool's size; one that drains and comes back does.
fn counts(worker: &Worker) -> bool {
    let leaves = worker.after_drain == Some(AfterDrain::Terminate);
    worker.phase.is_wanted() || (worker.phase == Phase::Draining && !leaves)
}

fn count(workers: &[&Worker]) -> u32 {
    u32::try_from(workers.len()).unwrap_or(u32::MAX)
}

fn is_under_way(phase: Phase) -> bool {
    matches!(phase, Phase::Pending | Phase::Launching | Phase::Booting)
}

/// Those on which no job can run, the newest first; what is not ready before what is idle.
fn spare(counted: &[&Worker], too_many: u32) -> Vec<WorkerName> {
    let early = |worker: &Worker| is_under_way(worker.phase) || worker.phase == Phase::Configuring;
    let mut spare: Vec<&&Worker> = counted.iter().filter(|worker| is_spare(worker)).collect();
    spare.sort_by_key(|worker| (!early(worker), std::cmp::Reverse(worker.milestones.launched)));
    spare.into_iter().take(too_many as usize).map(|worker| worker.name.clone()).collect()
}

/// All of a pool that drains, but those that an operator holds.
fn drainable(counted: &[&Worker]) -> Vec<WorkerName> {
    let ready = |worker: &&&Worker| {
        let stays = worker.after_drain != Some(AfterDrain::Terminate);
        !worker.held && stays && matches!(worker.phase, Phase::Ready | Phase::Lost)
    };
    counted.iter().filter(ready).map(|worker| worker.name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifecycle::tests::pending;
    use muster_protocol::worker::{Failures, Occupancy};

    const NOW: UnixMillis = UnixMillis(10_000_000);

    fn worker(number: u32, phase: Phase) -> Worker {
        let mut worker = pending();
        worker.name = format!("compute-{number:04}").parse().unwrap();
        worker.phase = phase;
        worker.milestones.launched = Some(UnixMillis(i64::from(number)));
        worker
    }

    fn failed(number: u32, count: u32, kind: FailureKind) -> Worker {
        let failures = Failures { count, at: NOW, kind, reason: "no room".into() };
        Worker { failures: Some(failures), ..worker(number, Phase::Terminated) }
    }

    fn wanted(size: u32) -> Wanted {
        Wanted { size, launches_max: 4, frozen: false, draining: false }
    }

    fn made(wanted: Wanted, workers: &[Worker], now: UnixMillis) -> Plan {
        plan(wanted, &workers.iter().collect::<Vec<_>>(), now)
    }

    fn names(names: &[WorkerName]) -> Vec<&str> {
        names.iter().map(WorkerName::as_str).collect()
    }

    #[test]
    fn a_pool_launches_what_it_lacks_within_its_bound() {
        let have =
            [worker(1, Phase::Ready), worker(2, Phase::Booting), worker(3, Phase::Terminating)];
        assert_eq!(made(wanted(3), &have, NOW).launch, 1);
        assert_eq!(made(wanted(30), &have, NOW).launch, 3);
        assert_eq!(made(Wanted { frozen: true, ..wanted(30) }, &have, NOW), Plan::default());
    }

    #[test]
    fn a_stuck_launch_does_not_block_the_others() {
        assert_eq!(made(wanted(3), &[worker(1, Phase::Booting)], NOW).launch, 2);
    }

    #[test]
    fn scaling_down_removes_only_what_cannot_have_jobs() {
        let mut have: Vec<Worker> = (1..=6).map(|number| worker(number, Phase::Ready)).collect();
        have[0].phase = Phase::Booting;
        have[1].occupancy = Occupancy::Idle;
        have[2].occupancy = Occupancy::Busy;
        (have[3].occupancy, have[3].held) = (Occupancy::Idle, true);
        have[4].occupancy = Occupancy::Idle;
        let plan = made(wanted(0), &have, NOW);
        assert_eq!(names(&plan.terminate), ["compute-0001", "compute-0005", "compute-0002"]);
        assert_eq!(names(&made(wanted(5), &have, NOW).terminate), ["compute-0001"]);
    }

    #[test]
    fn a_pool_that_drains_drains_all_but_what_is_held() {
        let mut have = [worker(1, Phase::Ready), worker(2, Phase::Ready)];
        have[1].held = true;
        let draining = Wanted { draining: true, ..wanted(0) };
        assert_eq!(names(&made(draining, &have, NOW).drain), ["compute-0001"]);
    }

    #[test]
    fn no_room_opens_the_breaker_at_once_and_a_probe_follows_the_pause() {
        let have = [failed(1, 1, FailureKind::Capacity)];
        assert_eq!(made(wanted(9), &have, NOW.plus(PAUSE_MILLIS_FIRST - 1)).launch, 0);
        assert_eq!(made(wanted(9), &have, NOW.plus(PAUSE_MILLIS_FIRST)).launch, 1);
        let probing = [failed(1, 1, FailureKind::Capacity), worker(2, Phase::Launching)];
        assert_eq!(made(wanted(9), &probing, NOW.plus(PAUSE_MILLIS_FIRST)).launch, 0);
    }

    #[test]
    fn the_pause_doubles_up_to_a_limit_and_a_success_closes_the_breaker() {
        let until = |count| {
            let worker = failed(1, count, FailureKind::Boot);
            breaker(&[&worker], NOW).unwrap().until.since(NOW)
        };
        assert_eq!((until(1), until(2)), (PAUSE_MILLIS_SHORT, PAUSE_MILLIS_SHORT));
        assert_eq!((until(3), until(5)), (PAUSE_MILLIS_FIRST, PAUSE_MILLIS_FIRST * 4));
        assert_eq!(until(60), PAUSE_MILLIS_MAX);
        let side_by_side: Vec<Worker> =
            (1..=200).map(|n| failed(n, 1, FailureKind::Cloud)).collect();
        let all: Vec<&Worker> = side_by_side.iter().collect();
        assert_eq!(breaker(&all, NOW).unwrap().until.since(NOW), PAUSE_MILLIS_FIRST);
        let success = Worker { last_ready: Some(NOW.plus(1)), ..worker(2, Phase::Ready) };
        assert_eq!(breaker(&[&failed(1, 9, FailureKind::Boot), &success], NOW.plus(2)), None);
    }
}
