//! Running one command on a host: a shell line or an argument list, with a limit on time and
//! output, in a process group of its own so that nothing of it stays behind.

use std::cell::RefCell;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Host, looking, umask};

/// Bytes kept of each output stream; the rest is read and dropped.
const OUTPUT_MAX: usize = 1 << 20;
/// How often a running command is checked against cancellation.
const POLL: Duration = Duration::from_millis(100);
/// How long a finished command's output may stay open (a daemon that it left behind).
const DRAIN: Duration = Duration::from_secs(5);

/// Stops a run from another thread: the command in hand is killed, no further state starts.
#[derive(Debug, Clone, Default)]
pub struct Cancel {
    asked: Arc<AtomicBool>,
    /// When the state in hand has taken too long, and how long that is.
    limit: Option<(Instant, Duration)>,
}

thread_local! {
    /// What ends the work in hand.
    static IN_FORCE: RefCell<Cancel> = RefCell::default();
}

impl Cancel {
    /// Does work: whatever it calls on this thread ends with it.
    pub fn over<T>(&self, work: impl FnOnce() -> T) -> T {
        let before = IN_FORCE.replace(self.clone());
        let done = work();
        IN_FORCE.set(before);
        done
    }

    /// What ends the work in hand, for functions that templates and states call by name.
    pub(crate) fn in_force() -> Cancel {
        IN_FORCE.with_borrow(Clone::clone)
    }

    /// Waits so long, unless the run or the state ends before.
    pub(crate) fn wait(&self, length: Duration) -> Result<(), CommandError> {
        let begin = Instant::now();
        loop {
            self.check()?;
            let left = length.saturating_sub(begin.elapsed());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(POLL.min(left));
        }
    }

    /// Asks the run to stop.
    pub fn cancel(&self) {
        self.asked.store(true, Ordering::SeqCst);
    }

    /// Whether the run was asked to stop.
    pub fn is_cancelled(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
    }

    /// The same, for a state that may take so long; its commands without a timeout end by then.
    pub(crate) fn within(&self, limit: Option<Duration>) -> Cancel {
        let limit = limit.and_then(|limit| Some((Instant::now().checked_add(limit)?, limit)));
        Cancel { asked: Arc::clone(&self.asked), limit }
    }

    /// What stops whoever waits for something, if anything does.
    pub(crate) fn check(&self) -> Result<(), CommandError> {
        match self.is_late() {
            _ if self.is_cancelled() => Err(CommandError::Cancelled),
            Some(limit) => Err(CommandError::Late(limit)),
            None => Ok(()),
        }
    }

    fn is_late(&self) -> Option<Duration> {
        self.limit.filter(|(at, _)| Instant::now() >= *at).map(|(_, limit)| limit)
    }
}

/// The parts of a locale that Salt gives to a command, unless its environment says otherwise.
const LOCALE: [&str; 13] = [
    "LC_CTYPE",
    "LC_NUMERIC",
    "LC_TIME",
    "LC_COLLATE",
    "LC_MONETARY",
    "LC_MESSAGES",
    "LC_PAPER",
    "LC_NAME",
    "LC_ADDRESS",
    "LC_TELEPHONE",
    "LC_MEASUREMENT",
    "LC_IDENTIFICATION",
    "LANGUAGE",
];

/// What to run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Exec {
    /// Program and arguments.
    pub(crate) argv: Vec<String>,
    /// Working folder on the host; the root prefix, or the user's home, when `None`.
    pub(crate) cwd: Option<String>,
    /// Variables set on top of the inherited ones; `None` unsets.
    pub(crate) env: Vec<(String, Option<String>)>,
    /// User to run as.
    pub(crate) runas: Option<String>,
    /// Group to run as.
    pub(crate) group: Option<String>,
    pub(crate) umask: Option<u32>,
    pub(crate) timeout: Option<Duration>,
    /// Nothing is inherited from the agent's own environment.
    pub(crate) clean_env: bool,
    /// What it reads; nothing when `None`.
    pub(crate) stdin: Option<String>,
    /// Errors go where the output goes, in their order.
    pub(crate) merge_stderr: bool,
    /// It changes nothing: it may run ahead of its state's turn, and what was found stands.
    pub(crate) reads: bool,
}

