//! People: who may call, until when, and whose credentials are void. A signed document for each.
//!
//! The credential is what the NATS server checks; the document is what the controllers check. Each
//! call must come on the key of its person's document, so a credential that somebody made with a
//! stolen role key is refused, and so is one whose revocation the servers do not know yet.

mod cut;
mod first;
mod person;

pub use cut::Cut;
pub use first::First;
pub use person::{FORMER_MAX, Person, Void};

use crate::documents::Documents;
use crate::keys::Keys;
use muster_protocol::api::PersonRole;
use muster_protocol::bus::bucket::{Bucket, Change, Entry};
use muster_protocol::bus::{self, Caller};
use muster_protocol::id::{Token, UnixMillis, UserName, random};
use muster_protocol::seal::{self, Signed};
use muster_protocol::subject::Account;
use muster_protocol::wire;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// People that are known, with those whose credentials are void or have ended.
pub const PEOPLE_MAX: usize = 1000;
/// How often one change is tried against others that come between.
const TRIES_MAX: u32 = 16;

/// Why a person's document could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A document that is not the controller's.
    #[error("the document of {name} is not one that this controller's key has signed")]
    Foreign {
        /// Whose it should be.
        name: String,
        /// What is wrong with it.
        #[source]
        source: seal::Error,
    },
    /// Signing failed.
    #[error("signing a person's document")]
    Sign(#[source] seal::Error),
    /// Others changed it each time.
    #[error("{name} was changed by others {TRIES_MAX} times in a row")]
    Contended {
        /// Whose document.
        name: UserName,
    },
    /// The bus.
    #[error(transparent)]
    Bus(#[from] bus::Error),
}

/// Why a caller is not let in.
#[derive(Debug, thiserror::Error)]
pub enum Denied {
    /// No document names this key: it is not of our making, or its document is lost.
    #[error(
        "no `muster user add` of this cluster has made the credential of {0}: ask an admin to add \
         you, or on the head node move the first person's context away and run `muster init` again"
    )]
    Unknown(String),
    /// The name, role or account is not that of the credential.
    #[error("the credential of {0} does not say what its call says: use a context file as it is")]
    Other(String),
    /// An admin has revoked it.
    #[error("the credential of {0} was revoked: ask an admin to add you again")]
    Revoked(UserName),
    /// It has ended.
    #[error("the credential of {0} has expired: ask an admin to add you again")]
    Expired(UserName),
    /// It could not be looked up.
    #[error("whether {0} may call cannot be looked up now; try again")]
    Unavailable(UserName, #[source] Error),
}

#[derive(Clone, Debug)]
struct Held {
    person: Person,
    revision: u64,
}

/// All people, as last seen.
#[derive(Debug)]
pub struct People {
    documents: Arc<dyn Documents>,
    keys: Arc<Keys>,
    held: Mutex<BTreeMap<UserName, Held>>,
    changes: watch::Sender<u64>,
    /// Held while what is judged of several people must stay true until one is changed.
    pub judging: tokio::sync::Mutex<()>,
}

impl People {
    /// Reads all documents, and takes the first person in, whom `init` has made. A document that is
    /// foreign gives nobody a right and is told.
    ///
    /// # Errors
    /// When the documents cannot be read.
    pub async fn open(documents: Arc<dyn Documents>, keys: Arc<Keys>) -> Result<People, Error> {
        let (held, changes) = (Mutex::default(), watch::Sender::new(0));
        let people =
            People { documents, keys, held, changes, judging: tokio::sync::Mutex::default() };
        for entry in people.documents.all().await? {
            people.take(&entry);
        }
        if let Some(first) = First::read(&people.keys) {
            people.take_in(&first).await?;
        }
        Ok(people)
    }

    /// Takes what other controllers write, until it is cancelled.
    pub async fn follow(&self, bucket: Bucket, cancel: CancellationToken) {
        let mut changes = bucket.watch();
        while let Some(change) = cancel.run_until_cancelled(changes.next()).await {
            match change {
                Change::Put(entry) => self.take(&entry),
                Change::Removed { key, .. } => {
                    tracing::error!(key, "a person's document was removed; it is kept in memory");
                }
            }
        }
    }

    /// Everybody, as last seen, by name.
    #[must_use]
    pub fn all(&self) -> Vec<Person> {
        self.lock().values().map(|held| held.person.clone()).collect()
    }

    /// One person, as last seen.
    #[must_use]
    pub fn person(&self, name: &UserName) -> Option<Person> {
        self.lock().get(name).map(|held| held.person.clone())
    }

