//! The typed bus over async-nats: connect, publish, request, subscribe. The only I/O of this crate.
//!
//! What async-nats does silently is told here: a refused publish or request is an error with the
//! subject; a connection that only looks authenticated is not called connected ([`Bus::probe`]); a
//! credential that is refused again and again ends the session ([`State::Refused`]).

#[cfg(feature = "jetstream")]
pub mod bucket;
mod incoming;
mod link;
#[cfg(feature = "jetstream")]
pub mod stream;

pub use incoming::{
    Call, Caller, Calls, Commands, Delivered, Feed, Incoming, Pushes, Responder, Unmarked,
};
pub use link::{Credential, State};

use crate::id::{Token, random};
use crate::subject::{self, Role};
use crate::wire::{self, Message};
use async_nats::{Client, HeaderMap, RequestErrorKind};
use serde::Deserialize;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::watch;

/// How long a request waits, unless the caller says otherwise.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How long one attempt to connect may take: servers under a storm of agents answer late.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(60);
/// Messages that one subscription holds before it is called slow.
const SUBSCRIPTION_CAPACITY: usize = 4096;
/// How often an idle connection is proved alive; the third after two unanswered ones closes it: a
/// connection that is open on one side only is given up after 45 s.
const PING_INTERVAL: Duration = Duration::from_secs(15);

/// Why the bus could not do it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No server could be reached.
    #[error("connecting to {servers}")]
    Connect {
        /// The servers tried.
        servers: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The server does not accept the credential.
    #[error("the server refuses the credential of {name}: {reason}")]
    Refused {
        /// Whose.
        name: String,
        /// The server's word.
        reason: String,
    },
    /// The credential does not allow this subject.
    #[error("{subject} is not permitted to this user")]
    Permission {
        /// The subject.
        subject: String,
    },
    /// Nobody listens.
    #[error("nobody answers on {subject}")]
    NoResponders {
        /// The subject.
        subject: String,
    },
    /// No answer in time.
    #[error("no answer on {subject} within {millis} ms")]
    Timeout {
        /// The subject.
        subject: String,
        /// How long was waited.
        millis: u128,
    },
    /// The stream did not store it.
    #[error("the stream refuses {subject}: {description} ({code})")]
    Rejected {
        /// The subject.
        subject: String,
        /// The server's code.
        code: u64,
        /// The server's word.
        description: String,
    },
    /// A write that expected another revision.
    #[error("{key} was changed meanwhile")]
    Conflict {
        /// The key.
        key: String,
    },
    /// The servers of a cluster have not found each other yet, or too few are there.
    #[error("{what}: the NATS servers are not ready ({description})")]
    NotReady {
        /// What was tried.
        what: String,
        /// The server's word.
        description: String,
    },
    /// JetStream could not do it.
    #[error("{what}")]
    JetStream {
        /// What was tried.
        what: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What came is not what was expected.
    #[error(transparent)]
    Wire(#[from] wire::Error),
    /// The connection is closed for good.
    #[error("the connection is closed")]
    Closed,
}

impl Error {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Error::Connect { .. }
            | Error::NoResponders { .. }
            | Error::Timeout { .. }
            | Error::NotReady { .. }
            | Error::JetStream { .. } => true,
            // 10077 message size, 10049 subject, ... never pass; storage and leader troubles do.
            Error::Rejected { code, .. } => *code == 503 || *code == 500,
            Error::Refused { .. }
            | Error::Permission { .. }
            | Error::Conflict { .. }
            | Error::Wire(_)
            | Error::Closed => false,
        }
    }
}

/// How to connect.
#[derive(Debug)]
pub struct Options {
    /// What the role's templates allow.
    pub role: Role,
    /// The name in the credential's JWT.
    pub name: String,
    /// `tls://host:port`, one or more.
    pub servers: Vec<String>,
    /// The cluster's CA, the only one that is trusted; none only for plain connections in tests.
    pub ca: Option<PathBuf>,
    /// Key and JWT.
    pub credential: Credential,
}

/// A connection of one user.
#[derive(Clone, Debug)]
pub struct Bus {
    client: Client,
    role: Role,
    name: String,
    state: watch::Receiver<State>,
    violations: link::Violations,
}

/// A stream's word that it has stored a message.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Ack {
    /// The stream.
    pub stream: String,
    /// The message's number in it.
    #[serde(rename = "seq")]
    pub sequence: u64,
    /// It was there already, by its id.
    #[serde(default)]
    pub duplicate: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum AckAnswer {
    Ok(Ack),
    Err { error: AckError },
}

#[derive(Deserialize)]
struct AckError {
    code: u64,
    description: String,
}

