//! Whether two processes speak with one agent's key: its disk, or its keys, were copied.
//!
//! NATS takes a second connection with the same key, and one copy of a machine cannot see the
//! other. But each start of an agent numbers its frames under random bits of its own, and an agent
//! that was started again never goes on with those of its earlier start. If they come in turns, two
//! are alive.

use muster_protocol::id::{AgentId, Token};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// How often an earlier start must be heard again: frames that waited for their schema may come
/// late, in the order of their starts all the same.
const RETURNS: u32 = 3;

/// One start of an agent, and the newest of its samples.
#[derive(Clone, Debug)]
struct Start {
    boot: Token,
    seq: u64,
}

#[derive(Debug)]
struct Speakers {
    now: Start,
    before: Option<Start>,
    returns: u32,
}

/// The newest two starts of each agent.
#[derive(Debug, Default)]
pub struct Doubles(Mutex<HashMap<AgentId, Speakers>>);

impl Doubles {
    /// A frame came. Returns whether it makes certain that there are two, once for each agent.
    pub fn hear(&self, agent: &AgentId, boot: &Token, seq: u64) -> bool {
        let start = || Start { boot: boot.clone(), seq };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(speakers) = all.get_mut(agent) else {
            let first = Speakers { now: start(), before: None, returns: 0 };
            all.insert(agent.clone(), first);
            return false;
        };
        if speakers.now.boot == *boot {
            speakers.now.seq = speakers.now.seq.max(seq);
            return false;
        }
        match &speakers.before {
            // What is delivered twice is no sign of life.
            Some(before) if before.boot == *boot && seq <= before.seq => return false,
            Some(before) if before.boot == *boot => speakers.returns += 1,
            Some(_) | None => speakers.returns = 0,
        }
        speakers.before = Some(std::mem::replace(&mut speakers.now, start()));
        speakers.returns == RETURNS
    }

    /// Forgets an agent that is over.
    pub fn forget(&self, agent: &AgentId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(agent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use muster_protocol::id::random;

    #[test]
    fn two_that_speak_in_turns_are_told_once() {
        let (doubles, agent) = (Doubles::default(), AgentId::new(&"w".parse().unwrap(), random()));
        let boots = [Token::random(random()), Token::random(random())];
        let told = (0..20).filter(|n| doubles.hear(&agent, &boots[n % 2], *n as u64)).count();
        assert_eq!(told, 1);
    }

    #[test]
    fn starts_one_after_the_other_are_one_agent_also_if_a_frame_comes_twice() {
        let (doubles, agent) = (Doubles::default(), AgentId::new(&"w".parse().unwrap(), random()));
        let mut last = None;
        for _ in 0..20 {
            let boot = Token::random(random());
            for seq in 0..3 {
                assert!(!doubles.hear(&agent, &boot, seq));
                if let Some(last) = &last {
                    assert!(!doubles.hear(&agent, last, 2));
                }
            }
            last = Some(boot);
        }
    }
}
