//! Every subject of the bus, and who may say what, where, through which import.
//!
//! | subject | who says it | in account | crosses into | by |
//! |---|---|---|---|---|
//! | `muster.enrol.<agent>` | bootstrap | AGENTS | BUS | service, shared |
//! | `muster.rpc.<agent>.<verb>` | agent | AGENTS | BUS | service, shared |
//! | `muster.event.agent.<agent>.<kind>` | agent | AGENTS | BUS, stream EVENTS | service |
//! | `muster.stats.<agent>` | agent | AGENTS | BUS, stream STATS | service |
//! | `muster.state.<agent>` | agent | AGENTS | BUS, direct get of `$KV.DESIRED.<agent>` | service |
//! | `muster.blob.<hash>.<chunk>` | agent | AGENTS | BUS, a direct get of stream BLOBS | service |
//! | `muster.desired.<agent>` | BUS (KV republish) | BUS | AGENTS | stream |
//! | `muster.cmd.<agent>.<verb>` | controller | BUS | AGENTS | service, shared |
//! | `muster.event.<source>.<id>.<kind>` | controller | BUS | - | - |
//! | `muster.api.<user>.<noun>.<verb>` | people | PEOPLE | BUS | service, shared |
//! | `muster.feed.<user>.<lease>` | BUS (push consumer) | BUS | PEOPLE | stream |
//!
//! A *shared* import makes the server write who calls into `Nats-Request-Info`; on the others it
//! writes only the account, and removes what a caller wrote there. The reply of a call is chosen by
//! its caller and is not checked by NATS: see [`crate::bus`] for the mark that every receiver
//! checks.

use crate::api;
use crate::id::{AgentId, Hash, Token, UserName};

/// An account of the NATS server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Account {
    /// The server's own: claims pushes.
    Sys,
    /// Streams, buckets, blobs: controllers and reactors only.
    Bus,
    /// Agents and bootstrap credentials; no JetStream.
    Agents,
    /// Operators and dashboards; no JetStream.
    People,
}

impl Account {
    /// All accounts, SYS first.
    pub const ALL: [Account; 4] = [Account::Sys, Account::Bus, Account::Agents, Account::People];

    /// The name in the account's JWT.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Account::Sys => "SYS",
            Account::Bus => "BUS",
            Account::Agents => "AGENTS",
            Account::People => "PEOPLE",
        }
    }
}

/// What a scoped signing key lets its users do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// A launched machine before it has enrolled: one subject.
    Bootstrap,
    /// An enrolled agent.
    Agent,
    /// A person who looks.
    Viewer,
    /// A person who acts.
    Operator,
    /// A person who also manages people and keys.
    Admin,
    /// The controller, and what runs in it.
    Controller,
}

impl Role {
    /// All roles that have a scoped signing key.
    pub const ALL: [Role; 6] =
        [Role::Bootstrap, Role::Agent, Role::Viewer, Role::Operator, Role::Admin, Role::Controller];

    /// The role's name in the account's JWT.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Role::Bootstrap => "bootstrap",
            Role::Agent => "agent",
            Role::Viewer => "viewer",
            Role::Operator => "operator",
            Role::Admin => "admin",
            Role::Controller => "controller",
        }
    }

    /// The account that its users belong to.
    #[must_use]
    pub fn account(self) -> Account {
        match self {
            Role::Bootstrap | Role::Agent => Account::Agents,
            Role::Viewer | Role::Operator | Role::Admin => Account::People,
            Role::Controller => Account::Bus,
        }
    }
}

/// How a subject crosses from one account into another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Requests go to the exporter, answers come back.
    Service {
        /// The server tells the exporter who calls.
        share: bool,
    },
    /// Messages go from the exporter to the importer.
    Stream,
}

