//! The server's process: our child, or one that an earlier controller started.

use super::Error;
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;
use tokio::process::Child;

/// In the server's environment: the hash of what it was started with.
pub(super) const FINGERPRINT_VARIABLE: &str = "MUSTER_NATS_FINGERPRINT";
/// How often an adopted process is looked at; it is not ours to wait for.
const POLL: Duration = Duration::from_millis(100);
/// A killed process that has not ended by then hangs in the kernel.
const KILL_TIMEOUT: Duration = Duration::from_secs(10);

/// One process for ever: ids are used again, with another start time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) pid: u32,
    started: u64,
}

/// A server that was found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) identity: Identity,
    pub(super) fingerprint: String,
}

/// Our user's processes that run `-c <config>` and bear a fingerprint.
pub(super) fn find(config: &Path) -> Vec<Found> {
    let Ok(entries) = fs::read_dir("/proc") else { return vec![] };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| look(pid, config)).collect()
}

fn look(pid: u32, config: &Path) -> Option<Found> {
    let owner = fs::metadata(format!("/proc/{pid}")).ok()?.uid();
    if owner != geteuid().as_raw() {
        return None;
    }
    let arguments = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let mut arguments = arguments.split(|byte| *byte == 0);
    arguments.find(|argument| *argument == b"-c")?;
    if arguments.next()? != config.as_os_str().as_encoded_bytes() {
        return None;
    }
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let fingerprint = environment.split(|byte| *byte == 0).find_map(|variable| {
        std::str::from_utf8(variable).ok()?.strip_prefix(FINGERPRINT_VARIABLE)?.strip_prefix('=')
    })?;
    let identity = Identity { pid, started: started(pid)? };
    Some(Found { identity, fingerprint: fingerprint.to_owned() })
}

/// When a living process was started, in ticks since boot (proc(5), field 22 of stat).
fn started(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let is_dead = matches!(fields.next()?, "Z" | "X");
    if is_dead { None } else { fields.nth(18)?.parse().ok() }
}

impl Identity {
    fn is_alive(&self) -> bool {
        started(self.pid) == Some(self.started)
    }
}

/// The server's process.
#[derive(Debug)]
pub(super) enum Process {
    /// Ours; its id is kept for when it has ended.
    Child(Child, u32),
    /// An earlier controller's.
    Adopted(Identity),
}

impl Process {
    pub(super) fn child(child: Child) -> Process {
        let pid = child.id().unwrap_or_default();
        Process::Child(child, pid)
    }

    pub(super) fn pid(&self) -> u32 {
        match self {
            Process::Child(_, pid) => *pid,
            Process::Adopted(identity) => identity.pid,
        }
    }

    pub(super) fn is_adopted(&self) -> bool {
        matches!(self, Process::Adopted(_))
    }

    /// Returns once it has ended.
    pub(super) async fn ended(&mut self) {
        match self {
            // An error means that there is nothing to wait for.
            Process::Child(child, _) => drop(child.wait().await),
            Process::Adopted(identity) => {
                let mut poll = tokio::time::interval(POLL);
                while identity.is_alive() {
                    poll.tick().await;
                }
            }
        }
    }

    /// Asks it to end, waits for the grace time, kills it.
    pub(super) async fn stop(&mut self, grace: Duration) -> Result<(), Error> {
        self.signal(Signal::SIGTERM)?;
        if tokio::time::timeout(grace, self.ended()).await.is_ok() {
            return Ok(());
        }
        tracing::warn!(pid = self.pid(), "nats-server did not end in time, killing it");
        self.signal(Signal::SIGKILL)?;
        let killed = tokio::time::timeout(KILL_TIMEOUT, self.ended()).await;
        killed.map_err(|_| Error::Undying { pid: self.pid() })
    }

    /// Lets it read its files again; connections stay.
    pub(super) fn reload(&self) -> Result<(), Error> {
        self.signal(Signal::SIGHUP)
    }

    /// To a child that was not waited for, or a process that is still the same.
    fn signal(&self, signal: Signal) -> Result<(), Error> {
        let is_there = match self {
            Process::Child(child, _) => child.id().is_some(),
            Process::Adopted(identity) => identity.is_alive(),
        };
        let pid = self.pid();
        let Some(raw) = i32::try_from(pid).ok().filter(|raw| is_there && *raw > 0) else {
            return Ok(());
        };
        match kill(Pid::from_raw(raw), signal) {
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            Err(source) => Err(Error::Signal { pid, source }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_with_a_reused_id_is_another() {
        let pid = std::process::id();
        let own = Identity { pid, started: started(pid).unwrap() };
        assert!(own.is_alive());
        assert!(!Identity { started: own.started + 1, ..own }.is_alive());
    }

    #[tokio::test]
    async fn a_process_is_found_by_its_configuration_and_fingerprint_and_ended() {
        let temp = tempfile::tempdir().unwrap();
        let config = temp.path().join("nats.conf");
        // A shell that reads its input has these as its positional parameters, and waits.
        let wait = || {
            let mut command = tokio::process::Command::new("/bin/sh");
            command.args(["-s", "--", "-c"]).arg(&config);
            command.stdin(std::process::Stdio::piped()).kill_on_drop(true);
            command
        };
        let _stranger = wait().spawn().unwrap();
        let child = wait().env(FINGERPRINT_VARIABLE, "abc").spawn().unwrap();
        let pid = child.id().unwrap();
        // A process that is just being executed shows no arguments for a moment.
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        let mut found = find(&config);
        while found.is_empty() && std::time::Instant::now() < deadline {
            found = find(&config);
        }
        let pids: Vec<u32> = found.iter().map(|one| one.identity.pid).collect();
        assert_eq!((pids, found[0].fingerprint.as_str()), (vec![pid], "abc"));
        assert!(find(&temp.path().join("other.conf")).is_empty());
        Process::child(child).stop(Duration::from_secs(10)).await.unwrap();
        assert!(!found[0].identity.is_alive());
    }
}
