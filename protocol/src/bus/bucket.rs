//! Key-value buckets: documents that change by compare-and-set.

use super::Error;
use super::stream::{JetStream, failed};
use crate::id::UnixMillis;
use async_nats::jetstream::kv::{self, CreateErrorKind, Operation, Store, UpdateErrorKind};
use async_nats::jetstream::stream::Republish;
use futures_util::StreamExt;

/// While the server is away it is asked at least every few seconds.
const WATCH_DOUBLINGS_MAX: usize = 5;
/// No document has this key.
const NO_KEY: &str = "-";

/// A bucket as Muster wants it: one value per key, no expiry.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Its name.
    pub name: &'static str,
    /// The most bytes of all values.
    pub bytes_max: u64,
    /// Servers that hold it.
    pub replicas: usize,
    /// Where each change is published too: a subject with `>` for the key.
    pub republish: Option<&'static str>,
}

/// A bucket.
#[derive(Clone, Debug)]
pub struct Bucket {
    name: &'static str,
    store: Store,
}

/// A value with the revision that a compare-and-set must name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// What is stored.
    pub value: Vec<u8>,
    /// The bucket's number of this write.
    pub revision: u64,
}

impl JetStream {
    /// Makes a bucket, or gives it the limits that it should have, and asks it for something.
    ///
    /// # Errors
    /// When the server does not. `NotReady` when the bucket does not answer: with replicas it is
    /// there before one of the servers reads from it.
    pub async fn ensure_bucket(&self, spec: &Spec) -> Result<Bucket, Error> {
        let republish = spec.republish.map(|destination| Republish {
            source: format!("$KV.{}.>", spec.name),
            destination: destination.into(),
            headers_only: false,
        });
        let config = kv::Config {
            bucket: spec.name.into(),
            history: 1,
            max_bytes: i64::try_from(spec.bytes_max).unwrap_or(i64::MAX),
            num_replicas: spec.replicas,
            republish,
            ..kv::Config::default()
        };
        let store = self.context.create_or_update_key_value(config).await;
        let store = store.map_err(|error| failed(format!("making bucket {}", spec.name), error))?;
        match store.entry(NO_KEY).await {
            Ok(_) => Ok(Bucket { name: spec.name, store }),
            Err(error) => Err(Error::NotReady {
                what: format!("asking bucket {}", spec.name),
                description: error.to_string(),
            }),
        }
    }
}

impl Bucket {
    /// A key's value; none if it has none or was deleted.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn get(&self, key: &str) -> Result<Option<Entry>, Error> {
        let entry =
            self.store.entry(key).await.map_err(|error| self.failed("reading", key, error))?;
        Ok(entry.and_then(live))
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Every key that has a value, in no order.
    ///
    /// # Errors
    /// When the server does not answer: never a part.
    pub async fn keys(&self) -> Result<Vec<String>, Error> {
        let mut keys =
            self.store.keys().await.map_err(|error| self.failed("listing", ">", error))?;
        let mut found = Vec::new();
        while let Some(key) = keys.next().await {
            found.push(key.map_err(|error| self.failed("listing", ">", error))?);
        }
        Ok(found)
    }

    /// Every key with its value, in no order.
    ///
    /// # Errors
    /// When the server does not answer: never a part.
    pub async fn all(&self) -> Result<Vec<Entry>, Error> {
        let mut found = Vec::new();
        for key in self.keys().await? {
            found.extend(self.get(&key).await?);
        }
        Ok(found)
    }

    /// Writes a key that has no value. Returns its revision.
    ///
    /// # Errors
    /// [`Error::Conflict`] when it has one; others when the write may or may not have landed.
    pub async fn create(&self, key: &str, value: Vec<u8>) -> Result<u64, Error> {
        self.store.create(key, value.into()).await.map_err(|error| match error.kind() {
            CreateErrorKind::AlreadyExists => self.conflict(key),
            _ => self.failed("writing", key, error),
        })
    }

