//! A provider is the driver of one cloud: it makes, finds and removes servers, and decides nothing.
//!
//! The reconciler calls it with intent already durable. `create` is not idempotent: after an error
//! whose [`Error::outcome_unknown`] holds a server may exist or appear later, and is found by the
//! agent id and the cluster that every server bears in its metadata. `delete` is idempotent. A
//! provider never touches, or even shows, a server of another cluster. What each implementation
//! must do is told by [`conformance`], which runs on all of them.

pub mod conformance;
pub mod kind;
pub mod local;
pub mod openstack;
pub mod simulated;

use futures_util::future::BoxFuture;
use muster_protocol::id::{AgentId, ClusterName, PoolName, UnixMillis, WorkerName};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

/// The metadata key under which a cloud's server bears its agent id.
pub const METADATA_AGENT: &str = "muster_agent_id";
/// The metadata key under which a cloud's server bears its cluster.
pub const METADATA_CLUSTER: &str = "muster_cluster";
/// The metadata key under which a cloud's server bears its pool.
pub const METADATA_POOL: &str = "muster_pool";

/// The driver of one cloud, for one cluster.
pub trait Provider: fmt::Debug + Send + Sync {
    /// The driver's name in logs and in the configuration: `local`, `openstack`, `simulated`.
    fn name(&self) -> &'static str;

    /// Gets ready for a `create` or a `rebuild`, which must be short: whatever takes time and
    /// changes nothing in the cloud. Its failure leaves no doubt about a server.
    fn prepare<'a>(&'a self, _spec: &'a ServerSpec) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Asks for a new server; returns once the cloud has taken the request. Not idempotent.
    fn create(&self, spec: ServerSpec) -> BoxFuture<'_, Result<Server, Error>>;

    /// Removes a server with all that belongs to it; one that is missing is removed already.
    fn delete<'a>(&'a self, id: &'a ServerId) -> BoxFuture<'a, Result<(), Error>>;

    /// This cluster's servers, whatever their status.
    fn list(&self) -> BoxFuture<'_, Result<Vec<Server>, Error>>;

    /// Makes a server anew in place, from another image and user-data, for another generation.
    ///
    /// It keeps its id and its addresses, loses what was on its disk, and bears what `spec` says
    /// from now on. It returns once the cloud has taken the request. Not idempotent; one that is
    /// missing is [`ErrorKind::Gone`].
    fn rebuild<'a>(
        &'a self,
        id: &'a ServerId,
        spec: ServerSpec,
    ) -> BoxFuture<'a, Result<(), Error>>;

    /// One of this cluster's servers; `None` if there is none with that id.
    fn get<'a>(&'a self, id: &'a ServerId) -> BoxFuture<'a, Result<Option<Server>, Error>>;

    /// The cloud's own id of what a pool calls its image, which may be "the newest of these".
    ///
    /// A server made with this id as its image bears it: so it shows which servers run an old one.
    fn image_id<'a>(&'a self, image: &'a str) -> BoxFuture<'a, Result<String, Error>> {
        Box::pin(std::future::ready(Ok(image.to_owned())))
    }

    /// What the text of [`Status::Error`] says of the chances of the next server.
    fn fault_kind(&self, _fault: &str) -> ErrorKind {
        ErrorKind::Transient
    }
}

/// The cloud's name of a server: opaque.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ServerId(String);

impl ServerId {
    /// Takes what the cloud calls the server, as it is.
    #[must_use]
    pub fn new(text: impl Into<String>) -> ServerId {
        ServerId(text.into())
    }

    /// What the cloud calls the server.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ServerId {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.0)
    }
}

impl fmt::Debug for ServerId {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.0)
    }
}

/// What a server shall be.
#[derive(Clone, Debug)]
pub struct ServerSpec {
    /// The worker's name, which becomes the host name.
    pub name: WorkerName,
    /// The cluster that the server belongs to; borne in its metadata.
    pub cluster: ClusterName,
    /// The generation that the server is for; borne in its metadata.
    pub agent_id: AgentId,
    /// The pool that the worker belongs to; borne in its metadata.
    pub pool: PoolName,
    /// The cloud's name of a size. `local` ignores it.
    pub flavor: String,
    /// The cloud's name of an image. `local` ignores it.
    pub image: String,
    /// The `#cloud-config`, which holds the join credential.
    pub user_data: Secret,
}

