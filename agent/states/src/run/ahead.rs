//! Checks ahead of their turn: what the next states find is looked up several at a time.
//!
//! The states themselves come one after the other, as ever. At its turn a state takes what was
//! found ahead only if nothing has acted on the host since then, and only if it is as wanted (or
//! the run is dry): then looking again would find the same. Else it is checked again, and applied.
//!
//! After an act the next state is checked at its turn, then a few more ahead, and ever more as
//! long as nothing acts: so what is looked up in vain stays below what was not.

use std::collections::VecDeque;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use super::call::{Caller, How, millis_since, time_of_day, truth_of};
use super::resume::{Entry, Past, kept};
use super::{Options, Runner};
use crate::chunk::Chunk;
use crate::function;
use crate::host::looking;
use crate::outcome::Outcome;
use crate::report::StateReturn;
use crate::requisite::Kind;

/// States that are looked at together.
const WINDOW_MAX: usize = 512;
/// The first ones of a run: most runs change nothing.
const WINDOW_FIRST: usize = 64;
/// And those after an act.
const WINDOW_AGAIN: usize = 4;
/// Threads that look, however many processors there are.
const THREADS_MAX: usize = 8;
/// The stack of each: templates may nest.
const STACK_BYTES: usize = 8 << 20;

/// What was found ahead.
pub(super) struct Ahead {
    /// In the order in which they will most likely be asked for.
    found: VecDeque<(usize, Found)>,
    /// How often the host had been acted on when that was found.
    acts: u64,
    /// The first step that was not looked at.
    next: usize,
    /// How many steps are looked at next; none right after an act.
    window: usize,
    threads: usize,
}

/// What a check found, and when.
struct Found {
    outcome: Outcome,
    started: String,
    millis: f64,
}

impl Ahead {
    pub(super) fn new(options: &Options) -> Ahead {
        let threads = match options.ahead_max {
            // What only one ID is asked of may not come to the others at all.
            _ if options.only.is_some() => 0,
            Some(most) => most,
            None => std::thread::available_parallelism().map_or(1, usize::from),
        };
        Ahead {
            found: VecDeque::new(),
            acts: 0,
            next: 0,
            window: WINDOW_FIRST,
            threads: threads.min(THREADS_MAX),
        }
    }

    /// How many steps from this one on are to be looked at now.
    fn due(&mut self, step: usize, acts: u64) -> usize {
        if acts != self.acts {
            self.found.clear();
            self.acts = acts;
            self.next = step + 1;
            self.window = if step == 0 { WINDOW_FIRST } else { WINDOW_AGAIN };
            return if step == 0 { self.window } else { 0 };
        }
        if step < self.next {
            return 0;
        }
        let due = self.window;
        self.window = (self.window * 2).min(WINDOW_MAX);
        due
    }

    /// What was found, if that still stands.
    fn take(&mut self, chunk: usize, acts: u64) -> Option<Found> {
        let at = self.found.iter().position(|(own, _)| *own == chunk)?;
        let (_, found) = self.found.remove(at)?;
        (acts == self.acts).then_some(found)
    }
}

impl Runner<'_, '_> {
    /// Looks at the states that come next, if it is time to.
    pub(super) fn look_ahead(&mut self, step: usize) {
        if self.ahead.threads == 0 || !self.parallel.is_idle() {
            return;
        }
        let due = self.ahead.due(step, self.caller.host.acts());
        if due == 0 {
            return;
        }
        let steps = &self.compiled().steps;
        let end = steps.len().min(step + due);
        self.ahead.next = end;
        let steps = steps[step..end].iter().filter(|step| !step.prereq_test);
        let chunks: Vec<usize> =
            steps.map(|step| step.chunk).filter(|chunk| self.may_go_ahead(*chunk)).collect();
        self.ahead.found = look(&self.caller, &chunks, self.ahead.threads);
    }

    /// Whether a state's check only reads, and will most likely be wanted.
    fn may_go_ahead(&self, chunk: usize) -> bool {
        /// What runs before or after the check, or tries it more than once.
        const ALSO: [&str; 3] = ["onlyif", "unless", "retry"];
        let low = self.chunk_at(chunk);
        let function = function::find(&low.state, &low.fun);
        let seldom = |kind: &Kind| {
            !matches!(kind, Kind::Require | Kind::RequireAny | Kind::Watch | Kind::WatchAny)
        };
        function.is_some_and(|function| {
            let checked = function.takes.contains(&"check_cmd");
            function.only_reads() && (checked || !low.args.contains_key("check_cmd"))
        }) && !ALSO.iter().any(|key| low.args.contains_key(*key))
            && !truth_of(low, "parallel")
            && self.compiled().graph.test_of(chunk).is_none()
            && !self.dependencies(chunk).iter().any(|(_, kind)| seldom(kind))
            && self.report.get(self.tag(chunk)).is_none()
    }

