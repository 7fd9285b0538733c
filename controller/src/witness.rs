//! Takes what agents report of themselves, from a durable consumer: results and alarms.

use crate::documents::Teller;
use crate::floods::Floods;
use crate::lifecycle::Input;
use crate::registry::{self, Registry};
use futures_util::{StreamExt, TryStreamExt, stream};
use muster_protocol::bus::stream::{Consumer, Delivery, by_source};
use muster_protocol::bus::{self};
use muster_protocol::event::{Alarm, Applied, Event};
use muster_protocol::id::{AgentId, Hash, Token};
use muster_protocol::subject::{self, Source};
use muster_protocol::wire;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Events that are taken at once.
const BATCH_MAX: usize = 256;
/// Agents whose events are taken at once: the registry waits for the disk.
const TAKING_MAX: usize = 32;
/// The wait before an event comes again that the registry could not take.
const RETRY: Duration = Duration::from_secs(2);

/// Takes agents' events.
#[derive(Debug)]
pub struct Witness {
    /// Whose lives they change.
    pub registry: Arc<Registry>,
    /// Who is told what agents have noticed of an attack.
    pub teller: Arc<dyn Teller>,
    /// Sees to it that none says too much.
    pub floods: Floods,
}

impl Witness {
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
            let agents = stream::iter(by_source(batch)).map(Ok);
            agents.try_for_each_concurrent(TAKING_MAX, |events| self.take_all(events)).await?;
        }
    }

    /// Takes one agent's events, in their order.
    async fn take_all(&self, events: Vec<Delivery>) -> Result<(), bus::Error> {
        for delivery in &events {
            match self.take(delivery).await {
                true => delivery.ack().await?,
                false => delivery.retry_after(RETRY).await?,
            }
        }
        Ok(())
    }

    /// Whether the event is dealt with.
    async fn take(&self, delivery: &Delivery) -> bool {
        let prefix = "muster.event.agent.";
        let Some([agent, kind]) = subject::tokens(&delivery.subject, prefix) else { return true };
        let Ok(agent) = agent.parse::<AgentId>() else { return true };
        self.floods.count(&agent, delivery.payload.len()).await;
        let Ok(event) = wire::decode::<Event>(&delivery.payload) else {
            tracing::warn!(agent_id = %agent, kind, "an agent's event cannot be read");
            return true;
        };
        match kind {
            "applied" | "failed" => match event.read::<Applied>() {
                Some(applied) => self.applied(&agent, &applied).await,
                None => true,
            },
            "alarm" => {
                let what = event.read::<Alarm>().map(|alarm| alarm.what);
                tracing::warn!(agent_id = %agent, what, "an agent raises an alarm");
                true
            }
            "security" => match event.read::<Alarm>() {
                Some(alarm) => self.noticed(&agent, &event, alarm.what).await,
                None => true,
            },
            _ => true,
        }
    }

    /// An agent has dropped what somebody steered to it: told as a `security` event. Who says so is
    /// in the subject; the same event, taken again, is told once.
    async fn noticed(&self, agent: &AgentId, event: &Event, what: String) -> bool {
        tracing::warn!(agent_id = %agent, what, "an agent was attacked");
        let token = |text: &str| -> Token { text.parse().expect("ids and hashes are tokens") };
        let id = token(Hash::of(format!("{agent} {}", event.id).as_bytes()).as_str());
        let subject = subject::event(Source::Security, &token(agent.as_str()), &token("agent"));
        let told = Event::new(id, event.at, &Alarm { who: agent.to_string(), what });
        match self.teller.tell(subject, told).await {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(
                    agent_id = %agent,
                    error = crate::chain(&error),
                    "a security event waits"
                );
                !error.is_retryable()
            }
        }
    }

    async fn applied(&self, agent: &AgentId, applied: &Applied) -> bool {
        if !applied.highstate {
            return true;
        }
        let (outcome, failure) = (applied.outcome.clone(), applied.failure());
        match self.registry.happen_to(agent, &Input::Applied { outcome, failure }).await {
            Ok(_) | Err(registry::Error::Refused(_) | registry::Error::Missing { .. }) => true,
            Err(error) => {
                tracing::warn!(agent_id = %agent, error = crate::chain(&error), "a result waits");
                false
            }
        }
    }
}
