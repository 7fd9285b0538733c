//! Samples on their way: columnar frames whose schema is announced once.
//!
//! A [`Schema`] lists an agent's metrics. It travels as the data of the event
//! `muster.event.agent.<id>.schema`, before the first [`Frame`] that names it by its
//! [`SchemaId`]. Each frame is decoded by itself: [`Batch::new`] joins frame and schema. Values
//! are `f64`; what is a whole number or has two decimals travels as differences of integers, a
//! byte or two each.

mod columns;
mod schema;

pub use schema::{Kind, Metric, Schema, SchemaId};

use crate::id::{AgentId, Token, UnixMillis, WorkerName};
use crate::wire::Message;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Metrics of one schema.
pub const METRICS_MAX: usize = 10_000;
/// Bytes of one metric's name.
pub const NAME_BYTES_MAX: usize = 200;
/// Bytes of one metric's unit.
pub const UNIT_BYTES_MAX: usize = 32;
/// Bytes of all names and units of a schema: its event stays below the limit of a message.
pub const SCHEMA_BYTES_MAX: usize = 400 << 10;
/// Samples of one frame.
pub const SAMPLES_MAX: usize = 1024;
/// Values of one frame: at worst ten bytes each, which still fits into a message.
pub const POINTS_MAX: usize = 1 << 16;

/// Why a schema or frame is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A schema past one of the limits.
    #[error("the schema has {found} {what}, more than {max}")]
    SchemaSize {
        /// Of what there is too much.
        what: &'static str,
        /// How much.
        found: usize,
        /// The limit.
        max: usize,
    },
    /// A name that is too long, empty, or not printable ASCII without spaces.
    #[error("{0:?} is no name of a metric")]
    Name(String),
    /// Two metrics with one name.
    #[error("the metric {0} stands twice in the schema")]
    Twice(String),
    /// A text that is no schema's id.
    #[error("{0:?} is no id of a schema")]
    Id(String),
    /// The frame belongs to another schema.
    #[error("the frame has schema {found}, not {expected}")]
    OtherSchema {
        /// Its own.
        found: SchemaId,
        /// The one that it was read with.
        expected: SchemaId,
    },
    /// No sample, or past [`SAMPLES_MAX`] or [`POINTS_MAX`].
    #[error("a frame of {samples} samples of {metrics} metrics is empty or over the limit")]
    FrameSize {
        /// Its samples.
        samples: usize,
        /// The schema's metrics.
        metrics: usize,
    },
    /// The packed columns end early, go on too long, or are garbled.
    #[error("the frame's columns are garbled")]
    Garbled,
}

/// One reading of all metrics, in the schema's order.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// When it was read.
    pub time: UnixMillis,
    /// A value per metric; NaN where there was none.
    pub values: Vec<f64>,
}

/// One or more samples, on `muster.stats.<agent>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// The schema of its columns.
    pub schema: SchemaId,
    /// 128 random bits of this start of the agent: with `seq` it names each sample for ever.
    pub boot: Token,
    /// The first sample's number, counted from the agent's start.
    pub seq: u64,
    /// How many samples.
    pub samples: u32,
    /// The times and columns, packed.
    #[serde(with = "serde_bytes")]
    pub columns: Vec<u8>,
}

impl Message for Frame {
    const NAME: &'static str = "stats.frame";
}

impl Frame {
    /// Packs rows, the oldest first, the first of which has the number `seq`.
    ///
    /// # Errors
    /// When there is no row, or more than [`rows_max`], or a row of another length.
    pub fn pack(schema: &Schema, boot: &Token, seq: u64, rows: &[Row]) -> Result<Frame, Error> {
        let metrics = schema.metrics().len();
        check_size(rows.len(), metrics)?;
        if rows.iter().any(|row| row.values.len() != metrics) {
            return Err(Error::Garbled);
        }
        Ok(Frame {
            schema: schema.id().clone(),
            boot: boot.clone(),
            seq,
            samples: u32::try_from(rows.len()).expect("below SAMPLES_MAX"),
            columns: columns::pack(rows, metrics),
        })
    }

    /// The `Nats-Msg-Id` of this frame: unguessable, and the same each time it is sent.
    #[must_use]
    pub fn message_id(&self) -> String {
        format!("{}-{}", self.boot, self.seq)
    }
}

/// How many rows of so many metrics one frame holds; at least one.
#[must_use]
pub fn rows_max(metrics: usize) -> usize {
    (POINTS_MAX / metrics.max(1)).clamp(1, SAMPLES_MAX)
}

fn check_size(samples: usize, metrics: usize) -> Result<(), Error> {
    if samples == 0 || samples > SAMPLES_MAX || samples.saturating_mul(metrics) > POINTS_MAX {
        return Err(Error::FrameSize { samples, metrics });
    }
    Ok(())
}

