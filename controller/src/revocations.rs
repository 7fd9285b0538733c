//! Which credentials are void: one document in BUS, pushed to the servers as account claims.
//!
//! A push cuts the live connections of what it names within milliseconds. The servers take an older
//! push too, and it would un-revoke. Therefore:
//!
//! - only the controller that holds the lease pushes, and always the whole list;
//! - the document is changed by compare-and-set, and whoever takes over changes it: one that was
//!   paused and still believes that it leads changes nothing any more;
//! - the holder hears what anybody pushes, and looks at what the servers have after each reconnect
//!   and every five minutes: what is not its own is followed by its own list at once.
//!
//! An entry goes when the credential it names has expired by itself. When there are more than
//! [`ENTRIES_MAX`], live agents get new credentials and all older ones become void together.

pub(crate) mod list;

use crate::keys::{self, Keys};
use crate::lease::Fence;
use crate::renewals::Renewals;
use list::{Entries, List};
use muster_protocol::api::RevocationsView;
use muster_protocol::bus::bucket::{Bucket, Change, Entry};
use muster_protocol::bus::stream::HeardClaims;
use muster_protocol::bus::{self, Bus, State};
use muster_protocol::id::{AgentId, Hash, Token, UnixMillis, random};
use muster_protocol::jwt::{self, Stamp};
use muster_protocol::seal::{self, Signed};
use muster_protocol::subject::Account;
use muster_protocol::wire;
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex as StdMutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

const KEY: &str = "revocations";
/// What the accounts' claims were when they were pushed last.
const CLAIMS: &str = "claims";
const AUDIENCE: &str = "registry/revocations";
/// An account's claims with more entries would not fit into one message.
pub const ENTRIES_MAX: usize = 10_000;
/// Revoked people.
pub const PEOPLE_MAX: usize = 1_000;
/// So many remain at most when there were too many: there is room for a while.
const ENTRIES_KEPT_MAX: usize = 5_000;
/// How long live agents may take to get new credentials before the old ones become void.
const RENEWAL_PATIENCE: Duration = Duration::from_secs(30);
/// Agents that a warning names.
const NAMED_MAX: usize = 20;
/// How often the document is changed against others that come between.
const TRIES_MAX: u32 = 3;
/// How far the clock may be behind the newest revocation: two controllers' differ a little.
const CLOCK_BEHIND_MAX: i64 = 10_000;
/// Own pushes that are recognised when they are heard.
const OWN_PUSHES_MAX: usize = 64;
/// How often what has ended is taken out, if nothing is revoked meanwhile.
const PRUNE_EVERY: Duration = Duration::from_secs(600);
/// How often the servers are asked what they have.
const LOOK_EVERY: Duration = Duration::from_secs(300);

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
    /// Too many people are revoked at once.
    #[error("more than {PEOPLE_MAX} people's live credentials are revoked; give shorter ones")]
    Full,
    /// The clock was set back.
    #[error(
        "too many credentials are revoked to keep each, and this machine's clock is {seconds} s \
         behind the newest: set it right; it is tried again"
    )]
    Clock {
        /// How far.
        seconds: i64,
    },
    /// Another controller pushes.
    #[error("this controller does not hold the lease, and claims are pushed by its holder only")]
    NotLeading,
}

/// What it works with.
#[derive(Debug)]
pub struct Parts {
    /// The cluster's own documents.
    pub bucket: Bucket,
    /// What claims are signed with.
    pub keys: Arc<Keys>,
    /// The connection in SYS.
    pub pusher: Bus,
    /// Whether this controller holds the lease.
    pub fence: Fence,
    /// Asks live agents for newer credentials.
    pub renewals: Arc<Renewals>,
}

/// Revokes, and pushes.
#[derive(Debug)]
pub struct Revocations {
    parts: Parts,
    /// Held over a push: two at once could arrive in the wrong order.
    held: Mutex<Held>,
    own: StdMutex<Own>,
}

/// What this controller has pushed.
#[derive(Debug, Default)]
struct Own {
    recent: VecDeque<Hash>,
    /// Accounts whose list is stored, and was not pushed with success.
    owed: HashSet<Account>,
    /// The stamp of the agents' claims.
    stamp: UnixMillis,
}

/// The list as it was read or written last.
#[derive(Debug, Default)]
struct Held {
    list: List,
    /// Of the document; 0 if there is none.
    revision: u64,
}

