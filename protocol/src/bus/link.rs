//! One connection's credential, its state, its refusals, and when it tries again.

use super::Error;
use async_nats::{
    Auth, AuthError, ClientError, ConnectErrorKind, ConnectOptions, Event, ServerError,
};
use nkeys::KeyPair;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{broadcast, watch};

/// Consecutive refusals of the credential after which a session ends.
pub(crate) const REFUSALS_MAX: u32 = 5;
/// The longest wait between two attempts to reconnect.
pub(crate) const RECONNECT_DELAY_MAX: Duration = Duration::from_secs(30);
const RECONNECT_DELAY_FIRST: Duration = Duration::from_millis(100);
/// Refusals of subjects that a slow request may miss: then it ends as a timeout.
const VIOLATIONS_MAX: usize = 64;

/// A user's key with its present JWT, which a renewal replaces under a live connection.
#[derive(Clone)]
pub struct Credential {
    key: Arc<KeyPair>,
    jwt: Arc<Mutex<String>>,
}

impl fmt::Debug for Credential {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "Credential({})", self.key.public_key())
    }
}

impl Credential {
    /// A key with its JWT.
    #[must_use]
    pub fn new(key: Arc<KeyPair>, jwt: String) -> Credential {
        Credential { key, jwt: Arc::new(Mutex::new(jwt)) }
    }

    /// The public half of the key.
    #[must_use]
    pub fn public_key(&self) -> String {
        self.key.public_key()
    }

    /// Takes a newer JWT for the same key; the next reconnect uses it.
    pub fn renew(&self, jwt: String) {
        *self.jwt.lock().unwrap_or_else(PoisonError::into_inner) = jwt;
    }

    fn jwt(&self) -> String {
        self.jwt.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Options that sign the server's nonce at each connect.
    pub(super) fn connect_options(&self) -> ConnectOptions {
        let credential = self.clone();
        ConnectOptions::with_auth_callback(move |nonce| {
            let signed = credential.sign(&nonce);
            async move { signed }
        })
    }

    fn sign(&self, nonce: &[u8]) -> Result<Auth, AuthError> {
        // A signature over nothing could be used for ever by whoever saw it.
        if nonce.len() < 8 {
            return Err(AuthError::new("the server sent no nonce to sign"));
        }
        let signature = self.key.sign(nonce).map_err(AuthError::new)?;
        let mut auth = Auth::new();
        auth.jwt = Some(self.jwt());
        auth.signature = Some(signature);
        Ok(auth)
    }
}

/// What a connection is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It works, as far as async-nats knows.
    Connected,
    /// It is being tried again.
    Disconnected,
    /// The credential was refused several times in a row: the session is over.
    Refused(String),
}

/// Subjects that the server refused, for the requests that wait on them.
#[derive(Clone, Debug)]
pub(super) struct Violations(broadcast::Sender<Arc<str>>);

pub(super) struct Listening(broadcast::Receiver<Arc<str>>);

impl Violations {
    pub(super) fn listen(&self) -> Listening {
        Listening(self.0.subscribe())
    }
}

impl Listening {
    /// Ends when the server has refused a publish to this subject.
    pub(super) async fn names(&mut self, subject: &str) {
        let quoted = format!("\"{}\"", subject.to_lowercase());
        loop {
            match self.0.recv().await {
                Ok(text) if text.contains(&quoted) => return,
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return std::future::pending().await,
            }
        }
    }
}

/// Takes async-nats' events.
#[derive(Clone)]
pub(super) struct Events {
    state: Arc<watch::Sender<State>>,
    violations: Violations,
    refusals: Arc<AtomicU32>,
    /// Why, as the server said when it cut the connection: later it only says that it may not be.
    cut: Arc<Mutex<Option<String>>>,
}

pub(super) fn watch() -> (watch::Receiver<State>, Violations, Events) {
    let (sender, receiver) = watch::channel(State::Connected);
    let violations = Violations(broadcast::channel(VIOLATIONS_MAX).0);
    let state = Arc::new(sender);
    let (refusals, cut) = (Arc::new(AtomicU32::new(0)), Arc::default());
    let events = Events { state, violations: violations.clone(), refusals, cut };
    (receiver, violations, events)
}

impl Events {
    pub(super) async fn take(self, event: Event) {
        match event {
            Event::Connected => {
                self.refusals.store(0, Ordering::Relaxed);
                *self.cut() = None;
                self.set(State::Connected);
            }
            Event::Disconnected | Event::Closed => self.set(State::Disconnected),
            Event::ServerError(ServerError::AuthorizationViolation) => {
                self.refused("authorization violation")
            }
            Event::ServerError(ServerError::Other(text)) => self.told(&text),
            Event::ClientError(ClientError::Other(text)) => self.told(&text),
            Event::SlowConsumer(id) => {
                tracing::warn!(subscription = id, "messages come faster than they are handled");
            }
            Event::ServerError(_)
            | Event::ClientError(_)
            | Event::LameDuckMode
            | Event::Draining => {
                tracing::debug!(%event, "nats");
            }
        }
    }

