//! Ctrl-C and SIGTERM during a run by hand: it is cancelled, and comes to its end in order.
//!
//! The command in hand runs in a process group of its own: no terminal would end it with us.

use super::eprint;
use muster_states::Cancel;
use std::io;
use std::thread::{Builder, JoinHandle};
use tokio::signal::unix::{SignalKind, signal};
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
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        drop(entered);
        let (lives, ended) = oneshot::channel::<()>();
        let listen = async move {
            let name = tokio::select! {
                _ = interrupt.recv() => "SIGINT",
                _ = terminate.recv() => "SIGTERM",
                _ = ended => return,
            };
            cancel.cancel();
            eprint(&format!(
                "{name}: the run is cancelled; its command is ended, a package manager comes to \
                 its end\n"
            ));
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