impl Revocations {
    /// Knows nothing yet.
    #[must_use]
    pub fn new(parts: Parts) -> Revocations {
        Revocations { parts, held: Mutex::default(), own: StdMutex::default() }
    }

    /// Takes over from another controller, or an older release: reads the list, and pushes what the
    /// servers may not have. What they have is not pushed: a push may cost an answer on its way.
    ///
    /// # Errors
    /// When it cannot be read or pushed.
    pub async fn take_over(&self) -> Result<(), Error> {
        let mut held = self.held.lock().await;
        *held = self.read().await?;
        // The first controller finds what the `init` of its own release has preloaded.
        let known = self.parts.bucket.get(CLAIMS).await?;
        let changed = known.is_some_and(|entry| self.fingerprint().ok() != Some(entry.value));
        if held.revision > 0 || changed {
            // From now on whoever wrote it before cannot.
            let next = held.list.clone();
            self.write(&mut held, next).await?;
        }
        if changed {
            self.push_accounts(&held).await?;
        } else {
            for account in [Account::People, Account::Agents] {
                if !held.list.revoked(account).is_empty() {
                    self.push(account, &held.list).await?;
                }
            }
        }
        self.note_claims().await
    }

    /// Pushes the claims of all accounts: what they let in has changed.
    ///
    /// # Errors
    /// When it is not certain that the servers have them.
    pub async fn push_all(&self) -> Result<(), Error> {
        let mut held = self.held.lock().await;
        let next = held.list.clone();
        self.write(&mut held, next).await?;
        self.push_accounts(&held).await?;
        self.note_claims().await
    }

    /// Whether the servers have the claims that the present keys make.
    ///
    /// # Errors
    /// When that is not known.
    pub async fn are_pushed(&self) -> Result<bool, Error> {
        let known = self.parts.bucket.get(CLAIMS).await?;
        Ok(known.is_some_and(|entry| self.fingerprint().ok() == Some(entry.value)))
    }

    /// Makes agents' credentials void: public keys, with the time until which each would live.
    ///
    /// # Errors
    /// When it is not certain that they are void; revoking again is harmless.
    pub async fn revoke(
        &self,
        revoked: &[(String, UnixMillis)],
        now: UnixMillis,
    ) -> Result<(), Error> {
        let revoked = revoked.iter().map(|(key, until)| (key.clone(), (now, *until)));
        self.make_void(Account::Agents, &revoked.collect(), now).await
    }

    /// Makes people's credentials void: public keys, with the time up to which what was issued for
    /// each is void, and the time until which that would live.
    ///
    /// # Errors
    /// As [`Revocations::revoke`].
    pub async fn revoke_people(
        &self,
        revoked: BTreeMap<String, (UnixMillis, UnixMillis)>,
        now: UnixMillis,
    ) -> Result<(), Error> {
        self.make_void(Account::People, &revoked, now).await
    }

    async fn make_void(
        &self,
        account: Account,
        revoked: &Entries,
        now: UnixMillis,
    ) -> Result<(), Error> {
        let mut held = self.held.lock().await;
        let mut tries = 1;
        loop {
            let mut next = held.list.clone();
            next.prune(now);
            if !next.add(account, revoked, now) {
                // What was stored by a try that failed to push is not known to the servers.
                if self.own().owed.contains(&account) {
                    break;
                }
                return Ok(());
            }
            if next.people.len() > PEOPLE_MAX {
                return Err(Error::Full);
            }
            if next.entries.len() > ENTRIES_MAX {
                self.shorten(&mut next).await?;
            }
            match self.write(&mut held, next).await {
                Err(Error::Bus(bus::Error::Conflict { .. })) if tries < TRIES_MAX => {
                    tries += 1;
                    *held = self.read().await?;
                }
                written => break written?,
            }
        }
        self.push(account, &held.list).await
    }

