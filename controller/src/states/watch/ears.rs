//! What the kernel tells of changes in folders, where it tells of all of them.

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Folders that are listened to; with more the folders are looked at.
const FOLDERS_MAX: usize = 4096;
/// How deep folders may nest.
const DEPTH_MAX: usize = 64;
/// Filesystems of this machine alone: ext, xfs, btrfs, tmpfs, overlayfs, zfs and f2fs. Of a change
/// that another machine makes on a network filesystem the kernel says nothing.
const LOCAL: [u64; 7] =
    [0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994, 0x794c_7630, 0x2fc1_2fc1, 0xf2f5_2010];
/// What is told of in a folder.
const CHANGES: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVE)
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF);

/// Listens to folders as they were when it was made: made anew after a change.
#[derive(Debug)]
pub(super) struct Ears(AsyncFd<OwnedFd>);

/// Watches of folders and all below them; none where the kernel does not tell all.
pub(super) fn watches(roots: &[PathBuf]) -> Option<OwnedFd> {
    let fd = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).ok()?;
    let mut count = 0;
    roots.iter().try_for_each(|root| add(&fd, root, 0, &mut count))?;
    Some(fd)
}

fn add(fd: &OwnedFd, folder: &Path, depth: usize, count: &mut usize) -> Option<()> {
    let kind = u64::try_from(rustix::fs::statfs(folder).ok()?.f_type).ok()? & 0xffff_ffff;
    *count += 1;
    if *count > FOLDERS_MAX || depth > DEPTH_MAX || !LOCAL.contains(&kind) {
        return None;
    }
    inotify::add_watch(fd, folder, CHANGES).ok()?;
    for entry in std::fs::read_dir(folder).ok()? {
        let path = entry.ok()?.path();
        // Where a link leads, changes are not all told: its own folder is not listened to.
        if path.is_symlink() {
            return None;
        }
        if path.is_dir() && path.file_name().is_some_and(|name| name != ".git") {
            add(fd, &path, depth + 1, count)?;
        }
    }
    Some(())
}

impl Ears {
    /// Listens by these watches; none if that cannot be.
    #[allow(unsafe_code, reason = "tokio takes any descriptor only so")]
    pub(super) fn new(watches: OwnedFd) -> Option<Ears> {
        // SAFETY: the descriptor is owned here, and neither replaced nor closed before this is.
        let registered = unsafe { AsyncFd::register_with_interest(watches, Interest::READABLE) };
        registered.ok().map(Ears)
    }

    /// Waits until something has changed.
    pub(super) async fn heard(&self) -> io::Result<()> {
        // What was told is not read: the next ears are others.
        self.0.readable().await.map(|mut ready| ready.retain_ready())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::time::Duration;

    #[tokio::test]
    async fn a_change_anywhere_below_is_heard() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("a/b")).unwrap();
        let roots = [dir.path().to_owned()];
        let Some(watches) = watches(&roots) else {
            assert!(kind_of(dir.path()).is_none_or(|kind| !LOCAL.contains(&kind)));
            return;
        };
        let ears = Ears::new(watches).unwrap();
        fs::write(dir.path().join("a/b/c.sls"), "x").unwrap();
        let heard = tokio::time::timeout(Duration::from_secs(60), ears.heard()).await;
        heard.expect("the change is told").unwrap();
    }

    fn kind_of(path: &Path) -> Option<u64> {
        u64::try_from(rustix::fs::statfs(path).ok()?.f_type).ok()
    }

    #[test]
    fn what_is_not_told_wholly_is_not_listened_to() {
        assert!(watches(&["/proc/self".into()]).is_none());
        assert!(watches(&["/nowhere".into()]).is_none());
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc", dir.path().join("etc")).unwrap();
        assert!(watches(&[dir.path().to_owned()]).is_none());
    }
}
