//! A worker's life, as a pure function: `step(worker, input, now) -> worker`.
//!
//! ```text
//! Pending -> Launching -> Booting -> Configuring -> Ready <-> Lost -> Terminating -> Terminated
//! Failed from anywhere before Ready; what failed is removed like what is terminated.
//! ```
//!
//! Nothing here waits, writes or calls: the registry stores what comes out and tells a change of
//! phase as an event; the reconciler does what the phase demands, as often as it takes.

use muster_protocol::event::Outcome;
use muster_protocol::id::{AgentId, UnixMillis};
use muster_protocol::worker::{Bootstrap, Keys, Milestones, Phase, Worker};
use serde_json::Value;
use std::collections::BTreeMap;

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
    /// The cloud is about to be asked.
    LaunchBegins,
    /// The cloud has it, under this id.
    Created(String),
    /// The cloud will not make it.
    CreateRefused(String),
    /// Its agent has proved who it is, with these keys.
    Enrolled {
        /// The keys to bind.
        keys: Keys,
        /// What it says of its host.
        facts: BTreeMap<String, Value>,
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
    /// It is not wanted any more.
    Terminate(String),
    /// A time in its present phase has run out.
    TimedOut(String),
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
    let refused = |what| Refused { phase: worker.phase, what };
    match input {
        Input::Reborn { agent_id, bootstrap } => match worker.phase {
            // A worker whose seed was lost with a controller was never asked for: it starts over.
            Phase::Terminated | Phase::Pending => reborn(&mut next, agent_id, bootstrap, now),
            _ => return Err(refused("launched again")),
        },
        Input::LaunchBegins => match worker.phase {
            Phase::Pending => to(&mut next, Phase::Launching, now),
            _ => return Err(refused("launched")),
        },
        Input::Created(id) => match worker.phase {
            Phase::Launching => {
                next.provider_id = Some(id.clone());
                to(&mut next, Phase::Booting, now);
            }
            // It may enrol before the cloud's answer is read, or be unwanted meanwhile.
            Phase::Configuring | Phase::Ready | Phase::Terminating | Phase::Failed => {
                next.provider_id = Some(id.clone());
            }
            _ => return Err(refused("created")),
        },
        Input::CreateRefused(reason) => match worker.phase {
            Phase::Launching => fail(&mut next, reason, now),
            _ => return Err(refused("refused by its cloud")),
        },
        Input::Enrolled { keys, facts } => enrolled(&mut next, keys, facts, now)?,
        Input::Renewed(until) => match &mut next.keys {
            Some(keys) => keys.credential_expires = *until,
            None => return Err(refused("renewed")),
        },
        Input::Suspect(reason) => match worker.phase {
            Phase::Terminating | Phase::Terminated | Phase::Failed => {
                return Err(refused("suspected"));
            }
            _ => fail(&mut next, reason, now),
        },
        Input::Applied { outcome, failure } => {
            applied(&mut next, outcome, failure.as_deref(), now)?
        }
        Input::Heard => match worker.phase {
            Phase::Configuring | Phase::Ready if next.milestones.first_sample.is_none() => {
                next.milestones.first_sample = Some(now);
            }
            Phase::Lost => to(&mut next, Phase::Ready, now),
            _ => return Err(refused("heard")),
        },
        Input::Silent => match worker.phase {
            Phase::Ready => to(&mut next, Phase::Lost, now),
            _ => return Err(refused("lost")),
        },
        Input::Terminate(reason) => match worker.phase {
            Phase::Terminating | Phase::Terminated => return Err(refused("terminated")),
            _ => {
                next.reason = Some(reason.clone());
                to(&mut next, Phase::Terminating, now);
            }
        },
        Input::TimedOut(reason) => match worker.phase {
            Phase::Launching | Phase::Booting | Phase::Configuring => fail(&mut next, reason, now),
            _ => return Err(refused("timed out")),
        },
        Input::Gone => gone(&mut next, now)?,
    }
    Ok(next)
}

fn reborn(next: &mut Worker, agent_id: &AgentId, bootstrap: &Bootstrap, now: UnixMillis) {
    next.generation.0 += 1;
    next.agent_id = agent_id.clone();
    next.bootstrap = bootstrap.clone();
    next.keys = None;
    next.provider_id = None;
    next.facts = BTreeMap::new();
    next.revision = 0;
    next.states = None;
    next.reason = None;
    next.milestones = Milestones { launched: Some(now), ..Milestones::default() };
    to(next, Phase::Pending, now);
}

fn enrolled(
    next: &mut Worker,
    keys: &Keys,
    facts: &BTreeMap<String, Value>,
    now: UnixMillis,
) -> Result<(), Refused> {
    match next.phase {
        Phase::Launching | Phase::Booting if next.keys.is_none() => {
            next.keys = Some(keys.clone());
            next.facts = facts.clone();
            next.milestones.enrolled = Some(now);
            to(next, Phase::Configuring, now);
            Ok(())
        }
        phase => Err(Refused { phase, what: "enrolled" }),
    }
}

