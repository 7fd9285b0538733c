//! The bootstrap file: what user-data leaves on a new machine, and what it may do once.

use crate::files;
use crate::settings::Given;
use muster_protocol::id::{AgentId, ClusterName};
use nkeys::KeyPair;
use serde::Deserialize;
use std::fmt;
use std::path::Path;

/// A text that appears nowhere.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("Secret")
    }
}

/// What a new machine is told.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bootstrap {
    /// The generation that it is.
    pub(crate) agent_id: AgentId,
    /// The cluster that it joins.
    pub(crate) cluster: ClusterName,
    /// The addresses of NATS; any will do.
    pub(crate) servers: Vec<String>,
    /// The cluster's CA, as PEM.
    pub(crate) ca: String,
    /// The key that vouches for the controller's.
    pub(crate) root_public_key: String,
    /// The bootstrap user's JWT.
    pub(crate) jwt: Secret,
    /// The bootstrap user's seed.
    pub(crate) seed: Secret,
    /// Settings of this machine.
    #[serde(default)]
    pub(crate) agent: Given,
}

/// Why a bootstrap file is none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// It cannot be read, or everybody could read it.
    #[error(transparent)]
    File(#[from] files::Error),
    /// A field that is not what it should be.
    #[error("{field} in {path} is {problem}: give the machine new user-data")]
    Field {
        /// The file.
        path: String,
        /// The field.
        field: &'static str,
        /// What is wrong.
        problem: &'static str,
    },
}

impl Bootstrap {
    /// Reads the file; none if there is no such file.
    pub(crate) fn read(path: &Path) -> Result<Option<Bootstrap>, Error> {
        let Some(bytes) = files::read_secret(path)? else { return Ok(None) };
        Bootstrap::parse(&bytes, path).map(Some)
    }

    /// Reads its bytes; `path` is for the error alone.
    pub(crate) fn parse(bytes: &[u8], path: &Path) -> Result<Bootstrap, Error> {
        let bootstrap: Bootstrap =
            muster_states::read_yaml_as(files::text(path, bytes)?).map_err(|error| {
                let what = format!("{}; or give the machine new user-data", error.reason);
                files::at(path, error.line, error.column, what)
            })?;
        let field =
            |field, problem| Error::Field { path: path.display().to_string(), field, problem };
        bootstrap.check().map_err(|(name, problem)| field(name, problem))?;
        Ok(bootstrap)
    }

    fn check(&self) -> Result<(), (&'static str, &'static str)> {
        let tls = |server: &String| server.starts_with("tls://");
        if self.servers.is_empty() || !self.servers.iter().all(tls) {
            return Err(("servers", "not a list of tls://host:port"));
        }
        if !self.ca.contains("-----BEGIN CERTIFICATE-----") {
            return Err(("ca", "no certificate in PEM"));
        }
        if self.agent.check().is_err() {
            return Err(("agent.interval_secs", "not from 1 to 3600"));
        }
        if self.agent.data.is_some() {
            return Err(("agent.data", "of /etc/muster/agent.yaml only"));
        }
        if KeyPair::from_public_key(&self.root_public_key).is_err() {
            return Err(("root_public_key", "no public key"));
        }
        self.key().map(|_| ()).ok_or(("seed", "no seed of a user key"))
    }

    /// The bootstrap user's key.
    pub(crate) fn key(&self) -> Option<KeyPair> {
        let key = KeyPair::from_seed(self.seed.expose()).ok()?;
        matches!(key.key_pair_type(), nkeys::KeyPairType::User).then_some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const CA: &str = "-----BEGIN CERTIFICATE-----\\nMIIB\\n-----END CERTIFICATE-----\\n";

    fn text(seed: &str) -> String {
        let root = KeyPair::new_operator().public_key();
        format!(
            "agent_id: compute-0007-abcdefghijkm\ncluster: pluto\nservers: ['tls://127.0.0.1:1']\n\
             ca: \"{CA}\"\nroot_public_key: {root}\njwt: a.b.c\nseed: {seed}\n"
        )
    }

    fn read(text: &str) -> Result<Option<Bootstrap>, Error> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bootstrap.yaml");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        Bootstrap::read(&path)
    }

    #[test]
    fn what_user_data_leaves_is_read() {
        let seed = KeyPair::new_user().seed().unwrap();
        let bootstrap = read(&text(&seed)).unwrap().unwrap();
        assert_eq!(bootstrap.agent_id.worker().as_str(), "compute-0007");
        assert!(bootstrap.key().is_some());
        assert_eq!(bootstrap.agent, Given::default());
        let with = text(&seed) + "agent: {exec: true, interval_secs: 5}\n";
        assert_eq!(read(&with).unwrap().unwrap().agent.exec, Some(true));
    }

    #[test]
    fn no_error_shows_the_seed() {
        let seed = KeyPair::new_user().seed().unwrap();
        let account = KeyPair::new_account().seed().unwrap();
        let bad = [
            text(&seed) + "more: 1\n",
            text(&seed).replace("seed: ", "seed: {a: ") + "}",
            text(&seed).replace("jwt: a.b.c", "jwt: ["),
            text(&account),
            text(&seed).replace("tls://", "nats://"),
        ];
        for text in bad {
            let error = read(&text).unwrap_err().to_string();
            assert!(!error.contains(&seed) && !error.contains(&account), "{error}");
            assert!(error.contains("bootstrap.yaml"), "{error}");
        }
        assert!(!format!("{:?}", read(&text(&seed)).unwrap()).contains(&seed));
    }
}
