//! Events on disk until a stream has them: a restart of the agent loses none.

use super::queue::Lane;
use crate::files::{self, Lasting};
use muster_protocol::stats::Frame;
use muster_protocol::wire;
use std::path::PathBuf;

/// A message that waits.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) lane: Lane,
    pub(super) message_id: String,
    pub(super) body: Body,
}

/// Where a message is.
#[derive(Clone, Debug)]
pub(super) enum Body {
    /// In memory.
    Memory(Vec<u8>),
    /// In a file: the id, a line's end, the message.
    File(PathBuf, u64),
}

impl Body {
    pub(super) fn bytes(&self) -> u64 {
        match self {
            Body::Memory(payload) => payload.len() as u64,
            Body::File(_, bytes) => *bytes,
        }
    }
}

impl Item {
    pub(super) fn memory(lane: Lane, message_id: String, payload: Vec<u8>) -> Item {
        Item { lane, message_id, body: Body::Memory(payload) }
    }

    pub(super) fn frame(frame: &Frame) -> Item {
        Item::memory(Lane::Stats, frame.message_id(), wire::encode(frame))
    }
}

/// The folder of events that wait; a file's name is a number that grows, and the kind.
#[derive(Debug)]
pub(super) struct Spool {
    folder: PathBuf,
    next: u64,
    /// The last event could not be written.
    fails: bool,
}

impl Spool {
    /// The spool, with what an earlier start has left, the oldest first.
    pub(super) fn open(folder: PathBuf) -> Result<(Spool, Vec<Item>), files::Error> {
        files::private_folder(&folder)?;
        let list = std::fs::read_dir(&folder);
        let list = list.map_err(|source| files::Error::Read { path: folder.clone(), source })?;
        let mut names: Vec<String> =
            list.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
        names.sort();
        let number = |name: &String| name.split_once('-')?.0.parse::<u64>().ok();
        let next = names.iter().filter_map(number).max().map_or(0, |last| last + 1);
        let mut items = Vec::new();
        for name in names {
            match left(folder.join(&name), &name) {
                Some(item) => items.push(item),
                None => files::remove(&folder.join(&name))?,
            }
        }
        Ok((Spool { folder, next, fails: false }, items))
    }

    /// Keeps an event on disk; where the disk does not take it, in memory.
    pub(super) fn keep(&mut self, lane: Lane, message_id: String, payload: Vec<u8>) -> Item {
        let path = self.folder.join(format!("{:016}-{}", self.next, lane.name()));
        self.next += 1;
        let bytes = [message_id.as_bytes(), b"\n", &payload].concat();
        let written = files::write(&path, &bytes, Lasting::Process);
        self.fails = written.is_err();
        match written {
            Ok(()) => Item { lane, message_id, body: Body::File(path, bytes.len() as u64) },
            Err(error) => {
                tracing::warn!(error = %crate::chain(&error), "an event waits in memory only");
                Item::memory(lane, message_id, payload)
            }
        }
    }

    /// Whether the last event could not be written.
    pub(super) fn fails(&self) -> bool {
        self.fails
    }

    /// The message's bytes.
    pub(super) fn load(&self, body: Body) -> Result<Vec<u8>, files::Error> {
        match body {
            Body::Memory(payload) => Ok(payload),
            Body::File(path, _) => {
                let gone = || std::io::Error::from(std::io::ErrorKind::NotFound);
                let source = |source| files::Error::Read { path: path.clone(), source };
                let bytes = files::read(&path)?.ok_or_else(|| source(gone()))?;
                let (_, payload) = split(&bytes).ok_or_else(|| source(gone()))?;
                Ok(payload.to_vec())
            }
        }
    }

    /// Removes what need not be kept any longer.
    pub(super) fn forget(&self, item: Item) {
        let Body::File(path, _) = item.body else { return };
        if let Err(error) = files::remove(&path) {
            // It is sent once more after a restart, with the same id.
            tracing::warn!(error = %crate::chain(&error), "a stored event stays in the spool");
        }
    }
}

fn split(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let id = str::from_utf8(&bytes[..end]).ok().filter(|id| !id.is_empty())?;
    Some((id, &bytes[end + 1..]))
}

/// The event in a file; none if it is not whole.
fn left(path: PathBuf, name: &str) -> Option<Item> {
    let lane = Lane::of(name.split_once('-')?.1)?;
    let bytes = files::read(&path).ok()??;
    let id = whole(&bytes)?;
    let body = Body::File(path, bytes.len() as u64);
    Some(Item { lane, message_id: id.to_owned(), body })
}

/// The id in a file's bytes; none if they are not whole.
pub(super) fn whole(bytes: &[u8]) -> Option<&str> {
    let (id, payload) = split(bytes)?;
    wire::decode::<muster_protocol::event::Event>(payload).is_ok().then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use muster_protocol::event::Event;
    use muster_protocol::id::{Token, UnixMillis, random};

    fn event() -> Vec<u8> {
        wire::encode(&Event::new(Token::random(random()), UnixMillis(1), &"x"))
    }

    #[test]
    fn a_restart_finds_what_was_not_stored_in_its_order_with_its_ids() {
        let dir = tempfile::tempdir().unwrap();
        let (mut spool, left) = Spool::open(dir.path().join("spool")).unwrap();
        assert!(left.is_empty());
        for n in 0..12 {
            let lane = if n % 2 == 0 { Lane::Alarm } else { Lane::Applied };
            let item = spool.keep(lane, format!("boot-e{n}"), event());
            if n == 5 {
                spool.forget(item);
            }
        }
        let (mut spool, left) = Spool::open(dir.path().join("spool")).unwrap();
        let ids: Vec<&str> = left.iter().map(|item| item.message_id.as_str()).collect();
        let expected: Vec<String> =
            (0..12).filter(|n| *n != 5).map(|n| format!("boot-e{n}")).collect();
        assert_eq!(ids, expected);
        assert_eq!(spool.load(left[0].body.clone()).unwrap().len(), event().len());
        spool.keep(Lane::Alarm, "next".into(), event());
        let (_, left) = Spool::open(dir.path().join("spool")).unwrap();
        assert_eq!(left.last().unwrap().message_id, "next");
    }

    #[test]
    fn a_file_that_is_not_whole_is_no_event() {
        let dir = tempfile::tempdir().unwrap();
        for (name, bytes) in [
            ("0000000000000001-alarm", &b""[..]),
            ("0000000000000002-alarm", b"id\ncut"),
            ("0000000000000003-bogus", b"id\nx"),
            ("0000000000000004-alarm.part", b"id\nx"),
        ] {
            std::fs::write(dir.path().join(name), bytes).unwrap();
        }
        let (_, left) = Spool::open(dir.path().to_owned()).unwrap();
        assert!(left.is_empty());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
