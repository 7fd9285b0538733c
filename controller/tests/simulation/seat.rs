//! One controller, of the real parts: it can be killed between any two lines, and started again.
//!
//! What `controller/leader.rs` does with NATS is done here with memory, in the same order.

use crate::clouds::Driver;
use crate::judge::name_of;
use crate::net::Net;
use crate::store::{Asked, Link, Spy, Store};
use crate::world::{Shared, wait};
use futures_util::future::BoxFuture;
use muster_controller::documents::Teller;
use muster_controller::enrolment::{Enrolment, Limits};
use muster_controller::heartbeats::Heartbeats;
use muster_controller::inspection::Inspector;
use muster_controller::instances::Instances;
use muster_controller::launcher::{self, Before, Cloud, Launcher, Ties};
use muster_controller::lease::Contender;
use muster_controller::reconciler::{Hearing, Reconciler};
use muster_controller::registry::{On, Registry};
use muster_controller::trust::Keeper;
use muster_controller::user_data::Install;
use muster_protocol::bus;
use muster_protocol::event::Event;
use muster_protocol::id::{AgentId, UnixMillis};
use muster_protocol::worker::Worker;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The pause before a process that ended is started again.
const RESTART: Duration = Duration::from_secs(2);

/// A place for a controller: what outlives its process.
pub(crate) struct Seat {
    number: usize,
    shared: Arc<Shared>,
    /// The ways to the documents and to the cloud.
    pub(crate) bus: Arc<Net>,
    pub(crate) way: Arc<Net>,
    life: Mutex<Option<Life>>,
}

/// A process.
struct Life {
    killed: CancellationToken,
    stopped: CancellationToken,
    ended: CancellationToken,
    handle: Arc<Mutex<Option<Handle>>>,
}

/// What agents and persons reach of a process.
#[derive(Clone)]
pub(crate) struct Handle {
    pub(crate) number: usize,
    pub(crate) registry: Arc<Registry>,
    pub(crate) enrolment: Arc<Enrolment>,
    pub(crate) keeper: Arc<Keeper>,
    pub(crate) heartbeats: Arc<Ears>,
    killed: CancellationToken,
}

impl Handle {
    /// What the process answers; none if it dies meanwhile, or is too slow.
    pub(crate) async fn ask<T>(&self, act: impl Future<Output = T>) -> Option<T> {
        let limited = tokio::time::timeout(Duration::from_secs(30), act);
        self.killed.run_until_cancelled(limited).await?.ok()
    }
}

impl Seat {
    pub(crate) fn new(number: usize, shared: &Arc<Shared>) -> Seat {
        let net = |millis| Arc::new(Net::new(shared.dice.fork(), millis));
        let (bus, way) = (net(20), net(400));
        Seat { number, shared: Arc::clone(shared), bus, way, life: Mutex::default() }
    }

    /// Starts the process, if none runs.
    pub(crate) fn start(&self) {
        let mut life = self.life.lock().unwrap_or_else(PoisonError::into_inner);
        if life.as_ref().is_some_and(|life| !life.ended.is_cancelled()) {
            return;
        }
        let (killed, stopped) = (CancellationToken::new(), CancellationToken::new());
        let ended = CancellationToken::new();
        let handle = Arc::default();
        let process = Process {
            number: self.number,
            shared: Arc::clone(&self.shared),
            bus: Arc::clone(&self.bus),
            way: Arc::clone(&self.way),
            killed: killed.clone(),
            stopped: stopped.clone(),
            handle: Arc::clone(&handle),
        };
        self.shared.judge.note(format!("controller {} starts", self.number));
        let (until, over) = (killed.clone(), ended.clone());
        tokio::spawn(async move {
            until.run_until_cancelled(Box::pin(process.run())).await;
            over.cancel();
        });
        *life = Some(Life { killed, stopped, ended, handle });
    }

    /// Ends the process between any two lines.
    pub(crate) fn kill(&self) {
        let life = self.life.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(life) = life {
            self.shared.judge.note(format!("controller {} is killed", self.number));
            life.killed.cancel();
        }
    }

    /// Asks the process to end.
    pub(crate) fn stop(&self) {
        let life = self.life.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(life) = &*life {
            self.shared.judge.note(format!("controller {} is stopped", self.number));
            life.stopped.cancel();
        }
    }

