//! Small files that must be whole or absent, and some of them secret.

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The largest of the agent's own small files.
const BYTES_MAX: u64 = 4 << 20;

/// Why a file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Reading.
    #[error("reading {path}")]
    Read {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Writing.
    #[error("writing {path}")]
    Write {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Not what the agent wrote. The text of the parser may hold a secret: only its place.
    #[error(
        "{}:{line}:{column}: this is not what the agent wrote: remove the file, and give the \
         machine new user-data if it does not enrol then",
        path.display()
    )]
    Content {
        /// Where.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// Not what a person should have written.
    #[error("{}:{line}:{column}: {what}", path.display())]
    Written {
        /// Where.
        path: PathBuf,
        /// From 1.
        line: u32,
        /// From 1.
        column: u32,
        /// What was expected, and what to do.
        what: String,
    },
    /// Larger than any of the agent's files.
    #[error("{path} has more than {BYTES_MAX} bytes: is it the right file?")]
    TooLarge {
        /// Where.
        path: PathBuf,
    },
    /// Others than its owner may read it.
    #[error("{path} holds a secret and others may read it (mode {mode:04o}): chmod 600 {path}")]
    Public {
        /// Where.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

fn reading(path: &Path) -> impl Fn(io::Error) -> Error {
    move |source| Error::Read { path: path.to_owned(), source }
}

fn writing(path: &Path) -> impl Fn(io::Error) -> Error {
    move |source| Error::Write { path: path.to_owned(), source }
}

/// Makes a folder that only its owner enters, and those above it.
pub(crate) fn private_folder(path: &Path) -> Result<(), Error> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(writing(path))
}

/// The bytes of a small file; none if there is no such file.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(reading(path)(error)),
    };
    bytes(path, file).map(Some)
}

/// The bytes of a small file that only its owner may read; none if there is no such file.
pub(crate) fn read_secret(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(reading(path)(error)),
    };
    let mode = file.metadata().map_err(reading(path))?.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(Error::Public { path: path.to_owned(), mode });
    }
    bytes(path, file).map(Some)
}

fn bytes(path: &Path, file: File) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    file.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(reading(path))?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(Error::TooLarge { path: path.to_owned() });
    }
    Ok(bytes)
}

/// The text that a file's bytes are.
pub(crate) fn text<'a>(path: &Path, bytes: &'a [u8]) -> Result<&'a str, Error> {
    str::from_utf8(bytes).map_err(|error| {
        let good = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).saturating_add(1);
        let line = number(good.matches('\n').count());
        let column = number(good.rsplit('\n').next().unwrap_or_default().chars().count());
        at(path, line, column, "expected text in UTF-8: save the file in that encoding".to_owned())
    })
}

/// What is wrong at a place of a file.
pub(crate) fn at(path: &Path, line: u32, column: u32, what: String) -> Error {
    Error::Written { path: path.to_owned(), line, column, what }
}

/// What a file says in JSON; none if there is no such file.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Error> {
    let Some(bytes) = read_secret(path)? else { return Ok(None) };
    parse_json(path, &bytes).map(Some)
}

/// What bytes say in JSON; `path` is for the error alone.
pub(crate) fn parse_json<T: DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(bytes).map_err(|error| {
        let (line, column) = (error.line().max(1), error.column().max(1));
        Error::Content { path: path.to_owned(), line, column }
    })
}

/// How much a file must withstand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lasting {
    /// A crash of the agent.
    Process,
    /// A power cut.
    Power,
}

/// Writes a file for its owner only, whole or not at all.
pub(crate) fn write(path: &Path, bytes: &[u8], lasting: Lasting) -> Result<(), Error> {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let write = || -> io::Result<()> {
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&part)?;
        file.write_all(bytes)?;
        if lasting == Lasting::Power {
            file.sync_all()?;
        }
        fs::rename(&part, path)?;
        if let (Lasting::Power, Some(folder)) = (lasting, path.parent()) {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    };
    write().map_err(writing(path))
}

/// Writes JSON for its owner only, whole or not at all, and so that it withstands a power cut.
pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), Error> {
    let bytes = serde_json::to_vec(value).expect("what the agent keeps is plain JSON");
    write(path, &bytes, Lasting::Power)
}

/// A file that one process holds; let go when it ends, however it ends.
pub(crate) struct Lock {
    _held: Flock<File>,
}

impl Lock {
    /// Takes the lock; none if another process holds it.
    pub(crate) fn take(path: &Path) -> Result<Option<Lock>, Error> {
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(false).mode(0o600).open(path);
        match Flock::lock(file.map_err(writing(path))?, FlockArg::LockExclusiveNonblock) {
            Ok(held) => Ok(Some(Lock { _held: held })),
            Err((_, Errno::EWOULDBLOCK)) => Ok(None),
            Err((_, error)) => Err(writing(path)(error.into())),
        }
    }
}

/// Removes a file; it is no error if it is gone.
pub(crate) fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(writing(path)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_its_owners_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys.json");
        write_json(&path, &["a"]).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(read_json::<Vec<String>>(&path).unwrap(), Some(vec!["a".to_owned()]));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_secret_that_others_may_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bootstrap.yaml");
        for mode in [0o640, 0o604, 0o620] {
            fs::write(&path, "x").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = read_secret(&path).unwrap_err().to_string();
            assert!(error.contains(&format!("{mode:04o}")) && error.contains("chmod 600"));
        }
        assert!(read_secret(&dir.path().join("none")).unwrap().is_none());
    }
}
