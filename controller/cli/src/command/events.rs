//! `muster events`: a tail of what happens.

mod line;

use super::Caller;
use crate::failure::{Exit, Failure, Result};
use crate::interrupt::Interrupt;
use crate::output::{Output, Rfc3339, moment, note};
use crate::session::{Session, Tail};
use muster_protocol::bus::{State, Unmarked};
use muster_protocol::event::Event;
use muster_protocol::id::{Token, UnixMillis};
use muster_protocol::subject::{EVENT_ALL, EVENT_PREFIX};
use serde::Serialize;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

pub(crate) use line::line;

/// Ids of the newest events, by which those are known that come again after a reconnect.
const REMEMBERED_MAX: usize = 4096;
/// What a tail opened again reads once more, since its server's clock and the events' may differ.
const OVERLAP_MILLIS: i64 = 10_000;

/// How long a tail tries to come back.
const AWAY_MAX: Duration = Duration::from_secs(600);
/// Between two attempts.
const REOPEN_PAUSE: Duration = Duration::from_secs(1);
/// One attempt: a call that comes back before the controller does is answered by nobody.
const REOPEN_TIMEOUT: Duration = Duration::from_secs(3);
/// Between two tellings of what was dropped.
const SUSPECT_PAUSE: Duration = Duration::from_secs(10);

/// Which events.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Subjects with * and >, e.g. 'worker.*.ready', 'agent.>' [default: all]
    filter: Option<String>,
    /// Also stored events: since 30s, 10m, 1h, 2d ago, or a time like 2026-03-01T12:00:00Z
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// End after so many events
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// End after the stored events
    #[arg(long, requires = "since")]
    no_follow: bool,
}

/// Tails until Ctrl-C, or as far as the arguments say.
pub(crate) async fn run(args: &Args, caller: &Caller) -> Result<Exit> {
    let filter = filter(args.filter.as_deref())?;
    let since = args.since.as_deref().map(|text| moment(text, UnixMillis::now())).transpose();
    let since = since.map_err(|what| Failure::say(format!("--since: {what}"), ""))?;
    let mut interrupt = Interrupt::listen()?;
    let session = caller.connect().await?;
    let mut follow = Follow::open(&session, filter, since).await?;
    let stored = args.no_follow.then_some(follow.tail.pending);
    let mut left = args.limit.unwrap_or(u64::MAX).min(stored.unwrap_or(u64::MAX));
    while left > 0 {
        tokio::select! {
            next = follow.next() => {
                let (subject, event) = next?;
                print(&caller.output, &subject, &event)?;
                left -= 1;
            }
            () = interrupt.came() => break,
        }
    }
    session.close().await;
    Ok(Exit::Ok)
}

/// A tail that is opened again when the connection was away, without telling an event twice.
pub(crate) struct Follow<'a> {
    session: &'a Session,
    filter: String,
    tail: Tail,
    state: tokio::sync::watch::Receiver<State>,
    /// Since when the connection is away, or back without a new tail.
    away: Option<Instant>,
    newest: UnixMillis,
    seen: VecDeque<Token>,
    /// When the controller was last told of something that was dropped.
    suspected: Option<Instant>,
}