impl Bus {
    /// Opens the connection. It may not be authenticated yet: see [`Bus::probe`].
    ///
    /// # Errors
    /// When no server is reached, or the credential is refused at once.
    pub async fn connect(options: Options) -> Result<Bus, Error> {
        let Options { role, name, servers, ca, credential } = options;
        let (watcher, violations, events) = link::watch();
        let inbox = format!("{}.{}", subject::inbox(role, &name), Token::random(random()));
        let pace = link::Pace::default();
        let delay = pace.clone();
        let mut connect = credential
            .connect_options()
            .name(format!("muster {} {name}", role.name()))
            .custom_inbox_prefix(inbox)
            .connection_timeout(CONNECT_TIMEOUT)
            .request_timeout(Some(REQUEST_TIMEOUT))
            .ping_interval(PING_INTERVAL)
            .subscription_capacity(SUBSCRIPTION_CAPACITY)
            .reconnect_delay_callback(move |attempt| delay.before(attempt))
            .event_callback(move |event| events.clone().take(event));
        if let Some(ca) = ca {
            connect = connect.add_root_certificates(ca).require_tls(true);
        }
        let client = connect.connect(&servers[..]).await;
        let client = client.map_err(|error| link::connect_error(error, &name, &servers))?;
        pace.connected();
        Ok(Bus { client, role, name, state: watcher, violations })
    }

    /// Proves by a round trip that the server has accepted the credential. Whoever should answer
    /// may just have died: ask again, on the same connection.
    ///
    /// # Errors
    /// When it has not, or does not answer.
    pub async fn probe(&self, subject: &str) -> Result<(), Error> {
        match self.ask(subject.to_owned(), HeaderMap::new(), Vec::new(), REQUEST_TIMEOUT).await {
            // The server itself says that nobody listens: it has let us in.
            Ok(_) | Err(Error::NoResponders { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The user's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The user's role.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// What the connection is, and each change of it.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    /// The version of the server that the connection is with.
    #[must_use]
    pub fn server_version(&self) -> String {
        self.client.server_info().version
    }

    /// Asks and waits for the answer.
    ///
    /// # Errors
    /// When it is not permitted, nobody answers in time, or the answer is something else.
    pub async fn request<Q: Message, A: Message>(
        &self,
        subject: String,
        question: &Q,
        timeout: Duration,
    ) -> Result<A, Error> {
        let answer = self.ask(subject, HeaderMap::new(), wire::encode(question), timeout).await?;
        Ok(wire::decode(&answer.payload)?)
    }

    /// Publishes to a stream and waits until it is stored. A message with an id that the stream
    /// has seen within its window is stored once.
    ///
    /// # Errors
    /// When it is not permitted, not stored, or no word comes in time: then it may be stored.
    pub async fn publish(
        &self,
        subject: String,
        message_id: &str,
        payload: Vec<u8>,
    ) -> Result<Ack, Error> {
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Msg-Id", message_id);
        let answer = self.ask(subject.clone(), headers, payload, REQUEST_TIMEOUT).await?;
        match serde_json::from_slice(&answer.payload) {
            Ok(AckAnswer::Ok(ack)) => Ok(ack),
            Ok(AckAnswer::Err { error: AckError { code, description } }) => {
                Err(Error::Rejected { subject, code, description })
            }
            Err(_) => {
                let description = "what answered is no stream".to_owned();
                Err(Error::Rejected { subject, code: 0, description })
            }
        }
    }

    /// What a direct get answers, with the subject it was stored under; none if there is none.
    ///
    /// # Errors
    /// When it is not permitted, or nobody answers in time.
    pub async fn fetch(&self, subject: String) -> Result<Option<Delivered>, Error> {
        let answer = self.ask(subject, HeaderMap::new(), Vec::new(), REQUEST_TIMEOUT).await?;
        if answer.status.is_some_and(|status| status.as_u16() == 404) {
            return Ok(None);
        }
        Ok(Some(incoming::stored(answer)))
    }

    /// One request; a refusal by the server ends it at once instead of as a timeout.
    async fn ask(
        &self,
        subject: String,
        headers: HeaderMap,
        payload: Vec<u8>,
        timeout: Duration,
    ) -> Result<async_nats::Message, Error> {
        let mut violations = self.violations.listen();
        let request = async_nats::Request::new()
            .headers(headers)
            .payload(payload.into())
            .timeout(Some(timeout));
        let answer = self.client.send_request(subject.clone(), request);
        let answer = tokio::select! {
            answer = answer => answer,
            () = violations.names(&subject) => return Err(Error::Permission { subject }),
        };
        answer.map_err(|error| match error.kind() {
            RequestErrorKind::NoResponders => Error::NoResponders { subject },
            RequestErrorKind::TimedOut => Error::Timeout { subject, millis: timeout.as_millis() },
            _ => Error::Closed,
        })
    }

    /// Sends all that is buffered and closes.
    pub async fn close(&self) {
        if let Err(error) = self.client.drain().await {
            tracing::debug!(%error, "the connection was closed before it could be drained");
        }
    }
}
