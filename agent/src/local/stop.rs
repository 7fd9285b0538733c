//! Ctrl-C, SIGTERM and a terminal that goes away during a run by hand: it is cancelled, and comes
//! to its end in order.
//!
//! The command in hand runs in a process group of its own: no terminal would end it with us. What
//! is ignored where we were started (`nohup`, a shell's background) stays ignored.

use super::eprint;
use muster_states::Cancel;
use std::io;
use std::thread::{Builder, JoinHandle};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

/// Listens for signals as long as it lives.
pub(super) struct Stop {
    /// Closed when nobody needs to listen any more.
    lives: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Stop {
    /// From now on a signal cancels the run instead of ending the program.
    pub(super) fn cancels(cancel: Cancel) -> io::Result<Stop> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let entered = runtime.enter();
        let ignored = ignored();
        let mut interrupt = listener(SignalKind::interrupt(), ignored)?;
        let mut terminate = listener(SignalKind::terminate(), ignored)?;
        let mut hangup = listener(SignalKind::hangup(), ignored)?;
        drop(entered);
        let (lives, mut ended) = oneshot::channel::<()>();
        let listen = async move {
            let name = tokio::select! {
                () = next(&mut interrupt) => "SIGINT",
                () = next(&mut terminate) => "SIGTERM",
                () = next(&mut hangup) => "SIGHUP",
                _ = &mut ended => return,
            };
            cancel.cancel();
            eprint(&format!(
                "{name}: the run is cancelled; its command is ended, a package manager comes to \
                 its end\n"
            ));
            // A closing terminal may send its signal twice; nobody types Ctrl-C again but who is
            // tired of waiting.
            tokio::select! {
                () = next(&mut interrupt) => {}
                _ = ended => return,
            }
            eprint("SIGINT again: this ends at once; a package manager goes on by itself\n");
            std::process::exit(128 + SignalKind::interrupt().as_raw_value());
        };
        let thread = Builder::new().name("signals".to_owned());
        let thread = thread.spawn(move || runtime.block_on(listen))?;
        Ok(Stop { lives: Some(lives), thread: Some(thread) })
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        drop(self.lives.take());
        if let Some(thread) = self.thread.take() {
            // It panics nowhere; a run's report does not hang on it.
            drop(thread.join());
        }
    }
}

/// The signals that this process was started to ignore, a bit each.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default()
}

/// Listens for a signal that is not ignored.
fn listener(kind: SignalKind, ignored: u64) -> io::Result<Option<Signal>> {
    let bit = u32::try_from(kind.as_raw_value() - 1).ok().and_then(|at| 1_u64.checked_shl(at));
    if bit.is_some_and(|bit| ignored & bit != 0) { Ok(None) } else { signal(kind).map(Some) }
}

/// Waits for a signal; for ever if nobody listens for it.
async fn next(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}
