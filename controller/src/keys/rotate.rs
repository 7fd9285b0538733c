//! New keys in the place of old ones. Each change happens whole ([`super::change`]); what a
//! replaced key has signed counts until it is dropped, or has ended by itself.

use super::change::{self, Change};
use super::files::Directory;
use super::make::{self, COMMAND_CERT, COMMAND_KEY};
use super::present::coming_file;
use super::record::{CA, COMMAND, Record, Replaced, role_name};
use super::{Error, Keys, Public, Seed, certificate, read_seed, tls};
use muster_protocol::api::Rotation;
use muster_protocol::id::{ClusterName, UnixMillis};
use muster_protocol::subject::Role;
use nkeys::KeyPair;
use std::path::Path;

/// Only one run at a time makes keys.
pub(crate) const ALONE: &str = ".init.lock";

/// How long credentials of each kind live that were signed before a rotation; none: for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// Of machines that were launched, in milliseconds.
    pub bootstrap_millis: i64,
    /// Of agents, in milliseconds.
    pub agent_millis: i64,
    /// Of controllers, which get new ones at once.
    pub controller_millis: i64,
}

impl Ends {
    fn of(&self, role: Role, now: UnixMillis) -> Option<UnixMillis> {
        match role {
            Role::Bootstrap => Some(now.plus(self.bootstrap_millis)),
            Role::Agent => Some(now.plus(self.agent_millis)),
            Role::Controller => Some(now.plus(self.controller_millis)),
            // A person's credential may have no end.
            Role::Viewer | Role::Operator | Role::Admin => None,
        }
    }
}

impl Keys {
    /// Makes a new command key, signed by the root key, which must be there. Both stay valid until
    /// their certificates end; controllers that run read the new one within seconds.
    ///
    /// # Errors
    /// When the root key is offline, or a file cannot be read or written.
    pub fn rotate_command_key(dir: &Path, now: UnixMillis) -> Result<(), Error> {
        command_key(&Directory::open(dir)?, now)
    }

    /// The same for these keys.
    ///
    /// # Errors
    /// As [`Keys::rotate_command_key`].
    pub fn renew_command_key(&self, now: UnixMillis) -> Result<(), Error> {
        command_key(&self.dir, now)?;
        self.reload().map(drop)
    }

    /// Whether those keys can be made anew: the keys that sign them are here.
    ///
    /// # Errors
    /// When one is kept elsewhere; it says which, and what to do.
    pub fn can_rotate(&self, what: Rotation) -> Result<(), Error> {
        if matches!(what, Rotation::Command | Rotation::All) {
            make::root(&self.dir, COMMAND_KEY)?;
        }
        if matches!(what, Rotation::Ca | Rotation::All) {
            self.dir.read(tls::CA_KEY)?.ok_or(Error::OfflineCa)?;
        }
        Ok(())
    }

