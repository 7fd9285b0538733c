//! How often machines may ask: a bucket of tokens for each id at each address, and one for each
//! address. Judged before anything costly: no signature, no cloud, no disk.
//!
//! An id at another address has a bucket of its own, so whoever has stolen a bootstrap credential
//! cannot use up the patience that its machine needs. Within an id's bucket nobody honest is ever
//! held up: what is above it is dropped unanswered, and told once; who goes on and on is cut off by
//! the NATS server, because even what is dropped passes through it. Within an address' bucket some
//! thousand machines that start behind one NAT at once find room; later ones are asked to wait.

use muster_protocol::id::AgentId;
use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// What one id may ask at once from one address, and each second from then on. An agent asks at
/// most seven times within its first ten seconds.
const PER_ID: Rate = Rate { burst: 20.0, per_sec: 1.0 };
/// What may come on one subject before it is even looked at who says it: enough to make
/// [`DROPPED_MAX`] full.
const PER_SUBJECT: Rate = Rate { burst: 512.0, per_sec: 50.0 };
/// What all ids of one address may claim at once, and each second from then on.
const PER_ADDRESS: Rate = Rate { burst: 4096.0, per_sec: 100.0 };
/// Calls of one id that are dropped before its credential is void.
pub(super) const DROPPED_MAX: u32 = 256;
/// Buckets that are remembered; who has not asked for a while is forgotten first.
const IDS_MAX: usize = 16_384;
const SUBJECTS_MAX: usize = 16_384;
const ADDRESSES_MAX: usize = 4096;

#[derive(Clone, Copy, Debug)]
struct Rate {
    burst: f64,
    per_sec: f64,
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admitted {
    /// It is answered.
    Yes,
    /// Its address has asked too often: it shall ask later.
    Later,
    /// Its id has asked too often at this address: no answer.
    No {
        /// It is so many that were dropped in a row, from 1.
        dropped: u32,
    },
}

impl Admitted {
    /// Whether nothing at all is to be done: a flood costs no task, no signature and no answer.
    #[must_use]
    pub fn is_nothing(self) -> bool {
        matches!(self, Admitted::No { dropped } if dropped != 1 && dropped != DROPPED_MAX)
    }
}

/// How often each has asked.
#[derive(Debug, Default)]
pub struct Limits(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    subjects: Buckets<String>,
    ids: Buckets<(AgentId, Network)>,
    addresses: Buckets<Network>,
}

impl Default for Inner {
    fn default() -> Inner {
        Inner {
            subjects: Buckets::new(PER_SUBJECT, SUBJECTS_MAX),
            ids: Buckets::new(PER_ID, IDS_MAX),
            addresses: Buckets::new(PER_ADDRESS, ADDRESSES_MAX),
        }
    }
}

impl Limits {
    /// Whether a message is worth reading. This is all that a flood costs: its messages must be
    /// taken faster than they come, or those of others are lost behind them.
    pub fn is_worth_reading(&self, subject: &str, now: Instant) -> bool {
        let inner = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.subjects.take(subject, now) == Taken::One
    }

    /// Counts an agent's call that costs its address nothing: a renewal, a greeting.
    pub fn call(&self, agent: &AgentId, host: &str, now: Instant) -> Admitted {
        self.count(agent, network(host), now, false)
    }

    /// Counts a claim.
    pub fn claim(&self, agent: &AgentId, host: &str, now: Instant) -> Admitted {
        self.count(agent, network(host), now, true)
    }

    fn count(&self, agent: &AgentId, from: Network, now: Instant, claims: bool) -> Admitted {
        let inner = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match inner.ids.take(&(agent.clone(), from), now) {
            Taken::None { dropped } => return Admitted::No { dropped },
            Taken::One if !claims => return Admitted::Yes,
            Taken::One => {}
        }
        match inner.addresses.take(&from, now) {
            Taken::One => Admitted::Yes,
            Taken::None { .. } => Admitted::Later,
        }
    }
}

/// Where calls come from: an IPv4 address, or what one subscriber has of IPv6. None of both, as the
/// server never says, is a network too.
type Network = Option<IpAddr>;

fn network(host: &str) -> Network {
    Some(match host.parse::<IpAddr>().ok()?.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    })
}

#[derive(Debug)]
struct Bucket {
    left: f64,
    at: Instant,
    dropped: u32,
}

#[derive(Debug, PartialEq, Eq)]
enum Taken {
    One,
    None { dropped: u32 },
}

impl Bucket {
    fn refill(&mut self, rate: Rate, now: Instant) {
        let secs = now.saturating_duration_since(self.at).as_secs_f64();
        (self.left, self.at) = ((self.left + secs * rate.per_sec).min(rate.burst), now);
        // Whoever was quiet for so long begins a new series.
        if self.left >= rate.burst {
            self.dropped = 0;
        }
    }

