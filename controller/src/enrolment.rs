//! Enrolment: a launched machine proves that it is the agent it was launched as, once.
//!
//! The registry binds the keys by compare-and-set *before* the answer leaves. The same keys get the
//! same admission again, so a lost answer harms nobody; other keys are refused, told, and the
//! worker is replaced, because somebody else holds its bootstrap credential.

mod limit;

pub use limit::{Admitted, Limits};

use crate::documents::Teller;
use crate::instances::{Instances, Verdict as Instance};
use crate::keys::Keys;
use crate::lifecycle::{Input, Place};
use crate::registry::{self, Registry};
use muster_protocol::bus::{Call, Caller};
use muster_protocol::enrol::{Admission, Answer, Claim, Renewal, Request, SignedRenewal, Verdict};
use muster_protocol::event::{Alarm, Event};
use muster_protocol::id::{AgentId, Token, UnixMillis, random};
use muster_protocol::jwt::Stamp;
use muster_protocol::subject::{self, Source};
use muster_protocol::wire;
use muster_protocol::worker::{Keys as Bound, Phase, Worker};
use std::sync::Arc;
use std::time::Instant;

const ENROL_PREFIX: &str = "muster.enrol.";
const RPC_PREFIX: &str = "muster.rpc.";
/// What names no agent is dropped.
const NAMELESS: Admitted = Admitted::No { dropped: 0 };

/// Admits machines and renews agents' credentials.
#[derive(Debug)]
pub struct Enrolment {
    /// Who is told what somebody should look at.
    pub teller: Arc<dyn Teller>,
    /// What it signs with.
    pub keys: Arc<Keys>,
    /// The truth.
    pub registry: Arc<Registry>,
    /// Asks the clouds about machines.
    pub instances: Instances,
    /// How long a credential lives.
    pub credential_millis: i64,
    /// How often machines may ask.
    pub limits: Limits,
}

/// Why a machine is not admitted.
enum Denied {
    /// It will never be.
    No(String),
    /// It will never be, and somebody should look.
    Alarming(String),
    /// Not now.
    Later(String),
}

impl Enrolment {
    /// Whether a call of a machine or an agent is within what its id and its address may ask.
    pub fn count(&self, call: &Call) -> Admitted {
        let (host, now) = (call.caller.host.as_str(), Instant::now());
        if let Some([agent]) = subject::tokens(&call.subject, ENROL_PREFIX) {
            return agent.parse().map_or(NAMELESS, |agent| self.limits.claim(&agent, host, now));
        }
        let Some([agent, _]) = subject::tokens(&call.subject, RPC_PREFIX) else { return NAMELESS };
        agent.parse().map_or(NAMELESS, |agent| self.limits.call(&agent, host, now))
    }

    /// Tells of a flood, and ends one that goes on.
    pub async fn dropped(&self, call: Call, dropped: u32) {
        let name = call.subject.split('.').nth(2).unwrap_or_default();
        let Ok(agent) = name.parse::<AgentId>() else { return };
        let host = &call.caller.host;
        if dropped == 1 {
            tracing::warn!(agent_id = %agent, host, "asks too often; the next ones are dropped");
            let what = "it asks too often: the next ones are dropped unanswered";
            self.alarm(&agent, &call.caller, what).await;
        } else if call.subject.starts_with(ENROL_PREFIX) {
            self.cut_off(&agent).await;
        }
    }

    /// Makes a bootstrap credential void that floods. A worker whose agent is in needs it no more;
    /// another one is replaced. Only who holds the lease may: it gets its share of the flood.
    async fn cut_off(&self, agent: &AgentId) {
        let Some(worker) = self.registry.agent(agent) else { return };
        let launcher = &self.instances.launcher;
        if launcher.fence.remaining().is_none() {
            return;
        }
        let bootstrap = (worker.bootstrap.public_key.clone(), worker.bootstrap.expires);
        match launcher.ties.revoke(vec![bootstrap]).await {
            Ok(()) => tracing::warn!(%agent, "asks too often; its bootstrap credential is void"),
            Err(error) => {
                tracing::error!(
                    %agent,
                    error = crate::chain(&error),
                    "a flood could not be cut off"
                )
            }
        }
        if worker.keys.is_none() {
            let reason = "its bootstrap credential asked too often".to_owned();
            if let Err(error) = self.registry.happen_to(agent, &Input::Suspect(reason)).await {
                tracing::info!(%agent, %error, "a machine that asked too often is not replaced");
            }
        }
    }

