//! Samples that wait to be sent: what waits together becomes one frame.
//!
//! The outbox takes a frame when it has room; until then rows gather here and merge. A frame that
//! was taken is frozen: it has its number and is sent again with the same bytes. Past the limits
//! the oldest rows are given up, counted, and told in the next sample.

use super::Reading;
use muster_protocol::id::{Token, UnixMillis};
use muster_protocol::stats::{Frame, Row, Schema, SchemaId, rows_max};
use std::collections::VecDeque;
use std::sync::Arc;

/// Rows that wait: an hour of samples every 10 s.
const ROWS_MAX: usize = 360;
/// Values that wait: 3 MiB of them.
const POINTS_MAX: usize = 400_000;
/// A schema is announced again after a day: the stream of events forgets old ones.
const ANNOUNCE_MILLIS: i64 = 86_400_000;

/// What is to be sent next.
#[derive(Clone, Debug)]
pub enum Outgoing {
    /// As the data of an event `schema`, before any frame that names it.
    Schema(Arc<Schema>),
    /// On the agent's stats subject.
    Frame(Frame),
}

/// The rows that wait, in their order.
pub struct Pending {
    boot: Token,
    rows: VecDeque<(Arc<Schema>, Row)>,
    points: usize,
    /// The number of the next row.
    next: u64,
    dropped: u64,
    announced: Option<(SchemaId, UnixMillis)>,
}

impl Pending {
    /// None waits yet; `boot` is fresh for each start of the agent.
    #[must_use]
    pub fn new(boot: Token) -> Pending {
        let rows = VecDeque::new();
        Pending { boot, rows, points: 0, next: 0, dropped: 0, announced: None }
    }

    /// The stream of events may have lost what was announced: it is announced again.
    pub fn forget_announced(&mut self) {
        self.announced = None;
    }

    /// Adds a sample; gives up the oldest if there are too many.
    pub fn push(&mut self, reading: Reading) {
        self.points += reading.row.values.len();
        self.rows.push_back((reading.schema, reading.row));
        self.next += 1;
        while self.rows.len() > ROWS_MAX || (self.points > POINTS_MAX && self.rows.len() > 1) {
            self.pop();
            self.dropped += 1;
        }
    }

    /// The schema to announce, or as many of the oldest rows as fit into one frame.
    pub fn take(&mut self) -> Option<Outgoing> {
        let (schema, first) = self.rows.front()?;
        let schema = schema.clone();
        let known = self.announced.as_ref().is_some_and(|(id, at)| {
            id == schema.id() && first.time.since(*at).abs() < ANNOUNCE_MILLIS
        });
        if !known {
            self.announced = Some((schema.id().clone(), first.time));
            return Some(Outgoing::Schema(schema));
        }
        let limit = rows_max(first.values.len());
        let same = |(other, _): &&(Arc<Schema>, Row)| other.id() == schema.id();
        let count = self.rows.iter().take(limit).take_while(same).count();
        let seq = self.next - self.rows.len() as u64;
        let rows: Vec<Row> = (0..count).filter_map(|_| self.pop()).collect();
        let frame = Frame::pack(&schema, &self.boot, seq, &rows);
        Some(Outgoing::Frame(frame.expect("a sampler's rows fit its schema, rows_max the frame")))
    }

    /// How many samples wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How many samples were given up unsent, since the agent's start.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    fn pop(&mut self) -> Option<Row> {
        let (_, row) = self.rows.pop_front()?;
        self.points -= row.values.len();
        Some(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use muster_protocol::stats::{Batch, Kind, METRICS_MAX, Metric};

    fn schema(metrics: usize) -> Arc<Schema> {
        let metric = |n| Metric::new(format!("m.{n}"), "", Kind::Gauge);
        Arc::new(Schema::new((0..metrics).map(metric).collect()).unwrap())
    }

    fn pending() -> Pending {
        Pending::new(Token::random([1; 26]))
    }

    fn push(pending: &mut Pending, schema: &Arc<Schema>, time: i64) {
        let values = vec![0.5; schema.metrics().len()];
        let row = Row { time: UnixMillis(time), values };
        pending.push(Reading { schema: schema.clone(), row });
    }

    /// `s` for a schema, else the first number and the count of a frame's rows.
    fn taken(pending: &mut Pending) -> String {
        let one = |outgoing| match outgoing {
            Outgoing::Schema(_) => "s".to_owned(),
            Outgoing::Frame(frame) => format!("{}+{}", frame.seq, frame.samples),
        };
        std::iter::from_fn(|| pending.take().map(one)).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_first_sample_goes_at_once_behind_its_schema() {
        let (mut pending, schema) = (pending(), schema(3));
        push(&mut pending, &schema, 1);
        assert_eq!(taken(&mut pending), "s 0+1");
        push(&mut pending, &schema, 2);
        assert_eq!(taken(&mut pending), "1+1");
        assert!(pending.is_empty());
    }

    #[test]
    fn samples_that_waited_merge_up_to_a_change_of_schema() {
        let (mut pending, old, new) = (pending(), schema(3), schema(4));
        for time in 0..5 {
            push(&mut pending, if time < 3 { &old } else { &new }, time);
        }
        assert_eq!(taken(&mut pending), "s 0+3 s 3+2");
    }

    #[test]
    fn a_schema_is_announced_again_every_day() {
        let (mut pending, schema) = (pending(), schema(3));
        for time in [0, 10_000, ANNOUNCE_MILLIS, ANNOUNCE_MILLIS + 10_000] {
            push(&mut pending, &schema, time);
            let again = time % ANNOUNCE_MILLIS == 0;
            assert_eq!(taken(&mut pending).starts_with('s'), again, "{time}");
        }
    }

    #[test]
    fn the_oldest_are_given_up_and_counted() {
        let (mut pending, schema) = (pending(), schema(3));
        for time in 0..ROWS_MAX as i64 + 5 {
            push(&mut pending, &schema, time);
        }
        assert_eq!((pending.dropped(), pending.len()), (5, ROWS_MAX));
        assert_eq!(taken(&mut pending), format!("s 5+{ROWS_MAX}"));
    }

    #[test]
    fn a_large_host_waits_in_less_rows_and_sends_frames_within_the_limits() {
        let (mut pending, schema) = (pending(), schema(METRICS_MAX));
        for time in 0..50 {
            push(&mut pending, &schema, time);
        }
        assert_eq!(pending.len(), POINTS_MAX / METRICS_MAX);
        let agent = "w-abcdefghijkm".parse().unwrap();
        let mut samples = 0;
        while let Some(outgoing) = pending.take() {
            if let Outgoing::Frame(frame) = outgoing {
                samples += Batch::new(&agent, schema.clone(), &frame).unwrap().samples();
            }
        }
        assert_eq!(samples, POINTS_MAX / METRICS_MAX);
    }
}
