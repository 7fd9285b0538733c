//! Temporary files: each stands beside what it will replace; a crash leaves it, the next run
//! sweeps it.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Host;
use super::files::TEMPORARY;
use crate::journal::FolderNotes;

/// Letters or digits behind [`TEMPORARY`] in the name of a temporary file.
const RANDOM: usize = 6;

/// The folders in which this run made temporary files.
#[derive(Debug, Default)]
pub(crate) struct Temps(Mutex<Noted>);

#[derive(Debug, Default)]
struct Noted {
    folders: HashSet<PathBuf>,
    notes: Option<FolderNotes>,
}

impl Temps {
    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Host {
    /// From now on, folders with temporary files are noted there, or nowhere.
    pub(crate) fn note_temps(&self, notes: Option<FolderNotes>) {
        *self.temps.noted() = Noted { folders: HashSet::new(), notes };
    }

    /// To be called before a temporary file is made in a folder.
    pub(crate) fn makes_temp_in(&self, folder: &Path) {
        let mut noted = self.temps.noted();
        if noted.notes.is_none() || !noted.folders.insert(folder.to_path_buf()) {
            return;
        }
        if let Some(Err(error)) = noted.notes.as_mut().map(|notes| notes.note(folder)) {
            tracing::warn!(%error, "a crash now may leave temporary files");
            noted.notes = None;
        }
    }
}

/// Removes what an interrupted run left in a folder.
pub(crate) fn sweep(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if !entry.file_name().to_str().is_some_and(is_temp) {
            continue;
        }
        let path = entry.path();
        if let Err(error) = super::files::remove(&path) {
            tracing::warn!(path = %path.display(), %error, "a temporary file stays behind");
        }
    }
}

/// Whether a file is one that is on its way to another name.
pub(crate) fn is_within(path: &Path) -> bool {
    path.iter().any(|part| part.to_str().is_some_and(is_temp))
}

fn is_temp(name: &str) -> bool {
    name.strip_prefix(TEMPORARY).is_some_and(|rest| {
        let (random, ending) = rest.split_at_checked(RANDOM).unwrap_or((rest, "-"));
        random.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && (ending.is_empty() || ending.starts_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_temporary_files_are_swept() {
        let dir = tempfile::tempdir().unwrap();
        let made = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(dir.path()).unwrap();
        let (_, left) = made.keep().unwrap();
        let others = [".muster-notes", ".muster-", "x.muster-abcdef", ".muster-abc-ef"];
        for other in others {
            fs::write(dir.path().join(other), "").unwrap();
        }
        fs::create_dir_all(dir.path().join(".muster-Abc123/in")).unwrap();
        fs::write(dir.path().join(".muster-Abc123.sh"), "").unwrap();
        sweep(dir.path());
        assert!(!left.exists());
        let mut names: Vec<String> = fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        let mut others = others.map(str::to_owned);
        others.sort();
        assert_eq!(names, others);
    }
}
