//! Why keys are not made or not read; each message ends with what to do next.

use std::path::PathBuf;

/// Why keys are not made or not read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system refuses.
    #[error("{doing} {}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// Others may read or write it.
    #[error("{} is open to others (mode {mode:04o}): run `chmod {fix} {}`",
        path.display(), path.display())]
    Mode {
        /// The file or directory.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// The mode it should have.
        fix: &'static str,
    },
    /// It belongs to another user.
    #[error(
        "{} belongs to uid {owner} and this process runs as uid {uid}: run it as its owner, \
         or `chown -R {uid} {}`",
        path.display(), path.display()
    )]
    Owner {
        /// The file or directory.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who reads it.
        uid: u32,
    },
    /// It is a link, a device, a directory, or larger than any key.
    #[error("{} is no plain file of at most {max} bytes: \
        put back what `muster-controller init` made", path.display())]
    Kind {
        /// The file.
        path: PathBuf,
        /// The limit.
        max: u64,
    },
    /// It was not made yet, or was removed.
    #[error("{file} is missing: run `muster-controller init`, which makes what is missing")]
    Missing {
        /// The file's name in the directory.
        file: String,
    },
    /// It was made once, agents and credentials depend on it, and it is gone.
    #[error(
        "{file} was made before and is gone: put it back from a backup; what it signed cannot be \
         made anew"
    )]
    Lost {
        /// The file's name in the directory.
        file: String,
    },
    /// Two files that belong together do not.
    #[error("{file} does not belong to {with}: put both back from the same backup")]
    Mismatch {
        /// The one file.
        file: String,
        /// The other.
        with: &'static str,
    },
    /// No seed.
    #[error("{} holds no seed: put it back from a backup", path.display())]
    Seed {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: nkeys::error::Error,
    },
    /// YAML or JSON that cannot be read.
    #[error("{} cannot be read: put it back from a backup", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// YAML with something else than was written: with line and column.
    #[error("{0}; or put it back from a backup")]
    Content(String),
    /// A new command key needs the root key, which is not here.
    #[error(
        "{file} cannot be made without root.nk: put the root key back for this, then remove it \
         again"
    )]
    Offline {
        /// What was to be made.
        file: &'static str,
    },
    /// A new CA needs the key of the present one, which is not here.
    #[error(
        "a new CA cannot be made without ca.key: put it back for this, then move the new ca.key \
         away"
    )]
    OfflineCa,
    /// Another run is at it.
    #[error("another run changes the keys in {}: try again when it has ended", .0.display())]
    Busy(PathBuf),
    /// A certificate could not be made.
    #[error("making {what}")]
    Certificate {
        /// Which one.
        what: &'static str,
        /// Why.
        #[source]
        source: rcgen::Error,
    },
    /// The role is not one of people.
    #[error("{role} is no role of people: use viewer, operator or admin")]
    NoPerson {
        /// The role.
        role: &'static str,
    },
    /// A JWT could not be made.
    #[error(transparent)]
    Jwt(#[from] muster_protocol::jwt::Error),
    /// The root key could not sign.
    #[error(transparent)]
    Seal(#[from] muster_protocol::seal::Error),
}

impl From<muster_protocol::yaml::Error> for Error {
    fn from(error: muster_protocol::yaml::Error) -> Error {
        Error::Content(error.to_string())
    }
}

impl Error {
    pub(crate) fn io(
        doing: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.into();
        move |source| Error::Io { doing, path, source }
    }

    pub(crate) fn damaged(
        path: PathBuf,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Error {
        Error::Damaged { path, source: Box::new(source) }
    }
}
