//! Where stats go: Graphite, JSON lines, the built-in history.
//!
//! Each sink is a pure encoder, [`Batch`] to bytes, over a sender that knows what may be tried
//! again. All are laid out alike: `Config`, `encode`, a writer with `write(&[Batch])`. A sink
//! that cannot write says so; the pipeline keeps the batches and tries again.

pub mod graphite;
pub mod json_lines;

use crate::history::History;
use muster_protocol::id::{Token, UnixMillis};
use muster_protocol::stats::Batch;
use serde::Deserialize;
use std::path::PathBuf;
use std::sync::Arc;

/// One entry below `sinks:` in controller.yaml, told apart by its `kind`.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Config {
    /// Graphite's plaintext protocol over TCP.
    Graphite(graphite::Config),
    /// A file with one JSON object per sample and line.
    JsonLines(json_lines::Config),
}

impl Config {
    /// The sink's name, under which its place in the stream is remembered.
    #[must_use]
    pub fn name(&self) -> &Token {
        match self {
            Config::Graphite(config) => &config.name,
            Config::JsonLines(config) => &config.name,
        }
    }
}

/// Why a sink could not write.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection.
    #[error("connecting to {address}")]
    Connect {
        /// Where.
        address: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The connection broke, or took nothing for too long.
    #[error("sending to {address}")]
    Send {
        /// Where.
        address: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file cannot be opened, written or rotated.
    #[error("{what} {}", path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Another process writes this file.
    #[error("{} is written by another process; give this sink a path of its own", path.display())]
    Shared {
        /// Which file.
        path: PathBuf,
    },
    /// What is to be written is one that the sink will never take.
    #[error("{what}")]
    Refused {
        /// What the sink does not take.
        what: String,
    },
}

impl Error {
    /// Whether the same batches may be written later; otherwise they are dropped and counted.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Error::Connect { .. }
            | Error::Send { .. }
            | Error::File { .. }
            | Error::Shared { .. } => true,
            Error::Refused { .. } => false,
        }
    }
}

/// A sink that is ready to write.
pub enum Sink {
    /// See [`graphite`].
    Graphite(graphite::Graphite),
    /// See [`json_lines`].
    JsonLines(json_lines::JsonLines),
    /// The built-in history.
    History(Arc<History>),
}

impl Sink {
    /// The sink of a configuration. Nothing is connected or opened before the first write.
    #[must_use]
    pub fn new(config: Config) -> Sink {
        match config {
            Config::Graphite(config) => Sink::Graphite(graphite::Graphite::new(config)),
            Config::JsonLines(config) => Sink::JsonLines(json_lines::JsonLines::new(config)),
        }
    }

    /// Writes batches, all or none as far as the sink can tell.
    ///
    /// # Errors
    /// See [`Error::is_retryable`].
    pub async fn write(&mut self, batches: &[Batch], now: UnixMillis) -> Result<(), Error> {
        match self {
            Sink::Graphite(graphite) => graphite.write(batches).await,
            Sink::JsonLines(file) => file.write(batches).await,
            Sink::History(history) => {
                batches.iter().for_each(|batch| history.insert(batch, now));
                Ok(())
            }
        }
    }
}

/// A value as text: whole numbers without a point, so that counters keep all digits.
fn put_number(to: &mut Vec<u8>, value: f64) {
    use std::io::Write;
    let written = match whole(value) {
        Some(whole) => write!(to, "{whole}"),
        None => write!(to, "{value}"),
    };
    written.expect("a Vec takes any text");
}

/// The value as an integer, if it is one and an `f64` holds it exactly.
fn whole(value: f64) -> Option<i64> {
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    (value.fract() == 0.0 && value.abs() <= EXACT_MAX).then_some(value as i64)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use muster_protocol::stats::{Frame, Kind, Metric, Row, Schema};

    /// A batch of `compute-0007` whose samples are 10 s apart.
    pub(crate) fn batch(seq: u64, metrics: &[(&str, Kind)], rows: &[&[f64]]) -> Batch {
        batch_of("compute-0007-abcdefghijkm", seq, metrics, rows)
    }

    pub(crate) fn batch_of(
        agent: &str,
        seq: u64,
        metrics: &[(&str, Kind)],
        rows: &[&[f64]],
    ) -> Batch {
        let metric = |&(name, kind): &(&str, Kind)| Metric::new(name, "bytes", kind);
        let schema = Arc::new(Schema::new(metrics.iter().map(metric).collect()).unwrap());
        let row = |(n, values): (usize, &&[f64])| Row {
            time: UnixMillis(1_763_600_000_000 + (seq as i64 + n as i64) * 10_000),
            values: values.to_vec(),
        };
        let rows: Vec<Row> = rows.iter().enumerate().map(row).collect();
        let frame = Frame::pack(&schema, &Token::random([1; 26]), seq, &rows).unwrap();
        Batch::new(&agent.parse().unwrap(), schema, &frame).unwrap()
    }

    fn config(text: &str) -> Result<Config, String> {
        serde_saphyr::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_sink_is_told_apart_by_its_kind() {
        let graphite = config("kind: graphite\nname: carbon\naddress: localhost:2003\n").unwrap();
        assert!(matches!(&graphite, Config::Graphite(_)));
        assert_eq!(graphite.name().as_str(), "carbon");
        let lines = config("kind: json_lines\nname: lines\npath: /var/lib/stats.jsonl\n").unwrap();
        assert!(matches!(lines, Config::JsonLines(_)));
    }

    #[test]
    fn an_unknown_field_or_an_odd_name_is_refused() {
        let good = "kind: graphite\nname: carbon\naddress: localhost:2003\n";
        for (from, to) in [
            ("address", "adress"),
            ("carbon", "'a b'"),
            ("kind: graphite", "kind: grafite"),
            ("name: carbon", "name: carbon\nport: 1"),
            ("localhost:2003", "localhost"),
            ("name: carbon", "name: carbon\nprefix: 'a b'"),
        ] {
            assert!(config(&good.replace(from, to)).is_err(), "{to}");
        }
    }

    #[test]
    fn whole_numbers_have_no_point() {
        for (value, expected) in
            [(12.0, "12"), (0.25, "0.25"), (-3.0, "-3"), (9e15, "9000000000000000")]
        {
            let mut text = Vec::new();
            put_number(&mut text, value);
            assert_eq!(String::from_utf8(text).unwrap(), expected);
        }
    }
}
