//! One worker's samples: packed blocks, and the newest rows.

use super::Seen;
use muster_protocol::api::SeriesView;
use muster_protocol::id::{UnixMillis, WorkerName};
use muster_protocol::stats::{Batch, Frame, Kind, Row, Schema, rows_max};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Rows that are packed together.
const BLOCK_ROWS: usize = 30;
/// Rows that are never packed: the latest value and the one before, for its rate.
const LATEST_ROWS: usize = 2;

/// Packed rows.
struct Block {
    schema: Arc<Schema>,
    batch: Frame,
    last: UnixMillis,
}

impl Block {
    fn bytes(&self) -> usize {
        self.batch.columns.len() + size_of::<Block>()
    }
}

/// One worker's samples, in the order in which they came.
#[derive(Default)]
pub(super) struct Worker {
    blocks: VecDeque<Block>,
    blocks_bytes: usize,
    head: Vec<Row>,
    /// Of the rows in the head.
    source: Option<Source>,
    seen: Seen,
    heard: UnixMillis,
}

/// Whose rows the head holds.
#[derive(Clone)]
struct Source {
    agent: muster_protocol::id::AgentId,
    boot: muster_protocol::id::Token,
    schema: Arc<Schema>,
}

impl Worker {
    pub(super) fn heard(&self) -> UnixMillis {
        self.heard
    }

    pub(super) fn bytes(&self) -> usize {
        let row = |row: &Row| size_of::<Row>() + row.values.len() * size_of::<f64>();
        self.blocks_bytes + self.head.iter().map(row).sum::<usize>()
    }

    /// Adds the rows that were not seen.
    pub(super) fn insert(&mut self, batch: &Batch, now: UnixMillis) {
        self.heard = now;
        if self.source.as_ref().is_none_or(|source| source.schema.id() != batch.schema.id()) {
            self.pack(0);
        }
        self.source = Some(Source {
            agent: batch.agent.clone(),
            boot: batch.boot.clone(),
            schema: batch.schema.clone(),
        });
        for (sample, &time) in batch.times.iter().enumerate() {
            if !self.seen.has(&batch.boot, batch.seq.saturating_add(sample as u64)) {
                let values = batch.columns().map(|(_, column)| column[sample]).collect();
                self.head.push(Row { time, values });
            }
        }
        self.seen.insert(batch);
        if self.head.len() >= self.block_rows() + LATEST_ROWS {
            self.pack(LATEST_ROWS);
        }
    }

    fn block_rows(&self) -> usize {
        let metrics = self.source.as_ref().map_or(0, |source| source.schema.metrics().len());
        rows_max(metrics).min(BLOCK_ROWS)
    }

    /// Packs all rows but the newest `keep`.
    fn pack(&mut self, keep: usize) {
        let Some(source) = self.source.clone() else { return };
        let packed = self.head.len().saturating_sub(keep);
        let rows: Vec<Row> = self.head.drain(..packed).collect();
        for rows in rows.chunks(self.block_rows()) {
            let last = rows.iter().map(|row| row.time).max().unwrap_or_default();
            // The rows came out of a batch of this schema, so they fit it.
            if let Ok(batch) = Frame::pack(&source.schema, &source.boot, 0, rows) {
                let block = Block { schema: source.schema.clone(), batch, last };
                self.blocks_bytes += block.bytes();
                self.blocks.push_back(block);
            }
        }
    }

    pub(super) fn drop_older_than(&mut self, time: UnixMillis) {
        while self.blocks.front().is_some_and(|block| block.last < time) {
            self.drop_oldest();
        }
    }

    /// Drops the oldest block, or else the rows; returns the bytes that this frees.
    pub(super) fn drop_oldest(&mut self) -> usize {
        let before = self.bytes();
        match self.blocks.pop_front() {
            Some(block) => self.blocks_bytes -= block.bytes(),
            None => self.head.clear(),
        }
        before - self.bytes()
    }

    /// The newest rows: enough for a value and its rate.
    pub(super) fn latest(&self) -> Points {
        let mut points = Points::default();
        let Some(source) = &self.source else { return points };
        let mut rows: Vec<&Row> = self.head.iter().collect();
        rows.sort_by_key(|row| row.time);
        for row in rows.iter().rev().take(LATEST_ROWS).rev() {
            points.add_row(&source.schema, row);
        }
        points
    }

    /// All rows from `time` on, in the order of time.
    pub(super) fn since(&self, time: UnixMillis) -> Points {
        let mut points = Points::default();
        let Some(source) = &self.source else { return points };
        for block in self.blocks.iter().filter(|block| block.last >= time) {
            if let Ok(batch) = Batch::new(&source.agent, block.schema.clone(), &block.batch) {
                points.add_batch(&batch, time);
            }
        }
        for row in self.head.iter().filter(|row| row.time >= time) {
            points.add_row(&source.schema, row);
        }
        points.sort();
        points
    }
}

/// Points by metric.
#[derive(Default)]
pub(super) struct Points {
    pub(super) series: BTreeMap<String, Series>,
}

/// One metric's points, oldest first.
pub(super) struct Series {
    pub(super) unit: String,
    pub(super) kind: Kind,
    pub(super) points: Vec<(UnixMillis, f64)>,
}

impl Points {
    fn add_row(&mut self, schema: &Schema, row: &Row) {
        for (metric, &value) in schema.metrics().iter().zip(&row.values) {
            self.of(&metric.name, &metric.unit, metric.kind).push_if(row.time, value);
        }
    }

    fn add_batch(&mut self, batch: &Batch, from: UnixMillis) {
        for (metric, column) in batch.columns() {
            let series = self.of(&metric.name, &metric.unit, metric.kind);
            for (&time, &value) in batch.times.iter().zip(column) {
                if time >= from {
                    series.push_if(time, value);
                }
            }
        }
    }

    pub(super) fn of(&mut self, name: &str, unit: &str, kind: Kind) -> &mut Series {
        if !self.series.contains_key(name) {
            let series = Series { unit: unit.to_owned(), kind, points: Vec::new() };
            self.series.insert(name.to_owned(), series);
        }
        self.series.get_mut(name).expect("it was put in just now")
    }

    /// Two generations of a worker, or a redelivery, may have come out of order.
    fn sort(&mut self) {
        for series in self.series.values_mut() {
            series.points.sort_by_key(|(time, _)| *time);
            series.points.dedup_by_key(|(time, _)| *time);
        }
    }

    /// The series that are wanted; only the newest point of each if `latest`.
    pub(super) fn views(
        self,
        worker: &WorkerName,
        wanted: &impl Fn(&str) -> bool,
        latest: bool,
    ) -> Vec<SeriesView> {
        let all =
            self.series.into_iter().filter(|(name, one)| wanted(name) && !one.points.is_empty());
        let view = |(metric, mut series): (String, Series)| {
            if latest {
                series.points.drain(..series.points.len() - 1);
            }
            SeriesView { worker: worker.clone(), metric, unit: series.unit, points: series.points }
        };
        all.map(view).collect()
    }
}

impl Series {
    fn push_if(&mut self, time: UnixMillis, value: f64) {
        if !value.is_nan() {
            self.points.push((time, value));
        }
    }
}
