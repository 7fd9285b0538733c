//! The key store: a directory that only its owner reads, with one file for each secret.
//!
//! | file | what it is | who signs with it |
//! |---|---|---|
//! | `operator.nk` | NATS operator | accounts' JWTs |
//! | `sys.nk bus.nk agents.nk people.nk` | NATS accounts | SYS: the claims pusher's JWT |
//! | `role-<role>.nk` | a role's scoped signing key | its users' JWTs |
//! | `root.nk` | root key; may be kept offline | command keys' certificates |
//! | `command.nk`, `command.cert` | command key with its certificate | commands, desired states |
//! | `xkey.nk` | the controller's curve key | (seals pillar) |
//! | `ca.key`, `ca.pem`, `server.key`, `server.pem` | TLS; `ca.key` may be kept offline | TLS |
//! | `public.yaml` | the public halves of the seeds | |
//! | `rotations.yaml` | when keys were made anew, and which replaced ones still count | |
//! | `next-role-<role>.nk` | a role's coming key, until the servers know it | (nobody) |
//!
//! What rotations change is read again while the controller runs: [`Keys::reload`].

mod certificate;
pub(crate) mod change;
mod error;
pub(crate) mod files;
pub(crate) mod make;
mod present;
pub(crate) mod record;
pub(crate) mod rotate;
mod show;
pub(crate) mod tls;

pub use error::Error;
pub use rotate::Ends;

use files::Directory;
use muster_protocol::bus::Credential;
use muster_protocol::id::{AgentId, UnixMillis, UserName};
use muster_protocol::jwt::{self, Revocations, Stamp};
use muster_protocol::seal::Signer;
use muster_protocol::subject::{Account, Role};
use muster_protocol::yaml::{self, Words};
use nkeys::{KeyPair, XKey};
use present::Present;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::watch;

/// A file with one seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Seed {
    /// Signs the accounts' JWTs.
    Operator,
    /// Signs command keys; may be kept offline.
    Root,
    /// An account's own key.
    Account(Account),
    /// A role's scoped signing key.
    Role(Role),
    /// The curve key that pillar is sealed from.
    Curve,
}

impl Seed {
    /// All that `init` makes. Those of roles may be made anew later; the others never change.
    pub(crate) fn all() -> impl Iterator<Item = Seed> {
        [Seed::Operator, Seed::Root, Seed::Curve]
            .into_iter()
            .chain(Account::ALL.map(Seed::Account))
            .chain(Role::ALL.map(Seed::Role))
    }

    /// The name of the file without `.nk`; also the key in `public.yaml`.
    pub(crate) fn name(self) -> String {
        match self {
            Seed::Operator => "operator".into(),
            Seed::Root => "root".into(),
            Seed::Account(account) => account.name().to_lowercase(),
            Seed::Role(role) => format!("role-{}", role.name()),
            Seed::Curve => "xkey".into(),
        }
    }

    pub(crate) fn file(self) -> String {
        format!("{}.nk", self.name())
    }
}

/// The public halves, by the name of each seed: a key that was exchanged is recognised by them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Public(pub(crate) BTreeMap<String, String>);

impl Public {
    pub(crate) const FILE: &str = "public.yaml";

    fn read(dir: &Directory) -> Result<Option<Public>, Error> {
        let Some(text) = dir.read(Self::FILE)? else { return Ok(None) };
        Ok(Some(yaml::parse(&text, &dir.path(Self::FILE), Words::Hidden)?))
    }

    pub(crate) fn require(dir: &Directory) -> Result<Public, Error> {
        Self::read(dir)?.ok_or(Error::Missing { file: Self::FILE.into() })
    }

    pub(crate) fn text(&self) -> String {
        serde_saphyr::to_string(self).expect("a map of strings is YAML")
    }

    pub(crate) fn key(&self, seed: Seed) -> Result<&str, Error> {
        let key = self.0.get(&seed.name()).map(String::as_str);
        key.ok_or_else(|| Error::Missing { file: seed.file() })
    }
}

/// Everything the controller signs with.
pub struct Keys {
    dir: Directory,
    operator: KeyPair,
    accounts: HashMap<Account, (KeyPair, String)>,
    root_public_key: String,
    xkey: XKey,
    present: RwLock<Arc<Present>>,
    changes: watch::Sender<u64>,
    /// See [`Keys::set_server_ahead`].
    server_ahead_millis: AtomicI64,
}

impl fmt::Debug for Keys {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "Keys({})", self.dir.root().display())
    }
}

/// The files of the TLS server, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate of the CA that agents pin.
    pub ca: PathBuf,
    /// The server's certificate.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