/// One export with its import.
#[derive(Clone, Copy, Debug)]
pub struct Crossing {
    /// Service or stream.
    pub kind: Kind,
    /// Who exports.
    pub exporter: Account,
    /// Who imports.
    pub importer: Account,
    /// The subject in the exporter's account.
    pub subject: &'static str,
    /// The subject in the importer's, its wildcards numbered `$1`, `$2`, ...
    pub local: &'static str,
}

const fn service(
    exporter: Account,
    importer: Account,
    share: bool,
    subject: &'static str,
    local: &'static str,
) -> Crossing {
    Crossing { kind: Kind::Service { share }, exporter, importer, subject, local }
}

const fn stream(
    exporter: Account,
    importer: Account,
    subject: &'static str,
    local: &'static str,
) -> Crossing {
    Crossing { kind: Kind::Stream, exporter, importer, subject, local }
}

use Account::{Agents, Bus, People};

/// Every crossing there is; the accounts' JWTs are made from this list.
pub const CROSSINGS: &[Crossing] = &[
    service(Bus, Agents, true, "muster.enrol.*", "muster.enrol.$1"),
    service(Bus, Agents, true, "muster.rpc.*.*", "muster.rpc.$1.$2"),
    service(Bus, Agents, false, "muster.event.agent.*.*", "muster.event.agent.$1.$2"),
    service(Bus, Agents, false, "muster.stats.*", "muster.stats.$1"),
    service(Bus, Agents, false, DIRECT_GET_DESIRED, "muster.state.$1"),
    service(Bus, Agents, false, DIRECT_GET_BLOB, "muster.blob.$1.$2"),
    stream(Bus, Agents, "muster.desired.*", "muster.desired.$1"),
    service(Agents, Bus, true, "muster.cmd.*.*", "muster.cmd.$1.$2"),
    service(Bus, People, true, "muster.api.*.*.*", "muster.api.$1.$2.$3"),
    stream(Bus, People, "muster.feed.*.*", "muster.feed.$1.$2"),
];

const DIRECT_GET_DESIRED: &str = "$JS.API.DIRECT.GET.KV_DESIRED.$KV.DESIRED.*";
const DIRECT_GET_BLOB: &str = "$JS.API.DIRECT.GET.BLOBS.muster.blob.*.*";

/// What an agent may report; a `*` would let it invent kinds that reactors act on.
pub const AGENT_EVENT_KINDS: [&str; 8] =
    ["started", "applied", "failed", "executed", "schema", "alarm", "security", "fired"];

/// The permissions and limits of a role, as its template in the account's JWT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Subjects it may publish.
    pub publish: Vec<String>,
    /// Subjects it may subscribe to.
    pub subscribe: Vec<String>,
    /// Answers it may give to each request: count and seconds; none if absent.
    pub responses: Option<(u32, u32)>,
    /// Subscriptions at once.
    pub subscriptions_max: u32,
    /// Bytes of one message.
    pub payload_bytes_max: u32,
}

/// What each role may do.
#[must_use]
pub fn template(role: Role) -> Template {
    match role {
        Role::Bootstrap => Template {
            publish: vec!["muster.enrol.{{name()}}".into()],
            subscribe: vec!["_INBOX.boot.{{name()}}.>".into()],
            responses: None,
            subscriptions_max: 1,
            payload_bytes_max: 1 << 16,
        },
        Role::Agent => Template {
            publish: agent_publishes(),
            subscribe: [
                "muster.cmd.{{name()}}.*",
                "muster.desired.{{name()}}",
                "_INBOX.{{name()}}.>",
            ]
            .map(String::from)
            .into(),
            responses: Some((1, 60)),
            subscriptions_max: 16,
            payload_bytes_max: 1 << 20,
        },
        Role::Viewer | Role::Operator | Role::Admin => Template {
            publish: api::subjects_of(role),
            subscribe: vec!["_INBOX.{{name()}}.>".into(), "muster.feed.{{name()}}.*".into()],
            responses: None,
            subscriptions_max: 64,
            payload_bytes_max: 1 << 20,
        },
        Role::Controller => Template {
            publish: ["muster.>", "$KV.>", "$JS.API.>", "$JS.ACK.>", "$JS.FC.>", "_R_.>"]
                .map(String::from)
                .into(),
            subscribe: vec!["muster.>".into(), "_INBOX.{{name()}}.>".into()],
            responses: None,
            subscriptions_max: 1024,
            payload_bytes_max: 1 << 20,
        },
    }
}