/// A frame joined with its schema and its sender: what sinks and the history read.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Who sent it, by the subject.
    pub agent: AgentId,
    /// The agent's worker.
    pub worker: WorkerName,
    /// The metrics.
    pub schema: Arc<Schema>,
    /// See [`Frame::boot`].
    pub boot: Token,
    /// See [`Frame::seq`].
    pub seq: u64,
    /// When each sample was read.
    pub times: Vec<UnixMillis>,
    values: Vec<f64>,
}

impl Batch {
    /// Unpacks a frame of `agent` with its schema.
    ///
    /// # Errors
    /// When the schema is another one, the frame is past the limits, or its columns are garbled.
    pub fn new(agent: &AgentId, schema: Arc<Schema>, frame: &Frame) -> Result<Batch, Error> {
        if frame.schema != *schema.id() {
            let expected = schema.id().clone();
            return Err(Error::OtherSchema { found: frame.schema.clone(), expected });
        }
        let samples = usize::try_from(frame.samples).unwrap_or(usize::MAX);
        let metrics = schema.metrics().len();
        check_size(samples, metrics)?;
        let (times, values) =
            columns::unpack(&frame.columns, samples, metrics).ok_or(Error::Garbled)?;
        Ok(Batch {
            agent: agent.clone(),
            worker: agent.worker(),
            schema,
            boot: frame.boot.clone(),
            seq: frame.seq,
            times,
            values,
        })
    }

