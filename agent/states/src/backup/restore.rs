//! Puts back what a run has changed.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::unix::fs::{lchown, symlink};
use std::path::{Path, PathBuf};

use super::entry::{self, Entry, Thing};
use super::{BackupError, LIST, names};
use crate::host::Host;
use crate::host::files::{Access, replace, set_access};

/// What became of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Which.
    pub path: PathBuf,
    /// Whether it is as it was, or in a dry run would be.
    pub is_done: bool,
    /// In words.
    pub told: String,
}

/// Puts the files of a run back to what they were before it.
///
/// What was changed since is left, unless `force`; a dry run (`test`) only tells.
pub fn restore(
    folder: &Path,
    run: &str,
    test: bool,
    force: bool,
) -> Result<Vec<Restored>, BackupError> {
    let read = |path: &Path, source| BackupError::Read { path: path.to_path_buf(), source };
    let known = names(folder).map_err(|source| read(folder, source))?;
    if !known.iter().any(|name| name == run) {
        return Err(BackupError::NoRun(run.to_owned()));
    }
    let run = folder.join(run);
    let list = run.join(LIST);
    let entries = entry::read(&list).map_err(|source| read(&list, source))?;
    let host = Host::new();
    // What is new goes first, the last one first; then folders come before what is in them.
    let (new, old): (Vec<&Entry>, Vec<&Entry>) =
        entries.iter().partition(|entry| entry.was == Thing::Absent);
    let mut done = Vec::new();
    let mut gone = HashSet::new();
    for entry in new.into_iter().rev().chain(old) {
        let (is_done, told) = match judged(entry, force, &gone) {
            Ok(told) if test || told == SAME => (true, format!("{}{told}", would(test, told))),
            Ok(told) => match put_back(&host, &run, entry) {
                Ok(()) => (true, told.to_owned()),
                Err(error) => (false, error.to_string()),
            },
            Err(why) => (false, why),
        };
        if is_done && entry.was == Thing::Absent {
            gone.insert(entry.path.as_path());
        }
        done.push(Restored { path: entry.path.clone(), is_done, told });
    }
    host.settle().map_err(|source| read(folder, source))?;
    Ok(done)
}

const SAME: &str = "is as it was";

fn would(test: bool, told: &str) -> &'static str {
    if test && told != SAME { "would be " } else { "" }
}

/// What is to be done with a path, or why nothing is.
fn judged(entry: &Entry, force: bool, gone: &HashSet<&Path>) -> Result<&'static str, String> {
    let current = Thing::at(&entry.path).map_err(|error| error.to_string())?;
    if current == entry.was {
        return Ok(SAME);
    }
    if entry.now.as_ref() != Some(&current) && !force {
        return Err(match entry.now {
            Some(_) => "was changed since: restored with --force only".to_owned(),
            None => "the run was interrupted: restored with --force only".to_owned(),
        });
    }
    match (&entry.was, &entry.kept) {
        (Thing::File { .. }, None) => Err("was too large to be kept".to_owned()),
        (Thing::Other, _) => Err("was no file, link or folder: it is not kept".to_owned()),
        (Thing::Absent, _) if has_others(&entry.path, gone) => {
            Err("others have put something into this folder: it stays".to_owned())
        }
        (Thing::Absent, _) => Ok("removed"),
        (Thing::File { .. } | Thing::Link { .. } | Thing::Folder { .. }, _) => Ok("restored"),
    }
}

/// Whether a folder holds what this run did not make; what it made is gone already, or would be.
fn has_others(path: &Path, gone: &HashSet<&Path>) -> bool {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    !path.is_symlink() && entries.into_iter().any(|entry| !gone.contains(entry.path().as_path()))
}

fn put_back(host: &Host, run: &Path, entry: &Entry) -> io::Result<()> {
    let path = &entry.path;
    let current = Thing::at(path)?;
    let access =
        |mode: u32, uid: u32, gid: u32| Access { uid: Some(uid), gid: Some(gid), mode: Some(mode) };
    let in_the_way = matches!(
        (&current, &entry.was),
        (Thing::Folder { .. }, Thing::File { .. } | Thing::Link { .. })
    );
    if in_the_way {
        fs::remove_dir(path)?;
    }
    match &entry.was {
        Thing::Absent if matches!(current, Thing::Folder { .. }) => fs::remove_dir(path),
        Thing::Absent => fs::remove_file(path),
        Thing::File { mode, uid, gid, .. } => {
            let data = fs::read(run.join(entry.kept.as_deref().unwrap_or_default()))?;
            replace(host, path, &data, access(*mode, *uid, *gid))
        }
        Thing::Link { target, uid, gid } => {
            if !in_the_way && current != Thing::Absent {
                fs::remove_file(path)?;
            }
            symlink(target, path)?;
            lchown(path, Some(*uid), Some(*gid))
        }
        Thing::Folder { mode, uid, gid } => {
            if !matches!(current, Thing::Folder { .. }) {
                if current != Thing::Absent {
                    fs::remove_file(path)?;
                }
                fs::create_dir(path)?;
            }
            set_access(path, access(*mode, *uid, *gid))
        }
        Thing::Other => Ok(()),
    }
}
