//! Which run has begun and not ended, so that a crash in the middle is told and made good.

use super::waiting::Job;
use crate::files::{self, Lasting};
use crate::paths::Data;
use muster_protocol::id::Generation;
use serde::{Deserialize, Serialize};

/// How often a run is begun that never ends: one of its states may stop the agent.
const BEGINS_MAX: u32 = 3;

/// A run that has begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// What was run.
    pub(crate) job: Job,
    /// Of which desired state.
    pub(crate) revision: u64,
    /// How often it was begun.
    pub(crate) begins: u32,
}

/// The newest desired state whose run has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) generation: Generation,
    pub(crate) revision: u64,
}

/// What to do about a run that was interrupted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Interrupted {
    /// Run it again.
    Repeat(Entry),
    /// It was begun too often.
    GiveUp(Entry),
}

/// The files.
#[derive(Clone, Debug)]
pub(crate) struct Journal {
    data: Data,
    begins: u32,
}

impl Journal {
    /// Opens it; also the run that was interrupted, if one was.
    pub(crate) fn open(data: Data) -> (Journal, Option<Interrupted>) {
        let entry = files::read_json::<Entry>(&data.journal()).unwrap_or_else(|error| {
            tracing::warn!(error = %crate::chain(&error), "the journal is damaged");
            None
        });
        let begins = entry.as_ref().map_or(0, |entry| entry.begins);
        let interrupted = entry.map(|entry| match entry.begins < BEGINS_MAX {
            true => Interrupted::Repeat(entry),
            false => Interrupted::GiveUp(entry),
        });
        (Journal { data, begins }, interrupted)
    }

    /// Where the interrupted run was, in words.
    pub(crate) fn place(&self) -> String {
        let place = crate::engine::interrupted_at(&self.data.states_journal());
        place.unwrap_or_else(|| "before its first state".to_owned())
    }

    /// Notes that a run begins.
    pub(crate) fn begin(&mut self, job: &Job, revision: u64) -> Result<(), files::Error> {
        self.begins += 1;
        let entry = Entry { job: job.clone(), revision, begins: self.begins };
        let bytes = serde_json::to_vec(&entry).expect("an entry is plain JSON");
        files::write(&self.data.journal(), &bytes, Lasting::Process)
    }

    /// Notes that it has ended, and that its result waits on disk to be sent.
    pub(crate) fn end(&mut self) -> Result<(), files::Error> {
        self.begins = 0;
        files::remove(&self.data.journal())
    }

    /// The newest desired state whose run has ended.
    pub(crate) fn record(&self) -> Record {
        files::read_json(&self.data.applied()).ok().flatten().unwrap_or_default()
    }

    /// Keeps that a desired state's run has ended.
    pub(crate) fn keep(&self, record: Record) -> Result<(), files::Error> {
        let bytes = serde_json::to_vec(&record).expect("a record is plain JSON");
        // Lost in a power cut, it costs one more highstate.
        files::write(&self.data.applied(), &bytes, Lasting::Process)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupted_run_is_repeated_but_not_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let data = Data::new(dir.path().to_owned());
        let (mut journal, interrupted) = Journal::open(data.clone());
        assert_eq!(interrupted, None);
        for begins in 1..=BEGINS_MAX {
            journal.begin(&Job::highstate(), 7).unwrap();
            let interrupted;
            (journal, interrupted) = Journal::open(data.clone());
            let entry = Entry { job: Job::highstate(), revision: 7, begins };
            let expected = match begins < BEGINS_MAX {
                true => Interrupted::Repeat(entry),
                false => Interrupted::GiveUp(entry),
            };
            assert_eq!(interrupted, Some(expected));
        }
        journal.end().unwrap();
        assert_eq!(Journal::open(data).1, None);
    }
}
