//! JSON lines: a file with one object per sample and line.
//!
//! `{"time":"2026-11-20T05:01:22.123Z","worker":"…","agent_id":"…","metrics":{"load.1m":0.2}}`; a
//! metric without a value is left out. Batches are appended whole and, unless told otherwise, are
//! on disk before they are acknowledged. A line that a crash cut is removed at the next start:
//! its batch was not acknowledged and comes again. So may whole lines whose writer was killed
//! before it could acknowledge them: what the end of the file holds at the start is not written
//! again.

mod file;
mod tail;

use super::{Error, whole};
use file::File;
use muster_protocol::id::Token;
use muster_protocol::stats::Batch;
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use tail::Tail;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A `kind: json_lines` sink.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The sink's name.
    pub name: Token,
    /// The file; its folder must exist.
    pub path: PathBuf,
    /// A file of this size is rotated: `stats.jsonl` becomes `stats.jsonl.1`.
    #[serde(default = "default_rotate_bytes")]
    pub rotate_bytes: u64,
    /// Rotated files that are kept beside the present one.
    #[serde(default = "default_keep_files")]
    pub keep_files: u32,
    /// When what was written must be on disk.
    #[serde(default)]
    pub sync: Sync,
}

/// When what was written must be on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sync {
    /// Before a batch is acknowledged: a power cut loses nothing that was.
    #[default]
    Batch,
    /// When the kernel likes: a power cut may lose the last half minute.
    Never,
}

fn default_rotate_bytes() -> u64 {
    256 << 20
}

fn default_keep_files() -> u32 {
    4
}

/// The sender, with its file.
pub struct JsonLines {
    config: Config,
    file: Option<File>,
}

impl JsonLines {
    pub(super) fn new(config: Config) -> JsonLines {
        JsonLines { config, file: None }
    }

    pub(super) async fn write(&mut self, batches: &[Batch]) -> Result<(), Error> {
        let config = self.config.clone();
        let mut file = match self.file.take() {
            Some(file) => file,
            None => self.blocking(move || File::open(config)).await?,
        };
        let mut bytes = Vec::new();
        batches.iter().for_each(|batch| encode_new(batch, file.tail(), &mut bytes));
        let append = move || {
            if !bytes.is_empty() {
                file.append(&bytes)?;
            }
            Ok(file)
        };
        self.file = Some(self.blocking(append).await?);
        Ok(())
    }

    async fn blocking(
        &self,
        act: impl FnOnce() -> Result<File, Error> + Send + 'static,
    ) -> Result<File, Error> {
        let stopped = |error| {
            let path = self.config.path.clone();
            Error::File { what: "writing", path, source: std::io::Error::other(error) }
        };
        tokio::task::spawn_blocking(act).await.map_err(stopped)?
    }
}

/// Adds a line per sample, the oldest first.
pub fn encode(batch: &Batch, to: &mut Vec<u8>) {
    encode_new(batch, &Tail::default(), to);
}

fn encode_new(batch: &Batch, known: &Tail, to: &mut Vec<u8>) {
    for sample in 0..batch.samples() {
        let time = time_of(batch, sample);
        if known.has(batch.agent.as_str(), &time) {
            continue;
        }
        let line = Line {
            time,
            worker: batch.worker.as_str(),
            agent_id: batch.agent.as_str(),
            metrics: Metrics { batch, sample },
        };
        serde_json::to_writer(&mut *to, &line).expect("texts and finite numbers are JSON");
        to.push(b'\n');
    }
}

/// RFC 3339 in UTC; a time that no calendar holds is that of 1970.
fn time_of(batch: &Batch, sample: usize) -> String {
    let nanos = i128::from(batch.times[sample].0) * 1_000_000;
    let time = OffsetDateTime::from_unix_timestamp_nanos(nanos);
    let text = time.ok().and_then(|time| time.format(&Rfc3339).ok());
    text.unwrap_or_else(|| "1970-01-01T00:00:00Z".to_owned())
}

#[derive(Serialize)]
struct Line<'a> {
    time: String,
    worker: &'a str,
    agent_id: &'a str,
    metrics: Metrics<'a>,
}

struct Metrics<'a> {
    batch: &'a Batch,
    sample: usize,
}

impl Serialize for Metrics<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        for (metric, column) in self.batch.columns() {
            let value = column[self.sample];
            match whole(value) {
                Some(whole) => map.serialize_entry(&metric.name, &whole)?,
                None if value.is_finite() => map.serialize_entry(&metric.name, &value)?,
                None => {}
            }
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::tests::batch;
    use muster_protocol::stats::Kind::{Counter, Gauge};
    use std::fs;

