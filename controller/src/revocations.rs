//! Which credentials are void: one document in BUS, pushed to the servers as account claims.
//!
//! A push cuts the live connections of what it names within milliseconds. An older push would
//! un-revoke, so only the controller that holds the lease pushes, and always the whole list. An
//! entry goes when the credential it names has expired by itself.

use crate::keys::{self, Keys};
use muster_protocol::bus::bucket::Bucket;
use muster_protocol::bus::{self, Bus};
use muster_protocol::id::{Hash, Token, UnixMillis};
use muster_protocol::jwt::Stamp;
use muster_protocol::seal::{self, Signed};
use muster_protocol::subject::Account;
use muster_protocol::wire::{self, Message};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Mutex;

const KEY: &str = "revocations";
/// What the accounts' claims were when they were pushed last.
const CLAIMS: &str = "claims";
const AUDIENCE: &str = "registry/revocations";
/// An account's claims with more entries would not fit into one message.
pub const ENTRIES_MAX: usize = 10_000;

/// Why a credential could not be revoked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bus.
    #[error(transparent)]
    Bus(#[from] bus::Error),
    /// The keys.
    #[error(transparent)]
    Keys(#[from] keys::Error),
    /// The stored list is not the controller's.
    #[error("the list of revocations is not one that this controller's key has signed")]
    Foreign(#[source] seal::Error),
    /// Too many live credentials are revoked at once.
    #[error(
        "more than {ENTRIES_MAX} live credentials are revoked; shorten timeouts.credential_secs"
    )]
    Full,
}

/// The stored list: when each key was revoked, and until when its credentials would live.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct List {
    entries: BTreeMap<String, (UnixMillis, UnixMillis)>,
}

impl Message for List {
    const NAME: &'static str = "revocations";
}

/// Revokes, and pushes.
#[derive(Debug)]
pub struct Revocations {
    bucket: Bucket,
    keys: Arc<Keys>,
    pusher: Bus,
    /// Held over a push: two at once could arrive in the wrong order.
    list: Mutex<List>,
}

impl Revocations {
    /// Knows nothing yet.
    #[must_use]
    pub fn new(bucket: Bucket, keys: Arc<Keys>, pusher: Bus) -> Revocations {
        Revocations { bucket, keys, pusher, list: Mutex::default() }
    }

    /// Takes over from another controller, or an older release: reads the list, and pushes what the
    /// servers may not have. What they have is not pushed: a push may cost an answer on its way.
    ///
    /// # Errors
    /// When it cannot be read or pushed.
    pub async fn take_over(&self) -> Result<(), Error> {
        let mut held = self.list.lock().await;
        if let Some(entry) = self.bucket.get(KEY).await? {
            let signed: Signed = wire::decode(&entry.value).map_err(bus::Error::from)?;
            let root = self.keys.root_public_key();
            *held = signed.open(root, AUDIENCE, None).map_err(Error::Foreign)?;
        }
        let mut fingerprint = String::new();
        for account in [Account::Bus, Account::People, Account::Agents] {
            let stamp = Stamp { now: UnixMillis(0), jti: Token::random([0; 26]) };
            fingerprint += &self.keys.account_jwt(account, &BTreeMap::new(), &stamp)?;
        }
        let fingerprint = Hash::of(fingerprint.as_bytes()).to_string().into_bytes();
        // The first controller finds what the `init` of its own release has preloaded.
        let known = self.bucket.get(CLAIMS).await?;
        let changed = known.as_ref().is_some_and(|entry| entry.value != fingerprint);
        if changed {
            for account in [Account::Bus, Account::People] {
                let claims = self.keys.account_jwt(account, &BTreeMap::new(), &Stamp::fresh())?;
                self.pusher.push_claims(&claims).await?;
            }
        }
        if changed || !held.entries.is_empty() {
            self.push(&held).await?;
        }
        if changed || known.is_none() {
            self.bucket.put(CLAIMS, fingerprint).await?;
        }
        Ok(())
    }

    /// Makes credentials void: public keys, with the time until which each would live.
    ///
    /// # Errors
    /// When it is not certain that they are void; revoking again is harmless.
    pub async fn revoke(
        &self,
        revoked: &[(String, UnixMillis)],
        now: UnixMillis,
    ) -> Result<(), Error> {
        let mut list = self.list.lock().await;
        // The server compares them with when credentials were issued, in its own time.
        let now = self.keys.by_server(now);
        let revoked = revoked.iter().map(|(key, until)| (key.clone(), self.keys.by_server(*until)));
        let live = |until: &UnixMillis| *until > now;
        let new = revoked.filter(|(key, until)| live(until) && !list.entries.contains_key(key));
        let new: Vec<_> = new.collect();
        if new.is_empty() {
            return Ok(());
        }
        let mut next = list.clone();
        next.entries.retain(|_, (_, until)| live(until));
        next.entries.extend(new.into_iter().map(|(key, until)| (key, (now, until))));
        if next.entries.len() > ENTRIES_MAX {
            return Err(Error::Full);
        }
        let signed = self.keys.signer().sign(AUDIENCE, &next).map_err(Error::Foreign)?;
        self.bucket.put(KEY, wire::encode(&signed)).await?;
        self.push(&next).await?;
        *list = next;
        Ok(())
    }

    async fn push(&self, list: &List) -> Result<(), Error> {
        let revoked = list.entries.iter().map(|(key, (at, _))| (key.clone(), *at)).collect();
        let claims = self.keys.account_jwt(Account::Agents, &revoked, &Stamp::fresh())?;
        self.pusher.push_claims(&claims).await?;
        Ok(())
    }
}
