//! From a controller that has just been started to the verdict.

use super::board::Board;
use super::config::POOL;
use super::folder::Folder;
use super::report::{SAMPLES_MIN, Second};
use super::seen::Seen;
use crate::command::call::{Asked, collect};
use crate::command::events::Follow;
use crate::failure::{Failure, Result};
use crate::session::Session;
use muster_protocol::api::{ClusterShow, PoolScale, Target, WorkerList};
use muster_protocol::command::Verb;
use muster_protocol::subject;
use std::time::Duration;
use tokio::time::{interval, timeout};

/// How long the controller may take until it answers.
const START_TIMEOUT: Duration = Duration::from_secs(60);
const START_POLL: Duration = Duration::from_millis(100);
/// Events wake us; this is for those that were missed.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The second apply changes nothing, so it is quick.
const SECOND_APPLY_SECS: u32 = 60;

/// Launches the workers, follows them, applies again, and reads the samples back.
pub(super) async fn drive(
    folder: &Folder,
    count: u32,
    seen: &mut Seen,
    board: &mut Board,
) -> Result<()> {
    let session = connect(folder).await?;
    let mut follow = Follow::open(&session, subject::EVENT_ALL.to_owned(), None).await?;
    board.say(&format!("launching {count} workers"))?;
    let pool = POOL.parse().expect("the demo's pool has a valid name");
    session.ask(&PoolScale { pool, size: count }).await?;
    launch(&session, &mut follow, seen, count, board).await?;
    board.say("applying the states again: nothing may change")?;
    let asked = Asked {
        target: Target::Names("*".to_owned()),
        verb: Verb::Apply { sls: Vec::new(), test: false, revision: 0 },
        timeout_secs: SECOND_APPLY_SECS,
    };
    seen.second = Some(Second::of(&collect(&session, &asked, &mut ()).await?));
    board.say(&format!("waiting for {SAMPLES_MIN} samples of each worker in the sink's file"))?;
    samples(seen).await?;
    session.close().await;
    Ok(())
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
    seen: &mut Seen,
    count: u32,
    board: &mut Board,
) -> Result<()> {
    let mut look = interval(LOOK_EVERY);
    let redraws = board.redraws(count.try_into().unwrap_or(usize::MAX));
    loop {
        let workers = session.ask(&WorkerList { target: None, all: false }).await?;
        let news = seen.ways.take(workers);
        match redraws {
            true => {
                let lines = seen.ways.lines(board.output());
                board.redraw(&lines)?;
            }
            false => news.iter().try_for_each(|line| board.say(line))?,
        }
        if let Some(failed) = seen.failed() {
            return Err(Failure::say(failed, "look at the controller's log below"));
        }
        if seen.arrived(count) {
            return Ok(());
        }
        tokio::select! {
            event = follow.next() => {
                let (subject, event) = event?;
                seen.take(&subject, &event);
            }
            _ = look.tick() => {}
        }
        // One look for all that came together.
        while let Some((subject, event)) = follow.next_now() {
            seen.take(&subject, &event);
        }
    }
}

async fn samples(seen: &mut Seen) -> Result<()> {
    let mut look = interval(START_POLL);
    while !seen.sampled(SAMPLES_MIN) {
        look.tick().await;
        seen.samples.read()?;
    }
    Ok(())
}
