//! Calling one state: conditions, the function, `check_cmd`, retries, the return.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use time::OffsetDateTime;

use super::conditions::{self, Verdict};
use super::resume::{self, Entry, Past};
use super::retry::Retry;
use super::{Options, Runner, slots};
use crate::backup::{self, Recorder};
use crate::chunk::Chunk;
use crate::compile::Compiled;
use crate::function::args::{mode, text, truth};
use crate::function::{self, Context};
use crate::host::command::Cancel;
use crate::host::{Host, umask};
use crate::outcome::Outcome;
use crate::report::{Fired, Name, StateReturn, Told};
use crate::secret::{Secrets, hidden};
use crate::session::Session;
use crate::view::View;

/// What every call of a state needs, on whatever thread.
#[derive(Clone, Copy)]
pub(super) struct Caller<'a> {
    pub(super) compiled: &'a Compiled,
    pub(super) host: &'a Host,
    pub(super) options: &'a Options,
    pub(super) session: &'a Session,
    pub(super) recorder: Option<&'a Arc<Recorder>>,
}

/// What is to be done with a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    Run,
    /// Reacts to a watched change.
    Watch,
    /// Reacts if running changed nothing.
    RunThenWatch,
}

/// What came of a state that ran apart.
pub(super) struct Called {
    pub(super) outcome: Outcome,
    pub(super) started: String,
    pub(super) millis: f64,
    pub(super) attempts: u64,
}

impl Runner<'_, '_> {
    /// Calls a chunk: `dry` for a `prereq`, `watch` to react to a change.
    pub(super) fn call(&mut self, chunk: usize, dry: bool, watch: bool) -> StateReturn {
        let found = if dry || watch { None } else { self.settled_ahead(chunk) };
        found.unwrap_or_else(|| self.call_low(self.chunk_at(chunk), dry, watch))
    }

    pub(super) fn call_low(&mut self, low: &Chunk, dry: bool, watch: bool) -> StateReturn {
        let test = self.caller.options.test || dry;
        let secrets = self.caller.secrets();
        let journal = self.journal.as_ref().filter(|_| !test);
        let entry = journal.map(|_| Entry::of(low, watch, secrets));
        let past = entry.as_ref().map_or(Past::Nothing, |entry| self.past(low, entry));
        if let Past::Instead(outcome) = past {
            return self.instead(low, outcome, entry.as_ref());
        }
        self.begins(entry.as_ref());
        let started = time_of_day();
        let mut millis = 0.0;
        // As in Salt, naming `parallel` at all makes retrying the thread's own matter.
        let apart = test && truth_of(low, "parallel");
        let retry =
            Retry::of(low).filter(|_| !dry && (apart || !low.args.contains_key("parallel")));
        let how = if watch { How::Watch } else { How::Run };
        // What is told of tries is no secret: the comments in it are masked before.
        let secret = truth_of(low, "no_log");
        let mut told = String::new();
        let mut attempt = 1;
        let (mut outcome, num) = loop {
            let clock = Instant::now();
            let mut outcome = self.caller.once(low, test, how);
            if secret {
                outcome.comment = masked(outcome.comment);
            }
            let num = if dry { self.run_num } else { self.next_num() };
            millis += millis_since(clock);
            let Some(retry) = &retry else { break (outcome, num) };
            if test {
                if apart && outcome.skip_watch {
                    break (outcome, num);
                }
                // What conditions say is still a list, which Salt prints as one.
                if outcome.skip_watch && !outcome.comment.starts_with("check_cmd ") {
                    outcome.comment = conditions::listed(&outcome.comment);
                }
                outcome.comment = format!("{}  {}", outcome.comment, retry.foreseen());
                break (outcome, num);
            }
            if outcome.result == Some(retry.until) || attempt >= retry.attempts {
                break (outcome, num);
            }
            self.caller.host.acted();
            let Some(waited) = retry.wait(&self.caller.options.cancel) else {
                break (outcome, num);
            };
            millis += waited.as_secs_f64() * 1e3;
            told.push_str(&Retry::told(attempt, &outcome));
            told.push('\n');
            attempt += 1;
        };
        outcome.comment.insert_str(0, &told);
        if let Past::Changed(before) = past {
            resume::complete(&mut outcome, before);
        }
        self.caller.secrets().mask_outcome(&mut outcome);
        self.ends(low, entry.as_ref(), &outcome);
        let comment = secret.then(|| outcome.comment.clone());
        let mut state = self.caller.returned(low, outcome, num);
        state.comment = comment.unwrap_or(state.comment);
        state.start_time = started;
        state.duration = millis;
        state.parallel = apart && !dry && !state.skip_watch;
        // As in Salt, what is asked for a `prereq` reads nothing anew.
        if !dry {
            self.caller.reload(low);
        }
        state
    }

    /// The return of a state that an interrupted run has settled.
    pub(super) fn instead(
        &mut self,
        low: &Chunk,
        outcome: Outcome,
        entry: Option<&Entry>,
    ) -> StateReturn {
        self.ends(low, entry, &outcome);
        let num = self.next_num();
        let mut state = self.caller.returned(low, outcome, num);
        state.start_time = time_of_day();
        state
    }

