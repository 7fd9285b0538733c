//! A worker's life, as a pure function: `step(worker, input, now) -> worker`.
//!
//! ```text
//! Pending -> Launching -> Booting -> Configuring -> Ready <-> Lost
//! Ready -> Draining -> Terminating -> Terminated -> (a new life) Pending
//! Ready -> Draining -> Rebuilding -> Booting (a new generation on the same server)
//! Failed from anywhere before Ready; what failed is removed like what is terminated.
//! ```
//!
//! Nothing here waits, writes or calls: the registry stores what comes out and tells a change of
//! phase as an event; the reconciler does what the phase demands, as often as it takes.

use muster_protocol::event::Outcome;
use muster_protocol::id::{AgentId, UnixMillis};
use muster_protocol::worker::{
    AfterDrain, Bootstrap, FailureKind, Failures, Keys, Milestones, Occupancy, Phase, Worker,
};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// A server, by its cloud's id, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The cloud's id.
    pub id: String,
    /// Its addresses, as far as the cloud knows them.
    pub addresses: Vec<IpAddr>,
}

/// What happened to a worker.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// It gets a new life, with an id that was never used.
    Reborn {
        /// The new id.
        agent_id: AgentId,
        /// How it may enrol.
        bootstrap: Bootstrap,
    },
    /// The cloud is about to be asked, for a server of this image.
    LaunchBegins {
        /// The image.
        image: String,
    },
    /// The cloud has it, under this id, at these addresses.
    Created {
        /// The cloud's id.
        id: String,
        /// Where it is, as far as the cloud knows yet.
        addresses: Vec<IpAddr>,
    },
    /// The cloud tells its addresses.
    Located(Vec<IpAddr>),
    /// The cloud will not make it.
    CreateRefused {
        /// What kind of refusal.
        kind: FailureKind,
        /// The cloud's reason.
        reason: String,
    },
    /// Its agent has proved who it is, with these keys.
    Enrolled {
        /// The keys to bind.
        keys: Keys,
        /// What it says of its host.
        facts: BTreeMap<String, Value>,
        /// The server that it was found to be; none if its cloud was not asked.
        server: Option<Place>,
    },
    /// Its credential was renewed until then.
    Renewed(UnixMillis),
    /// Somebody claimed its id with other keys: it can no longer be trusted.
    Suspect(String),
    /// A highstate came to its end.
    Applied {
        /// The counts.
        outcome: Outcome,
        /// Why the worker is not what it shall be; none if it is.
        failure: Option<String>,
    },
    /// A frame came.
    Heard,
    /// No frame came for too long.
    Silent,
    /// Whether jobs run on it.
    Occupied(Occupancy),
    /// An operator holds it, or lets it go.
    Held(bool),
    /// It shall take no more jobs; then this follows.
    Drain(AfterDrain),
    /// It may take jobs again.
    Undrain,
    /// A drained worker goes on to what follows.
    Drained,
    /// It is not wanted any more.
    Terminate(String),
    /// Its pool has too many: it goes if no job can run on it and nobody holds it.
    ScaledDown,
    /// A rebuild gives it a new generation on its server.
    RebuildBegins {
        /// The new id.
        agent_id: AgentId,
        /// How it may enrol.
        bootstrap: Bootstrap,
        /// The image.
        image: String,
    },
    /// The cloud rebuilds it.
    Rebuilt,
    /// The cloud will not rebuild it.
    RebuildRefused(String),
    /// A time in its present phase has run out.
    TimedOut(String),
    /// Its server failed in the cloud.
    ServerFailed {
        /// What kind of failure.
        kind: FailureKind,
        /// The cloud's reason.
        reason: String,
    },
    /// The cloud does not have it any more.
    Gone,
}

/// Why an input changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a worker that is {phase} cannot be {what}")]
pub struct Refused {
    /// Where the worker is.
    pub phase: Phase,
    /// What was asked.
    pub what: &'static str,
}

