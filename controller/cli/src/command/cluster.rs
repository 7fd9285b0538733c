//! `muster cluster`: the cluster as a whole, and its end.

mod destroy;
mod view;

use super::Caller;
use crate::command::wait;
use crate::failure::{Exit, Result};
use crate::output::duration;
use muster_protocol::api::ClusterShow;
use muster_protocol::id::UnixMillis;
use std::time::Duration;

#[cfg(test)]
pub(crate) use view::example;

/// What to do with the cluster.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Show the controller, who leads, the workers by phase, the sinks, and what is in doubt
    Show,
    /// End all workers of all pools, busy or not, and wait until no cloud has a server of them
    Destroy {
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
        /// How long to wait for the clouds
        #[arg(long, value_name = "SPAN", default_value = wait::TIMEOUT, value_parser = duration)]
        timeout: Duration,
    },
}

/// Does it.
pub(crate) async fn run(command: &Command, caller: &Caller) -> Result<Exit> {
    match command {
        Command::Show => show(caller).await,
        Command::Destroy { yes, timeout } => destroy::run(*yes, *timeout, caller).await,
    }
}

async fn show(caller: &Caller) -> Result<Exit> {
    let session = caller.connect().await?;
    let cluster = session.ask(&ClusterShow {}).await?;
    let now = UnixMillis::now();
    caller.output.show(&view::Shown::of(&cluster), || view::details(&cluster, now))?;
    session.close().await;
    Ok(Exit::Ok)
}
