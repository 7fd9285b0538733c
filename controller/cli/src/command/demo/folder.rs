//! The demo's folder: its files, whose it is, and its removal.

use super::config::PROVIDER;
use crate::context::Context;
use crate::failure::{Failure, OrNext, Result};
use crate::session::Session;
use anyhow::Context as _;
use std::fs::{self, DirBuilder, File};
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// The mark that a folder is a demo's, and may be removed with all that is in it.
const MARK: &str = ".muster-demo";
/// As much of the log's end as is read.
const LOG_BYTES_MAX: i64 = 64 << 10;
const NEXT: &str = "give another folder with --dir, or remove this one yourself";

/// A folder that no other demo uses as long as this lives.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    _lock: File,
}

/// Where the demo's files go.
pub(super) fn place(named: Option<&Path>) -> Result<PathBuf> {
    let from = |variable: &str| {
        std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute())
    };
    let usual = || {
        let state = from("XDG_STATE_HOME").or_else(|| Some(from("HOME")?.join(".local/state")));
        Some(state?.join("muster-demo"))
    };
    named.map(Path::to_owned).or_else(usual).ok_or_else(|| {
        Failure::say("this user has no home folder", "name a folder for the demo with --dir")
    })
}

impl Folder {
    /// Makes the folder if it is missing, and refuses one that is not a demo's or is in use.
    pub(super) fn claim(path: &Path) -> Result<Folder> {
        let making = || format!("making the demo's folder {}", path.display());
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        if let Some(parent) = parent {
            fs::create_dir_all(parent).with_context(making).or_next(NEXT)?;
        }
        match DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(error).with_context(making).or_next(NEXT);
            }
            Ok(()) | Err(_) => {}
        }
        // Links would hide processes, which are found by the paths in their arguments.
        let path = fs::canonicalize(path).with_context(making).or_next(NEXT)?;
        let lock = File::open(&path).with_context(making).or_next(NEXT)?;
        if lock.try_lock().is_err() {
            let what = format!("another demo runs in {}", path.display());
            return Err(Failure::say(what, "stop it with Ctrl-C, or give another --dir"));
        }
        let folder = Folder { path, _lock: lock };
        folder.mark()?;
        Ok(folder)
    }

    fn mark(&self) -> Result<()> {
        let mark = self.path.join(MARK);
        let mut entries = fs::read_dir(&self.path).context("reading the folder").or_next(NEXT)?;
        if !mark.exists() && entries.next().is_some() {
            let what = format!("{} holds what no demo has made", self.path.display());
            return Err(Failure::say(what, NEXT));
        }
        let text = "Made by `muster demo`, which removes this folder.\n";
        fs::write(mark, text).context("writing into the demo's folder").or_next(NEXT)
    }

    /// The folder itself, absolute and without links.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Keys and configuration, made by `muster-controller init`.
    pub(super) fn config(&self) -> PathBuf {
        self.path.join("config")
    }

    /// The controller's configuration.
    pub(super) fn controller_config(&self) -> PathBuf {
        self.config().join("controller.yaml")
    }

    /// The administrator's context.
    pub(super) fn admin(&self) -> PathBuf {
        self.config().join("admin.yaml")
    }

    /// The NATS server's configuration.
    pub(super) fn nats_config(&self) -> PathBuf {
        self.config().join("nats.conf")
    }

    /// The folders of the local provider's workers.
    pub(super) fn workers(&self) -> PathBuf {
        self.path.join("local").join(PROVIDER)
    }

    /// What the JSON-lines sink writes.
    pub(super) fn samples(&self) -> PathBuf {
        self.path.join("samples.jsonl")
    }

    /// What the controller says.
    pub(super) fn log(&self) -> PathBuf {
        self.path.join("controller.log")
    }

    /// The last lines of the controller's log.
    pub(super) fn log_tail(&self, lines: usize) -> Vec<String> {
        let read = || -> std::io::Result<String> {
            let mut file = File::open(self.log())?;
            let length = i64::try_from(file.metadata()?.len()).unwrap_or(i64::MAX);
            file.seek(SeekFrom::End(-length.min(LOG_BYTES_MAX)))?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        let text = read().unwrap_or_default();
        let all: Vec<String> = text.lines().map(str::to_owned).collect();
        all[all.len().saturating_sub(lines)..].to_vec()
    }

    /// Connects as the administrator that `init` made.
    pub(super) async fn connect(&self) -> Result<Session> {
        Session::open(&Context::load(Some(&self.admin()))?).await
    }

    /// Removes all that is in it but its mark.
    pub(super) fn empty(&self) -> Result<()> {
        self.refuse_mounts()?;
        let empty = || -> std::io::Result<()> {
            for entry in fs::read_dir(&self.path)? {
                let entry = entry?;
                if entry.file_name() == MARK {
                    continue;
                }
                match entry.file_type()?.is_dir() {
                    true => fs::remove_dir_all(entry.path())?,
                    false => fs::remove_file(entry.path())?,
                }
            }
            Ok(())
        };
        let emptying = || format!("emptying {}", self.path.display());
        empty().with_context(emptying).or_next("remove it yourself; it may need root")
    }

    /// Removes it with all that is in it.
    pub(super) fn remove(&self) -> Result<()> {
        self.empty()?;
        let removing = || format!("removing {}", self.path.display());
        let removed =
            fs::remove_file(self.path.join(MARK)).and_then(|()| fs::remove_dir(&self.path));
        removed.with_context(removing).or_next("remove it yourself; it may need root")
    }

    /// Removing through a mount would remove what is mounted.
    fn refuse_mounts(&self) -> Result<()> {
        let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        match mount_below(&table, &self.path) {
            None => Ok(()),
            Some(mount) => Err(Failure::say(
                format!("something is mounted on {mount}, in the demo's folder"),
                format!("umount {mount}"),
            )),
        }
    }
}

