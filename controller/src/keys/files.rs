//! A directory that only its owner reads: checked on every read, written atomically.

use super::Error;
use nix::unistd::geteuid;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The largest file that is read from such a directory, in bytes.
pub(crate) const FILE_BYTES_MAX: u64 = 4 << 20;
const OTHERS: u32 = 0o077;

/// An existing directory of ours with mode 0700.
#[derive(Clone, Debug)]
pub(crate) struct Directory(PathBuf);

impl Directory {
    /// Checks that it is ours alone.
    pub(crate) fn open(path: &Path) -> Result<Directory, Error> {
        let path = fs::canonicalize(path).map_err(Error::io("opening", path))?;
        let meta = fs::metadata(&path).map_err(Error::io("reading", &path))?;
        if !meta.is_dir() {
            let source = std::io::Error::from(ErrorKind::NotADirectory);
            return Err(Error::Io { doing: "opening", path, source });
        }
        check(&path, &meta, "700")?;
        Ok(Directory(path))
    }

    /// Makes it, with its parents, if it is missing.
    pub(crate) fn make(path: &Path) -> Result<Directory, Error> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(Error::io("making", parent))?;
        }
        match DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                Err(Error::io("making", path)(error))
            }
            _ => Directory::open(path),
        }
    }

    /// Its absolute path.
    pub(crate) fn root(&self) -> &Path {
        &self.0
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.0.join(file)
    }

    /// A directory inside, made if it is missing.
    pub(crate) fn inner(&self, name: &str) -> Result<Directory, Error> {
        Directory::make(&self.path(name))
    }

    /// The text of a file that nobody else can read, or nothing if there is none.
    pub(crate) fn read(&self, file: &str) -> Result<Option<String>, Error> {
        let path = self.path(file);
        let open = OpenOptions::new()
            .read(true)
            .custom_flags(nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK)
            .open(&path);
        let handle = match open {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            other => other.map_err(Error::io("opening", &path))?,
        };
        let meta = handle.metadata().map_err(Error::io("reading", &path))?;
        if !meta.is_file() || meta.len() > FILE_BYTES_MAX {
            return Err(Error::Kind { path, max: FILE_BYTES_MAX });
        }
        check(&path, &meta, "600")?;
        let mut text = String::new();
        let read = handle.take(FILE_BYTES_MAX).read_to_string(&mut text);
        read.map_err(Error::io("reading", &path))?;
        Ok(Some(text))
    }

    /// The text of a file that must be there.
    pub(crate) fn require(&self, file: &str) -> Result<String, Error> {
        self.read(file)?.ok_or_else(|| Error::Missing { file: file.into() })
    }

    /// Writes a whole file, mode 0600, or leaves the old one: a crash leaves no half file.
    pub(crate) fn write(&self, file: &str, text: &str) -> Result<(), Error> {
        let (path, new) = (self.path(file), self.path(&format!(".{file}.new")));
        let write = || {
            let mut handle = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .custom_flags(nix::libc::O_NOFOLLOW)
                .open(&new)?;
            handle.write_all(text.as_bytes())?;
            handle.sync_all()?;
            fs::rename(&new, &path)?;
            File::open(&self.0)?.sync_all()
        };
        write().map_err(Error::io("writing", &path))
    }

    /// Removes a file, if it is there.
    pub(crate) fn remove(&self, file: &str) -> Result<(), Error> {
        let path = self.path(file);
        let remove = || match fs::remove_file(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
            Ok(()) => File::open(&self.0)?.sync_all(),
        };
        remove().map_err(Error::io("removing", &path))
    }

    /// Holds a lock until it is dropped or the process ends; waits while another holds it.
    pub(crate) fn hold(&self, file: &str) -> Result<File, Error> {
        let handle = self.lock_file(file)?;
        handle.lock().map_err(Error::io("locking", self.path(file)))?;
        Ok(handle)
    }

    /// Holds a lock until it is dropped or the process ends; nothing if another holds it.
    pub(crate) fn lock(&self, file: &str) -> Result<Option<File>, Error> {
        let handle = self.lock_file(file)?;
        match handle.try_lock() {
            Ok(()) => Ok(Some(handle)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(Error::io("locking", self.path(file))(source)),
        }
    }

    fn lock_file(&self, file: &str) -> Result<File, Error> {
        let path = self.path(file);
        let mut open = OpenOptions::new();
        open.write(true).create(true).truncate(false).mode(0o600);
        open.open(&path).map_err(Error::io("opening", path))
    }
}

fn check(path: &Path, meta: &Metadata, fix: &'static str) -> Result<(), Error> {
    let (owner, uid) = (meta.uid(), geteuid().as_raw());
    if owner != uid {
        return Err(Error::Owner { path: path.to_owned(), owner, uid });
    }
    if meta.mode() & OTHERS != 0 {
        return Err(Error::Mode { path: path.to_owned(), mode: meta.mode() & 0o7777, fix });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_file_that_others_may_read_is_refused_with_the_command_that_mends_it() {
        let temp = tempfile::tempdir().unwrap();
        let dir = Directory::make(&temp.path().join("a/keys")).unwrap();
        dir.write("root.nk", "secret").unwrap();
        assert_eq!(dir.read("root.nk").unwrap().as_deref(), Some("secret"));
        for mode in [0o640, 0o604, 0o660] {
            set_permissions(dir.path("root.nk"), Permissions::from_mode(mode)).unwrap();
            let error = dir.read("root.nk").unwrap_err().to_string();
            assert!(error.contains("`chmod 600 ") && !error.contains("secret"), "{error}");
        }
        set_permissions(dir.root(), Permissions::from_mode(0o750)).unwrap();
        let error = Directory::open(dir.root()).unwrap_err().to_string();
        assert!(error.contains("`chmod 700 "), "{error}");
    }

    #[test]
    fn a_link_is_not_followed() {
        let temp = tempfile::tempdir().unwrap();
        let dir = Directory::make(&temp.path().join("keys")).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", dir.path("root.nk")).unwrap();
        assert!(dir.read("root.nk").is_err());
    }

    #[test]
    fn what_is_missing_is_no_error_and_a_rewrite_leaves_nothing_beside_it() {
        let temp = tempfile::tempdir().unwrap();
        let dir = Directory::make(&temp.path().join("keys")).unwrap();
        assert!(dir.read("root.nk").unwrap().is_none());
        dir.write("root.nk", "one").unwrap();
        dir.write("root.nk", "two").unwrap();
        assert_eq!(dir.require("root.nk").unwrap(), "two");
        assert_eq!(fs::read_dir(dir.root()).unwrap().count(), 1);
    }

    #[test]
    fn a_lock_is_held_once() {
        let temp = tempfile::tempdir().unwrap();
        let dir = Directory::make(&temp.path().join("keys")).unwrap();
        let held = dir.lock("lock").unwrap();
        assert!(held.is_some() && dir.lock("lock").unwrap().is_none());
        drop(held);
        assert!(dir.lock("lock").unwrap().is_some());
    }
}
