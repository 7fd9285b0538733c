//! What people ask: each call is checked, done, and answered in words.
//!
//! The server lets a role make only the calls of its template, and says who calls. That is checked
//! here once more, for the case that the server is wrong: the name in the subject, the credential
//! against its person's document, the role against the table. Each call is told as an event.

mod cluster;
mod keys;
mod pools;
mod states;
mod told;
mod users;
mod workers;

pub use told::Told;

use crate::config::Config;
use crate::inspection::Inspector;
use crate::jobs::Jobs;
use crate::keys::Keys;
use crate::people::{Denied, People};
use crate::registry::{self, Registry};
use crate::rotation::Rotor;
use crate::states::States;
use crate::stats::Stats;
use crate::store::Buckets;
use crate::trust::Keeper;
use muster_protocol::api::{self, Answer, ClusterShow, Question, Refusal, RefusalKind, Target};
use muster_protocol::bus::stream::JetStream;
use muster_protocol::bus::{Bus, Call};
use muster_protocol::event::{Alarm, Called, Event};
use muster_protocol::id::{PoolName, Token, UnixMillis, UserName, random};
use muster_protocol::subject::{self, Source};
use muster_protocol::wire;
use muster_protocol::worker::{Phase, Worker};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

/// Answers people.
#[derive(Debug)]
pub struct Api {
    /// Pools.
    pub config: Arc<Config>,
    /// The connection in BUS.
    pub bus: Bus,
    /// Opens tails.
    pub jetstream: JetStream,
    /// The truth.
    pub registry: Arc<Registry>,
    /// Runs commands.
    pub jobs: Arc<Jobs>,
    /// Readings.
    pub stats: Arc<Stats>,
    /// Publishes states before they are applied.
    pub states: Arc<States>,
    /// Asks the clouds.
    pub inspector: Arc<Inspector>,
    /// Makes keys anew.
    pub rotor: Arc<Rotor>,
    /// Knows what waits for a person's word.
    pub keeper: Arc<Keeper>,
    /// Signs people's credentials.
    pub keys: Arc<Keys>,
    /// Who may call.
    pub people: Arc<People>,
    /// Where people connect.
    pub servers: Vec<String>,
    /// Tells each call.
    pub told: Arc<Told>,
    /// What a backup holds.
    pub buckets: Buckets,
    /// Who reconciles.
    pub leader: watch::Receiver<String>,
    /// When the controller started.
    pub started: UnixMillis,
    /// The commands under way.
    pub tasks: TaskTracker,
}

type Done<T> = Result<T, Refusal>;

/// What an event names that nobody knows.
const UNKNOWN: &str = "unknown";

impl Api {
    /// Answers one call on `muster.api.<user>.<noun>.<verb>`.
    pub async fn answer(&self, call: Call) {
        let Some([user, noun, verb]) = subject::tokens(&call.subject, "muster.api.") else {
            return;
        };
        let by = By::of(self, &call, noun, verb);
        if let Err(refusal) = self.admit(&by, &call, [user, noun, verb]).await {
            by.tell(Some(&refusal), serde_json::Value::Null).await;
            return respond::<ClusterShow>(call, Err(refusal)).await;
        }
        self.serve(call, by).await;
    }

