//! Namespaces, and the one user of a user namespace.

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};
use std::fs;
use std::io;

/// A namespace that could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("making the worker's own namespaces")]
    Make(#[source] Errno),
    #[error("mapping one user into the worker's namespace")]
    Map(#[source] io::Error),
}

/// Leaves the namespaces of these kinds for new ones.
pub(crate) fn enter(kinds: CloneFlags) -> Result<(), Error> {
    unshare(kinds).map_err(Error::Make)
}

/// The same, in a user namespace in which the one user that we are is root.
pub(crate) fn map_user(kinds: CloneFlags) -> Result<(), Error> {
    let (uid, gid) = (geteuid(), getegid());
    enter(kinds | CloneFlags::CLONE_NEWUSER)?;
    let write = |file: &str, text: String| {
        fs::write(format!("/proc/self/{file}"), text).map_err(Error::Map)
    };
    write("uid_map", format!("0 {uid} 1"))?;
    // Without this a process could leave a group that is there to keep it out: user_namespaces(7).
    write("setgroups", "deny".to_owned())?;
    write("gid_map", format!("0 {gid} 1"))
}
