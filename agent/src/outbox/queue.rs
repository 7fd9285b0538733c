//! Which message goes next: one of each lane at a time, tried again until it is stored. Pure.

use super::spool::{Body, Item};
use crate::backoff::Backoff;
use muster_protocol::subject::AGENT_EVENT_KINDS;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// Events that wait.
const EVENTS_MAX: usize = 1000;
/// Bytes of the events that wait.
const EVENTS_BYTES_MAX: u64 = 32 << 20;
const RETRY_FIRST: Duration = Duration::from_millis(250);
const RETRY_MAX: Duration = Duration::from_secs(30);

/// What is said on one subject, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// A session began.
    Started,
    /// States were applied.
    Applied,
    /// They were not.
    Failed,
    /// A program ended.
    Executed,
    /// A state sent an event.
    Fired,
    /// What the columns of the next frames mean.
    Schema,
    /// Something that a person should look at.
    Alarm,
    /// Somebody tried what only an attacker does: the controller tells it as its own.
    Security,
    /// Frames.
    Stats,
}

impl Lane {
    pub(super) const ALL: [Lane; 9] = [
        Lane::Started,
        Lane::Applied,
        Lane::Failed,
        Lane::Executed,
        Lane::Fired,
        Lane::Schema,
        Lane::Alarm,
        Lane::Security,
        Lane::Stats,
    ];

    /// The kind of the event, the last token of its subject.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Lane::Started => "started",
            Lane::Applied => "applied",
            Lane::Failed => "failed",
            Lane::Executed => "executed",
            Lane::Fired => "fired",
            Lane::Schema => "schema",
            Lane::Alarm => "alarm",
            Lane::Security => "security",
            Lane::Stats => "stats",
        }
    }

    /// The lane of a kind of event.
    pub(super) fn of(kind: &str) -> Option<Lane> {
        let lane = Lane::ALL.into_iter().find(|lane| lane.name() == kind)?;
        AGENT_EVENT_KINDS.contains(&kind).then_some(lane)
    }

    fn index(self) -> usize {
        Lane::ALL.iter().position(|lane| *lane == self).expect("ALL has every lane")
    }
}

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// A stream has it.
    Stored,
    /// It may have it; again, with the same id.
    Later,
    /// It never will.
    Never,
}

/// A message that may go.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) lane: Lane,
    pub(super) message_id: String,
    pub(super) payload: Vec<u8>,
}

#[derive(Debug)]
struct Line {
    items: VecDeque<Item>,
    /// The first one is on its way.
    busy: bool,
    due: Option<Instant>,
    backoff: Backoff,
}

impl Default for Line {
    fn default() -> Line {
        let backoff = Backoff::new(RETRY_FIRST, RETRY_MAX);
        Line { items: VecDeque::new(), busy: false, due: None, backoff }
    }
}

/// All lanes.
#[derive(Debug, Default)]
pub(super) struct Queue {
    lines: [Line; Lane::ALL.len()],
    given_up: u64,
}

impl Queue {
    fn line(&mut self, lane: Lane) -> &mut Line {
        &mut self.lines[lane.index()]
    }

    /// Adds a message at the end of its lane; gives back those that had to go for it.
    pub(super) fn push(&mut self, item: Item) -> Vec<Item> {
        self.line(item.lane).items.push_back(item);
        let mut given_up = Vec::new();
        while self.events() > EVENTS_MAX || self.bytes() > EVENTS_BYTES_MAX {
            let Some(item) = self.drop_oldest() else { break };
            given_up.push(item);
        }
        self.given_up += given_up.len() as u64;
        given_up
    }

    fn events(&self) -> usize {
        self.lines.iter().map(|line| line.items.len()).sum()
    }

    fn bytes(&self) -> u64 {
        self.lines.iter().flat_map(|line| &line.items).map(|item| item.body.bytes()).sum()
    }

    /// Takes the oldest that is not on its way out of the longest lane.
    fn drop_oldest(&mut self) -> Option<Item> {
        let waiting = |line: &Line| line.items.len().saturating_sub(usize::from(line.busy));
        let line = self.lines.iter_mut().max_by_key(|line| waiting(line))?;
        line.items.remove(usize::from(line.busy))
    }