    /// Answers a claim whose address has made too many.
    pub async fn put_off(&self, call: Call) {
        let Some([agent]) = subject::tokens(&call.subject, ENROL_PREFIX) else { return };
        let Ok(agent) = agent.parse::<AgentId>() else { return };
        // Unverified: it only tells the machine which of its questions is answered.
        let claim = wire::decode::<Request>(&call.payload)
            .and_then(|request| wire::decode::<Claim>(&request.claim));
        let nonce = claim.map_or_else(|_| Token::random([0; 26]), |claim| claim.nonce);
        let why = format!("too many machines enrol from {} at once", call.caller.host);
        self.answer(call, &agent, nonce, Verdict::Later(why)).await;
    }

    /// Answers one call on `muster.enrol.<agent>`.
    pub async fn enrol(&self, call: Call) {
        let Some([agent]) = subject::tokens(&call.subject, ENROL_PREFIX) else { return };
        let Ok(agent) = agent.parse::<AgentId>() else { return };
        let (nonce, verdict) = self.judge(&agent, &call.caller, &call.payload).await;
        self.answer(call, &agent, nonce, verdict).await;
    }

    /// Whether a machine is admitted, with the nonce that the answer repeats.
    pub async fn judge(
        &self,
        agent: &AgentId,
        caller: &Caller,
        payload: &[u8],
    ) -> (Token, Verdict) {
        match self.admit(agent, caller, payload).await {
            Ok((nonce, admission)) => (nonce, Verdict::Admitted(admission)),
            Err((nonce, denied)) => (nonce, self.deny(agent, caller, denied).await),
        }
    }

    /// Answers one call on `muster.rpc.<agent>.renew`.
    pub async fn renew(&self, agent: &AgentId, call: Call) {
        let (nonce, verdict) = self.judge_renewal(agent, &call.caller, &call.payload).await;
        self.answer(call, agent, nonce, verdict).await;
    }

    /// Whether an agent gets a new credential, with the nonce that the answer repeats.
    pub async fn judge_renewal(
        &self,
        agent: &AgentId,
        caller: &Caller,
        payload: &[u8],
    ) -> (Token, Verdict) {
        match self.renewed(agent, caller, payload).await {
            Ok((nonce, admission)) => (nonce, Verdict::Admitted(admission)),
            Err((nonce, denied)) => (nonce, self.deny(agent, caller, denied).await),
        }
    }

    /// Answers a call whose only purpose is to be answered.
    pub async fn greet(&self, call: Call) {
        let verdict = Verdict::Later("hello".into());
        let answer = Answer { nonce: Token::random([0; 26]), now: UnixMillis::now(), verdict };
        if let Err(error) = call.responder.send(&answer).await {
            tracing::debug!(%error, "a greeting was lost");
        }
    }

    async fn admit(
        &self,
        agent: &AgentId,
        caller: &Caller,
        payload: &[u8],
    ) -> Result<(Token, Admission), (Token, Denied)> {
        let none = || Token::random([0; 26]);
        let no = |why: &str| Denied::No(why.to_owned());
        let request: Request =
            wire::decode(payload).map_err(|error| (none(), no(&error.to_string())))?;
        let worker = self.registry.agent(agent);
        let worker =
            worker.ok_or_else(|| (none(), no("this id is not, or no longer, expected")))?;
        let claim = request
            .verify(&worker.bootstrap.public_key)
            .map_err(|error| (none(), Denied::Alarming(error.to_string())))?;
        let denied = |denied: Denied| (claim.nonce.clone(), denied);
        check(agent, &worker, caller, &claim, self.registry.now()).map_err(denied)?;
        // Whoever claims a bound id with other keys is asked about too: another machine with this
        // user-data (a double that the cloud made, a thief elsewhere) says nothing of the worker.
        let mut server = None;
        if !worker.keys.as_ref().is_some_and(|bound| is_of(bound, &claim)) {
            match self.instances.verify(&worker, caller).await {
                Instance::Good(found) => server = found,
                Instance::Bad(why) => return Err(denied(Denied::Alarming(why))),
                Instance::Later(why) => return Err(denied(Denied::Later(why))),
            }
        }
        self.bind(&worker, &claim, server).await.map_err(denied)?;
        let admission = self.admission(agent, &claim.public_key).map_err(denied)?;
        Ok((claim.nonce.clone(), admission))
    }

