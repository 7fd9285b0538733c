//! Who keeps the keys, the claims and the credentials of all others new.

use super::buses::own_user;
use crate::config::Config;
use crate::keys::{Ends, Keys};
use crate::lease::Fence;
use crate::registry::Registry;
use crate::renewals::Renewals;
use crate::revocations::{self, Revocations};
use crate::rotation::Rotor;
use anyhow::Context;
use muster_protocol::bus::bucket::Bucket;
use muster_protocol::bus::{Bus, Credential};
use std::sync::Arc;
use tokio::sync::Mutex;
use tokio_util::task::TaskTracker;

/// Replaced role keys count for so much longer than what they signed: clocks differ.
const ENDS_SPARE_SECS: i64 = 600;

/// What they work with.
pub(super) struct On<'a> {
    pub(super) config: &'a Config,
    pub(super) keys: &'a Arc<Keys>,
    pub(super) bus: &'a Bus,
    pub(super) credential: Credential,
    pub(super) pusher: Bus,
    pub(super) cluster: &'a Bucket,
    pub(super) registry: &'a Arc<Registry>,
    pub(super) fence: Fence,
    pub(super) servers: &'a [String],
    pub(super) tasks: &'a TaskTracker,
}

/// Makes them, unless this controller's keys are older than the cluster's.
pub(super) async fn open(on: On<'_>) -> anyhow::Result<(Arc<Revocations>, Arc<Rotor>)> {
    let renewals = Arc::new(Renewals {
        bus: on.bus.clone(),
        keys: Arc::clone(on.keys),
        registry: Arc::clone(on.registry),
        credential_millis: i64::from(on.config.timeouts.credential_secs) * 1000,
    });
    let revocations = Arc::new(Revocations::new(revocations::Parts {
        bucket: on.cluster.clone(),
        keys: Arc::clone(on.keys),
        pusher: on.pusher,
        fence: on.fence.clone(),
        renewals: Arc::clone(&renewals),
    }));
    let rotor = Rotor {
        keys: Arc::clone(on.keys),
        bucket: on.cluster.clone(),
        revocations: Arc::clone(&revocations),
        renewals,
        fence: on.fence,
        ends: ends(on.config),
        servers: on.servers.to_vec(),
        own: (own_user()?, on.credential),
        tasks: on.tasks.clone(),
        changing: Mutex::default(),
    };
    rotor.check().await.context("comparing the keys with the cluster's")?;
    Ok((revocations, Arc::new(rotor)))
}

/// How long what a role's key has signed counts at most.
fn ends(config: &Config) -> Ends {
    let millis = |secs: u32| (i64::from(secs) + ENDS_SPARE_SECS) * 1000;
    Ends {
        bootstrap_millis: millis(config.timeouts.boot_secs),
        agent_millis: millis(config.timeouts.credential_secs),
        controller_millis: millis(0),
    }
}
