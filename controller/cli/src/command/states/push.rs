//! `muster states push`: what has changed in the controller's tree goes to the workers.

use crate::command::Caller;
use crate::failure::{Exit, Result};
use crate::output::{Cell, Style, Table, note};
use crate::target::target;
use muster_protocol::api::{PushView, StatesPush};
use muster_protocol::id::PoolName;
use std::time::Duration;

/// A large cluster has many pillars to render.
const TIMEOUT: Duration = Duration::from_secs(120);

/// What to push, and to whom.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The workers: a glob or a list [default: all]
    target: Option<String>,
    /// All workers of a pool, instead of TARGET
    #[arg(long, value_name = "NAME")]
    pool: Option<PoolName>,
    /// Those that get something new shall apply it at once
    #[arg(long)]
    apply: bool,
}

/// Does it.
pub(crate) async fn run(args: &Args, caller: &Caller) -> Result<Exit> {
    let target = target(args.target.as_deref(), args.pool.as_ref())?;
    let session = caller.connect().await?;
    let pushed = session.ask_within(&StatesPush { target, apply: args.apply }, TIMEOUT).await?;
    session.close().await;
    caller.output.show(&pushed, || table(&pushed))?;
    let failed = pushed.iter().any(|one| one.error.is_some());
    if caller.output.is_table() {
        let new = pushed.iter().filter(|one| one.revision.is_some()).count();
        note(&format!("{new} of {} workers got a new revision", pushed.len()));
    }
    Ok(if failed { Exit::SomeFailed } else { Exit::Ok })
}

fn table(pushed: &[PushView]) -> Table {
    let mut table = Table::new(&["WORKER", "REVISION", "ERROR"]);
    for one in pushed {
        let revision = match (one.revision, &one.error) {
            (Some(revision), _) => Cell::number(revision).styled(Style::Good),
            (None, None) => Cell::text("unchanged").styled(Style::Dim),
            (None, Some(_)) => Cell::text("-").styled(Style::Dim),
        };
        let error = match &one.error {
            Some(error) => Cell::text(error).styled(Style::Bad),
            None => Cell::maybe(None::<&str>),
        };
        table.row([Cell::text(&one.worker), revision, error]);
    }
    table
}
