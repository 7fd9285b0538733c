//! The lease: one controller reconciles, the others stand by.
//!
//! It is one document, written anew every [`BEAT`] by its holder. Clocks of machines are not
//! compared: a stand-by watches, by its own monotonic clock, how long the document stays the same.
//! The holder counts from *before* it wrote, and stops acting in time: a call to a cloud begins
//! only when enough of the lease remains, and is given up before it ends ([`Fence`]).

use crate::documents::Documents;
use muster_protocol::bus;
use muster_protocol::id::{Token, random};
use muster_protocol::wire::{self, Message};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long a lease holds after it was written.
pub const LEASE: Duration = Duration::from_secs(6);
/// How often its holder writes it, and others look.
pub const BEAT: Duration = Duration::from_secs(1);
/// What others wait longer than the holder acts: for clocks that run at different speeds.
const MARGIN: Duration = Duration::from_millis(500);
/// Where the document is.
pub const KEY: &str = "lease";

/// The document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lease {
    /// Who holds it; nobody if empty.
    holder: String,
    /// Differs at each write.
    beat: Token,
}

impl Message for Lease {
    const NAME: &'static str = "lease";
}

/// Until when this controller may act.
#[derive(Clone)]
pub struct Fence(watch::Receiver<Option<Instant>>);

impl fmt::Debug for Fence {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "Fence({:?})", self.remaining())
    }
}

impl Fence {
    /// One that always lets act: for a simulation, or a tool.
    #[must_use]
    pub fn open() -> Fence {
        let far = Instant::now() + Duration::from_secs(u64::from(u32::MAX));
        Fence(watch::Sender::new(Some(far)).subscribe())
    }

    /// How much of the lease remains; none if another holds it.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        let until = (*self.0.borrow())?;
        let left = until.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    /// Waits until this controller holds the lease.
    pub async fn gained(&mut self) {
        while self.remaining().is_none() && self.0.changed().await.is_ok() {}
    }

    /// Waits until this controller does not hold it any more.
    pub async fn lost(&mut self) {
        self.runs_out(Duration::ZERO).await;
    }

    /// Waits until no more than so much of it remains: it is written anew again and again, so that
    /// is when its holder could not do that for a while, or another has it.
    pub async fn runs_out(&mut self, spare: Duration) {
        while let Some(left) = self.remaining().filter(|left| *left > spare) {
            tokio::select! {
                Ok(()) = self.0.changed() => {}
                () = tokio::time::sleep(left - spare) => {}
            }
        }
    }
}

/// Who contends for the lease.
#[derive(Debug)]
pub struct Contender {
    bucket: Arc<dyn Documents>,
    /// Its name; the same after a restart, so that a restarted holder need not wait for itself.
    name: String,
    until: watch::Sender<Option<Instant>>,
    holder: watch::Sender<String>,
}

/// What a contender knows of the lease.
#[derive(Default)]
struct Seen {
    revision: u64,
    since: Option<Instant>,
}

impl Contender {
    /// Contends under a name that no other controller has.
    #[must_use]
    pub fn new(bucket: impl Documents + 'static, name: String) -> Contender {
        let (until, holder) = (watch::Sender::new(None), watch::Sender::new(String::new()));
        Contender { bucket: Arc::new(bucket), name, until, holder }
    }

    /// Until when this controller may act.
    #[must_use]
    pub fn fence(&self) -> Fence {
        Fence(self.until.subscribe())
    }

    /// Who holds the lease, as last seen.
    #[must_use]
    pub fn holder(&self) -> watch::Receiver<String> {
        self.holder.subscribe()
    }

    /// Contends until it is cancelled; then it gives the lease back.
    pub async fn run(self, cancel: CancellationToken) {
        let mut seen = Seen::default();
        while !cancel.is_cancelled() {
            if let Err(error) = self.beat(&mut seen).await {
                tracing::warn!(
                    error = crate::chain(&error),
                    "the lease could not be read or written"
                );
            }
            tokio::select! {
                () = tokio::time::sleep(BEAT) => {}
                () = cancel.cancelled() => {}
            }
        }
        self.give_back(&seen).await;
    }

    async fn beat(&self, seen: &mut Seen) -> Result<(), bus::Error> {
        let begun = Instant::now();
        let stored = self.bucket.get(KEY).await?;
        let Some(entry) = stored else {
            let revision = self.bucket.create(KEY, self.document(&self.name)).await;
            return self.wrote(seen, revision, begun);
        };
        let lease: Lease = wire::decode(&entry.value)?;
        self.holder.send_if_modified(|holder| {
            let changed = *holder != lease.holder;
            holder.clone_from(&lease.holder);
            changed
        });
        if entry.revision != seen.revision {
            *seen = Seen { revision: entry.revision, since: Some(begun) };
        }
        let silent = seen.since.is_some_and(|since| begun - since > LEASE + MARGIN);
        if lease.holder == self.name || lease.holder.is_empty() || silent {
            let written = self.bucket.update(KEY, self.document(&self.name), entry.revision).await;
            return self.wrote(seen, written, begun);
        }
        self.until.send_replace(None);
        Ok(())
    }

    fn wrote(
        &self,
        seen: &mut Seen,
        written: Result<u64, bus::Error>,
        begun: Instant,
    ) -> Result<(), bus::Error> {
        match written {
            Ok(revision) => {
                *seen = Seen { revision, since: Some(begun) };
                self.holder.send_replace(self.name.clone());
                if self.until.send_replace(Some(begun + LEASE)).is_none() {
                    tracing::info!(controller = self.name, "this controller reconciles");
                }
                Ok(())
            }
            Err(bus::Error::Conflict { .. }) => {
                // Another was faster, or our own write landed without an answer: we look again.
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    async fn give_back(&self, seen: &Seen) {
        if self.until.send_replace(None).is_some() {
            let given = self.bucket.update(KEY, self.document(""), seen.revision).await;
            if let Err(error) = given {
                tracing::debug!(%error, "the lease ends by itself");
            }
        }
    }

    fn document(&self, holder: &str) -> Vec<u8> {
        wire::encode(&Lease { holder: holder.to_owned(), beat: Token::random(random()) })
    }
}
