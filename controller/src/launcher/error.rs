//! Why a worker could not be launched or removed now.

use crate::provider::{self, ServerId};
use crate::{keys, registry, user_data};
use muster_protocol::id::{AgentId, PoolName};
use std::time::Duration;

/// Why a worker could not be launched or removed now; all are tried again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The registry.
    #[error(transparent)]
    Registry(#[from] registry::Error),
    /// The keys.
    #[error(transparent)]
    Keys(#[from] keys::Error),
    /// The user-data.
    #[error(transparent)]
    UserData(#[from] user_data::Error),
    /// The cloud.
    #[error("the cloud: {0}")]
    Provider(#[from] provider::Error),
    /// What ties a worker to the bus could not be undone.
    #[error("{0}")]
    Ties(String),
    /// The cloud did not answer in time.
    #[error("the cloud did not answer within {0:?}")]
    Slow(Duration),
    /// Another controller reconciles, or the lease ends too soon.
    #[error("the lease of this controller does not last long enough")]
    Fenced,
    /// The lease ended while the cloud was asked: what came of it is not known.
    #[error("the lease of this controller ended before the cloud answered")]
    Lapsed,
    /// A pool or provider that the configuration does not have any more.
    #[error("the configuration has no pool {0} with a provider; add it, or end its workers there")]
    NoPool(PoolName),
    /// A launch whose answer was lost is not seen in the cloud yet.
    #[error("the cloud does not show the server of {0} yet")]
    NotSeen(AgentId),
    /// The server is still there after its removal.
    #[error("server {0} is not gone yet")]
    StillThere(ServerId),
    /// An agent's key has no seed.
    #[error("making a bootstrap key")]
    Seed(#[source] nkeys::error::Error),
}

impl Error {
    /// Whether it is only that this controller leads no more: that is told where the lease is lost,
    /// and one that stops gives it back unasked.
    pub(crate) fn is_of_the_lease(&self) -> bool {
        matches!(self, Error::Fenced | Error::Lapsed)
    }
}
