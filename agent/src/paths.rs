//! Where the agent's files are: all below `MUSTER_ROOT` if that is set.

use std::path::{Path, PathBuf};

/// The folder that stands for the machine's `/`.
pub(crate) const ROOT_VARIABLE: &str = "MUSTER_ROOT";
/// Where user-data puts the bootstrap file.
pub(crate) const BOOTSTRAP: &str = "/etc/muster/bootstrap.yaml";
/// Another folder than [`DATA`] for what runs of states by hand keep.
pub(crate) const DATA_VARIABLE: &str = "MUSTER_DATA";
/// Settings of this machine.
pub(crate) const SETTINGS: &str = "/etc/muster/agent.yaml";
/// What the agent keeps.
pub(crate) const DATA: &str = "/var/lib/muster-agent";
/// Where the daemon's log goes without systemd.
pub(crate) const LOG: &str = "/var/log/muster-agent.log";
/// The daemon's process id.
pub(crate) const PID: &str = "/run/muster-agent.pid";

/// The machine's `/`, or a folder that stands for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Root(Option<PathBuf>);

impl Root {
    /// The root that the environment names.
    pub(crate) fn from_env() -> Root {
        let set = std::env::var_os(ROOT_VARIABLE).filter(|root| !root.is_empty());
        Root(set.map(PathBuf::from).filter(|root| root != Path::new("/")))
    }

    /// Whether it is the machine itself.
    pub(crate) fn is_machine(&self) -> bool {
        self.0.is_none()
    }

    /// An absolute path of the machine, below the root.
    pub(crate) fn at(&self, path: &str) -> PathBuf {
        match &self.0 {
            Some(root) => root.join(path.trim_start_matches('/')),
            None => PathBuf::from(path),
        }
    }

    /// The folder, if it is not the machine itself.
    pub(crate) fn folder(&self) -> Option<&Path> {
        self.0.as_deref()
    }
}

/// The folder in which runs of states by hand keep their journals and what files were.
pub(crate) fn by_hand(root: &Root) -> Data {
    let named = std::env::var_os(DATA_VARIABLE).filter(|folder| !folder.is_empty());
    Data::new(named.map_or_else(|| root.at(DATA), PathBuf::from))
}

/// The names below the data folder.
#[derive(Clone, Debug)]
pub(crate) struct Data(PathBuf);

impl Data {
    pub(crate) fn new(folder: PathBuf) -> Data {
        Data(folder)
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.0
    }

    /// Held by the one daemon that runs.
    pub(crate) fn lock(&self) -> PathBuf {
        self.0.join("lock")
    }

    /// The seeds, made before enrolling.
    pub(crate) fn keys(&self) -> PathBuf {
        self.0.join("keys.json")
    }

    /// What enrolling brought; the systemd unit looks for it.
    pub(crate) fn identity(&self) -> PathBuf {
        self.0.join("identity.json")
    }

    /// The cluster's CA.
    pub(crate) fn ca(&self) -> PathBuf {
        self.0.join("ca.pem")
    }

    /// The newest desired state, as it was signed.
    pub(crate) fn desired(&self) -> PathBuf {
        self.0.join("desired.bin")
    }

    /// The newest desired state that was applied.
    pub(crate) fn applied(&self) -> PathBuf {
        self.0.join("applied.json")
    }

    /// The run of states that has begun and not ended.
    pub(crate) fn journal(&self) -> PathBuf {
        self.0.join("journal.json")
    }

    /// Where the state engine is within that run.
    pub(crate) fn states_journal(&self) -> PathBuf {
        self.0.join("states.journal")
    }

    /// What files were before the last runs of states.
    pub(crate) fn backups(&self) -> PathBuf {
        self.0.join("backups")
    }

    /// Where the state engine is within a run by hand of some folders.
    pub(crate) fn local_journal(&self, of: u64) -> PathBuf {
        self.0.join(format!("local-{of:016x}.journal"))
    }

    /// The commands of the last minute.
    pub(crate) fn commands(&self) -> PathBuf {
        self.0.join("commands")
    }

    /// Files by their hash.
    pub(crate) fn blobs(&self) -> PathBuf {
        self.0.join("blobs")
    }

    /// State trees by their manifest's hash.
    pub(crate) fn trees(&self) -> PathBuf {
        self.0.join("tree")
    }

    /// Events that no stream has acknowledged yet.
    pub(crate) fn spool(&self) -> PathBuf {
        self.0.join("spool")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_comes_before_every_path() {
        assert_eq!(Root::default().at(BOOTSTRAP), Path::new(BOOTSTRAP));
        let root = Root(Some("/tmp/w".into()));
        assert_eq!(root.at(BOOTSTRAP), Path::new("/tmp/w/etc/muster/bootstrap.yaml"));
        assert!(!root.is_machine());
    }
}