    /// How many samples; at least one.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.times.len()
    }

    /// The values of the metric at `index` in the schema, one per time; NaN where there was none.
    #[must_use]
    pub fn column(&self, index: usize) -> &[f64] {
        let samples = self.samples();
        self.values.get(index * samples..(index + 1) * samples).unwrap_or_default()
    }

    /// Each metric with its values.
    pub fn columns(&self) -> impl Iterator<Item = (&Metric, &[f64])> {
        self.schema.metrics().iter().zip(self.values.chunks_exact(self.samples()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{id, wire};
    use proptest::prelude::*;

    fn schema(metrics: usize) -> Arc<Schema> {
        let metric = |n| Metric::new(format!("cpu.{n}.user"), "jiffies", Kind::Counter);
        Arc::new(Schema::new((0..metrics).map(metric).collect()).unwrap())
    }

    fn agent() -> AgentId {
        "compute-0007-abcdefghijkm".parse().unwrap()
    }

    fn boot() -> Token {
        Token::random([7; 26])
    }

    fn rows(times: &[i64], values: &[&[f64]]) -> Vec<Row> {
        let row = |(&time, values): (&i64, &&[f64])| Row {
            time: UnixMillis(time),
            values: values.to_vec(),
        };
        times.iter().zip(values).map(row).collect()
    }

    fn unpacked(schema: &Arc<Schema>, rows: &[Row]) -> Batch {
        let frame = Frame::pack(schema, &boot(), 3, rows).unwrap();
        let frame: Frame = wire::decode(&wire::encode(&frame)).unwrap();
        Batch::new(&agent(), schema.clone(), &frame).unwrap()
    }

    fn sample_rows() -> Vec<Row> {
        let first = [1_700_000_000.0, 0.25, 1.0 / 3.0, 8.0];
        let second = [1_700_000_512.0, 1.5, 2.0 / 3.0, 8.0];
        rows(&[1_763_600_000_000, 1_763_600_010_003], &[&first, &second])
    }

    #[test]
    fn the_bytes_of_a_frame_stay_as_they_are() {
        let schema = schema(4);
        let frame = Frame::pack(&schema, &boot(), 3, &sample_rows()).unwrap();
        let bytes: String = wire::encode(&frame).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(bytes, include_str!("../tests/wire/stats.frame.hex").trim());
    }

    #[test]
    fn a_batch_has_the_values_by_column() {
        let batch = unpacked(&schema(4), &sample_rows());
        assert_eq!(batch.worker.as_str(), "compute-0007");
        assert_eq!(batch.times, [UnixMillis(1_763_600_000_000), UnixMillis(1_763_600_010_003)]);
        assert_eq!(batch.column(2), [1.0 / 3.0, 2.0 / 3.0]);
        assert_eq!(batch.columns().count(), 4);
        assert!(batch.column(4).is_empty());
    }

    #[test]
    fn counters_take_a_byte_or_two_after_the_first_sample() {
        let schema = schema(500);
        let row = |n: i32| Row {
            time: UnixMillis(1_763_600_000_000 + i64::from(n) * 10_000),
            values: (0..500).map(|m| 1e6 + f64::from(m * 1000 + n * 50)).collect(),
        };
        let rows: Vec<Row> = (0..6).map(row).collect();
        let frame = Frame::pack(&schema, &boot(), 0, &rows).unwrap();
        assert!(frame.columns.len() < 500 * 9, "{}", frame.columns.len());
    }

    #[test]
    fn what_is_over_a_limit_is_refused() {
        let row = Row { time: UnixMillis(0), values: vec![0.0; 100] };
        assert!(Frame::pack(&schema(100), &boot(), 0, &[]).is_err());
        assert!(Frame::pack(&schema(99), &boot(), 0, std::slice::from_ref(&row)).is_err());
        let many = vec![row; rows_max(100) + 1];
        assert!(Frame::pack(&schema(100), &boot(), 0, &many).is_err());
        assert!(Frame::pack(&schema(100), &boot(), 0, &many[1..]).is_ok());
    }

    #[test]
    fn the_largest_frame_fits_into_a_message() {
        let row = |n: u16| Row {
            time: UnixMillis(i64::from(n)),
            values: vec![if n.is_multiple_of(2) { -9.0e15 } else { 9.0e15 }; METRICS_MAX],
        };
        let rows: Vec<Row> = (0..6).map(row).collect();
        let frame = Frame::pack(&schema(METRICS_MAX), &boot(), 0, &rows).unwrap();
        assert!(wire::encode(&frame).len() < wire::MESSAGE_BYTES_MAX);
    }

    #[test]
    fn a_frame_of_another_schema_is_refused_by_name() {
        let frame = Frame::pack(&schema(4), &boot(), 0, &sample_rows()).unwrap();
        let error = Batch::new(&agent(), schema(5), &frame).unwrap_err();
        assert!(matches!(error, Error::OtherSchema { .. }), "{error}");
    }

    fn value() -> impl Strategy<Value = f64> {
        prop_oneof![
            (0u32..1000).prop_map(f64::from),
            any::<i32>().prop_map(|v| f64::from(v) / 100.0),
            any::<i64>().prop_map(|v| v as f64),
            any::<f64>(),
            Just(f64::NAN),
        ]
    }

    proptest! {
        #[test]
        fn frames_come_back_as_they_were(
            table in (1usize..12, 1usize..7).prop_flat_map(|(metrics, samples)| {
                let row = (any::<i64>(), prop::collection::vec(value(), metrics));
                prop::collection::vec(row, samples)
            })
        ) {
            let times: Vec<i64> = table.iter().map(|row| row.0).collect();
            let values: Vec<&[f64]> = table.iter().map(|row| row.1.as_slice()).collect();
            let rows = rows(&times, &values);
            let batch = unpacked(&schema(values[0].len()), &rows);
            for (n, row) in rows.iter().enumerate() {
                prop_assert_eq!(batch.times[n], row.time);
                for (metric, &value) in row.values.iter().enumerate() {
                    let read = batch.column(metric)[n];
                    prop_assert!(read == value || (read.is_nan() && value.is_nan()), "{value}");
                }
            }
        }

        #[test]
        fn any_columns_are_read_or_refused_within_the_limits(
            columns in prop::collection::vec(any::<u8>(), 0..400),
            samples in any::<u32>(),
            small in 0u32..8,
        ) {
            let schema = schema(20);
            for samples in [samples, small] {
                let columns = columns.clone();
                let id = schema.id().clone();
                let frame = Frame { schema: id, boot: boot(), seq: u64::MAX, samples, columns };
                if let Ok(batch) = Batch::new(&agent(), schema.clone(), &frame) {
                    prop_assert!(batch.columns().count() == 20);
                }
            }
        }

        #[test]
        fn a_frame_with_changed_bytes_never_panics(at in 0usize..200, to in any::<u8>()) {
            let schema = schema(4);
            let frame = Frame::pack(&schema, &boot(), 3, &sample_rows()).unwrap();
            let mut bytes = wire::encode(&frame);
            let at = at % bytes.len();
            bytes[at] = to;
            if let Ok(frame) = wire::decode::<Frame>(&bytes) {
                drop(Batch::new(&agent(), schema, &frame));
            }
        }
    }

    #[test]
    fn a_schema_of_all_limits_fits_into_its_event() {
        let name = |n: usize| format!("filesystem.{n:029}");
        let metric = |n| Metric::new(name(n), "", Kind::Counter);
        let schema = Schema::new((0..METRICS_MAX).map(metric).collect()).unwrap();
        let event =
            crate::event::Event::new(Token::random(id::random()), UnixMillis::now(), &schema);
        let bytes = wire::encode(&event);
        assert!(bytes.len() < wire::MESSAGE_BYTES_MAX, "{}", bytes.len());
        let event: crate::event::Event = wire::decode(&bytes).unwrap();
        assert_eq!(event.read::<Schema>().unwrap().id(), schema.id());
    }
}