    fn told(&self, text: &str) {
        let lower = text.to_lowercase();
        if lower.contains("permissions violation") {
            tracing::debug!(error = text, "the server refuses a subject");
            // Nobody waits: the refusal was for a plain publish or a subscription.
            if self.violations.0.send(lower.into()).is_err() {
                tracing::debug!(error = text, "no request waits for this refusal");
            }
        } else if ["authorization violation", "revoked", "authentication expired"]
            .iter()
            .any(|word| lower.contains(word))
        {
            self.refused(text);
        } else {
            tracing::debug!(error = text, "nats");
        }
    }

    fn refused(&self, reason: &str) {
        let times = self.refusals.fetch_add(1, Ordering::Relaxed) + 1;
        tracing::debug!(reason, attempt = times, "the server refuses the credential");
        let mut cut = self.cut();
        if ["revoked", "expired"].iter().any(|word| reason.to_lowercase().contains(word)) {
            *cut = Some(reason.to_owned());
        }
        if times >= REFUSALS_MAX {
            self.set(State::Refused(cut.clone().unwrap_or_else(|| reason.to_owned())));
        }
    }

    fn cut(&self) -> MutexGuard<'_, Option<String>> {
        self.cut.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Once refused, a session stays refused.
    fn set(&self, next: State) {
        self.state.send_if_modified(|state| {
            let changes = *state != next && !matches!(state, State::Refused(_));
            if changes {
                *state = next;
            }
            changes
        });
    }
}

/// How long async-nats waits before it tries a server. It asks before the very first one too, where
/// a wait would only delay the start: whoever makes the connection has his own between his tries.
#[derive(Clone, Debug, Default)]
pub(super) struct Pace(Arc<AtomicBool>);

impl Pace {
    /// From now on each attempt is one to reconnect.
    pub(super) fn connected(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(super) fn before(&self, attempt: usize) -> Duration {
        match self.0.load(Ordering::Relaxed) {
            true => reconnect_delay(attempt),
            false => Duration::ZERO,
        }
    }
}

/// Full jitter below a doubling bound, so that a fleet does not come back in one instant.
pub(super) fn reconnect_delay(attempt: usize) -> Duration {
    let doublings = u32::try_from(attempt).unwrap_or(u32::MAX).min(16);
    let bound = RECONNECT_DELAY_FIRST.saturating_mul(1 << doublings).min(RECONNECT_DELAY_MAX);
    let [low, high] = crate::id::random::<2>();
    bound.mul_f64(f64::from(u16::from_be_bytes([low, high])) / f64::from(u16::MAX))
}

pub(super) fn connect_error(
    error: async_nats::ConnectError,
    name: &str,
    servers: &[String],
) -> Error {
    match error.kind() {
        ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => {
            Error::Refused { name: name.to_owned(), reason: error.to_string() }
        }
        _ => Error::Connect { servers: servers.join(", "), source: Box::new(error) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fleet_does_not_come_back_in_one_instant() {
        let delays: Vec<Duration> = (0..200).map(|_| reconnect_delay(20)).collect();
        let late = delays.iter().filter(|delay| **delay > RECONNECT_DELAY_MAX / 2).count();
        assert!((50..150).contains(&late), "{late} of 200 in the later half");
        assert!(delays.iter().all(|delay| *delay <= RECONNECT_DELAY_MAX));
    }

    #[test]
    fn the_first_connection_does_not_wait_and_a_lost_one_does() {
        let pace = Pace::default();
        assert!((1..100).all(|attempt| pace.before(attempt).is_zero()));
        pace.connected();
        assert!((1..100).any(|attempt| !pace.before(attempt).is_zero()));
    }

    #[tokio::test]
    async fn a_credential_that_is_refused_again_and_again_ends_the_session() {
        let (state, _violations, events) = watch();
        for _ in 1..REFUSALS_MAX {
            events
                .clone()
                .take(Event::ClientError(ClientError::Other(
                    "nats: authorization violation".into(),
                )))
                .await;
            assert_eq!(*state.borrow(), State::Connected);
        }
        events.clone().take(Event::ServerError(ServerError::AuthorizationViolation)).await;
        assert!(matches!(*state.borrow(), State::Refused(_)));
        events.take(Event::Connected).await;
        assert!(matches!(*state.borrow(), State::Refused(_)));
    }

    #[tokio::test]
    async fn the_reason_of_the_cut_is_what_a_session_ends_with() {
        let (state, _violations, events) = watch();
        let revoked = ServerError::Other("User Authentication Revoked".into());
        events.clone().take(Event::ServerError(revoked)).await;
        for _ in 1..REFUSALS_MAX {
            events.clone().take(Event::ServerError(ServerError::AuthorizationViolation)).await;
        }
        assert_eq!(*state.borrow(), State::Refused("User Authentication Revoked".into()));
    }

    #[tokio::test]
    async fn a_refused_subject_wakes_the_request_that_waits_for_it() {
        let (_state, violations, events) = watch();
        let mut listening = violations.listen();
        let text = "Permissions Violation for Publish to \"muster.api.Otto.worker.list\"";
        events.take(Event::ServerError(ServerError::Other(text.into()))).await;
        listening.names("muster.api.Otto.worker.list").await;
    }

    #[test]
    fn no_nonce_is_not_signed() {
        let credential = Credential::new(Arc::new(KeyPair::new_user()), "jwt".into());
        assert!(credential.sign(b"").is_err());
        assert!(credential.sign(b"0123456789ab").is_ok());
    }
}
