//! What a run by hand keeps: its journal, so that the next one goes on where a crash stopped it,
//! and what files were before it. Where the agent's folder cannot be written, neither.

use crate::args::{States, Verb};
use crate::paths::{self, Root};
use muster_states::backup::Backups;
use std::fs::DirBuilder;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

/// What is kept, and where.
#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) journal: Option<PathBuf>,
    pub(super) backups: Option<Backups>,
}

impl Kept {
    pub(super) fn of(root: &Root, states: &States) -> Kept {
        let data = paths::by_hand(root);
        let mut private = DirBuilder::new();
        if states.test || private.recursive(true).mode(0o700).create(data.folder()).is_err() {
            return Kept::default();
        }
        // Who types one function again wants it again.
        let whole = matches!(states.verb, Verb::Apply(_));
        let mut of = DefaultHasher::new();
        (&states.file_roots, &states.id).hash(&mut of);
        let journal = whole.then(|| data.local_journal(of.finish()));
        Kept { journal, backups: Some(Backups::in_folder(data.backups())) }
    }

    /// Removes the journal of a run that has come to its end.
    pub(super) fn end(&self) {
        let Some(journal) = &self.journal else { return };
        if muster_states::interrupted(journal).is_none() {
            // One that stays tells the next run nothing.
            drop(std::fs::remove_file(journal));
        }
    }
}
