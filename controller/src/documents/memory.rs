//! Documents in memory: for tests and benches of what is written on them.

use super::Documents;
use futures_util::future::BoxFuture;
use muster_protocol::bus::Error;
use muster_protocol::bus::bucket::Entry;
use std::collections::BTreeMap;
use std::future::ready;
use std::sync::{Arc, Mutex, PoisonError};

/// A bucket in memory; its clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct Memory(Arc<Mutex<BTreeMap<String, Entry>>>);

impl Memory {
    fn write(&self, key: &str, value: Vec<u8>, expected: Option<u64>) -> Result<u64, Error> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = all.get(key).map_or(0, |entry| entry.revision);
        if expected.is_some_and(|expected| expected != before) {
            return Err(Error::Conflict { key: key.to_owned() });
        }
        let revision = before + 1;
        all.insert(key.to_owned(), Entry { key: key.to_owned(), value, revision });
        Ok(revision)
    }
}

impl Documents for Memory {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Entry>, Error>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Box::pin(ready(Ok(all.get(key).cloned())))
    }

    fn all(&self) -> BoxFuture<'_, Result<Vec<Entry>, Error>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Box::pin(ready(Ok(all.values().cloned().collect())))
    }

    fn create<'a>(&'a self, key: &'a str, value: Vec<u8>) -> BoxFuture<'a, Result<u64, Error>> {
        Box::pin(ready(self.write(key, value, Some(0))))
    }

    fn update<'a>(
        &'a self,
        key: &'a str,
        value: Vec<u8>,
        revision: u64,
    ) -> BoxFuture<'a, Result<u64, Error>> {
        Box::pin(ready(self.write(key, value, Some(revision))))
    }

    fn put<'a>(&'a self, key: &'a str, value: Vec<u8>) -> BoxFuture<'a, Result<u64, Error>> {
        Box::pin(ready(self.write(key, value, None)))
    }
}