    /// The process, if it runs and answers.
    pub(crate) fn handle(&self) -> Option<Handle> {
        let life = self.life.lock().unwrap_or_else(PoisonError::into_inner);
        let handle = &life.as_ref()?.handle;
        handle.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What runs.
struct Process {
    number: usize,
    shared: Arc<Shared>,
    bus: Arc<Net>,
    way: Arc<Net>,
    killed: CancellationToken,
    stopped: CancellationToken,
    handle: Arc<Mutex<Option<Handle>>>,
}

impl Process {
    /// Lives again and again, as whatever runs the process starts it whole again.
    async fn run(self) {
        while !self.stopped.is_cancelled() {
            self.shared.judge.deaf(self.number);
            Box::pin(self.live()).await;
            *self.handle.lock().unwrap_or_else(PoisonError::into_inner) = None;
            wait(RESTART).await;
        }
    }

    async fn live(&self) {
        let on = On {
            workers: Arc::new(self.link(&self.shared.workers)),
            pools: Arc::new(self.link(&self.shared.pools)),
            teller: Arc::new(Bell(Arc::clone(&self.bus))),
            clock: self.shared.clock.clone(),
        };
        let Ok(registry) = Registry::open(on, Arc::clone(&self.shared.keys)).await else { return };
        let cluster = self.link(&self.shared.cluster);
        let contender = Contender::new(cluster.clone(), name_of(self.number));
        let parts = self.parts(Arc::new(registry), cluster, &contender);
        *self.handle.lock().unwrap_or_else(PoisonError::into_inner) = Some(parts.handle.clone());
        let mut fence = contender.fence();
        let end = self.stopped.child_token();
        let following = follow(&self.shared.workers, &self.bus, &parts.handle.registry);
        let leading = async {
            while end.run_until_cancelled(fence.gained()).await.is_some() {
                let stop = end.child_token();
                let led = {
                    let leading = Box::pin(lead(&parts, &stop));
                    let mut lost = fence.clone();
                    tokio::select! {
                        biased;
                        () = lost.lost() => Ok(()),
                        led = leading => led,
                    }
                };
                stop.cancel();
                if led.is_err() {
                    break;
                }
            }
            end.cancel();
        };
        let (keeper, changes) = (Arc::clone(&parts.handle.keeper), parts.handle.registry.changes());
        let epoch = keeper.follow(changes, contender.fence(), end.clone());
        let working = async { tokio::join!(leading, contender.run(end.clone()), epoch) };
        tokio::select! {
            biased;
            _ = working => {}
            () = following => {}
        }
    }

    fn link(&self, store: &Store) -> Link {
        let (judge, number) = (Arc::clone(&self.shared.judge), self.number);
        let spy: Spy = Arc::new(move |asked| match asked {
            // Each look at the cloud asks once what a person has said.
            Asked::Get("confirmed") => judge.look(number),
            Asked::Get(_) => {}
            Asked::Update(bytes) => judge.worker_asked(number, bytes),
        });
        Link { store: store.clone(), net: Arc::clone(&self.bus), spy }
    }

    fn parts(&self, registry: Arc<Registry>, cluster: Link, contender: &Contender) -> Parts {
        let shared = &self.shared;
        let config = Arc::clone(&shared.config);
        let heartbeats = Arc::new(Ears(Heartbeats::new(shared.clock.now())));
        let driver = Driver {
            controller: self.number,
            inner: shared.cloud.provider(config.cluster.clone()),
            net: Arc::clone(&self.way),
            judge: Arc::clone(&shared.judge),
        };
        let cloud = Cloud::new("cloud".to_owned(), Arc::new(driver));
        let launcher = Arc::new(Launcher {
            config: Arc::clone(&config),
            keys: Arc::clone(&shared.keys),
            registry: Arc::clone(&registry),
            clouds: BTreeMap::from([("cloud".to_owned(), cloud)]),
            ties: Arc::new(Strings(Arc::clone(&self.bus), Arc::clone(&heartbeats))),
            fence: contender.fence(),
            servers: vec!["tls://10.0.0.1:4222".to_owned()],
            install: Install::Image,
            seeds: Mutex::default(),
        });
        let keeper = Arc::new(Keeper::new(cluster, &shared.folder(self.number)));
        let hearing = Arc::clone(&heartbeats) as Arc<dyn Hearing>;
        let inspector = Arc::new(Inspector {
            config: Arc::clone(&config),
            registry: Arc::clone(&registry),
            launcher: Arc::clone(&launcher),
            keeper: Arc::clone(&keeper),
            hearing: Arc::clone(&hearing),
        });
        let enrolment = Arc::new(Enrolment {
            teller: Arc::new(Bell(Arc::clone(&self.bus))),
            keys: Arc::clone(&shared.keys),
            registry: Arc::clone(&registry),
            instances: Instances { config, launcher: Arc::clone(&launcher) },
            credential_millis: 86_400_000,
            limits: Limits::default(),
        });
        let (number, killed) = (self.number, self.killed.clone());
        let handle = Handle { number, registry, enrolment, keeper, heartbeats, killed };
        Parts { handle, launcher, inspector, hearing }
    }
}

/// What a process is made of.
struct Parts {
    handle: Handle,
    launcher: Arc<Launcher>,
    inspector: Arc<Inspector>,
    hearing: Arc<dyn Hearing>,
}

/// Learns what another controller may have done, then does what only one may do.
async fn lead(parts: &Parts, stop: &CancellationToken) -> Result<(), String> {
    let registry = Arc::clone(&parts.handle.registry);
    registry.reload().await.map_err(|error| error.to_string())?;
    let empty = parts.inspector.all_empty();
    parts.handle.keeper.settle(empty).await.map_err(|error| error.to_string())?;
    let reconciler = Reconciler {
        config: Arc::clone(&parts.launcher.config),
        registry,
        launcher: Arc::clone(&parts.launcher),
        inspector: Arc::clone(&parts.inspector),
        hearing: Arc::clone(&parts.hearing),
        busy: Mutex::default(),
        failures: Mutex::default(),
    };
    Arc::new(reconciler).run(stop.clone()).await;
    Ok(())
}

/// Takes what other controllers write, as fast as the way allows.
async fn follow(store: &Store, bus: &Net, registry: &Registry) {
    let (mut changes, mut seen) = (store.changes(), 0);
    loop {
        bus.pass().await;
        let upto = *changes.borrow_and_update();
        for entry in store.since(seen) {
            registry.take(&entry);
        }
        seen = upto;
        if changes.changed().await.is_err() {
            return;
        }
        bus.delay().await;
    }
}

/// When agents were heard.
#[derive(Debug)]
pub(crate) struct Ears(pub(crate) Heartbeats);

impl Hearing for Ears {
    fn silence(&self, agent: &AgentId, now: UnixMillis) -> i64 {
        self.0.silence(agent, now)
    }

    fn answers(&self, agent: &AgentId, now: UnixMillis, within: i64) -> Option<bool> {
        self.0.answers(agent, now, within)
    }
}

/// Takes events and keeps none.
#[derive(Debug)]
struct Bell(Arc<Net>);

impl Teller for Bell {
    fn tell(&self, subject: String, _: Event) -> BoxFuture<'_, Result<(), bus::Error>> {
        Box::pin(async move {
            let told = self.0.carry(async {}).await;
            told.ok_or(bus::Error::Timeout { subject, millis: 0 })
        })
    }
}

/// Ties that hold nothing: a fenced agent still speaks, and the controller must refuse it itself.
#[derive(Debug)]
struct Strings(Arc<Net>, Arc<Ears>);

impl Ties for Strings {
    fn revoke(&self, _: Vec<(String, UnixMillis)>) -> BoxFuture<'_, Result<(), launcher::Error>> {
        Box::pin(async move {
            let revoked = self.0.carry(async {}).await;
            revoked.ok_or_else(|| launcher::Error::Ties("the claims were not pushed".to_owned()))
        })
    }

    fn forget<'a>(&'a self, agent: &'a AgentId) -> BoxFuture<'a, Result<(), launcher::Error>> {
        self.1.0.forget(agent);
        Box::pin(async { Ok(()) })
    }

    fn before<'a>(&'a self, _: Before, _: &'a Worker) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }
}
