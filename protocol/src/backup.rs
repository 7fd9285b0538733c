//! A backup: the registry's documents in one file, as they are stored, with a check of its bytes.
//!
//! Documents keep the controller's signatures, so a file that somebody has changed restores nothing
//! foreign. No key is in it, and no secret. The file's first line is `muster-backup 1 <sha256>`;
//! what follows is a [`Backup`], and its SHA-256 is that of the line.

use crate::id::{Hash, UnixMillis};
use crate::wire::{self, Message};
use serde::{Deserialize, Serialize};

/// The largest backup that is read, in bytes: some 100,000 workers.
pub const BACKUP_BYTES_MAX: usize = 512 << 20;
const MAGIC: &str = "muster-backup 1 ";
/// The magic, 64 digits, the line's end.
const HEAD_BYTES: usize = MAGIC.len() + 65;

/// One document of a bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// The bucket.
    pub bucket: String,
    /// Its key there.
    pub key: String,
    /// What is stored.
    #[serde(with = "serde_bytes")]
    pub value: Vec<u8>,
}

impl Document {
    /// Where it belongs: places sort by bucket, then by key.
    #[must_use]
    pub fn place(&self) -> String {
        place(&self.bucket, &self.key)
    }
}

/// The place of a key in a bucket.
#[must_use]
pub fn place(bucket: &str, key: &str) -> String {
    format!("{bucket}/{key}")
}

/// The documents of a cluster at a time. Each is whole; they were read one after the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    /// The cluster's name.
    pub cluster: String,
    /// When the first of them was read.
    pub made: UnixMillis,
    /// The release that has written it.
    pub release: String,
    /// The documents, in the order of their places.
    pub documents: Vec<Document>,
}

impl Message for Backup {
    const NAME: &'static str = "backup";
}

/// Why a file is no backup.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another file.
    #[error("it is no backup of Muster's; take a file that `muster backup` wrote")]
    Other,
    /// A backup of a later release.
    #[error("a later release has written it; restore it with that one")]
    Later,
    /// Cut off, or changed.
    #[error("it is damaged: its bytes are not those that were written; take another copy")]
    Damaged,
    /// The content.
    #[error("reading its documents")]
    Wire(#[from] wire::Error),
}

impl Backup {
    /// The file's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let body = wire::encode(self);
        let mut bytes = format!("{MAGIC}{}\n", Hash::of(&body)).into_bytes();
        bytes.extend_from_slice(&body);
        bytes
    }

    /// Reads a file's bytes.
    ///
    /// # Errors
    /// When they are no backup, not all of one, or changed.
    pub fn of_bytes(bytes: &[u8]) -> Result<Backup, Error> {
        if !bytes.starts_with(MAGIC.as_bytes()) {
            let known = bytes.starts_with(b"muster-backup ");
            return Err(if known { Error::Later } else { Error::Other });
        }
        let Some((head, body)) = bytes.split_at_checked(HEAD_BYTES) else {
            return Err(Error::Damaged);
        };
        if head[MAGIC.len()..] != *format!("{}\n", Hash::of(body)).as_bytes() {
            return Err(Error::Damaged);
        }
        Ok(wire::decode_within(body, BACKUP_BYTES_MAX)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backup() -> Backup {
        let document =
            Document { bucket: "WORKERS".into(), key: "w-1".into(), value: vec![0, 1, 255] };
        let (cluster, release) = ("c".to_owned(), "0.1.0".to_owned());
        Backup { cluster, made: UnixMillis(1), release, documents: vec![document] }
    }

    #[test]
    fn what_was_written_is_read() {
        assert_eq!(Backup::of_bytes(&backup().to_bytes()).unwrap(), backup());
    }

    #[test]
    fn a_file_that_was_cut_or_changed_anywhere_is_refused() {
        let bytes = backup().to_bytes();
        for end in 0..bytes.len() {
            assert!(Backup::of_bytes(&bytes[..end]).is_err(), "cut at {end}");
        }
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(Backup::of_bytes(&changed).is_err(), "changed at {at}");
        }
        let more = [&bytes[..], b"x"].concat();
        assert!(matches!(Backup::of_bytes(&more), Err(Error::Damaged)));
    }

    #[test]
    fn other_files_are_told_from_damaged_and_later_ones() {
        assert!(matches!(Backup::of_bytes(b"#!/bin/sh"), Err(Error::Other)));
        assert!(matches!(Backup::of_bytes(b"muster-backup 2 "), Err(Error::Later)));
        assert!(matches!(Backup::of_bytes(b"muster-backup 1 "), Err(Error::Damaged)));
    }
}
