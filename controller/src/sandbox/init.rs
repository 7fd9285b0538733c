//! PID 1 of a worker: performs its user-data, and then lives as long as the worker does.
//!
//! With isolation `none` it is no PID 1, but the process to which all orphans of the worker come.

use super::cloud_config::{self, CloudConfig};
use super::modules::{self, Place};
use super::namespace;
use super::process;
use super::record::{Folder, Isolation, Journal, Spec, Step};
use super::{layout, mounts};
use nix::errno::Errno;
use nix::sched::CloneFlags;
use nix::sys::prctl;
use nix::sys::signal::{self, SigSet, Signal};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, alarm};
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// What it says once its life is tied to its supervisor's.
pub(crate) const READY: &[u8] = b"ready\n";
/// What it is told once it is written down.
pub(crate) const BEGIN: &[u8] = b"begin\n";
/// How long the worker's processes may take to end when asked to, in seconds.
const GRACE_SECS: u32 = 2;

/// A worker that could not be brought up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("reading or writing the server's folder")]
    Folder(#[source] io::Error),
    #[error("talking to the supervisor")]
    Supervisor(#[source] io::Error),
    #[error("making the worker's own {what}")]
    Own {
        what: &'static str,
        #[source]
        source: Errno,
    },
    #[error(transparent)]
    Namespace(#[from] namespace::Error),
    #[error("waiting for signals")]
    Signals(#[source] Errno),
    #[error("putting the worker's root folder together")]
    Layout(#[from] mounts::Error),
    #[error("reading the user-data")]
    Read(#[from] cloud_config::Error),
    #[error("performing the user-data")]
    Perform(#[from] modules::Error),
}

/// Runs the worker in this folder until it is asked to end.
pub(crate) fn main(folder: &Folder) -> ExitCode {
    let (spec, mut journal) = match ready(folder) {
        Ok(Some(begun)) => begun,
        Ok(None) => return ExitCode::FAILURE,
        Err(error) => {
            // The journal is not open yet, but this ends up in the server's output.
            eprintln!("{}", super::chain(&error));
            return ExitCode::FAILURE;
        }
    };
    match run(folder, &spec, &mut journal) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let text = super::chain(&error);
            // A journal that cannot be written leaves the server `Stopped`, without a reason.
            drop(journal.append(Step::Failed(text)));
            ExitCode::FAILURE
        }
    }
}

/// Ties this life to the supervisor's and waits for its word; `None` if the supervisor is gone.
fn ready(folder: &Folder) -> Result<Option<(Spec, Journal)>, Error> {
    let spec = folder.spec().map_err(Error::Folder)?;
    let last = match spec.isolation {
        Isolation::None => Signal::SIGTERM,
        Isolation::Root | Isolation::User => Signal::SIGKILL,
    };
    let own = |what| move |source| Error::Own { what, source };
    prctl::set_pdeathsig(last).map_err(own("end"))?;
    // If the supervisor ended before that call, nobody reads this, and nobody answers.
    let mut out = io::stdout();
    out.write_all(READY).and_then(|()| out.flush()).map_err(Error::Supervisor)?;
    let mut word = Vec::new();
    io::stdin().read_to_end(&mut word).map_err(Error::Supervisor)?;
    if word != BEGIN {
        return Ok(None);
    }
    let mut journal = folder.journal().map_err(Error::Folder)?;
    journal.append(Step::Begun).map_err(Error::Folder)?;
    Ok(Some((spec, journal)))
}

fn run(folder: &Folder, spec: &Spec, journal: &mut Journal) -> Result<(), Error> {
    let signals = block()?;
    let user_data = folder.take_user_data().map_err(Error::Folder)?;
    let config = CloudConfig::parse(&user_data)?;
    let root = enter(folder, spec)?;
    let agent_binary = spec.agent_binary.clone();
    let place = Place { root, isolation: spec.isolation, agent_binary };
    place.write_files(&config, &spec.id)?;
    journal.append(Step::Running).map_err(Error::Folder)?;
    let commands = place.start(config)?;
    let commands = i32::try_from(commands.id()).map(Pid::from_raw).ok();
    live(&signals, commands, spec.isolation, journal)
}

fn block() -> Result<SigSet, Error> {
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGCHLD, Signal::SIGALRM] {
        signals.add(signal);
    }
    signals.thread_block().map_err(Error::Signals)?;
    Ok(signals)
}

/// Enters what is the worker's own; gives what its paths are below.
fn enter(folder: &Folder, spec: &Spec) -> Result<PathBuf, Error> {
    let failed = |what| move |source| Error::Own { what, source };
    let own = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWUTS | CloneFlags::CLONE_NEWIPC;
    match spec.isolation {
        Isolation::None => {
            prctl::set_child_subreaper(true).map_err(failed("orphans"))?;
            Ok(folder.root())
        }
        Isolation::Root | Isolation::User => {
            namespace::enter(own)?;
            nix::unistd::sethostname(spec.name.as_str()).map_err(failed("host name"))?;
            layout::enter(folder, spec)?;
            if spec.isolation == Isolation::User {
                // In a namespace below, the mounts that mask something cannot be taken away.
                namespace::map_user(own)?;
            }
            Ok(PathBuf::from("/"))
        }
    }
}

/// Takes notice of every end, tells the commands' one, and ends everything when asked to.
fn live(
    signals: &SigSet,
    commands: Option<Pid>,
    isolation: Isolation,
    journal: &mut Journal,
) -> Result<(), Error> {
    loop {
        match signals.wait().map_err(Error::Signals)? {
            Signal::SIGCHLD => {
                for (pid, outcome) in ended() {
                    if Some(pid) == commands {
                        journal.append(outcome).map_err(Error::Folder)?;
                    }
                }
            }
            Signal::SIGALRM => {}
            _ => return end(signals, isolation),
        }
    }
}

/// Asks everything to end, and then makes it.
fn end(signals: &SigSet, isolation: Isolation) -> Result<(), Error> {
    let mut last = Signal::SIGTERM;
    alarm::set(GRACE_SECS);
    while has_children() {
        send(last, isolation);
        match signals.wait().map_err(Error::Signals)? {
            Signal::SIGALRM if last == Signal::SIGKILL => break,
            Signal::SIGALRM => {
                last = Signal::SIGKILL;
                alarm::set(GRACE_SECS);
            }
            _ => drop(ended()),
        }
    }
    Ok(())
}

fn send(signal: Signal, isolation: Isolation) {
    let to = match isolation {
        Isolation::None => process::descendants().unwrap_or_default(),
        // All but itself, as PID 1 sees no others.
        Isolation::Root | Isolation::User => vec![Pid::from_raw(-1)],
    };
    for pid in to {
        // One that has just ended needs no signal.
        signal::kill(pid, signal).ok();
    }
}

fn has_children() -> bool {
    drop(ended());
    waitpid(None, Some(WaitPidFlag::WNOHANG)) == Ok(WaitStatus::StillAlive)
}

/// The children that have ended since the last look, and how.
fn ended() -> Vec<(Pid, Step)> {
    let mut found = Vec::new();
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, 0)) => found.push((pid, Step::Done)),
            Ok(WaitStatus::Exited(pid, code)) => {
                found.push((pid, Step::Failed(format!("the commands ended with status {code}"))));
            }
            Ok(WaitStatus::Signaled(pid, signal, _)) => {
                found.push((pid, Step::Failed(format!("the commands were ended by {signal}"))));
            }
            Ok(WaitStatus::StillAlive) | Err(_) => return found,
            Ok(_) => {}
        }
    }
}