    async fn serve(&self, call: Call, by: By<'_>) {
        let (noun, verb, user) = (by.noun.clone(), by.verb.clone(), by.user.clone());
        match (noun.as_str(), verb.as_str()) {
            ("cluster", "show") => by.told(call, async |q| self.cluster_show(&q).await).await,
            ("cluster", "destroy") => by.told(call, async |q| self.destroy(&user, &q).await).await,
            ("cluster", "confirm") => by.told(call, async |q| self.confirm(&q).await).await,
            ("cluster", "backup") => by.told(call, async |q| self.backup(&q).await).await,
            ("cloud", "show") => by.told(call, async |q| self.cloud_show(&q).await).await,
            ("worker", "list") => by.told(call, async |q| self.worker_list(&q).await).await,
            ("worker", "launch") => by.told(call, async |q| self.launch(&q).await).await,
            ("worker", "terminate") => {
                by.told(call, async |q| self.terminate(&user, &q).await).await
            }
            ("worker", "mark") => by.told(call, async |q| self.mark(&q).await).await,
            ("worker", "rebuild") => by.told(call, async |q| self.rebuild(&q).await).await,
            ("pool", "list") => by.told(call, async |q| self.pool_list(&q).await).await,
            ("pool", "scale") => by.told(call, async |q| self.scale(&q).await).await,
            ("pool", "mark") => by.told(call, async |q| self.mark_pool(&q).await).await,
            ("image", "list") => by.told(call, async |q| self.image_list(&q).await).await,
            ("image", "set") => by.told(call, async |q| self.image_set(&q).await).await,
            ("states", "show") => by.told(call, async |q| self.states_show(q).await).await,
            ("states", "reveal") => by.told(call, async |q| self.states_reveal(q).await).await,
            ("states", "push") => by.told(call, async |q| self.states_push(&q).await).await,
            ("tail", "open") => by.told(call, async |q| self.tail(&user, &q).await).await,
            ("tail", "suspect") => {
                by.told(call, async |q| self.tail_suspect(&user, &q).await).await
            }
            ("stats", "show") => by.told(call, async |q| self.stats_show(&q)).await,
            ("keys", "show") => by.told(call, async |q| self.keys_show(&q).await).await,
            ("keys", "rotate") => by.told(call, async |q| self.keys_rotate(&q).await).await,
            ("keys", "drop") => by.told(call, async |q| self.keys_drop(&q).await).await,
            ("command", "run") => by.told(call, async |q| self.command(q).await).await,
            ("user", "add") => by.told(call, async |q| self.user_add(&user, q).await).await,
            ("user", "list") => by.told(call, async |q| self.user_list(&q).await).await,
            ("user", "renew") => by.told(call, async |q| self.user_renew(&user, &q).await).await,
            ("user", "revoke") => by.told(call, async |q| self.user_revoke(&user, &q).await).await,
            // The table has it, or the call would not be admitted.
            _ => tracing::error!(noun, verb, "a call of the table is served by nobody"),
        }
    }

    /// Whether this call may be made by whom the server says makes it.
    async fn admit(&self, by: &By<'_>, call: &Call, said: [&str; 3]) -> Done<()> {
        let [user, noun, verb] = said;
        let forbid = |text: String| Err(refuse(RefusalKind::Forbidden, text));
        if call.caller.name != user {
            return forbid("call in your own name".to_owned());
        }
        if !is_known(noun, verb) {
            let text = format!("there is no call {noun} {verb}; upgrade the controller");
            return Err(refuse(RefusalKind::Invalid, told::cut(&text)));
        }
        match self.people.admit(&call.caller, UnixMillis::now()).await {
            Ok(person) if api::may(person.role.role(), noun, verb) => Ok(()),
            Ok(person) => forbid(format!(
                "{noun} {verb} is not for the role {}: ask an admin for a higher one",
                person.role
            )),
            Err(denied @ Denied::Unavailable(..)) => {
                Err(refuse(RefusalKind::Unavailable, crate::chain(&denied)))
            }
            Err(denied @ (Denied::Unknown(_) | Denied::Other(_))) => {
                self.alarm(by, &denied).await;
                forbid(denied.to_string())
            }
            Err(denied @ (Denied::Revoked(_) | Denied::Expired(_))) => forbid(denied.to_string()),
        }
    }

    /// A credential that the server let in and that no document knows: a person must look.
    async fn alarm(&self, by: &By<'_>, denied: &Denied) {
        if !self.told.is_first("refused", &by.user, &by.noun, &by.verb) {
            return;
        }
        let (user, host) = (&by.user, &by.host);
        tracing::warn!(%user, host, error = %denied, "a person is not admitted");
        let alarm = Alarm { who: format!("{user} from {host}"), what: denied.to_string() };
        self.raise(user, "person", &alarm).await;
    }

    /// Tells something about a person that somebody should look at.
    async fn raise(&self, user: &UserName, kind: &str, alarm: &Alarm) {
        let token = |text: &str| -> Token { text.parse().expect("names and kinds are tokens") };
        let subject = subject::event(Source::Security, &token(user.as_str()), &token(kind));
        let event = Event::new(Token::random(random()), UnixMillis::now(), alarm);
        if let Err(error) = self.bus.publish_event(subject, &event).await {
            tracing::error!(
                %user,
                error = crate::chain(&error),
                "a security event could not be stored"
            );
        }
    }

