//! The NATS server's configuration: operator mode, TLS, JetStream that syncs every write.

use super::{Error, Settings};
use crate::keys::Keys;
use crate::nats::RUN;
use muster_protocol::id::UnixMillis;
use muster_protocol::jwt::{Revocations, Stamp};
use muster_protocol::subject::Account;
use muster_protocol::wire::MESSAGE_BYTES_MAX;
use std::fmt::Write;
use std::path::Path;

pub(super) const FILE: &str = crate::nats::CONFIG;
/// Streams and buckets kept in memory.
const MEMORY_STORE_BYTES: u64 = 256 << 20;
/// One log file; the server keeps [`LOG_FILES`] of them.
const LOG_BYTES: u64 = 16 << 20;
const LOG_FILES: u32 = 4;
/// A storm of ten thousand agents is served within it; with the default of 2 s it is not.
const AUTHORIZATION_SECS: u32 = 60;
/// The server gives a client up that is silent for three to four of these.
const PING_SECS: u32 = 12;
const TEMPLATE: &str = include_str!("nats.conf");

pub(super) fn render(settings: &Settings, keys: &Keys) -> Result<String, Error> {
    let stamp = Stamp::fresh();
    // Older than any push: the server keeps the newer one, so that no start un-revokes.
    let oldest = Stamp { now: UnixMillis(1000), ..stamp.clone() };
    let mut accounts = String::new();
    for account in Account::ALL {
        let jwt = keys.account_jwt(account, &Revocations::new(), &oldest)?;
        writeln!(accounts, "  {}: {jwt}", keys.public_key(account)).expect("a String takes text");
    }
    let (dir, tls) = (keys.dir(), keys.tls_files());
    let port = match settings.listen.port() {
        0 => "-1".to_owned(),
        port => port.to_string(),
    };
    let values: [(&str, String); 17] = [
        ("{cluster}", settings.cluster.to_string()),
        ("{address}", settings.listen.ip().to_string()),
        ("{port}", port),
        ("{payload}", MESSAGE_BYTES_MAX.to_string()),
        ("{run}", quoted(&dir.join(RUN))?),
        ("{log}", quoted(&dir.join(RUN).join("nats.log"))?),
        ("{log_bytes}", LOG_BYTES.to_string()),
        ("{log_files}", LOG_FILES.to_string()),
        ("{certificate}", quoted(&tls.certificate)?),
        ("{key}", quoted(&tls.key)?),
        ("{authorization_secs}", AUTHORIZATION_SECS.to_string()),
        ("{ping_secs}", PING_SECS.to_string()),
        ("{store}", quoted(&settings.store_dir)?),
        ("{store_bytes}", settings.max_store.to_string()),
        ("{memory_bytes}", MEMORY_STORE_BYTES.to_string()),
        ("{operator}", keys.operator_jwt(settings.cluster.as_str(), &stamp)?),
        ("{resolver}", quoted(&dir.join("accounts"))?),
    ];
    let text =
        values.iter().fold(TEMPLATE.to_owned(), |text, (name, value)| text.replace(name, value));
    Ok(text.replace("{system}", keys.public_key(Account::Sys)).replace("{accounts}\n", &accounts))
}

/// A path as a string of the NATS configuration, which has no way to write some characters.
fn quoted(path: &Path) -> Result<String, Error> {
    let text = path.to_str().filter(|text| {
        !text.chars().any(|char| char.is_control() || ['"', '\\', '{', '}'].contains(&char))
    });
    match text {
        Some(text) => Ok(format!("\"{text}\"")),
        None => Err(Error::Value {
            option: "the path",
            value: path.display().to_string(),
            rule: "has characters that nats-server's configuration cannot hold: use another path",
        }),
    }
}
