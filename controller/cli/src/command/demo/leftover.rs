//! What a killed demo left: its processes, found by their arguments, and its workers.
//!
//! Arguments name files in the demo's own folder, so no moment of a crash hides a process, as a
//! pid file would that was not yet written. A process is ended only as long as its start time is
//! the one that was seen: ids are used again.

use super::board::Board;
use super::folder::Folder;
use crate::failure::{Failure, OrNext, Result};
use anyhow::{Context, anyhow};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::time::{Instant, interval, timeout};

/// How long a process may take to end when it is asked to.
pub(super) const GRACE: Duration = Duration::from_secs(20);
const KILL_TIMEOUT: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(25);
/// How long the controller may take to remove what is left of workers.
const SWEEP_TIMEOUT: Duration = Duration::from_secs(60);

/// One process for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pid: u32,
    started: u64,
    command: String,
}

impl Process {
    /// A living process; none if there is no such.
    pub(super) fn of(pid: u32) -> Option<Process> {
        let started = started(pid)?;
        let arguments = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let command = String::from_utf8_lossy(&arguments).trim_end_matches('\0').replace('\0', " ");
        Some(Process { pid, started, command })
    }

    fn is_alive(&self) -> bool {
        started(self.pid) == Some(self.started)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let Some(pid) = i32::try_from(self.pid).ok().filter(|_| self.is_alive()) else {
            return Ok(());
        };
        match kill(Pid::from_raw(pid), signal) {
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            Err(error) => Err(error)
                .with_context(|| format!("ending process {pid} ({})", self.command))
                .or_next(format!("end it yourself: kill {pid}")),
        }
    }

    async fn ends_within(&self, limit: Duration) -> bool {
        let (deadline, mut poll) = (Instant::now() + limit, interval(POLL));
        while self.is_alive() {
            if Instant::now() > deadline {
                return false;
            }
            poll.tick().await;
        }
        true
    }

    /// Asks it to end, waits, kills it. A child of ours must be waited for by somebody else.
    pub(super) async fn end(&self, grace: Duration) -> Result<()> {
        self.signal(Signal::SIGTERM)?;
        if self.ends_within(grace).await {
            return Ok(());
        }
        self.signal(Signal::SIGKILL)?;
        match self.ends_within(KILL_TIMEOUT).await {
            true => Ok(()),
            false => Err(Failure::say(
                format!("process {} ({}) was killed and does not end", self.pid, self.command),
                "it hangs in the kernel: see what it waits for with `ps -o wchan`",
            )),
        }
    }
}

/// When a living process was started, in ticks since boot (proc(5), field 22 of stat).
fn started(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let is_dead = matches!(fields.next()?, "Z" | "X");
    if is_dead { None } else { fields.nth(18)?.parse().ok() }
}

/// Our user's processes that have `flag FILE` among their arguments.
fn find(flag: &str, is_file: impl Fn(&Path) -> bool) -> Vec<Process> {
    processes(|arguments| {
        arguments
            .windows(2)
            .any(|two| two[0] == flag.as_bytes() && is_file(Path::new(OsStr::from_bytes(two[1]))))
    })
}

fn processes(is_ours: impl Fn(&[&[u8]]) -> bool) -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let ours = pids.filter(|pid| {
        let owner = fs::metadata(format!("/proc/{pid}")).map(|meta| meta.uid());
        let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let arguments: Vec<&[u8]> = arguments.split(|byte| *byte == 0).collect();
        owner.is_ok_and(|owner| owner == geteuid().as_raw()) && is_ours(&arguments)
    });
    ours.filter_map(Process::of).collect()
}

/// The demo's controller and NATS server, and the controller's short commands that a kill has left
/// at work in the folder.
pub(super) fn daemons(folder: &Folder) -> Vec<Process> {
    let mut all = find("--config", |file| file == folder.controller_config());
    all.extend(find("-c", |file| file == folder.nats_config()));
    all.extend(find("--dir", |file| file == folder.config() || file == folder.workers()));
    all
}