    /// The workers that a target names; those that are terminated are not there.
    fn select(&self, target: &Target) -> Done<Vec<Worker>> {
        let workers = self.registry.workers();
        let live = workers.into_iter().filter(|worker| worker.phase != Phase::Terminated);
        Ok(match target {
            Target::Pool(pool) => {
                if !self.config.pools.contains_key(pool) {
                    return Err(self.no_pool(pool));
                }
                live.filter(|worker| worker.pool == *pool).collect()
            }
            Target::Names(names) => live
                .filter(|worker| muster_states::target::selects(names, worker.name.as_str()))
                .collect(),
        })
    }

    fn no_pool(&self, name: &PoolName) -> Refusal {
        let known: Vec<&str> = self.config.pools.keys().map(PoolName::as_str).collect();
        let text = format!("there is no pool {name}; there is: {}", known.join(", "));
        refuse(RefusalKind::Missing, text)
    }
}

fn is_known(noun: &str, verb: &str) -> bool {
    api::CALLS.iter().any(|call| call.noun == noun && call.verb == verb)
}

/// A call, with who made it: whatever comes of it is told.
struct By<'a> {
    api: &'a Api,
    user: UserName,
    role: &'static str,
    host: String,
    noun: String,
    verb: String,
}

impl<'a> By<'a> {
    /// Who calls, as the server says: never by what the caller wrote.
    fn of(api: &'a Api, call: &Call, noun: &str, verb: &str) -> By<'a> {
        let caller = &call.caller;
        let nobody = || UNKNOWN.parse().expect("a user name");
        let (noun, verb) = if is_known(noun, verb) { (noun, verb) } else { (UNKNOWN, UNKNOWN) };
        By {
            api,
            user: caller.name.parse().unwrap_or_else(|_| nobody()),
            role: api.keys.role_of(&caller.issuer).map_or(UNKNOWN, subject::Role::name),
            host: caller.host.clone(),
            noun: noun.to_owned(),
            verb: verb.to_owned(),
        }
    }

    /// Reads a question, does what it asks, tells it, and answers.
    async fn told<Q, F>(self, call: Call, serve: F)
    where
        Q: Question,
        F: AsyncFnOnce(Q) -> Done<Q::Answer>,
    {
        let (answer, about) = match wire::decode::<Q>(&call.payload) {
            Ok(question) => {
                let about = told::about(&question);
                (serve(question).await, about)
            }
            Err(error) => {
                let refusal = refuse(RefusalKind::Invalid, crate::chain(&error));
                (Err(refusal), serde_json::Value::Null)
            }
        };
        self.tell(answer.as_ref().err(), about).await;
        respond::<Q>(call, answer).await;
    }

    async fn tell(&self, refusal: Option<&Refusal>, about: serde_json::Value) {
        let called = Called {
            user: self.user.to_string(),
            role: self.role.to_owned(),
            host: self.host.clone(),
            noun: self.noun.clone(),
            verb: self.verb.clone(),
            ok: refusal.is_none(),
            error: refusal.map(|refusal| told::cut(&refusal.message)),
            about,
            count: 1,
        };
        self.api.told.tell(&self.user, called).await;
    }
}

async fn respond<Q: Question>(call: Call, answer: Done<Q::Answer>) {
    let subject = call.subject.clone();
    let answer = match answer {
        Ok(answer) => Answer::Ok(answer),
        Err(refusal) => Answer::Refused(refusal),
    };
    if let Err(error) = call.responder.send(&answer).await {
        tracing::debug!(subject, %error, "an answer was lost");
    }
}

fn refuse(kind: RefusalKind, message: impl Into<String>) -> Refusal {
    Refusal { kind, message: message.into() }
}

fn unavailable(error: registry::Error) -> Refusal {
    let kind = match &error {
        registry::Error::Missing { .. } => RefusalKind::Missing,
        registry::Error::Refused(_) => RefusalKind::Conflict,
        registry::Error::Contended { .. }
        | registry::Error::Foreign { .. }
        | registry::Error::Sign(_)
        | registry::Error::Bus(_) => RefusalKind::Unavailable,
    };
    refuse(kind, crate::chain(&error))
}

fn phases<'a>(workers: impl Iterator<Item = &'a Worker>) -> BTreeMap<Phase, u32> {
    let mut counts = BTreeMap::new();
    for worker in workers.filter(|worker| worker.phase != Phase::Terminated) {
        *counts.entry(worker.phase).or_default() += 1;
    }
    counts
}
