//! What a journal says of the run before this one.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::PathBuf;

use super::{Kept, Line};

/// Bytes of a journal that are read back.
const READ_MAX: u64 = 64 << 20;

/// The last line of a run that came to its end.
const DONE: &[u8] = b"\n{\"done\":true}\n";

/// What is known of a state of the interrupted run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Seen {
    /// It had begun, and not ended.
    Begun,
    Ended(Kept),
}

/// What an earlier run left behind.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Interrupted {
    /// The state that had begun and not ended; the first one, if there were several.
    pub during: Option<String>,
    /// States that had ended.
    pub ended: usize,
    /// States of that run in all.
    pub states: usize,
}

/// What a journal holds.
#[derive(Debug, Default)]
pub(crate) struct Past {
    /// By key: the fingerprint, and what is known.
    by_key: HashMap<String, (u64, Seen)>,
    /// Keys of those that have begun and not ended, in order.
    begun: Vec<String>,
    pub(super) folders: BTreeSet<PathBuf>,
    run: Option<u64>,
    states: usize,
    /// Of whole lines.
    pub(super) bytes: u64,
}

impl Past {
    pub(super) fn read(file: &mut File) -> io::Result<Past> {
        // Nothing of it matters any more.
        if is_done(file)? {
            return Ok(Past::default());
        }
        let mut past = Past::default();
        let mut reader = BufReader::new(file.take(READ_MAX));
        let mut text = Vec::new();
        while reader.read_until(b'\n', &mut text)? > 0 {
            // A torn last line is what a crash leaves.
            if !text.ends_with(b"\n") {
                break;
            }
            let Ok(line) = serde_json::from_slice::<Line>(&text) else { break };
            past.bytes += text.len() as u64;
            past.take(line);
            text.clear();
        }
        Ok(past)
    }

    fn take(&mut self, line: Line) {
        match line {
            Line::Run { states, of } => {
                self.states = states;
                self.goes_on_as(of);
            }
            Line::Begin { key, of } => {
                self.begun.retain(|other| *other != key);
                self.begun.push(key.clone());
                self.by_key.insert(key, (of, Seen::Begun));
            }
            Line::End { key, of, kept } => {
                self.begun.retain(|other| *other != key);
                self.by_key.insert(key, (of, Seen::Ended(kept)));
            }
            Line::Folder(folder) => {
                self.folders.insert(folder);
            }
            Line::Done(_) => *self = Past { bytes: self.bytes, ..Past::default() },
        }
    }

    /// Goes on as a run with these states. Of another run only what may be half done counts.
    pub(super) fn goes_on_as(&mut self, of: u64) {
        if self.run.replace(of).is_some_and(|before| before != of) {
            self.by_key.retain(|_, (_, seen)| match seen {
                Seen::Begun => true,
                Seen::Ended(kept) => kept.unknown,
            });
        }
    }

    pub(super) fn is_interrupted(&self) -> bool {
        self.run.is_some()
    }

    pub(super) fn seen(&self, key: &str, of: u64) -> Option<&Seen> {
        self.by_key.get(key).filter(|(was, _)| *was == of).map(|(_, seen)| seen)
    }

    pub(super) fn interrupted(self) -> Option<Interrupted> {
        self.run?;
        let ended = self.by_key.values().filter(|(_, seen)| matches!(seen, Seen::Ended(_)));
        Some(Interrupted {
            ended: ended.count(),
            during: self.begun.into_iter().next(),
            states: self.states,
        })
    }
}

/// Whether a journal's last line is a run's end; what is read next is its beginning.
fn is_done(file: &mut File) -> io::Result<bool> {
    let mut last = vec![0; DONE.len()];
    let length = file.metadata()?.len();
    let from = length.checked_sub(last.len() as u64);
    if let Some(from) = from {
        file.seek(SeekFrom::Start(from))?;
        file.read_exact(&mut last)?;
    }
    file.seek(SeekFrom::Start(0))?;
    Ok(last == DONE)
}
