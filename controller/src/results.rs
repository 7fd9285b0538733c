//! Hands results that come as events to the commands that wait for them; on every controller, since
//! a command waits where it was called.

use crate::jobs::{Jobs, Late};
use muster_protocol::bus;
use muster_protocol::bus::stream::{Consumer, Delivery, EVENTS, JetStream};
use muster_protocol::event::{Applied, Event, Executed};
use muster_protocol::id::UnixMillis;
use muster_protocol::{subject, wire};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Events that are taken at once.
const BATCH_MAX: usize = 256;

/// Agents' events from now on.
///
/// # Errors
/// When the server does not make the consumer.
pub async fn reader(jetstream: &JetStream) -> Result<Consumer, bus::Error> {
    jetstream.reader(EVENTS, "muster.event.agent.>", UnixMillis::now()).await
}

/// Takes events until it is cancelled.
///
/// # Errors
/// When the consumer is gone for good.
pub async fn run(
    jobs: Arc<Jobs>,
    mut events: Consumer,
    cancel: CancellationToken,
) -> Result<(), bus::Error> {
    loop {
        let batch = tokio::select! {
            batch = events.next_batch(BATCH_MAX) => batch?,
            () = cancel.cancelled() => return Ok(()),
        };
        for delivery in &batch {
            take(&jobs, delivery);
            delivery.ack().await?;
        }
    }
}

fn take(jobs: &Jobs, delivery: &Delivery) {
    let prefix = "muster.event.agent.";
    let Some([_, kind]) = subject::tokens(&delivery.subject, prefix) else { return };
    let Ok(event) = wire::decode::<Event>(&delivery.payload) else { return };
    match kind {
        "applied" | "failed" => {
            if let Some(applied) = event.read::<Applied>()
                && let Some(command) = &applied.command
            {
                jobs.arrived(command, Late::applied(&applied));
            }
        }
        "executed" => {
            if let Some(executed) = event.read::<Executed>() {
                jobs.arrived(&executed.command, Late::executed(&executed));
            }
        }
        _ => {}
    }
}
