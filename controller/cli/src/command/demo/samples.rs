//! Reads back what the JSON-lines sink has written.

use crate::failure::{OrNext, Result};
use anyhow::Context;
use muster_protocol::id::AgentId;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// One line of the sink's file.
#[derive(Deserialize)]
struct Line {
    time: serde_json::Value,
    agent_id: AgentId,
    metrics: BTreeMap<String, serde_json::Value>,
}

/// The samples in the file, read as it grows.
#[derive(Debug)]
pub(super) struct Samples {
    file: PathBuf,
    offset: u64,
    /// The times of each agent's samples: what was delivered twice counts once.
    times: BTreeMap<AgentId, BTreeSet<String>>,
}

impl Samples {
    /// Nothing is read yet.
    pub(super) fn new(file: &Path) -> Samples {
        Samples { file: file.to_owned(), offset: 0, times: BTreeMap::new() }
    }

    /// Reads what was added; a line that is not ended yet is left for the next time.
    pub(super) fn read(&mut self) -> Result<()> {
        let reading = || format!("reading the sink's file {}", self.file.display());
        let read = || -> std::io::Result<Vec<String>> {
            let mut file = match File::open(&self.file) {
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
                file => file?,
            };
            file.seek(SeekFrom::Start(self.offset))?;
            let (mut from, mut lines) = (BufReader::new(file), Vec::new());
            loop {
                let mut line = String::new();
                from.read_line(&mut line)?;
                if !line.ends_with('\n') {
                    return Ok(lines);
                }
                lines.push(line);
            }
        };
        let lines = read().with_context(reading).or_next("see --keep, and the controller's log")?;
        for line in lines {
            self.offset += line.len() as u64;
            let line: Line = serde_json::from_str(&line)
                .with_context(reading)
                .or_next("the sink's format has changed: please report it")?;
            if !line.metrics.is_empty() {
                let times = self.times.entry(line.agent_id).or_default();
                times.insert(line.time.to_string());
            }
        }
        Ok(())
    }

    /// How many samples of an agent there are.
    pub(super) fn of(&self, agent: &AgentId) -> usize {
        self.times.get(agent).map_or(0, BTreeSet::len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use muster_protocol::id::AgentId;
    use std::io::Write;

    #[test]
    fn samples_are_counted_once_and_lines_when_they_are_whole() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("s.jsonl");
        let agent = AgentId::new(&"w".parse().unwrap(), [0; 12]);
        let line = |time: i64| {
            format!(
                "{{\"time\":{time},\"worker\":\"w\",\"agent_id\":\"{agent}\",\
                     \"metrics\":{{\"load.1m\":0.5}}}}\n"
            )
        };
        let mut samples = Samples::new(&path);
        samples.read().unwrap();
        assert_eq!(samples.of(&agent), 0);
        let mut file = File::create(&path).unwrap();
        let second = line(20);
        write!(file, "{}{}{}", line(10), line(10), &second[..9]).unwrap();
        samples.read().unwrap();
        assert_eq!(samples.of(&agent), 1);
        write!(file, "{}", &second[9..]).unwrap();
        samples.read().unwrap();
        assert_eq!(samples.of(&agent), 2);
        writeln!(file, "no json").unwrap();
        assert!(samples.read().is_err());
    }
}
