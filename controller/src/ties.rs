//! What ties a worker to the bus: its credentials, its desired state, its readings, its hooks.

use crate::hooks::{Hooks, Point};
use crate::launcher::{Before, Error, Ties};
use crate::revocations::Revocations;
use crate::states::States;
use crate::stats::Stats;
use futures_util::future::BoxFuture;
use muster_protocol::id::{AgentId, UnixMillis};
use muster_protocol::worker::Worker;
use std::sync::Arc;

/// The ties on the real bus.
#[derive(Debug)]
pub struct BusTies {
    /// Credentials.
    pub revocations: Arc<Revocations>,
    /// Desired states.
    pub states: Arc<States>,
    /// Readings and heartbeats.
    pub stats: Arc<Stats>,
    /// What operators hooked in.
    pub hooks: Arc<Hooks>,
}

impl Ties for BusTies {
    fn revoke(&self, keys: Vec<(String, UnixMillis)>) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move {
            let revoked = self.revocations.revoke(&keys, UnixMillis::now()).await;
            revoked.map_err(|error| Error::Ties(crate::chain(&error)))
        })
    }

    fn forget<'a>(&'a self, agent: &'a AgentId) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            self.stats.forget(agent);
            let forgotten = self.states.forget(agent).await;
            forgotten.map_err(|error| Error::Ties(crate::chain(&error)))
        })
    }

    fn before<'a>(&'a self, what: Before, worker: &'a Worker) -> BoxFuture<'a, ()> {
        let point = match what {
            Before::Launch => Point::BeforeLaunch,
            Before::Terminate => Point::BeforeTerminate,
        };
        Box::pin(self.hooks.run(point, worker))
    }
}