/// A server as its cloud tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// The cloud's name of it.
    pub id: ServerId,
    /// The worker's name.
    pub name: WorkerName,
    /// The generation that it was made for, from its metadata.
    pub agent_id: AgentId,
    /// The cluster that it belongs to, from its metadata.
    pub cluster: ClusterName,
    /// What it is doing.
    pub status: Status,
    /// Where it can be reached, and may call from; empty while it has none.
    pub addresses: Vec<IpAddr>,
    /// When the cloud took the request, by the cloud's clock.
    pub created_at: UnixMillis,
    /// What it was made from.
    pub image: String,
}

/// What a server is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// On its way up.
    Building,
    /// Up, as far as the cloud can tell.
    Active,
    /// Down, and still there.
    Stopped,
    /// The cloud could not make or keep it; the text is the cloud's.
    Error(String),
    /// On its way out.
    Deleted,
    /// Something that this provider has no word for.
    Unknown,
}

/// A text that must not be shown: its `Debug` and `Display` hold its length only.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a text that must not be shown.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The text, to be handed on and not to be printed.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "<{} secret bytes>", self.0.len())
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, to)
    }
}

/// What a caller can do about a provider's error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The cloud has no room for such a server now: cool down, then probe.
    Capacity,
    /// The project may have no more: cool down, then probe.
    Quota,
    /// Too many calls: wait for [`Error::retry_after`], or back off.
    Rate,
    /// The credentials are refused: a person must look.
    Auth,
    /// The request can never succeed as it is: a person must look.
    Invalid,
    /// The server is in a state, or of an owner, that does not allow this now.
    Conflict,
    /// What the request needs (an image, a network) is not there.
    Gone,
    /// Anything that may pass: a timeout, a broken connection, a fault within the cloud.
    Transient,
}

/// A call to a cloud that failed.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    kind: ErrorKind,
    message: String,
    retry_after: Option<Duration>,
    nothing_was_done: bool,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error that says what was being done, and what to do next where an operator must act.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error {
            kind,
            message: message.into(),
            retry_after: None,
            nothing_was_done: false,
            source: None,
        }
    }

    /// Adds the cause.
    #[must_use]
    pub fn caused_by(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Error {
        self.source = Some(source.into());
        self
    }

    /// Adds how long the cloud asked to be left alone.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Duration) -> Error {
        self.retry_after = Some(wait);
        self
    }

    /// Adds that the cloud was never asked, so that even a transient error leaves no doubt.
    #[must_use]
    pub fn nothing_was_done(mut self) -> Error {
        self.nothing_was_done = true;
        self
    }

    /// What a caller can do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// How long the cloud asked to be left alone.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Whether the same call may succeed later without a person's help.
    ///
    /// This does not make it right to repeat a `create`: see [`Error::outcome_unknown`].
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self.kind {
            ErrorKind::Capacity
            | ErrorKind::Quota
            | ErrorKind::Rate
            | ErrorKind::Conflict
            | ErrorKind::Transient => true,
            ErrorKind::Auth | ErrorKind::Invalid | ErrorKind::Gone => false,
        }
    }

    /// Whether the cloud may have done, or may still do, what was asked.
    #[must_use]
    pub fn outcome_unknown(&self) -> bool {
        self.kind == ErrorKind::Transient && !self.nothing_was_done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        let secret = Secret::new("SUAB-seed");
        assert_eq!(format!("{secret:?} {secret}"), "<9 secret bytes> <9 secret bytes>");
    }

    #[test]
    fn a_failed_call_whose_outcome_is_known_may_be_repeated() {
        let full = Error::new(ErrorKind::Capacity, "creating a server");
        assert!(full.is_retryable() && !full.outcome_unknown());
        let lost = Error::new(ErrorKind::Transient, "creating a server");
        assert!(lost.is_retryable() && lost.outcome_unknown());
        let unreached = lost.nothing_was_done();
        assert!(unreached.is_retryable() && !unreached.outcome_unknown());
        assert!(!Error::new(ErrorKind::Auth, "creating a server").is_retryable());
    }
}