impl Keys {
    /// Reads a directory that `muster-controller init` has made; the root key may be absent.
    ///
    /// # Errors
    /// When a file is missing, damaged, readable by others, or another's.
    pub fn load(dir: &Path) -> Result<Keys, Error> {
        let dir = Directory::open(dir)?;
        let present = Present::read(&dir)?;
        let public = &present.public;
        if let Some(root) = read_pair(&dir, Seed::Root)? {
            check_public(public, Seed::Root, &root.public_key())?;
        }
        let load = |seed| load_pair(&dir, public, seed);
        let mut accounts = HashMap::new();
        for account in Account::ALL {
            let pair = load(Seed::Account(account))?;
            let public_key = pair.public_key();
            accounts.insert(account, (pair, public_key));
        }
        Ok(Keys {
            operator: load(Seed::Operator)?,
            accounts,
            root_public_key: public.key(Seed::Root)?.to_owned(),
            xkey: load_curve(&dir, public)?,
            changes: watch::Sender::new(present.record.serial),
            present: RwLock::new(Arc::new(present)),
            server_ahead_millis: AtomicI64::new(0),
            dir,
        })
    }

    /// Reads again what rotations change. Returns whether something has changed.
    ///
    /// # Errors
    /// When a file is missing or damaged: then all stays as it is.
    pub fn reload(&self) -> Result<bool, Error> {
        let fresh = Present::read(&self.dir)?;
        let before = self.present();
        let signs = |present: &Present| present.signer.certificate().public_key.clone();
        if fresh.record == before.record && signs(&fresh) == signs(&before) {
            return Ok(false);
        }
        let serial = fresh.record.serial;
        *self.present.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(fresh);
        self.changes.send_replace(serial);
        Ok(true)
    }

    /// The number of the last change of the keys: of two copies of a directory the one with the
    /// lesser is the older.
    #[must_use]
    pub fn serial(&self) -> u64 {
        self.present().record.serial
    }

    /// Wakes whoever uses what [`Keys::reload`] has changed.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn present(&self) -> Arc<Present> {
        Arc::clone(&self.present.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Where they were read from.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.root()
    }

    /// Signs commands and desired states.
    #[must_use]
    pub fn signer(&self) -> Arc<Signer> {
        Arc::clone(&self.present().signer)
    }

    /// The key that every agent is told at launch.
    #[must_use]
    pub fn root_public_key(&self) -> &str {
        &self.root_public_key
    }

    /// The public key of account BUS: the mark of commands.
    #[must_use]
    pub fn bus_account(&self) -> &str {
        self.public_key(Account::Bus)
    }

    /// The public key of an account: the subject of its claims.
    #[must_use]
    pub fn public_key(&self, account: Account) -> &str {
        &self.accounts[&account].1
    }

    /// The curve key that pillar is sealed from.
    #[must_use]
    pub fn xkey(&self) -> &XKey {
        &self.xkey
    }

    /// The certificates that agents pin, in PEM: more than one after a rotation.
    #[must_use]
    pub fn ca_pem(&self) -> String {
        self.present().ca_pem.clone()
    }

    /// The TLS server's files, for the NATS server and the HTTPS port.
    #[must_use]
    pub fn tls_files(&self) -> TlsFiles {
        TlsFiles {
            ca: self.dir.path(tls::CA_CERTIFICATE),
            certificate: self.dir.path(tls::SERVER_CERTIFICATE),
            key: self.dir.path(tls::SERVER_KEY),
        }
    }

    /// The credential of a launched machine: it may enrol as this agent and do nothing else.
    ///
    /// # Errors
    /// When `public_key` is no user's.
    pub fn bootstrap_jwt(
        &self,
        agent: &AgentId,
        public_key: &str,
        expires: UnixMillis,
        stamp: &Stamp,
    ) -> Result<String, Error> {
        self.user_jwt(Role::Bootstrap, agent.as_str(), public_key, Some(expires), stamp)
    }

    /// The credential of an enrolled agent.
    ///
    /// # Errors
    /// When `public_key` is no user's.
    pub fn agent_jwt(
        &self,
        agent: &AgentId,
        public_key: &str,
        expires: UnixMillis,
        stamp: &Stamp,
    ) -> Result<String, Error> {
        self.user_jwt(Role::Agent, agent.as_str(), public_key, Some(expires), stamp)
    }

    /// The credential of a person: viewer, operator or admin.
    ///
    /// # Errors
    /// When `role` is no person's or `public_key` no user's.
    pub fn person_jwt(
        &self,
        role: Role,
        name: &UserName,
        public_key: &str,
        expires: Option<UnixMillis>,
        stamp: &Stamp,
    ) -> Result<String, Error> {
        if role.account() != Account::People {
            return Err(Error::NoPerson { role: role.name() });
        }
        self.user_jwt(role, name.as_str(), public_key, expires, stamp)
    }

    /// A fresh credential of a controller, for the life of this process; its name is its inbox.
    ///
    /// # Errors
    /// When the signing key is damaged.
    pub fn controller(&self, name: &UserName, stamp: &Stamp) -> Result<Credential, Error> {
        let key = KeyPair::new_user();
        let jwt = self.controller_jwt(name, &key.public_key(), stamp)?;
        Ok(Credential::new(Arc::new(key), jwt))
    }