/// The first mount point in or at the folder (proc(5): field 5, blanks as octal escapes).
fn mount_below(table: &str, folder: &Path) -> Option<String> {
    let points = table.lines().filter_map(|line| line.split(' ').nth(4));
    let plain = |point: &str| point.replace("\\040", " ").replace("\\011", "\t");
    points.map(plain).find(|point| Path::new(point).starts_with(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_somebody_else_is_refused() {
        let temp = tempfile::tempdir().unwrap();
        fs::write(temp.path().join("thesis.tex"), "").unwrap();
        let failure = Folder::claim(temp.path()).unwrap_err();
        assert!(failure.text().contains("no demo has made"), "{}", failure.text());
        assert!(temp.path().join("thesis.tex").exists());
        assert!(!temp.path().join(MARK).exists());
    }

    #[test]
    fn a_folder_is_claimed_once_at_a_time_and_removed() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("a/b");
        let folder = Folder::claim(&path).unwrap();
        let failure = Folder::claim(&path).unwrap_err();
        assert!(failure.text().contains("another demo"), "{}", failure.text());
        fs::create_dir_all(folder.config()).unwrap();
        fs::write(folder.log(), "1\n2\n3\n").unwrap();
        assert_eq!(folder.log_tail(2), ["2", "3"]);
        drop(folder);
        let folder = Folder::claim(&path).unwrap();
        folder.remove().unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn mounts_in_the_folder_are_seen() {
        let table = "1 0 0:1 / / rw - ext4 /dev/a rw\n2 1 0:2 / /a\\040b/c rw - tmpfs t rw\n";
        assert_eq!(mount_below(table, Path::new("/a b")).as_deref(), Some("/a b/c"));
        assert_eq!(mount_below(table, Path::new("/a b/c")).as_deref(), Some("/a b/c"));
        assert_eq!(mount_below(table, Path::new("/a")), None);
    }
}
