//! Blobs by their hash: fetched in pieces, verified, kept for the next tree.

use crate::files;
use flate2::read::ZlibDecoder;
use futures_util::{StreamExt, TryStreamExt, stream};
use muster_protocol::bus::{self, Bus};
use muster_protocol::desired::{Blob, CHUNK_BYTES, FILE_BYTES_MAX};
use muster_protocol::id::Hash;
use muster_protocol::subject;
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Blobs that are fetched at once.
const CONCURRENT_MAX: usize = 8;
/// How often one piece is asked for.
const TRIES_MAX: u32 = 4;
/// The bytes of blobs that no present tree names.
const UNUSED_BYTES_MAX: u64 = 256 << 20;

/// Why a blob is not there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The bus did not bring it.
    #[error("fetching piece {chunk} of blob {hash}")]
    Fetch {
        /// The blob.
        hash: Hash,
        /// The piece.
        chunk: u32,
        /// Why.
        #[source]
        source: bus::Error,
    },
    /// The store lacks it.
    #[error("piece {chunk} of blob {hash} is not in the store: publish the tree again")]
    Missing {
        /// The blob.
        hash: Hash,
        /// The piece.
        chunk: u32,
    },
    /// What came is something else.
    #[error("piece {chunk} of blob {hash} is not what its manifest says ({what})")]
    Content {
        /// The blob.
        hash: Hash,
        /// The piece.
        chunk: u32,
        /// What is wrong.
        what: &'static str,
    },
    /// The disk.
    #[error("keeping blob {hash}")]
    Disk {
        /// The blob.
        hash: Hash,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// More than an agent takes.
    #[error("blob {hash} has {size} bytes, more than {FILE_BYTES_MAX}")]
    TooLarge {
        /// The blob.
        hash: Hash,
        /// Its size.
        size: u64,
    },
}

impl Error {
    /// Whether the same may work later.
    pub(crate) fn is_retryable(&self) -> bool {
        match self {
            Error::Fetch { .. } | Error::Missing { .. } | Error::Disk { .. } => true,
            Error::Content { .. } | Error::TooLarge { .. } => false,
        }
    }
}

/// The folder of blobs.
#[derive(Clone, Debug)]
pub(crate) struct Blobs {
    folder: PathBuf,
}

impl Blobs {
    /// Opens the folder, without what an earlier fetch has left half-way.
    pub(crate) fn open(folder: PathBuf) -> Result<Blobs, files::Error> {
        files::private_folder(&folder)?;
        let blobs = Blobs { folder };
        for (path, name, _) in blobs.list() {
            if name.is_none() {
                files::remove(&path)?;
            }
        }
        Ok(blobs)
    }

    /// Where a blob is kept.
    pub(crate) fn path(&self, hash: &Hash) -> PathBuf {
        self.folder.join(hash.as_str())
    }

    fn has(&self, blob: &Blob) -> bool {
        fs::metadata(self.path(&blob.hash)).is_ok_and(|meta| meta.len() == blob.size)
    }

    /// Fetches those that are not there, some at once.
    pub(crate) async fn fetch(&self, bus: &Bus, blobs: &[Blob]) -> Result<(), Error> {
        let mut asked = HashSet::new();
        let missing: Vec<Blob> = blobs
            .iter()
            .filter(|blob| asked.insert(&blob.hash) && !self.has(blob))
            .cloned()
            .collect();
        let fetches = missing.into_iter().map(|blob| self.fetch_one(bus, blob));
        stream::iter(fetches).buffer_unordered(CONCURRENT_MAX).try_collect::<()>().await
    }

    async fn fetch_one(&self, bus: &Bus, blob: Blob) -> Result<(), Error> {
        let Blob { hash, size } = &blob;
        if *size > FILE_BYTES_MAX {
            return Err(Error::TooLarge { hash: hash.clone(), size: *size });
        }
        let disk = |source| Error::Disk { hash: hash.clone(), source };
        let part = self.folder.join(format!("{hash}.part"));
        let mut file = File::create(&part).map_err(disk)?;
        let mut digest = Sha256::new();
        for chunk in 0..blob.chunks() {
            let packed = piece(bus, hash, chunk).await?;
            let plain = inflate(&packed, expected_bytes(*size, chunk));
            let wrong = |what| Error::Content { hash: hash.clone(), chunk, what };
            let plain = plain.map_err(wrong)?;
            digest.update(&plain);
            file.write_all(&plain).map_err(disk)?;
        }
        if hex(&digest.finalize()) != hash.as_str() {
            let chunk = blob.chunks() - 1;
            return Err(Error::Content { hash: hash.clone(), chunk, what: "its hash differs" });
        }
        fs::rename(&part, self.path(hash)).map_err(disk)
    }

