//! What the controller tells an agent to do, and what the agent answers.

use crate::id::{AgentId, Token, UnixMillis};
use crate::wire::Message;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet, VecDeque};

/// How long a command may be on its way.
pub const LIFETIME_MILLIS: i64 = 60_000;
/// How many ids of commands an agent remembers; a command lives 60 s, so this is over 100 a second.
pub const REMEMBERED_MAX: usize = 8192;

/// A command, always inside a signed envelope for one agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Command {
    /// Unique; an agent runs each once.
    pub id: Token,
    /// The agent it is for.
    pub agent_id: AgentId,
    /// When it was signed; it is void [`LIFETIME_MILLIS`] later.
    pub issued: UnixMillis,
    /// What to do.
    pub verb: Verb,
}

impl Message for Command {
    const NAME: &'static str = "command";
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Answers at once.
    Ping,
    /// Answers what the agent knows of its host.
    Facts,
    /// Applies states; answers at once, the result is an event `applied` or `failed`.
    Apply {
        /// These files; the highstate if empty.
        sls: Vec<String>,
        /// Only tells what would change.
        test: bool,
        /// The agent first fetches its desired state, until it has at least this revision.
        revision: u64,
    },
    /// Gets a new credential now; answers at once. Only the controller itself asks this.
    Renew,
    /// Runs a program without a shell; answers at once, the result is an event `executed`.
    Exec {
        /// Program and arguments.
        argv: Vec<String>,
        /// It is killed after so many seconds.
        timeout_secs: u32,
    },
}

impl Verb {
    /// The token in the subject.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Verb::Ping => "ping",
            Verb::Facts => "facts",
            Verb::Apply { .. } => "apply",
            Verb::Renew => "renew",
            Verb::Exec { .. } => "exec",
        }
    }
}

/// What an agent says at once to a command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// To a ping: the agent's release and the milliseconds since it started.
    Pong {
        /// The release.
        version: String,
        /// Milliseconds since the agent started.
        up_millis: u64,
    },
    /// To a question for facts: names and values, as JSON.
    Facts(BTreeMap<String, serde_json::Value>),
    /// The result will be an event that bears the command's id.
    Accepted,
    /// It will not be done.
    Refused(String),
}

impl Message for Reply {
    const NAME: &'static str = "command.reply";
}

/// Why a command is not run, though its signature is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Void {
    /// It is for another agent.
    #[error("the command is for another agent")]
    Audience,
    /// Older than [`LIFETIME_MILLIS`].
    #[error("the command is {late_millis} ms old, more than {LIFETIME_MILLIS}")]
    Old {
        /// Its age.
        late_millis: i64,
    },
    /// From the future by more than its lifetime.
    #[error("the command is from {early_millis} ms in the future; check the clocks")]
    Early {
        /// How far ahead.
        early_millis: i64,
    },
    /// It was here before.
    #[error("the command was seen before")]
    Seen,
    /// More commands within a minute than an agent remembers.
    #[error("more than {REMEMBERED_MAX} commands within a minute")]
    Flood,
}

/// The commands that an agent has seen, as long as they could come again.
#[derive(Debug, Default)]
pub struct Seen {
    ids: HashSet<Token>,
    order: VecDeque<(UnixMillis, Token)>,
}

impl Seen {
    /// Admits a command once, within its time.
    ///
    /// # Errors
    /// When it is old, early, seen, or for another agent.
    pub fn admit(&mut self, me: &AgentId, command: &Command, now: UnixMillis) -> Result<(), Void> {
        if command.agent_id != *me {
            return Err(Void::Audience);
        }
        let age = now.since(command.issued);
        if age > LIFETIME_MILLIS {
            return Err(Void::Old { late_millis: age });
        }
        if age < -LIFETIME_MILLIS {
            return Err(Void::Early { early_millis: -age });
        }
        self.forget(now);
        if self.ids.contains(&command.id) {
            return Err(Void::Seen);
        }
        if self.order.len() >= REMEMBERED_MAX {
            return Err(Void::Flood);
        }
        self.ids.insert(command.id.clone());
        self.order.push_back((now, command.id.clone()));
        Ok(())
    }

    /// Forgets what came so long ago that it would be refused for its age.
    fn forget(&mut self, now: UnixMillis) {
        while let Some((at, _)) = self.order.front() {
            if now.since(*at) <= 2 * LIFETIME_MILLIS {
                break;
            }
            if let Some((_, id)) = self.order.pop_front() {
                self.ids.remove(&id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::random;

    fn command(agent: &AgentId, issued: i64) -> Command {
        let id = Token::random(random());
        Command { id, agent_id: agent.clone(), issued: UnixMillis(issued), verb: Verb::Ping }
    }

    #[test]
    fn a_command_is_admitted_once_and_in_its_time() {
        let me = AgentId::new(&"w".parse().unwrap(), random());
        let other = AgentId::new(&"w".parse().unwrap(), random());
        let (mut seen, now) = (Seen::default(), UnixMillis(1_000_000));
        let first = command(&me, 1_000_000);
        assert_eq!(seen.admit(&me, &first, now), Ok(()));
        assert_eq!(seen.admit(&me, &first, now.plus(59_000)), Err(Void::Seen));
        let old = seen.admit(&me, &first, now.plus(60_001));
        assert_eq!(old, Err(Void::Old { late_millis: 60_001 }));
        let early = seen.admit(&me, &command(&me, 1_060_001), now);
        assert_eq!(early, Err(Void::Early { early_millis: 60_001 }));
        assert_eq!(seen.admit(&other, &first, now), Err(Void::Audience));
    }

    #[test]
    fn a_command_is_remembered_as_long_as_it_would_be_admitted() {
        let me = AgentId::new(&"w".parse().unwrap(), random());
        let (mut seen, now) = (Seen::default(), UnixMillis(1_000_000));
        let ahead = command(&me, 1_059_000);
        assert_eq!(seen.admit(&me, &ahead, now), Ok(()));
        assert_eq!(seen.admit(&me, &ahead, now.plus(118_000)), Err(Void::Seen));
    }
}
