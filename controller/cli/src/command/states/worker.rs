//! `muster states show --worker`: what the controller's tree comes to for one worker.

use super::{Stage, tell};
use crate::command::Caller;
use crate::failure::{Exit, Failure, Result};
use crate::output::{clean, note};
use muster_protocol::api::{self, Compiled, StatesReveal, StatesShow};
use muster_protocol::id::WorkerName;
use std::time::Duration;

/// A large tree takes its time.
const TIMEOUT: Duration = Duration::from_secs(120);
/// What faults ask for.
const MEND: &str = "mend the controller's tree; see muster states check";

/// Asks and shows.
pub(super) async fn show(
    worker: &WorkerName,
    stage: Stage,
    sls: Vec<String>,
    unmask: bool,
    caller: &Caller,
) -> Result<Exit> {
    let stage = match stage {
        Stage::Top => api::Stage::Top,
        Stage::Sls | Stage::High => api::Stage::High,
        Stage::Low => api::Stage::Low,
    };
    let of = Compiled { worker: worker.clone(), stage, sls };
    let session = caller.connect().await?;
    let asked = match unmask {
        true => session.ask_within(&StatesReveal { of }, TIMEOUT).await,
        false => session.ask_within(&StatesShow { of }, TIMEOUT).await,
    };
    session.close().await;
    let answer = asked?;
    for fault in answer.faults.iter().skip(1) {
        note(&format!("error: {}", clean(fault)));
    }
    match answer.faults.into_iter().next() {
        Some(first) => Err(Failure::say(first, MEND)),
        None => {
            tell(&answer.shown, &caller.output)?;
            Ok(Exit::Ok)
        }
    }
}
