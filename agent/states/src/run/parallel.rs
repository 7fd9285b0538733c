//! `parallel: True`: states on threads of their own. They stand in the report where they began;
//! who depends on one waits for it.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::Runner;
use super::call::{Called, How, judged, truth_of};
use super::conditions::{self, Verdict};
use super::resume::{self, Entry, Past};
use crate::chunk::Chunk;
use crate::outcome::Outcome;

/// States that run at a time, where nothing else is said.
const PARALLEL_MAX: usize = 32;
/// The stack of each: templates may nest.
const STACK_BYTES: usize = 8 << 20;

/// The states that run apart.
pub(super) struct Parallel {
    /// By key, what is known of them before they end.
    running: HashMap<String, Begun>,
    send: SyncSender<(String, Called)>,
    ended: Receiver<(String, Called)>,
}

/// One that has begun.
struct Begun {
    low: Chunk,
    num: u64,
    entry: Option<Entry>,
    past: Past,
}

impl Parallel {
    pub(super) fn new() -> Parallel {
        // Nobody sends more than one, so a thread never waits to tell its end.
        let (send, ended) = sync_channel(PARALLEL_MAX);
        Parallel { running: HashMap::new(), send, ended }
    }

    /// Whether none runs.
    pub(super) fn is_idle(&self) -> bool {
        self.running.is_empty()
    }

    /// Whether one still runs.
    pub(super) fn runs(&self, tag: &str) -> bool {
        self.running.contains_key(tag)
    }
}

impl Runner<'_, '_> {
    /// Starts a state on a thread of its own, if it asks for that; its conditions come first.
    pub(super) fn starts_apart(&mut self, low: &Chunk, watch: bool) -> bool {
        // A dry run only reads: it takes no longer in order, and its report is always the same.
        if !truth_of(low, "parallel") || self.caller.options.test {
            return false;
        }
        let caller = self.caller;
        let cancel = caller.cancel(low);
        let ctx = caller.context(low, &cancel, false);
        let kept = match conditions::check(&ctx) {
            Verdict::Run => None,
            Verdict::Skip(comment) => {
                Some(judged(&ctx, Outcome { skip_watch: true, ..Outcome::fine(comment) }))
            }
            Verdict::Fail(comment) => Some(Outcome::failed(comment)),
        };
        if let Some(outcome) = kept {
            let num = self.next_num();
            let state = self.caller.returned(low, outcome, num);
            self.finish(&low.tag(), state);
            return true;
        }
        let most = caller.options.parallel_max.unwrap_or(PARALLEL_MAX).clamp(1, PARALLEL_MAX);
        while self.parallel.running.len() >= most {
            self.next_ended();
        }
        let tag = low.tag();
        let entry = self.journal.as_ref().map(|_| Entry::of(low, false, caller.secrets()));
        let past = entry.as_ref().map_or(Past::Nothing, |entry| self.past(low, entry));
        if let Past::Instead(outcome) = past {
            let state = self.instead(low, outcome, entry.as_ref());
            self.finish(&tag, state);
            return true;
        }
        self.begins(entry.as_ref());
        caller.host.acted();
        let num = self.next_num();
        if watch {
            self.next_num();
        }
        let how = if watch { How::RunThenWatch } else { How::Run };
        let (send, key, own) = (self.parallel.send.clone(), tag.clone(), low.clone());
        let work = move || {
            let called = caller.apart(&own, how);
            // The receiver lives as long as the run.
            let _told = send.send((key, called));
        };
        let thread = std::thread::Builder::new().name("state".to_owned()).stack_size(STACK_BYTES);
        if thread.spawn_scoped(self.scope, work).is_err() {
            let outcome = Outcome::failed("Parallel process failed to return: no thread is left");
            let state = self.caller.returned(low, outcome, num);
            self.finish(&tag, state);
            return true;
        }
        let comment = "Started in a separate process";
        let outcome = Outcome { result: None, ..Outcome::fine(comment) };
        self.report.insert(tag.clone(), self.caller.returned(low, outcome, num));
        self.parallel.running.insert(tag, Begun { low: low.clone(), num, entry, past });
        true
    }

    /// Takes in those that have ended meanwhile.
    pub(super) fn ended_meanwhile(&mut self) {
        while let Ok((tag, called)) = self.parallel.ended.try_recv() {
            self.take_in(tag, called);
        }
    }

    /// Waits for the next one that ends.
    pub(super) fn next_ended(&mut self) {
        if !self.parallel.running.is_empty()
            && let Ok((tag, called)) = self.parallel.ended.recv()
        {
            self.take_in(tag, called);
        }
    }

    /// Waits for one.
    pub(super) fn has_ended(&mut self, tag: &str) {
        while self.parallel.runs(tag) {
            self.next_ended();
        }
    }

    /// Waits for all.
    pub(super) fn all_ended(&mut self) {
        while !self.parallel.running.is_empty() {
            self.next_ended();
        }
    }

    fn take_in(&mut self, tag: String, called: Called) {
        let Some(begun) = self.parallel.running.remove(&tag) else { return };
        let Begun { low, num, entry, past } = begun;
        self.caller.host.acted();
        let mut outcome = called.outcome;
        if let Past::Changed(before) = past {
            resume::complete(&mut outcome, before);
        }
        self.caller.secrets().mask_outcome(&mut outcome);
        self.ends(&low, entry.as_ref(), &outcome);
        let mut state = self.caller.returned(&low, outcome, num);
        state.start_time = called.started;
        state.duration = called.millis;
        // Salt forgets it of one that was tried again.
        state.parallel = called.attempts == 1;
        self.caller.reload(&low);
        self.finish(&tag, state);
    }
}
