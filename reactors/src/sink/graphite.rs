//! Graphite's plaintext protocol over TCP: `<path> <value> <seconds>` per line.
//!
//! Carbon answers nothing, so a write is *sent*, not *stored*; a batch that is sent again falls
//! into the same slots. By default a path is `<prefix><worker>.<metric>`; `original_paths` gives
//! the paths and raw units of the Dynamic Cluster that Muster replaces, so that its dashboards go
//! on.

mod connection;
mod original;
mod paths;

use super::{Error, put_number};
use connection::Connection;
use muster_protocol::id::Token;
use muster_protocol::stats::Batch;
use paths::{Path, Paths};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use std::time::Duration;

/// Bytes that are sent in one piece, about; a batch is never cut.
const CHUNK_BYTES: usize = 1 << 20;

/// A `kind: graphite` sink.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The sink's name.
    pub name: Token,
    /// Carbon's plaintext port, `host:2003`.
    #[serde(deserialize_with = "address")]
    pub address: String,
    /// What every path begins with, e.g. `muster.`: letters, digits, `.`, `-` and `_`.
    #[serde(default, deserialize_with = "prefix")]
    pub prefix: String,
    /// Paths, units and choice of metrics as the Dynamic Cluster sent them.
    #[serde(default)]
    pub original_paths: bool,
    /// Seconds that connecting, or sending a piece, may take.
    #[serde(default = "default_timeout_secs")]
    pub timeout_secs: u64,
}

fn default_timeout_secs() -> u64 {
    10
}

fn address<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let text = String::deserialize(from)?;
    let port = text.rsplit_once(':').filter(|(host, _)| !host.is_empty());
    match port.and_then(|(_, port)| port.parse::<u16>().ok()) {
        Some(_) => Ok(text),
        None => Err(D::Error::custom(format!("{text:?} is no address; write host:port"))),
    }
}

fn prefix<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let text = String::deserialize(from)?;
    let good = |char: char| char.is_ascii_alphanumeric() || ".-_".contains(char);
    if text.chars().all(good) {
        return Ok(text);
    }
    Err(D::Error::custom(format!("{text:?} cannot begin a path; use letters, digits, '.-_'")))
}

/// The sender, with its connection.
pub struct Graphite {
    encoder: Encoder,
    connection: Connection,
}

impl Graphite {
    pub(super) fn new(config: Config) -> Graphite {
        let timeout = Duration::from_secs(config.timeout_secs.max(1));
        Graphite {
            encoder: Encoder::new(config.prefix, config.original_paths),
            connection: Connection::new(config.address, timeout),
        }
    }

    pub(super) async fn write(&mut self, batches: &[Batch]) -> Result<(), Error> {
        let mut bytes = Vec::new();
        for batch in batches {
            self.encoder.encode(batch, &mut bytes);
            if bytes.len() >= CHUNK_BYTES {
                self.connection.send(&bytes).await?;
                bytes.clear();
            }
        }
        self.connection.send(&bytes).await
    }
}

/// Turns batches into lines; remembers the paths of each schema.
pub struct Encoder {
    prefix: String,
    paths: Paths,
}

impl Encoder {
    /// An encoder; see [`Config`].
    #[must_use]
    pub fn new(prefix: String, original_paths: bool) -> Encoder {
        Encoder { prefix, paths: Paths::new(original_paths) }
    }

    /// Adds a line per value that is a number, the oldest sample first.
    pub fn encode(&mut self, batch: &Batch, to: &mut Vec<u8>) {
        let paths = self.paths.of(&batch.schema);
        for (sample, time) in batch.times.iter().enumerate() {
            for path in paths.iter() {
                let value = path.value(batch, sample);
                if value.is_finite() {
                    put_line(to, &self.prefix, batch.worker.as_str(), path, value, time.seconds());
                }
            }
        }
    }
}

fn put_line(to: &mut Vec<u8>, prefix: &str, worker: &str, path: &Path, value: f64, seconds: i64) {
    to.extend_from_slice(prefix.as_bytes());
    to.extend_from_slice(worker.as_bytes());
    to.push(b'.');
    to.extend_from_slice(path.name.as_bytes());
    to.push(b' ');
    put_number(to, value);
    to.push(b' ');
    put_number(to, seconds as f64);
    to.push(b'\n');
}

#[cfg(test)]
mod tests;