fn agent_publishes() -> Vec<String> {
    let events = AGENT_EVENT_KINDS.map(|kind| format!("muster.event.agent.{{{{name()}}}}.{kind}"));
    let own = ["muster.stats.{{name()}}", "muster.rpc.{{name()}}.*", "muster.state.{{name()}}"];
    let mut all = Vec::from(events);
    all.extend(own.map(String::from));
    all.push("muster.blob.*.*".into());
    all
}

/// Whose event it is: the second token behind `muster.event`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// An agent says it of itself.
    Agent,
    /// The controller says it of a worker.
    Worker,
    /// Of a pool.
    Pool,
    /// Of a job of the workload manager.
    Job,
    /// Of a sink.
    Sink,
    /// Something that a person should look at.
    Security,
    /// Of Slurm.
    Slurm,
    /// A call of the API and what came of it.
    Api,
    /// The state tree.
    States,
}

impl Source {
    /// The token in the subject.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Source::Agent => "agent",
            Source::Worker => "worker",
            Source::Pool => "pool",
            Source::Job => "job",
            Source::Sink => "sink",
            Source::Security => "security",
            Source::Slurm => "slurm",
            Source::Api => "api",
            Source::States => "states",
        }
    }
}

/// Where accounts' claims are pushed, in account SYS.
pub const CLAIMS_UPDATE: &str = "$SYS.REQ.CLAIMS.UPDATE";
/// Where the servers say what an account's claims are.
#[must_use]
pub fn claims_of(account: &str) -> String {
    format!("$SYS.REQ.ACCOUNT.{account}.CLAIMS.LOOKUP")
}

/// All calls to enrol: what the controller subscribes to.
pub const ENROL_ALL: &str = "muster.enrol.*";
/// All calls of agents.
pub const RPC_ALL: &str = "muster.rpc.*.*";
/// All calls of people.
pub const API_ALL: &str = "muster.api.*.*.*";
/// All events.
pub const EVENT_ALL: &str = "muster.event.>";
/// All frames.
pub const STATS_ALL: &str = "muster.stats.*";
/// All chunks.
pub const BLOB_ALL: &str = "muster.blob.*.*";
/// What every event's subject begins with: the mark of a feed.
pub const EVENT_PREFIX: &str = "muster.event.";

/// Where an agent enrols.
#[must_use]
pub fn enrol(agent: &AgentId) -> String {
    format!("muster.enrol.{agent}")
}

/// An event of the controller's; `id` is a worker, pool, job, ... that is a valid token.
#[must_use]
pub fn event(source: Source, id: &Token, kind: &Token) -> String {
    format!("{EVENT_PREFIX}{}.{id}.{kind}", source.name())
}

/// An event of an agent's; `kind` is one of [`AGENT_EVENT_KINDS`].
#[must_use]
pub fn agent_event(agent: &AgentId, kind: &str) -> String {
    debug_assert!(AGENT_EVENT_KINDS.contains(&kind));
    format!("{EVENT_PREFIX}agent.{agent}.{kind}")
}

/// Where an agent's frames go.
#[must_use]
pub fn stats(agent: &AgentId) -> String {
    format!("muster.stats.{agent}")
}

/// Where an agent reads its desired state.
#[must_use]
pub fn state(agent: &AgentId) -> String {
    format!("muster.state.{agent}")
}

/// Where changes of an agent's desired state are pushed.
#[must_use]
pub fn desired(agent: &AgentId) -> String {
    format!("muster.desired.{agent}")
}

