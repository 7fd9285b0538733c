//! Calling one state: conditions, the function, `check_cmd`, retries, the return.

use std::time::Instant;

use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::Runner;
use super::conditions::{self, Verdict};
use super::retry::Retry;
use crate::chunk::Chunk;
use crate::function::args::{list, truth};
use crate::function::{self, Context};
use crate::host::command::{Exec, run as run_command};
use crate::outcome::Outcome;
use crate::report::StateReturn;

/// What Salt shows in place of a value that is not to be logged.
const MASK: &str = "**********";

impl Runner<'_> {
    /// Calls a chunk: `dry` for a `prereq`, `watch` to react to a change.
    pub(super) fn call(&mut self, chunk: usize, dry: bool, watch: bool) -> StateReturn {
        let low = &self.compiled.chunks()[chunk];
        self.call_low(low, dry, watch)
    }

    pub(super) fn call_low(&mut self, low: &Chunk, dry: bool, watch: bool) -> StateReturn {
        let tag = low.tag();
        let test = self.options.test || dry;
        if !test {
            self.note(|journal| journal.begin(&tag));
        }
        let started = time_of_day();
        let clock = Instant::now();
        let retry = Retry::of(low).filter(|_| !dry);
        let mut outcome = self.once(low, test, watch);
        let mut num = if dry { self.run_num } else { self.next_num() };
        if let Some(retry) = retry {
            if test {
                outcome.comment = format!("{}  {}", outcome.comment, retry.foreseen());
            } else {
                for attempt in 1..retry.attempts {
                    if outcome.result == Some(retry.until) || !retry.wait(&self.options.cancel) {
                        break;
                    }
                    let before = outcome;
                    outcome = self.once(low, test, watch);
                    num = self.next_num();
                    outcome.comment = Retry::told(attempt, &before, &outcome.comment);
                }
            }
        }
        if !test {
            let changed = !outcome.changes.is_empty();
            self.note(|journal| journal.end(&tag, outcome.result, changed));
        }
        let mut state = returned(low, outcome, num);
        state.start_time = started;
        state.duration = millis(clock);
        state
    }

    fn once(&self, low: &Chunk, test: bool, watch: bool) -> Outcome {
        let ctx = Context {
            chunk: low,
            compiled: self.compiled,
            host: self.host,
            session: &self.session,
            cancel: &self.options.cancel,
            test,
        };
        if let Verdict::Skip(comment) = conditions::check(&ctx) {
            return Outcome { skip_watch: true, ..Outcome::fine(comment) };
        }
        let Some(function) = function::find(&low.state, &low.fun) else {
            return Outcome::failed(format!("State '{}' was not found", low.function()));
        };
        let outcome = if watch { function.watch(&ctx) } else { function.run(&ctx) };
        // A function that takes `check_cmd` itself checks before it acts.
        if test || function.takes.contains(&"check_cmd") {
            return outcome;
        }
        check_cmd(&ctx, outcome)
    }

    /// The return of a state that did not run.
    pub(super) fn skipped(&mut self, chunk: usize, result: bool, comment: &str) -> StateReturn {
        let low = &self.compiled.chunks()[chunk];
        let num = self.next_num();
        let outcome = Outcome { result: Some(result), ..Outcome::fine(comment) };
        let mut state = returned(low, outcome, num);
        state.state_ran = Some(false);
        state.parallel = false;
        state.start_time = time_of_day();
        state
    }
}

fn returned(low: &Chunk, outcome: Outcome, run_num: u64) -> StateReturn {
    let flag = |key: &str| low.args.get(key).is_some_and(truth);
    let mut state = StateReturn {
        name: low.name.clone(),
        changes: outcome.changes,
        result: outcome.result,
        comment: outcome.comment,
        sls: low.sls.clone(),
        run_num,
        start_time: String::new(),
        duration: 0.0,
        id: low.id.clone(),
        state_ran: None,
        skip_watch: outcome.skip_watch,
        parallel: flag("parallel"),
    };
    if flag("no_log") {
        state.comment = MASK.to_owned();
        let masked = state.changes.keys().map(|key| (key.clone(), Value::from(MASK)));
        state.changes = masked.collect::<Map<_, _>>();
    }
    state
}

/// `check_cmd`: commands that decide whether the state succeeded.
fn check_cmd(ctx: &Context<'_>, outcome: Outcome) -> Outcome {
    let Some(commands) = ctx.value("check_cmd").map(list) else { return outcome };
    for line in commands {
        let output = run_command(ctx.host, &Exec::shell("/bin/sh", &line), ctx.cancel);
        if !output.is_ok_and(|output| output.code == 0) {
            let comment = "check_cmd determined the state failed".to_owned();
            return Outcome { result: Some(false), comment, ..outcome };
        }
    }
    let comment = "check_cmd determined the state succeeded".to_owned();
    Outcome { result: Some(true), comment, ..outcome }
}

/// The time of day (UTC) as Python's `time.isoformat()`.
fn time_of_day() -> String {
    let now = OffsetDateTime::now_utc();
    let (hour, minute, second, micro) = now.time().as_hms_micro();
    format!("{hour:02}:{minute:02}:{second:02}.{micro:06}")
}

fn millis(clock: Instant) -> f64 {
    (clock.elapsed().as_secs_f64() * 1e6).round() / 1e3
}
