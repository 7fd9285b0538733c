//! Tells the NATS servers whose credentials are void, which cuts their connections: on the
//! controller that holds the lease, again and again until they know.

use super::{People, Person};
use crate::revocations::Revocations;
use muster_protocol::id::UnixMillis;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The wait before what failed is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// Pushes what people's documents say is void.
#[derive(Debug)]
pub struct Cut {
    /// The documents.
    pub people: Arc<People>,
    /// What is pushed.
    pub revocations: Arc<Revocations>,
}

impl Cut {
    /// Pushes whatever is void and not pushed, until it is cancelled.
    pub async fn run(self, cancel: CancellationToken) {
        let mut changes = self.people.changes();
        loop {
            changes.mark_unchanged();
            let mut failed = false;
            for person in self.people.all().iter().filter(|person| !person.cut) {
                failed |= !self.cut(person).await;
            }
            let wait = async {
                match failed {
                    true => tokio::time::sleep(RETRY).await,
                    false => drop(changes.changed().await),
                }
            };
            if cancel.run_until_cancelled(wait).await.is_none() {
                return;
            }
        }
    }

    async fn cut(&self, person: &Person) -> bool {
        let now = UnixMillis::now();
        let pushed = self.revocations.revoke_people(person.void(now), now).await;
        if let Err(error) = pushed {
            let (user, error) = (&person.name, crate::chain(&error));
            tracing::warn!(%user, error, "a revocation is not pushed yet; it is tried again");
            return false;
        }
        // Of what was pushed just now and no later change.
        let same = |now: &Person| now.revoked == person.revoked && now.former == person.former;
        let marked = self.people.change(&person.name, |before| match before {
            Some(before) if same(&before) && !before.cut => Ok(Person { cut: true, ..before }),
            _ => Err(()),
        });
        match marked.await {
            Ok(Ok(_)) => {
                tracing::info!(user = %person.name, "the servers know whose credential is void");
                true
            }
            Ok(Err(())) => true,
            Err(error) => {
                let (user, error) = (&person.name, crate::chain(&error));
                tracing::warn!(%user, error, "that a revocation was pushed is not noted yet");
                false
            }
        }
    }
}
