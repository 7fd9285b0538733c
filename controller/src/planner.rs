//! What a pool needs, as a pure function: `plan(pool, workers, now) -> changes`.
//!
//! A pool launches what it lacks, bounded, and with a pause after failures. It gives up what it has
//! too many of only where no job can run yet: a ready worker may be busy as long as nothing says
//! otherwise, and is removed by name only.

use muster_protocol::id::{UnixMillis, WorkerName};
use muster_protocol::worker::{Phase, Worker};

/// The pause after one failure; it doubles with each further one in a row.
pub const FAILURE_PAUSE_MILLIS: i64 = 5_000;
/// The longest pause.
pub const FAILURE_PAUSE_MILLIS_MAX: i64 = 600_000;
/// Failures further back than this do not count.
const FAILURE_MEMORY_MILLIS: i64 = 1_800_000;

/// A pool's wishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its size.
    pub size: u32,
    /// Launches under way at once.
    pub launches_max: u32,
}

/// What to change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Workers to launch.
    pub launch: u32,
    /// Workers to terminate.
    pub terminate: Vec<WorkerName>,
    /// Launches wait until then, because the last ones failed.
    pub paused_until: Option<UnixMillis>,
}

/// What a pool's workers need to become what is wanted.
pub fn plan<'a>(
    wanted: Wanted,
    workers: impl Iterator<Item = &'a Worker> + Clone,
    now: UnixMillis,
) -> Plan {
    let counted = workers.clone().filter(|worker| worker.phase.is_wanted());
    let have = u32::try_from(counted.clone().count()).unwrap_or(u32::MAX);
    if have > wanted.size {
        return Plan { terminate: spare(counted, have - wanted.size), ..Plan::default() };
    }
    let under_way = workers.clone().filter(|worker| is_under_way(worker.phase)).count();
    let under_way = u32::try_from(under_way).unwrap_or(u32::MAX);
    let paused_until = pause(workers).filter(|until| *until > now);
    let room = wanted.launches_max.saturating_sub(under_way);
    // After failures one launch at a time is a probe.
    let launch = match paused_until {
        Some(_) => 0,
        None => (wanted.size - have).min(room),
    };
    Plan { launch, terminate: Vec::new(), paused_until }
}

fn is_under_way(phase: Phase) -> bool {
    matches!(phase, Phase::Pending | Phase::Launching | Phase::Booting)
}

/// The newest of those that cannot have jobs yet.
fn spare<'a>(counted: impl Iterator<Item = &'a Worker>, too_many: u32) -> Vec<WorkerName> {
    let idle = |phase| is_under_way(phase) || phase == Phase::Configuring;
    let mut spare: Vec<&Worker> = counted.filter(|worker| idle(worker.phase)).collect();
    spare.sort_by_key(|worker| std::cmp::Reverse(worker.milestones.launched));
    spare.into_iter().take(too_many as usize).map(|worker| worker.name.clone()).collect()
}

/// When the pool may launch again, after the failures since its last success.
fn pause<'a>(workers: impl Iterator<Item = &'a Worker> + Clone) -> Option<UnixMillis> {
    let last_success = workers.clone().filter_map(|worker| worker.milestones.ready).max();
    let failed = workers.filter_map(failed_at).filter(|at| Some(*at) > last_success);
    let mut failed: Vec<UnixMillis> = failed.collect();
    failed.sort_unstable();
    let last = *failed.last()?;
    failed.retain(|at| last.since(*at) < FAILURE_MEMORY_MILLIS);
    let doublings = u32::try_from(failed.len() - 1).unwrap_or(u32::MAX).min(16);
    Some(last.plus((FAILURE_PAUSE_MILLIS << doublings).min(FAILURE_PAUSE_MILLIS_MAX)))
}

/// When a worker failed before it was ever ready; terminated ones remember it by their history.
fn failed_at(worker: &Worker) -> Option<UnixMillis> {
    if worker.milestones.ready.is_some() {
        return None;
    }
    let failed = worker.history.iter().rev().find(|(_, text)| text.starts_with("failed"));
    failed.map(|(at, _)| *at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifecycle::tests::pending;

    fn worker(number: u32, phase: Phase) -> Worker {
        let mut worker = pending();
        worker.name = format!("compute-{number:04}").parse().unwrap();
        worker.phase = phase;
        worker.milestones.launched = Some(UnixMillis(i64::from(number)));
        worker
    }

    const NOW: UnixMillis = UnixMillis(1_000_000);

    fn wanted(size: u32) -> Wanted {
        Wanted { size, launches_max: 4 }
    }

    #[test]
    fn a_pool_launches_what_it_lacks_within_its_bound() {
        let have =
            [worker(1, Phase::Ready), worker(2, Phase::Booting), worker(3, Phase::Terminating)];
        assert_eq!(plan(wanted(3), have.iter(), NOW).launch, 1);
        assert_eq!(plan(wanted(30), have.iter(), NOW).launch, 3);
    }

    #[test]
    fn a_stuck_launch_does_not_block_the_others() {
        let have = [worker(1, Phase::Booting)];
        assert_eq!(plan(wanted(3), have.iter(), NOW).launch, 2);
    }

    #[test]
    fn scaling_down_removes_only_what_cannot_have_jobs() {
        let have = [worker(1, Phase::Ready), worker(2, Phase::Booting), worker(3, Phase::Pending)];
        let names = plan(wanted(0), have.iter(), NOW).terminate;
        let names: Vec<&str> = names.iter().map(WorkerName::as_str).collect();
        assert_eq!(names, ["compute-0003", "compute-0002"]);
    }

    #[test]
    fn failures_make_a_pause_that_grows_and_ends() {
        let mut failed: Vec<Worker> =
            (1..=3).map(|number| worker(number, Phase::Terminated)).collect();
        for worker in &mut failed {
            worker.history.push((NOW, "failed: no room".into()));
        }
        let until = plan(wanted(1), failed.iter(), NOW).paused_until.unwrap();
        assert_eq!(until.since(NOW), FAILURE_PAUSE_MILLIS * 4);
        assert_eq!(plan(wanted(1), failed.iter(), NOW).launch, 0);
        assert_eq!(plan(wanted(1), failed.iter(), until).launch, 1);
    }
}
