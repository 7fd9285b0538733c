//! The hashes of a tree's files, known from one look to the next by what the file system says of
//! each: a tree of gigabytes is not read again for every agent that starts.

use muster_protocol::desired::Blob;
use muster_protocol::id::Hash;
use std::collections::HashMap;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// A file that changed later than this before it was read may change again unseen: its stamps have
/// the coarseness of a file system's clock.
const SETTLED: Duration = Duration::from_secs(10);

/// What changes when a file does: device, inode, size, and the times of contents and inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp([i128; 5]);

impl Stamp {
    fn of(meta: &Metadata) -> Stamp {
        let nanos = |secs: i64, nanos: i64| i128::from(secs) * 1_000_000_000 + i128::from(nanos);
        Stamp([
            meta.dev().into(),
            meta.ino().into(),
            meta.size().into(),
            nanos(meta.mtime(), meta.mtime_nsec()),
            nanos(meta.ctime(), meta.ctime_nsec()),
        ])
    }

    /// Whether the file had been left alone for a while at this time.
    fn is_settled(&self, now: SystemTime) -> bool {
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let until = i128::try_from(now.saturating_sub(SETTLED).as_nanos()).unwrap_or_default();
        self.0[3] < until && self.0[4] < until
    }
}

/// Blobs by path.
#[derive(Debug, Default)]
pub(super) struct Digests {
    known: HashMap<PathBuf, (Stamp, Blob)>,
    /// What the present look has seen.
    seen: HashMap<PathBuf, (Stamp, Blob)>,
}

impl Digests {
    /// The blob of a file.
    pub(super) fn of(&mut self, path: &Path, meta: &Metadata) -> io::Result<Blob> {
        let stamp = Stamp::of(meta);
        let known = self.known.get(path).filter(|(old, _)| *old == stamp);
        let blob = match known {
            Some((_, blob)) => blob.clone(),
            None => {
                let now = SystemTime::now();
                let bytes = std::fs::read(path)?;
                let blob = Blob { hash: Hash::of(&bytes), size: bytes.len() as u64 };
                if !stamp.is_settled(now) {
                    return Ok(blob);
                }
                blob
            }
        };
        self.seen.insert(path.to_owned(), (stamp, blob.clone()));
        Ok(blob)
    }

    /// Ends a look: what it did not see is forgotten.
    pub(super) fn turn(&mut self) {
        self.known = std::mem::take(&mut self.seen);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};

    fn blob(digests: &mut Digests, path: &Path) -> Hash {
        let blob = digests.of(path, &fs::metadata(path).unwrap()).unwrap();
        digests.turn();
        blob.hash
    }

    #[test]
    fn a_file_is_read_again_when_it_changed_or_only_just_has() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, "one").unwrap();
        let mut digests = Digests::default();
        assert_eq!(blob(&mut digests, &path), Hash::of(b"one"));
        assert!(digests.known.is_empty(), "it was written just now");
        fs::write(&path, "two").unwrap();
        assert_eq!(blob(&mut digests, &path), Hash::of(b"two"));
    }

    #[test]
    fn a_file_that_rests_is_read_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, "one").unwrap();
        let meta = fs::metadata(&path).unwrap();
        let told = Blob { hash: Hash::of(b"told"), size: 3 };
        let mut digests = Digests::default();
        digests.known.insert(path.clone(), (Stamp::of(&meta), told));
        assert_eq!(blob(&mut digests, &path), Hash::of(b"told"));
        let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
        File::options().write(true).open(&path).unwrap().set_modified(long_ago).unwrap();
        assert_eq!(blob(&mut digests, &path), Hash::of(b"one"), "its times changed");
    }

    #[test]
    fn stamps_settle_with_time() {
        let dir = tempfile::tempdir().unwrap();
        let stamp = Stamp::of(&fs::metadata(dir.path()).unwrap());
        let now = SystemTime::now();
        assert!(!stamp.is_settled(now));
        assert!(stamp.is_settled(now + 2 * SETTLED));
    }
}
