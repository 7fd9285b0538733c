//! Salt's `file`: files, folders, links and what is in them.

mod absent;
mod append;
mod diff;
mod directory;
mod managed;
pub(crate) mod patterns;
mod perms;
mod recurse;
mod source;
mod symlink;

use super::Function;
use absent::Absent;
use append::Append;
use directory::Directory;
use managed::Managed;
use recurse::Recurse;
use symlink::Symlink;

/// This module's functions.
pub(super) const ALL: &[Function] = &[
    Function::of::<Managed>(),
    Function::of::<Directory>(),
    Function::of::<Symlink>(),
    Function::of::<Absent>(),
    Function::of::<Recurse>(),
    Function::of::<Append>(),
];

/// Arguments of Salt's that only Windows knows.
const WINDOWS: &[&str] =
    &["win_owner", "win_perms", "win_deny_perms", "win_inheritance", "win_perms_reset"];

/// Salt's words for a name that is no absolute path, if it is none.
fn not_absolute(name: &str) -> Option<String> {
    (!name.starts_with('/')).then(|| format!("Specified file {name} is not an absolute path"))
}

/// The folder that a path lies in.
fn parent(name: &str) -> &str {
    match name.trim_end_matches('/').rsplit_once('/') {
        Some(("", _)) | None => "/",
        Some((parent, _)) => parent,
    }
}
