//! Each goal on each way to it.

use super::*;
use crate::command::pool::example as pool;
use crate::command::worker::example;
use muster_protocol::worker::AfterDrain;

const CLOUD: &str = "the cloud: nothing is known of it";

fn worker(name: &str, generation: u32, phase: Phase) -> WorkerView {
    let mut worker = example();
    worker.name = name.parse().unwrap();
    worker.generation = Generation(generation);
    worker.agent_id = AgentId::new(&worker.name, [u8::try_from(generation).unwrap(); 12]);
    worker.phase = phase;
    worker
}

fn seen(workers: Vec<WorkerView>) -> Seen {
    Seen { workers, pool: Some(pool()), cloud: None }
}

fn told(opens: &[Open]) -> Vec<String> {
    opens.iter().map(|open| format!("{}: {}", open.name, open.why)).collect()
}

fn lives() -> Lives {
    [("a", 1), ("b", 1), ("c", 1)]
        .map(|(name, generation)| (name.parse().unwrap(), Generation(generation)))
        .into()
}

#[test]
fn gone_is_what_is_absent_terminated_or_in_a_newer_life() {
    let mut failed = worker("c", 1, Phase::Failed);
    failed.reason = Some("no room".into());
    let now = seen(vec![
        worker("a", 2, Phase::Pending),
        worker("b", 1, Phase::Terminating),
        failed,
        worker("other", 1, Phase::Ready),
    ]);
    let stand = Goal::Gone(lives()).judge(&now);
    assert_eq!((stand.total, stand.reached), (3, 1));
    assert_eq!(told(&stand.waiting), ["b: terminating", "c: failed: no room"]);
    let later = seen(vec![worker("b", 1, Phase::Terminated)]);
    assert!(Goal::Gone(lives()).judge(&later).is_over());
}

#[test]
fn rebuilt_is_what_is_ready_in_a_newer_life() {
    let mut busy = worker("a", 1, Phase::Draining);
    busy.occupancy = Occupancy::Busy;
    let now = seen(vec![busy, worker("b", 2, Phase::Ready), worker("c", 2, Phase::Failed)]);
    let stand = Goal::Rebuilt(lives()).judge(&now);
    assert_eq!(told(&stand.waiting), ["a: draining, busy"]);
    assert_eq!((stand.reached, told(&stand.failed)), (1, vec!["c: failed".to_owned()]));
    let early = seen(vec![worker("a", 1, Phase::Ready)]);
    let stand = Goal::Rebuilt(lives()).judge(&early);
    assert_eq!((stand.waiting.len(), stand.failed.len()), (1, 2), "b and c are gone");
}

#[test]
fn launched_is_what_was_not_there_before_and_is_ready() {
    let old = worker("a", 1, Phase::Ready);
    let before = BTreeSet::from([old.agent_id.clone()]);
    let goal = Goal::Launched { pool: "compute".parse().unwrap(), before, count: 2 };
    let mut now = seen(vec![old, worker("b", 1, Phase::Booting)]);
    let waiting = told(&goal.judge(&now).waiting);
    assert_eq!(waiting, ["b: booting", "pool compute: 1 worker not launched"]);
    now.pool.as_mut().unwrap().breaker = Some("the quota is full; again in 2 min".into());
    let waiting = told(&goal.judge(&now).waiting);
    assert!(waiting[1].ends_with("not launched: the quota is full; again in 2 min"), "{waiting:?}");
    now.workers[1].phase = Phase::Ready;
    now.workers.push(worker("c", 1, Phase::Ready));
    // Whatever else is under way is somebody else's.
    now.workers.push(worker("d", 1, Phase::Booting));
    let stand = goal.judge(&now);
    assert_eq!((stand.is_over(), stand.reached), (true, 2));
}

#[test]
fn a_pool_has_its_size_when_all_are_ready_and_none_too_many() {
    let goal = Goal::Sized("compute".parse().unwrap());
    let ready = |name| worker(name, 1, Phase::Ready);
    let leaving = worker("leaving", 1, Phase::Draining);
    let mut now = seen(vec![ready("a"), ready("b"), ready("c"), leaving]);
    assert!(goal.judge(&now).is_over());
    now.workers.push(worker("d", 1, Phase::Terminating));
    assert_eq!(told(&goal.judge(&now).waiting), ["d: terminating"]);
    now.workers[4] = ready("d");
    now.workers[0].occupancy = Occupancy::Busy;
    let expected = "pool compute: 1 more than wanted; only idle workers go, and these are busy \
                    or held: a";
    let stand = goal.judge(&now);
    assert_eq!(told(&stand.waiting), [expected]);
    assert_eq!((stand.total, stand.reached), (4, 3));
    now.workers.truncate(1);
    let mut back = worker("back", 1, Phase::Draining);
    back.after_drain = Some(AfterDrain::Rebuild(None));
    now.workers.push(back);
    let expected = ["back: draining", "pool compute: 1 worker not launched"];
    assert_eq!(told(&goal.judge(&now).waiting), expected);
    now.workers.truncate(1);
    assert_eq!(told(&goal.judge(&now).waiting), ["pool compute: 2 workers not launched"]);
}

#[test]
fn a_pool_that_is_frozen_is_not_waited_for() {
    let goal = Goal::Sized("compute".parse().unwrap());
    let mut now = seen(vec![worker("a", 1, Phase::Booting)]);
    now.pool.as_mut().unwrap().frozen = true;
    let stand = goal.judge(&now);
    assert!(stand.is_over());
    assert_eq!(told(&stand.failed), ["pool compute: it is frozen: muster pool thaw compute"]);
}

#[test]
fn nothing_is_left_only_when_the_cloud_says_so_too() {
    let names = ["a", "b", "c"].map(|name| name.parse().unwrap());
    let goal = Goal::Empty(names.into());
    assert_eq!(told(&goal.unseen().waiting)[2..], ["c: nothing is known of it", CLOUD]);
    assert_eq!(told(&Goal::Empty(Vec::new()).unseen().waiting), [CLOUD]);
    let mut now = seen(vec![worker("a", 1, Phase::Terminating)]);
    let stand = goal.judge(&now);
    assert_eq!((stand.total, stand.reached), (3, 2));
    now.workers.clear();
    assert_eq!(told(&goal.judge(&now).waiting), ["the cloud: it was not asked yet"]);
    let row = |worker: Option<&str>, phase, server: Option<&str>| CloudView {
        provider: "nova".into(),
        worker: worker.map(|name| name.parse().unwrap()),
        phase,
        server: server.map(str::to_owned),
        status: server.map(|_| "ACTIVE".to_owned()),
        difference: None,
    };
    now.cloud = Some(vec![
        row(Some("a"), Some(Phase::Terminated), None),
        row(None, None, Some("5f")),
        row(Some("b"), Some(Phase::Terminated), Some("60")),
        CloudView { difference: Some("it cannot be asked".into()), ..row(None, None, None) },
    ]);
    let expected = [
        "server 5f: is ACTIVE, in nova",
        "b: server 60, is ACTIVE, in nova",
        "nova: it cannot be asked",
    ];
    assert_eq!(told(&goal.judge(&now).waiting), expected);
    let mut deleted = row(None, None, Some("61"));
    deleted.status = Some("deleted".into());
    now.cloud = Some(vec![row(Some("a"), Some(Phase::Terminated), None), deleted]);
    assert!(goal.judge(&now).is_over());
}