impl Exec {
    /// A line for a shell.
    pub(crate) fn shell(shell: &str, line: &str) -> Exec {
        let argv = vec![shell.to_owned(), "-c".to_owned(), line.to_owned()];
        Exec { argv, ..Exec::default() }
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Output {
    pub(crate) pid: u32,
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) timed_out: bool,
}

/// Why a command could not be run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    #[error("User '{0}' is not available")]
    NoUser(String),
    #[error("Group '{0}' is not available")]
    NoGroup(String),
    #[error("cannot start {program}: {source}")]
    Start { program: String, source: io::Error },
    #[error("{0} is not run: states are shown here for another machine")]
    Still(String),
    #[error("the run was cancelled")]
    Cancelled,
    #[error("it is not this command's turn")]
    NotYet,
    #[error(
        "the state took longer than {} s, which is the limit for one state: its command was \
         killed; give it a 'timeout' of its own if it needs more",
        .0.as_secs()
    )]
    Late(Duration),
}

/// Runs a command to its end, its timeout, or the run's cancellation.
pub(crate) fn run(host: &Host, exec: &Exec, cancel: &Cancel) -> Result<Output, CommandError> {
    let mut command = prepare(host, exec)?;
    let start = |source| CommandError::Start { program: exec.argv[0].clone(), source };
    let mut child = command.spawn().map_err(start)?;
    let pid = child.id();
    feed(child.stdin.take(), exec.stdin.as_ref());
    let stdout = drain(child.stdout.take());
    let stderr = drain(child.stderr.take());
    let ended = reap(child);
    let waited = wait(&ended, exec.timeout, cancel);
    host.may_have_changed();
    let stopped = !matches!(waited, Waited::Ended(_));
    if stopped {
        kill_group(pid);
    }
    let grace = Instant::now() + DRAIN;
    let stdout = collect(&stdout, grace);
    let stderr = collect(&stderr, grace);
    match waited {
        Waited::Cancelled => Err(CommandError::Cancelled),
        Waited::Late(limit) => Err(CommandError::Late(limit)),
        Waited::TimedOut => Ok(Output { pid, code: 1, stdout, stderr, timed_out: true }),
        Waited::Ended(status) => {
            Ok(Output { pid, code: code(status), stdout, stderr, timed_out: false })
        }
    }
}

/// Starts a command and leaves it to itself: no output, no limit; its pid.
pub(crate) fn leave(host: &Host, exec: &Exec) -> Result<u32, CommandError> {
    let mut command = prepare(host, exec)?;
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let start = |source| CommandError::Start { program: exec.argv[0].clone(), source };
    let child = command.spawn().map_err(start)?;
    let pid = child.id();
    // Waited for by a thread, so that it leaves no zombie.
    drop(reap(child));
    Ok(pid)
}

fn prepare(host: &Host, exec: &Exec) -> Result<Command, CommandError> {
    if host.is_still() {
        return Err(CommandError::Still(exec.argv[0].clone()));
    }
    if !exec.reads {
        if looking::refuses() {
            return Err(CommandError::NotYet);
        }
        host.acted();
    }
    host.may_have_changed();
    let mut command = Command::new(&exec.argv[0]);
    command.args(&exec.argv[1..]);
    let stdin = if exec.stdin.is_some() { Stdio::piped() } else { Stdio::null() };
    command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.process_group(0);
    if exec.clean_env {
        command.env_clear();
    } else {
        host.variables().lay_over(&mut command);
    }
    command.env("LC_ALL", "C").env("LANGUAGE", "C");
    for (key, value) in &exec.env {
        match value {
            Some(value) => command.env(key, value),
            None => command.env_remove(key),
        };
    }
    let identity = identity(host, exec)?;
    if let (Some(identity), Some(user)) = (&identity, &exec.runas) {
        command.env("HOME", &identity.home).env("USER", user).env("LOGNAME", user);
    }
    let home = identity.as_ref().map(|identity| identity.home.clone());
    if let Some(folder) = folder(host, exec, home) {
        command.current_dir(folder);
    }
    become_other(&mut command, identity, exec);
    Ok(command)
}

/// The environment of an operator's command over the inherited one: what it says itself, and,
/// unless that is not wanted, a plain locale part by part, as Salt gives it.
pub(crate) fn settled(
    mut env: Vec<(String, Option<String>)>,
    reset_locale: bool,
) -> Vec<(String, Option<String>)> {
    let has = |env: &[(String, Option<String>)], name: &str| env.iter().any(|(key, _)| key == name);
    for name in LOCALE.into_iter().filter(|_| reset_locale) {
        if !has(&env, name) {
            env.insert(0, (name.to_owned(), Some("C".to_owned())));
        }
    }
    let all = std::env::var("LC_ALL").ok().filter(|_| !has(&env, "LC_ALL"));
    let inherited = [("LC_ALL".to_owned(), all), ("NOTIFY_SOCKET".to_owned(), None)];
    inherited.into_iter().chain(env).collect()
}

