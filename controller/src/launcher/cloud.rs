//! A cloud as the launcher calls it: so many calls at once, one listing for all who wait for it.

use super::{Error, limited};
use crate::provider::{self, ErrorKind, Provider, Server};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};

/// Calls to one cloud at once.
pub const CALLS_MAX: usize = 32;

/// A cloud with the calls to it that are under way.
#[derive(Clone, Debug)]
pub struct Cloud {
    /// Its name in the configuration.
    pub name: String,
    /// Its driver.
    pub provider: Arc<dyn Provider>,
    calls: Arc<Semaphore>,
    listings: Arc<Listings>,
}

/// Listings of a cloud. Whoever asks while one is under way shares the next one.
#[derive(Debug, Default)]
struct Listings {
    begun: AtomicU64,
    last: Mutex<Option<Listing>>,
}

/// A listing that has come to its end.
#[derive(Debug)]
struct Listing {
    /// The how-manieth it is.
    number: u64,
    /// What it showed, or why it failed.
    shown: Result<Arc<Vec<Server>>, String>,
}

impl Cloud {
    /// A cloud without calls.
    #[must_use]
    pub fn new(name: String, provider: Arc<dyn Provider>) -> Cloud {
        let calls = Arc::new(Semaphore::new(CALLS_MAX));
        Cloud { name, provider, calls, listings: Arc::default() }
    }

    /// Waits until one more call may begin.
    pub(super) async fn permit(&self) -> Result<OwnedSemaphorePermit, Error> {
        Arc::clone(&self.calls).acquire_owned().await.map_err(|_| Error::Fenced)
    }

    /// All servers, by a listing that began after this was called and ends within a limit.
    pub(super) async fn servers(&self, limit: Duration) -> Result<Arc<Vec<Server>>, Error> {
        let before = self.listings.begun.load(Ordering::SeqCst);
        let mut last = self.listings.last.lock().await;
        if let Some(listing) = last.as_ref().filter(|listing| listing.number > before) {
            let failed = |why: &String| provider::Error::new(ErrorKind::Transient, why.clone());
            return Ok(listing.shown.as_ref().map_err(failed).map(Arc::clone)?);
        }
        let number = self.listings.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let listed = limited(self.provider.list(), limit).await.map(Arc::new);
        let shown = listed.as_ref().map(Arc::clone).map_err(|error| crate::chain(error));
        *last = Some(Listing { number, shown });
        listed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::simulated::{self, Call, Fault};

    #[tokio::test(start_paused = true)]
    async fn those_who_ask_while_a_listing_is_under_way_share_the_next() {
        let clouds = simulated::Cloud::new();
        let provider = Arc::new(clouds.provider("c".parse().unwrap()));
        let cloud = Cloud::new("here".to_owned(), provider);
        let limit = Duration::from_secs(10);
        for (fault, good) in [(Fault::Delay(limit / 2), true), (Fault::Hang, false)] {
            let before = clouds.calls(Call::List);
            clouds.inject(Call::List, fault.clone());
            clouds.inject(Call::List, fault);
            let asked = (0..20).map(|_| cloud.servers(limit));
            let shown = futures_util::future::join_all(asked).await;
            assert!(shown.iter().all(|shown| shown.is_ok() == good), "{shown:?}");
            assert_eq!(clouds.calls(Call::List) - before, 2);
        }
    }
}
