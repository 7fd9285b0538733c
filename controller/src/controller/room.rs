//! Tells as events how the disk under the store does: `muster.event.security.store.low`, and
//! `.full` as soon as an event can be stored again.

use crate::nats::Room;
use muster_protocol::bus::Bus;
use muster_protocol::event::Event;
use muster_protocol::id::{Token, UnixMillis, random};
use muster_protocol::subject::{self, Source};
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How often an event is offered, and the wait in between: a server that was started anew is asked
/// before it is ready.
const TRIES_MAX: u32 = 60;
const PAUSE: Duration = Duration::from_secs(1);

/// Tells until it is cancelled.
pub(super) async fn tell(mut room: watch::Receiver<Room>, bus: Bus, cancel: CancellationToken) {
    let mut full: Option<UnixMillis> = None;
    while let Some(Ok(())) = cancel.run_until_cancelled(room.changed()).await {
        let now = *room.borrow_and_update();
        let told = match now {
            Room::Full(_) => {
                full = full.or_else(|| Some(UnixMillis::now()));
                continue;
            }
            Room::Low(free) => match full.take() {
                Some(since) => event("full", since, Some(free)),
                None => event("low", UnixMillis::now(), Some(free)),
            },
            Room::Enough => match full.take() {
                Some(since) => event("full", since, None),
                None => continue,
            },
        };
        if cancel.run_until_cancelled(offer(&bus, told)).await.is_none() {
            return;
        }
    }
    // Without an embedded server there is nothing to tell.
    cancel.cancelled().await;
}

fn event(kind: &str, since: UnixMillis, free: Option<u64>) -> (String, Event) {
    let token = |text: &str| -> Token { text.parse().expect("a word is a token") };
    let data = serde_json::json!({
        "since": since, "until": UnixMillis::now(), "bytes_free": free,
        "what": match kind {
            "full" => "the disk of NATS' store was full: nothing was stored meanwhile",
            _ => "the disk of NATS' store is almost full: make room",
        },
    });
    let subject = subject::event(Source::Security, &token("store"), &token(kind));
    (subject, Event { id: Token::random(random()), at: UnixMillis::now(), data })
}

async fn offer(bus: &Bus, (subject, event): (String, Event)) {
    for _ in 0..TRIES_MAX {
        match bus.publish_event(subject.clone(), &event).await {
            Ok(()) => return,
            Err(error) => tracing::debug!(subject, %error, "it is offered again"),
        }
        tokio::time::sleep(PAUSE).await;
    }
    tracing::warn!(subject, "event was not stored: the bus does not answer");
}
