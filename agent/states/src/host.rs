//! The machine that states act on: every path, account and process goes through here.
//!
//! A host may stand under a root prefix (`Host::under`): all paths are then joined to it, and
//! links are followed inside it only. That keeps a scratch root or a worker in a folder apart
//! from the machine; it is not a security border against a command that a state runs.

pub(crate) mod accounts;
mod bare;
pub(crate) mod command;
pub(crate) mod files;
pub(crate) mod looking;
pub(crate) mod systemd;
pub(crate) mod temps;
pub(crate) mod umask;
pub(crate) mod variables;

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use accounts::Accounts;

/// Paths that wait to be put on disk together.
const UNSETTLED_MAX: usize = 4096;
/// Up to so many are put on disk one by one: a whole filesystem has others' data to write, too.
const SINGLY_MAX: usize = 16;
/// Bytes of a file that one read asks for at most.
const READ_AT_ONCE: usize = 1 << 20;
/// Links that resolving one path may follow.
const LINKS_MAX: usize = 40;

/// How long accounts are believed without a look at their files, while nothing is run or written.
const BELIEVED: Duration = Duration::from_millis(100);

/// Accounts, and when their files were last looked at.
#[derive(Debug, Default)]
struct Cached {
    accounts: Option<Arc<Accounts>>,
    looked: Option<Instant>,
}

/// The machine, or a folder that stands for one.
#[derive(Debug, Default, Clone)]
pub struct Host {
    root: Option<PathBuf>,
    /// Nothing is run on it.
    still: bool,
    accounts: Arc<Mutex<Cached>>,
    /// Paths that were renamed into place and may not be on disk yet.
    unsettled: Arc<Mutex<BTreeSet<PathBuf>>>,
    temps: Arc<temps::Temps>,
    /// How often something was done to it.
    acts: Arc<AtomicU64>,
    talks: Arc<systemd::Talks>,
    variables: Arc<variables::Variables>,
}

impl Host {
    /// This machine.
    pub fn new() -> Host {
        Host::default()
    }

    /// A folder that stands for a machine: `/etc/motd` is `<root>/etc/motd`.
    pub fn under(root: impl Into<PathBuf>) -> Host {
        Host { root: Some(root.into()), ..Host::default() }
    }

    /// The same, with services by `systemctl` alone: nobody talks to systemd's bus.
    pub fn without_bus(self) -> Host {
        self.talks.give_up();
        self
    }

    /// The environment of what states run.
    pub(crate) fn variables(&self) -> &variables::Variables {
        &self.variables
    }

    /// A folder that stands for a machine on which no command is run: what templates that are
    /// compiled for another machine may look at.
    pub fn still(root: impl Into<PathBuf>) -> Host {
        Host { still: true, ..Host::under(root) }.without_bus()
    }

    /// Whether commands are refused.
    pub(crate) fn is_still(&self) -> bool {
        self.still
    }

    /// The root prefix, if there is one.
    pub fn root(&self) -> Option<&Path> {
        self.root.as_deref()
    }

    /// Where an absolute path of the host lies on this machine; its last part is not followed.
    pub fn path(&self, path: &str) -> PathBuf {
        let Some(root) = &self.root else { return PathBuf::from(path) };
        let path = clean(path);
        match (path.parent(), path.file_name()) {
            (Some(parent), Some(name)) => inside(root, parent).join(name),
            _ => root.clone(),
        }
    }

    /// Where a path leads when its last part is followed too.
    pub(crate) fn followed(&self, path: &str) -> PathBuf {
        match &self.root {
            Some(root) => inside(root, &clean(path)),
            // A link may lead to what is not there yet.
            None => fs::canonicalize(path).unwrap_or_else(|_| inside(Path::new("/"), &clean(path))),
        }
    }

