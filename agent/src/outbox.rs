//! What the agent says, until a stream has acknowledged it: events on disk, samples in memory.
//!
//! Each subject is a lane: one message of it is on its way at a time, so that what is said first
//! is stored first. A message that may have been stored is sent again with the same id. While NATS
//! is down events wait in the spool and samples merge; past the limits the oldest are given up,
//! counted, and told.

mod queue;
mod spool;

use crate::clock::Clock;
use crate::stats::{Outgoing, Pending, Reading};
use muster_protocol::bus::{self, Bus, State};
use muster_protocol::event::{Alarm, Event};
use muster_protocol::id::{AgentId, Token, UnixMillis, random};
use muster_protocol::subject;
use muster_protocol::wire;
use queue::{Outcome, Queue, Ready};
use serde::Serialize;
use spool::Spool;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub(crate) use queue::Lane;

/// Messages on their way at once, of all lanes.
const WINDOW: usize = 16;
/// The largest event: NATS takes a MiB with its headers.
pub(crate) const EVENT_BYTES_MAX: usize = 960 << 10;
/// How long an agent that stops tries to send what waits.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// Whether the bytes of a file of the spool are a whole event.
pub(crate) fn is_whole(bytes: &[u8]) -> bool {
    spool::whole(bytes).is_some()
}

/// What waits to be acknowledged.
pub(crate) struct Outbox {
    agent_id: AgentId,
    clock: Arc<Clock>,
    /// 128 secret bits of this start: nobody else can use up a message's id.
    boot: Token,
    inner: Mutex<Inner>,
    wake: Notify,
}

struct Inner {
    queue: Queue,
    spool: Spool,
    pending: Pending,
    said: u64,
}

