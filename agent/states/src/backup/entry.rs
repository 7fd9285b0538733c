//! A line of a run's list: what a path was, and what it has become.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Bytes of a list that are read.
const LIST_MAX: u64 = 64 << 20;

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Thing {
    Absent,
    File {
        sha256: String,
        mode: u32,
        uid: u32,
        gid: u32,
    },
    Link {
        target: PathBuf,
        uid: u32,
        gid: u32,
    },
    Folder {
        mode: u32,
        uid: u32,
        gid: u32,
    },
    /// A device, a socket: none of these is kept.
    Other,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Line {
    /// `kept` is the name of the file beside the list that has the contents.
    Was {
        path: PathBuf,
        thing: Thing,
        kept: Option<String>,
    },
    Now {
        path: PathBuf,
        thing: Thing,
    },
}

/// What a run did to a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) path: PathBuf,
    pub(super) was: Thing,
    pub(super) kept: Option<String>,
    /// Not known of a run that did not come to its end.
    pub(super) now: Option<Thing>,
}

impl Thing {
    /// Reads what stands at a path.
    pub(super) fn at(path: &Path) -> io::Result<Thing> {
        let meta = match fs::symlink_metadata(path) {
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                return Ok(Thing::Absent);
            }
            other => other?,
        };
        let (mode, uid, gid) = (meta.mode() & 0o7777, meta.uid(), meta.gid());
        Ok(if meta.is_symlink() {
            Thing::Link { target: fs::read_link(path)?, uid, gid }
        } else if meta.is_dir() {
            Thing::Folder { mode, uid, gid }
        } else if meta.is_file() {
            Thing::File { sha256: sha256(path)?, mode, uid, gid }
        } else {
            Thing::Other
        })
    }
}

fn sha256(path: &Path) -> io::Result<String> {
    let mut hasher = Sha256::new();
    io::copy(&mut File::open(path)?, &mut hasher)?;
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The entries of a list, in the order in which paths were first changed.
pub(super) fn read(list: &Path) -> io::Result<Vec<Entry>> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut places: HashMap<PathBuf, usize> = HashMap::new();
    for line in BufReader::new(File::open(list)?.take(LIST_MAX)).lines() {
        // A torn last line is what a crash leaves.
        let Ok(line) = serde_json::from_str::<Line>(&line?) else { break };
        match line {
            Line::Was { path, thing, kept } => {
                places.insert(path.clone(), entries.len());
                entries.push(Entry { path, was: thing, kept, now: None });
            }
            Line::Now { path, thing } => {
                if let Some(at) = places.get(&path) {
                    entries[*at].now = Some(thing);
                }
            }
        }
    }
    Ok(entries)
}
