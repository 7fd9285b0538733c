//! The only part that acts: runs compiled states in order, with requisites, and reports.

mod ahead;
mod call;
mod conditions;
mod listen;
mod only;
mod parallel;
mod resume;
mod retry;
mod slots;
mod status;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::Scope;
use std::time::Duration;

use crate::backup::{Backups, Recorder};
use crate::chunk::Chunk;
use crate::compile::Compiled;
use crate::host::Host;
use crate::host::command::Cancel;
use crate::host::temps::sweep;
use crate::journal::{Journal, JournalError};
use crate::report::{Report, StateReturn};
use crate::session::Session;
use crate::view::Reload;
use ahead::Ahead;
use call::Caller;
use parallel::Parallel;
use status::Status;

/// How deep requisites that were not met in order may nest; the sort leaves none.
const DEPTH_MAX: usize = 20;

/// How to run.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// A dry run: nothing is changed, the report says what would be.
    pub test: bool,
    /// Where to keep the journal, if anywhere.
    pub journal: Option<PathBuf>,
    /// Where to keep what files were before this run, if anywhere.
    pub backups: Option<Backups>,
    /// What was written is left to the kernel: a power cut may lose it, and the journal does not
    /// know. For measurements, and images that are thrown away when that happens.
    pub unsynced: bool,
    /// Stops the run from another thread.
    pub cancel: Cancel,
    /// Stops at the first state that fails.
    pub failhard: bool,
    /// How long a state's commands may take that have no timeout of their own; package managers
    /// are left to end.
    pub state_timeout: Option<Duration>,
    /// Events of states go to somebody: `event.send` fails where they do not.
    pub heard: bool,
    /// States with `parallel: True` that run at a time; a sensible number if `None`.
    pub parallel_max: Option<usize>,
    /// States that are checked at a time ahead of their turn; as many as there are processors if
    /// `None`, with 0 each at its turn only. What comes of a run is the same.
    pub ahead_max: Option<usize>,
    /// Reads facts and pillar anew where a state asks for that (`reload_grains`,
    /// `reload_pillar`); both stay as they are if `None`.
    pub reload: Option<Arc<dyn Reload>>,
    /// Only the states of this ID, and for each what it requires (Salt's `state.sls_id`).
    pub only: Option<String>,
}

/// Runs all states; `progress` is told of each one that ended, with its key.
///
/// A state that fails is in the report; only a journal that cannot be kept is an error, and
/// nothing has run then. A journal whose run was interrupted is gone on with: what had ended and
/// must not be done twice is not, and a command that was interrupted is reported as unknown. A
/// dry run leaves the journal alone. Secrets of the pillar appear nowhere.
pub fn run(
    compiled: &Compiled,
    host: &Host,
    options: &Options,
    progress: &mut dyn FnMut(&str, &StateReturn),
) -> Result<Report, JournalError> {
    let (journal, prints) = match options.journal.as_ref().filter(|_| !options.test) {
        Some(path) => {
            let prints = resume::fingerprints(compiled);
            (Some(opened(compiled, host, path, &prints)?), prints)
        }
        None => (None, Vec::new()),
    };
    let recorder = options.backups.as_ref().filter(|_| !options.test).map(Recorder::new);
    host.variables().reset();
    let session = Session { heard: options.heard, ..Session::default() };
    let report = std::thread::scope(|scope| {
        let mut runner = Runner {
            caller: Caller {
                compiled,
                host,
                options,
                session: &session,
                recorder: recorder.as_ref(),
            },
            scope,
            progress,
            journal,
            prints,
            report: Report::with_room(compiled.steps.len()),
            pre: HashMap::new(),
            tested: HashSet::new(),
            pending: Vec::new(),
            parallel: Parallel::new(),
            ahead: Ahead::new(options),
            run_num: 0,
            stopped: false,
        };
        runner.all();
        runner.report
    });
    host.note_temps(None);
    Ok(report.renamed(|key| session.views.last(&compiled.view).secrets.masked(key)))
}

/// Opens the journal and clears away what an interrupted run left.
fn opened(
    compiled: &Compiled,
    host: &Host,
    path: &Path,
    prints: &[u64],
) -> Result<Journal, JournalError> {
    let of = resume::fingerprint_of_all(prints);
    let journal = Journal::open(path, compiled.chunks().len(), of)?;
    journal.folders().for_each(sweep);
    host.note_temps(Some(journal.folder_notes()?));
    Ok(journal)
}

