//! The journal: which states a run has begun and ended, so that the next one goes on from there
//! after a crash.
//!
//! One JSON object a line. What the kernel has survives the process; a line is put on disk where
//! a reboot must not forget it: that a command begins which must not be run twice, and the end.
//! A run that finds a journal without an end appends to it. The file is locked while a run lasts.

mod past;

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use past::Interrupted;
pub(crate) use past::{Past, Seen};

/// How long a lock may be held that nobody's run has: a program that is just being started, from
/// another thread, holds all of its parent's until it is itself.
const LOCK_WAIT: Duration = Duration::from_millis(300);
const LOCK_POLL: Duration = Duration::from_millis(5);
/// Bytes of lines that wait to be written.
const WAITING_MAX: usize = 8 << 10;
/// Bytes of changes and comment of one state that are kept.
const KEPT_MAX: usize = 64 << 10;

/// Why the journal could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// It cannot be written or read.
    #[error("cannot keep the journal {path}: check the disk and its permissions")]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another run has it.
    #[error("another run keeps the journal {path}: wait until that one has ended")]
    Busy {
        /// Where.
        path: PathBuf,
    },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    /// A run starts, or goes on where an earlier one was interrupted; its states' fingerprint.
    Run {
        states: usize,
        of: u64,
    },
    Begin {
        key: String,
        of: u64,
    },
    End {
        key: String,
        of: u64,
        kept: Kept,
    },
    /// Temporary files are made in this folder.
    Folder(PathBuf),
    Done(bool),
}

/// What is kept of a state that has ended.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Kept {
    pub(crate) result: Option<bool>,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub(crate) changes: Map<String, Value>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) comment: String,
    /// Its conditions kept it from running.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) skipped: bool,
    /// It had been interrupted, and what it did is not known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) unknown: bool,
}

impl Kept {
    /// The same, without what is too long to keep.
    fn cut(mut self) -> Kept {
        let bytes: usize = self.changes.iter().map(|(k, v)| k.len() + v.to_string().len()).sum();
        if bytes + self.comment.len() > KEPT_MAX {
            self.comment.truncate(self.comment.floor_char_boundary(KEPT_MAX / 4));
            let short = "more than the journal keeps";
            self.changes = Map::from_iter([("changed".to_owned(), Value::from(short))]);
        }
        self
    }
}

/// An open journal.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
    past: Past,
    /// Something was begun, by this run or by the interrupted one that it goes on with.
    begun: bool,
    /// Lines that wait for the next one that must be there: losing them loses nothing.
    waiting: Vec<u8>,
}

impl Journal {
    /// Opens the journal for a run of so many states: behind an interrupted run, or anew.
    pub(crate) fn open(path: &Path, states: usize, of: u64) -> Result<Journal, JournalError> {
        let fail = |source| JournalError::Io { path: path.to_path_buf(), source };
        let mut options = OpenOptions::new();
        options.create(true).read(true).append(true).mode(0o600);
        let mut file = options.open(path).map_err(fail)?;
        let until = Instant::now() + LOCK_WAIT;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < until => {
                    std::thread::sleep(LOCK_POLL);
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(JournalError::Busy { path: path.to_path_buf() });
                }
                Err(TryLockError::Error(source)) => return Err(fail(source)),
            }
        }
        let mut past = Past::read(&mut file).map_err(fail)?;
        // What is not a whole line was torn by the crash.
        let keep = if past.is_interrupted() { past.bytes } else { 0 };
        file.set_len(keep).map_err(fail)?;
        file.seek(SeekFrom::End(0)).map_err(fail)?;
        past.goes_on_as(of);
        let (path, begun) = (path.to_path_buf(), keep > 0);
        let mut journal = Journal { path, file, past, begun, waiting: Vec::new() };
        journal.write(&Line::Run { states, of })?;
        Ok(journal)
    }

    /// What an interrupted run says of a state.
    pub(crate) fn seen(&self, key: &str, of: u64) -> Option<&Seen> {
        self.past.seen(key, of)
    }

    /// The folders in which it may have left temporary files.
    pub(crate) fn folders(&self) -> impl Iterator<Item = &Path> {
        self.past.folders.iter().map(PathBuf::as_path)
    }

    /// A state begins; `lasting` if a reboot must not forget it.
    pub(crate) fn begin(&mut self, key: &str, of: u64, lasting: bool) -> Result<(), JournalError> {
        self.begun = true;
        self.write(&Line::Begin { key: key.to_owned(), of })?;
        if lasting { self.sync() } else { Ok(()) }
    }

    pub(crate) fn end(&mut self, key: &str, of: u64, kept: Kept) -> Result<(), JournalError> {
        self.write(&Line::End { key: key.to_owned(), of, kept: kept.cut() })
    }

    /// A state was found to be as wanted, or at fault: nothing was done. Whoever looks again after
    /// a crash finds the same, so the line may be written later.
    pub(crate) fn found(&mut self, key: String, of: u64, kept: Kept) -> Result<(), JournalError> {
        let plain = kept.result == Some(true) && kept.changes.is_empty();
        let line = Line::End { key, of, kept: kept.cut() };
        if !plain || self.waiting.len() >= WAITING_MAX {
            return self.write(&line);
        }
        let fail = |source| JournalError::Io { path: self.path.clone(), source };
        add(&mut self.waiting, &line).map_err(fail)
    }

    /// All is done, and on disk. Of a run that began nothing a power cut may lose the end: the next
    /// one finds all as this one did.
    pub(crate) fn done(&mut self) -> Result<(), JournalError> {
        self.write(&Line::Done(true))?;
        if self.begun { self.sync() } else { Ok(()) }
    }

    /// Who notes folders with temporary files here, from any thread.
    pub(crate) fn folder_notes(&self) -> Result<FolderNotes, JournalError> {
        let fail = |source| JournalError::Io { path: self.path.clone(), source };
        Ok(FolderNotes(self.file.try_clone().map_err(fail)?))
    }

    fn sync(&self) -> Result<(), JournalError> {
        let fail = |source| JournalError::Io { path: self.path.clone(), source };
        self.file.sync_data().map_err(fail)
    }

    fn write(&mut self, line: &Line) -> Result<(), JournalError> {
        let fail = |source| JournalError::Io { path: self.path.clone(), source };
        // Before the line, in the same write: the order stays.
        let mut text = std::mem::take(&mut self.waiting);
        add(&mut text, line).and_then(|()| self.file.write_all(&text)).map_err(fail)
    }
}

