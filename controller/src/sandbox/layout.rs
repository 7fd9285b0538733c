//! Puts a worker's `/` together, and enters it.
//!
//! Whatever the isolation, the worker gets its own `/proc`, `/tmp`, `/run` and `/dev` (no disks),
//! a `/sys` and `/proc/sys` that it cannot write, as they are the machine's, and sees nothing of
//! the provider's and the hidden folders. What differs is where the rest comes from: with `root` it
//! is an overlay on `/` and on each file system mounted below it; with `user` it is a new `/` with
//! overlays on what states change, and everything else as it is, not to be written. (A user
//! namespace may not overlay a folder that others have mounted something in: such a one is split.)

use super::mounts::{self, Error};
use super::prime;
use super::record::{Folder, Isolation, Spec};
use crate::user_data::AGENT_PATH;
use nix::errno::Errno;
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The most memory of one file system in memory.
const TMPFS_OPTIONS: &str = "mode=0755,size=1g";
/// The same where everybody may write.
const SHARED_OPTIONS: &str = "mode=1777,size=1g";
/// For a folder that is to look empty, and that not even the worker's root can write to.
const HIDDEN_OPTIONS: &str = "mode=0000,size=4k,ro";
/// The device nodes that a worker gets.
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];
/// Links that programs expect in `/dev`.
const DEVICE_LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];
/// What every worker has of its own, or shares in a way of its own.
const OWN: [&str; 5] = ["dev", "proc", "sys", "tmp", "run"];
/// What is of no use to a worker, and left empty.
const LEFT_OUT: [&str; 4] = ["boot", "lost+found", "media", "mnt"];
/// With isolation `user`: what states change.
const OVERLAID: [&str; 6] = ["etc", "usr", "var", "opt", "home", "srv"];
/// File systems that hold no files of the machine's own.
const PSEUDO: [&str; 19] = [
    "autofs",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "efivarfs",
    "fusectl",
    "hugetlbfs",
    "mqueue",
    "nsfs",
    "proc",
    "pstore",
    "sysfs",
    "tmpfs",
    "tracefs",
];
/// What belongs to this machine's own controller or agent: a worker has its own.
const FRESH: [&str; 3] = ["/etc/muster", "/var/lib/muster", "/var/lib/muster-agent"];
/// How deep a folder is taken apart that cannot be overlaid as a whole.
const SPLIT_DEPTH_MAX: u32 = 4;
/// The most overlays of one worker.
const OVERLAYS_MAX: u32 = 512;
/// The longest file that is copied instead of overlaid.
const COPY_BYTES_MAX: u64 = 1 << 20;

/// Puts the worker's `/` together and makes it this process' own.
pub(crate) fn enter(folder: &Folder, spec: &Spec) -> Result<(), Error> {
    mounts::make_private()?;
    let mut layout = Layout::new(folder, spec)?;
    match spec.isolation {
        Isolation::Root => layout.over_everything()?,
        Isolation::User => layout.over_what_changes()?,
        Isolation::None => return Ok(()),
    }
    layout.own_folders()?;
    layout.name_lookup()?;
    layout.identity()?;
    layout.agent()?;
    layout.mask()?;
    mounts::pivot(&layout.root)
}

struct Layout<'a> {
    spec: &'a Spec,
    /// The new `/`.
    root: PathBuf,
    /// Where overlays keep what is written.
    written: PathBuf,
    /// What the worker must not see, the folder of all servers among them.
    hidden: Vec<PathBuf>,
    overlays: u32,
}

