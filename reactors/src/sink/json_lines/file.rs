//! The file of a JSON-lines sink: appended whole, repaired at opening, rotated by size.

use super::tail::Tail;
use super::{Config, Sync};
use crate::sink::Error;
use std::fs::{self, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use tracing::warn;

/// How much is read at once to find the end of the last whole line.
const STEP_BYTES: usize = 64 << 10;

pub(super) struct File {
    config: Config,
    file: fs::File,
    /// Bytes of whole batches; what lies behind them is of a failed write.
    size: u64,
    /// What it held when it was opened.
    tail: Tail,
}

impl File {
    /// Opens or makes the file, and removes a last line that has no end.
    pub(super) fn open(config: Config) -> Result<File, Error> {
        let failed = |what| failed(what, &config.path);
        let options = OpenOptions::new().read(true).append(true).create(true).clone();
        let file = options.open(&config.path).map_err(failed("opening"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::Shared { path: config.path.clone() });
            }
            Err(TryLockError::Error(source)) => return Err(failed("locking")(source)),
        }
        let size = repair(&file, &config.path).map_err(failed("repairing"))?;
        let tail = Tail::read(&file, size).map_err(failed("reading"))?;
        Ok(File { config, file, size, tail })
    }

    /// What it held when it was opened.
    pub(super) fn tail(&self) -> &Tail {
        &self.tail
    }

    /// Appends bytes, all or none; rotates before, if there is no room.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if !self.is_in_place() {
            *self = File::open(self.config.clone())?;
        }
        if self.size > 0 && self.size + bytes.len() as u64 > self.config.rotate_bytes {
            self.rotate()?;
        }
        let written = self.file.write_all(bytes).and_then(|()| self.sync());
        if let Err(source) = written {
            // If this fails too, the next opening repairs the last line.
            let undone = self.file.set_len(self.size);
            let path = self.config.path.display();
            if let Err(error) = undone {
                warn!(%path, %error, "a failed write could not be undone");
            }
            return Err(failed("writing", &self.config.path)(source));
        }
        self.size += bytes.len() as u64;
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        match self.config.sync {
            Sync::Batch => self.file.sync_data(),
            Sync::Never => Ok(()),
        }
    }

    /// Whether the path still names this file: others may have moved or removed it.
    fn is_in_place(&self) -> bool {
        let same = |ours: fs::Metadata, there: fs::Metadata| {
            (ours.dev(), ours.ino()) == (there.dev(), there.ino())
        };
        match (self.file.metadata(), fs::metadata(&self.config.path)) {
            (Ok(ours), Ok(there)) => same(ours, there),
            _ => false,
        }
    }

    /// `.1` becomes `.2` and so on; the oldest is replaced by the one before it.
    fn rotate(&mut self) -> Result<(), Error> {
        let path = &self.config.path;
        let keep = self.config.keep_files;
        for n in (1..keep).rev() {
            let (from, to) = (numbered(path, n), numbered(path, n + 1));
            if from.exists() {
                fs::rename(&from, &to).map_err(failed("rotating", path))?;
            }
        }
        if keep == 0 {
            fs::remove_file(path).map_err(failed("rotating", path))?;
        } else {
            fs::rename(path, numbered(path, 1)).map_err(failed("rotating", path))?;
        }
        *self = File::open(self.config.clone())?;
        Ok(())
    }
}

fn failed(what: &'static str, path: &Path) -> impl Fn(io::Error) -> Error + use<> {
    let path = path.to_owned();
    move |source| Error::File { what, path: path.clone(), source }
}

fn numbered(path: &Path, n: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{n}"));
    PathBuf::from(name)
}

/// Cuts the file behind its last newline; returns its size.
fn repair(file: &fs::File, path: &Path) -> io::Result<u64> {
    let length = file.metadata()?.len();
    let mut end = length;
    let mut buffer = vec![0; STEP_BYTES];
    while end > 0 {
        let start = end.saturating_sub(STEP_BYTES as u64);
        let piece = &mut buffer[..usize::try_from(end - start).expect("at most STEP_BYTES")];
        file.read_exact_at(piece, start)?;
        if let Some(at) = piece.iter().rposition(|&byte| byte == b'\n') {
            end = start + at as u64 + 1;
            break;
        }
        end = start;
    }
    if end < length {
        warn!(path = %path.display(), bytes = length - end, "removed a line that a crash had cut");
        file.set_len(end)?;
    }
    Ok(end)
}
