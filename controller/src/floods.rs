//! One agent must not push what all others say out of a stream: whose events, or frames, of an hour
//! take more than its share is told, and loses its own oldest ones.
//!
//! NATS limits the messages of a subject, not their bytes; an agent has a handful of subjects, and
//! a message may have a MiB.

use muster_protocol::bus::stream::{Consumer, EVENTS, JetStream, STATS};
use muster_protocol::bus::{self, Bus};
use muster_protocol::event::Event;
use muster_protocol::id::{AgentId, Token, UnixMillis, random};
use muster_protocol::subject::{self, Source};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use tokio_util::sync::CancellationToken;

/// An agent's share of the stream within [`PERIOD_MILLIS`]: one part of so many.
const PARTS: u64 = 16;
const PERIOD_MILLIS: i64 = 3_600_000;
/// Messages of each kind that are left of one that had too many.
const KEEP: u64 = 8;
/// Frames that are counted before others get their turn.
const BATCH_MAX: usize = 256;
/// Agents that are counted; then the count begins anew.
const AGENTS_MAX: usize = 50_000;

/// What may be flooded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// Agents' events.
    Events,
    /// Agents' frames, which wait for sinks.
    Frames,
}

impl Of {
    fn stream(self) -> &'static str {
        match self {
            Of::Events => EVENTS,
            Of::Frames => STATS,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Of::Events => "events",
            Of::Frames => "frames",
        }
    }

    /// All that an agent has in the stream.
    fn all_of(self, agent: &AgentId) -> String {
        match self {
            Of::Events => format!("{}agent.{agent}.*", subject::EVENT_PREFIX),
            Of::Frames => subject::stats(agent),
        }
    }
}

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
    of: Of,
    jetstream: JetStream,
    bus: Bus,
    share: u64,
    counts: Mutex<Counts>,
}

impl Floods {
    /// Watches a stream that holds at most so many bytes.
    #[must_use]
    pub fn new(of: Of, jetstream: JetStream, bus: Bus, stream_bytes: u64) -> Floods {
        Floods { of, jetstream, bus, share: stream_bytes / PARTS, counts: Mutex::default() }
    }

    /// Counts the frames of all agents, until it is cancelled.
    ///
    /// # Errors
    /// When the consumer is gone for good.
    pub async fn run(
        self,
        mut frames: Consumer,
        cancel: CancellationToken,
    ) -> Result<(), bus::Error> {
        loop {
            let batch = tokio::select! {
                batch = frames.next_batch(BATCH_MAX) => batch?,
                () = cancel.cancelled() => return Ok(()),
            };
            for frame in &batch {
                let agent = subject::tokens(&frame.subject, "muster.stats.");
                if let Some(agent) = agent.and_then(|[agent]| agent.parse().ok()) {
                    self.count(&agent, frame.payload.len()).await;
                }
                frame.ack().await?;
            }
        }
    }

    /// Counts what an agent has said.
    pub async fn count(&self, agent: &AgentId, bytes: usize) {
        let Next::Cut { tell } = self.add(agent, bytes as u64) else { return };
        match self.jetstream.cut(self.of.stream(), &self.of.all_of(agent), KEEP).await {
            Ok(cut) if tell => self.tell(agent, cut).await,
            Ok(cut) => tracing::debug!(agent_id = %agent, cut, "it floods still"),
            Err(error) => {
                tracing::warn!(
                    agent_id = %agent,
                    error = crate::chain(&error),
                    "a flood is not cut"
                )
            }
        }
    }

    fn add(&self, agent: &AgentId, bytes: u64) -> Next {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.add(agent, bytes, self.share, UnixMillis::now())
    }

    async fn tell(&self, agent: &AgentId, cut: u64) {
        let share = self.share;
        let of = self.of.name();
        tracing::warn!(agent_id = %agent, of, cut, share, "an agent floods: its own are cut");
        let token = |text: &str| -> Token { text.parse().expect("names and words are tokens") };
        let data = serde_json::json!({
            "agent_id": agent, "of": of, "cut": cut, "share_bytes": share,
            "what": format!(
                "its {of} of an hour take more than an agent's share of the stream: only the \
                 newest are kept; see what it does, or terminate it"
            ),
        });
        let to = subject::event(Source::Security, &token(agent.worker().as_str()), &token("flood"));
        let event = Event { id: Token::random(random()), at: UnixMillis::now(), data };
        if let Err(error) = self.bus.publish_event(to, &event).await {
            tracing::warn!(
                agent_id = %agent,
                error = crate::chain(&error),
                "the event of a flood was not stored"
            );
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