    fn one(seq: u64) -> Batch {
        batch(seq, &[("load.1m", Gauge), ("cpu.0.user", Counter)], &[&[0.25, 7.0]])
    }

    fn sink(folder: &tempfile::TempDir, rest: &str) -> JsonLines {
        let path = folder.path().join("stats.jsonl");
        let text = format!("{{name: lines, path: '{}'{rest}}}", path.display());
        JsonLines::new(serde_saphyr::from_str(&text).unwrap())
    }

    fn lines(folder: &tempfile::TempDir, name: &str) -> Vec<serde_json::Value> {
        let text = fs::read_to_string(folder.path().join(name)).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_line_is_one_object_per_sample() {
        let mut bytes = Vec::new();
        let metrics = [("load.1m", Gauge), ("odd\"name", Counter)];
        encode(&batch(0, &metrics, &[&[0.25, 7.0], &[f64::NAN, 8.0]]), &mut bytes);
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            "{\"time\":\"2025-11-20T00:53:20Z\",\"worker\":\"compute-0007\",\
             \"agent_id\":\"compute-0007-abcdefghijkm\",\
             \"metrics\":{\"load.1m\":0.25,\"odd\\\"name\":7}}\n\
             {\"time\":\"2025-11-20T00:53:30Z\",\"worker\":\"compute-0007\",\
             \"agent_id\":\"compute-0007-abcdefghijkm\",\
             \"metrics\":{\"odd\\\"name\":8}}\n"
        );
    }

    #[tokio::test]
    async fn a_line_cut_by_a_crash_is_removed_and_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        sink(&folder, "").write(&[one(0), one(1)]).await.unwrap();
        let path = folder.path().join("stats.jsonl");
        let mut text = fs::read(&path).unwrap();
        text.extend_from_slice(b"{\"time\":\"20");
        fs::write(&path, text).unwrap();
        sink(&folder, "").write(&[one(2)]).await.unwrap();
        assert_eq!(lines(&folder, "stats.jsonl").len(), 3);
    }

    #[tokio::test]
    async fn what_a_killed_writer_could_not_acknowledge_is_not_written_again() {
        let folder = tempfile::tempdir().unwrap();
        sink(&folder, "").write(&[one(0), one(1)]).await.unwrap();
        let mut next = sink(&folder, "");
        next.write(&[one(1)]).await.unwrap();
        next.write(&[one(1), one(2)]).await.unwrap();
        assert_eq!(lines(&folder, "stats.jsonl").len(), 3);
    }

    #[tokio::test]
    async fn a_file_that_is_one_cut_line_is_emptied() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("stats.jsonl"), vec![b'x'; 200_000]).unwrap();
        sink(&folder, ", sync: never").write(&[one(2)]).await.unwrap();
        assert_eq!(lines(&folder, "stats.jsonl").len(), 1);
    }

    #[tokio::test]
    async fn a_full_file_is_rotated_and_only_so_many_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let mut sink = sink(&folder, ", rotate_bytes: 300, keep_files: 2");
        for seq in 0..10 {
            sink.write(&[one(seq)]).await.unwrap();
        }
        let mut names: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["stats.jsonl", "stats.jsonl.1", "stats.jsonl.2"]);
        let all: usize = ["stats.jsonl", "stats.jsonl.1", "stats.jsonl.2"]
            .iter()
            .map(|name| lines(&folder, name).len())
            .sum();
        assert_eq!(all, 6);
    }

    #[tokio::test]
    async fn a_file_that_was_moved_away_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let mut sink = sink(&folder, "");
        sink.write(&[one(0)]).await.unwrap();
        let path = folder.path().join("stats.jsonl");
        fs::rename(&path, folder.path().join("moved")).unwrap();
        sink.write(&[one(1)]).await.unwrap();
        assert_eq!((lines(&folder, "stats.jsonl").len(), lines(&folder, "moved").len()), (1, 1));
    }

    #[tokio::test]
    async fn two_processes_never_write_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = sink(&folder, "");
        first.write(&[one(0)]).await.unwrap();
        let error = sink(&folder, "").write(&[one(1)]).await.unwrap_err();
        assert!(matches!(error, Error::Shared { .. }), "{error}");
        drop(first);
        sink(&folder, "").write(&[one(1)]).await.unwrap();
    }

    #[tokio::test]
    async fn a_folder_that_is_missing_is_an_error_to_try_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut sink = sink(&folder, "");
        fs::remove_dir_all(folder.path()).unwrap();
        assert!(sink.write(&[one(0)]).await.unwrap_err().is_retryable());
        fs::create_dir(folder.path()).unwrap();
        sink.write(&[one(0)]).await.unwrap();
    }
}
