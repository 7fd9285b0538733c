//! From a bootstrap credential to an identity: claim, verify the signed answer, keep it.

use crate::backoff::Backoff;
use crate::bootstrap::Bootstrap;
use crate::clock;
use crate::identity::{Identity, Keys};
use muster_protocol::bus::{self, Bus, Credential, Options, State};
use muster_protocol::enrol::{self, Admission, Answer, Claim, Request, Verdict};
use muster_protocol::id::{AgentId, Token, random};
use muster_protocol::seal::{self, Signed};
use muster_protocol::subject::{self, Role};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How often a refusal must come that may pass: of the credential, whose account may not have
/// reached a server that has just started; or by an answer that does not name the question.
const REFUSALS_MAX: u32 = 8;
/// How long an answer is waited for: one on its way may be lost when a credential is revoked, and
/// to ask again with the same keys is harmless. A controller that is slow gets more time.
const ANSWER_SECS: [u64; 4] = [3, 6, 12, 30];
const WAIT_FIRST: Duration = Duration::from_millis(200);
const WAIT_MAX: Duration = Duration::from_secs(30);

/// Why a machine does not become an agent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The controller said no.
    #[error("the controller refuses {agent_id}: {reason}; give the machine new user-data")]
    Refused {
        /// Who asked.
        agent_id: AgentId,
        /// The controller's word.
        reason: String,
    },
    /// NATS said no, again and again.
    #[error(
        "the bootstrap credential of {agent_id} is refused ({reason}): it has ended or was used; \
         give the machine new user-data"
    )]
    Credential {
        /// Who asked.
        agent_id: AgentId,
        /// The server's word.
        reason: String,
    },
    /// The keys cannot sign.
    #[error("signing the claim")]
    Sign(#[from] enrol::Error),
    /// The bootstrap file's seed is none.
    #[error("the bootstrap file's seed is none")]
    Seed,
}

/// Why one try did not succeed, and may later.
#[derive(Debug, thiserror::Error)]
enum Later {
    #[error(transparent)]
    Bus(#[from] bus::Error),
    #[error("the controller's answer cannot be trusted")]
    Answer(#[from] seal::Error),
    #[error("the answer is to another question")]
    Nonce,
    #[error("the controller says: {0}")]
    Told(String),
    /// Signed, but not fresh: it may be an old one, shown again.
    #[error("the controller refuses: {0}")]
    Refused(String),
}

fn answer_timeout(attempts: u32) -> Duration {
    let at = (attempts as usize).min(ANSWER_SECS.len() - 1);
    Duration::from_secs(ANSWER_SECS[at])
}

/// What a machine claims with.
pub(crate) struct Claimant<'a> {
    /// What user-data left.
    pub(crate) bootstrap: &'a Bootstrap,
    /// The keys that it made.
    pub(crate) keys: &'a Keys,
    /// The instance's id.
    pub(crate) server_id: Option<String>,
    /// What it knows of itself.
    pub(crate) facts: crate::facts::Facts,
    /// The CA, as a file.
    pub(crate) ca: &'a Path,
}

impl Claimant<'_> {
    /// Claims until there is an answer that is final.
    pub(crate) async fn enrol(&self) -> Result<Identity, Error> {
        let mut backoff = Backoff::new(WAIT_FIRST, WAIT_MAX);
        let (mut bus, mut refusals) = (None, 0);
        loop {
            let later = match self.attempt(&mut bus, answer_timeout(backoff.attempts())).await? {
                Ok(identity) => return Ok(identity),
                Err(later) => later,
            };
            if let Some(refused) = self.refused(&later) {
                refusals += 1;
                bus = None;
                if refusals >= REFUSALS_MAX {
                    return Err(refused);
                }
            }
            let attempt = backoff.attempts() + 1;
            tracing::warn!(attempt, error = %crate::chain(&later), "not enrolled yet");
            tokio::time::sleep(backoff.next(random())).await;
        }
    }

    /// What it means if this happens again and again; none if it may pass.
    fn refused(&self, later: &Later) -> Option<Error> {
        let agent_id = self.bootstrap.agent_id.clone();
        match later {
            Later::Bus(bus::Error::Refused { reason, .. }) => {
                Some(Error::Credential { agent_id, reason: reason.clone() })
            }
            Later::Refused(reason) => Some(Error::Refused { agent_id, reason: reason.clone() }),
            Later::Bus(_) | Later::Answer(_) | Later::Nonce | Later::Told(_) => None,
        }
    }

    async fn attempt(
        &self,
        bus: &mut Option<Bus>,
        timeout: Duration,
    ) -> Result<Result<Identity, Later>, Error> {
        let claim = self.claim();
        let bootstrap_key = self.bootstrap.key().ok_or(Error::Seed)?;
        let request = Request::sign(&claim, &bootstrap_key, &self.keys.user)?;
        let answer = match self.ask(bus, bootstrap_key, &request, timeout).await {
            Ok(answer) => self.verify(&answer, &claim.nonce),
            Err(later) => return Ok(Err(later)),
        };
        match answer {
            Ok(Answer { verdict: Verdict::Admitted(admission), now, .. }) => {
                Ok(Ok(self.identity(admission, now, claim)))
            }
            Ok(Answer { verdict: Verdict::Refused(reason), .. }) => {
                Err(Error::Refused { agent_id: claim.agent_id, reason })
            }
            Ok(Answer { verdict: Verdict::Later(reason), .. }) => Ok(Err(Later::Told(reason))),
            Err(later) => Ok(Err(later)),
        }
    }