impl<'a> Follow<'a> {
    /// Opens it.
    pub(crate) async fn open(
        session: &'a Session,
        filter: String,
        since: Option<UnixMillis>,
    ) -> Result<Follow<'a>> {
        let tail = session.tail(&filter, since).await?;
        let (state, newest) = (session.state(), UnixMillis::now());
        let (seen, suspected) = (VecDeque::new(), None);
        Ok(Follow { session, filter, tail, state, away: None, newest, seen, suspected })
    }

    /// The next event with its subject. May be dropped while it waits.
    pub(crate) async fn next(&mut self) -> Result<(String, Event)> {
        loop {
            if let Some(since) = self.away {
                self.reopen(since).await?;
            }
            tokio::select! {
                incoming = self.tail.feed.next() => match incoming {
                    Some(Ok((subject, Ok(event)))) => {
                        if self.is_new(&event) {
                            return Ok((subject, event));
                        }
                    }
                    Some(Ok((subject, Err(error)))) => {
                        note(&format!("an event on {subject} cannot be read: {error}"));
                    }
                    Some(Err(unmarked)) => self.dropped(&unmarked).await,
                    None => return Err(self.session.lost()),
                },
                changed = self.state.changed() => {
                    let state = self.state.borrow_and_update().clone();
                    if changed.is_err() || matches!(state, State::Refused(_)) {
                        return Err(self.session.lost());
                    }
                    note("the connection is away; trying again");
                    self.away = Some(Instant::now());
                }
            }
        }
    }

    /// What came is no event: somebody has found out the feed's subject.
    async fn dropped(&mut self, unmarked: &Unmarked) {
        note(&format!("dropped: {unmarked}"));
        if self.suspected.is_none_or(|at| at.elapsed() >= SUSPECT_PAUSE) {
            self.suspected = Some(Instant::now());
            self.session.suspect(unmarked.to_string()).await;
        }
    }

    /// A tail's consumer may end while nobody listens, so after each reconnect a new one is opened,
    /// as soon as the controller is connected too.
    async fn reopen(&mut self, since: Instant) -> Result<()> {
        loop {
            let state = self.state.borrow_and_update().clone();
            let from = UnixMillis(self.newest.0 - OVERLAP_MILLIS);
            let late = since.elapsed() > AWAY_MAX;
            match state {
                State::Refused(_) => return Err(self.session.lost()),
                State::Disconnected if late => return Err(self.session.lost()),
                State::Disconnected => {}
                State::Connected => {
                    let tail = self.session.tail(&self.filter, Some(from));
                    match tokio::time::timeout(REOPEN_TIMEOUT, tail).await {
                        Ok(Ok(tail)) => {
                            (self.tail, self.away) = (tail, None);
                            note("the connection is back");
                            return Ok(());
                        }
                        Ok(Err(failure)) if late => return Err(failure),
                        Err(_) if late => return Err(self.session.lost()),
                        Ok(Err(_)) | Err(_) => {}
                    }
                }
            }
            tokio::time::sleep(REOPEN_PAUSE).await;
        }
    }

    /// The next event that is there already.
    pub(crate) fn next_now(&mut self) -> Option<(String, Event)> {
        loop {
            let (subject, event) = self.tail.feed.next_now()?.ok()?;
            match event {
                Ok(event) if self.is_new(&event) => return Some((subject, event)),
                Ok(_) => {}
                Err(error) => {
                    note(&format!("an event on {subject} cannot be read: {error}"));
                }
            }
        }
    }

    fn is_new(&mut self, event: &Event) -> bool {
        if self.seen.contains(&event.id) {
            return false;
        }
        if self.seen.len() >= REMEMBERED_MAX {
            self.seen.pop_front();
        }
        self.seen.push_back(event.id.clone());
        self.newest = UnixMillis::now();
        true
    }
}

/// `worker.*.ready` means `muster.event.worker.*.ready`.
fn filter(typed: Option<&str>) -> Result<String> {
    let Some(typed) = typed else { return Ok(EVENT_ALL.to_owned()) };
    let rest = typed.strip_prefix(EVENT_PREFIX).unwrap_or(typed);
    let parts: Vec<&str> = rest.split('.').collect();
    let token = |part: &str| {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        part == "*" || (!part.is_empty() && part.bytes().all(inner))
    };
    let (last, before) = parts.split_last().unwrap_or((&"", &[]));
    if !before.iter().all(|part| token(part)) || !(token(last) || *last == ">") {
        return Err(Failure::say(
            format!("{typed:?} is no filter"),
            "write <source>.<id>.<kind> with * for one part and > for the rest, e.g. \
             'worker.*.ready' or 'agent.>'",
        ));
    }
    Ok(format!("{EVENT_PREFIX}{rest}"))
}

#[derive(Serialize)]
struct Printed<'a> {
    time: Rfc3339,
    subject: &'a str,
    id: &'a Token,
    data: &'a serde_json::Value,
}

/// Writes one event in the format that was asked for.
pub(crate) fn print(output: &Output, subject: &str, event: &Event) -> Result<()> {
    if output.is_table() {
        return output.line(&line(output, subject, event));
    }
    let Event { id, at, data } = event;
    output.item(&Printed { time: Rfc3339(*at), subject, id, data })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_may_leave_out_what_all_events_begin_with() {
        for (typed, expected) in [
            (None, Some("muster.event.>")),
            (Some(">"), Some("muster.event.>")),
            (Some("worker.*.ready"), Some("muster.event.worker.*.ready")),
            (Some("muster.event.agent.>"), Some("muster.event.agent.>")),
            (Some("worker.>.ready"), None),
            (Some(""), None),
            (Some("worker..ready"), None),
            (Some("worker.* "), None),
            (Some("$JS"), None),
        ] {
            assert_eq!(filter(typed).ok().as_deref(), expected, "{typed:?}");
        }
    }

    #[test]
    fn programs_read_time_subject_and_data() {
        let event = Event::new(Token::random([7; 26]), UnixMillis(5), &serde_json::json!({"a": 1}));
        let Event { id, at, data } = &event;
        let printed = Printed { time: Rfc3339(*at), subject: "muster.event.a.b.c", id, data };
        let text = serde_json::to_string(&printed).unwrap();
        let start = "{\"time\":\"1970-01-01T00:00:00.005Z\",\"subject\":\"muster.event.a.b.c\",";
        assert!(text.starts_with(start) && text.ends_with("\"data\":{\"a\":1}}"), "{text}");
    }
}
