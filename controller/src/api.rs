//! What people ask: each call is checked, done, and answered in words.
//!
//! The server lets a role make only the calls of its template, and says who calls; the name in the
//! subject is checked against that. Calls that change something are told as events.

mod cluster;
mod pools;
mod workers;

use crate::config::Config;
use crate::inspection::Inspector;
use crate::jobs::Jobs;
use crate::registry::{self, Registry};
use crate::states::States;
use crate::stats::Stats;
use crate::store::Buckets;
use crate::trust::Keeper;
use muster_protocol::api::{Answer, ClusterShow, Question, Refusal, RefusalKind, Target};
use muster_protocol::bus::stream::JetStream;
use muster_protocol::bus::{Bus, Call};
use muster_protocol::event::Event;
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
    /// Knows what waits for a person's word.
    pub keeper: Arc<Keeper>,
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

impl Api {
    /// Answers one call on `muster.api.<user>.<noun>.<verb>`.
    pub async fn answer(&self, call: Call) {
        let Some([user, noun, verb]) = subject::tokens(&call.subject, "muster.api.") else {
            return;
        };
        let Ok(user) = user.parse::<UserName>() else { return };
        if call.caller.name != user.as_str() {
            let refusal = refuse(RefusalKind::Forbidden, "call in your own name");
            return respond::<ClusterShow>(call, Err(refusal)).await;
        }
        let (noun, verb) = (noun.to_owned(), verb.to_owned());
        let by = By { api: self, user: &user, noun: &noun, verb: &verb };
        match (noun.as_str(), verb.as_str()) {
            ("cluster", "show") => with(call, async |q| self.cluster_show(&q).await).await,
            ("cluster", "destroy") => by.told(call, async |q| self.destroy(&user, &q).await).await,
            ("cluster", "confirm") => by.told(call, async |q| self.confirm(&q).await).await,
            ("cluster", "backup") => with(call, async |q| self.backup(&q).await).await,
            ("cloud", "show") => with(call, async |q| self.cloud_show(&q).await).await,
            ("worker", "list") => with(call, async |q| self.worker_list(&q).await).await,
            ("worker", "launch") => by.told(call, async |q| self.launch(&q).await).await,
            ("worker", "terminate") => {
                by.told(call, async |q| self.terminate(&user, &q).await).await
            }
            ("worker", "mark") => by.told(call, async |q| self.mark(&q).await).await,
            ("worker", "rebuild") => by.told(call, async |q| self.rebuild(&q).await).await,
            ("pool", "list") => with(call, async |q| self.pool_list(&q).await).await,
            ("pool", "scale") => by.told(call, async |q| self.scale(&q).await).await,
            ("pool", "mark") => by.told(call, async |q| self.mark_pool(&q).await).await,
            ("image", "list") => with(call, async |q| self.image_list(&q).await).await,
            ("image", "set") => by.told(call, async |q| self.image_set(&q).await).await,
            ("tail", "open") => with(call, async |q| self.tail(&user, &q).await).await,
            ("stats", "show") => with(call, async |q| self.stats_show(&q)).await,
            ("command", "run") => by.told(call, async |q| self.command(q).await).await,
            _ => {
                let text = format!("there is no call {noun} {verb}; upgrade the controller");
                respond::<ClusterShow>(call, Err(refuse(RefusalKind::Invalid, text))).await;
            }
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

/// A call that changes something: whatever comes of it is told, with who made it.
struct By<'a> {
    api: &'a Api,
    user: &'a UserName,
    noun: &'a str,
    verb: &'a str,
}

impl By<'_> {
    async fn told<Q, F>(&self, call: Call, serve: F)
    where
        Q: Question,
        F: AsyncFnOnce(Q) -> Done<Q::Answer>,
    {
        with(call, async |question: Q| {
            let done = serve(question).await;
            self.tell(done.as_ref().err()).await;
            done
        })
        .await;
    }

    async fn tell(&self, refusal: Option<&Refusal>) {
        let By { api, user, noun, verb } = *self;
        let refused = refusal.map(|refusal| refusal.message.clone());
        let data = serde_json::json!({
            "user": user, "noun": noun, "verb": verb, "ok": refused.is_none(), "error": refused,
        });
        let token = |text: &str| -> Token { text.parse().expect("names and verbs are tokens") };
        let subject = subject::event(Source::Api, &token(user.as_str()), &token("called"));
        let event = Event { id: Token::random(random()), at: UnixMillis::now(), data };
        if let Err(error) = api.bus.publish_event(subject, &event).await {
            tracing::warn!(%user, noun, verb, %error, "a call's event was not stored");
        }
    }
}

/// Reads a question, does what it asks, and answers.
async fn with<Q, F>(call: Call, serve: F)
where
    Q: Question,
    F: AsyncFnOnce(Q) -> Done<Q::Answer>,
{
    let answer = match wire::decode::<Q>(&call.payload) {
        Ok(question) => serve(question).await,
        Err(error) => Err(refuse(RefusalKind::Invalid, crate::chain(&error))),
    };
    respond::<Q>(call, answer).await;
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