/// The worker after something happened.
///
/// # Errors
/// When that cannot happen in the worker's phase; the worker is unchanged.
pub fn step(worker: &Worker, input: &Input, now: UnixMillis) -> Result<Worker, Refused> {
    let mut next = worker.clone();
    match input {
        Input::Reborn { .. }
        | Input::LaunchBegins { .. }
        | Input::Created { .. }
        | Input::Located(_)
        | Input::CreateRefused { .. }
        | Input::ServerFailed { .. } => {
            launching(&mut next, input, now)?;
        }
        Input::Enrolled { .. }
        | Input::Renewed(_)
        | Input::Suspect(_)
        | Input::Applied { .. }
        | Input::Heard
        | Input::Silent => working(&mut next, input, now)?,
        Input::Occupied(_) | Input::Held(_) | Input::Drain(_) | Input::Undrain | Input::Drained => {
            leaving(&mut next, input, now)?
        }
        Input::RebuildBegins { .. } | Input::Rebuilt | Input::RebuildRefused(_) => {
            rebuilding(&mut next, input, now)?;
        }
        Input::Terminate(reason) => match worker.phase {
            Phase::Terminating | Phase::Terminated => return refuse(&next, "terminated"),
            _ => {
                next.reason = Some(reason.clone());
                to(&mut next, Phase::Terminating, now);
            }
        },
        Input::ScaledDown => match is_spare(worker) {
            true => {
                next.reason = Some("the pool was scaled down".to_owned());
                to(&mut next, Phase::Terminating, now);
            }
            false => return refuse(&next, "scaled down"),
        },
        Input::TimedOut(reason) => match worker.phase {
            Phase::Launching => fail(&mut next, FailureKind::Cloud, reason, now),
            Phase::Booting | Phase::Configuring => fail(&mut next, FailureKind::Boot, reason, now),
            Phase::Rebuilding => fail(&mut next, FailureKind::Cloud, reason, now),
            _ => return refuse(&next, "timed out"),
        },
        Input::Gone => gone(&mut next, now)?,
    }
    Ok(next)
}

fn refuse<T>(worker: &Worker, what: &'static str) -> Result<T, Refused> {
    Err(Refused { phase: worker.phase, what })
}

fn launching(next: &mut Worker, input: &Input, now: UnixMillis) -> Result<(), Refused> {
    match (input, next.phase) {
        // A worker whose seed was lost with a controller was never asked for: it starts over.
        (Input::Reborn { agent_id, bootstrap }, Phase::Terminated | Phase::Pending) => {
            reborn(next, agent_id, bootstrap);
            next.milestones = Milestones { launched: Some(now), ..Milestones::default() };
            to(next, Phase::Pending, now);
        }
        (Input::LaunchBegins { image }, Phase::Pending) => {
            next.image.clone_from(image);
            next.asked = Some(now);
            to(next, Phase::Launching, now);
        }
        (Input::Created { id, addresses }, Phase::Launching) => {
            found(next, id, addresses);
            to(next, Phase::Booting, now);
        }
        // It may enrol before the cloud's answer is read, or be unwanted meanwhile.
        (
            Input::Created { id, addresses },
            Phase::Configuring
            | Phase::Ready
            | Phase::Lost
            | Phase::Draining
            | Phase::Terminating
            | Phase::Failed,
        ) if next.provider_id.is_none() => found(next, id, addresses),
        (Input::Located(addresses), phase) if !phase.is_over() => {
            next.addresses.clone_from(addresses);
        }
        (Input::CreateRefused { kind, reason }, Phase::Launching) => {
            next.asked = None;
            fail(next, *kind, reason, now);
        }
        (
            Input::ServerFailed { kind, reason },
            Phase::Booting
            | Phase::Configuring
            | Phase::Ready
            | Phase::Lost
            | Phase::Draining
            | Phase::Rebuilding,
        ) => fail(next, *kind, reason, now),
        (Input::Reborn { .. }, _) => return refuse(next, "launched again"),
        (Input::CreateRefused { .. }, _) => return refuse(next, "refused by its cloud"),
        (Input::ServerFailed { .. }, _) => return refuse(next, "failed by its cloud"),
        (_, _) => return refuse(next, "launched"),
    }
    Ok(())
}

