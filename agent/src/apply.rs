//! Applies states: one run at a time on a thread of its own, while all else goes on.

pub(crate) mod journal;
mod waiting;

use crate::alarm::Alarms;
use crate::backoff::Backoff;
use crate::desired::{self, Ready};
use crate::engine::{Engine, Input};
use crate::outbox::{Lane, Outbox};
use crate::report::Run;
use journal::{Entry, Interrupted, Journal, Record};
use muster_protocol::bus::Bus;
use muster_protocol::event::Fired;
use muster_protocol::id::random;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use waiting::Waiting;

pub(crate) use journal::Journal as Records;
pub(crate) use waiting::Job;

/// How often an agent looks for a desired state whose push it may have missed.
const REFRESH_INTERVAL: Duration = Duration::from_secs(300);
/// How long a command waits for the desired state that it is about, and how often it looks.
const AWAITED_TIMEOUT: Duration = Duration::from_secs(30);
const AWAITED_INTERVAL: Duration = Duration::from_millis(200);
const RETRY_FIRST: Duration = Duration::from_millis(500);
const RETRY_MAX: Duration = Duration::from_secs(60);
/// After so many tries to bring a desired state onto the disk the controller is told.
const TRIES_TOLD: u32 = 3;
/// How long an agent that stops waits for the run in hand; then the journal has it.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// What others ask of the one who applies.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    waiting: Mutex<Waiting>,
    wake: Notify,
}

impl Requests {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A desired state was pushed.
    pub(crate) fn push(&self, payload: Vec<u8>) {
        self.waiting().pushed = Some(payload);
        self.wake.notify_one();
    }

    /// A push may have been missed.
    pub(crate) fn refresh(&self) {
        self.waiting().refresh = true;
        self.wake.notify_one();
    }

    /// A command asks for a run.
    pub(crate) fn apply(&self, job: Job) -> Result<(), &'static str> {
        let mut waiting = self.waiting();
        waiting.add(job)?;
        // Who asks has published what it wants applied: the push may still be on its way.
        waiting.refresh = true;
        self.wake.notify_one();
        Ok(())
    }
}

/// The one who applies.
pub(crate) struct Applier {
    requests: Arc<Requests>,
    bus: Bus,
    store: desired::Store,
    engine: Engine,
    outbox: Arc<Outbox>,
    alarms: Arc<Alarms>,
    journal: Journal,
    retry: Backoff,
    due: Instant,
    /// Since when a command waits for a desired state that has not come.
    awaiting: Option<Instant>,
}

/// What came of an attempt to begin a run.
enum Begun {
    Ended,
    NotYet(Job),
}

impl Applier {
    /// One that goes on where an earlier start was interrupted.
    pub(crate) fn new(
        requests: Arc<Requests>,
        bus: Bus,
        store: desired::Store,
        engine: Engine,
        outbox: Arc<Outbox>,
        alarms: Arc<Alarms>,
        journal: (Journal, Option<Interrupted>),
    ) -> Applier {
        let (journal, interrupted) = journal;
        let now = Instant::now();
        let mut applier = Applier {
            requests,
            bus,
            store,
            engine,
            outbox,
            alarms,
            journal,
            retry: Backoff::new(RETRY_FIRST, RETRY_MAX),
            due: now + REFRESH_INTERVAL,
            awaiting: None,
        };
        applier.resume(interrupted);
        applier
    }

    fn resume(&mut self, interrupted: Option<Interrupted>) {
        match interrupted {
            None => {}
            Some(Interrupted::Repeat(Entry { job, revision, .. })) => {
                let place = self.journal.place();
                let what = format!(
                    "a run of states (revision {revision}) was interrupted {place}; it is repeated"
                );
                self.alarms.raise(&what);
                self.requests.waiting().put_back(job);
            }
            Some(Interrupted::GiveUp(Entry { job, revision, begins })) => {
                let why = format!(
                    "this run was interrupted {begins} times, at last {}: one of its states may \
                     stop the agent or the machine; change it, then apply again",
                    self.journal.place()
                );
                let run = Run::impossible(why, job.test);
                self.tell(&job, revision, &run);
                self.ended(&job);
            }
        }
    }

