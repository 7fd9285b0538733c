//! What hooks have run for: what comes again runs nothing twice, within what memory holds.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// Things that are remembered after their hooks have ended.
const DONE_MAX: usize = 4096;

/// What is known of a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// It is new.
    New,
    /// Its hooks run, or wait to.
    Held,
    /// Its hooks have ended.
    Done,
}

/// Things by their ids. Those that are held are as many as their holder lets be.
#[derive(Debug)]
pub(super) struct Seen<K> {
    ids: HashMap<K, Known>,
    done: VecDeque<K>,
}

impl<K> Default for Seen<K> {
    fn default() -> Seen<K> {
        Seen { ids: HashMap::new(), done: VecDeque::new() }
    }
}

impl<K: Clone + Eq + Hash> Seen<K> {
    /// What is known of a thing; a new one is held from now on.
    pub(super) fn hold(&mut self, id: &K) -> Known {
        match self.ids.get(id) {
            Some(known) => *known,
            None => {
                self.ids.insert(id.clone(), Known::Held);
                Known::New
            }
        }
    }

    /// Whether its hooks have ended.
    pub(super) fn is_done(&self, id: &K) -> bool {
        self.ids.get(id) == Some(&Known::Done)
    }

    /// Its hooks have ended.
    pub(super) fn done(&mut self, id: &K) {
        if self.ids.insert(id.clone(), Known::Done) == Some(Known::Done) {
            return;
        }
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
    fn a_thing_is_new_once_and_forgotten_after_many() {
        let mut seen = Seen::default();
        assert_eq!((seen.hold(&0), seen.hold(&0)), (Known::New, Known::Held));
        seen.done(&0);
        seen.done(&0);
        assert_eq!((seen.hold(&0), seen.is_done(&0)), (Known::Done, true));
        for number in 1..=DONE_MAX {
            seen.done(&number);
        }
        assert_eq!((seen.hold(&0), seen.done.len()), (Known::New, DONE_MAX));
        assert_eq!(seen.ids.len(), DONE_MAX + 1);
    }
}
