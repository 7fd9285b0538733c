//! Takes the calls of machines, agents and people, and hands each to who answers it.

use crate::api::Api;
use crate::enrolment::{Admitted, Enrolment};
use muster_protocol::bus::{self, Bus, Call, Calls, Incoming};
use muster_protocol::id::AgentId;
use muster_protocol::subject;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Calls that are answered at once; the next ones wait in their subscription.
const ANSWERING_MAX: usize = 512;

/// All controllers answer; each call comes to one of them.
const GROUP: &str = "controllers";

/// Who answers what.
#[derive(Debug)]
pub struct Rpc {
    /// The connection in BUS.
    pub bus: Bus,
    /// Another one, so that a flood of machines' calls delays nothing but machines' calls.
    pub machines: Bus,
    /// Machines and agents.
    pub enrolment: Arc<Enrolment>,
    /// People.
    pub api: Arc<Api>,
    /// The answers under way.
    pub tasks: TaskTracker,
}

/// The subscriptions.
#[derive(Debug)]
pub struct Listening {
    enrol: Calls,
    rpc: Calls,
    api: Calls,
}

#[derive(Clone, Copy)]
enum From {
    Machine,
    Agent,
    Person,
}

impl Rpc {
    /// Subscribes; what is called from now on waits to be answered.
    ///
    /// # Errors
    /// When the connection is closed.
    pub async fn listen(&self) -> Result<Listening, bus::Error> {
        Ok(Listening {
            enrol: self.machines.calls(subject::ENROL_ALL, GROUP).await?,
            rpc: self.machines.calls(subject::RPC_ALL, GROUP).await?,
            api: self.bus.calls(subject::API_ALL, GROUP).await?,
        })
    }

    /// Answers until it is cancelled.
    ///
    /// # Errors
    /// When the connection is closed.
    pub async fn run(self, mut calls: Listening, cancel: CancellationToken) -> anyhow::Result<()> {
        let room = Arc::new(Semaphore::new(ANSWERING_MAX));
        let enrolment = Arc::clone(&self.enrolment);
        let is_worth = |subject: &str| enrolment.limits.is_worth_reading(subject, Instant::now());
        loop {
            let permit = Arc::clone(&room).acquire_owned().await?;
            let (from, incoming) = tokio::select! {
                call = calls.enrol.next_if(&is_worth) => (From::Machine, call),
                call = calls.rpc.next_if(&is_worth) => (From::Agent, call),
                call = calls.api.next() => (From::Person, call),
                () = cancel.cancelled() => return Ok(()),
            };
            let Some(call) = marked(incoming.ok_or(bus::Error::Closed)?) else { continue };
            let (enrolment, api) = (Arc::clone(&self.enrolment), Arc::clone(&self.api));
            let admitted = match from {
                From::Machine | From::Agent => enrolment.count(&call),
                From::Person => Admitted::Yes,
            };
            if admitted.is_nothing() {
                continue;
            }
            self.tasks.spawn(async move {
                match (admitted, from) {
                    (Admitted::No { dropped }, _) => enrolment.dropped(call, dropped).await,
                    (Admitted::Later, _) => enrolment.put_off(call).await,
                    (Admitted::Yes, From::Machine) => enrolment.enrol(call).await,
                    (Admitted::Yes, From::Agent) => agent_call(&enrolment, call).await,
                    (Admitted::Yes, From::Person) => api.answer(call).await,
                }
                drop(permit);
            });
        }
    }
}

fn marked(incoming: Incoming<Call>) -> Option<Call> {
    incoming
        .map_err(|error| tracing::warn!(error = crate::chain(&error), "a call was dropped"))
        .ok()
}

async fn agent_call(enrolment: &Enrolment, call: Call) {
    let Some([agent, verb]) = subject::tokens(&call.subject, "muster.rpc.") else { return };
    let Ok(agent) = agent.parse::<AgentId>() else { return };
    match verb {
        "renew" => enrolment.renew(&agent, call).await,
        // Any answer proves the connection; this one tells nothing.
        _ => enrolment.greet(call).await,
    }
}