impl Outbox {
    /// An outbox with what an earlier start of this agent has left.
    pub(crate) fn open(
        agent_id: AgentId,
        clock: Arc<Clock>,
        spool: PathBuf,
    ) -> Result<Outbox, crate::files::Error> {
        let (spool, left) = Spool::open(spool)?;
        let mut queue = Queue::default();
        for item in left {
            queue.push(item);
        }
        let boot = Token::random(random());
        let pending = Pending::new(Token::random(random()));
        let inner = Mutex::new(Inner { queue, spool, pending, said: 0 });
        Ok(Outbox { agent_id, clock, boot, inner, wake: Notify::new() })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that something happened.
    pub(crate) fn say(&self, kind: Lane, data: &impl Serialize) {
        let event = Event::new(Token::random(random()), self.clock.now(), data);
        let payload = wire::encode(&event);
        if payload.len() > EVENT_BYTES_MAX {
            tracing::error!(kind = kind.name(), bytes = payload.len(), "an event is too large");
            return;
        }
        let begins_to_fail = {
            let inner = &mut *self.inner();
            inner.said += 1;
            let message_id = format!("{}-e{}", self.boot, inner.said);
            let fails = inner.spool.fails();
            let item = inner.spool.keep(kind, message_id, payload);
            inner.queue.push(item).into_iter().for_each(|given_up| inner.spool.forget(given_up));
            inner.spool.fails() && !fails
        };
        self.wake.notify_one();
        if begins_to_fail {
            let what = "its disk takes no events: they wait in memory, and an end of the agent \
                        would lose them; make room under its data folder";
            let alarm = Alarm { who: self.agent_id.to_string(), what: what.to_owned() };
            self.say(Lane::Alarm, &alarm);
        }
    }

    /// Adds a sample.
    pub(crate) fn sample(&self, reading: Reading) {
        self.inner().pending.push(reading);
        self.wake.notify_one();
    }

    /// A connection that came back may be to a server that has lost what was announced.
    pub(crate) fn announce_again(&self) {
        self.inner().pending.forget_announced();
    }

    /// How many samples were given up unsent.
    pub(crate) fn samples_dropped(&self) -> u64 {
        self.inner().pending.dropped()
    }

    /// Sends until it is stopped; then what is left, for a short time.
    pub(crate) async fn run(&self, bus: &Bus, stop: CancellationToken) {
        let mut state = bus.state();
        let mut on_the_way = JoinSet::new();
        while !stop.is_cancelled() {
            self.step(bus, &mut state, &mut on_the_way, &stop).await;
        }
        let flushed = tokio::time::timeout(FLUSH_TIMEOUT, async {
            let never = CancellationToken::new();
            while !self.inner().is_empty() {
                self.step(bus, &mut state, &mut on_the_way, &never).await;
            }
        });
        if flushed.await.is_err() {
            tracing::warn!("stopped before all was sent: events wait on disk, samples are lost");
        }
    }

    /// Sends what may go, then waits until more may.
    async fn step(
        &self,
        bus: &Bus,
        state: &mut tokio::sync::watch::Receiver<State>,
        on_the_way: &mut JoinSet<Settled>,
        stop: &CancellationToken,
    ) {
        let connected = *state.borrow_and_update() == State::Connected;
        if connected {
            let free = WINDOW.saturating_sub(on_the_way.len());
            let all = self.inner().ready(Instant::now(), free, self.clock.now());
            for ready in all {
                on_the_way.spawn(publish(bus.clone(), self.subject(ready.lane), ready));
            }
        }
        let due = self.inner().queue.next_due().filter(|_| connected);
        let retry = async move {
            match due {
                Some(due) => tokio::time::sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Some(done) = on_the_way.join_next(), if !on_the_way.is_empty() => self.settle(done),
            () = self.wake.notified() => {}
            () = retry => {}
            changed = state.changed() => {
                if changed.is_err() || *state.borrow() != State::Connected {
                    // Their answers will not come; the ids make sure that they are stored once.
                    on_the_way.abort_all();
                    while on_the_way.join_next().await.is_some() {}
                    self.inner().queue.interrupted();
                }
                if changed.is_err() {
                    stop.cancelled().await;
                }
            }
            () = stop.cancelled() => {}
        }
    }

    fn subject(&self, lane: Lane) -> String {
        match lane {
            Lane::Stats => subject::stats(&self.agent_id),
            Lane::Schema
            | Lane::Started
            | Lane::Applied
            | Lane::Failed
            | Lane::Executed
            | Lane::Fired
            | Lane::Alarm
            | Lane::Security => subject::agent_event(&self.agent_id, lane.name()),
        }
    }

    fn settle(&self, done: Result<Settled, tokio::task::JoinError>) {
        let Ok((lane, result)) = done else { return };
        let outcome = match &result {
            Ok(_) => Outcome::Stored,
            Err(error) if error.is_retryable() => Outcome::Later,
            Err(bus::Error::Closed) => Outcome::Later,
            Err(_) => Outcome::Never,
        };
        match (&result, outcome) {
            (Ok(ack), _) => {
                tracing::debug!(lane = lane.name(), sequence = ack.sequence, "stored");
            }
            (Err(error), Outcome::Later) => {
                tracing::debug!(lane = lane.name(), error = %crate::chain(error), "not stored yet");
            }
            (Err(error), Outcome::Never | Outcome::Stored) => {
                tracing::error!(lane = lane.name(), error = %crate::chain(error), "given up");
            }
        }
        let given_up = {
            let inner = &mut *self.inner();
            if let Some(item) = inner.queue.settle(lane, outcome, Instant::now(), random()) {
                inner.spool.forget(item);
            }
            if outcome == Outcome::Stored { inner.queue.take_given_up() } else { 0 }
        };
        if given_up > 0 {
            let what = format!("{given_up} messages were given up: no stream took them");
            self.say(Lane::Alarm, &Alarm { who: self.agent_id.to_string(), what });
        }
    }
}

impl Inner {
    /// What may be sent now; fills the lanes of samples first.
    fn ready(&mut self, now: Instant, free: usize, at: UnixMillis) -> Vec<Ready> {
        self.fill(at);
        let mut ready = Vec::new();
        for (lane, message_id, body) in self.queue.ready(now, free) {
            match self.spool.load(body) {
                Ok(payload) => ready.push(Ready { lane, message_id, payload }),
                Err(error) => {
                    tracing::error!(error = %crate::chain(&error), "an event is lost");
                    self.queue.settle(lane, Outcome::Never, now, [0; 2]);
                }
            }
        }
        ready
    }

    /// Freezes the next samples, once those before them are stored: what waits may still merge.
    fn fill(&mut self, at: UnixMillis) {
        while self.queue.takes_samples() {
            match self.pending.take() {
                Some(Outgoing::Frame(frame)) => {
                    self.queue.push(spool::Item::frame(&frame));
                }
                Some(Outgoing::Schema(schema)) => {
                    let event = Event::new(Token::random(random()), at, &*schema);
                    let id = event.id.to_string();
                    self.queue.push(spool::Item::memory(Lane::Schema, id, wire::encode(&event)));
                }
                None => return,
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.pending.is_empty()
    }
}

type Settled = (Lane, Result<bus::Ack, bus::Error>);

async fn publish(bus: Bus, subject: String, ready: Ready) -> Settled {
    (ready.lane, bus.publish(subject, &ready.message_id, ready.payload).await)
}
