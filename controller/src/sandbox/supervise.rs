//! The supervisor of one worker: it outlives the controller, and stays outside of the worker.
//!
//! It makes the namespaces, starts PID 1 in them, and waits for its end. It writes who runs before
//! PID 1 may begin, and PID 1 dies with it; so whatever is killed at whatever moment, either what
//! runs is written down or nothing runs.

use super::init;
use super::namespace;
use super::process::Process;
use super::record::{Folder, Isolation, Running, Step};
use nix::errno::Errno;
use nix::sched::CloneFlags;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, close, setsid};
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::RawFd;
use std::process::{Child, Command, ExitCode, Stdio};

/// A worker that could not be started, or not waited for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("reading or writing the server's folder")]
    Folder(#[source] io::Error),
    #[error("leaving the controller's session")]
    Session(#[source] Errno),
    #[error(transparent)]
    Namespace(#[from] namespace::Error),
    #[error("starting the worker's PID 1")]
    Start(#[source] io::Error),
    #[error("waiting for signals")]
    Signals(#[source] Errno),
}

/// Supervises the server in this folder until it ends. A failure is in its journal, too.
pub(crate) fn main(folder: &Folder) -> ExitCode {
    match supervise(folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let text = super::chain(&error);
            let written = folder.journal().and_then(|mut log| log.append(Step::Failed(text)));
            // The folder may have been removed meanwhile: then nobody asks.
            drop(written);
            ExitCode::FAILURE
        }
    }
}

fn supervise(folder: &Folder) -> Result<(), Error> {
    // A session of its own, so that no terminal's end and no group's signal reaches it. A process
    // that leads one already may not make another, and need not.
    match setsid() {
        Ok(_) | Err(Errno::EPERM) => {}
        Err(error) => return Err(Error::Session(error)),
    }
    close_inherited().map_err(Error::Folder)?;
    let supervisor = Process::current().map_err(Error::Folder)?;
    let spec = folder.spec().map_err(Error::Folder)?;
    // First it says that it is here, then it looks whether it shall be. Who removes the server
    // does both the other way round, so that one of the two sees the other.
    folder.set_running(&Running { supervisor, init: None }).map_err(Error::Folder)?;
    if folder.is_condemned() {
        return Ok(());
    }
    let signals = block()?;
    namespaces(spec.isolation)?;
    let (mut child, init) = start(folder)?;
    folder.set_running(&Running { supervisor, init: Some(init) }).map_err(Error::Folder)?;
    let begin = child.stdin.take().map(|mut pipe| pipe.write_all(init::BEGIN));
    if !matches!(begin, Some(Ok(()))) {
        // It has ended already; its own journal says why.
        init.signal(Signal::SIGKILL).map_err(Error::Folder)?;
    }
    wait(&signals, init, spec.isolation)
}

/// Closes what whoever started the controller forgot to: a worker that held the end of a pipe
/// would keep its reader waiting for as long as it lives.
fn close_inherited() -> io::Result<()> {
    let mut open = Vec::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        open.extend(entry?.file_name().to_str().and_then(|name| name.parse::<RawFd>().ok()));
    }
    for fd in open.into_iter().filter(|fd| *fd > 2) {
        // The listing itself was open, and is not any more.
        close(fd).ok();
    }
    Ok(())
}

fn block() -> Result<SigSet, Error> {
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGCHLD] {
        signals.add(signal);
    }
    signals.thread_block().map_err(Error::Signals)?;
    Ok(signals)
}

/// The next child is PID 1 of its own processes; the mounts it makes for itself.
fn namespaces(isolation: Isolation) -> Result<(), namespace::Error> {
    match isolation {
        Isolation::None => Ok(()),
        Isolation::Root => namespace::enter(CloneFlags::CLONE_NEWPID),
        Isolation::User => namespace::map_user(CloneFlags::CLONE_NEWPID),
    }
}

/// Starts PID 1, and waits until it has tied its life to ours.
fn start(folder: &Folder) -> Result<(Child, Process), Error> {
    let mut command = Command::new("/proc/self/exe");
    command.args(["sandbox", "init", "--folder"]).arg(folder.path());
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(Error::Start)?;
    let pid = Pid::from_raw(i32::try_from(child.id()).map_err(|_| Error::Start(gone()))?);
    let init = Process::of(pid).map_err(Error::Start)?;
    let mut line = String::new();
    let pipe = child.stdout.take().ok_or_else(|| Error::Start(gone()))?;
    BufReader::new(pipe).read_line(&mut line).map_err(Error::Start)?;
    if line.as_bytes() == init::READY { Ok((child, init)) } else { Err(Error::Start(gone())) }
}

fn gone() -> io::Error {
    io::Error::other("it ended before it began; see the server's output")
}

fn wait(signals: &SigSet, init: Process, isolation: Isolation) -> Result<(), Error> {
    loop {
        if !init.is_alive() {
            init.reap();
            return Ok(());
        }
        match signals.wait().map_err(Error::Signals)? {
            Signal::SIGCHLD => reap(),
            _ => {
                // Killing PID 1 of a namespace ends all in it; a mere folder must be cleared.
                let signal = match isolation {
                    Isolation::None => Signal::SIGTERM,
                    Isolation::Root | Isolation::User => Signal::SIGKILL,
                };
                init.signal(signal).map_err(Error::Folder)?;
            }
        }
    }
}

fn reap() {
    while let Ok(status) = waitpid(None, Some(WaitPidFlag::WNOHANG)) {
        if status == WaitStatus::StillAlive {
            return;
        }
    }
}
