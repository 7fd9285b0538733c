//! What the registry is written on: NATS' buckets, or memory in a simulation.

mod memory;

pub use memory::Memory;

use futures_util::future::BoxFuture;
use muster_protocol::bus::bucket::{Bucket, Entry};
use muster_protocol::bus::{Bus, Error};
use muster_protocol::event::Event;
use muster_protocol::id::UnixMillis;
use std::fmt;
use std::sync::Arc;

/// The present time; a simulation has its own.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> UnixMillis + Send + Sync>);

impl Clock {
    /// The machine's.
    #[must_use]
    pub fn system() -> Clock {
        Clock(Arc::new(UnixMillis::now))
    }

    /// Another.
    pub fn of(now: impl Fn() -> UnixMillis + Send + Sync + 'static) -> Clock {
        Clock(Arc::new(now))
    }

    /// What it shows.
    #[must_use]
    pub fn now(&self) -> UnixMillis {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "Clock({})", self.now().0)
    }
}

/// Documents by key, changed by compare-and-set. After an error other than
/// [`Error::Conflict`] a write may have landed.
pub trait Documents: fmt::Debug + Send + Sync {
    /// A key's document.
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Entry>, Error>>;

    /// Every document; never a part of them.
    fn all(&self) -> BoxFuture<'_, Result<Vec<Entry>, Error>>;

    /// Writes a key that has none. Returns its revision.
    fn create<'a>(&'a self, key: &'a str, value: Vec<u8>) -> BoxFuture<'a, Result<u64, Error>>;

    /// Writes over a revision. Returns the new one.
    fn update<'a>(
        &'a self,
        key: &'a str,
        value: Vec<u8>,
        revision: u64,
    ) -> BoxFuture<'a, Result<u64, Error>>;

    /// Writes whatever is there. Returns the new revision.
    fn put<'a>(&'a self, key: &'a str, value: Vec<u8>) -> BoxFuture<'a, Result<u64, Error>>;
}

impl Documents for Bucket {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Entry>, Error>> {
        Box::pin(Bucket::get(self, key))
    }

    fn all(&self) -> BoxFuture<'_, Result<Vec<Entry>, Error>> {
        Box::pin(Bucket::all(self))
    }

    fn create<'a>(&'a self, key: &'a str, value: Vec<u8>) -> BoxFuture<'a, Result<u64, Error>> {
        Box::pin(Bucket::create(self, key, value))
    }

    fn update<'a>(
        &'a self,
        key: &'a str,
        value: Vec<u8>,
        revision: u64,
    ) -> BoxFuture<'a, Result<u64, Error>> {
        Box::pin(Bucket::update(self, key, value, revision))
    }

    fn put<'a>(&'a self, key: &'a str, value: Vec<u8>) -> BoxFuture<'a, Result<u64, Error>> {
        Box::pin(Bucket::put(self, key, value))
    }
}

/// Who is told what happened; losing it costs time, no truth.
pub trait Teller: fmt::Debug + Send + Sync {
    /// Tells an event.
    fn tell(&self, subject: String, event: Event) -> BoxFuture<'_, Result<(), Error>>;
}

impl Teller for Bus {
    fn tell(&self, subject: String, event: Event) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move { self.publish_event(subject, &event).await })
    }
}