    /// Makes a list short enough: all credentials up to a time become void, so that those revoked
    /// until then need no entries. Live agents get newer ones before.
    ///
    /// # Errors
    /// When this clock is so far behind those times that newer credentials would be void, too.
    async fn shorten(&self, list: &mut List) -> Result<(), Error> {
        let upto = list.cut(ENTRIES_KEPT_MAX);
        // NATS counts in seconds: what is given in this very one would be void, too.
        let wait = upto.plus(1000).since(UnixMillis::now());
        if wait > CLOCK_BEHIND_MAX {
            return Err(Error::Clock { seconds: wait / 1000 });
        }
        tokio::time::sleep(Duration::from_millis(u64::try_from(wait).unwrap_or(0))).await;
        let renewals = &self.parts.renewals;
        let left = renewals.ask(upto, RENEWAL_PATIENCE).await;
        let entries = list.entries.len();
        list.cover(upto, upto.plus(renewals.credential_millis));
        tracing::warn!(
            entries,
            kept = list.entries.len(),
            lost = left.len(),
            named = ?left.iter().take(NAMED_MAX).map(AgentId::as_str).collect::<Vec<_>>(),
            "too many credentials are revoked: all older ones end; silent agents are lost"
        );
        Ok(())
    }

    /// How full the list is.
    pub async fn view(&self) -> RevocationsView {
        let held = self.held.lock().await;
        let revoked = held.list.revoked(Account::Agents);
        let stamp = Stamp { now: held.list.stamp, jti: Token::random([0; 26]) };
        let claims = self.parts.keys.account_jwt(Account::Agents, &revoked, &stamp);
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        RevocationsView {
            count: number(held.list.entries.len()),
            count_max: number(ENTRIES_MAX),
            bytes: claims.map_or(0, |claims| claims.len() as u64),
            bytes_max: wire::MESSAGE_BYTES_MAX as u64,
            everybody: held.list.everybody.map(|(upto, _)| upto),
        }
    }

    /// Reads what other controllers write, until it is cancelled: on every controller.
    pub async fn follow(&self, cancel: CancellationToken) {
        let mut changes = self.parts.bucket.watch_key(KEY);
        while let Some(change) = cancel.run_until_cancelled(changes.next()).await {
            let Change::Put(entry) = change else { continue };
            let mut held = self.held.lock().await;
            if entry.revision <= held.revision {
                continue;
            }
            match self.open(&entry) {
                Ok(list) => *held = Held { list, revision: entry.revision },
                Err(error) => tracing::error!(
                    error = crate::chain(&error),
                    "the list of revocations is not taken over"
                ),
            }
        }
    }

    /// Begins to hear what is pushed.
    ///
    /// # Errors
    /// When the connection is closed.
    pub async fn listen(&self) -> Result<HeardClaims, Error> {
        Ok(self.parts.pusher.heard_claims().await?)
    }

    /// Keeps the servers at the list, until it is cancelled: on the holder of the lease.
    ///
    /// # Errors
    /// When the connection is closed for good.
    pub async fn keep(
        &self,
        mut heard: HeardClaims,
        cancel: CancellationToken,
    ) -> Result<(), Error> {
        let mut prune = tokio::time::interval(PRUNE_EVERY);
        let mut look = tokio::time::interval(LOOK_EVERY);
        let mut state = self.parts.pusher.state();
        loop {
            let done = tokio::select! {
                claims = heard.next() => self.judge(&claims.ok_or(bus::Error::Closed)?).await,
                _ = prune.tick() => self.prune().await,
                _ = look.tick() => self.look().await,
                Ok(()) = state.changed() => {
                    let now = state.borrow_and_update().clone();
                    if now == State::Connected { self.look().await } else { Ok(()) }
                }
                () = cancel.cancelled() => return Ok(()),
            };
            match done {
                Err(Error::NotLeading) | Ok(()) => {}
                Err(error) => {
                    tracing::warn!(
                        error = crate::chain(&error),
                        "claims are not kept; trying again"
                    );
                }
            }
        }
    }

    /// What was pushed, by whomever.
    async fn judge(&self, claims: &str) -> Result<(), Error> {
        if self.is_own(claims) {
            return Ok(());
        }
        let Ok(registered) = jwt::decode(claims) else { return Ok(()) };
        let ours = |account: &Account| self.parts.keys.public_key(*account) == registered.sub;
        match Account::ALL.into_iter().find(ours) {
            Some(account) => self.restore(account, "others have pushed claims").await,
            None => Ok(()),
        }
    }

    /// What the servers have.
    async fn look(&self) -> Result<(), Error> {
        let account = Account::Agents;
        let stamp = self.own().stamp;
        let found = self.parts.pusher.claims_of(self.parts.keys.public_key(account)).await?;
        let is_older = |claims: &String| {
            jwt::decode(claims).is_ok_and(|registered| registered.iat < stamp.seconds())
        };
        match found.filter(is_older) {
            Some(_) => self.restore(account, "the servers have older claims").await,
            None => Ok(()),
        }
    }