    /// The first of each lane that may go now, at most `free`; they are on their way then.
    pub(super) fn ready(&mut self, now: Instant, free: usize) -> Vec<(Lane, String, Body)> {
        let mut ready = Vec::new();
        for lane in Lane::ALL {
            let line = self.line(lane);
            if ready.len() >= free || line.busy || line.due.is_some_and(|due| due > now) {
                continue;
            }
            if let Some(item) = line.items.front() {
                ready.push((lane, item.message_id.clone(), item.body.clone()));
                line.busy = true;
                line.due = None;
            }
        }
        ready
    }

    /// Whether the samples before are stored, so that the next may be frozen.
    pub(super) fn takes_samples(&self) -> bool {
        [Lane::Schema, Lane::Stats].iter().all(|lane| self.lines[lane.index()].items.is_empty())
    }

    /// Takes the outcome of the one on its way; gives the message back if it is done with.
    pub(super) fn settle(
        &mut self,
        lane: Lane,
        outcome: Outcome,
        now: Instant,
        random: [u8; 2],
    ) -> Option<Item> {
        let line = self.line(lane);
        line.busy = false;
        if outcome == Outcome::Later {
            line.due = Some(now + line.backoff.next(random));
            return None;
        }
        line.backoff.reset();
        let done = line.items.pop_front();
        self.given_up += u64::from(outcome == Outcome::Never);
        done
    }

    /// The connection went: what was on its way is to be sent again, at once.
    pub(super) fn interrupted(&mut self) {
        for line in &mut self.lines {
            line.busy = false;
            line.due = None;
            line.backoff.reset();
        }
    }

    /// When the next one is to be tried again.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let waits = |line: &&Line| !line.busy && !line.items.is_empty();
        self.lines.iter().filter(waits).filter_map(|line| line.due).min()
    }

    /// How many were given up since it was last asked.
    pub(super) fn take_given_up(&mut self) -> u64 {
        std::mem::take(&mut self.given_up)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.events() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(lane: Lane, id: &str) -> Item {
        Item::memory(lane, id.to_owned(), vec![0; 10])
    }

    fn ready(queue: &mut Queue, now: Instant) -> Vec<String> {
        queue.ready(now, 16).into_iter().map(|(_, id, _)| id).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn one_of_each_lane_is_on_its_way_and_a_retry_comes_before_the_next() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        for id in ["a1", "a2"] {
            queue.push(item(Lane::Alarm, id));
        }
        queue.push(item(Lane::Started, "s1"));
        assert_eq!(ready(&mut queue, now), ["s1", "a1"]);
        assert!(ready(&mut queue, now).is_empty());
        assert!(queue.settle(Lane::Alarm, Outcome::Later, now, [0xff; 2]).is_none());
        assert!(ready(&mut queue, now).is_empty());
        assert_eq!(queue.next_due(), Some(now + RETRY_FIRST));
        assert_eq!(ready(&mut queue, now + RETRY_FIRST), ["a1"]);
        let stored = queue.settle(Lane::Alarm, Outcome::Stored, now, [0; 2]).unwrap();
        assert_eq!(stored.message_id, "a1");
        assert_eq!(ready(&mut queue, now), ["a2"]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_on_its_way_when_the_connection_went_is_sent_again_first() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        for id in ["a1", "a2"] {
            queue.push(item(Lane::Alarm, id));
        }
        assert_eq!(ready(&mut queue, now), ["a1"]);
        queue.interrupted();
        assert_eq!(ready(&mut queue, now), ["a1"]);
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many_and_are_counted() {
        let mut queue = Queue::default();
        queue.push(item(Lane::Started, "s"));
        let mut given_up = Vec::new();
        for n in 0..EVENTS_MAX + 2 {
            given_up.extend(queue.push(item(Lane::Alarm, &n.to_string())));
        }
        let given_up: Vec<_> = given_up.into_iter().map(|item| item.message_id).collect();
        assert_eq!(given_up, ["0", "1", "2"]);
        assert_eq!((queue.take_given_up(), queue.take_given_up()), (3, 0));
    }

    #[test]
    fn every_kind_of_event_has_a_lane() {
        for kind in AGENT_EVENT_KINDS {
            assert_eq!(Lane::of(kind).map(Lane::name), Some(kind));
        }
        assert_eq!(Lane::of("stats"), None);
    }
}