/// Whether a worker may go with nobody's word: it was never ready, or is idle, and is not held.
#[must_use]
pub fn is_spare(worker: &Worker) -> bool {
    let without_jobs = match worker.phase {
        Phase::Pending | Phase::Launching | Phase::Booting | Phase::Configuring => true,
        Phase::Ready => worker.occupancy == Occupancy::Idle,
        Phase::Lost
        | Phase::Draining
        | Phase::Rebuilding
        | Phase::Terminating
        | Phase::Terminated
        | Phase::Failed => false,
    };
    without_jobs && !worker.held
}

/// A new generation: nothing of the old one's identity remains.
fn reborn(next: &mut Worker, agent_id: &AgentId, bootstrap: &Bootstrap) {
    let server = next.provider_id.take();
    *next = Worker {
        generation: muster_protocol::id::Generation(next.generation.0 + 1),
        agent_id: agent_id.clone(),
        bootstrap: bootstrap.clone(),
        keys: None,
        provider_id: server.filter(|_| next.phase == Phase::Rebuilding),
        facts: BTreeMap::new(),
        revision: 0,
        states: None,
        reason: None,
        occupancy: Occupancy::Unknown,
        after_drain: None,
        asked: None,
        ..next.clone()
    };
}

/// The cloud has its server.
fn found(next: &mut Worker, id: &str, addresses: &[IpAddr]) {
    next.provider_id = Some(id.to_owned());
    next.addresses = addresses.to_vec();
    next.asked = None;
}

fn working(next: &mut Worker, input: &Input, now: UnixMillis) -> Result<(), Refused> {
    match (input, next.phase) {
        // A rebuilt machine may enrol before the cloud's answer is read.
        (
            Input::Enrolled { keys, facts, server },
            Phase::Launching | Phase::Booting | Phase::Rebuilding,
        ) if next.keys.is_none() && is_its_server(next, server.as_ref()) => {
            // Of two servers of one generation it is the one that enrols; the answer to the
            // creation may come later, or be lost.
            if let Some(Place { id, addresses }) = server
                && next.provider_id.is_none()
            {
                found(next, id, addresses);
            }
            next.keys = Some(keys.clone());
            next.facts = facts.clone();
            next.milestones.enrolled = Some(now);
            to(next, Phase::Configuring, now);
        }
        (Input::Renewed(until), _) => match &mut next.keys {
            Some(keys) => keys.credential_expires = *until,
            None => return refuse(next, "renewed"),
        },
        (Input::Suspect(_), Phase::Terminating | Phase::Terminated | Phase::Failed) => {
            return refuse(next, "suspected");
        }
        (Input::Suspect(reason), _) => fail(next, FailureKind::Security, reason, now),
        (Input::Applied { outcome, failure }, phase) => {
            applied(next, phase, outcome, failure.as_deref(), now)?;
        }
        (Input::Heard, Phase::Configuring | Phase::Ready)
            if next.milestones.first_sample.is_none() =>
        {
            next.milestones.first_sample = Some(now);
        }
        (Input::Heard, Phase::Lost) => to(next, Phase::Ready, now),
        (Input::Silent, Phase::Ready) => to(next, Phase::Lost, now),
        (Input::Enrolled { .. }, _) => return refuse(next, "enrolled"),
        (Input::Silent, _) => return refuse(next, "lost"),
        (_, _) => return refuse(next, "heard"),
    }
    Ok(())
}

/// Whether what enrols may be the worker's server: one that is known is the only one.
fn is_its_server(worker: &Worker, server: Option<&Place>) -> bool {
    match (&worker.provider_id, server) {
        (Some(known), Some(server)) => *known == server.id,
        (None, _) | (_, None) => true,
    }
}

