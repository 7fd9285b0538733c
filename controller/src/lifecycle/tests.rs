//! Single steps, and whatever may happen in any order.

#![allow(clippy::unwrap_used, reason = "tests and their helpers")]

use super::*;
use muster_protocol::id::{Generation, Token, random};
use proptest::collection::vec as many;
use proptest::prelude::*;

pub(crate) fn pending() -> Worker {
    let name = "compute-0001".parse().unwrap();
    Worker {
        agent_id: AgentId::new(&name, random()),
        name,
        pool: "compute".parse().unwrap(),
        phase: Phase::Pending,
        reason: None,
        generation: Generation(1),
        bootstrap: Bootstrap { public_key: "U".into(), expires: UnixMillis(1_000) },
        keys: None,
        provider_id: None,
        facts: BTreeMap::new(),
        revision: 0,
        states: None,
        milestones: Milestones::default(),
        since: UnixMillis(0),
        op_id: Token::random(random()),
        history: Vec::new(),
        image: String::new(),
        addresses: Vec::new(),
        occupancy: Occupancy::Unknown,
        held: false,
        after_drain: None,
        failures: None,
        last_ready: None,
        asked: None,
    }
}

fn keys() -> Keys {
    Keys { public_key: "UA".into(), xkey: "X".into(), credential_expires: UnixMillis(9) }
}

fn launched() -> Input {
    Input::LaunchBegins { image: "rocky-9".into() }
}

fn created() -> Input {
    Input::Created { id: "s1".into(), addresses: Vec::new() }
}

fn enrolled() -> Input {
    Input::Enrolled { keys: keys(), facts: BTreeMap::new(), server: None }
}

fn enrolled_on(id: &str) -> Input {
    let server = Some(Place { id: id.to_owned(), addresses: Vec::new() });
    Input::Enrolled { keys: keys(), facts: BTreeMap::new(), server }
}

fn applied(failed: u32) -> Input {
    let outcome = Outcome { total: 3, changed: 3, failed, ..Outcome::default() };
    Input::Applied { outcome, failure: (failed > 0).then(|| "it failed".to_owned()) }
}

fn reborn_input() -> Input {
    let bootstrap = Bootstrap { public_key: "U2".into(), expires: UnixMillis(9) };
    Input::Reborn { agent_id: AgentId::new(&pending().name, random()), bootstrap }
}

fn rebuild_input() -> Input {
    let bootstrap = Bootstrap { public_key: "U3".into(), expires: UnixMillis(9) };
    let agent_id = AgentId::new(&pending().name, random());
    Input::RebuildBegins { agent_id, bootstrap, image: "rocky-10".into() }
}

fn walk(inputs: &[Input]) -> Worker {
    inputs
        .iter()
        .fold(pending(), |worker, input| step(&worker, input, UnixMillis(5)).unwrap_or(worker))
}

fn ready() -> Vec<Input> {
    vec![launched(), created(), enrolled(), applied(0)]
}

fn ready_then(more: &[Input]) -> Worker {
    walk(&[&ready()[..], more].concat())
}

#[test]
fn a_worker_becomes_ready_only_by_a_highstate_without_failures() {
    assert_eq!(walk(&[launched(), created(), enrolled(), applied(1)]).phase, Phase::Configuring);
    let early = walk(&[launched(), enrolled(), created(), applied(0)]);
    assert_eq!((early.phase, early.provider_id.as_deref()), (Phase::Ready, Some("s1")));
}

#[test]
fn a_token_is_refused_twice() {
    let bound = walk(&[launched(), enrolled()]);
    assert!(step(&bound, &enrolled(), UnixMillis(6)).is_err());
}

#[test]
fn of_two_servers_of_a_generation_the_one_that_enrols_is_its() {
    let early = walk(&[launched(), enrolled_on("s2"), created()]);
    assert_eq!((early.phase, early.provider_id.as_deref()), (Phase::Configuring, Some("s2")));
    let late = walk(&[launched(), created()]);
    assert!(step(&late, &enrolled_on("s2"), UnixMillis(6)).is_err());
    assert!(step(&late, &enrolled_on("s1"), UnixMillis(6)).is_ok());
}

/// Guards: a worker that ends before its cloud has answered is looked for, and leaves no orphan.
#[test]
fn what_was_asked_of_a_cloud_is_open_until_it_is_known() {
    let open = |inputs: &[Input]| walk(inputs).asked.is_some();
    let refused = Input::CreateRefused { kind: FailureKind::Cloud, reason: "no".into() };
    let end = Input::Terminate("asked".into());
    assert!(!open(&[]) && open(&[launched()]) && open(&[launched(), end.clone()]));
    assert!(open(&[launched(), enrolled()]), "the cloud was not asked who enrolled");
    for known in [created(), refused, enrolled_on("s1")] {
        assert!(!open(&[launched(), known.clone()]), "{known:?}");
    }
    assert!(!open(&[launched(), end.clone(), created()]));
    assert!(!open(&[launched(), end, Input::Gone, reborn_input()]));
}