    /// Removes blobs that no tree of these names, when they are too many, the oldest first.
    pub(crate) fn prune(&self, used: &HashSet<&Hash>) {
        let mut unused: Vec<(PathBuf, fs::Metadata)> = self
            .list()
            .filter(|(_, hash, _)| !hash.as_ref().is_some_and(|hash| used.contains(hash)))
            .map(|(path, _, meta)| (path, meta))
            .collect();
        unused.sort_by_key(|(_, meta)| meta.modified().ok());
        let mut bytes: u64 = unused.iter().map(|(_, meta)| meta.len()).sum();
        for (path, meta) in unused {
            if bytes <= UNUSED_BYTES_MAX {
                return;
            }
            bytes -= meta.len();
            if let Err(error) = files::remove(&path) {
                tracing::warn!(error = %crate::chain(&error), "an unused blob stays");
            }
        }
    }

    fn list(&self) -> impl Iterator<Item = (PathBuf, Option<Hash>, fs::Metadata)> {
        let list = fs::read_dir(&self.folder).into_iter().flatten().filter_map(Result::ok);
        list.filter_map(|entry| {
            let name = entry.file_name().into_string().ok();
            let hash = name.and_then(|name| name.parse().ok());
            Some((entry.path(), hash, entry.metadata().ok()?))
        })
    }
}

/// One piece as it is stored. An answer that bears another subject is not the store's.
async fn piece(bus: &Bus, hash: &Hash, chunk: u32) -> Result<Vec<u8>, Error> {
    let subject = subject::blob(hash, chunk);
    let mut tries = 0;
    loop {
        tries += 1;
        match bus.fetch(subject.clone()).await {
            Ok(Some(stored)) if stored.subject == subject => return Ok(stored.payload),
            Ok(Some(_)) => {
                let what = "it was stored as another";
                return Err(Error::Content { hash: hash.clone(), chunk, what });
            }
            Ok(None) => return Err(Error::Missing { hash: hash.clone(), chunk }),
            Err(error) if tries < TRIES_MAX && error.is_retryable() => {
                tracing::debug!(%hash, chunk, tries, %error, "a piece is asked for again");
            }
            Err(source) => return Err(Error::Fetch { hash: hash.clone(), chunk, source }),
        }
    }
}

/// How many bytes a piece of a blob of `size` bytes has.
fn expected_bytes(size: u64, chunk: u32) -> usize {
    let before = u64::from(chunk) * CHUNK_BYTES as u64;
    usize::try_from(size.saturating_sub(before)).unwrap_or(usize::MAX).min(CHUNK_BYTES)
}

/// Unpacks a piece of exactly so many bytes: a bomb is not unpacked.
fn inflate(packed: &[u8], expected: usize) -> Result<Vec<u8>, &'static str> {
    let mut plain = Vec::with_capacity(expected);
    let mut from = ZlibDecoder::new(packed).take(expected as u64 + 1);
    from.read_to_end(&mut plain).map_err(|_| "it cannot be unpacked")?;
    if plain.len() != expected {
        return Err("its size differs");
    }
    Ok(plain)
}

/// The hash of a file's bytes.
pub(crate) fn hash_of(path: &Path) -> io::Result<String> {
    let mut digest = Sha256::new();
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(hex(&digest.finalize()));
        }
        digest.update(&buffer[..read]);
    }
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::ZlibEncoder;

    fn packed(plain: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_piece_has_exactly_the_bytes_that_it_should() {
        assert_eq!(inflate(&packed(b"abc"), 3), Ok(b"abc".to_vec()));
        assert!(inflate(&packed(b"abc"), 2).is_err());
        assert!(inflate(&packed(b"abc"), 4).is_err());
        assert!(inflate(b"no zlib", 3).is_err());
        assert!(inflate(&packed(&vec![0; CHUNK_BYTES * 64]), CHUNK_BYTES).is_err());
    }

    #[test]
    fn a_blob_is_cut_into_pieces_of_one_size() {
        let chunk = CHUNK_BYTES as u64;
        assert_eq!(expected_bytes(0, 0), 0);
        assert_eq!(expected_bytes(chunk, 0), CHUNK_BYTES);
        assert_eq!((expected_bytes(chunk + 1, 0), expected_bytes(chunk + 1, 1)), (CHUNK_BYTES, 1));
    }

    #[test]
    fn what_no_tree_names_goes_when_there_is_too_much_of_it() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("half.part"), "x").unwrap();
        let blobs = Blobs::open(dir.path().to_owned()).unwrap();
        assert_eq!(blobs.list().count(), 0);
        let (used, unused) = (Hash::of(b"used"), Hash::of(b"unused"));
        for hash in [&used, &unused] {
            File::create(blobs.path(hash)).unwrap().set_len(UNUSED_BYTES_MAX + 1).unwrap();
        }
        blobs.prune(&HashSet::from([&used]));
        assert!(blobs.path(&used).exists() && !blobs.path(&unused).exists());
    }

    #[test]
    fn a_files_hash_is_that_of_its_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, vec![7; 100_000]).unwrap();
        assert_eq!(hash_of(&path).unwrap(), Hash::of(&vec![7; 100_000]).as_str());
    }
}