    /// What a file holds; links are followed.
    pub(crate) fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        match &self.root {
            Some(_) => fs::read(self.followed(path)),
            None => fs::read(path),
        }
    }

    /// The bytes of a file that was just looked at: one read where its size still is what it was.
    pub(crate) fn read_of(&self, path: &str, meta: &fs::Metadata) -> io::Result<Vec<u8>> {
        let mut file = match &self.root {
            Some(_) => fs::File::open(self.followed(path)),
            None => fs::File::open(path),
        }?;
        let size = usize::try_from(meta.len()).unwrap_or(usize::MAX).min(READ_AT_ONCE);
        let mut data = vec![0; size + 1];
        let len = match file.read(&mut data) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            read => read?,
        };
        data.truncate(len);
        // With room to spare, a file that gives what it should has ended.
        if len != size || size == READ_AT_ONCE {
            file.read_to_end(&mut data)?;
        }
        Ok(data)
    }

    /// Metadata of what a path leads to.
    pub(crate) fn stat(&self, path: &str) -> Option<fs::Metadata> {
        match &self.root {
            Some(_) => fs::symlink_metadata(self.followed(path)).ok(),
            None => fs::metadata(path).ok(),
        }
    }

    /// Metadata of the path itself.
    pub(crate) fn lstat(&self, path: &str) -> Option<fs::Metadata> {
        fs::symlink_metadata(self.path(path)).ok()
    }

    /// The text of a small system file, if it can be read.
    pub(crate) fn read_text(&self, path: &str) -> Option<String> {
        self.read(path).ok().map(|data| String::from_utf8_lossy(&data).into_owned())
    }

    /// Notes that a path was renamed into place: many are put on disk together, when the host
    /// settles.
    pub(crate) fn renamed(&self, path: &Path) -> io::Result<()> {
        self.may_have_changed();
        let mut unsettled = self.unsettled.lock().unwrap_or_else(PoisonError::into_inner);
        unsettled.insert(path.to_path_buf());
        let full = unsettled.len() >= UNSETTLED_MAX;
        drop(unsettled);
        if full { self.settle() } else { Ok(()) }
    }

    /// The same for a folder in which something was renamed or removed.
    pub(crate) fn renamed_in(&self, folder: &Path) -> io::Result<()> {
        self.renamed(folder)
    }

    /// Puts all that was written and renamed so far on disk; what is gone meanwhile needs none.
    pub(crate) fn settle(&self) -> io::Result<()> {
        let mut unsettled = self.unsettled.lock().unwrap_or_else(PoisonError::into_inner);
        let paths = std::mem::take(&mut *unsettled);
        drop(unsettled);
        let folders: BTreeSet<&Path> = paths.iter().filter_map(|path| path.parent()).collect();
        if paths.len() <= SINGLY_MAX {
            let files = paths.iter().map(PathBuf::as_path).filter(|path| !path.is_symlink());
            return files.chain(folders).try_for_each(|path| on(path, fs::File::sync_all));
        }
        let mut synced = BTreeSet::new();
        folders.into_iter().try_for_each(|folder| {
            on(folder, |file| {
                let new = synced.insert(file.metadata()?.dev());
                if new { Ok(nix::unistd::syncfs(file)?) } else { Ok(()) }
            })
        })
    }

    /// Users and groups as they are now.
    pub(crate) fn accounts(&self) -> Arc<Accounts> {
        let mut cached = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let believed = cached.looked.is_some_and(|looked| looked.elapsed() < BELIEVED);
        if believed && let Some(accounts) = &cached.accounts {
            return Arc::clone(accounts);
        }
        let stamp = accounts::stamp(self);
        cached.looked = Some(Instant::now());
        match &cached.accounts {
            Some(accounts) if accounts.stamp == stamp => Arc::clone(accounts),
            _ => {
                let fresh = Arc::new(Accounts::load(self, stamp));
                cached.accounts = Some(Arc::clone(&fresh));
                fresh
            }
        }
    }

    /// Something was done that may have changed the host: what was found before may be otherwise
    /// now.
    pub(crate) fn acted(&self) {
        self.acts.fetch_add(1, Ordering::SeqCst);
    }

    /// How often something was done to the host by this process.
    pub(crate) fn acts(&self) -> u64 {
        self.acts.load(Ordering::SeqCst)
    }

    /// A command was run, or something was changed: accounts may be others now.
    pub(crate) fn may_have_changed(&self) {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner).looked = None;
    }
}

/// Does something with an open file or folder, if it is there.
fn on(path: &Path, work: impl FnOnce(&fs::File) -> io::Result<()>) -> io::Result<()> {
    match fs::File::open(path).and_then(|file| work(&file)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        // Some filesystems cannot sync a folder; the rename itself has happened.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        other => other,
    }
}

/// The path from the root on, `.` and `..` resolved by name.
fn clean(path: &str) -> PathBuf {
    let mut out = PathBuf::from("/");
    for part in Path::new(path).components() {
        match part {
            Component::Normal(name) => out.push(name),
            Component::ParentDir => {
                out.pop();
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    out
}

/// Follows `path` as if `root` were `/`: a link never leads out of it.
fn inside(root: &Path, path: &Path) -> PathBuf {
    let mut todo: Vec<PathBuf> = vec![path.to_path_buf()];
    let mut done = PathBuf::from("/");
    let mut links = 0;
    while let Some(next) = todo.pop() {
        let mut parts = next.components();
        let Some(part) = parts.next() else { continue };
        todo.push(parts.as_path().to_path_buf());
        match part {
            Component::RootDir | Component::Prefix(_) => done = PathBuf::from("/"),
            Component::CurDir => {}
            Component::ParentDir => {
                done.pop();
            }
            Component::Normal(name) => {
                let here = done.join(name);
                match fs::read_link(root.join(here.strip_prefix("/").unwrap_or(&here))) {
                    Ok(target) if links < LINKS_MAX => {
                        links += 1;
                        todo.push(target);
                    }
                    _ => done = here,
                }
            }
        }
    }
    root.join(done.strip_prefix("/").unwrap_or(&done))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn paths_stay_below_the_root_prefix() {
        let dir = tempfile::tempdir().unwrap();
        let host = Host::under(dir.path());
        assert_eq!(host.path("/etc/motd"), dir.path().join("etc/motd"));
        assert_eq!(host.path("/../../etc/motd"), dir.path().join("etc/motd"));
        assert_eq!(host.path("/"), dir.path());
    }

    #[test]
    fn links_are_followed_inside_the_root_only() {
        let dir = tempfile::tempdir().unwrap();
        symlink("/etc", dir.path().join("link")).unwrap();
        symlink("../../../etc", dir.path().join("up")).unwrap();
        symlink("loop", dir.path().join("loop")).unwrap();
        let host = Host::under(dir.path());
        assert_eq!(host.path("/link/motd"), dir.path().join("etc/motd"));
        assert_eq!(host.followed("/up"), dir.path().join("etc"));
        assert_eq!(host.path("/link"), dir.path().join("link"));
        assert!(host.followed("/loop/x").starts_with(dir.path()));
    }
}
