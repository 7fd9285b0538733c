//! What a backup holds, part by part, and what a restore writes of it.
//!
//! The registry is what cannot be made anew: workers, pools, people, and what the cluster knows of
//! itself. Desired states and blobs are published again from the tree; the lease, and what was
//! asked and confirmed, belong to a moment that is over.

use crate::store::Buckets;
use crate::trust::{self, Keeper};
use muster_protocol::api::BackupPart;
use muster_protocol::backup::{Backup, Document, place};
use muster_protocol::bus::{self, bucket::Bucket};
use std::collections::BTreeMap;

/// Bytes of one part's documents, about: it must fit into a message, with the largest of them.
const PART_BYTES_MAX: usize = 384 << 10;
/// What the cluster's own bucket holds and a backup does not.
const PASSING: [&str; 5] = ["lease", "asked", "confirmed", "claims", "programs"];
/// Documents that were written between two lines of progress.
const TOLD: usize = 500;

/// Why a registry was not restored.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bus.
    #[error(transparent)]
    Bus(#[from] bus::Error),
    /// The registry's identity.
    #[error(transparent)]
    Trust(#[from] trust::Error),
    /// A registry that is in use.
    #[error(
        "there is a registry already, with {workers} workers and {pools} pools: look at it first; \
         --force writes the backup's documents over it"
    )]
    Live {
        /// Documents of workers.
        workers: usize,
        /// Documents of pools.
        pools: usize,
    },
    /// Another cluster's.
    #[error("the backup is of the cluster {found}, and this one is {expected}")]
    Other {
        /// The backup's.
        found: String,
        /// This one.
        expected: String,
    },
    /// A later release's.
    #[error("the backup has documents of {0}, which this release does not know: upgrade first")]
    Unknown(String),
}

/// What a restore has written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Documents of workers.
    pub workers: usize,
    /// Documents of pools.
    pub pools: usize,
    /// Documents of people.
    pub people: usize,
    /// Documents of the cluster itself.
    pub cluster: usize,
}

fn registry(buckets: &Buckets) -> [&Bucket; 4] {
    [&buckets.cluster, &buckets.people, &buckets.pools, &buckets.workers]
}

fn is_kept(bucket: &str, key: &str) -> bool {
    bucket != "CLUSTER" || !PASSING.contains(&key)
}

/// The documents behind a place, as many as fit into one answer.
///
/// # Errors
/// When a bucket cannot be read.
pub async fn part(
    buckets: &Buckets,
    cluster: &str,
    after: Option<&str>,
) -> Result<BackupPart, bus::Error> {
    let mut places: BTreeMap<String, (&Bucket, String)> = BTreeMap::new();
    for bucket in registry(buckets) {
        for key in bucket.keys().await? {
            if is_kept(bucket.name(), &key) {
                places.insert(place(bucket.name(), &key), (bucket, key));
            }
        }
    }
    let total = places.len() as u64;
    let (mut documents, mut bytes, mut last) = (Vec::new(), 0, None);
    let wanted = places.into_iter().filter(|(place, _)| after.is_none_or(|at| place.as_str() > at));
    let mut next = None;
    for (place, (bucket, key)) in wanted {
        if bytes >= PART_BYTES_MAX {
            next = last;
            break;
        }
        if let Some(entry) = bucket.get(&key).await? {
            bytes += entry.value.len() + key.len();
            let bucket = bucket.name().to_owned();
            documents.push(Document { bucket, key, value: entry.value });
        }
        last = Some(place);
    }
    Ok(BackupPart { cluster: cluster.to_owned(), documents, total, next })
}

/// Writes a backup's documents, and doubts the registry before the first of them: whoever is cut
/// off in between, or starts a controller then, has one that only asks. It can be repeated.
///
/// # Errors
/// When there is a registry and it is not `forced`, the backup is another cluster's, or a bucket
/// cannot be written.
pub async fn restore(
    buckets: &Buckets,
    keeper: &Keeper,
    cluster: &str,
    backup: &Backup,
    forced: bool,
) -> Result<Restored, Error> {
    if backup.cluster != cluster {
        let (found, expected) = (backup.cluster.clone(), cluster.to_owned());
        return Err(Error::Other { found, expected });
    }
    for document in &backup.documents {
        if !registry(buckets).iter().any(|bucket| bucket.name() == document.bucket) {
            return Err(Error::Unknown(document.bucket.clone()));
        }
    }
    let workers = buckets.workers.keys().await?.len();
    let pools = buckets.pools.keys().await?.len();
    if !forced && workers + pools > 0 {
        return Err(Error::Live { workers, pools });
    }
    keeper
        .restored(backup.documents.iter().find(|one| trust::is_identity(one)), backup.made)
        .await?;
    let mut restored = Restored::default();
    let all = backup.documents.len();
    for (at, document) in backup.documents.iter().enumerate() {
        write(buckets, document, &mut restored).await?;
        if (at + 1) % TOLD == 0 {
            tracing::info!(documents = at + 1, of = all, "restoring");
        }
    }
    Ok(restored)
}

async fn write(
    buckets: &Buckets,
    document: &Document,
    restored: &mut Restored,
) -> Result<(), bus::Error> {
    let Document { key, value, .. } = document;
    match document.bucket.as_str() {
        "WORKERS" => {
            buckets.workers.put(key, value.clone()).await?;
            restored.workers += 1;
        }
        "POOLS" => {
            buckets.pools.put(key, value.clone()).await?;
            restored.pools += 1;
        }
        "PEOPLE" => {
            // What is there is newer, and whom it revokes must stay revoked.
            if buckets.people.get(key).await?.is_none() {
                buckets.people.put(key, value.clone()).await?;
                restored.people += 1;
            }
        }
        bucket => {
            // What is there is newer, and what it revokes must stay revoked.
            let own = trust::is_identity(document) || !is_kept(bucket, key);
            if !own && buckets.cluster.get(key).await?.is_none() {
                buckets.cluster.put(key, value.clone()).await?;
                restored.cluster += 1;
            }
        }
    }
    Ok(())
}
