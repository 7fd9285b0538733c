//! The agent's connection: made, proved, watched.

use crate::apply::Requests;
use crate::backoff::Backoff;
use crate::identity::Identity;
use crate::outbox::{Lane, Outbox};
use muster_protocol::bus::{self, Bus, Credential, Options, Pushes, State};
use muster_protocol::event::Started;
use muster_protocol::id::random;
use muster_protocol::subject::{self, Role};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::alarm::Alarms;

/// How often in a row the server may refuse the credential before the agent gives up.
const REFUSALS_MAX: u32 = 5;
const RETRY_FIRST: Duration = Duration::from_millis(200);
const RETRY_MAX: Duration = Duration::from_secs(30);
/// A connection that comes and goes is told at most this often.
const TOLD_INTERVAL: Duration = Duration::from_secs(10);

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The credential is worth nothing any more.
    #[error(
        "NATS refuses the credential of {name} ({reason}): it has expired or was revoked; \
         terminate this worker, or give the machine new user-data"
    )]
    Refused {
        /// Whose.
        name: String,
        /// The server's word.
        reason: String,
    },
    /// What no retry can help.
    #[error(transparent)]
    Bus(#[from] bus::Error),
}

/// Connects as the agent and proves it by a round trip; tries until it is refused for good.
pub(crate) async fn connect(
    identity: &Identity,
    credential: &Credential,
    ca: &Path,
) -> Result<Bus, Error> {
    let mut backoff = Backoff::new(RETRY_FIRST, RETRY_MAX);
    let mut refusals = 0;
    let mut bus = None;
    loop {
        let error = match attempt(&mut bus, identity, credential, ca).await {
            Ok(bus) => return Ok(bus),
            Err(error) => error,
        };
        match error {
            bus::Error::Refused { name, reason } => {
                refusals += 1;
                bus = None;
                if refusals >= REFUSALS_MAX {
                    return Err(Error::Refused { name, reason });
                }
                tracing::warn!(refusals, reason, "NATS refuses the credential");
            }
            error if error.is_retryable() => {
                tracing::warn!(error = %crate::chain(&error), "no session yet");
            }
            error => return Err(error.into()),
        }
        tokio::time::sleep(backoff.next(random())).await;
    }
}

async fn attempt(
    kept: &mut Option<Bus>,
    identity: &Identity,
    credential: &Credential,
    ca: &Path,
) -> Result<Bus, bus::Error> {
    let name = identity.agent_id.to_string();
    let bus = match kept {
        Some(bus) => bus,
        None => kept.insert(
            Bus::connect(Options {
                role: Role::Agent,
                name: name.clone(),
                servers: identity.servers.clone(),
                ca: Some(ca.to_owned()),
                credential: credential.clone(),
            })
            .await?,
        ),
    };
    let proved = bus.probe(&subject::rpc(&identity.agent_id, "hello")).await;
    match (proved, &*bus.state().borrow()) {
        (Ok(()), _) => Ok(bus.clone()),
        (Err(_), State::Refused(reason)) => {
            Err(bus::Error::Refused { name, reason: reason.clone() })
        }
        (Err(error), _) => Err(error),
    }
}

/// Says `started`: for a new process, or for a connection that came back.
fn say_started(outbox: &Outbox, revision: u64, fresh: bool) {
    let version = crate::VERSION.to_owned();
    outbox.say(Lane::Started, &Started { version, revision, fresh });
}

/// Watches the connection until it is stopped.
///
/// # Errors
/// When the credential is refused for good.
pub(crate) async fn watch(
    bus: Bus,
    outbox: Arc<Outbox>,
    requests: Arc<Requests>,
    revision: impl Fn() -> u64,
    stop: CancellationToken,
) -> Result<(), Error> {
    say_started(&outbox, revision(), true);
    requests.refresh();
    let mut state = bus.state();
    let mut was_connected = true;
    let mut told = Instant::now();
    loop {
        tokio::select! {
            changed = state.changed() => if changed.is_err() {
                return Ok(());
            },
            () = stop.cancelled() => return Ok(()),
        }
        let now = state.borrow_and_update().clone();
        match now {
            State::Refused(reason) => {
                return Err(Error::Refused { name: bus.name().to_owned(), reason });
            }
            State::Disconnected if was_connected => {
                tracing::warn!("the connection is lost; trying again");
                was_connected = false;
            }
            State::Connected if !was_connected => {
                tracing::info!("the connection is back");
                was_connected = true;
                requests.refresh();
                if told.elapsed() >= TOLD_INTERVAL {
                    told = Instant::now();
                    say_started(&outbox, revision(), false);
                    outbox.announce_again();
                }
            }
            State::Connected | State::Disconnected => {}
        }
    }
}

/// Hands pushed desired states on until it is stopped, or the connection is closed.
pub(crate) async fn pushes(
    mut pushes: Pushes,
    requests: Arc<Requests>,
    alarms: Arc<Alarms>,
    stop: CancellationToken,
) {
    loop {
        tokio::select! {
            incoming = pushes.next() => match incoming {
                // The key was deleted: the worker is over, and the controller will say so.
                Some(Ok(payload)) if payload.is_empty() => {}
                Some(Ok(payload)) => requests.push(payload),
                Some(Err(unmarked)) => alarms.suspect(&unmarked.to_string()),
                None => return,
            },
            () = stop.cancelled() => return,
        }
    }
}
