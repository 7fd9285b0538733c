//! `muster reconcile`: what the controller does not do in doubt, and a person's word for it.

use super::Caller;
use crate::confirm::confirm;
use crate::failure::{Exit, Result};
use crate::output::{Cell, Table, clean, note};
use muster_protocol::api::{ClusterShow, ReconcileConfirm};
use serde::Serialize;

/// The word that confirms.
const WORD: &str = "confirm";

/// Whether to confirm.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Let the controller do what it would not do in doubt
    #[arg(long)]
    confirm: bool,
    /// Do not ask
    #[arg(long, requires = "confirm")]
    yes: bool,
}

/// What programs read.
#[derive(Debug, Serialize)]
struct Doubts<'a> {
    doubts: &'a [String],
    confirmed: &'a [String],
}

/// Shows the doubts; confirms them if that is asked for.
pub(crate) async fn run(args: &Args, caller: &Caller) -> Result<Exit> {
    let session = caller.connect().await?;
    let doubts = session.ask(&ClusterShow {}).await?.doubts;
    let mut confirmed = Vec::new();
    if args.confirm && !doubts.is_empty() {
        if !args.yes {
            confirm(&warning(&doubts), WORD).await?;
        }
        confirmed = session.ask(&ReconcileConfirm {}).await?;
    }
    tell(args, &doubts, &confirmed, caller)?;
    session.close().await;
    Ok(Exit::Ok)
}

fn tell(args: &Args, doubts: &[String], confirmed: &[String], caller: &Caller) -> Result<()> {
    if !caller.output.is_table() {
        return caller.output.value(&Doubts { doubts, confirmed });
    }
    if doubts.is_empty() {
        return caller.output.line("nothing is in doubt");
    }
    if args.confirm {
        // The controller confirms what it asks then, not what was shown here.
        for doubt in confirmed.iter().filter(|doubt| !doubts.contains(doubt)) {
            note(&format!("came in between, and is confirmed too: {}", clean(doubt)));
        }
        return caller.output.show(&confirmed, || column("CONFIRMED", confirmed));
    }
    caller.output.show(&doubts, || column("IN DOUBT", doubts))?;
    note("look at `muster worker list --cloud`, then: muster reconcile --confirm");
    Ok(())
}

fn column(head: &str, lines: &[String]) -> Table {
    let mut table = Table::new(&[head]);
    lines.iter().for_each(|line| table.row([Cell::text(line)]));
    table
}

fn warning(doubts: &[String]) -> String {
    let lines: Vec<String> = doubts.iter().map(|doubt| format!("  - {doubt}")).collect();
    format!(
        "The controller waits for a person's word on:\n{}\nThe differences are in `muster worker \
         list --cloud`. What is confirmed may end servers.",
        lines.join("\n")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_doubt_is_a_line() {
        let doubts = ["40 of 50 are gone".to_owned(), "the registry is new".to_owned()];
        let text = warning(&doubts);
        assert!(text.contains(":\n  - 40 of 50 are gone\n  - the registry is new\n"), "{text}");
        let text = column("IN DOUBT", &doubts).render(false);
        assert_eq!(text, "IN DOUBT\n40 of 50 are gone\nthe registry is new\n");
    }
}
