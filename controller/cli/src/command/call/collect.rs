//! One call: listen, ask, collect until each worker has answered or the time is over.

use super::tally::{Report, Tally};
use crate::command::events::Follow;
use crate::failure::{Failure, Result};
use crate::session::Session;
use muster_protocol::api::{CommandRun, Target};
use muster_protocol::command::Verb;
use muster_protocol::event::CommandResult;
use muster_protocol::id::{Token, random};
use muster_protocol::subject::{EVENT_PREFIX, Source};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// The controller tells who did not answer; only if it is gone too, this much later ends it here.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is asked of whom.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// On which workers.
    pub(crate) target: Target,
    /// What to do.
    pub(crate) verb: Verb,
    /// How long the controller waits for results.
    pub(crate) timeout_secs: u32,
}

/// Whoever wants to know while the results come.
pub(crate) trait Watcher {
    /// The workers were asked.
    fn asked(&mut self, tally: &Tally) -> Result<()>;
    /// One has a result.
    fn came(&mut self, result: &CommandResult, tally: &Tally) -> Result<()>;
}

/// Nobody wants to know.
impl Watcher for () {
    fn asked(&mut self, _: &Tally) -> Result<()> {
        Ok(())
    }

    fn came(&mut self, _: &CommandResult, _: &Tally) -> Result<()> {
        Ok(())
    }
}

/// Asks, and gives what came, also if the server went away in between. The call's name is
/// unguessable, so nobody else's results are ours.
pub(crate) async fn collect(
    session: &Session,
    asked: &Asked,
    watcher: &mut impl Watcher,
) -> Result<Report> {
    let call = Token::random(random());
    let filter = format!("{EVENT_PREFIX}{}.{call}.>", Source::Api.name());
    let mut follow = Follow::open(session, filter, None).await?;
    let begun = Instant::now();
    let deadline = begun + Duration::from_secs(asked.timeout_secs.into()) + PATIENCE;
    let Asked { target, verb, timeout_secs } = asked.clone();
    let run = CommandRun { call: call.clone(), target, verb, timeout_secs };
    let workers = session.ask(&run).await?.workers;
    if workers.is_empty() {
        return Err(Failure::say(
            "no worker is meant by this target",
            "see `muster worker list` for the names",
        ));
    }
    let mut tally = Tally::new(call, &workers);
    watcher.asked(&tally)?;
    while !tally.is_complete() {
        let Ok(next) = timeout_at(deadline, follow.next()).await else { break };
        let (subject, event) = next?;
        let result = subject.ends_with(".result").then(|| event.read::<CommandResult>()).flatten();
        if let Some(result) = result.filter(|result| tally.take(result)) {
            watcher.came(&result, &tally)?;
        }
    }
    let millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(tally.close(millis))
}
