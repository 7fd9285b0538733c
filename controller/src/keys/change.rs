//! A change of several files of a key directory that happens whole, whenever the process is killed.
//!
//! What is to become of the files is first written into one, the journal: from then on the change
//! has happened. Whoever reads the directory next does what a killed writer has left undone.

use super::Error;
use super::files::Directory;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::ErrorKind;

/// What a change that has begun makes of the files.
const JOURNAL: &str = "change.json";
/// Held while the files change, and while they are read.
const LOCK: &str = ".keys.lock";

/// Files with their new text; none: removed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Change(BTreeMap<String, Option<String>>);

impl Change {
    /// A file gets a text.
    pub(crate) fn write(&mut self, file: &str, text: impl Into<String>) {
        self.0.insert(file.to_owned(), Some(text.into()));
    }

    /// A file goes.
    pub(crate) fn remove(&mut self, file: &str) {
        self.0.insert(file.to_owned(), None);
    }

    /// Changes the files. An error may leave the journal: then the change happens at the next
    /// reading.
    pub(crate) fn commit(&self, dir: &Directory) -> Result<(), Error> {
        let _held = still(dir)?;
        let journal = serde_json::to_string(self).expect("a map of strings is JSON");
        dir.write(JOURNAL, &journal)?;
        self.perform(dir)
    }

    fn perform(&self, dir: &Directory) -> Result<(), Error> {
        for (file, text) in &self.0 {
            step(dir, file, text.as_deref())?;
        }
        dir.remove(JOURNAL)
    }
}

fn step(dir: &Directory, file: &str, text: Option<&str>) -> Result<(), Error> {
    match text {
        Some(text) => dir.write(file, text),
        None => dir.remove(file),
    }
}

/// Ends a change that has begun, and keeps others away for as long as the answer is held. Where
/// nothing can be written, as on a disk that is read-only, nothing is held.
pub(crate) fn still(dir: &Directory) -> Result<Option<File>, Error> {
    let held = match dir.hold(LOCK) {
        Err(Error::Io { source, .. }) if is_read_only(&source) => None,
        held => Some(held?),
    };
    if let Some(text) = dir.read(JOURNAL)? {
        let change: Change = serde_json::from_str(&text)
            .map_err(|source| Error::damaged(dir.path(JOURNAL), source))?;
        change.perform(dir)?;
    }
    Ok(held)
}

fn is_read_only(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied)
}

/// Whether a change has begun and not ended.
pub(crate) fn is_under_way(dir: &Directory) -> Result<bool, Error> {
    Ok(dir.read(JOURNAL)?.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(dir: &Directory) -> Vec<Option<String>> {
        ["a", "b", "c", JOURNAL].iter().map(|file| dir.read(file).unwrap()).collect()
    }

    /// Guards: the journal is written first and removed last; reading does what is left to do.
    #[test]
    fn a_change_that_is_killed_anywhere_happens_whole_or_not_at_all() {
        let mut change = Change::default();
        change.write("a", "new");
        change.write("b", "new");
        change.remove("c");
        let text = |text: &str| Some(text.to_owned());
        let (before, after) = (
            vec![text("old"), None, text("old"), None],
            vec![text("new"), text("new"), None, None],
        );
        // Killed before the journal was there, after it, and after each of the files.
        for steps in 0..=change.0.len() + 1 {
            let temp = tempfile::tempdir().unwrap();
            let dir = Directory::make(&temp.path().join("keys")).unwrap();
            dir.write("a", "old").unwrap();
            dir.write("c", "old").unwrap();
            let journal = serde_json::to_string(&change).unwrap();
            dir.write("half", &journal[..9]).unwrap();
            std::fs::rename(dir.path("half"), dir.path(&format!(".{JOURNAL}.new"))).unwrap();
            if steps > 0 {
                dir.write(JOURNAL, &journal).unwrap();
            }
            for (file, text) in change.0.iter().take(steps.saturating_sub(1)) {
                step(&dir, file, text.as_deref()).unwrap();
            }
            drop(still(&dir).unwrap());
            assert_eq!(texts(&dir), if steps == 0 { before.clone() } else { after.clone() });
            change.commit(&dir).unwrap();
            assert_eq!(texts(&dir), after);
        }
    }

    /// Guards: the files are touched only when the journal is there.
    #[test]
    fn a_change_that_fails_in_the_middle_happens_at_the_next_reading() {
        let temp = tempfile::tempdir().unwrap();
        let dir = Directory::make(&temp.path().join("keys")).unwrap();
        let mut change = Change::default();
        change.write("a", "new");
        change.write("b", "new");
        // The second file cannot be written, as on a full disk.
        let obstacle = dir.path(".b.new");
        std::fs::create_dir(&obstacle).unwrap();
        assert!(change.commit(&dir).is_err() && still(&dir).is_err());
        assert!(dir.read("a").unwrap().is_some() && dir.read("b").unwrap().is_none());
        std::fs::remove_dir(&obstacle).unwrap();
        drop(still(&dir).unwrap());
        assert_eq!(dir.require("b").unwrap(), "new");
    }
}