impl<'a> Layout<'a> {
    fn new(folder: &Folder, spec: &'a Spec) -> Result<Layout<'a>, Error> {
        let written = folder.path().join("written");
        mounts::folder(&written)?;
        if !mounts::can_be_upper(&written) {
            mounts::tmpfs(&written, TMPFS_OPTIONS)?;
        }
        let servers = folder.path().parent().unwrap_or(folder.path()).to_owned();
        let fresh = FRESH.iter().map(PathBuf::from);
        let all: Vec<PathBuf> = spec.hidden.iter().cloned().chain([servers]).chain(fresh).collect();
        let hidden = outermost(&all);
        Ok(Layout { spec, root: folder.root(), written, hidden, overlays: 0 })
    }

    fn over_everything(&mut self) -> Result<(), Error> {
        let table = mounts::table()?;
        let contents = table.iter().filter(|mounted| self.is_content(mounted));
        let contents: Vec<PathBuf> = contents.map(|mounted| mounted.target.clone()).collect();
        self.overlay(Path::new("/"), &self.root.clone())?;
        for source in contents {
            let target = self.at(&source);
            if source.is_dir() {
                self.overlay(&source, &target)?;
            } else {
                copy(&source, &target)?;
            }
        }
        Ok(())
    }

    /// Whether something mounted below `/` holds files that a worker shall see.
    fn is_content(&self, mounted: &mounts::Mounted) -> bool {
        let Ok(inner) = mounted.target.strip_prefix("/") else { return false };
        let Some(first) = inner.components().next() else { return false };
        let first = first.as_os_str().to_string_lossy();
        !OWN.contains(&&*first)
            && !LEFT_OUT.contains(&&*first)
            && !PSEUDO.contains(&mounted.kind.as_str())
            && !self.is_hidden(&mounted.target)
    }

    fn is_hidden(&self, path: &Path) -> bool {
        self.hidden.iter().any(|hidden| path.starts_with(hidden))
    }

    fn over_what_changes(&mut self) -> Result<(), Error> {
        mounts::tmpfs(&self.root, TMPFS_OPTIONS)?;
        for (name, kind) in entries(Path::new("/"))? {
            let (source, target) = (Path::new("/").join(&name), self.root.join(&name));
            if kind.is_symlink() {
                link(&source, &target)?;
                continue;
            }
            if !kind.is_dir() {
                continue;
            }
            mounts::folder(&target)?;
            if OVERLAID.contains(&name.as_str()) {
                self.overlay_or_split(&source, &target, 0)?;
            } else if name == "root" {
                set_mode(&target, 0o700)?;
            } else if !OWN.contains(&name.as_str()) && !LEFT_OUT.contains(&name.as_str()) {
                mounts::bind_tree_read_only(&source, &target)?;
            }
        }
        Ok(())
    }

    fn overlay(&mut self, lower: &Path, target: &Path) -> Result<(), Error> {
        self.overlays += 1;
        let whole = self.overlays <= OVERLAYS_MAX;
        let place = self.written.join(self.overlays.to_string());
        let (upper, work) = (place.join("upper"), place.join("work"));
        mounts::folder(&upper)?;
        mounts::folder(&work)?;
        set_mode(&upper, mode(lower)?)?;
        let user = self.spec.isolation == Isolation::User;
        for hidden in &self.hidden {
            self.white_out(lower, &upper, hidden)?;
        }
        if user {
            prime::upper(lower, &upper);
        } else {
            own_as(lower, &upper)?;
        }
        let extra = if user { ",userxattr" } else { "" };
        let what = || format!("more than {OVERLAYS_MAX} overlays");
        let refused = |what, source| Error::Mount { what, target: target.to_owned(), source };
        if !whole {
            return Err(refused(what(), Errno::ENOSPC));
        }
        mounts::overlay(lower, &upper, &work, target, extra)
    }

    /// Hides a folder within an overlay. A mount on it would do, until the worker's root takes
    /// that away; a whiteout (a device 0:0 in the upper layer) is nothing that can be taken away.
    fn white_out(&self, lower: &Path, upper: &Path, hidden: &Path) -> Result<(), Error> {
        let Ok(inner) = hidden.strip_prefix(lower) else { return Ok(()) };
        let (Some(above), true) = (inner.parent(), hidden.is_dir()) else { return Ok(()) };
        let (mut source, mut copy) = (lower.to_owned(), upper.to_owned());
        for part in above.components() {
            source.push(part);
            copy.push(part);
            mounts::folder(&copy)?;
            set_mode(&copy, mode(&source)?)?;
            if self.spec.isolation == Isolation::Root {
                own_as(&source, &copy)?;
            }
        }
        let place = upper.join(inner);
        let made = mknod(&place, SFlag::S_IFCHR, Mode::empty(), makedev(0, 0));
        made.map_err(|source| Error::Make { path: place, source: source.into() })
    }

    fn overlay_or_split(&mut self, lower: &Path, target: &Path, depth: u32) -> Result<(), Error> {
        match self.overlay(lower, target) {
            Err(Error::Mount { source: Errno::EINVAL, .. }) if depth < SPLIT_DEPTH_MAX => {
                self.split(lower, target, depth)
            }
            Err(Error::Mount { source: Errno::EINVAL, .. }) => {
                mounts::bind_tree_read_only(lower, target)
            }
            result => result,
        }
    }

    /// Makes a folder in memory with an overlay on each folder in it: for one in which somebody
    /// has mounted something that a user namespace may not look behind.
    fn split(&mut self, lower: &Path, target: &Path, depth: u32) -> Result<(), Error> {
        mounts::tmpfs(target, TMPFS_OPTIONS)?;
        set_mode(target, mode(lower)?)?;
        for (name, kind) in entries(lower)? {
            let (lower, target) = (lower.join(&name), target.join(&name));
            if kind.is_symlink() {
                link(&lower, &target)?;
            } else if self.is_hidden(&lower) {
                continue;
            } else if kind.is_dir() {
                mounts::folder(&target)?;
                self.overlay_or_split(&lower, &target, depth + 1)?;
            } else if kind.is_file() {
                copy(&lower, &target)?;
            }
        }
        Ok(())
    }

    fn own_folders(&self) -> Result<(), Error> {
        for name in OWN {
            mounts::folder(&self.root.join(name))?;
        }
        mounts::proc(&self.root.join("proc"))?;
        let settings = self.root.join("proc/sys");
        mounts::bind_read_only(&settings, &settings)?;
        let trigger = self.root.join("proc/sysrq-trigger");
        if trigger.exists() {
            mounts::bind_read_only(&trigger, &trigger)?;
        }
        mounts::bind_tree_read_only(Path::new("/sys"), &self.root.join("sys"))?;
        mounts::tmpfs(&self.root.join("tmp"), SHARED_OPTIONS)?;
        mounts::tmpfs(&self.root.join("run"), TMPFS_OPTIONS)?;
        let lock = self.root.join("run/lock");
        mounts::folder(&lock)?;
        set_mode(&lock, 0o1777)?;
        self.devices()
    }

    fn devices(&self) -> Result<(), Error> {
        let folder = self.root.join("dev");
        mounts::tmpfs(&folder, TMPFS_OPTIONS)?;
        for name in DEVICES {
            let source = Path::new("/dev").join(name);
            if fs::metadata(&source).is_ok_and(|found| found.file_type().is_char_device()) {
                mounts::mount_point_file(&folder.join(name))?;
                mounts::bind(&source, &folder.join(name))?;
            }
        }
        for (name, target) in DEVICE_LINKS {
            make(&folder.join(name), |path| std::os::unix::fs::symlink(target, path))?;
        }
        for name in ["pts", "shm"] {
            mounts::folder(&folder.join(name))?;
        }
        mounts::devpts(&folder.join("pts"))?;
        mounts::tmpfs(&folder.join("shm"), SHARED_OPTIONS)
    }

    /// The resolver's configuration is often a link into `/run`, which is the worker's own here.
    fn name_lookup(&self) -> Result<(), Error> {
        let Ok(source) = fs::canonicalize("/etc/resolv.conf") else { return Ok(()) };
        if !source.starts_with("/run") {
            return Ok(());
        }
        let target = self.at(&source);
        mounts::mount_point_file(&target)?;
        mounts::bind_read_only(&source, &target)
    }

    /// Writes what tells one machine from another. `/etc/machine-id` is the server's id, too.
    fn identity(&self) -> Result<(), Error> {
        let id = self.spec.id.replace('-', "");
        replace(&self.root.join("etc/hostname"), &format!("{}\n", self.spec.name))?;
        replace(&self.root.join("etc/machine-id"), &format!("{id}\n"))
    }

    fn agent(&self) -> Result<(), Error> {
        let Some(binary) = &self.spec.agent_binary else { return Ok(()) };
        let target = self.at(Path::new(AGENT_PATH));
        mounts::mount_point_file(&target)?;
        mounts::bind_read_only(binary, &target)
    }

    /// Masks what is hidden and not within an overlay. With `root` there is no such thing.
    fn mask(&self) -> Result<(), Error> {
        for hidden in &self.hidden {
            let target = self.at(hidden);
            if target.is_dir() {
                mounts::tmpfs(&target, HIDDEN_OPTIONS)?;
            }
        }
        Ok(())
    }

    fn at(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }
}

/// The folders that are not within another of them.
fn outermost(folders: &[PathBuf]) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    let mut sorted = folders.to_vec();
    sorted.sort();
    for folder in sorted {
        if !found.iter().any(|outer| folder.starts_with(outer)) {
            found.push(folder);
        }
    }
    found
}