/// The subject that a stored desired state bears: the mark of a push.
#[must_use]
pub fn desired_key(agent: &AgentId) -> String {
    format!("$KV.DESIRED.{agent}")
}

/// A command of the controller's.
#[must_use]
pub fn command(agent: &AgentId, verb: &str) -> String {
    format!("muster.cmd.{agent}.{verb}")
}

/// All commands to one agent: what it subscribes to.
#[must_use]
pub fn commands(agent: &AgentId) -> String {
    format!("muster.cmd.{agent}.*")
}

/// A call of an agent's.
#[must_use]
pub fn rpc(agent: &AgentId, verb: &str) -> String {
    format!("muster.rpc.{agent}.{verb}")
}

/// One piece of a blob.
#[must_use]
pub fn blob(hash: &Hash, chunk: u32) -> String {
    format!("muster.blob.{hash}.{chunk}")
}

/// A call of a person's.
#[must_use]
pub fn api(user: &UserName, noun: &str, verb: &str) -> String {
    format!("muster.api.{user}.{noun}.{verb}")
}

/// What comes to one person.
#[must_use]
pub fn feed(user: &UserName, lease: &Token) -> String {
    format!("muster.feed.{user}.{lease}")
}

/// The inbox prefix of a user: unguessable parts follow it.
#[must_use]
pub fn inbox(role: Role, name: &str) -> String {
    match role {
        Role::Bootstrap => format!("_INBOX.boot.{name}"),
        Role::Agent | Role::Viewer | Role::Operator | Role::Admin | Role::Controller => {
            format!("_INBOX.{name}")
        }
    }
}

/// The tokens of a subject behind its prefix: `tokens("muster.rpc.a.b", "muster.rpc.")` = `[a, b]`.
#[must_use]
pub fn tokens<'a, const N: usize>(subject: &'a str, prefix: &str) -> Option<[&'a str; N]> {
    let mut rest = subject.strip_prefix(prefix)?.split('.');
    let mut all = [""; N];
    for token in &mut all {
        *token = rest.next()?;
    }
    rest.next().is_none().then_some(all)
}

/// Whether a subject is one that a pattern with `*` and `>` names.
#[must_use]
pub fn matches(pattern: &str, subject: &str) -> bool {
    let mut tokens = subject.split('.');
    for part in pattern.split('.') {
        match (part, tokens.next()) {
            (">", Some(_)) => return true,
            ("*", Some(_)) => {}
            (part, Some(token)) if part == token => {}
            _ => return false,
        }
    }
    tokens.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_as_nats_does() {
        for (pattern, subject, expected) in [
            ("muster.event.>", "muster.event.worker.w.ready", true),
            ("muster.event.>", "muster.event", false),
            ("muster.*.a", "muster.b.a", true),
            ("muster.*.a", "muster.b.c.a", false),
            ("muster.b", "muster.b", true),
            ("muster.b", "muster.b.c", false),
        ] {
            assert_eq!(matches(pattern, subject), expected, "{pattern} {subject}");
        }
    }

    #[test]
    fn tokens_are_read_by_position() {
        assert_eq!(tokens("muster.rpc.a.b", "muster.rpc."), Some(["a", "b"]));
        assert_eq!(tokens::<2>("muster.rpc.a", "muster.rpc."), None);
        assert_eq!(tokens::<2>("muster.rpc.a.b.c", "muster.rpc."), None);
    }

    #[test]
    fn no_agent_may_name_a_jetstream_subject() {
        for role in [Role::Bootstrap, Role::Agent, Role::Viewer, Role::Operator, Role::Admin] {
            let template = template(role);
            let all = template.publish.iter().chain(&template.subscribe);
            assert!(all.clone().all(|subject| !subject.starts_with('$')), "{role:?}");
            assert!(all.clone().all(|subject| subject != ">" && !subject.starts_with("muster.>")));
        }
    }
}