    pub(super) fn begins(&mut self, entry: Option<&Entry>) {
        if let Some(Entry { key, of, lasting }) = entry {
            self.note(|journal| journal.begin(key, *of, *lasting));
        }
    }

    pub(super) fn ends(&mut self, low: &Chunk, entry: Option<&Entry>, outcome: &Outcome) {
        if let Some(Entry { key, of, .. }) = entry {
            self.note(|journal| journal.end(key, *of, resume::kept(low, outcome)));
        }
    }

    /// The return of a state that did not run.
    pub(super) fn skipped(&mut self, chunk: usize, result: bool, comment: &str) -> StateReturn {
        let num = self.next_num();
        let outcome = Outcome { result: Some(result), ..Outcome::fine(comment) };
        let mut state = StateReturn::shown(self.chunk_at(chunk), outcome, num);
        state.state_ran = Some(false);
        state.start_time = time_of_day();
        state
    }
}

impl<'a> Caller<'a> {
    /// What the worker's secrets are by now.
    pub(super) fn secrets(&self) -> &'a Secrets {
        &self.view().secrets
    }

    fn view(&self) -> &'a View {
        self.session.views.last(&self.compiled.view)
    }

    /// Reads facts and pillar anew for later states, if a state asks for that.
    pub(super) fn reload(&self, low: &Chunk) {
        let (facts, pillar) = (truth_of(low, "reload_grains"), truth_of(low, "reload_pillar"));
        let Some(reload) = self.options.reload.as_ref().filter(|_| facts || pillar) else { return };
        let view = self.view();
        let facts = if facts { reload.facts() } else { view.facts.clone() };
        let pillar = if pillar { reload.pillar(&facts) } else { None };
        let view = view.with(&facts, pillar.unwrap_or_else(|| view.pillar.clone()));
        self.session.views.push(view);
        // What was found ahead was found by the view before.
        self.host.acted();
    }

    /// What stops a state: the run's end, or the state's limit. A package manager that is
    /// stopped leaves a broken machine, so nothing stops one.
    pub(super) fn cancel(&self, low: &Chunk) -> Cancel {
        match low.state.as_str() {
            "pkg" | "pkgrepo" => Cancel::default(),
            _ => self.options.cancel.within(self.options.state_timeout),
        }
    }

    pub(super) fn context<'c>(&self, low: &'c Chunk, cancel: &'c Cancel, test: bool) -> Context<'c>
    where
        'a: 'c,
    {
        let Caller { compiled, host, session, .. } = *self;
        Context { chunk: low, compiled, host, session, cancel, test }
    }

    /// What a report tells of a state.
    pub(super) fn returned(&self, low: &Chunk, outcome: Outcome, num: u64) -> StateReturn {
        let mut state = StateReturn::new(low, outcome, num);
        state.events.splice(..0, self.sent(low));
        state
    }

    /// The events that a state sent.
    fn sent(&self, low: &Chunk) -> Vec<Fired> {
        if !matches!(low.state.as_str(), "event" | "module") {
            return Vec::new();
        }
        let mut sent = {
            let key = (low.id.clone(), low.name_order);
            self.session.sent.borrow_mut().remove(&key).unwrap_or_default()
        };
        if truth_of(low, "no_log") {
            sent.iter_mut().for_each(|one| one.data = one.data.as_ref().map(hidden));
        }
        sent
    }

    /// Calls a state once, after its conditions.
    pub(super) fn once(&self, low: &Chunk, test: bool, how: How) -> Outcome {
        let mask = match low.args.get("umask").filter(|mask| !mask.is_null()).map(text) {
            None => None,
            Some(digits) => match mode(&digits) {
                Some(mask) => Some(mask),
                None => return Outcome::failed(format!("Invalid umask: {digits}\n")),
            },
        };
        let cancel = self.cancel(low);
        let ctx = self.context(low, &cancel, test);
        if let Some(words) = function::not_loaded(self.host, low) {
            return Outcome { told: Told::Bare, ..Outcome::failed(words) };
        }
        self.scoped(mask, &cancel, || {
            let outcome = match conditions::check(&ctx) {
                Verdict::Fail(comment) => return Outcome::failed(comment),
                Verdict::Skip(comment) => Outcome { skip_watch: true, ..Outcome::fine(comment) },
                Verdict::Run => called(&ctx, how),
            };
            // One that runs apart is judged before it has ended, which comes to nothing.
            let apart = self.options.test && truth_of(low, "parallel") && !outcome.skip_watch;
            if apart { outcome } else { judged(&ctx, outcome) }
        })
    }

    /// Does a state's work under its mask, until it is cancelled; what it changes is kept.
    fn scoped<T>(&self, mask: Option<u32>, cancel: &Cancel, work: impl FnOnce() -> T) -> T {
        umask::with(mask, || cancel.over(|| backup::with(self.recorder, work)))
    }

    /// Calls a state on a thread of its own: its conditions were judged, Salt leaves its
    /// `check_cmd` without effect, and each attempt after the first tells of itself.
    pub(super) fn apart(&self, low: &Chunk, how: How) -> Called {
        let started = time_of_day();
        let clock = Instant::now();
        let mask = low.args.get("umask").map(text).and_then(|digits| mode(&digits));
        let cancel = self.cancel(low);
        let ctx = self.context(low, &cancel, false);
        let mut outcome = self.scoped(mask, &cancel, || called(&ctx, how));
        let mut attempts = 1;
        if let Some(retry) = Retry::of(low) {
            while attempts <= retry.attempts && outcome.result != Some(retry.until) {
                if retry.wait(&self.options.cancel).is_none() {
                    break;
                }
                let before = std::mem::take(&mut outcome.comment);
                outcome = self.scoped(mask, &cancel, || called(&ctx, how));
                let told = match outcome.comment.is_empty() {
                    true => String::new(),
                    false => Retry::told(attempts, &outcome),
                };
                outcome.comment = format!("{before}\n{told}");
                attempts += 1;
            }
        }
        Called { outcome, started, millis: millis_since(clock), attempts }
    }
}

