//! The streams and buckets that Muster keeps in NATS, with their limits.
//!
//! All limits together stay below what the operator gives, so no stream can fill the disk under
//! another; limits of single subjects keep one agent from flushing the others' messages.

use crate::config;
use muster_protocol::bus::bucket::{self, Bucket};
use muster_protocol::bus::stream::{self, BLOBS, EVENTS, JetStream, STATS};
use muster_protocol::bus::{Bus, Error};
use muster_protocol::subject;
use std::time::Duration;

/// Events of one subject that are kept.
const EVENTS_PER_SUBJECT_MAX: i64 = 4096;
/// Frames of one agent that wait for a sink that is down: a day at one each 10 s.
const FRAMES_PER_AGENT_MAX: i64 = 8640;
const DAY: Duration = Duration::from_secs(86_400);
/// Where a change of a desired state is published for its agent.
const REPUBLISH_DESIRED: &str = "muster.desired.>";

/// The parts of the whole store, in per cent; they add up to less than 100.
const EVENTS_PERCENT: u64 = 35;
const STATS_PERCENT: u64 = 30;
const BLOBS_PERCENT: u64 = 20;
const BUCKET_PERCENT: u64 = 3;
/// People are few: a kilobyte each.
const PEOPLE_PERCENT: u64 = 1;

/// The buckets.
#[derive(Clone, Debug)]
pub struct Buckets {
    /// Workers, by name.
    pub workers: Bucket,
    /// Pools, by name.
    pub pools: Bucket,
    /// The cluster's own documents.
    pub cluster: Bucket,
    /// Desired states, by agent id.
    pub desired: Bucket,
    /// People, by name.
    pub people: Bucket,
}

/// Makes and migrates all of them.
///
/// # Errors
/// When the server refuses one.
pub async fn open(bus: &Bus, store: &config::Store) -> Result<(JetStream, Buckets), Error> {
    let jetstream = bus.jetstream();
    let version = bus.server_version();
    for spec in streams(store) {
        jetstream.ensure_stream(&spec, &version).await?;
    }
    let bucket = |name, republish, percent| {
        let bytes_max = store.bytes_max / 100 * percent;
        let spec = bucket::Spec { name, bytes_max, replicas: store.replicas, republish };
        let jetstream = jetstream.clone();
        async move { jetstream.ensure_bucket(&spec).await }
    };
    let buckets = Buckets {
        workers: bucket("WORKERS", None, BUCKET_PERCENT).await?,
        pools: bucket("POOLS", None, BUCKET_PERCENT).await?,
        cluster: bucket("CLUSTER", None, BUCKET_PERCENT).await?,
        desired: bucket("DESIRED", Some(REPUBLISH_DESIRED), BUCKET_PERCENT).await?,
        people: bucket("PEOPLE", None, PEOPLE_PERCENT).await?,
    };
    Ok((jetstream, buckets))
}

/// The most bytes of the stream of events.
#[must_use]
pub fn events_bytes(store: &config::Store) -> u64 {
    store.bytes_max / 100 * EVENTS_PERCENT
}

/// The most bytes of the stream of frames.
#[must_use]
pub fn stats_bytes(store: &config::Store) -> u64 {
    store.bytes_max / 100 * STATS_PERCENT
}

fn streams(store: &config::Store) -> [stream::Spec; 3] {
    let part = |percent| store.bytes_max / 100 * percent;
    let replicas = store.replicas;
    let duplicate_window = Duration::from_secs(store.duplicate_secs.into());
    [
        stream::Spec {
            name: EVENTS,
            subject: subject::EVENT_ALL,
            bytes_max: part(EVENTS_PERCENT),
            per_subject_max: EVENTS_PER_SUBJECT_MAX,
            age_max: Some(DAY * store.event_days),
            duplicate_window,
            replicas,
            asynchronous: false,
        },
        stream::Spec {
            name: STATS,
            subject: subject::STATS_ALL,
            bytes_max: part(STATS_PERCENT),
            per_subject_max: FRAMES_PER_AGENT_MAX,
            age_max: Some(DAY),
            duplicate_window,
            replicas,
            asynchronous: true,
        },
        stream::Spec {
            name: BLOBS,
            subject: subject::BLOB_ALL,
            bytes_max: part(BLOBS_PERCENT),
            per_subject_max: 1,
            age_max: None,
            duplicate_window,
            replicas,
            asynchronous: false,
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_limits_together_stay_below_the_whole() {
        let store = config::Store::default();
        let streams: u64 = streams(&store).iter().map(|spec| spec.bytes_max).sum();
        let buckets = store.bytes_max / 100 * (4 * BUCKET_PERCENT + PEOPLE_PERCENT);
        assert!(streams + buckets < store.bytes_max);
    }
}
