//! The registry: workers and pools as signed documents in key-value buckets, changed by
//! compare-and-set.
//!
//! A document that the controller's key has not signed is refused: whoever can write to the
//! buckets still cannot launch, delete or rule a worker. Each write bears an id of its own, so one
//! whose answer was lost is recognised. Memory holds what was seen last; the bucket decides.

use crate::documents::{Clock, Documents, Teller};
use crate::keys::Keys;
use crate::lifecycle::{self, Input, Refused};
use muster_protocol::bus;
use muster_protocol::bus::bucket::{Bucket, Change, Entry};
use muster_protocol::event::{Event, PhaseChanged};
use muster_protocol::id::{AgentId, PoolName, Token, UnixMillis, WorkerName, random};
use muster_protocol::seal::{self, Signed};
use muster_protocol::subject::{self, Source};
use muster_protocol::wire::{self, Message};
use muster_protocol::worker::{Phase, PoolState, Worker};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How often one change is tried against others that come between.
const TRIES_MAX: u32 = 16;
/// How often an event about a change is offered to the bus; losing it costs time, no truth.
const TELL_TRIES: u32 = 5;

/// Why a document could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such worker or pool.
    #[error("there is no {what} {name}")]
    Missing {
        /// `worker` or `pool`.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// The worker's phase does not allow it.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// A document that is not the controller's.
    #[error("the document {key} is not one that this controller's key has signed")]
    Foreign {
        /// Bucket and key.
        key: String,
        /// What is wrong with it.
        #[source]
        source: seal::Error,
    },
    /// Signing failed.
    #[error("signing a document")]
    Sign(#[source] seal::Error),
    /// Others changed it each time.
    #[error("{name} was changed by others {TRIES_MAX} times in a row")]
    Contended {
        /// The document.
        name: String,
    },
    /// The bus.
    #[error(transparent)]
    Bus(#[from] bus::Error),
}

#[derive(Clone, Debug)]
struct Held {
    worker: Worker,
    revision: u64,
}

/// A change that is stored and not told yet.
#[derive(Clone, Debug)]
#[must_use]
pub struct Untold {
    /// The worker as it is now.
    pub worker: Worker,
    from: Phase,
}

/// What a registry is written on.
#[derive(Clone, Debug)]
pub struct On {
    /// Workers, by name.
    pub workers: Arc<dyn Documents>,
    /// Pools, by name.
    pub pools: Arc<dyn Documents>,
    /// Who is told of changes.
    pub teller: Arc<dyn Teller>,
    /// The present time.
    pub clock: Clock,
}

/// Workers and pools.
#[derive(Debug)]
pub struct Registry {
    on: On,
    keys: Arc<Keys>,
    held: Mutex<BTreeMap<WorkerName, Held>>,
    changes: watch::Sender<u64>,
    /// Held while a pool's size and its workers change together, or are judged together.
    pub planning: tokio::sync::Mutex<()>,
}

impl Registry {
    /// Reads all documents. One that is foreign stops the controller: a person must look.
    ///
    /// # Errors
    /// When the buckets cannot be read, or hold a document of somebody else.
    pub async fn open(on: On, keys: Arc<Keys>) -> Result<Registry, Error> {
        let (held, changes) = (Mutex::new(BTreeMap::new()), watch::Sender::new(0));
        let registry =
            Registry { on, keys, held, changes, planning: tokio::sync::Mutex::default() };
        registry.reload().await?;
        Ok(registry)
    }

    /// Reads all documents again: another controller may have written them.
    ///
    /// # Errors
    /// As [`Registry::open`].
    pub async fn reload(&self) -> Result<(), Error> {
        for entry in self.on.workers.all().await? {
            let worker: Worker = self.read("worker", &entry)?;
            self.hold(&worker, entry.revision);
        }
        Ok(())
    }

    /// Takes what other controllers write, until it is cancelled.
    pub async fn follow(&self, bucket: Bucket, cancel: CancellationToken) {
        let mut changes = bucket.watch();
        while let Some(change) = cancel.run_until_cancelled(changes.next()).await {
            match change {
                Change::Put(entry) => self.take(&entry),
                Change::Removed { key, .. } => {
                    tracing::error!(key, "a worker's document was removed; it is kept in memory");
                }
            }
        }
    }

    /// Takes what another controller wrote, unless something newer is known.
    pub fn take(&self, entry: &Entry) {
        match self.read::<Worker>("worker", entry) {
            Ok(worker) => self.hold(&worker, entry.revision),
            Err(error) => tracing::error!(error = crate::chain(&error), "a document is ignored"),
        }
    }

    /// Wakes who waits on [`Registry::changes`] when another controller changes a pool.
    pub async fn follow_pools(&self, bucket: Bucket, cancel: CancellationToken) {
        let mut changes = bucket.watch();
        while cancel.run_until_cancelled(changes.next()).await.is_some() {
            self.wake();
        }
    }

    /// The present time, as the registry's own clock shows it.
    #[must_use]
    pub fn now(&self) -> UnixMillis {
        self.on.clock.now()
    }

    /// All workers, as last seen.
    #[must_use]
    pub fn workers(&self) -> Vec<Worker> {
        self.lock().values().map(|held| held.worker.clone()).collect()
    }

    /// What somebody makes of all workers, as last seen; nothing is copied, and nothing waits.
    pub fn look<T>(&self, see: impl FnOnce(&[&Worker]) -> T) -> T {
        let held = self.lock();
        let workers: Vec<&Worker> = held.values().map(|held| &held.worker).collect();
        see(&workers)
    }

    /// One worker, as last seen.
    #[must_use]
    pub fn worker(&self, name: &WorkerName) -> Option<Worker> {
        self.lock().get(name).map(|held| held.worker.clone())
    }

    /// The worker whose present generation an agent is.
    #[must_use]
    pub fn agent(&self, agent: &AgentId) -> Option<Worker> {
        self.worker(&agent.worker()).filter(|worker| worker.agent_id == *agent)
    }

    /// Counts every change; a loop that waits on it misses none.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Wakes who waits on [`Registry::changes`].
    pub fn wake(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Adds a worker.
    ///
    /// # Errors
    /// When the name is taken, or the bus fails: then it may be there.
    pub async fn add(&self, worker: Worker) -> Result<(), Error> {
        let key = worker.name.to_string();
        let bytes = self.sign("worker", &key, &worker)?;
        let revision = match self.on.workers.create(&key, bytes).await {
            Ok(revision) => revision,
            // A lost answer: it is ours if it bears our id.
            Err(error) => match self.load(&worker.name).await? {
                Some(held) if held.worker.op_id == worker.op_id => held.revision,
                _ => return Err(error.into()),
            },
        };
        self.hold(&worker, revision);
        self.tell(&worker, None).await;
        Ok(())
    }

    /// Lets something happen to a worker: stores what [`lifecycle::step`] makes of it, tells it.
    ///
    /// # Errors
    /// When the worker's phase does not allow it, or the bus fails.
    pub async fn happen(&self, name: &WorkerName, input: &Input) -> Result<Worker, Error> {
        let now = self.now();
        self.change(name, |worker| lifecycle::step(worker, input, now)).await
    }

    /// Like [`Registry::happen`], to one generation only.
    ///
    /// # Errors
    /// As [`Registry::happen`]; [`Error::Missing`] when the generation is over.
    pub async fn happen_to(&self, agent: &AgentId, input: &Input) -> Result<Worker, Error> {
        let untold = self.happen_untold(agent, input).await?;
        self.tell_of(&untold).await;
        Ok(untold.worker)
    }

    /// Like [`Registry::happen_to`], for a caller who has something to do while it is told.
    ///
    /// # Errors
    /// As [`Registry::happen_to`].
    pub async fn happen_untold(&self, agent: &AgentId, input: &Input) -> Result<Untold, Error> {
        let now = self.now();
        let of_it = |worker: &Worker| match worker.agent_id == *agent {
            true => lifecycle::step(worker, input, now),
            false => Err(Refused { phase: worker.phase, what: "an older generation" }),
        };
        self.change_untold(&agent.worker(), of_it).await
    }

    /// Tells what is stored.
    pub async fn tell_of(&self, untold: &Untold) {
        self.tell(&untold.worker, Some(untold.from)).await;
    }

    /// Changes a worker by compare-and-set.
    ///
    /// # Errors
    /// What `change` refuses, or what the bus says.
    pub async fn change<F>(&self, name: &WorkerName, change: F) -> Result<Worker, Error>
    where
        F: Fn(&Worker) -> Result<Worker, Refused>,
    {
        let untold = self.change_untold(name, change).await?;
        self.tell_of(&untold).await;
        Ok(untold.worker)
    }

    async fn change_untold<F>(&self, name: &WorkerName, change: F) -> Result<Untold, Error>
    where
        F: Fn(&Worker) -> Result<Worker, Refused>,
    {
        let missing = || Error::Missing { what: "worker", name: name.to_string() };
        let mut held = self.lock().get(name).cloned();
        for _ in 0..TRIES_MAX {
            let before = match held.take() {
                Some(held) => held,
                None => self.load(name).await?.ok_or_else(missing)?,
            };
            let mut next = change(&before.worker)?;
            next.op_id = Token::random(random());
            match self.write(&next, before.revision).await {
                Ok(revision) => {
                    self.hold(&next, revision);
                    return Ok(Untold { worker: next, from: before.worker.phase });
                }
                Err(Error::Bus(bus::Error::Conflict { .. })) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::Contended { name: name.to_string() })
    }

    /// What people want of a pool; none if nobody ever said.
    ///
    /// # Errors
    /// When the bus fails or the document is foreign.
    pub async fn pool(&self, name: &PoolName) -> Result<Option<PoolState>, Error> {
        let entry = self.on.pools.get(name.as_str()).await?;
        entry.map(|entry| self.read("pool", &entry)).transpose()
    }

    /// Changes a pool by compare-and-set; `change` gets the present size, or none.
    ///
    /// # Errors
    /// When the bus fails, or others change it each time.
    pub async fn change_pool<F>(&self, name: &PoolName, change: F) -> Result<PoolState, Error>
    where
        F: Fn(Option<PoolState>) -> PoolState,
    {
        for _ in 0..TRIES_MAX {
            let entry = self.on.pools.get(name.as_str()).await?;
            let before = entry.as_ref().map(|entry| self.read("pool", entry)).transpose()?;
            let mut next = change(before);
            next.op_id = Token::random(random());
            let bytes = self.sign("pool", name.as_str(), &next)?;
            let written = match &entry {
                Some(entry) => self.on.pools.update(name.as_str(), bytes, entry.revision).await,
                None => self.on.pools.create(name.as_str(), bytes).await,
            };
            match written {
                Ok(_) => {
                    self.wake();
                    return Ok(next);
                }
                Err(bus::Error::Conflict { .. }) => {
                    if self.pool(name).await?.is_some_and(|pool| pool.op_id == next.op_id) {
                        return Ok(next);
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Contended { name: name.to_string() })
    }

    /// Writes over a revision; a conflict with our own write, whose answer was lost, is a success.
    async fn write(&self, next: &Worker, revision: u64) -> Result<u64, Error> {
        let bytes = self.sign("worker", next.name.as_str(), next)?;
        match self.on.workers.update(next.name.as_str(), bytes, revision).await {
            Ok(revision) => Ok(revision),
            Err(error) => match self.load(&next.name).await? {
                Some(held) if held.worker.op_id == next.op_id => Ok(held.revision),
                _ => Err(error.into()),
            },
        }
    }

    async fn load(&self, name: &WorkerName) -> Result<Option<Held>, Error> {
        let Some(entry) = self.on.workers.get(name.as_str()).await? else { return Ok(None) };
        let worker = self.read("worker", &entry)?;
        self.hold(&worker, entry.revision);
        Ok(Some(Held { worker, revision: entry.revision }))
    }

    fn sign<M: Message>(&self, kind: &str, key: &str, document: &M) -> Result<Vec<u8>, Error> {
        let signed =
            self.keys.signer().sign(&audience(kind, key), document).map_err(Error::Sign)?;
        Ok(wire::encode(&signed))
    }

    /// A document outlives the command key that signed it, so its age is not judged.
    fn read<M: Message>(&self, kind: &'static str, entry: &Entry) -> Result<M, Error> {
        let foreign = |source| Error::Foreign { key: audience(kind, &entry.key), source };
        let signed: Signed = wire::decode(&entry.value).map_err(|error| foreign(error.into()))?;
        signed.open(self.keys.root_public_key(), &audience(kind, &entry.key), None).map_err(foreign)
    }

    fn hold(&self, worker: &Worker, revision: u64) {
        let mut all = self.lock();
        let newer = |held: &Held| held.revision > revision;
        if !all.get(&worker.name).is_some_and(newer) {
            all.insert(worker.name.clone(), Held { worker: worker.clone(), revision });
        }
        drop(all);
        self.wake();
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<WorkerName, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells a change of phase; the document holds the truth if this is lost.
    async fn tell(&self, worker: &Worker, from: Option<Phase>) {
        if from == Some(worker.phase) {
            return;
        }
        tracing::info!(
            worker = %worker.name, agent_id = %worker.agent_id, phase = %worker.phase,
            reason = worker.reason.as_deref(), "worker changed phase"
        );
        let (subject, event) = phase_event(worker, from);
        for _ in 0..TELL_TRIES {
            match self.on.teller.tell(subject.clone(), event.clone()).await {
                Ok(()) => return,
                Err(error) if error.is_retryable() => {}
                Err(error) => {
                    tracing::warn!(error = crate::chain(&error), subject, "event was not stored");
                    return;
                }
            }
        }
        tracing::warn!(subject, "event was not stored: the bus does not answer");
    }
}

fn audience(kind: &str, key: &str) -> String {
    format!("registry/{kind}/{key}")
}

fn phase_event(worker: &Worker, from: Option<Phase>) -> (String, Event) {
    let token = |text: &str| -> Token { text.parse().expect("names and phases are tokens") };
    let name = token(worker.name.as_str());
    let data = PhaseChanged {
        agent_id: worker.agent_id.to_string(),
        pool: worker.pool.to_string(),
        generation: worker.generation.0,
        from: from.map_or("", Phase::name).to_owned(),
        to: worker.phase.name().to_owned(),
        reason: worker.reason.clone(),
        millis: worker.milestones.launched.map(|launched| worker.since.since(launched)),
    };
    let subject = subject::event(Source::Worker, &name, &token(worker.phase.name()));
    (subject, Event::new(Token::random(random()), worker.since, &data))
}