/// What keeps the demo's workers apart, and holds their processes.
fn sandboxes(folder: &Folder) -> Vec<Process> {
    find("--folder", |file| file.starts_with(folder.path()))
}

/// Proves that nothing of ours runs any more that names something in the folder.
pub(super) fn none_remains(folder: &Folder) -> Result<()> {
    let mut left = daemons(folder);
    left.extend(sandboxes(folder));
    match left.first() {
        None => Ok(()),
        Some(Process { pid, command, .. }) => Err(Failure::say(
            format!("process {pid} ({command}) of the demo still runs"),
            format!("end it yourself: kill {pid}"),
        )),
    }
}

/// Ends and removes what is left of another demo in this folder.
pub(super) async fn sweep(folder: &Folder, controller: &Path, board: &mut Board) -> Result<()> {
    let left = daemons(folder);
    if !left.is_empty() || folder.workers().exists() {
        board.say("clearing what an earlier demo left")?;
    }
    for process in left {
        process.end(GRACE).await?;
    }
    workers(folder, controller).await
}

/// Ends what is left of the local provider's workers, by the controller's own command; and those
/// whose folders somebody has removed.
pub(super) async fn workers(folder: &Folder, controller: &Path) -> Result<()> {
    if folder.workers().exists() {
        let mut sweep = tokio::process::Command::new(controller);
        sweep.arg("local-sweep").arg("--dir").arg(folder.workers());
        run(&mut sweep, SWEEP_TIMEOUT, "removing what is left of workers").await?;
    }
    for process in sandboxes(folder) {
        process.end(GRACE).await?;
    }
    Ok(())
}

/// Runs a short command; what it said is in the error.
pub(super) async fn run(
    command: &mut tokio::process::Command,
    limit: Duration,
    what: &'static str,
) -> Result<()> {
    let next = "correct what it says, or set MUSTER_CONTROLLER to another muster-controller";
    command.stdin(Stdio::null()).kill_on_drop(true);
    let done = timeout(limit, command.output()).await;
    let done = done
        .map_err(|_| anyhow!("{what}: it did not end within {limit:?}"))
        .or_next(next)?
        .context(what)
        .or_next(next)?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    Err(anyhow!("{what}: {} ({})", crate::output::clean(said.trim()), done.status)).or_next(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_with_a_reused_id_is_another() {
        let own = Process::of(std::process::id()).unwrap();
        assert!(own.is_alive());
        assert!(!Process { started: own.started + 1, ..own }.is_alive());
    }

    #[tokio::test]
    async fn a_process_is_found_by_its_file_and_ended() {
        let temp = tempfile::tempdir().unwrap();
        let folder = Folder::claim(&temp.path().join("demo")).unwrap();
        // A shell that reads its input has these as its positional parameters, and waits.
        let mut child = tokio::process::Command::new("/bin/sh")
            .args(["-s", "--", "-c"])
            .arg(folder.nats_config())
            .stdin(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        // For a moment after its start the kernel shows no arguments of it.
        let shown = async {
            let mut look = tokio::time::interval(Duration::from_millis(5));
            loop {
                let found = daemons(&folder);
                if !found.is_empty() {
                    return found;
                }
                look.tick().await;
            }
        };
        let found = tokio::time::timeout(GRACE, shown).await.unwrap();
        assert_eq!(found.iter().map(|one| one.pid).collect::<Vec<_>>(), [child.id().unwrap()]);
        let (ended, status) = tokio::join!(found[0].end(GRACE), child.wait());
        ended.unwrap();
        assert!(!status.unwrap().success());
        assert!(daemons(&folder).is_empty());
    }

    #[tokio::test]
    async fn what_a_command_said_is_in_the_error() {
        let mut command = tokio::process::Command::new("/bin/sh");
        command.args(["-c", "echo no room >&2; exit 3"]);
        let failure = run(&mut command, GRACE, "making keys").await.unwrap_err();
        assert_eq!(failure.text(), "making keys: no room (exit status: 3)");
    }
}
