//! Carries frames from the stream into one sink: take, decode, write, acknowledge.
//!
//! Each sink runs its own pipeline over its own consumer, so that one that is down holds nobody
//! back: it acknowledges nothing, tries again ever more slowly, and catches up. What can never be
//! written, a garbled frame say, is counted, told once per agent, and acknowledged.

mod bus;
mod decode;
mod schemas;
mod status;
mod written;

pub use decode::{Error as DecodeError, decode};
pub use schemas::{Announced, Schemas};
pub use status::Status;
pub use written::Written;

use crate::sink::{self, Sink};
use muster_protocol::bus::Error as BusError;
use muster_protocol::id::UnixMillis;
use muster_protocol::stats::Batch;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// Frames that are written together.
pub const BATCH_MAX: usize = 64;
/// The first wait before a write is tried again; it doubles up to the last.
const RETRY_FIRST: Duration = Duration::from_millis(250);
const RETRY_LAST: Duration = Duration::from_secs(30);
/// A frame may come before its schema was stored: it is put off, for so long and so often.
const SCHEMA_WAIT: Duration = Duration::from_secs(10);
const SCHEMA_ATTEMPTS: u64 = 4;

/// Where frames come from: a durable consumer.
pub trait Source: Send {
    /// One message.
    type Message: Message;

    /// Waits for messages, at least one and at most `max`.
    fn next_batch(
        &mut self,
        max: usize,
    ) -> impl Future<Output = Result<Vec<Self::Message>, BusError>> + Send;
}

/// A message that comes again until it is acknowledged.
pub trait Message: Send + Sync {
    /// Whose it is.
    fn subject(&self) -> &str;

    /// A frame, or what claims to be one.
    fn payload(&self) -> &[u8];

    /// How often it came, from 1.
    fn attempt(&self) -> u64;

    /// It is done.
    fn ack(&self) -> impl Future<Output = Result<(), BusError>> + Send;

    /// It shall come again after a while.
    fn retry_after(&self, wait: Duration) -> impl Future<Output = Result<(), BusError>> + Send;
}

/// Called with each frame that is new: its sender lives. It must not block.
pub type OnFrame = Box<dyn Fn(&Batch) + Send + Sync>;

/// One sink with all it needs.
pub struct Pipeline<S, A> {
    /// Where frames come from.
    pub source: S,
    /// What they mean; shared by all pipelines.
    pub schemas: Arc<Schemas<A>>,
    /// Where they go.
    pub sink: Sink,
    /// What is told of it.
    pub status: Arc<Status>,
    /// What the sink has already, from pipelines before this one.
    pub written: Arc<Written>,
    /// Who is told that an agent lives, if anyone; one pipeline is enough.
    pub on_frame: Option<OnFrame>,
    /// The present time.
    pub clock: fn() -> UnixMillis,
}

