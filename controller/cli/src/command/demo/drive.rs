//! From a controller that has just been started to the verdict.

use super::board::Board;
use super::config::POOL;
use super::folder::Folder;
use super::report::{Report, SAMPLES_MIN, Second, Worker};
use super::samples::Samples;
use super::way::Ways;
use crate::command::call::{Asked, collect};
use crate::command::events::Follow;
use crate::failure::{Failure, Result};
use crate::session::Session;
use muster_protocol::api::{ClusterShow, PoolScale, Target, WorkerList};
use muster_protocol::command::Verb;
use muster_protocol::event::{Applied, Event, Outcome};
use muster_protocol::id::AgentId;
use muster_protocol::subject;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::time::{interval, timeout};

/// How long the controller may take until it answers.
const START_TIMEOUT: Duration = Duration::from_secs(60);
const START_POLL: Duration = Duration::from_millis(100);
/// Events wake us; this is for those that were missed.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The second apply changes nothing, so it is quick.
const SECOND_APPLY_SECS: u32 = 60;

/// Launches the workers, follows them, applies again, reads the samples back, and judges.
pub(super) async fn drive(
    folder: &Folder,
    count: u32,
    begun: Instant,
    board: &mut Board,
) -> Result<Report> {
    let session = connect(folder).await?;
    let mut follow = Follow::open(&session, subject::EVENT_ALL.to_owned(), None).await?;
    board.say(&format!("launching {count} workers"))?;
    let pool = POOL.parse().expect("the demo's pool has a valid name");
    session.ask(&PoolScale { pool, size: count }).await?;
    let mut first = FirstApplies::default();
    let ways = launch(&session, &mut follow, &mut first, count, board).await?;
    board.say("applying the states again: nothing may change")?;
    let asked = Asked {
        target: Target::Names("*".to_owned()),
        verb: Verb::Apply { sls: Vec::new(), test: false, revision: 0 },
        timeout_secs: SECOND_APPLY_SECS,
    };
    let second = Second::of(&collect(&session, &asked, &mut ()).await?);
    board.say(&format!("waiting for {SAMPLES_MIN} samples of each worker in the sink's file"))?;
    let samples = samples(folder, &ways).await?;
    let workers = ways
        .workers()
        .map(|view| Worker::new(view, first.0.get(&view.agent_id), samples.of(&view.agent_id)));
    let report = Report::new(count, workers.collect(), second, super::millis(begun));
    session.close().await;
    Ok(report)
}

/// The context has no servers until NATS runs, and nobody answers until the controller does.
async fn connect(folder: &Folder) -> Result<Session> {
    let mut last = Failure::say("nothing was tried", "try again");
    let mut poll = interval(START_POLL);
    let answered = timeout(START_TIMEOUT, async {
        loop {
            poll.tick().await;
            match answers(folder).await {
                Ok(session) => return session,
                Err(failure) => last = failure,
            }
        }
    });
    answered.await.map_err(|_| last)
}

async fn answers(folder: &Folder) -> Result<Session> {
    let session = folder.connect().await?;
    session.ask(&ClusterShow {}).await?;
    Ok(session)
}

/// Follows the workers until all have arrived.
async fn launch(
    session: &Session,
    follow: &mut Follow<'_>,
    first: &mut FirstApplies,
    count: u32,
    board: &mut Board,
) -> Result<Ways> {
    let (mut ways, mut look) = (Ways::default(), interval(LOOK_EVERY));
    let redraws = board.redraws(count.try_into().unwrap_or(usize::MAX));
    loop {
        let workers = session.ask(&WorkerList { target: None, all: false }).await?;
        let news = ways.take(workers);
        match redraws {
            true => {
                let lines = ways.lines(board.output());
                board.redraw(&lines)?;
            }
            false => news.iter().try_for_each(|line| board.say(line))?,
        }
        if let Some(failed) = ways.failed() {
            return Err(Failure::say(failed, "look at the controller's log below"));
        }
        if ways.arrived(count) && ways.workers().all(|view| first.0.contains_key(&view.agent_id)) {
            return Ok(ways);
        }
        tokio::select! {
            event = follow.next() => {
                let (subject, event) = event?;
                first.take(&subject, &event);
            }
            _ = look.tick() => {}
        }
        // One look for all that came together.
        while let Some((subject, event)) = follow.next_now() {
            first.take(&subject, &event);
        }
    }
}

/// The result of each agent's first highstate: the registry holds only the last one.
#[derive(Debug, Default)]
struct FirstApplies(BTreeMap<AgentId, Outcome>);

impl FirstApplies {
    fn take(&mut self, subject: &str, event: &Event) {
        let Some([agent, "applied" | "failed"]) = subject::tokens(subject, "muster.event.agent.")
        else {
            return;
        };
        let (Ok(agent), Some(applied)) = (agent.parse::<AgentId>(), event.read::<Applied>()) else {
            return;
        };
        if applied.highstate && !applied.outcome.test {
            self.0.entry(agent).or_insert(applied.outcome);
        }
    }
}

async fn samples(folder: &Folder, ways: &Ways) -> Result<Samples> {
    let (mut samples, mut look) = (Samples::new(&folder.samples()), interval(START_POLL));
    loop {
        look.tick().await;
        samples.read()?;
        if ways.workers().all(|view| samples.of(&view.agent_id) >= SAMPLES_MIN) {
            return Ok(samples);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use muster_protocol::id::{Token, UnixMillis};
    use serde_json::json;

    #[test]
    fn the_first_highstate_of_an_agent_counts() {
        let applied = |highstate: bool, changed: u32| {
            let data = json!({
                "command": null, "revision": 1, "highstate": highstate, "errors": [],
                "states": {},
                "outcome": {"total": 14, "changed": changed, "failed": 0, "duration_millis": 5},
            });
            Event::new(Token::random([0; 26]), UnixMillis(0), &data)
        };
        let agent = AgentId::new(&"w".parse().unwrap(), [0; 12]);
        let subject = format!("muster.event.agent.{agent}.applied");
        let mut first = FirstApplies::default();
        first.take("muster.event.worker.w.ready", &applied(true, 9));
        first.take(&subject, &applied(false, 8));
        first.take(&subject, &applied(true, 12));
        first.take(&subject, &applied(true, 0));
        assert_eq!(first.0.get(&agent).map(|outcome| outcome.changed), Some(12));
    }
}
