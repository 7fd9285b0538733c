//! Whatever happens, in whatever order: the controller's real parts over a cloud that fails and
//! lies, ways that lose and delay, and processes that die; the invariants hold after every step.
//!
//! There is no clock, no network and no chance beside the seed: tokio's paused time moves when
//! nobody has anything to do. A plan that fails is shrunk and kept in `proptest-regressions`.
//! More runs: `MUSTER_SIMULATION_CASES=2000 cargo test -p muster-controller --test simulation`.

#![allow(clippy::unwrap_used, reason = "tests and their helpers")]

#[path = "simulation/clouds.rs"]
mod clouds;
#[path = "simulation/dice.rs"]
mod dice;
#[path = "simulation/judge.rs"]
mod judge;
#[path = "simulation/machines.rs"]
mod machines;
#[path = "simulation/net.rs"]
mod net;
#[path = "simulation/plan.rs"]
mod plan;
#[path = "simulation/seat.rs"]
mod seat;
#[path = "simulation/store.rs"]
mod store;
#[path = "simulation/world.rs"]
mod world;

use plan::{Plan, Step};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{FileFailurePersistence, TestRunner};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// How many plans are tried unless `MUSTER_SIMULATION_CASES` says it.
const CASES: u32 = 64;

/// How many plans are run twice.
const SAME: usize = 6;
/// For how long a plan that fails is shrunk.
const SHRINK_MILLIS: u32 = 30_000;
/// The plans that once failed, as proptest keeps them; tried first.
const REGRESSIONS: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/proptest-regressions/simulation.txt");

/// Does what a plan says, on paused time.
fn run(plan: &Plan) -> Result<BTreeMap<&'static str, u64>, String> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(Box::pin(act(plan)))
}

async fn act(plan: &Plan) -> Result<BTreeMap<&'static str, u64>, String> {
    let world = world::World::new(plan.seed, plan.controllers);
    let judge = &world.shared.judge;
    world.step(&Step::Wait(5)).await;
    world.step(&Step::Scale(plan.first)).await;
    for step in &plan.steps {
        world.step(step).await;
        world::wait(world.shared.dice.millis(0, 8_000)).await;
        judge.verdict()?;
    }
    world.settle(plan.last).await?;
    world.end();
    Ok(judge.tally())
}

fn config() -> ProptestConfig {
    let cases = std::env::var("MUSTER_SIMULATION_CASES").ok().and_then(|text| text.parse().ok());
    ProptestConfig {
        cases: cases.unwrap_or(CASES),
        max_shrink_iters: 400,
        max_shrink_time: SHRINK_MILLIS,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(REGRESSIONS))),
        ..ProptestConfig::default()
    }
}

#[test]
fn whatever_happens_the_invariants_hold_and_all_becomes_as_it_is_wanted() {
    let tally: Mutex<BTreeMap<&str, u64>> = Mutex::default();
    proptest!(config(), |(plan in plan::any_plan())| {
        match run(&plan) {
            Ok(counts) => {
                let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
                for (what, count) in counts {
                    *tally.entry(what).or_default() += count;
                }
            }
            Err(why) => return Err(TestCaseError::fail(format!("seed {}:\n{why}", plan.seed))),
        }
    });
    println!("{:?}", tally.lock().unwrap_or_else(PoisonError::into_inner));
}

#[test]
fn a_plan_runs_the_same_each_time() {
    let mut runner = TestRunner::deterministic();
    for _ in 0..SAME {
        let plan = plan::any_plan().new_tree(&mut runner).unwrap().current();
        assert_eq!(run(&plan), run(&plan), "seed {}", plan.seed);
    }
}