    /// Counts every change; a loop that waits on it misses none.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Who calls, if that person may call now. The server has checked the credential; here it is
    /// checked that it is the one of the person's document, for the case that the server is wrong.
    ///
    /// # Errors
    /// With the reason, for the person who called.
    pub async fn admit(&self, caller: &Caller, now: UnixMillis) -> Result<Person, Denied> {
        let other = || Denied::Other(caller.name.clone());
        let name: UserName = caller.name.parse().map_err(|_| other())?;
        if caller.account != self.keys.public_key(Account::People) {
            return Err(other());
        }
        let role = self.keys.role_of(&caller.issuer).and_then(PersonRole::of).ok_or_else(other)?;
        let person = self.of_key(&name, &caller.key).await?;
        if person.revoked.is_some() {
            return Err(Denied::Revoked(name));
        }
        if person.has_ended(now) {
            return Err(Denied::Expired(name));
        }
        if person.role != role {
            return Err(other());
        }
        Ok(person)
    }

    /// The person of a name and a key. Another controller may have added somebody a moment ago, and
    /// `init` may have made a new first person: one that memory does not know is looked for.
    async fn of_key(&self, name: &UserName, key: &str) -> Result<Person, Denied> {
        let of_it = |person: &Person| person.public_key == key;
        if let Some(person) = self.person(name).filter(of_it) {
            return Ok(person);
        }
        let unavailable = |error| Denied::Unavailable(name.clone(), error);
        if let Some((person, _)) = self.load(name).await.map_err(unavailable)?
            && of_it(&person)
        {
            return Ok(person);
        }
        if let Some(first) = First::read(&self.keys)
            && first.name == *name
            && first.public_key == key
        {
            self.take_in(&first).await.map_err(unavailable)?;
        }
        self.person(name).filter(of_it).ok_or_else(|| Denied::Unknown(name.to_string()))
    }

    /// The first person's document, unless there is one of a newer credential.
    async fn take_in(&self, first: &First) -> Result<(), Error> {
        let known = |person: &Person| person.public_key == first.public_key;
        self.change(&first.name, |before| {
            let older = before.as_ref().is_none_or(|person| person.issued < first.issued);
            match before {
                Some(person) if known(&person) || !older => Err(()),
                before => Ok(first.person(before, UnixMillis::now())),
            }
        })
        .await
        .map(drop)
    }

    /// Changes a document by compare-and-set; `change` gets what is there. Returns what is stored,
    /// or what `change` refused with.
    ///
    /// # Errors
    /// When the bus fails, the document is foreign, or others change it each time.
    pub async fn change<F, E>(&self, name: &UserName, change: F) -> Result<Result<Person, E>, Error>
    where
        F: Fn(Option<Person>) -> Result<Person, E>,
    {
        for _ in 0..TRIES_MAX {
            let before = self.load(name).await?;
            let revision = before.as_ref().map(|(_, revision)| *revision);
            let mut next = match change(before.map(|(person, _)| person)) {
                Ok(next) => next,
                Err(refused) => return Ok(Err(refused)),
            };
            next.op_id = Token::random(random());
            let bytes = self.sign(&next)?;
            let written = match revision {
                Some(revision) => self.documents.update(name.as_str(), bytes, revision).await,
                None => self.documents.create(name.as_str(), bytes).await,
            };
            match written {
                Ok(revision) => {
                    self.hold(next.clone(), revision);
                    return Ok(Ok(next));
                }
                // A write whose answer was lost bears our id.
                Err(error) => match self.load(name).await? {
                    Some((person, _)) if person.op_id == next.op_id => return Ok(Ok(person)),
                    _ if matches!(error, bus::Error::Conflict { .. }) => {}
                    _ => return Err(error.into()),
                },
            }
        }
        Err(Error::Contended { name: name.clone() })
    }

    async fn load(&self, name: &UserName) -> Result<Option<(Person, u64)>, Error> {
        let Some(entry) = self.documents.get(name.as_str()).await? else { return Ok(None) };
        let person = self.read(&entry)?;
        self.hold(person.clone(), entry.revision);
        Ok(Some((person, entry.revision)))
    }

    /// Takes what another controller wrote, unless something newer is known.
    fn take(&self, entry: &Entry) {
        match self.read(entry) {
            Ok(person) => self.hold(person, entry.revision),
            Err(error) => {
                let error = crate::chain(&error);
                tracing::error!(error, "a person's document is ignored: it gives no right");
            }
        }
    }

    fn sign(&self, person: &Person) -> Result<Vec<u8>, Error> {
        let signed = self.keys.signer().sign(&audience(person.name.as_str()), person);
        Ok(wire::encode(&signed.map_err(Error::Sign)?))
    }

    /// A document outlives the command key that signed it, so its age is not judged.
    fn read(&self, entry: &Entry) -> Result<Person, Error> {
        let foreign = |source| Error::Foreign { name: entry.key.clone(), source };
        let signed: Signed = wire::decode(&entry.value).map_err(|error| foreign(error.into()))?;
        signed.open(self.keys.root_public_key(), &audience(&entry.key), None).map_err(foreign)
    }

    fn hold(&self, person: Person, revision: u64) {
        let mut all = self.lock();
        if all.get(&person.name).is_none_or(|held| held.revision < revision) {
            all.insert(person.name.clone(), Held { person, revision });
        }
        drop(all);
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<UserName, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn audience(name: &str) -> String {
    format!("registry/person/{name}")
}

#[cfg(test)]
mod tests;
