//! Salt's `file`: files, folders, links and what is in them.

mod absent;
mod accumulated;
mod append;
mod blockreplace;
mod cached;
mod comment;
mod copy;
mod decode;
pub(super) mod diff;
mod directory;
mod exists;
mod flags;
mod hardlink;
mod keyvalue;
mod line;
mod managed;
mod matcher;
mod mknod;
mod patch;
pub(crate) mod patterns;
mod perms;
mod pruned;
mod recurse;
mod rename;
mod replace;
mod retention;
mod serialize;
pub(in crate::function) mod source;
mod symlink;
pub(in crate::function) mod text;
mod tidied;
mod touch;

use super::Function;
use absent::Absent;
use accumulated::Accumulate;
pub(crate) use accumulated::Accumulated;
use append::{Append, Prepend};
use blockreplace::BlockReplace;
use cached::{Cached, NotCached};
pub(crate) use cached::{keep, place_of};
pub(crate) use comment::edited_lines;
use comment::{Comment, Uncomment};
use copy::Copy;
use decode::Decode;
pub(in crate::function) use directory::Directory;
use exists::{Exists, Missing};
use hardlink::Hardlink;
use keyvalue::KeyValue;
use line::Line;
use managed::Managed;
use mknod::Mknod;
use patch::Patch;
use pruned::Pruned;
use recurse::Recurse;
use rename::Rename;
use replace::Replace;
use retention::RetentionSchedule;
use serialize::Serialize;
use symlink::Symlink;
use tidied::Tidied;
use touch::Touch;

/// This module's functions.
pub(super) const ALL: &[Function] = &[
    Function::of::<Managed>(),
    Function::of::<Directory>(),
    Function::of::<Symlink>(),
    Function::of::<Absent>(),
    Function::of::<Recurse>(),
    Function::of::<Append>(),
    Function::of::<Prepend>(),
    Function::of::<Replace>(),
    Function::of::<Line>(),
    Function::of::<BlockReplace>(),
    Function::of::<Comment>(),
    Function::of::<Uncomment>(),
    Function::of::<KeyValue>(),
    Function::of::<Accumulate>(),
    Function::of::<Serialize>(),
    Function::of::<Exists>(),
    Function::of::<Missing>(),
    Function::of::<Touch>(),
    Function::of::<Copy>(),
    Function::of::<Decode>(),
    Function::of::<Rename>(),
    Function::of::<Hardlink>(),
    Function::of::<Mknod>(),
    Function::of::<Pruned>(),
    Function::of::<Tidied>(),
    Function::of::<Cached>(),
    Function::of::<NotCached>(),
    Function::of::<Patch>(),
    Function::of::<RetentionSchedule>(),
];

/// Functions that fail at once without a name; the others have words of their own.
pub(super) const NAMED: &[&str] = &[
    "hardlink",
    "symlink",
    "absent",
    "exists",
    "missing",
    "directory",
    "retention_schedule",
    "line",
    "replace",
    "keyvalue",
    "blockreplace",
    "comment",
    "uncomment",
    "append",
    "prepend",
    "touch",
    "copy",
    "rename",
    "accumulated",
    "serialize",
    "mknod",
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
