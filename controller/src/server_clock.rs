//! How far the NATS server's clock is from this machine's.
//!
//! The server judges by its own clock when a credential begins and ends. So the times in
//! credentials and revocations are told in its time: a controller whose clock is a day off still
//! lets machines in, and locks them out. Nothing else believes the server's clock. Commands,
//! answers and documents bear the controller's, since who owns the server must not be able to make
//! an old command new.

use crate::keys::Keys;
use muster_protocol::bus::bucket::Bucket;
use muster_protocol::id::UnixMillis;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Where the server is made to say its time.
const KEY: &str = "clock";
/// How often it is asked: a clock may be set at any time.
const INTERVAL: Duration = Duration::from_secs(60);
/// Less is a message on its way, not another clock.
const APART_MILLIS_MIN: i64 = 2_000;
/// More is worth a word.
const APART_MILLIS_TOLD: i64 = 60_000;

/// Asks the server, and lets credentials be issued by its clock from now on.
/// Without an answer they go on as before.
pub async fn ask(bucket: &Bucket, keys: &Keys) {
    let before = UnixMillis::now();
    let server = match bucket.server_time(KEY).await {
        Ok(server) => server,
        Err(error) => {
            tracing::debug!(%error, "the NATS server did not tell its time");
            return;
        }
    };
    let now = UnixMillis::now();
    let ahead = ahead(before, server, now);
    let was = keys.set_server_ahead(ahead);
    if ahead.abs() >= APART_MILLIS_TOLD && ahead.abs_diff(was) >= APART_MILLIS_TOLD.unsigned_abs() {
        tracing::warn!(
            ahead_secs = ahead / 1000,
            "the NATS server's clock is not this machine's; set the wrong one right"
        );
    }
}

/// Asks again and again until it is cancelled.
pub async fn follow(bucket: Bucket, keys: Arc<Keys>, cancel: CancellationToken) {
    while cancel.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_some() {
        cancel.run_until_cancelled(ask(&bucket, &keys)).await;
    }
}

/// How far a server is ahead that has shown its time between two moments.
fn ahead(before: UnixMillis, server: UnixMillis, now: UnixMillis) -> i64 {
    let ahead = server.since(before.plus(now.since(before) / 2));
    // It may have been any moment in between.
    match ahead.abs() < APART_MILLIS_MIN.max(now.since(before)) {
        true => 0,
        false => ahead,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_answer_is_no_other_clock_and_a_day_is() {
        let at = |secs: i64| UnixMillis(secs * 1000);
        assert_eq!(ahead(at(100), at(101), at(101)), 0);
        assert_eq!(ahead(at(100), at(128), at(130)), 0);
        assert_eq!(ahead(at(100), at(86_500), at(100)), 86_400_000);
        assert_eq!(ahead(at(86_500), at(100), at(86_500)), -86_400_000);
    }
}
