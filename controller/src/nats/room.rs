//! Whether the disk under the store has room. NATS gives a stream up at its first write that finds
//! none, answers nobody, and takes it up again only after a restart: so it is told, and restarted
//! as soon as there is room.

use nix::sys::statvfs::statvfs;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use tokio::sync::watch;

/// What the server's log has when a write failed for want of room, in every release.
const NO_SPACE: &str = "no space left on device";
/// With so few bytes free writes fail, and so would the log's, if it is on the same disk.
const FULL_BYTES: u64 = 1 << 20;
/// With so few bytes free a person is warned.
const LOW_BYTES: u64 = 64 << 20;
/// With so many bytes free a server that found none is started again.
const ROOM_BYTES: u64 = 16 << 20;
/// So much of the log is read at each look; what is beyond was written within seconds, in a flood
/// of the same line.
const LOG_BYTES_MAX: u64 = 1 << 20;

/// How much room there is, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Room {
    /// Enough.
    #[default]
    Enough,
    /// Little: it goes on.
    Low(u64),
    /// A write found none: nothing is stored any more.
    Full(u64),
}

/// What follows from a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Nothing,
    /// There is room again, for a server that does not know.
    Restart,
}

#[derive(Debug)]
pub(super) struct Watch {
    store: PathBuf,
    log: PathBuf,
    /// How far the log was read.
    read: u64,
    room: watch::Sender<Room>,
}

impl Watch {
    /// Watches from now on: what the log says of earlier days is over.
    pub(super) fn new(store: &Path, log: PathBuf) -> Watch {
        let read = log.metadata().map_or(0, |meta| meta.len());
        Watch { store: store.to_owned(), log, read, room: watch::Sender::default() }
    }

    /// How much room there is, and each change of it.
    pub(super) fn room(&self) -> watch::Receiver<Room> {
        self.room.subscribe()
    }

    /// Looks at the disk and at the server's log.
    pub(super) fn look(&mut self) -> Next {
        let failed = self.writes_failed();
        let Ok(stat) = statvfs(&self.store) else { return Next::Nothing };
        let free = stat.blocks_available() * stat.fragment_size();
        let before = *self.room.borrow();
        let now = room(before, failed, free);
        let store = self.store.display();
        match (before, now) {
            (Room::Full(_), Room::Enough | Room::Low(_)) => {
                tracing::warn!(%store, free, "there is room again: nats-server is started anew");
            }
            (Room::Enough | Room::Low(_), Room::Full(_)) => tracing::error!(
                %store, free,
                "the disk is full: NATS stores nothing until there is room, agents keep what they \
                 say; make room there"
            ),
            (Room::Enough, Room::Low(_)) => {
                tracing::warn!(%store, free, "the disk of NATS' store is almost full: make room");
            }
            _ => {}
        }
        if std::mem::discriminant(&before) != std::mem::discriminant(&now) {
            self.room.send_replace(now);
        }
        match (before, now) {
            (Room::Full(_), Room::Enough | Room::Low(_)) => Next::Restart,
            _ => Next::Nothing,
        }
    }

    /// Whether the log tells, since the last look, of a write that found no room.
    fn writes_failed(&mut self) -> bool {
        let Ok(mut file) = File::open(&self.log) else { return false };
        let length = file.metadata().map_or(0, |meta| meta.len());
        // It was rotated.
        if length < self.read {
            self.read = 0;
        }
        let mut text = Vec::new();
        let found = file
            .seek(SeekFrom::Start(self.read))
            .and_then(|_| file.take(LOG_BYTES_MAX).read_to_end(&mut text));
        self.read = length;
        found.is_ok() && String::from_utf8_lossy(&text).contains(NO_SPACE)
    }
}

fn room(before: Room, failed: bool, free: u64) -> Room {
    let failed = failed || free < FULL_BYTES;
    match before {
        _ if failed && free < ROOM_BYTES => Room::Full(free),
        // It failed in between two looks, and nothing else would tell.
        Room::Enough | Room::Low(_) if failed => Room::Full(free),
        Room::Full(_) if free < ROOM_BYTES => Room::Full(free),
        Room::Full(_) | Room::Enough | Room::Low(_) => match free < LOW_BYTES {
            true => Room::Low(free),
            false => Room::Enough,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_found_no_room_is_started_again_once_there_is_some() {
        let (much, little, none) = (1 << 30, 2 << 20, 1 << 10);
        assert_eq!(room(Room::Enough, false, much), Room::Enough);
        assert_eq!(room(Room::Enough, false, little), Room::Low(little));
        assert_eq!(room(Room::Low(little), true, little), Room::Full(little));
        assert_eq!(room(Room::Full(little), false, little), Room::Full(little));
        assert_eq!(room(Room::Full(little), false, much), Room::Enough);
        assert_eq!(room(Room::Low(little), false, none), Room::Full(none), "the log is full, too");
        // The disk was full for a moment only: the server has given up all the same.
        let passed = room(Room::Enough, true, much);
        assert_eq!((passed, room(passed, false, much)), (Room::Full(much), Room::Enough));
    }

    #[test]
    fn only_what_the_log_says_from_now_on_counts_also_after_a_rotation() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("nats.log");
        std::fs::write(&log, format!("[ERR] write x: {NO_SPACE}\n")).unwrap();
        let mut watch = Watch::new(dir.path(), log.clone());
        assert!(!watch.writes_failed());
        std::fs::write(&log, format!("[ERR] y: {NO_SPACE}\n")).unwrap();
        assert!(watch.writes_failed(), "it is shorter: another file");
        assert!(!watch.writes_failed());
    }
}
