//! The events that hooks have run for: one that comes again runs nothing twice.

use muster_protocol::id::Token;
use std::collections::{HashMap, VecDeque};

/// Events that are remembered after their hooks have ended.
const DONE_MAX: usize = 4096;

/// What is known of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// It is new.
    New,
    /// Its hooks run, or wait to.
    Held,
    /// Its hooks have ended.
    Done,
}

/// Event ids. Those that are held are as many as their holder lets be.
#[derive(Debug, Default)]
pub(super) struct Seen {
    ids: HashMap<Token, Known>,
    done: VecDeque<Token>,
}

impl Seen {
    /// What is known of an event; a new one is held from now on.
    pub(super) fn hold(&mut self, id: &Token) -> Known {
        match self.ids.get(id) {
            Some(known) => *known,
            None => {
                self.ids.insert(id.clone(), Known::Held);
                Known::New
            }
        }
    }

    /// Its hooks have ended.
    pub(super) fn done(&mut self, id: &Token) {
        self.ids.insert(id.clone(), Known::Done);
        self.done.push_back(id.clone());
        if self.done.len() > DONE_MAX
            && let Some(oldest) = self.done.pop_front()
        {
            self.ids.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_new_once_and_forgotten_after_many() {
        let (mut seen, id) = (Seen::default(), "e".parse().unwrap());
        assert_eq!((seen.hold(&id), seen.hold(&id)), (Known::New, Known::Held));
        seen.done(&id);
        assert_eq!(seen.hold(&id), Known::Done);
        for number in 0..DONE_MAX {
            seen.done(&format!("e{number}").parse().unwrap());
        }
        assert_eq!((seen.hold(&id), seen.done.len()), (Known::New, DONE_MAX));
    }
}