/// Where an operator's command starts that names no folder: at the home of its user, or of who
/// runs this; at the root if that is no folder that can be read.
///
/// A host under a root prefix has no homes of its own.
pub(crate) fn home(host: &Host, runas: Option<&str>) -> Option<String> {
    if host.root().is_some() {
        return None;
    }
    let accounts = host.accounts();
    let own = || {
        let uid = nix::unistd::getuid().as_raw();
        let user = accounts.users.iter().find(|user| user.uid == uid);
        host.variables().get("HOME").or_else(|| user.map(|user| user.home.clone()))
    };
    let home = match runas {
        Some(user) => accounts.user(user).map(|user| user.home),
        None => own(),
    };
    let readable = |home: &String| {
        let access = nix::unistd::access(home.as_str(), nix::unistd::AccessFlags::R_OK);
        access.is_ok() && host.stat(home).is_some_and(|meta| meta.is_dir())
    };
    Some(home.filter(readable).unwrap_or_else(|| "/".to_owned()))
}

fn folder(host: &Host, exec: &Exec, home: Option<String>) -> Option<PathBuf> {
    match (&exec.cwd, host.root(), home) {
        (Some(cwd), _, _) => Some(host.followed(cwd)),
        (None, Some(root), _) => Some(root.to_path_buf()),
        (None, None, Some(home)) if std::path::Path::new(&home).is_dir() => Some(home.into()),
        (None, None, _) => Some("/".into()),
    }
}

struct Identity {
    uid: Option<u32>,
    gid: u32,
    groups: Vec<nix::unistd::Gid>,
    home: String,
}

fn identity(host: &Host, exec: &Exec) -> Result<Option<Identity>, CommandError> {
    let accounts = host.accounts();
    let group = exec
        .group
        .as_ref()
        .map(|name| accounts.gid(name).ok_or_else(|| CommandError::NoGroup(name.clone())));
    let group = group.transpose()?;
    let Some(name) = &exec.runas else {
        let home = "/root".to_owned();
        return Ok(group.map(|gid| Identity { uid: None, gid, groups: Vec::new(), home }));
    };
    let user = accounts.user(name).ok_or_else(|| CommandError::NoUser(name.clone()))?;
    let groups = accounts.supplementary(&user).into_iter();
    let groups = groups.map(nix::unistd::Gid::from_raw).collect();
    let gid = group.unwrap_or(user.gid);
    Ok(Some(Identity { uid: Some(user.uid), gid, groups, home: user.home }))
}

#[allow(unsafe_code, reason = "setgroups and umask have no other place than the forked child")]
fn become_other(command: &mut Command, identity: Option<Identity>, exec: &Exec) {
    let (umask, merge) = (exec.umask.or_else(umask::wanted), exec.merge_stderr);
    if identity.is_none() && umask.is_none() && !merge {
        return;
    }
    let to_io = |error: nix::errno::Errno| io::Error::from_raw_os_error(error as i32);
    // SAFETY: only system calls, on data made before the fork.
    unsafe {
        command.pre_exec(move || {
            if merge {
                nix::errno::Errno::result(nix::libc::dup2(1, 2)).map_err(to_io)?;
            }
            if let Some(mask) = umask {
                nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(mask));
            }
            if let Some(identity) = &identity {
                if identity.uid.is_some() {
                    nix::unistd::setgroups(&identity.groups).map_err(to_io)?;
                }
                let gid = nix::unistd::Gid::from_raw(identity.gid);
                nix::unistd::setresgid(gid, gid, gid).map_err(to_io)?;
                if let Some(uid) = identity.uid {
                    let uid = nix::unistd::Uid::from_raw(uid);
                    nix::unistd::setresuid(uid, uid, uid).map_err(to_io)?;
                }
            }
            Ok(())
        });
    }
}

enum Waited {
    Ended(ExitStatus),
    TimedOut,
    Late(Duration),
    Cancelled,
}

fn reap(mut child: Child) -> Receiver<io::Result<ExitStatus>> {
    let (send, receive) = mpsc::sync_channel(1);
    std::thread::spawn(move || {
        // The receiver is gone only if the run gave up waiting.
        let _sent = send.send(child.wait());
    });
    receive
}

fn wait(
    ended: &Receiver<io::Result<ExitStatus>>,
    timeout: Option<Duration>,
    cancel: &Cancel,
) -> Waited {
    let deadline = timeout.map(|timeout| Instant::now() + timeout);
    loop {
        let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
        match ended.recv_timeout(left.map_or(POLL, |left| left.min(POLL))) {
            Ok(Ok(status)) => return Waited::Ended(status),
            Ok(Err(_)) | Err(RecvTimeoutError::Disconnected) => return Waited::Cancelled,
            Err(RecvTimeoutError::Timeout) => {}
        }
        if cancel.is_cancelled() {
            return Waited::Cancelled;
        }
        match left {
            Some(left) if left.is_zero() => return Waited::TimedOut,
            Some(_) => {}
            None => {
                if let Some(limit) = cancel.is_late() {
                    return Waited::Late(limit);
                }
            }
        }
    }
}

