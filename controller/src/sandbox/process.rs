//! A process of this machine, told apart from a later one with the same number.

use nix::errno::Errno;
use nix::sys::signal::{self, Signal};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

/// The time between two looks at a process that is to end.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// A process by its number, the time it began at, and the boot of the machine that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    pid: i32,
    /// In ticks since the boot: field 22 of `/proc/<pid>/stat`, proc_pid_stat(5).
    began: u64,
    /// A hash of the boot's id, as a pid and its ticks may come again after a reboot.
    boot: u64,
}

/// What `/proc/<pid>/stat` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stat {
    state: char,
    parent: i32,
    began: u64,
}

impl Process {
    /// This process.
    pub(crate) fn current() -> io::Result<Process> {
        Process::of(nix::unistd::getpid())
    }

    /// The process that has this number now.
    pub(crate) fn of(pid: Pid) -> io::Result<Process> {
        let pid = pid.as_raw();
        Ok(Process { pid, began: stat(pid)?.began, boot: boot()? })
    }

    /// Whether it runs. One that has ended and waits for its parent to take notice does not.
    pub(crate) fn is_alive(self) -> bool {
        self.stat().is_some_and(|stat| !matches!(stat.state, 'Z' | 'X'))
    }

    /// Sends a signal if it still runs; to one that does not, this is done.
    pub(crate) fn signal(self, signal: Signal) -> io::Result<()> {
        if !self.is_alive() {
            return Ok(());
        }
        match signal::kill(Pid::from_raw(self.pid), signal) {
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes notice of its end, if it is a child of ours that has ended.
    pub(crate) fn reap(self) {
        let ours = self
            .stat()
            .is_some_and(|stat| stat.state == 'Z' && stat.parent == nix::unistd::getpid().as_raw());
        if ours {
            // Another thread may have been quicker: then there is nothing to take notice of.
            waitpid(Pid::from_raw(self.pid), Some(WaitPidFlag::WNOHANG)).ok();
        }
    }

    /// Waits for its end; whether it came within `limit`.
    pub(crate) fn ends_within(self, limit: Duration) -> bool {
        let until = Instant::now() + limit;
        while self.is_alive() {
            if Instant::now() >= until {
                return false;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        self.reap();
        true
    }

    fn stat(self) -> Option<Stat> {
        let found = stat(self.pid).ok()?;
        (found.began == self.began && boot().ok()? == self.boot).then_some(found)
    }
}

/// All processes that descend from this one.
pub(crate) fn descendants() -> io::Result<Vec<Pid>> {
    let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for pid in all()? {
        if let Ok(stat) = stat(pid) {
            children.entry(stat.parent).or_default().push(pid);
        }
    }
    let mut found = Vec::new();
    let mut next = vec![nix::unistd::getpid().as_raw()];
    while let Some(parent) = next.pop() {
        for child in children.remove(&parent).unwrap_or_default() {
            found.push(Pid::from_raw(child));
            next.push(child);
        }
    }
    Ok(found)
}

/// All processes that were started with this setting in their environment, as far as we may look.
/// One that is just being executed is missed: its environment is empty until its stack is made.
pub(crate) fn with_environment(setting: &[u8]) -> io::Result<Vec<Process>> {
    let mut found = Vec::new();
    for pid in all()? {
        let Ok(environment) = std::fs::read(format!("/proc/{pid}/environ")) else { continue };
        if environment.split(|byte| *byte == 0).any(|one| one == setting) {
            found.extend(Process::of(Pid::from_raw(pid)));
        }
    }
    Ok(found)
}

fn all() -> io::Result<Vec<i32>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        found.extend(entry?.file_name().to_str().and_then(|name| name.parse::<i32>().ok()));
    }
    Ok(found)
}

fn stat(pid: i32) -> io::Result<Stat> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    parse(&text).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no process status"))
}

/// The name in brackets may hold anything, brackets too, so it is skipped from the right.
fn parse(text: &str) -> Option<Stat> {
    let mut fields = text.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    let began = fields.nth(17)?.parse().ok()?;
    Some(Stat { state, parent, began })
}

fn boot() -> io::Result<u64> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    let digits: String = id.chars().filter(char::is_ascii_hexdigit).take(16).collect();
    u64::from_str_radix(&digits, 16).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_whatever_the_name() {
        let text = "7 (a) S 1 (b) R 3 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4711 0 0 1";
        assert_eq!(parse(text), Some(Stat { state: 'R', parent: 3, began: 4711 }));
        assert_eq!(parse("7 (a"), None);
    }

    #[test]
    fn a_process_is_not_its_successor() {
        let this = Process::current().unwrap();
        assert!(this.is_alive());
        let other = Process { began: this.began + 1, ..this };
        assert!(!other.is_alive() && !Process { boot: 0, ..this }.is_alive());
        other.signal(Signal::SIGKILL).unwrap();
    }

    #[test]
    fn a_child_is_found_ended_and_taken_notice_of() {
        let spawned = std::process::Command::new("sleep").arg("60").env("MARK", "x y").spawn();
        let child = Pid::from_raw(i32::try_from(spawned.unwrap().id()).unwrap());
        let process = Process::of(child).unwrap();
        assert!(descendants().unwrap().contains(&child));
        // Its environment is not there yet at the moment of its execution.
        let until = Instant::now() + Duration::from_secs(5);
        while !with_environment(b"MARK=x y").unwrap().contains(&process) {
            assert!(Instant::now() < until);
        }
        assert!(!process.ends_within(Duration::ZERO));
        process.signal(Signal::SIGKILL).unwrap();
        assert!(process.ends_within(Duration::from_secs(5)));
        assert!(!std::path::Path::new(&format!("/proc/{child}")).exists());
    }
}
