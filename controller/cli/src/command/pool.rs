//! `muster pool`: pools, and their size.

use super::Caller;
use crate::failure::{Exit, Result};
use crate::output::{Cell, Table};
use muster_protocol::api::{PoolList, PoolScale, PoolView};
use muster_protocol::id::PoolName;
use muster_protocol::worker::Phase;
use std::collections::BTreeMap;

/// What to do with pools.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Show the pools with their sizes
    List,
    /// Set the size of a pool: workers are launched or drained until it has it
    Scale {
        /// The pool
        pool: PoolName,
        /// How many workers it shall have
        size: u32,
    },
}

/// Does it.
pub(crate) async fn run(command: &Command, caller: &Caller) -> Result<Exit> {
    let session = caller.connect().await?;
    match command {
        Command::List => {
            let pools = session.ask(&PoolList {}).await?;
            caller.output.show(&pools, || table(&pools))?;
        }
        Command::Scale { pool, size } => {
            let pool = session.ask(&PoolScale { pool: pool.clone(), size: *size }).await?;
            caller.output.show(&pool, || table(std::slice::from_ref(&pool)))?;
        }
    }
    session.close().await;
    Ok(Exit::Ok)
}

/// Pools as a table.
pub(crate) fn table(pools: &[PoolView]) -> Table {
    let mut table = Table::new(&["POOL", "PROVIDER", "MIN", "MAX", "WANTED", "WORKERS"]);
    for pool in pools {
        table.row([
            Cell::text(&pool.name),
            Cell::text(&pool.provider),
            Cell::number(pool.min),
            Cell::number(pool.max),
            Cell::number(pool.size),
            Cell::text(phases(&pool.phases)),
        ]);
    }
    table
}

/// `2 ready, 1 booting`: workers by phase.
pub(crate) fn phases(phases: &BTreeMap<Phase, u32>) -> String {
    let some = phases.iter().filter(|(_, count)| **count > 0);
    let texts: Vec<String> = some.map(|(phase, count)| format!("{count} {phase}")).collect();
    if texts.is_empty() { "none".to_owned() } else { texts.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_is_shown_with_its_workers_by_phase() {
        let pool = PoolView {
            name: "compute".parse().unwrap(),
            provider: "local".into(),
            min: 0,
            max: 16,
            size: 3,
            phases: [(Phase::Ready, 2), (Phase::Booting, 1), (Phase::Lost, 0)].into(),
        };
        let empty =
            PoolView { name: "gpu".parse().unwrap(), phases: BTreeMap::new(), ..pool.clone() };
        let expected = "\
POOL     PROVIDER  MIN  MAX  WANTED  WORKERS
compute  local       0   16       3  1 booting, 2 ready
gpu      local       0   16       3  none
";
        assert_eq!(table(&[pool, empty]).render(false), expected);
    }
}
