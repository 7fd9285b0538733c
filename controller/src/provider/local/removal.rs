//! Removes servers: first all that runs, then the folder.

use super::{GONE, NEW, UNFINISHED_MILLIS_MAX, is_id, names};
use crate::provider::{Error, ErrorKind};
use crate::sandbox::process::{self, Process};
use crate::sandbox::record::{Folder, Isolation, Running};
use nix::sys::signal::Signal;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

/// How long a supervisor may take to end its worker. (PID 1 of a folder asks first, twice 2 s.)
const END_LIMIT: Duration = Duration::from_secs(8);
/// How long the kernel may take to end what was killed.
const KILL_LIMIT: Duration = Duration::from_secs(5);
/// How often in a row nothing must be found: a process that is just being executed shows no
/// environment for a moment.
const EMPTY_LOOKS: u32 = 3;
/// How often the removal of a folder is tried: somebody may just be writing there.
const TRIES: u32 = 5;
/// How many servers a sweep removes at once.
const SWEEPS_MAX: usize = 16;

/// Removes all servers in a folder, of whatever cluster, and the folder: after a killed run.
///
/// Returns how many servers there were. A folder that is not there is none.
///
/// # Errors
/// If something cannot be ended or removed; calling it again goes on from there.
pub fn sweep(folder: &Path) -> Result<usize, Error> {
    let failed = |error: io::Error| {
        let text = format!("removing the servers in {}", folder.display());
        Error::new(ErrorKind::Transient, text).caused_by(error)
    };
    let folder = match fs::canonicalize(folder) {
        Ok(folder) => folder,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(failed(error)),
    };
    let all = names(&folder).map_err(failed)?;
    // A wrong folder is somebody's: the servers of a running provider may lie below it.
    if let Some(other) = all.iter().find(|name| !is_id(name) && !is_between(name)) {
        let text = format!(
            "{} holds {other:?}, which is no server; name the folder of the provider's servers, \
             e.g. /var/lib/muster/local/<provider>",
            folder.display()
        );
        return Err(Error::new(ErrorKind::Invalid, text));
    }
    let ids: Vec<String> = all.into_iter().filter(|name| is_id(name)).collect();
    // Each waits until its processes have ended.
    let part = ids.len().div_ceil(SWEEPS_MAX).max(1);
    std::thread::scope(|scope| {
        let sweep = |ids: &[String]| -> Result<(), Error> {
            ids.iter().try_for_each(|id| remove(&Folder::new(folder.join(id))))
        };
        let all: Vec<_> = ids.chunks(part).map(|ids| scope.spawn(move || sweep(ids))).collect();
        let broken = || Error::new(ErrorKind::Transient, "a removal was broken off".to_owned());
        all.into_iter().try_for_each(|one| one.join().map_err(|_| broken())?)
    })?;
    remove_tree(&folder).map_err(failed)?;
    Ok(ids.len())
}

/// Whether a name is one of a folder that is about to be a server, or is none any more.
fn is_between(name: &str) -> bool {
    name.starts_with(NEW) || name.starts_with(GONE)
}

/// Removes one server, wherever its life or an earlier removal was broken off.
pub(super) fn remove(folder: &Folder) -> Result<(), Error> {
    let failed = |error: io::Error| {
        let text = format!("removing server {}", folder.path().display());
        Error::new(ErrorKind::Transient, text).caused_by(error)
    };
    match end_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        result => result.map_err(failed)?,
    }
    let gone = folder.path().with_file_name(format!(
        "{GONE}{}",
        folder.path().file_name().unwrap_or_default().to_string_lossy()
    ));
    match fs::rename(folder.path(), &gone) {
        // Somebody else has just removed it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result.and_then(|()| remove_tree(&gone)).map_err(failed),
    }
}

/// Ends all that runs in a server, for good.
pub(super) fn end_all(folder: &Folder) -> io::Result<()> {
    folder.condemn()?;
    // A supervisor that is not written down yet will find the mark, and end by itself.
    if let Some(running) = folder.running()? {
        end(&running)?;
    }
    end_strays(folder)
}

/// Removes what is no server yet, or no more, and has been so for a while.
pub(super) fn clear_unfinished(folder: &Path) -> io::Result<()> {
    for name in names(folder)? {
        let path = folder.join(&name);
        if name.starts_with(GONE) || name.starts_with(NEW) && is_old(&path) {
            remove_tree(&path)?;
        }
    }
    Ok(())
}

fn is_old(path: &Path) -> bool {
    let changed = fs::metadata(path).and_then(|found| found.modified());
    changed.is_ok_and(|at| at.elapsed().is_ok_and(|age| age.as_millis() > UNFINISHED_MILLIS_MAX))
}

/// Ends a supervisor and its PID 1, and with it all in its namespace.
fn end(running: &Running) -> io::Result<()> {
    let Running { supervisor, init } = running;
    supervisor.signal(Signal::SIGTERM)?;
    if !supervisor.ends_within(END_LIMIT) {
        supervisor.signal(Signal::SIGKILL)?;
        wait(*supervisor)?;
    }
    match init {
        None => Ok(()),
        // Without a supervisor it ends by itself; this is for the moment in between.
        Some(init) => init.signal(Signal::SIGKILL).and_then(|()| wait(*init)),
    }
}

/// Ends what isolation `none` may leave when its PID 1 itself was killed.
fn end_strays(folder: &Folder) -> io::Result<()> {
    // A namespace leaves none; and what cannot be read may have been of either sort.
    if folder.spec().is_ok_and(|spec| spec.isolation != Isolation::None) {
        return Ok(());
    }
    let setting = format!("MUSTER_ROOT={}", folder.root().display());
    let mut empty = 0;
    while empty < EMPTY_LOOKS {
        let strays = process::with_environment(setting.as_bytes())?;
        empty = if strays.is_empty() { empty + 1 } else { 0 };
        for stray in strays {
            stray.signal(Signal::SIGKILL)?;
            wait(stray)?;
        }
    }
    Ok(())
}

fn wait(process: Process) -> io::Result<()> {
    match process.ends_within(KILL_LIMIT) {
        true => Ok(()),
        false => Err(io::Error::new(io::ErrorKind::TimedOut, "a killed process does not end")),
    }
}

pub(super) fn remove_tree(path: &Path) -> io::Result<()> {
    let mut tries = TRIES;
    loop {
        match fs::remove_dir_all(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) if tries > 0 => {
                tries -= 1;
                // An overlay's folders may be closed even to their owner.
                if error.kind() == io::ErrorKind::PermissionDenied {
                    open_folders(path)?;
                }
            }
            result => return result,
        }
    }
}

fn open_folders(path: &Path) -> io::Result<()> {
    if !fs::symlink_metadata(path)?.is_dir() {
        return Ok(());
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(path)? {
        open_folders(&entry?.path())?;
    }
    Ok(())
}