#[test]
fn a_drained_worker_moves_on_only_when_it_is_idle() {
    let drain = Input::Drain(AfterDrain::Terminate);
    for occupancy in [Occupancy::Unknown, Occupancy::Busy] {
        let worker = ready_then(&[Input::Occupied(occupancy), drain.clone(), Input::Drained]);
        assert_eq!(worker.phase, Phase::Draining, "{occupancy:?}");
    }
    let idle = ready_then(&[drain.clone(), Input::Occupied(Occupancy::Idle), Input::Drained]);
    assert_eq!(idle.phase, Phase::Terminating);
    let held = [Input::Occupied(Occupancy::Idle), Input::Held(true), drain.clone(), Input::Drained];
    assert_eq!(ready_then(&held).phase, Phase::Draining);
    let back = ready_then(&[drain, Input::Undrain]);
    assert_eq!((back.phase, back.after_drain), (Phase::Ready, None));
}

#[test]
fn a_rebuild_keeps_the_server_and_gives_a_new_identity() {
    let before = ready_then(&[]);
    let after = ready_then(&[
        Input::Drain(AfterDrain::Rebuild(None)),
        Input::Occupied(Occupancy::Idle),
        Input::Drained,
        rebuild_input(),
        Input::Rebuilt,
    ]);
    assert_eq!((after.phase, after.provider_id), (Phase::Booting, before.provider_id));
    assert!(after.agent_id != before.agent_id && after.keys.is_none());
    assert_eq!(after.generation, Generation(before.generation.0 + 1));
    assert_eq!(after.occupancy, Occupancy::Unknown);
}

#[test]
fn failures_are_counted_over_lives_until_a_life_succeeds() {
    let late = Input::TimedOut("late".into());
    let twice = [launched(), late.clone(), Input::Gone, reborn_input(), launched(), late];
    assert_eq!(walk(&twice).failures.unwrap().count, 2);
    let again = [&twice[..], &[Input::Gone, reborn_input()], &ready()[..]].concat();
    assert_eq!(walk(&again).failures, None);
}

#[test]
fn scaling_down_passes_over_what_may_have_jobs_or_is_held() {
    let idle = Input::Occupied(Occupancy::Idle);
    let scaled = |more: &[Input]| ready_then(&[more, &[Input::ScaledDown]].concat()).phase;
    assert_eq!(scaled(std::slice::from_ref(&idle)), Phase::Terminating);
    assert_eq!(scaled(&[]), Phase::Ready);
    assert_eq!(scaled(&[Input::Occupied(Occupancy::Busy)]), Phase::Ready);
    assert_eq!(scaled(&[idle, Input::Held(true)]), Phase::Ready);
    assert_eq!(walk(&[launched(), Input::ScaledDown]).phase, Phase::Terminating);
}

fn any_input() -> impl Strategy<Value = Input> {
    let fresh = |make: fn() -> Input| Just(()).prop_map(move |()| make());
    prop_oneof![
        fresh(reborn_input),
        fresh(rebuild_input),
        fresh(launched),
        fresh(created),
        fresh(enrolled),
        Just(Input::CreateRefused { kind: FailureKind::Capacity, reason: "no room".into() }),
        Just(Input::ServerFailed { kind: FailureKind::Cloud, reason: "no host".into() }),
        Just(Input::Suspect("two keys".into())),
        Just(applied(0)),
        Just(applied(1)),
        Just(Input::Heard),
        Just(Input::Silent),
        Just(Input::Occupied(Occupancy::Idle)),
        Just(Input::Occupied(Occupancy::Busy)),
        Just(Input::Held(true)),
        Just(Input::Drain(AfterDrain::Stay)),
        Just(Input::Drain(AfterDrain::Terminate)),
        Just(Input::Drain(AfterDrain::Rebuild(None))),
        Just(Input::Undrain),
        Just(Input::Drained),
        Just(Input::Rebuilt),
        Just(Input::RebuildRefused("no image".into())),
        Just(Input::Terminate("asked".into())),
        Just(Input::ScaledDown),
        Just(Input::TimedOut("late".into())),
        Just(Input::Gone),
    ]
}

fn holds(before: &Worker, input: &Input, after: &Worker) -> Result<(), TestCaseError> {
    // A generation is bound to one pair of keys for ever; a new life has none, and a new id.
    let same = after.generation == before.generation;
    prop_assert!(!same || before.keys.is_none() || after.keys == before.keys);
    prop_assert!(same || (after.keys.is_none() && after.agent_id != before.agent_id));
    // Nobody works unbound or unconfigured.
    if matches!(after.phase, Phase::Ready | Phase::Lost | Phase::Draining) {
        prop_assert!(after.keys.is_some() && after.milestones.configured.is_some());
    }
    // A server is forgotten only in a new life, which begins when the old one's is gone.
    let forgot = before.provider_id.is_some() && after.provider_id.is_none();
    prop_assert!(!forgot || matches!(before.phase, Phase::Terminated | Phase::Pending));
    // The end is the end, and what had a server goes through its removal.
    prop_assert!(before.phase != Phase::Terminated || !same || after == before);
    if after.phase == Phase::Terminated && before.phase != after.phase {
        prop_assert!(matches!(before.phase, Phase::Terminating | Phase::Failed));
    }
    // Drained and rebuilt is only what is idle.
    if matches!(input, Input::Drained) {
        prop_assert!(before.occupancy == Occupancy::Idle && !before.held);
    }
    Ok(())
}

proptest! {
    #[test]
    fn whatever_happens_the_invariants_hold(inputs in many(any_input(), 0..60)) {
        let mut worker = pending();
        for (at, input) in inputs.iter().enumerate() {
            let now = UnixMillis(i64::try_from(at).unwrap());
            let Ok(next) = step(&worker, input, now) else { continue };
            holds(&worker, input, &next)?;
            worker = next;
        }
    }
}
