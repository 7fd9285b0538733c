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

pub(super) use absent::Absent;
pub(super) use append::Append;
pub(super) use directory::Directory;
pub(super) use managed::Managed;
pub(super) use recurse::Recurse;
pub(super) use symlink::Symlink;

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
