//! Going on where a run was interrupted: what had ended stays done, who waited for it still
//! reacts, and a command of which nobody knows how far it came is not run again unasked.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::Runner;
use crate::chunk::Chunk;
use crate::compile::Compiled;
use crate::function::args::truth;
use crate::journal::{Kept, Seen};
use crate::outcome::{Changes, Outcome, change};
use crate::secret::Secrets;

/// What the interrupted run means for a state.
pub(super) enum Past {
    /// Nothing: it is called as ever.
    Nothing,
    /// It is not called; this came of it.
    Instead(Outcome),
    /// It is called; whether or not it changes something now, this was changed before.
    Changed(Changes),
}

/// A state's place in the journal: its key and its fingerprint.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) of: u64,
    /// A reboot must not forget that it has begun.
    pub(super) lasting: bool,
}

impl Entry {
    pub(super) fn of(low: &Chunk, watch: bool, secrets: &Secrets) -> Entry {
        Entry::with(low, fingerprint(low), watch, secrets)
    }

    /// The same, where the fingerprint is known.
    pub(super) fn with(low: &Chunk, of: u64, watch: bool, secrets: &Secrets) -> Entry {
        let tag = low.tag();
        // Two keys may be the same without their secrets.
        let tag = secrets.masked(&tag).map_or(tag, |masked| format!("{masked} [{of:016x}]"));
        let key = if watch { format!("{tag} (reacting)") } else { tag };
        Entry { key, of, lasting: is_once(low) && !is_guarded(low) }
    }
}

impl Runner<'_, '_> {
    /// What the interrupted run says of a state.
    pub(super) fn past(&self, low: &Chunk, entry: &Entry) -> Past {
        let journal = self.journal.as_ref();
        let Some(seen) = journal.and_then(|journal| journal.seen(&entry.key, entry.of)) else {
            return Past::Nothing;
        };
        match (seen, is_once(low)) {
            // The operator's own condition says whether it must run.
            (Seen::Begun, true) if is_guarded(low) => Past::Nothing,
            (Seen::Begun, true) => Past::Instead(unknown(low)),
            (Seen::Ended(kept), true) if kept.unknown => Past::Instead(unknown(low)),
            (Seen::Ended(kept), true) if kept.skipped => Past::Nothing,
            (Seen::Ended(kept), true) => Past::Instead(Outcome {
                result: kept.result,
                changes: kept.changes.clone(),
                comment: kept.comment.clone(),
                ..Outcome::default()
            }),
            (Seen::Begun, false) => {
                Past::Changed(change("interrupted", "by the end of the run before this one"))
            }
            (Seen::Ended(kept), false) if kept.changes.is_empty() => Past::Nothing,
            (Seen::Ended(kept), false) => Past::Changed(kept.changes.clone()),
        }
    }
}

/// A state that is as wanted now counts as changed if the interrupted run changed it: who waits
/// for that has not reacted yet.
pub(super) fn complete(outcome: &mut Outcome, before: Changes) {
    if outcome.result == Some(true) && outcome.changes.is_empty() {
        outcome.changes = before;
        let told = "Changed by the run before this one, which was interrupted";
        let gap = if outcome.comment.is_empty() { "" } else { "\n" };
        outcome.comment.push_str(gap);
        outcome.comment.push_str(told);
    }
}

/// What the journal keeps of a state.
pub(super) fn kept(low: &Chunk, outcome: &Outcome) -> Kept {
    Kept {
        result: outcome.result,
        changes: outcome.changes.clone(),
        comment: if is_once(low) { outcome.comment.clone() } else { String::new() },
        skipped: outcome.skip_watch,
        unknown: outcome.unknown,
    }
}

fn unknown(low: &Chunk) -> Outcome {
    let comment = format!(
        "It is not known what came of {}: the run before this one was interrupted while it ran. \
         It was not run again; see what it did, and apply once more to run it again",
        low.function()
    );
    Outcome { skip_watch: true, unknown: true, ..Outcome::failed(comment) }
}

/// Whether doing it again may do harm: it says what to do, not what should be.
fn is_once(low: &Chunk) -> bool {
    matches!(low.state.as_str(), "cmd" | "module" | "event" | "http" | "salt")
}

/// Whether a condition of its own says if it must still be done.
fn is_guarded(low: &Chunk) -> bool {
    ["creates", "unless", "onlyif"].iter().any(|key| low.args.get(*key).is_some_and(truth))
}

/// Of all states in their order.
pub(super) fn fingerprints(compiled: &Compiled) -> Vec<u64> {
    compiled.chunks().iter().map(fingerprint).collect()
}

/// Of a whole run.
pub(super) fn fingerprint_of_all(prints: &[u64]) -> u64 {
    let mut hasher = DefaultHasher::new();
    prints.iter().for_each(|one| one.hash(&mut hasher));
    hasher.finish()
}

/// Of what a state is and asks for, wherever in the tree it stands.
fn fingerprint(low: &Chunk) -> u64 {
    let Chunk { state, id, name, fun, args, .. } = low;
    let mut hasher = DefaultHasher::new();
    (state, id, name, fun).hash(&mut hasher);
    args.iter().for_each(|arg| arg.hash(&mut hasher));
    hasher.finish()
}
