//! Keeps what a run is about to change.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use time::OffsetDateTime;

use super::entry::{Line, Thing};
use super::{Backups, LIST, prune};
use crate::host::files::below;
use crate::host::temps;

thread_local! {
    /// Who keeps what the state in hand changes.
    static CURRENT: RefCell<Option<Arc<Recorder>>> = const { RefCell::new(None) };
}

/// Does a state's work; what it changes is kept there.
pub(crate) fn with<T>(recorder: Option<&Arc<Recorder>>, work: impl FnOnce() -> T) -> T {
    let before = CURRENT.replace(recorder.cloned());
    let done = work();
    CURRENT.set(before);
    done
}

/// To be called before a path, as it is on this machine, is changed, replaced or removed.
pub(crate) fn keep(path: &Path) {
    if let Some(recorder) = CURRENT.with_borrow(Clone::clone) {
        recorder.keep(path);
    }
}

/// Keeps the files of one run.
#[derive(Debug)]
pub(crate) struct Recorder {
    backups: Backups,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Made with the first change.
    run: Option<Run>,
    known: HashSet<PathBuf>,
    bytes: u64,
    /// It cannot be written: the run goes on without.
    broken: bool,
}

#[derive(Debug)]
struct Run {
    folder: PathBuf,
    list: File,
}

impl Recorder {
    pub(crate) fn new(backups: &Backups) -> Arc<Recorder> {
        Arc::new(Recorder { backups: backups.clone(), state: Mutex::default() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, path: &Path) {
        // What gets its owner and mode before it gets its name is of nobody's before.
        if temps::is_within(path) {
            return;
        }
        let mut state = self.state();
        if state.broken || state.known.contains(path) || path.starts_with(&self.backups.folder) {
            return;
        }
        if let Err(error) = state.keep(&self.backups, path) {
            let folder = self.backups.folder.display();
            tracing::warn!(%error, %folder, "this run's further changes cannot be restored");
            state.broken = true;
        }
    }

    /// Notes what has become of all that was kept.
    pub(crate) fn end(&self) {
        let mut state = self.state();
        let known = std::mem::take(&mut state.known);
        let Some(run) = &mut state.run else { return };
        for path in known {
            let noted = Thing::at(&path).and_then(|thing| run.write(&Line::Now { path, thing }));
            if let Err(error) = noted {
                tracing::warn!(%error, "a changed file can be restored by force only");
            }
        }
    }
}

impl State {
    fn keep(&mut self, backups: &Backups, path: &Path) -> io::Result<()> {
        let thing = Thing::at(path)?;
        self.known.insert(path.to_path_buf());
        if self.run.is_none() {
            self.run = Some(Run::new(backups)?);
        }
        let Some(run) = &mut self.run else { return Ok(()) };
        let mut kept = None;
        if matches!(thing, Thing::File { .. }) {
            let bytes = fs::metadata(path)?.len();
            if self.bytes.saturating_add(bytes) <= backups.run_bytes_max {
                let name = format!("{}", self.known.len());
                run.copy(path, &name)?;
                self.bytes += bytes;
                kept = Some(name);
            }
        }
        run.write(&Line::Was { path: path.to_path_buf(), thing, kept })
    }
}

impl Run {
    fn new(backups: &Backups) -> io::Result<Run> {
        let mut private = DirBuilder::new();
        private.recursive(true).mode(0o700);
        private.create(&backups.folder)?;
        prune(backups)?;
        let now = OffsetDateTime::now_utc();
        let (year, month, day) = now.to_calendar_date();
        let (hour, minute, second, micro) = now.to_hms_micro();
        let name = format!(
            "{year:04}{:02}{day:02}T{hour:02}{minute:02}{second:02}.{micro:06}",
            u8::from(month)
        );
        let folder = backups.folder.join(name);
        private.create(&folder)?;
        let list = private_file(&folder.join(LIST))?;
        Ok(Run { folder, list })
    }

    fn write(&mut self, line: &Line) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.list.write_all(&text)
    }

    fn copy(&self, path: &Path, name: &str) -> io::Result<()> {
        let mut to = private_file(&self.folder.join(name))?;
        io::copy(&mut File::open(path)?, &mut to).map(drop)
    }
}

fn private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().create_new(true).append(true).mode(0o600).open(path)
}

/// Keeps a path and all that lies below it.
pub(crate) fn keep_all(path: &Path) {
    keep(path);
    if CURRENT.with_borrow(Option::is_none) || !path.is_dir() || path.is_symlink() {
        return;
    }
    below(path).unwrap_or_default().iter().for_each(|path| keep(path));
}
