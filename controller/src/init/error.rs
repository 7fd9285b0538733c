//! Why a directory is not made; each message ends with what to do next.

use crate::keys;
use std::path::PathBuf;

/// Why a directory is not made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A key or file.
    #[error(transparent)]
    Keys(#[from] keys::Error),
    /// Another run is at it.
    #[error("another `init` works on {}: wait until it has ended", .0.display())]
    Busy(PathBuf),
    /// The first run needs it.
    #[error("the first run needs {0}: add it")]
    Needs(&'static str),
    /// The directory was made with another value.
    #[error(
        "{} was made with {option} {before}, and now {option} is {now}: leave the option out, \
         or use another --dir",
        dir.display()
    )]
    Differs {
        /// The directory.
        dir: PathBuf,
        /// The option's name.
        option: &'static str,
        /// Its value in `init.yaml`.
        before: String,
        /// Its value now.
        now: String,
    },
    /// A value that cannot be used.
    #[error("{option} {value:?} {rule}")]
    Value {
        /// The option's name.
        option: &'static str,
        /// What was given.
        value: String,
        /// What is wrong, and what to use instead.
        rule: &'static str,
    },
}
