//! What a run's files were before it, and putting them back: `muster-agent restore`.
//!
//! A run keeps each file, link and folder just before it first changes it, and at its end what it
//! has become, so that restoring can tell what somebody else has changed since. One folder a run,
//! named by its time; `files` in it has a line per path.

mod entry;
mod recorder;
mod restore;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub(crate) use recorder::{Recorder, keep, keep_all, with};
pub use restore::{Restored, restore};

/// The list of a run's files, in its folder.
const LIST: &str = "files";

/// Where the files of runs are kept, and how many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backups {
    /// A folder that nobody else writes to.
    pub folder: PathBuf,
    /// Runs that are kept; older ones go.
    pub runs_max: usize,
    /// Bytes that one run may keep; larger files and what comes then is told, and not kept.
    pub run_bytes_max: u64,
    /// Bytes of all runs; older runs go.
    pub bytes_max: u64,
}

impl Backups {
    /// The usual limits: 20 runs, 128 MiB each, 512 MiB in all.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Backups {
        let folder = folder.into();
        Backups { folder, runs_max: 20, run_bytes_max: 128 << 20, bytes_max: 512 << 20 }
    }
}

/// Why runs could not be listed or restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is no such run.
    #[error("no run {0} is kept: muster-agent restore lists those that are")]
    NoRun(String),
    /// Its list or a file in it cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// A run whose files are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptRun {
    /// Its name: when it began.
    pub name: String,
    /// Paths that it changed.
    pub paths: usize,
    /// Bytes that are kept.
    pub bytes: u64,
}

/// The runs whose files are kept, the newest last.
pub fn runs(folder: &Path) -> Result<Vec<KeptRun>, BackupError> {
    let names =
        names(folder).map_err(|source| BackupError::Read { path: folder.to_path_buf(), source })?;
    let run = |name: String| {
        let place = folder.join(&name);
        let paths = entry::read(&place.join(LIST)).map_or(0, |entries| entries.len());
        KeptRun { paths, bytes: size(&place), name }
    };
    Ok(names.into_iter().map(run).collect())
}

fn names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut names: Vec<String> = entries
        .flatten()
        .filter(|entry| entry.path().join(LIST).is_file())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    Ok(names)
}

fn size(run: &Path) -> u64 {
    let entries = fs::read_dir(run).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).map(|meta| meta.len()).sum()
}

