//! `muster pool`: pools, their size, and what operators say of them.

use super::Caller;
use crate::command::wait::{Goal, Wait};
use crate::failure::{Exit, Result};
use crate::output::{Cell, Style, Table, clean, note};
use muster_protocol::api::{PoolList, PoolMark, PoolMarking, PoolScale, PoolView};
use muster_protocol::id::PoolName;
use muster_protocol::worker::Phase;
use std::collections::BTreeMap;

/// What to do with pools.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Show the pools with their sizes, their state, and why one launches nothing
    List,
    /// Set the size of a pool: workers are launched, or idle ones removed, until it has it
    Scale {
        /// The pool
        pool: PoolName,
        /// How many workers it shall have
        size: u32,
        #[command(flatten)]
        wait: Wait,
    },
    /// Stop a pool's coming and going: nothing is launched or removed
    Freeze {
        /// The pool
        pool: PoolName,
    },
    /// Let a pool go on that is frozen or drains
    Thaw {
        /// The pool
        pool: PoolName,
    },
    /// Drain all workers of a pool; each goes when no job runs on it
    Drain {
        /// The pool
        pool: PoolName,
    },
}

/// Does it.
pub(crate) async fn run(command: &Command, caller: &Caller) -> Result<Exit> {
    match command {
        Command::List => list(caller).await,
        Command::Scale { pool, size, wait } => scale(pool, *size, wait, caller).await,
        Command::Freeze { pool } => mark(pool, PoolMarking::Freeze, caller).await,
        Command::Thaw { pool } => mark(pool, PoolMarking::Thaw, caller).await,
        Command::Drain { pool } => mark(pool, PoolMarking::Drain, caller).await,
    }
}

async fn list(caller: &Caller) -> Result<Exit> {
    let session = caller.connect().await?;
    let pools = session.ask(&PoolList {}).await?;
    show(&pools, &pools, caller)?;
    session.close().await;
    Ok(Exit::Ok)
}

async fn scale(pool: &PoolName, size: u32, wait: &Wait, caller: &Caller) -> Result<Exit> {
    let session = caller.connect().await?;
    let view = session.ask(&PoolScale { pool: pool.clone(), size }).await?;
    let table = || table(std::slice::from_ref(&view));
    let goal = Goal::Sized(pool.clone());
    let exit = wait.end(&session, caller, goal, &view, table).await?;
    if !wait.wait {
        tell_breakers(std::slice::from_ref(&view), caller);
    }
    session.close().await;
    Ok(exit)
}

async fn mark(pool: &PoolName, mark: PoolMarking, caller: &Caller) -> Result<Exit> {
    let session = caller.connect().await?;
    let view = session.ask(&PoolMark { pool: pool.clone(), mark }).await?;
    show(&view, std::slice::from_ref(&view), caller)?;
    session.close().await;
    Ok(Exit::Ok)
}

fn show(value: &impl serde::Serialize, pools: &[PoolView], caller: &Caller) -> Result<()> {
    caller.output.show(value, || table(pools))?;
    tell_breakers(pools, caller);
    Ok(())
}

/// A breaker's words need more room than a column has: they follow the table.
pub(crate) fn tell_breakers(pools: &[PoolView], caller: &Caller) {
    for pool in pools.iter().filter(|_| caller.output.is_table()) {
        if let Some(breaker) = &pool.breaker {
            note(&format!("{}: {}", pool.name, clean(breaker)));
        }
    }
}

/// Pools as a table.
pub(crate) fn table(pools: &[PoolView]) -> Table {
    let mut table = Table::new(&[
        "POOL", "PROVIDER", "PRIO", "MIN", "MAX", "WANTED", "STATE", "IMAGE", "WORKERS",
    ]);
    for pool in pools {
        let image = Some(&pool.image).filter(|image| !image.is_empty());
        table.row([
            Cell::text(&pool.name),
            Cell::text(&pool.provider),
            Cell::number(pool.priority),
            Cell::number(pool.min),
            Cell::number(pool.max),
            Cell::number(pool.size),
            state(pool),
            Cell::maybe(image),
            Cell::text(phases(&pool.phases)),
        ]);
    }
    table
}

/// What keeps the pool from its size.
fn state(pool: &PoolView) -> Cell {
    let words = [
        pool.frozen.then_some("frozen"),
        pool.draining.then_some("draining"),
        pool.breaker.is_some().then_some("failing"),
    ];
    let words: Vec<&str> = words.into_iter().flatten().collect();
    match (words.is_empty(), &pool.breaker) {
        (true, _) => Cell::text("ok"),
        (false, None) => Cell::text(words.join(", ")).styled(Style::Busy),
        (false, Some(_)) => Cell::text(words.join(", ")).styled(Style::Bad),
    }
}

/// `2 ready, 1 booting`: workers by phase.
pub(crate) fn phases(phases: &BTreeMap<Phase, u32>) -> String {
    let some = phases.iter().filter(|(_, count)| **count > 0);
    let texts: Vec<String> = some.map(|(phase, count)| format!("{count} {phase}")).collect();
    if texts.is_empty() { "none".to_owned() } else { texts.join(", ") }
}

/// A pool for tests.
#[cfg(test)]
pub(crate) fn example() -> PoolView {
    PoolView {
        name: "compute".parse().unwrap(),
        provider: "nova".into(),
        min: 0,
        max: 16,
        size: 3,
        phases: [(Phase::Ready, 2), (Phase::Booting, 1), (Phase::Lost, 0)].into(),
        priority: 0,
        frozen: false,
        draining: false,
        image: "rocky-9.4".into(),
        breaker: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_is_shown_with_its_state_and_its_workers_by_phase() {
        let halted = PoolView {
            name: "gpu".parse().unwrap(),
            phases: BTreeMap::new(),
            priority: -10,
            frozen: true,
            image: String::new(),
            breaker: Some("the quota is full; one more is tried in 2 min".into()),
            ..example()
        };
        let going = PoolView { draining: true, phases: [].into(), ..example() };
        let expected = "\
POOL     PROVIDER  PRIO  MIN  MAX  WANTED  STATE            IMAGE      WORKERS
compute  nova         0    0   16       3  ok               rocky-9.4  1 booting, 2 ready
gpu      nova       -10    0   16       3  frozen, failing  -          none
compute  nova         0    0   16       3  draining         rocky-9.4  none
";
        assert_eq!(table(&[example(), halted, going]).render(false), expected);
    }
}
