//! The events that are stored, each delivery of them.

use super::{Cluster, next_event};
use anyhow::{Result, ensure};
use muster_protocol::api::TailOpen;
use muster_protocol::bus::Bus;
use muster_protocol::event::Event;
use muster_protocol::id::{Token, UnixMillis, random};
use std::collections::BTreeSet;

impl Cluster {
    /// All stored events of a filter with their subjects, in the order in which they were stored.
    ///
    /// # Errors
    /// When one is stored twice, or they do not come.
    pub async fn stored_events(&self, bus: &Bus, filter: &str) -> Result<Vec<(String, Event)>> {
        let (user, lease) = (bus.name().parse()?, Token::random(random()));
        let mut feed = bus.feed(&user, &lease).await?;
        let (filter, since) = (filter.to_owned(), Some(UnixMillis(0)));
        let opened = self.ask(bus, &TailOpen { lease, filter, since }).await?;
        let (mut events, mut ids) = (Vec::new(), BTreeSet::new());
        for _ in 0..opened.pending {
            let (subject, event) = next_event(&mut feed).await?;
            ensure!(ids.insert(event.id.clone()), "{subject} is stored twice: {event:?}");
            events.push((subject, event));
        }
        Ok(events)
    }
}