/// Removes the oldest runs above the limits, sparing one for the run that begins.
fn prune(backups: &Backups) -> io::Result<()> {
    let mut names = names(&backups.folder)?;
    let mut sizes: Vec<u64> = names.iter().map(|name| size(&backups.folder.join(name))).collect();
    while !names.is_empty()
        && (names.len() >= backups.runs_max || sizes.iter().sum::<u64>() > backups.bytes_max)
    {
        fs::remove_dir_all(backups.folder.join(names.remove(0)))?;
        sizes.remove(0);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Host;
    use crate::host::files::{Access, TEMPORARY, make_folders, remove, replace, set_access};
    use std::os::unix::fs::{PermissionsExt, symlink};

    struct Machine {
        dir: tempfile::TempDir,
        backups: Backups,
    }

    impl Machine {
        fn new() -> Machine {
            let dir = tempfile::tempdir().unwrap();
            fs::create_dir_all(dir.path().join("etc/old/in")).unwrap();
            fs::write(dir.path().join("etc/old/in/f"), "below").unwrap();
            fs::write(dir.path().join("etc/a"), "before").unwrap();
            fs::write(dir.path().join("etc/gone"), "gone").unwrap();
            symlink("a", dir.path().join("etc/link")).unwrap();
            let backups = Backups::in_folder(dir.path().join("kept"));
            Machine { dir, backups }
        }

        fn at(&self, path: &str) -> PathBuf {
            self.dir.path().join(path)
        }

        fn write(&self, path: &str, text: &str) {
            replace(&Host::new(), &self.at(path), text.as_bytes(), Access::default()).unwrap();
        }

        /// A run that does all that can be undone.
        fn run(&self) -> String {
            let recorder = Recorder::new(&self.backups);
            with(Some(&recorder), || {
                self.write("etc/a", "after");
                self.write("etc/a", "after that");
                make_folders(&self.at("etc/new/deep"), Access::default()).unwrap();
                self.write("etc/new/deep/f", "new");
                let private = Access { mode: Some(0o600), ..Access::default() };
                set_access(&self.at("etc/gone"), private).unwrap();
                remove(&self.at("etc/gone")).unwrap();
                remove(&self.at("etc/old")).unwrap();
                remove(&self.at("etc/link")).unwrap();
                let holder = tempfile::Builder::new().prefix(TEMPORARY).tempdir_in(&self.dir);
                let holder = holder.unwrap();
                let temp = holder.path().join("link");
                fs::write(&temp, "on its way").unwrap();
                set_access(&temp, private).unwrap();
            });
            recorder.end();
            runs(&self.backups.folder).unwrap().pop().unwrap().name
        }

        fn restore(&self, run: &str, test: bool, force: bool) -> Vec<String> {
            let done = restore(&self.backups.folder, run, test, force).unwrap();
            let refused = done.into_iter().filter(|one| !one.is_done);
            refused.map(|one| one.path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
        }

        fn text(&self, path: &str) -> Option<String> {
            fs::read_to_string(self.at(path)).ok()
        }
    }

    #[test]
    fn a_restored_run_leaves_what_was_before_it() {
        let machine = Machine::new();
        let run = machine.run();
        assert_eq!(machine.restore(&run, true, false), [""; 0]);
        assert_eq!(machine.text("etc/a").as_deref(), Some("after that"), "a dry run");
        assert_eq!(machine.restore(&run, false, false), [""; 0]);
        assert_eq!(machine.text("etc/a").as_deref(), Some("before"));
        assert_eq!(machine.text("etc/gone").as_deref(), Some("gone"));
        assert_eq!(machine.text("etc/old/in/f").as_deref(), Some("below"));
        assert_eq!(fs::read_link(machine.at("etc/link")).unwrap(), Path::new("a"));
        assert!(!machine.at("etc/new").exists());
        let mode = fs::metadata(machine.at("etc/gone")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o644);
    }

    #[test]
    fn what_was_changed_since_is_only_restored_by_force() {
        let machine = Machine::new();
        let run = machine.run();
        fs::write(machine.at("etc/a"), "by hand").unwrap();
        fs::write(machine.at("etc/new/more"), "by hand").unwrap();
        assert_eq!(machine.restore(&run, false, false), ["new", "a"]);
        assert_eq!(machine.text("etc/a").as_deref(), Some("by hand"));
        assert_eq!(machine.text("etc/gone").as_deref(), Some("gone"));
        assert_eq!(machine.restore(&run, false, true), ["new"], "never what others put in it");
        assert_eq!(machine.text("etc/a").as_deref(), Some("before"));
    }

    #[test]
    fn old_runs_go_and_a_run_that_changes_nothing_keeps_nothing() {
        let mut machine = Machine::new();
        machine.backups.runs_max = 2;
        for at in 0..4 {
            Recorder::new(&machine.backups).end();
            let recorder = Recorder::new(&machine.backups);
            with(Some(&recorder), || machine.write("etc/a", &format!("{at}")));
            recorder.end();
        }
        let kept = runs(&machine.backups.folder).unwrap();
        assert_eq!(kept.len(), 2);
        machine.restore(&kept[1].name, false, false);
        assert_eq!(machine.text("etc/a").as_deref(), Some("2"));
        assert!(matches!(
            restore(&machine.backups.folder, "../etc", false, false),
            Err(BackupError::NoRun(_))
        ));
    }

    #[test]
    fn what_is_too_large_is_not_kept_and_told() {
        let mut machine = Machine::new();
        machine.backups.run_bytes_max = 5;
        let run = machine.run();
        assert!(machine.restore(&run, false, true).contains(&"a".to_owned()));
        assert_eq!(machine.text("etc/a").as_deref(), Some("after that"));
    }
}
