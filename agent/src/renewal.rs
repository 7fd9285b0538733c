//! Keeps the credential alive: a new one from half of its life on.

use crate::backoff::Backoff;
use crate::clock::Clock;
use crate::enrolment;
use crate::files::{self, Lasting};
use crate::identity::{Identity, Keys};
use crate::paths::Data;
use muster_protocol::bus::{self, Bus, Credential};
use muster_protocol::enrol::{Admission, Renewal, SignedRenewal, Verdict};
use muster_protocol::id::{Token, UnixMillis, random};
use muster_protocol::seal::Signed;
use muster_protocol::subject;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// The clock is looked at at least this often: a machine that slept must not sleep on.
const LOOK_MAX: Duration = Duration::from_secs(30);
const LOOK_MIN: Duration = Duration::from_millis(100);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
const RETRY_FIRST: Duration = Duration::from_secs(5);
const RETRY_MAX: Duration = Duration::from_secs(300);
/// A short life is not slept away between two tries.
const RETRIES_OF_A_LIFE: u32 = 20;

/// When a credential is renewed: between half and three fifths of its life, by 16 random bits.
fn due(given: UnixMillis, expires: UnixMillis, random: [u8; 2]) -> UnixMillis {
    let life = expires.since(given).max(0);
    let jitter = i64::from(u16::from_be_bytes(random)) * (life / 10) / i64::from(u16::MAX);
    given.plus(life / 2 + jitter)
}

/// How long to wait before the clock is looked at again.
fn look(now: UnixMillis, due: UnixMillis) -> Duration {
    let left = u64::try_from(due.since(now)).unwrap_or(0);
    Duration::from_millis(left).clamp(LOOK_MIN, LOOK_MAX)
}

/// The waits between tries to renew a credential of this life.
fn retries(given: UnixMillis, expires: UnixMillis) -> Backoff {
    let life = Duration::from_millis(u64::try_from(expires.since(given)).unwrap_or(0));
    let max = (life / RETRIES_OF_A_LIFE).clamp(LOOK_MIN, RETRY_MAX);
    Backoff::new(RETRY_FIRST.min(max), max)
}

/// Who renews.
pub(crate) struct Renewer {
    pub(crate) identity: Identity,
    pub(crate) keys: Arc<Keys>,
    pub(crate) credential: Credential,
    pub(crate) clock: Arc<Clock>,
    pub(crate) data: Data,
    pub(crate) bus: Bus,
    /// Renew at once: the machine's clock is not sure.
    pub(crate) now: bool,
    /// Told when the controller asks for it: its keys have changed.
    pub(crate) asked: Arc<Notify>,
}

impl Renewer {
    /// Renews until it is stopped.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut backoff = retries(self.identity.given, self.identity.expires);
        let mut due = due(self.identity.given, self.identity.expires, random());
        while !stop.is_cancelled() {
            let mut wait = look(self.clock.now(), due);
            if self.now || self.clock.now() >= due {
                let renewed = tokio::select! {
                    renewed = self.renew() => renewed,
                    () = stop.cancelled() => return,
                };
                if let Err(why) = renewed {
                    wait = backoff.next(random());
                    self.tell(&why);
                } else {
                    self.now = false;
                    backoff = retries(self.identity.given, self.identity.expires);
                    due = self::due(self.identity.given, self.identity.expires, random());
                    wait = LOOK_MIN;
                }
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.asked.notified() => self.now = true,
                () = stop.cancelled() => return,
            }
        }
    }

    fn tell(&self, why: &str) {
        let left_secs = self.identity.expires.since(self.clock.now()) / 1000;
        tracing::warn!(left_secs, error = why, "the credential is not renewed yet");
    }

    async fn renew(&mut self) -> Result<(), String> {
        let nonce = Token::random(random());
        let agent_id = self.identity.agent_id.clone();
        let renewal = Renewal { agent_id: agent_id.clone(), nonce: nonce.clone() };
        let signed = SignedRenewal::sign(&renewal, &self.keys.user);
        let signed = signed.map_err(|error| crate::chain(&error))?;
        let subject = subject::rpc(&agent_id, "renew");
        let answer: Result<Signed, bus::Error> =
            self.bus.request(subject, &signed, ANSWER_TIMEOUT).await;
        let answer = answer.map_err(|error| crate::chain(&error))?;
        let answer = enrolment::open_renewal(&answer, &self.identity, &nonce)?;
        match answer.verdict {
            Verdict::Admitted(admission) => self.take(admission, answer.now),
            Verdict::Refused(why) => Err(format!("the controller refuses: {why}")),
            Verdict::Later(why) => Err(format!("the controller says: {why}")),
        }
    }

    /// On disk first, then for the next reconnect.
    fn take(&mut self, admission: Admission, now: UnixMillis) -> Result<(), String> {
        let Admission { jwt, expires, bus_account, controller_xkey, ca } = admission;
        let time = self.clock.set(now);
        let ca = ca.unwrap_or_else(|| self.identity.ca.clone());
        let is_other_ca = ca != self.identity.ca;
        let identity = Identity {
            jwt: jwt.clone(),
            ca,
            expires,
            given: now,
            bus_account,
            controller_xkey,
            time,
            ..self.identity.clone()
        };
        let written = identity.write(&self.data);
        // The next start writes it from the identity; the next reconnect reads it from the file.
        let pinned = match is_other_ca {
            true => files::write(&self.data.ca(), identity.ca.as_bytes(), Lasting::Process),
            false => Ok(()),
        };
        self.identity = identity;
        self.credential.renew(jwt);
        tracing::info!(expires = expires.0, "the credential is renewed");
        written.map_err(|error| crate::chain(&error))?;
        pinned.map_err(|error| crate::chain(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fleet_does_not_renew_in_one_instant_but_in_time() {
        let (given, expires) = (UnixMillis(1_000_000), UnixMillis(1_000_000 + 86_400_000));
        assert_eq!(due(given, expires, [0, 0]), given.plus(43_200_000));
        assert_eq!(due(given, expires, [0xff, 0xff]), given.plus(51_840_000));
        assert_eq!(due(expires, given, [0xff, 0xff]), expires);
    }

    #[test]
    fn a_short_life_is_not_slept_away() {
        let at = |millis: i64| UnixMillis(1_000_000 + millis);
        assert_eq!(look(at(0), at(43_200_000)), LOOK_MAX);
        assert_eq!(look(at(0), at(1_500)), Duration::from_millis(1_500));
        assert_eq!(look(at(5_000), at(0)), LOOK_MIN);
        let longest = |life| {
            let mut backoff = retries(at(0), at(life));
            (0..40).map(|_| backoff.next([0xff; 2])).max()
        };
        assert_eq!(longest(86_400_000), Some(RETRY_MAX));
        assert_eq!(longest(60_000), Some(Duration::from_secs(3)));
    }
}
