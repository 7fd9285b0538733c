//! What reactors may do, done by the controller; the worker is the one that the subject names.

pub(crate) mod programs;

use crate::jobs::{Job, Jobs};
use crate::lifecycle::Input;
use crate::registry::Registry;
use crate::states::States;
use futures_util::future::BoxFuture;
use muster_protocol::command::Verb;
use muster_protocol::event::Event;
use muster_protocol::id::{AgentId, Token, WorkerName};
use muster_protocol::subject;
use muster_protocol::worker::Worker;
use muster_reactors::engine::{ActionError, Actions};
use muster_reactors::rule::Action;
use programs::Program;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::task::TaskTracker;

pub use programs::Programs;

/// How long a program of a rule may run on a worker.
const RUN_TIMEOUT: Duration = Duration::from_secs(600);

/// Does what rules say.
#[derive(Debug)]
pub struct Controller {
    /// Who the workers are.
    pub registry: Arc<Registry>,
    /// What they shall be.
    pub states: Arc<States>,
    /// Runs programs on them.
    pub jobs: Arc<Jobs>,
    /// The commands under way.
    pub tasks: TaskTracker,
    /// Runs programs here.
    pub programs: Programs,
}

impl Actions for Controller {
    fn act<'a>(
        &'a self,
        action: &'a Action,
        subject: &'a str,
        event: &'a Event,
    ) -> BoxFuture<'a, Result<(), ActionError>> {
        Box::pin(async move {
            match action {
                Action::Apply {} => self.apply(subject).await,
                Action::Run { argv } => self.run(subject, event, argv).await,
                Action::Terminate {} => self.terminate(subject).await,
                Action::Exec { argv, timeout_secs } => {
                    let timeout = Duration::from_secs((*timeout_secs).into());
                    self.programs.run(&Program { argv, timeout, subject, event }).await
                }
            }
        })
    }
}

impl Controller {
    async fn apply(&self, subject: &str) -> Result<(), ActionError> {
        // An agent of an older generation gets nothing: it is not the worker any more.
        let Some(worker) = self.worker(subject) else { return Ok(()) };
        let published = self.states.publish(&worker.agent_id, true).await;
        published.map(|_| ()).map_err(|error| failed(&error, true))
    }

    async fn run(&self, subject: &str, event: &Event, argv: &[String]) -> Result<(), ActionError> {
        let Some(worker) = self.worker(subject) else { return Ok(()) };
        let timeout_secs = u32::try_from(RUN_TIMEOUT.as_secs()).unwrap_or(u32::MAX);
        let verb = Verb::Exec { argv: argv.to_vec(), timeout_secs };
        let (call, agent): (Token, AgentId) = (event.id.clone(), worker.agent_id);
        let (jobs, timeout) = (Arc::clone(&self.jobs), RUN_TIMEOUT);
        self.tasks.spawn(async move { jobs.run(Job { call, agent, verb, timeout }).await });
        Ok(())
    }

    async fn terminate(&self, subject: &str) -> Result<(), ActionError> {
        let Some(worker) = self.worker(subject) else { return Ok(()) };
        let reason = "terminated by a reactor".to_owned();
        let ended = self.registry.happen_to(&worker.agent_id, &Input::Terminate(reason)).await;
        match ended {
            Ok(_) | Err(crate::registry::Error::Refused(_)) => Ok(()),
            Err(error) => Err(failed(&error, true)),
        }
    }

    /// The live worker of `muster.event.agent.<agent>.*` or `muster.event.worker.<name>.*`.
    fn worker(&self, subject: &str) -> Option<Worker> {
        let [source, id, _] = subject::tokens(subject, subject::EVENT_PREFIX)?;
        match source {
            "agent" => self.registry.agent(&id.parse::<AgentId>().ok()?),
            "worker" => self.registry.worker(&id.parse::<WorkerName>().ok()?),
            _ => None,
        }
    }
}

fn failed(error: &dyn std::error::Error, is_retryable: bool) -> ActionError {
    ActionError { what: error.to_string(), is_retryable }
}
