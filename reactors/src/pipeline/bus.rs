//! The pipeline on the real bus: a consumer of STATS, and the schemas in EVENTS.

use super::{Announced, Message, Source};
use muster_protocol::bus::Error;
use muster_protocol::bus::stream::{Consumer, Delivery, EVENTS, JetStream};
use muster_protocol::event::Event;
use muster_protocol::id::AgentId;
use muster_protocol::stats::Schema;
use muster_protocol::{subject, wire};
use std::time::Duration;

/// Announcements of one agent that are read: one a day, and one per change of its devices.
const ANNOUNCED_MAX: usize = 256;

impl Source for Consumer {
    type Message = Delivery;

    async fn next_batch(&mut self, max: usize) -> Result<Vec<Delivery>, Error> {
        Consumer::next_batch(self, max).await
    }
}

impl Message for Delivery {
    fn subject(&self) -> &str {
        &self.subject
    }

    fn payload(&self) -> &[u8] {
        &self.payload
    }

    fn attempt(&self) -> u64 {
        self.attempt
    }

    async fn ack(&self) -> Result<(), Error> {
        Delivery::ack(self).await
    }

    async fn retry_after(&self, wait: Duration) -> Result<(), Error> {
        Delivery::retry_after(self, wait).await
    }
}

impl Announced for JetStream {
    async fn schemas(&self, agent: &AgentId) -> Result<Vec<Schema>, Error> {
        let subject = subject::agent_event(agent, "schema");
        let stored = self.all(EVENTS, &subject, ANNOUNCED_MAX).await?;
        let schema = |payload: &[u8]| wire::decode::<Event>(payload).ok()?.read();
        Ok(stored.iter().filter_map(|message| schema(&message.payload)).collect())
    }
}
