//! Commands of the controller: checked, answered at once, done elsewhere.

pub(crate) mod seen;

use crate::alarm::Alarms;
use crate::apply::{Job, Requests};
use crate::clock::Clock;
use crate::exec::Program;
use crate::facts;
use crate::identity::Identity;
use crate::outbox::{Lane, Outbox};
use crate::paths::Root;
use muster_protocol::bus::{Call, Commands, Incoming};
use muster_protocol::command::{Command, Reply, Verb, Void};
use muster_protocol::seal::Signed;
use muster_protocol::{subject, wire};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub(crate) use seen::Remembered;

/// Programs that run at once.
const PROGRAMS_MAX: usize = 8;
/// State files that one command may name.
const SLS_MAX: usize = 100;
/// What an agent says when its machine does not allow programs.
const EXEC_OFF: &str = "exec is off on this agent: set exec: true in /etc/muster/agent.yaml";

/// Why a command is not done.
enum Denied {
    /// The controller did not sign it: somebody should look.
    Forged(String),
    /// It did, but it is late, or here for the second time.
    Void(Void),
}

/// Who answers commands.
pub(crate) struct Answerer {
    pub(crate) identity: Arc<Identity>,
    pub(crate) clock: Arc<Clock>,
    pub(crate) root: Root,
    /// Whether programs may be run.
    pub(crate) exec: bool,
    pub(crate) requests: Arc<Requests>,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) alarms: Arc<Alarms>,
    pub(crate) started: Instant,
    pub(crate) seen: Remembered,
    pub(crate) programs: JoinSet<()>,
    /// Tells whoever renews the credential.
    pub(crate) renew: Arc<Notify>,
}

impl Answerer {
    /// Answers until it is stopped, or the connection is closed.
    pub(crate) async fn run(mut self, mut commands: Commands, stop: CancellationToken) {
        loop {
            tokio::select! {
                incoming = commands.next() => match incoming {
                    Some(incoming) => self.take(incoming).await,
                    None => return,
                },
                Some(_) = self.programs.join_next(), if !self.programs.is_empty() => {}
                () = stop.cancelled() => break,
            }
        }
        // Each program's group is killed with its task.
        self.programs.shutdown().await;
    }

    async fn take(&mut self, incoming: Incoming<Call>) {
        let call = match incoming {
            Ok(call) => call,
            Err(unmarked) => {
                self.alarms.suspect(&unmarked.to_string());
                return;
            }
        };
        let reply = match self.admit(&call.subject, &call.payload) {
            Ok(command) => self.obey(command),
            Err(Denied::Forged(why)) => {
                self.alarms.suspect(&format!("a command on {} is refused: {why}", call.subject));
                Reply::Refused(why)
            }
            Err(Denied::Void(void)) => {
                tracing::warn!(subject = call.subject, error = %void, "a command is refused");
                Reply::Refused(void.to_string())
            }
        };
        if let Err(error) = call.responder.send(&reply).await {
            tracing::debug!(error = %crate::chain(&error), "a reply was lost");
        }
    }

    /// The command, if the controller signed it for this agent, now, once, and for this verb.
    fn admit(&mut self, subject: &str, payload: &[u8]) -> Result<Command, Denied> {
        let me = &self.identity.agent_id;
        let forged = |error: &dyn std::error::Error| Denied::Forged(crate::chain(error));
        let signed: Signed = wire::decode(payload).map_err(|error| forged(&error))?;
        let now = self.clock.now();
        let command: Command = signed
            .open(&self.identity.root_public_key, me.as_str(), Some(now))
            .map_err(|error| forged(&error))?;
        if subject != subject::command(me, command.verb.name()) {
            return Err(Denied::Forged(format!("it says {} inside", command.verb.name())));
        }
        self.seen.admit(&command, now).map_err(Denied::Void)?;
        Ok(command)
    }

    fn obey(&mut self, command: Command) -> Reply {
        let Command { id, verb, .. } = command;
        tracing::info!(command = %id, verb = verb.name(), "a command");
        match verb {
            Verb::Ping => Reply::Pong {
                version: crate::VERSION.to_owned(),
                up_millis: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            },
            Verb::Facts => Reply::Facts(facts::collect(&self.root, Some(&self.identity.agent_id))),
            Verb::Apply { sls, .. } if sls.len() > SLS_MAX => {
                Reply::Refused(format!("{} state files, more than {SLS_MAX}", sls.len()))
            }
            Verb::Apply { sls, test, revision } => {
                match self.requests.apply(Job { commands: vec![id], sls, test, revision }) {
                    Ok(()) => Reply::Accepted,
                    Err(why) => Reply::Refused(why.to_owned()),
                }
            }
            Verb::Renew => {
                self.renew.notify_one();
                Reply::Accepted
            }
            Verb::Exec { argv, timeout_secs } => self.exec(id, argv, timeout_secs),
        }
    }

    fn exec(
        &mut self,
        id: muster_protocol::id::Token,
        argv: Vec<String>,
        timeout_secs: u32,
    ) -> Reply {
        if !self.exec {
            return Reply::Refused(EXEC_OFF.to_owned());
        }
        if self.programs.len() >= PROGRAMS_MAX {
            return Reply::Refused(format!("{PROGRAMS_MAX} programs run already; ask again later"));
        }
        let program = match Program::new(argv, timeout_secs, self.root.at("/")) {
            Ok(program) => program,
            Err(why) => return Reply::Refused(why.to_owned()),
        };
        let outbox = self.outbox.clone();
        self.programs.spawn(async move {
            let executed = program.run(id).await;
            outbox.say(Lane::Executed, &executed);
        });
        Reply::Accepted
    }
}
