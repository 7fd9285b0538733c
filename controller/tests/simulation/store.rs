//! Documents in memory with compare-and-set: the truth, and one controller's way to it.

use crate::net::Net;
use futures_util::future::BoxFuture;
use muster_controller::documents::Documents;
use muster_protocol::bus::Error;
use muster_protocol::bus::bucket::Entry;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// How long a controller waits for the bus.
const PATIENCE: Duration = Duration::from_secs(5);

/// Sees each write in the moment in which it lands: its key, and what is there now.
pub(crate) type Witness = Box<dyn Fn(&str, &[u8]) + Send + Sync>;

/// Sees what one controller asks, in the moment in which it does.
pub(crate) type Spy = Arc<dyn Fn(Asked<'_>) + Send + Sync>;

/// What a controller asks of a bucket.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Asked<'a> {
    /// A document.
    Get(&'a str),
    /// To change one.
    Update(&'a [u8]),
}

/// A bucket.
#[derive(Clone)]
pub(crate) struct Store(Arc<Inner>);

struct Inner {
    name: &'static str,
    entries: Mutex<BTreeMap<String, Entry>>,
    /// The newest revision; it never goes back.
    revision: watch::Sender<u64>,
    witness: Option<Witness>,
}

impl fmt::Debug for Store {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "Store({})", self.0.name)
    }
}

impl Store {
    pub(crate) fn new(name: &'static str, witness: Option<Witness>) -> Store {
        let (entries, revision) = (Mutex::default(), watch::Sender::new(0));
        Store(Arc::new(Inner { name, entries, revision, witness }))
    }

    /// Changes whenever something was written.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.0.revision.subscribe()
    }

    pub(crate) fn get(&self, key: &str) -> Option<Entry> {
        self.lock().get(key).cloned()
    }

    /// All that was written after a revision.
    pub(crate) fn since(&self, revision: u64) -> Vec<Entry> {
        self.lock().values().filter(|entry| entry.revision > revision).cloned().collect()
    }

    /// A copy of all, as a backup holds it.
    pub(crate) fn copy(&self) -> BTreeMap<String, Entry> {
        self.lock().clone()
    }

    /// Puts a copy in the place of all.
    pub(crate) fn restore(&self, copy: BTreeMap<String, Entry>) {
        *self.lock() = copy;
        self.0.revision.send_modify(|revision| *revision += 1);
    }

    fn write(&self, key: &str, value: Vec<u8>, expected: Option<u64>) -> Result<u64, Error> {
        let mut entries = self.lock();
        let before = entries.get(key);
        if expected.is_some_and(|revision| before.map_or(0, |entry| entry.revision) != revision) {
            return Err(Error::Conflict { key: format!("{}/{key}", self.0.name) });
        }
        if let Some(witness) = &self.0.witness {
            witness(key, &value);
        }
        let revision = *self.0.revision.borrow() + 1;
        entries.insert(key.to_owned(), Entry { key: key.to_owned(), value, revision });
        drop(entries);
        self.0.revision.send_replace(revision);
        Ok(revision)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.0.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One controller's way to a bucket.
#[derive(Clone)]
pub(crate) struct Link {
    pub(crate) store: Store,
    pub(crate) net: Arc<Net>,
    pub(crate) spy: Spy,
}

impl fmt::Debug for Link {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "Link({:?})", self.store)
    }
}

impl Link {
    async fn ask<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Store) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let store = self.store.clone();
        let answer = timeout(PATIENCE, self.net.carry(async move { act(&store) })).await;
        let silent = || Error::Timeout {
            subject: self.store.0.name.to_owned(),
            millis: PATIENCE.as_millis(),
        };
        answer.ok().flatten().unwrap_or_else(|| Err(silent()))
    }
}

impl Documents for Link {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Entry>, Error>> {
        (self.spy)(Asked::Get(key));
        let key = key.to_owned();
        Box::pin(self.ask(move |store| Ok(store.get(&key))))
    }

    fn all(&self) -> BoxFuture<'_, Result<Vec<Entry>, Error>> {
        Box::pin(self.ask(|store| Ok(store.since(0))))
    }

    fn create<'a>(&'a self, key: &'a str, value: Vec<u8>) -> BoxFuture<'a, Result<u64, Error>> {
        let key = key.to_owned();
        Box::pin(self.ask(move |store| store.write(&key, value, Some(0))))
    }

    fn update<'a>(
        &'a self,
        key: &'a str,
        value: Vec<u8>,
        revision: u64,
    ) -> BoxFuture<'a, Result<u64, Error>> {
        (self.spy)(Asked::Update(&value));
        let key = key.to_owned();
        Box::pin(self.ask(move |store| store.write(&key, value, Some(revision))))
    }

    fn put<'a>(&'a self, key: &'a str, value: Vec<u8>) -> BoxFuture<'a, Result<u64, Error>> {
        let key = key.to_owned();
        Box::pin(self.ask(move |store| store.write(&key, value, None)))
    }
}
