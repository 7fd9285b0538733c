//! Ctrl-C and SIGTERM as something to wait for.

use crate::failure::{OrNext, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that ask a command to stop; while this lives they no longer kill it.
#[derive(Debug)]
pub(crate) struct Interrupt {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Interrupt {
    /// Starts to catch them.
    pub(crate) fn listen() -> Result<Interrupt> {
        let catch = |kind| signal(kind).or_next("free some file descriptors");
        Ok(Interrupt {
            interrupt: catch(SignalKind::interrupt())?,
            terminate: catch(SignalKind::terminate())?,
            hangup: catch(SignalKind::hangup())?,
        })
    }

    /// Ends at the next one.
    pub(crate) async fn came(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}