impl<S: Source, A: Announced> Pipeline<S, A> {
    /// Runs until it is cancelled.
    ///
    /// # Errors
    /// When the source is closed for good: then its owner makes a new one.
    pub async fn run(mut self, cancel: CancellationToken) -> Result<(), BusError> {
        let mut wait = Backoff::default();
        loop {
            let taken = tokio::select! {
                () = cancel.cancelled() => return Ok(()),
                taken = self.source.next_batch(BATCH_MAX) => taken,
            };
            match taken {
                Ok(messages) => {
                    wait = Backoff::default();
                    if !self.handle(&messages, &cancel).await {
                        return Ok(());
                    }
                }
                Err(error) if error.is_retryable() => {
                    warn!(sink = self.status.name(), %error, "cannot take frames; trying again");
                    if !wait.pause(&cancel).await {
                        return Ok(());
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes and acknowledges messages; false if it was cancelled before.
    async fn handle(&mut self, messages: &[S::Message], cancel: &CancellationToken) -> bool {
        let Some(decoded) = self.decode(messages, cancel).await else { return false };
        if !self.write(&decoded.batches, cancel).await {
            return false;
        }
        decoded.batches.iter().for_each(|batch| self.written.insert(batch));
        for (at, message) in messages.iter().enumerate() {
            let told = match decoded.put_off.contains(&at) {
                true => message.retry_after(SCHEMA_WAIT).await,
                false => message.ack().await,
            };
            if told.is_err() {
                // It comes again, and `written` knows it.
                break;
            }
        }
        true
    }

    /// The batches that are to be written; none if it was cancelled before.
    async fn decode(
        &mut self,
        messages: &[S::Message],
        cancel: &CancellationToken,
    ) -> Option<Decoded> {
        let mut decoded = Decoded::default();
        for (at, message) in messages.iter().enumerate() {
            match self.decode_one(message, cancel).await? {
                Ok(batch) if self.written.covers(&batch) || decoded.has(&batch) => {}
                Ok(batch) => {
                    if let Some(on_frame) = &self.on_frame {
                        on_frame(&batch);
                    }
                    decoded.batches.push(batch);
                }
                Err(DecodeError::NeedSchema { .. }) if message.attempt() < SCHEMA_ATTEMPTS => {
                    decoded.put_off.push(at);
                }
                Err(error) => self.status.dropped(message.subject(), &error, 1),
            }
        }
        Some(decoded)
    }

    /// Asks for the schema as long as the bus does not answer.
    async fn decode_one(
        &self,
        message: &S::Message,
        cancel: &CancellationToken,
    ) -> Option<Result<Batch, DecodeError>> {
        let mut wait = Backoff::default();
        loop {
            let found = match decode(message.subject(), message.payload(), &self.schemas) {
                Err(DecodeError::NeedSchema { agent, schema }) => {
                    self.schemas.fetch(&agent, &schema, (self.clock)()).await
                }
                decoded => return Some(decoded),
            };
            match found {
                Ok(true) => {}
                Ok(false) => {
                    return Some(decode(message.subject(), message.payload(), &self.schemas));
                }
                Err(error) => {
                    warn!(sink = self.status.name(), %error, "cannot read a schema; trying again");
                    if !wait.pause(cancel).await {
                        return None;
                    }
                }
            }
        }
    }

    /// Writes until the sink takes it; false if it was cancelled before.
    async fn write(&mut self, batches: &[Batch], cancel: &CancellationToken) -> bool {
        let mut wait = Backoff::default();
        let mut rest = batches;
        // All together; if the sink refuses one of them for ever, each by itself.
        let mut together = rest.len().max(1);
        while !rest.is_empty() {
            let (part, after) = rest.split_at(together.min(rest.len()));
            match self.sink.write(part, (self.clock)()).await {
                Ok(()) => {
                    self.status.wrote(part.len() as u64);
                    rest = after;
                }
                Err(error) if error.is_retryable() => {
                    self.failing(&error);
                    if !wait.pause(cancel).await {
                        return false;
                    }
                }
                Err(_) if part.len() > 1 => together = 1,
                Err(error) => {
                    self.status.dropped(part[0].agent.as_str(), &error, 1);
                    rest = after;
                }
            }
        }
        true
    }

    fn failing(&self, error: &sink::Error) {
        let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
        if self.status.failing(format!("{error}: {cause}")) {
            let sink = self.status.name();
            warn!(sink, %error, cause, "the sink does not write; frames wait in the stream");
        }
    }
}

/// What became of some messages.
#[derive(Default)]
struct Decoded {
    batches: Vec<Batch>,
    /// The places of those whose schema is not there yet.
    put_off: Vec<usize>,
}

impl Decoded {
    fn has(&self, batch: &Batch) -> bool {
        let same = |other: &Batch| other.boot == batch.boot && other.seq == batch.seq;
        self.batches.iter().any(|other| same(other) && other.agent == batch.agent)
    }
}

/// How long to wait before the next attempt.
struct Backoff(Duration);

impl Default for Backoff {
    fn default() -> Backoff {
        Backoff(RETRY_FIRST)
    }
}

impl Backoff {
    /// Waits, and doubles the next wait; false if it was cancelled.
    async fn pause(&mut self, cancel: &CancellationToken) -> bool {
        let wait = self.0;
        self.0 = (wait * 2).min(RETRY_LAST);
        tokio::select! {
            () = cancel.cancelled() => {
                info!("a pipeline stops with frames unwritten; they stay in the stream");
                false
            }
            () = tokio::time::sleep(wait) => true,
        }
    }
}

#[cfg(test)]
mod tests;
