//! Runs the hooks that come after something, from a durable consumer of the workers' events.
//!
//! An event is acknowledged when its hooks have ended, so those that a controller could not finish
//! run again with the next one. A worker's events keep their order; workers do not wait for each
//! other. Events that are not stored, as when NATS is away while a phase changes, run nothing.

use super::Hooks;
use super::seen::{Known, Seen};
use super::view::View;
use crate::registry::Registry;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use muster_protocol::bus;
use muster_protocol::bus::stream::{Consumer, Delivery};
use muster_protocol::event::{Event, PhaseChanged};
use muster_protocol::id::{Token, WorkerName};
use muster_protocol::subject;
use muster_protocol::wire;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The name of the consumer; all controllers of a cluster share it.
pub const CONSUMER: &str = "hooks";
/// What it consumes.
pub const FILTER: &str = "muster.event.worker.*.*";
/// Events whose hooks run or wait; the others stay in the stream.
const HELD_MAX: usize = 256;
/// How long running hooks may go on after a stop; then they are killed, and run again later.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// An event that hooks wait for.
#[derive(Debug)]
struct Held {
    id: Token,
    view: View,
}

struct Follower {
    hooks: Arc<Hooks>,
    registry: Arc<Registry>,
    seen: Seen<Token>,
    /// What is not acknowledged yet.
    deliveries: HashMap<Token, Delivery>,
    /// By worker, what waits behind the event whose hooks run; no entry if none run.
    lanes: HashMap<WorkerName, VecDeque<Held>>,
    running: FuturesUnordered<BoxFuture<'static, Held>>,
}

/// Takes events until it is cancelled. The consumer is to be had even without any hook, so that
/// one that is added later begins with what happens then.
///
/// # Errors
/// When the consumer is gone.
pub async fn follow(
    hooks: Arc<Hooks>,
    registry: Arc<Registry>,
    mut events: Consumer,
    cancel: CancellationToken,
) -> Result<(), bus::Error> {
    let mut follower = Follower {
        hooks,
        registry,
        seen: Seen::default(),
        deliveries: HashMap::new(),
        lanes: HashMap::new(),
        running: FuturesUnordered::new(),
    };
    loop {
        let room = HELD_MAX.saturating_sub(follower.deliveries.len());
        tokio::select! {
            Some(ended) = follower.running.next() => follower.ended(ended).await?,
            batch = events.next_batch(room), if room > 0 => {
                for delivery in batch? {
                    follower.take(delivery).await?;
                }
            }
            () = cancel.cancelled() => break,
        }
    }
    // Else what is given back might be sent to it.
    events.close().await;
    follower.stop().await
}

impl Follower {
    async fn take(&mut self, delivery: Delivery) -> Result<(), bus::Error> {
        let Some((id, view)) = self.read(&delivery) else { return delivery.ack().await };
        match self.seen.hold(&id) {
            Known::Done => return delivery.ack().await,
            // The acknowledgement of the first delivery is this one's too.
            Known::Held => return Ok(()),
            Known::New => {}
        }
        self.deliveries.insert(id.clone(), delivery);
        let (name, held) = (view.name.clone(), Held { id, view });
        match self.lanes.get_mut(&name) {
            Some(waiting) => waiting.push_back(held),
            None => {
                self.lanes.insert(name, VecDeque::new());
                self.start(held);
            }
        }
        Ok(())
    }

    /// The event as hooks see it; none if no hook waits for it.
    fn read(&self, delivery: &Delivery) -> Option<(Token, View)> {
        let [name, kind] = subject::tokens(&delivery.subject, "muster.event.worker.")?;
        let name: WorkerName = name.parse().ok()?;
        let event: Event = wire::decode(&delivery.payload).ok()?;
        // Events of other kinds may look alike.
        let change = event.read().filter(|change: &PhaseChanged| change.to == kind)?;
        let worker = self.registry.worker(&name);
        let view = View::changed(&self.hooks.cluster, &event.id, &name, &change, worker.as_ref())?;
        self.hooks.concern(view.point, &view.pool).then_some((event.id, view))
    }

    fn start(&mut self, held: Held) {
        let hooks = Arc::clone(&self.hooks);
        self.running.push(Box::pin(async move {
            hooks.run_view(&held.view).await;
            held
        }));
    }

    async fn ended(&mut self, ended: Held) -> Result<(), bus::Error> {
        self.seen.done(&ended.id);
        let name = &ended.view.name;
        match self.lanes.get_mut(name).and_then(VecDeque::pop_front) {
            Some(next) => self.start(next),
            None => {
                self.lanes.remove(name);
            }
        }
        match self.deliveries.remove(&ended.id) {
            Some(delivery) => delivery.ack().await,
            None => Ok(()),
        }
    }

    /// Lets what runs end, for a while; the rest is given back to the next controller.
    async fn stop(mut self) -> Result<(), bus::Error> {
        self.lanes.clear();
        let finish = async {
            while let Some(ended) = self.running.next().await {
                self.ended(ended).await?;
            }
            Ok::<(), bus::Error>(())
        };
        match tokio::time::timeout(STOP_GRACE, finish).await {
            Ok(finished) => finished?,
            Err(_) => tracing::warn!(
                count = self.running.len(),
                "hooks were killed by the stop, they run again at the next start"
            ),
        }
        self.running.clear();
        // They come again in the order in which they are given back.
        let mut left: Vec<&Delivery> = self.deliveries.values().collect();
        left.sort_by_key(|delivery| delivery.sequence);
        for delivery in left {
            delivery.retry_after(Duration::ZERO).await?;
        }
        Ok(())
    }
}
