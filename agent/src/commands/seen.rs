//! Which commands were here before, also before a restart: each is done once.

use crate::files;
use muster_protocol::command::{Command, LIFETIME_MILLIS, Seen, Verb, Void};
use muster_protocol::id::{AgentId, Token, UnixMillis};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

/// The file is written anew when it is longer than this: some thousand commands.
const BYTES_MAX: u64 = 256 << 10;

/// A line of the file: when a command was issued, and its id.
pub(crate) fn line_of(line: &str) -> Option<(UnixMillis, Token)> {
    let (issued, id) = line.split_once(' ')?;
    Some((UnixMillis(issued.parse().ok()?), id.parse().ok()?))
}

/// The commands that could come again; those that do something are also on disk.
pub(crate) struct Remembered {
    me: AgentId,
    seen: Seen,
    path: PathBuf,
    file: Option<File>,
    bytes: u64,
}

impl Remembered {
    /// Goes on from what an earlier start has done.
    pub(crate) fn open(
        me: AgentId,
        path: PathBuf,
        now: UnixMillis,
    ) -> Result<Remembered, files::Error> {
        let text = files::read_secret(&path)?.unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        let mut remembered = Remembered { me, seen: Seen::default(), path, file: None, bytes: 0 };
        remembered.begin(&text, now)?;
        Ok(remembered)
    }

    /// Admits those of `text` that could come again, and begins the file with them.
    fn begin(&mut self, text: &str, now: UnixMillis) -> Result<(), files::Error> {
        let fresh: Vec<&str> = text.lines().filter(|line| self.readmit(line, now)).collect();
        let text: String = fresh.iter().map(|line| format!("{line}\n")).collect();
        files::write(&self.path, text.as_bytes(), files::Lasting::Process)?;
        self.bytes = text.len() as u64;
        let write = |source| files::Error::Write { path: self.path.clone(), source };
        let file = OpenOptions::new().append(true).mode(0o600).open(&self.path).map_err(write)?;
        self.file = Some(file);
        Ok(())
    }

    fn readmit(&mut self, line: &str, now: UnixMillis) -> bool {
        let Some((issued, id)) = line_of(line) else { return false };
        let agent_id = self.me.clone();
        let command = Command { id, agent_id, issued, verb: Verb::Ping };
        self.seen.admit(&self.me, &command, now).is_ok()
    }

    /// Admits a command once, within its time.
    pub(crate) fn admit(&mut self, command: &Command, now: UnixMillis) -> Result<(), Void> {
        self.seen.admit(&self.me, command, now)?;
        match command.verb {
            // To answer these twice does no harm.
            Verb::Ping | Verb::Facts | Verb::Renew => {}
            Verb::Apply { .. } | Verb::Exec { .. } => self.keep(command, now),
        }
        Ok(())
    }

    fn keep(&mut self, command: &Command, now: UnixMillis) {
        let line = format!("{} {}\n", command.issued.0, command.id);
        self.bytes += line.len() as u64;
        let kept = match &mut self.file {
            Some(file) => file.write_all(line.as_bytes()),
            None => return,
        };
        if let Err(error) = kept {
            tracing::warn!(%error, "a restart within a minute would forget this command");
        }
        if self.bytes > BYTES_MAX {
            self.shorten(now);
        }
    }

    /// Leaves out what is too old to come again.
    fn shorten(&mut self, now: UnixMillis) {
        let text = files::read_secret(&self.path).ok().flatten().unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        let could_come = |line: &&str| {
            let issued = line.split_once(' ').and_then(|(issued, _)| issued.parse().ok());
            issued.is_some_and(|issued| now.since(UnixMillis(issued)) <= LIFETIME_MILLIS)
        };
        let fresh: String =
            text.lines().filter(could_come).map(|line| format!("{line}\n")).collect();
        // In this process `seen` knows them all: only the file begins anew.
        let seen = std::mem::take(&mut self.seen);
        let begun = self.begin(&fresh, now);
        self.seen = seen;
        if let Err(error) = begun {
            tracing::warn!(error = %crate::chain(&error), "the list of commands grows on");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use muster_protocol::id::random;

    const NOW: UnixMillis = UnixMillis(1_000_000);

    fn me() -> AgentId {
        "compute-0007-abcdefghijkm".parse().unwrap()
    }

    fn command(verb: Verb) -> Command {
        Command { id: Token::random(random()), agent_id: me(), issued: NOW, verb }
    }

    fn exec() -> Command {
        command(Verb::Exec { argv: vec!["true".into()], timeout_secs: 1 })
    }

    #[test]
    fn a_command_is_done_once_also_over_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("commands");
        let open = |now| Remembered::open(me(), path.clone(), now).unwrap();
        let command = exec();
        let mut remembered = open(NOW);
        assert_eq!(remembered.admit(&command, NOW), Ok(()));
        assert_eq!(remembered.admit(&command, NOW), Err(Void::Seen));
        assert_eq!(open(NOW.plus(1000)).admit(&command, NOW.plus(1000)), Err(Void::Seen));
        let late = NOW.plus(LIFETIME_MILLIS + 1);
        assert!(matches!(open(late).admit(&command, late), Err(Void::Old { .. })));
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 0);
    }

    #[test]
    fn the_file_stays_short_and_the_memory_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("commands");
        let mut remembered = Remembered::open(me(), path.clone(), NOW).unwrap();
        let first = exec();
        remembered.admit(&first, NOW).unwrap();
        let later = NOW.plus(LIFETIME_MILLIS + 1);
        for _ in 0..7000 {
            let command = Command { issued: later, ..exec() };
            remembered.admit(&command, later).unwrap();
        }
        let bytes = std::fs::metadata(&path).unwrap().len();
        assert!(bytes <= 2 * BYTES_MAX, "{bytes}");
        let early = Command { issued: later, ..first };
        assert_eq!(remembered.admit(&early, later), Err(Void::Seen));
    }
}
