//! The list itself: what it holds, what goes by itself, what it becomes when it is too long.

use muster_protocol::id::UnixMillis;
use muster_protocol::jwt::{EVERYBODY, Revocations};
use muster_protocol::subject::Account;
use muster_protocol::wire::Message;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Public keys with two times.
pub(super) type Entries = BTreeMap<String, (UnixMillis, UnixMillis)>;

/// The stored list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct List {
    /// Of agents and bootstrap credentials: when each key was revoked, and until when its
    /// credentials would live.
    pub(super) entries: Entries,
    /// Of people: up to when what was issued for each key is void, and until when it would live.
    #[serde(default)]
    pub(super) people: Entries,
    /// All agents' credentials that were given up to the first time are void; by the second they
    /// have ended anyway.
    #[serde(default)]
    pub(super) everybody: Option<(UnixMillis, UnixMillis)>,
    /// What the claims that carry it say they were issued at. It only grows: of two pushes the
    /// later one is recognised, and the servers of a cluster keep it.
    #[serde(default)]
    pub(super) stamp: UnixMillis,
}

impl Message for List {
    const NAME: &'static str = "revocations";
}

impl List {
    /// Without what has ended by itself.
    pub(super) fn prune(&mut self, now: UnixMillis) {
        self.entries.retain(|_, (_, until)| *until > now);
        self.people.retain(|_, (_, until)| *until > now);
        self.everybody = self.everybody.filter(|(_, until)| *until > now);
    }

    /// Whether something has ended by itself.
    pub(super) fn is_stale(&self, now: UnixMillis) -> bool {
        let all = self.entries.values().chain(self.people.values()).chain(&self.everybody);
        all.into_iter().any(|(_, until)| *until <= now)
    }

    /// Revokes those keys of an account. Returns whether that changes anything.
    pub(super) fn add(&mut self, account: Account, revoked: &Entries, now: UnixMillis) -> bool {
        let entries = match account {
            Account::People => &mut self.people,
            Account::Agents | Account::Bus | Account::Sys => &mut self.entries,
        };
        let before = entries.len();
        for (key, times) in revoked.iter().filter(|(_, (_, until))| *until > now) {
            entries.entry(key.clone()).or_insert(*times);
        }
        entries.len() > before
    }

    /// Up to when all credentials must be void so that at most so many entries remain.
    pub(super) fn cut(&self, keep: usize) -> UnixMillis {
        let mut times: Vec<UnixMillis> = self.entries.values().map(|(at, _)| *at).collect();
        times.sort_unstable();
        let covered = times.len().saturating_sub(keep);
        covered.checked_sub(1).map_or(UnixMillis(0), |last| times[last])
    }

    /// Makes all credentials void that were given up to then; those live until `until` at most.
    /// A key that was revoked by then has none that is newer.
    pub(super) fn cover(&mut self, upto: UnixMillis, until: UnixMillis) {
        let covered = self.entries.values().filter(|(at, _)| *at <= upto);
        let last = covered.map(|(_, until)| *until).max().unwrap_or(until).max(until);
        self.entries.retain(|_, (at, _)| *at > upto);
        let (before, lasts) = self.everybody.unwrap_or_default();
        self.everybody = Some((before.max(upto), lasts.max(last)));
    }

    /// The next stamp.
    pub(super) fn next_stamp(&self, now: UnixMillis) -> UnixMillis {
        now.max(self.stamp.plus(1000))
    }

    /// As an account's claims say it. An agent's key is void for all its credentials, also one that
    /// a controller whose clock is ahead has just given.
    pub(super) fn revoked(&self, account: Account) -> Revocations {
        let entry = |(key, (at, until)): (&String, &(UnixMillis, UnixMillis))| {
            (key.clone(), *at.max(until))
        };
        let everybody = self.everybody.map(|(upto, _)| (EVERYBODY.to_owned(), upto));
        match account {
            Account::Agents => self.entries.iter().map(entry).chain(everybody).collect(),
            Account::People => {
                self.people.iter().map(|(key, (upto, _))| (key.clone(), *upto)).collect()
            }
            Account::Bus | Account::Sys => Revocations::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: fn(i64) -> UnixMillis = UnixMillis;

    fn list(times: &[(i64, i64)]) -> List {
        let mut list = List::default();
        for (number, (at, until)) in times.iter().enumerate() {
            let entry = Entries::from([(format!("U{number}"), (T(*at), T(*until)))]);
            assert!(list.add(Account::Agents, &entry, T(*at)));
        }
        list
    }

    /// Guards: the list does not grow for ever.
    #[test]
    fn what_has_ended_by_itself_goes() {
        let mut list = list(&[(1, 10), (2, 20)]);
        list.cover(T(0), T(15));
        assert!(!list.is_stale(T(9)) && list.is_stale(T(10)));
        list.prune(T(10));
        assert_eq!((list.entries.len(), list.everybody), (1, Some((T(0), T(15)))));
        list.prune(T(20));
        assert_eq!((list.entries.len(), list.everybody), (0, None));
        let ended = Entries::from([("U".into(), (T(20), T(20)))]);
        assert!(!list.add(Account::People, &ended, T(20)), "it has ended");
    }

    /// Guards: nobody who was revoked is let in when the list is shortened.
    #[test]
    fn a_list_that_is_cut_covers_all_that_it_forgets() {
        let mut list = list(&[(1, 100), (2, 90), (3, 300), (3, 80), (5, 70)]);
        assert_eq!((list.cut(5), list.cut(4)), (T(0), T(1)));
        let before = list.clone();
        let upto = list.cut(2);
        assert_eq!(upto, T(3));
        list.cover(upto, T(200));
        assert!(list.entries.len() <= 2);
        for (key, (at, _)) in &before.entries {
            assert!(list.entries.contains_key(key) || *at <= upto, "{key}");
        }
        assert_eq!(list.everybody, Some((T(3), T(300))), "until the last of them has ended");
        // Never less than before.
        list.cover(T(2), T(10));
        assert_eq!(list.everybody, Some((T(3), T(300))));
        assert_eq!(list.revoked(Account::Agents)[EVERYBODY], T(3));
    }

    #[test]
    fn a_key_is_void_whenever_its_credential_was_given_and_stamps_only_grow() {
        let mut list = list(&[(5, 70)]);
        assert!(list.add(Account::People, &Entries::from([("P".into(), (T(5), T(70)))]), T(5)));
        assert_eq!(list.revoked(Account::Agents)["U0"], T(70));
        assert_eq!(list.revoked(Account::People)["P"], T(5), "a newer one for the key is good");
        assert!(list.revoked(Account::Bus).is_empty());
        let list = List { stamp: T(10_000), ..list };
        assert_eq!((list.next_stamp(T(3)), list.next_stamp(T(20_000))), (T(11_000), T(20_000)));
    }
}