    fn take(&mut self, rate: Rate, now: Instant) -> Taken {
        self.refill(rate, now);
        if self.left < 1.0 {
            self.dropped = self.dropped.saturating_add(1);
            return Taken::None { dropped: self.dropped };
        }
        self.left -= 1.0;
        Taken::One
    }
}

#[derive(Debug)]
struct Buckets<K> {
    rate: Rate,
    max: usize,
    all: HashMap<K, Bucket>,
}

impl<K: Clone + Eq + Hash> Buckets<K> {
    fn new(rate: Rate, max: usize) -> Buckets<K> {
        Buckets { rate, max, all: HashMap::new() }
    }

    fn take<Q>(&mut self, key: &Q, now: Instant) -> Taken
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ToOwned<Owned = K> + ?Sized,
    {
        if let Some(bucket) = self.all.get_mut(key) {
            return bucket.take(self.rate, now);
        }
        if self.all.len() >= self.max {
            self.make_room(now);
        }
        let full = Bucket { left: self.rate.burst, at: now, dropped: 0 };
        self.all.entry(key.to_owned()).or_insert(full).take(self.rate, now)
    }

    /// Forgets all that are full again; if none is, the one that is the fullest.
    fn make_room(&mut self, now: Instant) {
        let rate = self.rate;
        self.all.retain(|_, bucket| {
            bucket.refill(rate, now);
            bucket.left < rate.burst
        });
        if self.all.len() < self.max {
            return;
        }
        let fullest = self.all.iter().max_by(|(_, a), (_, b)| a.left.total_cmp(&b.left));
        if let Some(key) = fullest.map(|(key, _)| key.clone()) {
            self.all.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use muster_protocol::id::random;
    use std::time::Duration;

    fn agent() -> AgentId {
        AgentId::new(&"w".parse().unwrap(), random())
    }

    #[test]
    fn an_id_that_floods_is_dropped_and_told_once_until_it_was_quiet() {
        let (limits, agent, begin) = (Limits::default(), agent(), Instant::now());
        let claim = |secs| limits.claim(&agent, "10.0.0.7", begin + Duration::from_secs(secs));
        assert!((0..20).all(|_| claim(0) == Admitted::Yes));
        assert!((1..9999).all(|dropped| claim(0) == Admitted::No { dropped }));
        assert_eq!(claim(1), Admitted::Yes);
        assert_eq!(claim(1), Admitted::No { dropped: 9999 });
        assert!((0..20).all(|_| claim(30) == Admitted::Yes));
        assert_eq!(claim(30), Admitted::No { dropped: 1 });
    }

    #[test]
    fn others_and_the_same_id_elsewhere_are_not_held_up() {
        let (limits, one, now) = (Limits::default(), agent(), Instant::now());
        let flood = (0..1000).map(|_| limits.claim(&one, "10.0.0.7", now));
        assert_eq!(flood.last(), Some(Admitted::No { dropped: 980 }));
        assert_eq!(limits.claim(&agent(), "10.0.0.7", now), Admitted::Yes);
        assert_eq!(limits.claim(&one, "10.0.0.8", now), Admitted::Yes);
    }

    #[test]
    fn thousands_behind_one_address_get_in_and_then_are_asked_to_wait() {
        let (limits, now) = (Limits::default(), Instant::now());
        assert!((0..4096).all(|_| limits.claim(&agent(), "10.0.0.7", now) == Admitted::Yes));
        assert_eq!(limits.claim(&agent(), "10.0.0.7", now), Admitted::Later);
        assert_eq!(limits.call(&agent(), "10.0.0.7", now), Admitted::Yes);
        assert_eq!(limits.claim(&agent(), "10.0.0.8", now), Admitted::Yes);
        let later = now + Duration::from_secs(1);
        assert_eq!(limits.claim(&agent(), "10.0.0.7", later), Admitted::Yes);
    }

    #[test]
    fn a_subscribers_whole_ipv6_is_one_address() {
        assert_eq!(network("2001:db8:1:2::3"), network("2001:db8:1:2:ffff::9"));
        assert_ne!(network("2001:db8:1:2::3"), network("2001:db8:1:3::3"));
        assert_eq!(network("::ffff:10.0.0.7"), network("10.0.0.7"));
        assert_eq!(network("nonsense"), None);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_forgets_no_flood() {
        let (mut buckets, now) = (Buckets::new(PER_ID, 10), Instant::now());
        assert_eq!((0..30).filter(|_| buckets.take(&0, now) == Taken::One).count(), 20);
        assert!((1..10_000).all(|key| buckets.take(&key, now) == Taken::One));
        assert_eq!(buckets.all.len(), 10);
        assert_eq!(buckets.take(&0, now), Taken::None { dropped: 11 });
    }
}