    fn claim(&self) -> Claim {
        Claim {
            agent_id: self.bootstrap.agent_id.clone(),
            public_key: self.keys.user.public_key(),
            xkey: self.keys.curve.public_key(),
            server_id: self.server_id.clone(),
            facts: self.facts.clone(),
            nonce: Token::random(random()),
            version: crate::VERSION.to_owned(),
        }
    }

    async fn ask(
        &self,
        bus: &mut Option<Bus>,
        key: nkeys::KeyPair,
        request: &Request,
        timeout: Duration,
    ) -> Result<Signed, Later> {
        let bootstrap = self.bootstrap;
        let jwt = bootstrap.jwt.expose().to_owned();
        let bus = match bus {
            Some(bus) => bus,
            None => bus.insert(
                Bus::connect(Options {
                    role: Role::Bootstrap,
                    name: bootstrap.agent_id.to_string(),
                    servers: bootstrap.servers.clone(),
                    ca: Some(self.ca.to_owned()),
                    credential: Credential::new(Arc::new(key), jwt),
                })
                .await?,
            ),
        };
        let subject = subject::enrol(&bootstrap.agent_id);
        let answer = bus.request(subject, request, timeout).await;
        match (&answer, &*bus.state().borrow()) {
            (Err(_), State::Refused(reason)) => {
                let name = bootstrap.agent_id.to_string();
                Err(bus::Error::Refused { name, reason: reason.clone() }.into())
            }
            _ => Ok(answer?),
        }
    }

    fn verify(&self, answer: &Signed, nonce: &Token) -> Result<Answer, Later> {
        open(answer, &self.bootstrap.root_public_key, &self.bootstrap.agent_id, nonce)
    }

    fn identity(
        &self,
        admission: Admission,
        now: muster_protocol::id::UnixMillis,
        claim: Claim,
    ) -> Identity {
        let bootstrap = self.bootstrap.clone();
        Identity {
            agent_id: claim.agent_id,
            cluster: bootstrap.cluster,
            servers: bootstrap.servers,
            ca: admission.ca.unwrap_or(bootstrap.ca),
            root_public_key: bootstrap.root_public_key,
            jwt: admission.jwt,
            expires: admission.expires,
            given: now,
            bus_account: admission.bus_account,
            controller_xkey: admission.controller_xkey,
            time: clock::mark(now),
            server_id: claim.server_id,
            agent: bootstrap.agent,
        }
    }
}

/// The answer, if the controller signed it for this agent and this question. The nonce proves that
/// it is fresh, so the certificate is judged by the answer's own time.
fn open(
    answer: &Signed,
    root_public_key: &str,
    agent_id: &AgentId,
    nonce: &Token,
) -> Result<Answer, Later> {
    let opened: Answer = answer.open(root_public_key, agent_id.as_str(), None)?;
    if opened.nonce != *nonce {
        // A claim that the controller cannot read is refused without its nonce.
        return Err(match opened.verdict {
            Verdict::Refused(reason) => Later::Refused(reason),
            Verdict::Admitted(_) | Verdict::Later(_) => Later::Nonce,
        });
    }
    answer.certificate.check_time(opened.now)?;
    Ok(opened)
}

/// Opens the answer to a renewal: it is told to the same rules.
pub(crate) fn open_renewal(
    answer: &Signed,
    identity: &Identity,
    nonce: &Token,
) -> Result<Answer, String> {
    open(answer, &identity.root_public_key, &identity.agent_id, nonce)
        .map_err(|later| crate::chain(&later))
}

#[cfg(test)]
mod tests {
    use super::*;
    use muster_protocol::id::UnixMillis;
    use muster_protocol::seal::{Certificate, Signer};
    use nkeys::KeyPair;

    const HOUR: i64 = 3_600_000;

    fn agent_id() -> AgentId {
        "compute-0007-abcdefghijkm".parse().unwrap()
    }

    fn signed(root: &KeyPair, nonce: &Token, now: i64) -> Signed {
        let key = KeyPair::new_service();
        let (from, until) = (UnixMillis(0), UnixMillis(HOUR));
        let certificate = Certificate::sign(root, key.public_key(), from, until).unwrap();
        let verdict = Verdict::Later("not now".into());
        let answer = Answer { nonce: nonce.clone(), now: UnixMillis(now), verdict };
        Signer::new(key, certificate).sign(agent_id().as_str(), &answer).unwrap()
    }

    #[test]
    fn an_answer_is_taken_for_its_question_its_agent_and_in_its_keys_time() {
        let (root, other) = (KeyPair::new_operator(), KeyPair::new_operator());
        let (nonce, id) = (Token::random(random()), agent_id());
        let opened = |answer: &Signed, root: &KeyPair, nonce: &Token| {
            open(answer, &root.public_key(), &id, nonce)
        };
        let answer = signed(&root, &nonce, 1000);
        assert!(opened(&answer, &root, &nonce).is_ok());
        assert!(matches!(opened(&answer, &root, &Token::random(random())), Err(Later::Nonce)));
        assert!(matches!(opened(&answer, &other, &nonce), Err(Later::Answer(_))));
        let late = signed(&root, &nonce, HOUR);
        assert!(matches!(
            opened(&late, &root, &nonce),
            Err(Later::Answer(seal::Error::Expired { .. }))
        ));
        let wrong = "compute-0008-abcdefghijkm".parse().unwrap();
        assert!(open(&answer, &root.public_key(), &wrong, &nonce).is_err());
    }
}