    /// Whether the directory has changed since it was read.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn is_stale(&self) -> Result<bool, Error> {
        let certificate = make::read_certificate(&self.dir)?;
        let signs = self.signer().certificate().clone();
        Ok(change::is_under_way(&self.dir)?
            || certificate.is_some_and(|certificate| certificate != signs)
            || Record::read(&self.dir)? != self.present().record)
    }

    /// Makes each role's coming key, unless it is there: the accounts' claims name it from now on.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub fn make_role_keys(&self) -> Result<(), Error> {
        let dir = &self.dir;
        changed(dir, |_, change| {
            for role in Role::ALL {
                let file = coming_file(role);
                if read_seed(dir, &file)?.is_none() {
                    change.write(&file, make::seed_text(dir, &file, &KeyPair::new_account())?);
                }
            }
            Ok(())
        })?;
        self.reload().map(drop)
    }

    /// Whether there are coming keys that are not used yet.
    #[must_use]
    pub fn has_coming(&self) -> bool {
        !self.present().coming.is_empty()
    }

    /// Signs with the coming keys, which the servers must know by now. The present ones are
    /// replaced: they count until what they have signed has ended.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub fn use_role_keys(&self, now: UnixMillis, ends: &Ends) -> Result<(), Error> {
        let dir = &self.dir;
        changed(dir, |record, change| {
            let mut public = Public::require(dir)?;
            for role in Role::ALL {
                let (seed, file) = (Seed::Role(role), coming_file(role));
                let Some(pair) = read_seed(dir, &file)? else { continue };
                let before = public.0.insert(seed.name(), pair.public_key()).unwrap_or_default();
                let (name, until) = (role_name(role), ends.of(role, now));
                record.replaced.push(Replaced { name, public: before, at: now, until });
                record.since.insert(role_name(role), now);
                change.write(&seed.file(), make::seed_text(dir, &file, &pair)?);
                change.remove(&file);
            }
            change.write(Public::FILE, public.text());
            Ok(())
        })?;
        self.reload().map(drop)
    }

    /// Makes a new CA and a server's certificate by it. Who trusts the old CA goes on: the server
    /// shows the new CA's certificate by the old one, too.
    ///
    /// # Errors
    /// When the CA's key is offline, or a file cannot be read or written.
    pub fn renew_ca(
        &self,
        cluster: &ClusterName,
        hosts: &[String],
        now: UnixMillis,
    ) -> Result<(), Error> {
        let dir = &self.dir;
        changed(dir, |record, change| {
            let old = certificate::seen(&dir.require(tls::CA_CERTIFICATE)?);
            let public = old.first().map(|seen| seen.fingerprint.clone()).unwrap_or_default();
            tls::renew(dir, cluster, hosts, record.ca, now, change)?;
            record.ca += 1;
            record.since.insert(CA.into(), now);
            record.replaced.push(Replaced { name: CA.into(), public, at: now, until: None });
            Ok(())
        })?;
        self.reload().map(drop)
    }

    /// Whether a replaced CA is still trusted.
    #[must_use]
    pub fn has_old_ca(&self) -> bool {
        self.present().record.replaced.iter().any(|replaced| replaced.name == CA)
    }

    /// The certificate of the CA that signs now, in PEM.
    #[must_use]
    pub fn newest_ca(&self) -> String {
        certificate::split(&self.ca_pem()).into_iter().next().unwrap_or_default()
    }

    /// Replaced role keys and CAs that still count: when the newest of them was replaced.
    #[must_use]
    pub fn replaced_at(&self) -> Option<UnixMillis> {
        self.present().record.droppable().map(|replaced| replaced.at).max()
    }

    /// Whether the end of a replaced key has come.
    #[must_use]
    pub fn has_ended(&self, now: UnixMillis) -> bool {
        self.present().record.replaced.iter().any(|replaced| is_over(replaced, now))
    }

    /// Forgets the replaced keys whose end has come; all of them, but for command keys, if that is
    /// asked for. The servers let in what they signed until the claims are pushed.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub fn drop_replaced(&self, now: UnixMillis, all: bool) -> Result<(), Error> {
        let dir = &self.dir;
        changed(dir, |record, change| {
            let goes =
                |replaced: &Replaced| is_over(replaced, now) || (all && replaced.name != COMMAND);
            if record.replaced.iter().any(|replaced| replaced.name == CA && goes(replaced)) {
                tls::forget_old(dir, change)?;
            }
            record.replaced.retain(|replaced| !goes(replaced));
            Ok(())
        })?;
        self.reload().map(drop)
    }
}

fn is_over(replaced: &Replaced, now: UnixMillis) -> bool {
    replaced.until.is_some_and(|until| until <= now)
}

fn command_key(dir: &Directory, now: UnixMillis) -> Result<(), Error> {
    changed(dir, |record, change| {
        let root = make::root(dir, COMMAND_KEY)?;
        let key = KeyPair::new_service();
        if let Some(old) = make::read_certificate(dir)? {
            let (name, until) = (COMMAND.to_owned(), Some(old.until));
            record.replaced.push(Replaced { name, public: old.public_key, at: now, until });
        }
        record.since.insert(COMMAND.into(), now);
        change.write(COMMAND_KEY, make::seed_text(dir, COMMAND_KEY, &key)?);
        change.write(COMMAND_CERT, make::certified(&root, &key, now)?);
        Ok(())
    })
}

/// One change, with its record.
fn changed(
    dir: &Directory,
    make: impl FnOnce(&mut Record, &mut Change) -> Result<(), Error>,
) -> Result<(), Error> {
    let _alone = dir.lock(ALONE)?.ok_or_else(|| Error::Busy(dir.root().to_owned()))?;
    drop(change::still(dir)?);
    let (mut record, mut change) = (Record::read(dir)?, Change::default());
    make(&mut record, &mut change)?;
    change.write(Record::FILE, record.next().1);
    change.commit(dir)
}

#[cfg(test)]
mod tests;
