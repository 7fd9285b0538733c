//! `muster cluster destroy`: asks, ends all workers, and waits for the clouds.

use crate::command::Caller;
use crate::command::pool::phases;
use crate::command::wait::{Goal, Wait};
use crate::confirm::confirm;
use crate::failure::{Exit, Result};
use crate::output::{Cell, Table};
use muster_protocol::api::{ClusterDestroy, ClusterShow, ClusterView};
use std::time::Duration;

/// Does it. A second time it only waits: what remained of the first may be gone by then.
pub(super) async fn run(yes: bool, timeout: Duration, caller: &Caller) -> Result<Exit> {
    let session = caller.connect().await?;
    let view = session.ask(&ClusterShow {}).await?;
    if !yes {
        confirm(&warning(&view), &view.name).await?;
    }
    let names = session.ask(&ClusterDestroy {}).await?;
    let table = || {
        let mut table = Table::new(&["TERMINATING"]);
        names.iter().for_each(|name| table.row([Cell::text(name)]));
        table
    };
    let goal = Goal::Empty(names.clone());
    let exit = Wait::always(timeout).end(&session, caller, goal, &names, table).await?;
    session.close().await;
    Ok(exit)
}

fn warning(view: &ClusterView) -> String {
    let (name, workers) = (&view.name, phases(&view.phases));
    format!(
        "This ends all workers of all pools of the cluster {name}, with the jobs on them, and \
         cannot be undone.\nThere are: {workers}."
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::cluster::example;

    #[test]
    fn the_warning_says_what_ends() {
        let text = warning(&example());
        assert!(text.contains("cluster pluto, with the jobs"), "{text}");
        assert!(text.ends_with("There are: 3 ready."), "{text}");
    }
}