struct Runner<'scope, 'env> {
    caller: Caller<'env>,
    scope: &'scope Scope<'scope, 'env>,
    progress: &'scope mut dyn FnMut(&str, &StateReturn),
    journal: Option<Journal>,
    /// The fingerprint of each chunk, if there is a journal.
    prints: Vec<u64>,
    report: Report,
    /// Dry runs that a `prereq` asked for, by chunk.
    pre: HashMap<usize, StateReturn>,
    /// Chunks whose dry run was done.
    tested: HashSet<usize>,
    /// Parallel chunks that wait for other parallel ones.
    pending: Vec<usize>,
    parallel: Parallel,
    ahead: Ahead,
    run_num: u64,
    stopped: bool,
}

impl<'env> Runner<'_, 'env> {
    fn all(&mut self) {
        for (at, step) in self.compiled().steps.iter().enumerate() {
            self.again();
            if self.stopped {
                break;
            }
            if self.only(step) {
                continue;
            }
            if self.caller.options.cancel.is_cancelled() {
                self.cancelled(step.chunk);
                continue;
            }
            if self.report.get(self.tag(step.chunk)).is_none() {
                self.look_ahead(at);
                self.chunk(step.chunk, 0);
                self.check_failhard(step.chunk);
            }
        }
        while !self.stopped && !self.pending.is_empty() {
            self.next_ended();
            self.again();
        }
        self.all_ended();
        // As in Salt, what failed hard does not keep earlier changes from those who listen.
        if !self.caller.options.cancel.is_cancelled() && self.caller.options.only.is_none() {
            self.stopped = false;
            self.listeners();
            self.all_ended();
        }
        if let Some(recorder) = self.caller.recorder {
            recorder.end();
        }
        // The journal's end says that all is on disk.
        let options = self.caller.options;
        match if options.unsynced { Ok(()) } else { self.caller.host.settle() } {
            Ok(()) => self.note(Journal::done),
            Err(error) => tracing::warn!(%error, "what this run wrote may not be on disk yet"),
        }
    }

    fn compiled(&self) -> &'env Compiled {
        self.caller.compiled
    }

    fn tag(&self, chunk: usize) -> &'env str {
        &self.compiled().graph.nodes[chunk].tag
    }

    fn chunk_at(&self, chunk: usize) -> &'env Chunk {
        &self.compiled().chunks()[chunk]
    }

    /// Whether the chunk is still to be run dry for a `prereq`.
    fn is_test(&self, chunk: usize) -> bool {
        self.compiled().graph.test_of(chunk).is_some() && !self.tested.contains(&chunk)
    }

    /// Tries again those that wait for parallel ones.
    fn again(&mut self) {
        for chunk in std::mem::take(&mut self.pending) {
            if self.stopped {
                return;
            }
            if self.caller.options.cancel.is_cancelled() {
                self.cancelled(chunk);
            } else if self.report.get(self.tag(chunk)).is_none() {
                self.chunk(chunk, 0);
                self.check_failhard(chunk);
            }
        }
    }

    /// Runs one chunk as its requisites allow.
    fn chunk(&mut self, chunk: usize, depth: usize) {
        let test = self.is_test(chunk);
        match self.status(chunk) {
            Status::Unmet => self.unmet(chunk, depth),
            Status::Pending => self.pending.push(chunk),
            Status::Met => self.plain(chunk),
            Status::Change | Status::SkipWatch if test => self.plain(chunk),
            Status::Change => self.watched(chunk),
            Status::SkipWatch => self.unwatched(chunk),
            Status::Fail => self.requisite_failed(chunk),
            Status::SkipReq => self.not_run(
                chunk,
                true,
                "State was not run because requisites were skipped by another state",
            ),
            Status::Pre => self.not_run(chunk, true, "No changes detected"),
            Status::Onfail => {
                self.not_run(chunk, true, "State was not run because onfail req did not change");
            }
            Status::Onchanges => self.not_run(
                chunk,
                true,
                "State was not run because none of the onchanges reqs changed",
            ),
        }
    }

    fn plain(&mut self, chunk: usize) {
        let test = self.is_test(chunk);
        if !test && self.starts_apart(self.chunk_at(chunk), false) {
            return;
        }
        let state = self.call(chunk, test, false);
        self.keep(chunk, state, test);
    }

    /// Runs normally; reacts to the watched change if that changed nothing itself.
    fn watched(&mut self, chunk: usize) {
        if self.starts_apart(self.chunk_at(chunk), true) {
            return;
        }
        let mut state = self.call(chunk, false, false);
        if state.changes.is_empty() && !state.skip_watch {
            state = self.call(chunk, false, true);
        }
        self.keep(chunk, state, false);
    }

    /// Runs normally, where what was watched says that nobody should react.
    fn unwatched(&mut self, chunk: usize) {
        let mut state = self.call(chunk, false, false);
        let told = " mod_watch was not run because requisites were skipped by another state";
        state.comment.push_str(told);
        self.keep(chunk, state, false);
    }

    fn keep(&mut self, chunk: usize, state: StateReturn, test: bool) {
        if test {
            self.tested.insert(chunk);
            self.pre.insert(chunk, state);
        } else {
            self.finish(self.tag(chunk), state);
        }
    }

    fn finish(&mut self, tag: &str, mut state: StateReturn) {
        self.caller.secrets().mask_state(&mut state);
        let shown = self.caller.secrets().masked(tag);
        (self.progress)(shown.as_deref().unwrap_or(tag), &state);
        self.caller.session.done.borrow_mut().insert(tag.to_owned());
        if !state.changes.is_empty() {
            self.caller.host.may_have_changed();
            self.caller.session.changed.borrow_mut().insert(tag.to_owned());
        }
        self.report.insert(tag.to_owned(), state);
    }

    /// Runs first what the sort should have put first.
    fn unmet(&mut self, chunk: usize, depth: usize) {
        if depth >= DEPTH_MAX {
            return self.not_run(chunk, false, "Recursive requisite found");
        }
        for (dependency, _) in self.dependencies(chunk) {
            if self.report.get(self.tag(dependency)).is_none() {
                self.chunk(dependency, depth + 1);
                self.check_failhard(dependency);
                if self.stopped {
                    return;
                }
                if self.pending.contains(&dependency) {
                    return self.pending.push(chunk);
                }
            }
        }
        self.chunk(chunk, depth + 1);
    }

    fn requisite_failed(&mut self, chunk: usize) {
        let tag = self.tag(chunk);
        // The dry run is what there is to show: its changes did not come about.
        if let Some(mut state) = self.pre.get(&chunk).cloned() {
            state.changes.clear();
            state.run_num = self.next_num();
            return self.finish(tag, state);
        }
        let mut failed: Vec<String> = Vec::new();
        for (dependency, _) in self.dependencies(chunk) {
            let state = self.pre.get(&dependency).or_else(|| self.report.get(self.tag(dependency)));
            if state.is_some_and(|state| state.result == Some(false)) {
                let low = self.chunk_at(dependency);
                let name = format!("{}.{}", low.sls, low.id);
                if !failed.contains(&name) {
                    failed.push(name);
                }
            }
        }
        self.not_run(chunk, false, &format!("One or more requisite failed: {}", failed.join(", ")));
    }

    /// Notes that a state did not run, and why.
    fn not_run(&mut self, chunk: usize, result: bool, comment: &str) {
        let state = self.skipped(chunk, result, comment);
        if self.is_test(chunk) {
            self.tested.insert(chunk);
            self.pre.insert(chunk, state.clone());
        }
        self.finish(self.tag(chunk), state);
    }

    fn cancelled(&mut self, chunk: usize) {
        if self.report.get(self.tag(chunk)).is_none() {
            let state =
                self.skipped(chunk, false, "State was not run because the run was cancelled");
            self.finish(self.tag(chunk), state);
        }
    }

    fn check_failhard(&mut self, chunk: usize) {
        self.stopped |= self.fails_hard(self.chunk_at(chunk), self.tag(chunk));
    }

    fn fails_hard(&self, low: &Chunk, tag: &str) -> bool {
        let options = self.caller.options;
        let own = low.args.get("failhard").map(crate::function::args::truth);
        let failed = || self.report.get(tag).is_some_and(|s| s.result == Some(false));
        own.unwrap_or(options.failhard) && !options.test && failed()
    }

    fn next_num(&mut self) -> u64 {
        let num = self.run_num;
        self.run_num += 1;
        num
    }

    /// Writes to the journal; one that fails is given up, the run goes on.
    fn note(&mut self, write: impl FnOnce(&mut Journal) -> Result<(), JournalError>) {
        let Some(journal) = &mut self.journal else { return };
        if let Err(error) = write(journal) {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::warn!(%error, cause, "the journal of this run ends here");
            self.journal = None;
        }
    }
}
