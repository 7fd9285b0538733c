//! The journal: which states a run has begun and ended, so that a crash can say where it was.
//!
//! One JSON object a line, each synced: `{"run": ..}`, `{"begin": tag}`, `{"end": tag, ..}`,
//! `{"done": true}`. A run that finds a journal without `done` knows what it was doing.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Bytes of a journal that are read back.
const READ_MAX: u64 = 64 << 20;

/// Why the journal could not be kept.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the journal {path}: check the disk and its permissions")]
pub struct JournalError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Run { states: usize, test: bool },
    Begin(String),
    End { tag: String, result: Option<bool>, changed: bool },
    Done(bool),
}

/// An open journal.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
}

impl Journal {
    /// Starts a new journal in place of the old one.
    pub(crate) fn start(path: &Path, states: usize, test: bool) -> Result<Journal, JournalError> {
        let fail = |source| JournalError { path: path.to_path_buf(), source };
        let mut options = OpenOptions::new();
        options.create(true).truncate(true).write(true);
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(fail)?;
        let mut journal = Journal { path: path.to_path_buf(), file };
        journal.write(&Line::Run { states, test })?;
        Ok(journal)
    }

    pub(crate) fn begin(&mut self, tag: &str) -> Result<(), JournalError> {
        self.write(&Line::Begin(tag.to_owned()))
    }

    pub(crate) fn end(
        &mut self,
        tag: &str,
        result: Option<bool>,
        changed: bool,
    ) -> Result<(), JournalError> {
        self.write(&Line::End { tag: tag.to_owned(), result, changed })
    }

    pub(crate) fn done(&mut self) -> Result<(), JournalError> {
        self.write(&Line::Done(true))?;
        let fail = |source| JournalError { path: self.path.clone(), source };
        self.file.sync_data().map_err(fail)
    }

    /// One write per line: what the kernel has survives the process; `done` is synced to disk.
    fn write(&mut self, line: &Line) -> Result<(), JournalError> {
        let fail = |source| JournalError { path: self.path.clone(), source };
        let mut text = serde_json::to_vec(line).map_err(|error| fail(error.into()))?;
        text.push(b'\n');
        self.file.write_all(&text).map_err(fail)
    }
}

/// What an earlier run left behind.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Interrupted {
    /// The state that had begun and not ended.
    pub during: Option<String>,
    /// States that had ended.
    pub ended: usize,
    /// States of that run in all.
    pub states: usize,
}

/// Tells where an earlier run stopped; `None` if it came to its end, or there was none.
pub fn interrupted(path: &Path) -> Option<Interrupted> {
    let file = File::open(path).ok()?;
    let mut found = Interrupted::default();
    for line in BufReader::new(io::Read::take(file, READ_MAX)).lines() {
        // A torn last line is what a crash leaves.
        let Ok(line) = serde_json::from_str::<Line>(&line.ok()?) else { break };
        match line {
            Line::Run { states, .. } => found.states = states,
            Line::Begin(tag) => found.during = Some(tag),
            Line::End { .. } => {
                found.during = None;
                found.ended += 1;
            }
            Line::Done(_) => return None,
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_tells_where_a_run_stopped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        assert_eq!(interrupted(&path), None);
        let mut journal = Journal::start(&path, 3, false).unwrap();
        journal.begin("a").unwrap();
        journal.end("a", Some(true), true).unwrap();
        journal.begin("b").unwrap();
        let found = interrupted(&path).unwrap();
        assert_eq!((found.during.as_deref(), found.ended, found.states), (Some("b"), 1, 3));
        journal.end("b", Some(true), false).unwrap();
        journal.done().unwrap();
        assert_eq!(interrupted(&path), None);
    }
}