fn applied(
    next: &mut Worker,
    phase: Phase,
    outcome: &Outcome,
    failure: Option<&str>,
    now: UnixMillis,
) -> Result<(), Refused> {
    match phase {
        Phase::Configuring | Phase::Ready | Phase::Lost | Phase::Draining => {}
        _ => return refuse(next, "configured"),
    }
    // The first result of a generation stays the one that is shown for its launch.
    if phase == Phase::Configuring || !outcome.test {
        next.states = Some(outcome.clone());
    }
    if phase != Phase::Configuring || outcome.test {
        return Ok(());
    }
    match failure {
        None => {
            next.reason = None;
            next.failures = None;
            next.last_ready = Some(now);
            next.milestones.configured = Some(now);
            next.milestones.ready = Some(now);
            to(next, Phase::Ready, now);
        }
        Some(failure) => {
            next.reason = Some(failure.to_owned());
            next.note(now, failure);
        }
    }
    Ok(())
}

fn leaving(next: &mut Worker, input: &Input, now: UnixMillis) -> Result<(), Refused> {
    match (input, next.phase) {
        (_, Phase::Terminating | Phase::Terminated | Phase::Failed) => {
            return refuse(next, "changed");
        }
        (Input::Occupied(occupancy), _) => next.occupancy = *occupancy,
        (Input::Held(held), _) => next.held = *held,
        (Input::Drain(after), Phase::Ready | Phase::Lost | Phase::Draining) => {
            next.after_drain = Some(after.clone());
            if next.phase != Phase::Draining {
                to(next, Phase::Draining, now);
            }
        }
        // Before it was ready no job can run on it.
        (Input::Drain(AfterDrain::Terminate), _) if !next.held => {
            next.reason = Some("drained before it was ready".to_owned());
            to(next, Phase::Terminating, now);
        }
        (Input::Undrain, Phase::Draining) => {
            next.after_drain = None;
            to(next, Phase::Ready, now);
        }
        // Who drains a worker that an operator holds waits until it is let go.
        (Input::Drained, Phase::Draining) if next.occupancy == Occupancy::Idle && !next.held => {
            match next.after_drain.clone() {
                Some(AfterDrain::Terminate) => {
                    next.reason = Some("drained".to_owned());
                    to(next, Phase::Terminating, now);
                }
                Some(AfterDrain::Rebuild(_)) => to(next, Phase::Rebuilding, now),
                Some(AfterDrain::Stay) | None => return refuse(next, "moved on"),
            }
        }
        (Input::Undrain, _) => return refuse(next, "undrained"),
        (_, _) => return refuse(next, "drained"),
    }
    Ok(())
}

fn rebuilding(next: &mut Worker, input: &Input, now: UnixMillis) -> Result<(), Refused> {
    if next.phase != Phase::Rebuilding {
        return refuse(next, "rebuilt");
    }
    match input {
        Input::RebuildBegins { agent_id, bootstrap, image } => {
            reborn(next, agent_id, bootstrap);
            next.milestones = Milestones { launched: Some(now), ..Milestones::default() };
            next.image.clone_from(image);
            next.note(now, format!("rebuilding with {image}"));
        }
        Input::RebuildRefused(reason) => fail(next, FailureKind::Cloud, reason, now),
        _ => to(next, Phase::Booting, now),
    }
    Ok(())
}

fn gone(next: &mut Worker, now: UnixMillis) -> Result<(), Refused> {
    match next.phase {
        Phase::Terminating | Phase::Failed => to(next, Phase::Terminated, now),
        Phase::Terminated | Phase::Pending => return refuse(next, "missed"),
        _ => fail(next, FailureKind::Gone, "its server is gone from the cloud", now),
    }
    Ok(())
}

fn fail(next: &mut Worker, kind: FailureKind, reason: &str, now: UnixMillis) {
    let count = next.failures.as_ref().map_or(0, |failures| failures.count);
    next.failures = Some(Failures { count: count + 1, at: now, kind, reason: reason.to_owned() });
    next.reason = Some(reason.to_owned());
    to(next, Phase::Failed, now);
}

fn to(next: &mut Worker, phase: Phase, now: UnixMillis) {
    let text = match &next.reason {
        Some(reason) => format!("{phase}: {reason}"),
        None => phase.name().to_owned(),
    };
    next.note(now, text);
    next.phase = phase;
    next.since = now;
}

#[cfg(test)]
pub(crate) mod tests;