/// One write per line, at the end of the file whoever writes: lines never mix.
fn append(file: &mut File, line: &Line) -> io::Result<()> {
    let mut text = Vec::new();
    add(&mut text, line)?;
    file.write_all(&text)
}

fn add(text: &mut Vec<u8>, line: &Line) -> io::Result<()> {
    serde_json::to_writer(&mut *text, line)?;
    text.push(b'\n');
    Ok(())
}

/// Notes folders with temporary files in a journal.
#[derive(Debug)]
pub(crate) struct FolderNotes(File);

impl FolderNotes {
    pub(crate) fn note(&mut self, folder: &Path) -> io::Result<()> {
        append(&mut self.0, &Line::Folder(folder.to_path_buf()))
    }
}

/// Tells where an earlier run stopped; `None` if it came to its end, or there was none.
pub fn interrupted(path: &Path) -> Option<Interrupted> {
    let mut file = File::open(path).ok()?;
    Past::read(&mut file).ok()?.interrupted()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed() -> Kept {
        let changes = Map::from_iter([("diff".to_owned(), Value::from("x"))]);
        Kept { result: Some(true), changes, ..Kept::default() }
    }

    #[test]
    fn a_journal_tells_where_a_run_stopped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        assert_eq!(interrupted(&path), None);
        let mut journal = Journal::open(&path, 3, 7).unwrap();
        journal.begin("a", 1, false).unwrap();
        journal.end("a", 1, changed()).unwrap();
        journal.begin("b", 2, true).unwrap();
        let found = interrupted(&path).unwrap();
        assert_eq!((found.during.as_deref(), found.ended, found.states), (Some("b"), 1, 3));
        journal.end("b", 2, Kept::default()).unwrap();
        journal.done().unwrap();
        assert_eq!(interrupted(&path), None);
    }

    #[test]
    fn the_next_run_knows_what_had_begun_and_what_had_ended() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let mut journal = Journal::open(&path, 3, 7).unwrap();
        journal.folder_notes().unwrap().note(Path::new("/etc")).unwrap();
        journal.begin("a", 1, false).unwrap();
        journal.end("a", 1, changed()).unwrap();
        journal.begin("b", 2, false).unwrap();
        drop(journal);
        // A torn line.
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"end\":{\"key\":\"b").unwrap();
        drop(file);
        for _ in 0..2 {
            let journal = Journal::open(&path, 3, 7).unwrap();
            assert_eq!(journal.seen("a", 1), Some(&Seen::Ended(changed())));
            assert_eq!(journal.seen("b", 2), Some(&Seen::Begun));
            assert_eq!(journal.seen("b", 3), None, "a state that is another now");
            assert_eq!(journal.folders().collect::<Vec<_>>(), [Path::new("/etc")]);
        }
        // Another run only needs to know what may have been done by half.
        let mut journal = Journal::open(&path, 3, 8).unwrap();
        assert_eq!((journal.seen("a", 1), journal.seen("b", 2)), (None, Some(&Seen::Begun)));
        journal.done().unwrap();
        drop(journal);
        assert_eq!(Journal::open(&path, 3, 7).unwrap().seen("b", 2), None);
    }

    #[test]
    fn a_journal_is_kept_by_one_run_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let kept = Journal::open(&path, 3, 7).unwrap();
        assert!(matches!(Journal::open(&path, 3, 7), Err(JournalError::Busy { .. })));
        drop(kept);
        assert!(Journal::open(&path, 3, 7).is_ok());
    }
}