    /// Binds the keys, unless they are bound already: to the same, or to others.
    async fn bind(
        &self,
        worker: &Worker,
        claim: &Claim,
        server: Option<Place>,
    ) -> Result<(), Denied> {
        let credential_expires = self.registry.now().plus(self.credential_millis);
        let (public_key, xkey) = (claim.public_key.clone(), claim.xkey.clone());
        let keys = Bound { public_key, xkey, credential_expires };
        let input = Input::Enrolled { keys, facts: claim.facts.clone(), server: server.clone() };
        let happened = self.registry.happen_to(&worker.agent_id, &input).await;
        let refused = match happened {
            Ok(_) => return Ok(()),
            Err(registry::Error::Refused(refused)) => refused,
            Err(error) => return Err(Denied::Later(error.to_string())),
        };
        let known = self.registry.agent(&worker.agent_id);
        match known.as_ref().and_then(|worker| worker.keys.as_ref()) {
            Some(bound) if is_of(bound, claim) => {
                self.prolong(&worker.agent_id, credential_expires).await
            }
            Some(_) if server.is_some_and(|server| !is_on(known.as_ref(), &server)) => {
                Err(Denied::Alarming("another server is this id's".to_owned()))
            }
            Some(_) => Err(self.suspect(&worker.agent_id).await),
            None => Err(Denied::No(refused.to_string())),
        }
    }

    /// The id was claimed with two pairs of keys: one of them is a thief, nobody knows which.
    async fn suspect(&self, agent: &AgentId) -> Denied {
        let reason = "its id was claimed with two pairs of keys".to_owned();
        if let Err(error) = self.registry.happen_to(agent, &Input::Suspect(reason)).await {
            tracing::error!(
                %agent,
                error = crate::chain(&error),
                "a suspect worker could not be failed; terminate it"
            );
        }
        Denied::Alarming("this id is bound to other keys".to_owned())
    }

    async fn prolong(&self, agent: &AgentId, until: UnixMillis) -> Result<(), Denied> {
        let renewed = self.registry.happen_to(agent, &Input::Renewed(until)).await;
        renewed.map(|_| ()).map_err(|error| Denied::Later(error.to_string()))
    }

    async fn renewed(
        &self,
        agent: &AgentId,
        caller: &Caller,
        payload: &[u8],
    ) -> Result<(Token, Admission), (Token, Denied)> {
        let none = || Token::random([0; 26]);
        let no = |why: String| (none(), Denied::No(why));
        let request: SignedRenewal =
            wire::decode(payload).map_err(|error| no(error.to_string()))?;
        let worker =
            self.registry.agent(agent).ok_or_else(|| no("it is no worker's agent".into()))?;
        let bound = worker.keys.clone().ok_or_else(|| no("it is not enrolled".into()))?;
        let verified = request.verify(&bound.public_key);
        let renewal: Renewal =
            verified.map_err(|error| (none(), Denied::Alarming(error.to_string())))?;
        let denied = |denied| (renewal.nonce.clone(), denied);
        if renewal.agent_id != *agent || caller.name != agent.as_str() {
            return Err(denied(Denied::Alarming("it renews for another".into())));
        }
        if matches!(worker.phase, Phase::Failed | Phase::Terminating | Phase::Terminated) {
            return Err(denied(Denied::No(format!("the worker is {}", worker.phase))));
        }
        let until = self.registry.now().plus(self.credential_millis);
        self.prolong(agent, until).await.map_err(denied)?;
        let admission = self.admission(agent, &bound.public_key).map_err(denied)?;
        Ok((renewal.nonce.clone(), admission))
    }

