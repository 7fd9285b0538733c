//! One agent must not push the events of all others out of the stream: whose events of an hour
//! take more than its share is told, and loses its own oldest ones.
//!
//! NATS limits the messages of a subject, not their bytes; an agent has a handful of subjects, and
//! a message may have a MiB.

use muster_protocol::bus::Bus;
use muster_protocol::bus::stream::{EVENTS, JetStream};
use muster_protocol::event::Event;
use muster_protocol::id::{AgentId, Token, UnixMillis, random};
use muster_protocol::subject::{self, Source};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// An agent's share of the stream within [`PERIOD_MILLIS`]: one part of so many.
const PARTS: u64 = 16;
const PERIOD_MILLIS: i64 = 3_600_000;
/// Events that are left of one that had too many.
const KEEP: u64 = 8;
/// Agents that are counted; then the count begins anew.
const AGENTS_MAX: usize = 50_000;

/// What agents have said in this period, in bytes.
#[derive(Debug, Default)]
struct Counts {
    since: UnixMillis,
    bytes: HashMap<AgentId, Count>,
}

#[derive(Debug, Default)]
struct Count {
    bytes: u64,
    told: bool,
}

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Nothing,
    /// Its events are cut.
    Cut {
        /// Nobody was told in this period.
        tell: bool,
    },
}

impl Counts {
    fn add(&mut self, agent: &AgentId, bytes: u64, share: u64, now: UnixMillis) -> Next {
        if now.since(self.since) > PERIOD_MILLIS || self.bytes.len() > AGENTS_MAX {
            *self = Counts { since: now, bytes: HashMap::new() };
        }
        let count = self.bytes.entry(agent.clone()).or_default();
        count.bytes += bytes;
        if count.bytes <= share {
            return Next::Nothing;
        }
        count.bytes = 0;
        Next::Cut { tell: !std::mem::replace(&mut count.told, true) }
    }
}

/// Counts, cuts and tells.
#[derive(Debug)]
pub struct Floods {
    jetstream: JetStream,
    bus: Bus,
    share: u64,
    counts: Mutex<Counts>,
}

impl Floods {
    /// Watches a stream that holds at most so many bytes.
    #[must_use]
    pub fn new(jetstream: JetStream, bus: Bus, stream_bytes: u64) -> Floods {
        Floods { jetstream, bus, share: stream_bytes / PARTS, counts: Mutex::default() }
    }

    /// Counts an event of an agent's.
    pub async fn count(&self, agent: &AgentId, bytes: usize) {
        let Next::Cut { tell } = self.add(agent, bytes as u64) else { return };
        let of_it = format!("{}agent.{agent}.*", subject::EVENT_PREFIX);
        match self.jetstream.cut(EVENTS, &of_it, KEEP).await {
            Ok(cut) if tell => self.tell(agent, cut).await,
            Ok(cut) => tracing::debug!(agent_id = %agent, cut, "it floods still"),
            Err(error) => tracing::warn!(agent_id = %agent, %error, "a flood is not cut"),
        }
    }

    fn add(&self, agent: &AgentId, bytes: u64) -> Next {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.add(agent, bytes, self.share, UnixMillis::now())
    }

    async fn tell(&self, agent: &AgentId, cut: u64) {
        let share = self.share;
        tracing::warn!(agent_id = %agent, cut, share, "an agent floods: its own events are cut");
        let token = |text: &str| -> Token { text.parse().expect("names and words are tokens") };
        let data = serde_json::json!({
            "agent_id": agent, "cut": cut, "share_bytes": share,
            "what": "its events of an hour take more than an agent's share of the stream: only the \
                     newest are kept; see what it does, or terminate it",
        });
        let to = subject::event(Source::Security, &token(agent.worker().as_str()), &token("flood"));
        let event = Event { id: Token::random(random()), at: UnixMillis::now(), data };
        if let Err(error) = self.bus.publish_event(to, &event).await {
            tracing::warn!(agent_id = %agent, %error, "the event of a flood was not stored");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_over_its_share_is_cut_each_time_and_told_once_a_period() {
        let agent = |number: u8| -> AgentId {
            AgentId::new(&format!("w-{number}").parse().unwrap(), random())
        };
        let (rogue, other, mut counts) = (agent(1), agent(2), Counts::default());
        let (share, now) = (100, UnixMillis(10_000_000));
        assert_eq!(counts.add(&rogue, 100, share, now), Next::Nothing);
        assert_eq!(counts.add(&other, 100, share, now), Next::Nothing);
        assert_eq!(counts.add(&rogue, 1, share, now), Next::Cut { tell: true });
        assert_eq!(counts.add(&rogue, 101, share, now), Next::Cut { tell: false });
        let later = now.plus(PERIOD_MILLIS + 1);
        assert_eq!(counts.add(&other, 100, share, later), Next::Nothing, "its hour is over");
        assert_eq!(counts.add(&rogue, 101, share, later), Next::Cut { tell: true });
    }
}