    /// The return of a state for which nothing is to be done, by what was found ahead.
    pub(super) fn settled_ahead(&mut self, chunk: usize) -> Option<StateReturn> {
        let Found { mut outcome, started, millis } =
            self.ahead.take(chunk, self.caller.host.acts())?;
        let low = self.chunk_at(chunk);
        let secrets = self.caller.secrets();
        if self.journal.is_some() {
            let entry = Entry::with(low, self.prints[chunk], false, secrets);
            match self.past(low, &entry) {
                Past::Instead(_) => return None,
                Past::Changed(before) => super::resume::complete(&mut outcome, before),
                Past::Nothing => {}
            }
            secrets.mask_outcome(&mut outcome);
            // Nothing begins that a crash could cut short.
            self.note(|journal| journal.found(entry.key, entry.of, kept(low, &outcome)));
        } else {
            secrets.mask_outcome(&mut outcome);
        }
        let num = self.next_num();
        let mut state = self.caller.returned(low, outcome, num);
        state.start_time = started;
        state.duration = millis;
        self.caller.reload(low);
        Some(state)
    }
}

/// Checks states on several threads; what could not be settled by looking is left out.
fn look(caller: &Caller<'_>, chunks: &[usize], threads: usize) -> VecDeque<(usize, Found)> {
    let next = AtomicUsize::new(0);
    // Each is filled by one thread.
    let places: Vec<_> = chunks.iter().map(|chunk| (*chunk, OnceLock::new())).collect();
    let work = || {
        while let Some((chunk, place)) = places.get(next.fetch_add(1, Ordering::Relaxed)) {
            if caller.options.cancel.is_cancelled() {
                break;
            }
            if let Some(found) = look_at(caller, &caller.compiled.chunks()[*chunk]) {
                place.get_or_init(|| found);
            }
        }
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads.min(chunks.len()))
            .filter_map(|_| {
                let thread = std::thread::Builder::new().name("ahead".to_owned());
                // With no thread left, fewer look.
                thread.stack_size(STACK_BYTES).spawn_scoped(scope, work).ok()
            })
            .collect();
        work();
        // What a thread that broke off would have found is found at its turn.
        others.into_iter().for_each(|other| drop(other.join()));
    });
    let found = places.into_iter().filter_map(|(chunk, place)| Some((chunk, place.into_inner()?)));
    found.collect()
}

fn look_at(caller: &Caller<'_>, low: &Chunk) -> Option<Found> {
    let started = time_of_day();
    let clock = Instant::now();
    let outcome = looking::only(|| caller.once(low, caller.options.test, How::Run))?;
    Some(Found { outcome, started, millis: millis_since(clock) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(found: usize) -> Ahead {
        let mut ahead = Ahead::new(&Options { ahead_max: Some(2), ..Options::default() });
        let one = Found { outcome: Outcome::default(), started: String::new(), millis: 0.0 };
        ahead.found.push_back((found, one));
        ahead
    }

    #[test]
    fn what_was_found_before_an_act_is_never_used() {
        assert!(with(3).take(3, 0).is_some());
        assert!(with(3).take(3, 1).is_none());
        let mut ahead = with(3);
        assert_eq!(ahead.due(2, 1), 0, "right after an act a state waits for its turn");
        assert!(ahead.take(3, 1).is_none(), "though nothing has acted since");
    }

    #[test]
    fn the_longer_nothing_acts_the_more_is_looked_at() {
        let mut ahead = with(0);
        assert_eq!(ahead.due(0, 0), WINDOW_FIRST);
        ahead.next = WINDOW_FIRST;
        assert_eq!(ahead.due(5, 0), 0);
        assert_eq!(ahead.due(WINDOW_FIRST, 0), 2 * WINDOW_FIRST);
        ahead.next = 3 * WINDOW_FIRST;
        assert_eq!(ahead.due(100, 7), 0);
        assert_eq!(ahead.due(101, 7), WINDOW_AGAIN);
        ahead.next = 105;
        assert_eq!(ahead.due(105, 7), 2 * WINDOW_AGAIN);
    }
}