    fn admission(&self, agent: &AgentId, public_key: &str) -> Result<Admission, Denied> {
        let expires = self.registry.now().plus(self.credential_millis);
        let stamp = Stamp { now: self.registry.now(), jti: Token::random(random()) };
        let jwt = self.keys.agent_jwt(agent, public_key, expires, &stamp);
        let jwt = jwt.map_err(|error| Denied::No(error.to_string()))?;
        Ok(Admission {
            jwt,
            expires,
            bus_account: self.keys.bus_account().to_owned(),
            controller_xkey: self.keys.xkey().public_key(),
            ca: Some(self.keys.ca_pem()),
        })
    }

    async fn deny(&self, agent: &AgentId, caller: &Caller, denied: Denied) -> Verdict {
        match denied {
            Denied::Later(why) => Verdict::Later(why),
            Denied::No(why) => {
                tracing::warn!(agent_id = %agent, host = caller.host, reason = why, "not admitted");
                Verdict::Refused(why)
            }
            Denied::Alarming(why) => {
                tracing::warn!(agent_id = %agent, host = caller.host, reason = why, "not admitted");
                self.alarm(agent, caller, &why).await;
                Verdict::Refused(why)
            }
        }
    }

    async fn alarm(&self, agent: &AgentId, caller: &Caller, what: &str) {
        let kind: Token = "enrolment".parse().expect("a token");
        let id: Token = agent.as_str().parse().expect("an agent id is a token");
        let who = format!("{} from {}", caller.name, caller.host);
        let alarm = Alarm { who, what: what.to_owned() };
        let event = Event::new(Token::random(random()), self.registry.now(), &alarm);
        let subject = subject::event(Source::Security, &id, &kind);
        if let Err(error) = self.teller.tell(subject, event).await {
            tracing::error!(
                %agent,
                error = crate::chain(&error),
                what,
                "a security event could not be stored"
            );
        }
    }

    async fn answer(&self, call: Call, agent: &AgentId, nonce: Token, verdict: Verdict) {
        let answer = Answer { nonce, now: self.registry.now(), verdict };
        let signed = match self.keys.signer().sign(agent.as_str(), &answer) {
            Ok(signed) => signed,
            Err(error) => {
                tracing::error!(error = crate::chain(&error), "an answer could not be signed");
                return;
            }
        };
        if let Err(error) = call.responder.send(&signed).await {
            tracing::debug!(%agent, %error, "an answer was lost; the agent asks again");
        }
    }
}

/// Whether keys are those of a claim.
fn is_of(bound: &Bound, claim: &Claim) -> bool {
    bound.public_key == claim.public_key && bound.xkey == claim.xkey
}

/// Whether a worker is on this server.
fn is_on(worker: Option<&Worker>, server: &Place) -> bool {
    worker.is_some_and(|worker| worker.provider_id.as_ref() == Some(&server.id))
}

/// What must hold before keys are bound.
fn check(
    agent: &AgentId,
    worker: &Worker,
    caller: &Caller,
    claim: &Claim,
    now: UnixMillis,
) -> Result<(), Denied> {
    let alarming = |why: &str| Err(Denied::Alarming(why.to_owned()));
    if claim.agent_id != *agent || caller.name != agent.as_str() {
        return alarming("the claim is for another id than the credential");
    }
    if caller.key != worker.bootstrap.public_key {
        return alarming("the connection's credential is not the one of this launch");
    }
    // As the server counts.
    if now.seconds() >= worker.bootstrap.expires.seconds() {
        return Err(Denied::No("the bootstrap credential has expired".into()));
    }
    match worker.phase {
        Phase::Launching | Phase::Booting | Phase::Configuring | Phase::Ready | Phase::Lost => {
            Ok(())
        }
        phase => Err(Denied::No(format!("the worker is {phase}"))),
    }
}
