//! Who this machine is: the keys that it made, and what enrolling brought it.

use crate::clock::Mark;
use crate::files;
use crate::paths::{Data, Root};
use crate::settings::Given;
use muster_protocol::bus::Credential;
use muster_protocol::id::{AgentId, ClusterName, UnixMillis};
use nkeys::{KeyPair, XKey};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// Names the instance where the machine has no DMI UUID.
const SERVER_ID_VARIABLE: &str = "MUSTER_SERVER_ID";
const SERVER_ID: &str = "/etc/muster/server_id";
const PRODUCT_UUID: &str = "/sys/class/dmi/id/product_uuid";
const SERVER_ID_BYTES_MAX: usize = 128;

/// Why there is no identity.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A file.
    #[error(transparent)]
    File(#[from] files::Error),
    /// Seeds that are none.
    #[error("the keys in {path} are damaged: remove it, and give the machine new user-data")]
    Keys {
        /// The file.
        path: String,
    },
    /// The disk was copied to another machine.
    #[error(
        "this disk belongs to instance {then} and runs in {now}: it is a copy; give this machine \
         user-data of its own, or remove {folder}"
    )]
    Cloned {
        /// The instance that enrolled.
        then: String,
        /// The instance that this is.
        now: String,
        /// Where the identity is.
        folder: String,
    },
}

/// The agent's user key and curve key.
pub(crate) struct Keys {
    /// Signs at each connect, and renewals.
    pub(crate) user: Arc<KeyPair>,
    /// Opens pillar.
    pub(crate) curve: XKey,
}

impl fmt::Debug for Keys {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "Keys({})", self.user.public_key())
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Seeds {
    agent_id: AgentId,
    user: String,
    curve: String,
}

impl Keys {
    /// The keys of this generation: those on disk, or new ones that are then on disk. So a claim
    /// whose answer was lost is repeated with the same keys and gets the same answer.
    pub(crate) fn obtain(data: &Data, agent_id: &AgentId) -> Result<Keys, Error> {
        let damaged = || Error::Keys { path: data.keys().display().to_string() };
        let seeds = match files::read_json::<Seeds>(&data.keys())? {
            Some(seeds) if seeds.agent_id == *agent_id => seeds,
            Some(_) | None => {
                let user = KeyPair::new_user().seed().map_err(|_| damaged())?;
                let curve = XKey::new().seed().map_err(|_| damaged())?;
                let seeds = Seeds { agent_id: agent_id.clone(), user, curve };
                files::write_json(&data.keys(), &seeds)?;
                seeds
            }
        };
        let user = Arc::new(KeyPair::from_seed(&seeds.user).map_err(|_| damaged())?);
        let curve = XKey::from_seed(&seeds.curve).map_err(|_| damaged())?;
        Ok(Keys { user, curve })
    }
}

/// What enrolling brought.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// The generation.
    pub(crate) agent_id: AgentId,
    /// The cluster.
    pub(crate) cluster: ClusterName,
    /// The addresses of NATS.
    pub(crate) servers: Vec<String>,
    /// The CA, as PEM.
    pub(crate) ca: String,
    /// The key that vouches for the controller's.
    pub(crate) root_public_key: String,
    /// The agent's credential.
    pub(crate) jwt: String,
    /// When it ends.
    pub(crate) expires: UnixMillis,
    /// When it was given.
    pub(crate) given: UnixMillis,
    /// The public key of account BUS.
    pub(crate) bus_account: String,
    /// The public half of the controller's curve key.
    pub(crate) controller_xkey: String,
    /// The controller's time.
    pub(crate) time: Mark,
    /// The instance that enrolled, if it has an id.
    pub(crate) server_id: Option<String>,
    /// Settings that the bootstrap file brought.
    pub(crate) agent: Given,
}

impl fmt::Debug for Identity {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "Identity({})", self.agent_id)
    }
}

impl Identity {
    /// The identity on disk; none if this machine has not enrolled.
    pub(crate) fn read(data: &Data) -> Result<Option<Identity>, Error> {
        Ok(files::read_json(&data.identity())?)
    }

    /// Keeps it, so that it withstands a power cut.
    pub(crate) fn write(&self, data: &Data) -> Result<(), Error> {
        Ok(files::write_json(&data.identity(), self)?)
    }

    /// Refuses to be used by a copy of the machine that enrolled.
    pub(crate) fn check_instance(&self, now: Option<&str>, data: &Data) -> Result<(), Error> {
        match (&self.server_id, now) {
            (Some(then), Some(now)) if then != now => Err(Error::Cloned {
                then: then.clone(),
                now: now.to_owned(),
                folder: data.folder().display().to_string(),
            }),
            _ => Ok(()),
        }
    }

    /// The credential for the bus.
    pub(crate) fn credential(&self, keys: &Keys) -> Credential {
        Credential::new(keys.user.clone(), self.jwt.clone())
    }
}

/// This instance's own id: what the provider says, or the DMI UUID; none if it has none.
pub(crate) fn server_id(root: &Root) -> Option<String> {
    let told = std::env::var(SERVER_ID_VARIABLE).ok();
    let file = |path| std::fs::read_to_string(root.at(path)).ok();
    let id = told.or_else(|| file(SERVER_ID)).or_else(|| file(PRODUCT_UUID))?;
    let id = id.trim().to_lowercase();
    (!id.is_empty() && id.len() <= SERVER_ID_BYTES_MAX).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    fn agent_id() -> AgentId {
        "compute-0007-abcdefghijkm".parse().unwrap()
    }

    pub(crate) fn identity() -> Identity {
        Identity {
            agent_id: agent_id(),
            cluster: "pluto".parse().unwrap(),
            servers: Vec::new(),
            ca: String::new(),
            root_public_key: String::new(),
            jwt: "secret.jwt".into(),
            expires: UnixMillis(0),
            given: UnixMillis(0),
            bus_account: String::new(),
            controller_xkey: String::new(),
            time: clock::mark(UnixMillis(0)),
            server_id: Some("a".into()),
            agent: Given::default(),
        }
    }

    #[test]
    fn keys_stay_until_the_next_generation() {
        let dir = tempfile::tempdir().unwrap();
        let data = Data::new(dir.path().to_owned());
        let first = Keys::obtain(&data, &agent_id()).unwrap().user.public_key();
        assert_eq!(Keys::obtain(&data, &agent_id()).unwrap().user.public_key(), first);
        let next = "compute-0007-abcdefghijkn".parse().unwrap();
        assert_ne!(Keys::obtain(&data, &next).unwrap().user.public_key(), first);
    }

    #[test]
    fn a_cloned_disk_is_refused() {
        let data = Data::new("/var/lib/muster-agent".into());
        assert!(identity().check_instance(Some("a"), &data).is_ok());
        assert!(identity().check_instance(None, &data).is_ok());
        let error = identity().check_instance(Some("b"), &data).unwrap_err().to_string();
        assert!(error.contains("copy") && error.contains("remove"), "{error}");
        assert!(!format!("{:?}", identity()).contains("secret"));
    }
}