/// What `check_cmd` makes of a state. As in Salt, the commands run in a dry run, too, and for a
/// state that did not run; a function that takes `check_cmd` itself checks before it acts.
pub(super) fn judged(ctx: &Context<'_>, outcome: Outcome) -> Outcome {
    let own = function::find(&ctx.chunk.state, &ctx.chunk.fun);
    let own = own.is_some_and(|function| function.takes.contains(&"check_cmd"));
    if own { outcome } else { conditions::check_cmd(ctx, outcome) }
}

/// Calls the function, with slots filled.
fn called(ctx: &Context<'_>, how: How) -> Outcome {
    let low = match slots::filled(ctx) {
        Ok(low) => low,
        Err(problem) => return Outcome::failed(problem),
    };
    let outcome = called_with(&Context { chunk: &low, ..*ctx }, how);
    if low.name == ctx.chunk.name || outcome.name.is_some() {
        return outcome;
    }
    outcome.called(&*low.name)
}

fn called_with(ctx: &Context<'_>, how: How) -> Outcome {
    let low = ctx.chunk;
    let Some(function) = function::find(&low.state, &low.fun) else {
        return Outcome::failed(format!("State '{}' was not found", low.function()));
    };
    match how {
        How::Run => function.run(ctx),
        How::Watch => function.watch(ctx),
        How::RunThenWatch => match function.run(ctx) {
            outcome if outcome.changes.is_empty() && !outcome.skip_watch => function.watch(ctx),
            outcome => outcome,
        },
    }
}

pub(super) fn truth_of(low: &Chunk, key: &str) -> bool {
    low.args.get(key).is_some_and(truth)
}

fn masked(comment: String) -> String {
    text(&hidden(&Value::from(comment)))
}

impl StateReturn {
    /// What came of a state, before its times are set.
    fn new(low: &Chunk, outcome: Outcome, run_num: u64) -> StateReturn {
        let mut state = StateReturn::shown(low, outcome, run_num);
        if truth_of(low, "no_log") {
            state.name = match state.name {
                Name::One(name) => Name::One(text(&hidden(&Value::from(name)))),
                Name::Many(names) => {
                    let shown = names.into_iter().map(|name| text(&hidden(&Value::from(name))));
                    Name::Many(shown.collect())
                }
            };
            state.comment = masked(std::mem::take(&mut state.comment));
            state.changes.values_mut().for_each(|value| *value = hidden(value));
        }
        state
    }

    /// The same, whatever its `no_log` says: of a state that did not run there is nothing to hide.
    fn shown(low: &Chunk, outcome: Outcome, run_num: u64) -> StateReturn {
        StateReturn {
            name: outcome.name.map_or_else(|| Name::One(low.name.clone()), |name| *name),
            changes: outcome.changes,
            result: outcome.result,
            comment: outcome.comment,
            warnings: outcome.warnings.map(|warnings| *warnings),
            sls: low.sls.clone(),
            run_num,
            start_time: String::new(),
            duration: 0.0,
            id: low.id.clone(),
            state_ran: None,
            skip_watch: outcome.skip_watch,
            skip_req: outcome.skip_req,
            parallel: false,
            told: outcome.told,
            events: event(low).into_iter().collect(),
        }
    }
}

/// The event that `fire_event` asks for.
fn event(low: &Chunk) -> Option<Fired> {
    let tag = match low.args.get("fire_event")? {
        Value::Bool(true) => low.name.clone(),
        Value::String(tag) if !tag.is_empty() => tag.clone(),
        _ => return None,
    };
    Some(Fired { tag, data: None })
}

/// The time of day (UTC) as Python's `time.isoformat()`.
pub(super) fn time_of_day() -> String {
    let now = OffsetDateTime::now_utc();
    let (hour, minute, second, micro) = now.time().as_hms_micro();
    format!("{hour:02}:{minute:02}:{second:02}.{micro:06}")
}

pub(super) fn millis_since(clock: Instant) -> f64 {
    let elapsed: Duration = clock.elapsed();
    (elapsed.as_secs_f64() * 1e6).round() / 1e3
}
