//! The engine: takes events from a durable consumer, and acts on each id once.

use crate::rule::{Action, Rule};
use futures_util::future::BoxFuture;
use futures_util::{StreamExt, TryStreamExt, stream};
use muster_protocol::bus::stream::{Consumer, Delivery, by_source};
use muster_protocol::bus::{self};
use muster_protocol::event::Event;
use muster_protocol::id::Token;
use muster_protocol::wire;
use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Events that are taken at once.
const BATCH_MAX: usize = 256;
/// Sources whose events are acted on at once: an action waits for disks and networks.
const ACTING_MAX: usize = 32;
/// Ids of events that were acted on: those that could come again.
const REMEMBERED_MAX: usize = 20_000;
/// How often an action that may succeed later is tried.
const ATTEMPTS_MAX: u64 = 8;
/// The wait before such an event comes again; it doubles.
const RETRY_FIRST: Duration = Duration::from_millis(500);

/// An action that failed.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct ActionError {
    /// What went wrong.
    pub what: String,
    /// The same action may succeed later.
    pub is_retryable: bool,
}

/// Does what rules say: the controller, or a test's recorder.
pub trait Actions: Send + Sync + fmt::Debug {
    /// Does one action for an event.
    fn act<'a>(
        &'a self,
        action: &'a Action,
        subject: &'a str,
        event: &'a Event,
    ) -> BoxFuture<'a, Result<(), ActionError>>;
}

/// Rules with who does what they say.
#[derive(Debug)]
pub struct Engine<A> {
    rules: Vec<Rule>,
    actions: A,
    memory: Arc<Memory>,
}

/// Which events were acted on. It outlives an engine: whoever takes up again, after the lease was
/// lost with NATS, is given what the server did not learn was done.
#[derive(Debug, Default)]
pub struct Memory(Mutex<Done>);

impl<A: Actions> Engine<A> {
    /// An engine over these rules.
    #[must_use]
    pub fn new(rules: Vec<Rule>, actions: A, memory: Arc<Memory>) -> Engine<A> {
        Engine { rules, actions, memory }
    }

    /// Takes events until it is cancelled.
    ///
    /// # Errors
    /// When the consumer is gone.
    pub async fn run(
        self,
        mut events: Consumer,
        cancel: CancellationToken,
    ) -> Result<(), bus::Error> {
        loop {
            let batch = tokio::select! {
                batch = events.next_batch(BATCH_MAX) => batch?,
                () = cancel.cancelled() => return Ok(()),
            };
            let sources = stream::iter(by_source(batch)).map(Ok);
            sources.try_for_each_concurrent(ACTING_MAX, |events| self.take_all(events)).await?;
        }
    }

    /// Takes one source's events, in their order.
    async fn take_all(&self, events: Vec<Delivery>) -> Result<(), bus::Error> {
        for delivery in &events {
            self.take(delivery).await?;
        }
        Ok(())
    }

    fn done(&self) -> MutexGuard<'_, Done> {
        self.memory.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn take(&self, delivery: &Delivery) -> Result<(), bus::Error> {
        let event: Event = match wire::decode(&delivery.payload) {
            Ok(event) => event,
            Err(error) => {
                tracing::warn!(subject = delivery.subject, %error, "an event cannot be read");
                return delivery.ack().await;
            }
        };
        if self.done().has(&event.id) {
            return delivery.ack().await;
        }
        let rules = self.concerned(&delivery.subject, &event);
        if !rules.is_empty() && is_double(delivery, &event).await? {
            tracing::debug!(subject = delivery.subject, id = %event.id, "it was stored before");
            return delivery.ack().await;
        }
        match self.react(&rules, &delivery.subject, &event).await {
            Err(error) if error.is_retryable && delivery.attempt < ATTEMPTS_MAX => {
                let doublings = u32::try_from(delivery.attempt).unwrap_or(8);
                tracing::debug!(subject = delivery.subject, %error, "an action is tried again");
                return delivery.retry_after(RETRY_FIRST * (1 << doublings)).await;
            }
            Err(error) => {
                tracing::warn!(subject = delivery.subject, %error, "an action failed");
            }
            Ok(()) => {}
        }
        self.done().add(event.id);
        delivery.ack().await
    }

    fn concerned(&self, subject: &str, event: &Event) -> Vec<&Rule> {
        let concerned = |rule: &&Rule| {
            rule.matches(subject, event).unwrap_or_else(|error| {
                tracing::warn!(rule = rule.name, subject, error, "a rule's `when`");
                false
            })
        };
        self.rules.iter().filter(concerned).collect()
    }

    async fn react(
        &self,
        rules: &[&Rule],
        subject: &str,
        event: &Event,
    ) -> Result<(), ActionError> {
        for action in rules.iter().flat_map(|rule| &rule.actions) {
            self.actions.act(action, subject, event).await?;
        }
        Ok(())
    }
}

/// Whether an event was stored before, and perhaps acted on by a controller that is gone. Who sends
/// on a subject sends one event after the other, and one again before the next: so the double of an
/// event that NATS did not know any more comes right behind it.
async fn is_double(delivery: &Delivery, event: &Event) -> Result<bool, bus::Error> {
    loop {
        match delivery.before().await {
            Ok(None) => return Ok(false),
            Ok(Some(before)) => {
                let before = wire::decode::<Event>(&before);
                return Ok(before.is_ok_and(|before| before.id == event.id));
            }
            Err(error) if error.is_retryable() => {
                tracing::debug!(subject = delivery.subject, %error, "asking again");
                tokio::time::sleep(RETRY_FIRST).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// The newest ids that were acted on.
#[derive(Debug, Default)]
struct Done {
    ids: HashSet<Token>,
    order: VecDeque<Token>,
}

impl Done {
    fn has(&self, id: &Token) -> bool {
        self.ids.contains(id)
    }

    fn add(&mut self, id: Token) {
        if self.order.len() >= REMEMBERED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        self.ids.insert(id.clone());
        self.order.push_back(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use muster_protocol::id::random;

    #[test]
    fn ids_are_remembered_up_to_a_limit() {
        let mut done = Done::default();
        let first = Token::random(random());
        done.add(first.clone());
        assert!(done.has(&first));
        for _ in 0..REMEMBERED_MAX {
            done.add(Token::random(random()));
        }
        assert!(!done.has(&first));
        assert_eq!(done.ids.len(), done.order.len());
    }
}