fn applied(
    next: &mut Worker,
    outcome: &Outcome,
    failure: Option<&str>,
    now: UnixMillis,
) -> Result<(), Refused> {
    match next.phase {
        Phase::Configuring | Phase::Ready | Phase::Lost => {}
        phase => return Err(Refused { phase, what: "configured" }),
    }
    // The first result of a generation stays the one that is shown for its launch.
    if next.phase == Phase::Configuring || !outcome.test {
        next.states = Some(outcome.clone());
    }
    if next.phase != Phase::Configuring || outcome.test {
        return Ok(());
    }
    match failure {
        None => {
            next.reason = None;
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

fn gone(next: &mut Worker, now: UnixMillis) -> Result<(), Refused> {
    match next.phase {
        Phase::Terminating | Phase::Failed => to(next, Phase::Terminated, now),
        Phase::Terminated | Phase::Pending => {
            return Err(Refused { phase: next.phase, what: "missed" });
        }
        _ => fail(next, "its server is gone from the cloud", now),
    }
    Ok(())
}

fn fail(next: &mut Worker, reason: &str, now: UnixMillis) {
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
pub(crate) mod tests {
    use super::*;
    use muster_protocol::id::{Generation, Token, random};
    use proptest::collection::vec as many;
    use proptest::prelude::*;

    pub(crate) fn pending() -> Worker {
        let name = "compute-0001".parse().unwrap();
        Worker {
            agent_id: AgentId::new(&name, random()),
            name,
            pool: "compute".parse().unwrap(),
            phase: Phase::Pending,
            reason: None,
            generation: Generation(1),
            bootstrap: Bootstrap { public_key: "U".into(), expires: UnixMillis(1_000) },
            keys: None,
            provider_id: None,
            facts: BTreeMap::new(),
            revision: 0,
            states: None,
            milestones: Milestones::default(),
            since: UnixMillis(0),
            op_id: Token::random(random()),
            history: Vec::new(),
        }
    }

    fn keys() -> Keys {
        Keys { public_key: "UA".into(), xkey: "X".into(), credential_expires: UnixMillis(9) }
    }

    fn enrolled() -> Input {
        Input::Enrolled { keys: keys(), facts: BTreeMap::new() }
    }

    fn applied(failed: u32) -> Input {
        let outcome = Outcome { total: 3, changed: 3, failed, ..Outcome::default() };
        Input::Applied { outcome, failure: (failed > 0).then(|| "it failed".to_owned()) }
    }

    fn walk(inputs: &[Input]) -> Worker {
        inputs
            .iter()
            .fold(pending(), |worker, input| step(&worker, input, UnixMillis(5)).unwrap_or(worker))
    }

    #[test]
    fn a_worker_becomes_ready_only_by_a_highstate_without_failures() {
        let path = [Input::LaunchBegins, Input::Created("s1".into()), enrolled(), applied(1)];
        assert_eq!(walk(&path).phase, Phase::Configuring);
        let path = [Input::LaunchBegins, enrolled(), Input::Created("s1".into()), applied(0)];
        let ready = walk(&path);
        assert_eq!((ready.phase, ready.provider_id.as_deref()), (Phase::Ready, Some("s1")));
    }

    #[test]
    fn a_token_is_refused_twice() {
        let bound = walk(&[Input::LaunchBegins, enrolled()]);
        assert!(step(&bound, &enrolled(), UnixMillis(6)).is_err());
    }

    fn reborn_input() -> Input {
        let bootstrap = Bootstrap { public_key: "U2".into(), expires: UnixMillis(9) };
        Input::Reborn { agent_id: AgentId::new(&pending().name, random()), bootstrap }
    }

    fn any_input() -> impl Strategy<Value = Input> {
        prop_oneof![
            Just(Input::LaunchBegins),
            Just(Input::Created("s".into())),
            Just(Input::CreateRefused("no room".into())),
            Just(enrolled()),
            Just(Input::Suspect("two keys".into())),
            Just(applied(0)),
            Just(applied(1)),
            Just(Input::Heard),
            Just(Input::Silent),
            Just(Input::Terminate("asked".into())),
            Just(Input::TimedOut("late".into())),
            Just(Input::Gone),
            Just(()).prop_map(|()| reborn_input()),
        ]
    }

    proptest! {
        #[test]
        fn whatever_happens_the_invariants_hold(inputs in many(any_input(), 0..40)) {
            let mut worker = pending();
            for (at, input) in inputs.iter().enumerate() {
                let now = UnixMillis(i64::try_from(at).unwrap());
                let Ok(next) = step(&worker, input, now) else { continue };
                // A generation is bound to one pair of keys for ever; a new life has none.
                let same = next.generation == worker.generation;
                prop_assert!(!same || worker.keys.is_none() || next.keys == worker.keys);
                prop_assert!(same || (next.keys.is_none() && next.agent_id != worker.agent_id));
                // Nobody works unbound or unconfigured.
                if matches!(next.phase, Phase::Ready | Phase::Lost) {
                    prop_assert!(next.keys.is_some() && next.milestones.configured.is_some());
                }
                // The end is the end, and what had a server goes through its removal.
                prop_assert!(worker.phase != Phase::Terminated || !same);
                if next.phase == Phase::Terminated && worker.phase != next.phase {
                    prop_assert!(matches!(worker.phase, Phase::Terminating | Phase::Failed));
                }
                worker = next;
            }
        }
    }
}