    async fn restore(&self, account: Account, why: &'static str) -> Result<(), Error> {
        let mut held = self.held.lock().await;
        self.leading()?;
        tracing::warn!(account = account.name(), why, "pushing this controller's list again");
        let next = held.list.clone();
        self.write(&mut held, next).await?;
        self.push(account, &held.list).await
    }

    async fn prune(&self) -> Result<(), Error> {
        let mut held = self.held.lock().await;
        let now = UnixMillis::now();
        if !held.list.is_stale(now) {
            return Ok(());
        }
        let mut next = held.list.clone();
        next.prune(now);
        self.write(&mut held, next).await?;
        self.push(Account::People, &held.list).await?;
        self.push(Account::Agents, &held.list).await
    }

    async fn read(&self) -> Result<Held, Error> {
        let Some(entry) = self.parts.bucket.get(KEY).await? else { return Ok(Held::default()) };
        Ok(Held { list: self.open(&entry)?, revision: entry.revision })
    }

    fn open(&self, entry: &Entry) -> Result<List, Error> {
        let signed: Signed = wire::decode(&entry.value).map_err(bus::Error::from)?;
        let root = self.parts.keys.root_public_key();
        signed.open(root, AUDIENCE, None).map_err(Error::Foreign)
    }

    /// Stores a list over the one that is held, with a stamp of its own.
    async fn write(&self, held: &mut Held, mut next: List) -> Result<(), Error> {
        self.leading()?;
        next.stamp = held.list.next_stamp(UnixMillis::now());
        let signed = self.parts.keys.signer().sign(AUDIENCE, &next).map_err(Error::Foreign)?;
        let value = wire::encode(&signed);
        let bucket = &self.parts.bucket;
        let revision = match held.revision {
            0 => bucket.create(KEY, value).await?,
            revision => bucket.update(KEY, value, revision).await?,
        };
        *held = Held { list: next, revision };
        Ok(())
    }

    async fn push_accounts(&self, held: &Held) -> Result<(), Error> {
        for account in [Account::Bus, Account::People, Account::Agents] {
            self.push(account, &held.list).await?;
        }
        Ok(())
    }

    async fn push(&self, account: Account, list: &List) -> Result<(), Error> {
        self.own().owed.insert(account);
        let stamp = Stamp { now: list.stamp, jti: Token::random(random()) };
        // The server compares them with when credentials were issued, in its own time.
        let by_server = |(key, at): (String, UnixMillis)| (key, self.parts.keys.by_server(at));
        let revoked = list.revoked(account).into_iter().map(by_server).collect();
        let claims = self.parts.keys.account_jwt(account, &revoked, &stamp)?;
        self.own().remember(account, &claims, list.stamp);
        self.leading()?;
        self.parts.pusher.push_claims(&claims).await?;
        self.own().owed.remove(&account);
        Ok(())
    }

    fn leading(&self) -> Result<(), Error> {
        self.parts.fence.remaining().map(|_| ()).ok_or(Error::NotLeading)
    }

    /// What the claims say, whatever is revoked.
    fn fingerprint(&self) -> Result<Vec<u8>, Error> {
        let mut all = String::new();
        for account in [Account::Bus, Account::People, Account::Agents] {
            let stamp = Stamp { now: UnixMillis(0), jti: Token::random([0; 26]) };
            all += &self.parts.keys.account_jwt(account, &BTreeMap::new(), &stamp)?;
        }
        Ok(Hash::of(all.as_bytes()).to_string().into_bytes())
    }

    async fn note_claims(&self) -> Result<(), Error> {
        let fingerprint = self.fingerprint()?;
        let known = self.parts.bucket.get(CLAIMS).await?;
        if known.is_none_or(|entry| entry.value != fingerprint) {
            self.parts.bucket.put(CLAIMS, fingerprint).await?;
        }
        Ok(())
    }

    fn is_own(&self, claims: &str) -> bool {
        self.own().recent.contains(&Hash::of(claims.as_bytes()))
    }

    fn own(&self) -> MutexGuard<'_, Own> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Own {
    fn remember(&mut self, account: Account, claims: &str, stamp: UnixMillis) {
        self.recent.push_back(Hash::of(claims.as_bytes()));
        if self.recent.len() > OWN_PUSHES_MAX {
            self.recent.pop_front();
        }
        if account == Account::Agents {
            self.stamp = stamp;
        }
    }
}
