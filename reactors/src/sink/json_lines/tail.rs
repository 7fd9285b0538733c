//! The samples at the end of a file: those that a process wrote which was killed before it could
//! acknowledge them come again, and are there already.

use serde::Deserialize;
use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// So much of the file is looked at: more than what was not acknowledged of frames of one sample.
const TAIL_BYTES_MAX: u64 = 8 << 20;

#[derive(Deserialize)]
struct Line {
    time: String,
    agent_id: String,
}

/// Agents with the times of their samples.
#[derive(Debug, Default)]
pub(super) struct Tail(HashSet<(String, String)>);

impl Tail {
    /// Reads the end of a file of whole lines. What is none of ours is passed over.
    pub(super) fn read(file: &File, size: u64) -> io::Result<Tail> {
        let start = size.saturating_sub(TAIL_BYTES_MAX);
        let mut bytes = vec![0; usize::try_from(size - start).expect("at most TAIL_BYTES_MAX")];
        file.read_exact_at(&mut bytes, start)?;
        let lines = bytes.split(|byte| *byte == b'\n').skip(usize::from(start > 0));
        let known = lines.filter_map(|line| serde_json::from_slice::<Line>(line).ok());
        Ok(Tail(known.map(|line| (line.agent_id, line.time)).collect()))
    }

    /// Whether a sample is there.
    pub(super) fn has(&self, agent: &str, time: &str) -> bool {
        !self.0.is_empty() && self.0.contains(&(agent.to_owned(), time.to_owned()))
    }
}
