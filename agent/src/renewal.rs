//! Keeps the credential alive: a new one from half of its life on.

use crate::backoff::Backoff;
use crate::clock::Clock;
use crate::enrolment;
use crate::identity::{Identity, Keys};
use crate::paths::Data;
use muster_protocol::bus::{self, Bus, Credential};
use muster_protocol::enrol::{Admission, Renewal, SignedRenewal, Verdict};
use muster_protocol::id::{Token, UnixMillis, random};
use muster_protocol::seal::Signed;
use muster_protocol::subject;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The clock is looked at this often: a machine that slept must not sleep on.
const LOOK_INTERVAL: Duration = Duration::from_secs(30);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
const RETRY_FIRST: Duration = Duration::from_secs(5);
const RETRY_MAX: Duration = Duration::from_secs(300);

/// When a credential is renewed: between half and three fifths of its life, by 16 random bits.
fn due(given: UnixMillis, expires: UnixMillis, random: [u8; 2]) -> UnixMillis {
    let life = expires.since(given).max(0);
    let jitter = i64::from(u16::from_be_bytes(random)) * (life / 10) / i64::from(u16::MAX);
    given.plus(life / 2 + jitter)
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
}

impl Renewer {
    /// Renews until it is stopped.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut backoff = Backoff::new(RETRY_FIRST, RETRY_MAX);
        let mut due = due(self.identity.given, self.identity.expires, random());
        while !stop.is_cancelled() {
            let mut wait = LOOK_INTERVAL;
            if self.now || self.clock.now() >= due {
                tokio::select! {
                    renewed = self.renew() => match renewed {
                        Ok(()) => {
                            self.now = false;
                            backoff.reset();
                            due = self::due(self.identity.given, self.identity.expires, random());
                        }
                        Err(why) => {
                            wait = backoff.next(random());
                            self.tell(&why);
                        }
                    },
                    () = stop.cancelled() => return,
                }
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
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
        let Admission { jwt, expires, bus_account, controller_xkey } = admission;
        let time = self.clock.set(now);
        let identity = Identity {
            jwt: jwt.clone(),
            expires,
            given: now,
            bus_account,
            controller_xkey,
            time,
            ..self.identity.clone()
        };
        let written = identity.write(&self.data);
        self.identity = identity;
        self.credential.renew(jwt);
        tracing::info!(expires = expires.0, "the credential is renewed");
        written.map_err(|error| crate::chain(&error))
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
}