    /// Writes a key whose value is of that revision. Returns its new revision.
    ///
    /// # Errors
    /// [`Error::Conflict`] when it was changed; others when the write may or may not have landed.
    pub async fn update(&self, key: &str, value: Vec<u8>, revision: u64) -> Result<u64, Error> {
        let written = self.store.update(key, value.into(), revision).await;
        written.map_err(|error| match error.kind() {
            UpdateErrorKind::WrongLastRevision => self.conflict(key),
            _ => self.failed("writing", key, error),
        })
    }

    /// Writes a key whatever its value. Returns its new revision.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn put(&self, key: &str, value: Vec<u8>) -> Result<u64, Error> {
        let written = self.store.put(key, value.into()).await;
        written.map_err(|error| self.failed("writing", key, error))
    }

    /// What the server's clock shows, learnt by a write to a key that nothing else uses.
    ///
    /// # Errors
    /// When the server does not answer, or not with what was written just now.
    pub async fn server_time(&self, key: &str) -> Result<UnixMillis, Error> {
        let revision = self.put(key, Vec::new()).await?;
        let entry =
            self.store.entry(key).await.map_err(|error| self.failed("reading", key, error))?;
        // A server that lags behind shows an earlier write.
        let entry = entry.filter(|entry| entry.revision >= revision);
        let created = entry.ok_or_else(|| self.conflict(key))?.created;
        let millis = created.unix_timestamp_nanos() / 1_000_000;
        Ok(UnixMillis(i64::try_from(millis).unwrap_or(i64::MAX)))
    }

    /// Removes a key and all that was stored under it.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn remove(&self, key: &str) -> Result<(), Error> {
        self.store.purge(key).await.map_err(|error| self.failed("removing", key, error))
    }

    /// Every key as it is now, then every change, for as long as the connection lives.
    #[must_use]
    pub fn watch(&self) -> Changes {
        self.watch_key(">")
    }

    /// The same of one key.
    #[must_use]
    pub fn watch_key(&self, key: &'static str) -> Changes {
        Changes { bucket: self.clone(), key, watch: None, attempt: 0 }
    }

    fn conflict(&self, key: &str) -> Error {
        Error::Conflict { key: format!("{}/{key}", self.name) }
    }

    fn failed(
        &self,
        what: &str,
        key: &str,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Error {
        failed(format!("{what} {}/{key}", self.name), source)
    }
}

/// What happens to a bucket's keys.
pub struct Changes {
    bucket: Bucket,
    key: &'static str,
    watch: Option<kv::Watch>,
    attempt: usize,
}

impl std::fmt::Debug for Changes {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(to, "Changes({})", self.bucket.name)
    }
}

/// A key's new value, or that it was removed at a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It has this value.
    Put(Entry),
    /// It has none.
    Removed {
        /// The key.
        key: String,
        /// The revision of its removal.
        revision: u64,
    },
}

impl Changes {
    /// The next change. After an interruption every key is told again.
    pub async fn next(&mut self) -> Change {
        loop {
            if let Some(watch) = &mut self.watch
                && let Some(Ok(entry)) = watch.next().await
            {
                self.attempt = 0;
                let (key, revision) = (entry.key.clone(), entry.revision);
                return live(entry).map_or(Change::Removed { key, revision }, Change::Put);
            }
            if self.watch.take().is_some() || self.attempt > 0 {
                tokio::time::sleep(super::link::reconnect_delay(self.attempt)).await;
            }
            self.attempt = (self.attempt + 1).min(WATCH_DOUBLINGS_MAX);
            self.watch = self.bucket.store.watch_with_history(self.key).await.ok();
        }
    }
}

fn live(entry: kv::Entry) -> Option<Entry> {
    match entry.operation {
        Operation::Put => {
            Some(Entry { key: entry.key, value: entry.value.to_vec(), revision: entry.revision })
        }
        Operation::Delete | Operation::Purge => None,
    }
}