    /// Works until it is stopped.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            tokio::select! {
                () = self.update() => {}
                () = stop.cancelled() => return,
            }
            while let Some(job) = self.next() {
                match self.begin(job, &stop).await {
                    Begun::Ended if stop.is_cancelled() => return,
                    Begun::Ended => {}
                    Begun::NotYet(job) => {
                        self.requests.waiting().put_back(job);
                        break;
                    }
                }
            }
            let requests = self.requests.clone();
            tokio::select! {
                () = requests.wake.notified() => {}
                () = tokio::time::sleep_until(self.due) => self.requests.waiting().refresh = true,
                () = stop.cancelled() => {}
            }
        }
    }

    fn next(&mut self) -> Option<Job> {
        self.requests.waiting().next()
    }

    /// Takes what was pushed, or looks for what was missed.
    async fn update(&mut self) {
        let (pushed, refresh) = {
            let mut waiting = self.requests.waiting();
            (waiting.pushed.take(), std::mem::take(&mut waiting.refresh))
        };
        self.due = Instant::now() + REFRESH_INTERVAL.mul_f64(0.9 + 0.2 * share());
        if let Some(payload) = pushed {
            let taken = self.store.take(&payload);
            self.taken(taken);
        }
        if refresh {
            let taken = self.store.fetch(&self.bus).await;
            self.taken(taken);
        }
        self.want_highstate();
    }

    fn taken(&mut self, taken: Result<bool, desired::Error>) {
        match taken {
            Ok(true) => self.retry.reset(),
            Ok(false) => {}
            Err(error) => self.trouble(&error),
        }
    }

    /// Logs or raises an error, and tries again later.
    fn trouble(&mut self, error: &desired::Error) {
        let error_text = crate::chain(error);
        if error.is_alarming() {
            self.alarms.suspect(&error_text);
        } else {
            tracing::warn!(error = error_text, "the desired state is not there yet");
        }
        self.due = Instant::now() + self.retry.next(random());
    }

    /// Asks for the highstate if the desired state wants to be applied and was not.
    fn want_highstate(&mut self) {
        let Some(desired) = self.store.seen() else { return };
        let record = self.journal.record();
        let newest = Record { generation: desired.generation, revision: desired.revision };
        if !desired.apply || record == newest {
            return;
        }
        if let Err(why) = self.requests.waiting().add(Job::highstate()) {
            tracing::warn!(why, "the new desired state is applied later");
            self.due = Instant::now() + RETRY_MAX;
        }
    }

    /// Brings the desired state onto the disk and runs the job.
    async fn begin(&mut self, job: Job, stop: &CancellationToken) -> Begun {
        let ready = tokio::select! {
            ready = self.store.ready(&self.bus) => ready,
            () = stop.cancelled() => return Begun::NotYet(job),
        };
        let ready = match ready {
            Ok(Some(ready)) if ready.revision >= job.revision => ready,
            Ok(_) => return self.not_come(job),
            Err(error) => return self.unready(job, &error),
        };
        self.retry.reset();
        self.awaiting = None;
        self.store.prune();
        self.apply(&job, ready, stop).await;
        Begun::Ended
    }

    /// The desired state that a command is about has not come: the command waits a little.
    fn not_come(&mut self, job: Job) -> Begun {
        let now = Instant::now();
        let since = *self.awaiting.get_or_insert(now);
        if now < since + AWAITED_TIMEOUT {
            self.due = now + AWAITED_INTERVAL;
            return Begun::NotYet(job);
        }
        self.awaiting = None;
        let revision = self.store.seen().map_or(0, |desired| desired.revision);
        let why = format!(
            "revision {} of the desired state has not come, only {revision}: see whether the \
             controller publishes this worker's",
            job.revision.max(1)
        );
        self.tell(&job, revision, &Run::impossible(why, job.test));
        Begun::Ended
    }

    /// The desired state cannot be used. Whoever asked is told at once; the highstate that the
    /// desired state asks for is tried again, and told after some tries.
    fn unready(&mut self, job: Job, error: &desired::Error) -> Begun {
        self.trouble(error);
        let revision = self.store.seen().map_or(0, |desired| desired.revision);
        let tries = self.retry.attempts();
        let tell = !job.commands.is_empty() || tries == TRIES_TOLD;
        if tell {
            self.tell(&job, revision, &Run::impossible(crate::chain(error), job.test));
        }
        match job.is_highstate() {
            true => Begun::NotYet(Job::highstate()),
            false => Begun::Ended,
        }
    }

    async fn apply(&mut self, job: &Job, ready: Ready, stop: &CancellationToken) {
        let revision = ready.revision;
        if let Err(error) = self.journal.begin(job, revision) {
            tracing::warn!(error = %crate::chain(&error), "a crash would forget this run");
        }
        tracing::info!(revision, sls = ?job.sls, test = job.test, "applying states");
        let Ready { tree, pillar, opts, .. } = ready;
        let sls = job.sls.clone();
        let input = Input { tree, pillar, opts, sls, test: job.test, revision };
        let outbox = Arc::clone(&self.outbox);
        let hear = Box::new(move |fired: &Fired| outbox.say(Lane::Fired, fired));
        let Some(run) = await_run(self.engine.start(input, hear), stop).await else { return };
        let outcome = &run.outcome;
        tracing::info!(
            revision,
            states = outcome.total,
            changed = outcome.changed,
            failed = outcome.failed,
            errors = run.errors.len(),
            elapsed_ms = outcome.duration_millis,
            "states applied"
        );
        for error in run.errors.iter().take(10) {
            tracing::error!(error, "the state tree is refused");
        }
        self.tell(job, revision, &run);
        self.ended(job);
    }

    /// Says what came of a run, to each command that asked.
    fn tell(&self, job: &Job, revision: u64, run: &Run) {
        let lane = if run.succeeded() { Lane::Applied } else { Lane::Failed };
        let commands = job.commands.iter().cloned().map(Some);
        let none = job.commands.is_empty().then_some(None);
        for command in commands.chain(none) {
            self.outbox.say(lane, &run.applied(command, revision, job.sls.is_empty()));
        }
    }

    fn ended(&mut self, job: &Job) {
        let seen = self.store.seen();
        let seen = seen.map(|seen| Record { generation: seen.generation, revision: seen.revision });
        let kept = match seen.filter(|_| job.is_highstate()) {
            Some(record) => self.journal.keep(record),
            None => Ok(()),
        };
        if let Err(error) = kept.and_then(|()| self.journal.end()) {
            tracing::warn!(error = %crate::chain(&error), "a restart would repeat this run");
        }
    }
}

/// Waits for a run; none if the agent stops before it ends.
async fn await_run(run: oneshot::Receiver<Run>, stop: &CancellationToken) -> Option<Run> {
    let mut run = run;
    let ended = tokio::select! {
        ended = &mut run => ended,
        () = stop.cancelled() => tokio::time::timeout(STOP_TIMEOUT, run).await.ok()?,
    };
    Some(ended.unwrap_or_else(|_| {
        Run::impossible("the state engine broke off; its log has the reason".to_owned(), false)
    }))
}

/// The revision that a start goes on from.
pub(crate) fn applied_revision(journal: &Records) -> u64 {
    journal.record().revision
}

/// A random number of 0 to 1.
fn share() -> f64 {
    f64::from(u16::from_be_bytes(random())) / f64::from(u16::MAX)
}