fn entries(folder: &Path) -> Result<Vec<(String, fs::FileType)>, Error> {
    let read = || -> io::Result<Vec<(String, fs::FileType)>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if let Ok(name) = entry.file_name().into_string() {
                found.push((name, entry.file_type()?));
            }
        }
        Ok(found)
    };
    match read() {
        Ok(found) => Ok(found),
        // What we may not read, the worker may not either: it stays empty.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(Vec::new()),
        Err(source) => Err(Error::Make { path: folder.to_owned(), source }),
    }
}

fn link(source: &Path, target: &Path) -> Result<(), Error> {
    make(target, |target| std::os::unix::fs::symlink(fs::read_link(source)?, target))
}

/// Copies a short file that can be read; another is left out.
fn copy(source: &Path, target: &Path) -> Result<(), Error> {
    let Ok(found) = fs::metadata(source) else { return Ok(()) };
    if !found.is_file() || found.len() > COPY_BYTES_MAX || fs::File::open(source).is_err() {
        return Ok(());
    }
    make(target, |target| fs::copy(source, target).map(drop))
}

/// Writes a new file in the place of what is there, as some are not to be written.
fn replace(path: &Path, text: &str) -> Result<(), Error> {
    make(path, |path| match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => fs::write(path, text),
    })
}

fn mode(path: &Path) -> Result<u32, Error> {
    let found = fs::metadata(path);
    let mode = found.map(|found| found.permissions().mode());
    mode.map_err(|source| Error::Make { path: path.to_owned(), source })
}

fn set_mode(path: &Path, mode: u32) -> Result<(), Error> {
    make(path, |path| fs::set_permissions(path, fs::Permissions::from_mode(mode & 0o7777)))
}

fn own_as(lower: &Path, upper: &Path) -> Result<(), Error> {
    make(upper, |upper| {
        let found = fs::metadata(lower)?;
        std::os::unix::fs::chown(upper, Some(found.uid()), Some(found.gid()))
    })
}

fn make(path: &Path, act: impl FnOnce(&Path) -> io::Result<()>) -> Result<(), Error> {
    act(path).map_err(|source| Error::Make { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_within_something_hidden_is_hidden_once() {
        let folders = ["/a/b", "/a-b", "/a", "/c", "/c"].map(PathBuf::from);
        assert_eq!(outermost(&folders), ["/a", "/a-b", "/c"].map(PathBuf::from));
    }
}