fn kill_group(pid: u32) {
    use nix::sys::signal::{Signal, killpg};
    if let Ok(pid) = i32::try_from(pid) {
        // Gone already is what we want.
        let _gone = killpg(nix::unistd::Pid::from_raw(pid), Signal::SIGKILL);
    }
}

/// Writes a command's input by a thread of its own: it may read late, or never.
fn feed(stdin: Option<std::process::ChildStdin>, text: Option<&String>) {
    let (Some(mut stdin), Some(text)) = (stdin, text.cloned()) else { return };
    std::thread::spawn(move || {
        // A command that does not read its input is none of our faults.
        let _unread = io::Write::write_all(&mut stdin, text.as_bytes());
    });
}

/// A stream being read by a thread of its own, so that a full pipe never stops the command.
struct Drained {
    kept: Arc<Mutex<Vec<u8>>>,
    ended: Receiver<()>,
}

fn drain(stream: Option<impl Read + Send + 'static>) -> Drained {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let (end, ended) = mpsc::sync_channel(1);
    let shared = Arc::clone(&kept);
    std::thread::spawn(move || {
        let Some(mut stream) = stream else { return };
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            let mut kept = shared.lock().unwrap_or_else(PoisonError::into_inner);
            let keep = count.min(OUTPUT_MAX - kept.len());
            kept.extend_from_slice(&buffer[..keep]);
        }
        drop(end);
    });
    Drained { kept, ended }
}

fn collect(stream: &Drained, until: Instant) -> String {
    // Either way we take what is there: ended, or held open by a daemon that was left behind.
    let _ended = stream.ended.recv_timeout(until.saturating_duration_since(Instant::now()));
    let kept = stream.kept.lock().unwrap_or_else(PoisonError::into_inner);
    String::from_utf8_lossy(&kept).into_owned()
}

fn code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().unwrap_or_else(|| -status.signal().unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(line: &str) -> Exec {
        Exec::shell("/bin/sh", line)
    }

    #[test]
    fn a_command_yields_code_and_output() {
        let output = run(&Host::new(), &sh("echo out; echo err >&2; exit 3"), &Cancel::default());
        let output = output.unwrap();
        assert_eq!((output.code, output.stdout.as_str()), (3, "out\n"));
        assert_eq!(output.stderr, "err\n");
    }

    #[test]
    fn more_output_than_a_pipe_holds_does_not_block() {
        let exec = sh("head -c 3000000 /dev/zero");
        let output = run(&Host::new(), &exec, &Cancel::default()).unwrap();
        assert_eq!(output.stdout.len(), OUTPUT_MAX);
    }

    #[test]
    fn a_command_over_its_time_is_killed_with_its_children() {
        let exec = Exec { timeout: Some(Duration::from_millis(50)), ..sh("sleep 100 & sleep 100") };
        let start = Instant::now();
        assert!(run(&Host::new(), &exec, &Cancel::default()).unwrap().timed_out);
        assert!(start.elapsed() < Duration::from_secs(4));
    }

    #[test]
    fn a_cancelled_run_kills_the_command() {
        let cancel = Cancel::default();
        cancel.cancel();
        let result = run(&Host::new(), &sh("sleep 100"), &cancel);
        assert!(matches!(result, Err(CommandError::Cancelled)));
    }

    #[test]
    fn a_state_over_its_limit_ends_unless_the_command_has_its_own() {
        let limit = Duration::from_millis(20);
        let cancel = Cancel::default().within(Some(limit));
        let result = run(&Host::new(), &sh("sleep 100"), &cancel);
        assert!(matches!(result, Err(CommandError::Late(told)) if told == limit));
        let exec = Exec { timeout: Some(Duration::from_secs(60)), ..sh("sleep 0.1; echo x") };
        assert_eq!(run(&Host::new(), &exec, &cancel).unwrap().stdout, "x\n");
    }

    #[test]
    fn a_root_prefix_is_the_working_folder() {
        let dir = tempfile::tempdir().unwrap();
        let host = Host::under(dir.path().canonicalize().unwrap());
        let output = run(&host, &sh("pwd"), &Cancel::default()).unwrap();
        assert_eq!(output.stdout.trim(), host.root().unwrap().to_str().unwrap());
    }
}