    /// The JWT of [`Keys::controller`] for a key that the caller has.
    ///
    /// # Errors
    /// When `public_key` is no user's.
    pub fn controller_jwt(
        &self,
        name: &UserName,
        public_key: &str,
        stamp: &Stamp,
    ) -> Result<String, Error> {
        self.user_jwt(Role::Controller, name.as_str(), public_key, None, stamp)
    }

    /// A fresh credential in SYS, for the one holder of the lease to push accounts' claims with:
    /// its name is [`jwt::PUSHER`], its one subject `$SYS.REQ.CLAIMS.UPDATE`.
    ///
    /// # Errors
    /// When the account's key is damaged.
    pub fn pusher(&self, stamp: &Stamp) -> Result<Credential, Error> {
        let key = KeyPair::new_user();
        let jwt = self.pusher_jwt(&key.public_key(), stamp)?;
        Ok(Credential::new(Arc::new(key), jwt))
    }

    /// The JWT of [`Keys::pusher`] for a key that the caller has.
    ///
    /// # Errors
    /// When `public_key` is no user's.
    pub fn pusher_jwt(&self, public_key: &str, stamp: &Stamp) -> Result<String, Error> {
        Ok(jwt::pusher(public_key, &self.accounts[&Account::Sys].0, stamp)?)
    }

    /// An account's claims: what is pushed when revocations, or what roles may do, have changed.
    /// The server takes an older one too and so un-revokes: one pusher only, times never go back.
    ///
    /// # Errors
    /// When the operator's key is damaged.
    pub fn account_jwt(
        &self,
        account: Account,
        revocations: &Revocations,
        stamp: &Stamp,
    ) -> Result<String, Error> {
        let present = self.present();
        Ok(jwt::account(account, &present.claimed, revocations, &self.operator, stamp)?)
    }

    /// The operator's JWT, for the NATS server's configuration.
    ///
    /// # Errors
    /// When the operator's key is damaged.
    pub fn operator_jwt(&self, name: &str, stamp: &Stamp) -> Result<String, Error> {
        Ok(jwt::operator(name, &self.operator, self.public_key(Account::Sys), stamp)?)
    }

    /// How far the NATS server's clock is ahead of this machine's, in milliseconds: credentials are
    /// issued in its time from now on. Returns what was set before.
    pub fn set_server_ahead(&self, millis: i64) -> i64 {
        self.server_ahead_millis.swap(millis, Ordering::Relaxed)
    }

    /// A time of this machine's clock in the NATS server's time.
    #[must_use]
    pub fn by_server(&self, time: UnixMillis) -> UnixMillis {
        time.plus(self.server_ahead_millis.load(Ordering::Relaxed))
    }

    fn user_jwt(
        &self,
        role: Role,
        name: &str,
        public_key: &str,
        expires: Option<UnixMillis>,
        stamp: &Stamp,
    ) -> Result<String, Error> {
        let issuer = self.public_key(role.account());
        let present = self.present();
        let expires = expires.map(|expires| self.by_server(expires));
        let stamp = &Stamp { now: self.by_server(stamp.now), jti: stamp.jti.clone() };
        Ok(jwt::user(role, name, public_key, &present.roles[&role], issuer, expires, stamp)?)
    }
}

fn load_pair(dir: &Directory, public: &Public, seed: Seed) -> Result<KeyPair, Error> {
    let pair = read_pair(dir, seed)?.ok_or_else(|| Error::Missing { file: seed.file() })?;
    check_public(public, seed, &pair.public_key())?;
    Ok(pair)
}

fn load_curve(dir: &Directory, public: &Public) -> Result<XKey, Error> {
    let file = Seed::Curve.file();
    let key = read_curve(dir)?.ok_or(Error::Missing { file })?;
    check_public(public, Seed::Curve, &key.public_key())?;
    Ok(key)
}

fn check_public(public: &Public, seed: Seed, public_key: &str) -> Result<(), Error> {
    if public.key(seed)? == public_key {
        return Ok(());
    }
    Err(Error::Mismatch { file: seed.file(), with: Public::FILE })
}

fn read_pair(dir: &Directory, seed: Seed) -> Result<Option<KeyPair>, Error> {
    read_seed(dir, &seed.file())
}

fn read_seed(dir: &Directory, file: &str) -> Result<Option<KeyPair>, Error> {
    let Some(text) = dir.read(file)? else { return Ok(None) };
    let pair = KeyPair::from_seed(text.trim());
    pair.map(Some).map_err(|source| Error::Seed { path: dir.path(file), source })
}

fn read_curve(dir: &Directory) -> Result<Option<XKey>, Error> {
    let file = Seed::Curve.file();
    let Some(text) = dir.read(&file)? else { return Ok(None) };
    let key = XKey::from_seed(text.trim());
    key.map(Some).map_err(|source| Error::Seed { path: dir.path(&file), source })
}
