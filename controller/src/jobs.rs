//! Commands that people run on workers: signed, sent, and each result told as an event.
//!
//! A worker answers at once (`ping`, `facts`) or later by an event that bears the command's id
//! (`apply`, `exec`). Either way its result is one durable event `muster.event.api.<call>.result`;
//! a worker that stays silent gets one too, which says so.

use crate::keys::Keys;
use muster_protocol::bus::Bus;
use muster_protocol::command::{Command, Reply, Verb};
use muster_protocol::event::{Applied, CommandResult, Event, Executed};
use muster_protocol::id::{AgentId, Token, UnixMillis, random};
use muster_protocol::subject::{self, Source};
use serde::Serialize;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, oneshot};

/// Commands that wait for their results at once; further ones are refused.
pub const WAITING_MAX: usize = 20_000;
/// Commands that are being sent at once.
const SENDING_MAX: usize = 128;
/// How long an agent may take to say that it heard.
const REPLY_TIMEOUT: Duration = Duration::from_secs(10);

/// Runs commands and awaits their results.
#[derive(Debug)]
pub struct Jobs {
    bus: Bus,
    keys: Arc<Keys>,
    sending: Semaphore,
    waiting: Mutex<HashMap<Token, oneshot::Sender<Late>>>,
}

/// A result that came as an event.
#[derive(Debug)]
pub struct Late {
    ok: bool,
    error: Option<String>,
    data: Value,
}

impl Late {
    /// What states came to.
    #[must_use]
    pub fn applied(applied: &Applied) -> Late {
        let error = applied.failure();
        Late { ok: error.is_none(), error, data: json(applied) }
    }

    /// What a program came to.
    #[must_use]
    pub fn executed(executed: &Executed) -> Late {
        let ok = executed.code == Some(0);
        Late { ok, error: executed.error.clone(), data: json(executed) }
    }
}

/// One command on one worker.
#[derive(Clone, Debug)]
pub struct Job {
    /// The person's call that it belongs to.
    pub call: Token,
    /// The worker's agent.
    pub agent: AgentId,
    /// What to do.
    pub verb: Verb,
    /// How long to wait for the result.
    pub timeout: Duration,
}

impl Jobs {
    /// Runs commands over a connection in BUS.
    #[must_use]
    pub fn new(bus: Bus, keys: Arc<Keys>) -> Jobs {
        let waiting = Mutex::new(HashMap::new());
        Jobs { bus, keys, sending: Semaphore::new(SENDING_MAX), waiting }
    }

    /// Whether so many more commands may wait.
    #[must_use]
    pub fn has_room(&self, more: usize) -> bool {
        self.lock().len() + more <= WAITING_MAX
    }

    /// Runs one command to its result, and tells it.
    pub async fn run(&self, job: Job) {
        let began = Instant::now();
        let command = Token::random(random());
        let (send, receive) = oneshot::channel();
        self.lock().insert(command.clone(), send);
        let deadline = tokio::time::timeout(job.timeout, self.result(&job, &command, receive));
        let mut result = deadline.await.unwrap_or_else(|_| {
            silent(&job, format!("no result within {} s", job.timeout.as_secs()))
        });
        self.lock().remove(&command);
        result.millis = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.tell(&job, &result).await;
    }

    /// Takes a result that came as an event; one that nobody waits for is no error.
    pub fn arrived(&self, command: &Token, late: Late) {
        if let Some(waiting) = self.lock().remove(command)
            && waiting.send(late).is_err()
        {
            tracing::debug!(%command, "a result came after its deadline");
        }
    }

    async fn result(
        &self,
        job: &Job,
        command: &Token,
        receive: oneshot::Receiver<Late>,
    ) -> CommandResult {
        let reply = match self.send(job, command).await {
            Ok(reply) => reply,
            Err(why) => return silent(job, why),
        };
        match reply {
            Reply::Refused(why) => {
                CommandResult { error: Some(why), ..answered(job, false, Value::Null) }
            }
            Reply::Pong { .. } | Reply::Facts(_) => answered(job, true, json(&reply)),
            Reply::Accepted => match receive.await {
                Ok(late) => {
                    CommandResult { error: late.error, ..answered(job, late.ok, late.data) }
                }
                Err(_) => silent(job, "the controller forgot the command".into()),
            },
        }
    }

    async fn send(&self, job: &Job, id: &Token) -> Result<Reply, String> {
        let room = self.sending.acquire().await;
        let _room = room.map_err(|_| "the controller is stopping".to_owned())?;
        let command = Command {
            id: id.clone(),
            agent_id: job.agent.clone(),
            issued: UnixMillis::now(),
            verb: job.verb.clone(),
        };
        let signed = self.keys.signer().sign(job.agent.as_str(), &command);
        let signed = signed.map_err(|error| error.to_string())?;
        let subject = subject::command(&job.agent, job.verb.name());
        let reply = self.bus.request(subject, &signed, REPLY_TIMEOUT).await;
        reply.map_err(|error| match error {
            muster_protocol::bus::Error::NoResponders { .. } => "it is not connected".to_owned(),
            error => error.to_string(),
        })
    }

    async fn tell(&self, job: &Job, result: &CommandResult) {
        let kind: Token = "result".parse().expect("a token");
        let subject = subject::event(Source::Api, &job.call, &kind);
        let event = Event::new(Token::random(random()), UnixMillis::now(), result);
        if let Err(error) = self.bus.publish_event(subject, &event).await {
            tracing::warn!(
                agent_id = %job.agent,
                error = crate::chain(&error),
                "a command's result was not stored"
            );
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Token, oneshot::Sender<Late>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn answered(job: &Job, ok: bool, data: Value) -> CommandResult {
    let worker = job.agent.worker().to_string();
    CommandResult { worker, ok, answered: true, data, error: None, millis: 0 }
}

fn silent(job: &Job, why: String) -> CommandResult {
    let data = Value::Null;
    CommandResult { answered: false, error: Some(why), ..answered(job, false, data) }
}

fn json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).expect("messages are plain JSON")
}
