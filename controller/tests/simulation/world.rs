//! The world of one run: documents, a cloud, machines, controllers, and persons who want things.

use crate::dice::Dice;
use crate::judge::{self, Judge};
use crate::machines;
use crate::net::Weather;
use crate::plan::Step;
use crate::seat::{Handle, Seat};
use crate::store::Store;
use muster_controller::config::Config;
use muster_controller::documents::Clock;
use muster_controller::init;
use muster_controller::keys::Keys;
use muster_controller::lifecycle::Input;
use muster_controller::provider::simulated::{Call, Cloud, Fault};
use muster_controller::provider::{ServerId, Status};
use muster_controller::reconciler::new_pool;
use muster_protocol::bus::bucket::Entry;
use muster_protocol::id::{PoolName, UnixMillis};
use muster_protocol::worker::{AfterDrain, Occupancy, Phase, PoolState, Worker};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// When every run begins.
pub(crate) const EPOCH: i64 = 1_800_000_000_000;

/// All may become as it is wanted within so long after the weather has become quiet: a breaker may
/// pause for half an hour, and what is silent is not given up before a person looks at it.
const QUIET: Duration = Duration::from_secs(4 * 3600);
/// How often persons look meanwhile.
const LOOK: Duration = Duration::from_secs(20);
/// A worker that is lost for so long is ended by a person, when all else is well.
const LOST_MILLIS: i64 = 300_000;

const CONFIG: &str = "\
cluster: sim
keys: keys
data: data
states: {tree: tree}
providers: {cloud: {kind: local}}
pools: {compute: {provider: cloud, max: 12, launches_max: 4}}
verify_instance: {cloud: {policy: required}}
timeouts: {boot_secs: 180, configure_secs: 240, lost_secs: 60, cloud_secs: 15, \
           reconcile_secs: 15, orphan_secs: 120}
";

/// What is made once for all runs: keys cost time, and nothing depends on which they are.
struct Fixed {
    config: Arc<Config>,
    keys: Arc<Keys>,
    _dir: tempfile::TempDir,
}

fn fixed() -> &'static Fixed {
    static FIXED: OnceLock<Fixed> = OnceLock::new();
    FIXED.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let cluster = "sim".parse().unwrap();
        init::run(&init::Args::new(&dir.path().join("keys"), Some(cluster))).unwrap();
        let file = dir.path().join("controller.yaml");
        std::fs::write(&file, CONFIG).unwrap();
        let config = Arc::new(Config::load(&file).unwrap());
        let keys = Arc::new(Keys::load(&config.keys).unwrap());
        Fixed { config, keys, _dir: dir }
    })
}

/// What all parts of a world know.
pub(crate) struct Shared {
    pub(crate) dice: Dice,
    pub(crate) clock: Clock,
    pub(crate) config: Arc<Config>,
    pub(crate) keys: Arc<Keys>,
    pub(crate) workers: Store,
    pub(crate) pools: Store,
    pub(crate) cluster: Store,
    pub(crate) cloud: Cloud,
    pub(crate) judge: Arc<Judge>,
    folders: tempfile::TempDir,
}

impl Shared {
    fn new(seed: u64) -> Shared {
        let start = Instant::now();
        let millis = move || i64::try_from(start.elapsed().as_millis()).unwrap_or(i64::MAX);
        let clock = Clock::of(move || UnixMillis(EPOCH + millis()));
        let cloud = Cloud::on(clock.clone());
        let (config, keys) = (Arc::clone(&fixed().config), Arc::clone(&fixed().keys));
        let grace = i64::from(config.timeouts.orphan_secs) * 1000;
        let judge = Arc::new(Judge::new(clock.clone(), cloud.clone(), grace));
        let (of_workers, of_cluster) = (Arc::clone(&judge), Arc::clone(&judge));
        let worker = move |_: &str, bytes: &[u8]| of_workers.worker_written(bytes);
        let other = move |key: &str, bytes: &[u8]| of_cluster.cluster_written(key, bytes);
        Shared {
            dice: Dice::new(seed),
            clock,
            config,
            keys,
            workers: Store::new("WORKERS", Some(Box::new(worker))),
            pools: Store::new("POOLS", None),
            cluster: Store::new("CLUSTER", Some(Box::new(other))),
            cloud,
            judge,
            folders: tempfile::tempdir().unwrap(),
        }
    }

    /// The epoch that a controller's machine remembers.
    fn known_epoch(&self, controller: usize) -> Option<u64> {
        let text = std::fs::read(self.folder(controller).join("registry.json")).ok()?;
        serde_json::from_slice::<serde_json::Value>(&text).ok()?.get("epoch")?.as_u64()
    }

    /// What a controller's machine keeps on its disk.
    pub(crate) fn folder(&self, controller: usize) -> PathBuf {
        self.folders.path().join(controller.to_string())
    }
}

/// Lets time pass.
pub(crate) async fn wait(time: Duration) {
    sleep_until(Instant::now() + time).await;
}

/// A copy of all documents.
#[derive(Clone)]
struct Copy {
    at: UnixMillis,
    of: [BTreeMap<String, Entry>; 3],
    /// The registry's epoch in it.
    epoch: u64,
}

/// The whole.
pub(crate) struct World {
    pub(crate) shared: Arc<Shared>,
    seats: Arc<Vec<Seat>>,
    machines: Arc<machines::Machines>,
    copy: Mutex<Option<Copy>>,
    /// Since when every controller has run and reached the documents.
    well_since: Mutex<UnixMillis>,
    pool: PoolName,
}

impl World {
    pub(crate) fn new(seed: u64, controllers: usize) -> World {
        let shared = Arc::new(Shared::new(seed));
        let seats: Vec<Seat> = (0..controllers).map(|n| Seat::new(n, &shared)).collect();
        let seats = Arc::new(seats);
        let machines = Arc::new(machines::Machines::new(&shared, &seats));
        tokio::spawn(Arc::clone(&machines).run());
        seats.iter().for_each(Seat::start);
        let pool = "compute".parse().unwrap();
        let well_since = Mutex::new(shared.clock.now());
        World { shared, seats, machines, copy: Mutex::default(), well_since, pool }
    }

    /// Does one step of a plan.
    pub(crate) async fn step(&self, step: &Step) {
        let judge = &self.shared.judge;
        judge.note(format!("-- {step:?}"));
        self.note_whether_well(step);
        match step {
            Step::Wait(secs) => wait(Duration::from_secs(u64::from(*secs))).await,
            Step::Kill(at) => self.seat(*at).kill(),
            Step::Stop(at) => self.seat(*at).stop(),
            Step::Start => self.seats.iter().for_each(Seat::start),
            Step::BusWeather(at, weather) => self.seat(*at).bus.set(*weather),
            Step::CloudWeather(at, weather) => self.seat(*at).way.set(*weather),
            Step::Stall(at, secs) => {
                let time = Duration::from_secs(u64::from(*secs));
                self.seat(*at).bus.stall(time);
                // Or the documents alone: then it still reaches the cloud.
                if secs % 2 == 0 {
                    self.seat(*at).way.stall(time);
                }
            }
            Step::Fault(call, fault) => self.shared.cloud.inject(*call, fault.clone()),
            Step::BootCalls(calls) => self.shared.cloud.set_boot_calls(u32::from(*calls)),
            Step::ListedAfter(secs) => {
                self.shared.cloud.set_listed_after(Duration::from_secs(u64::from(*secs)));
            }
            Step::Quota(servers) => self.shared.cloud.set_quota(usize::from(*servers)),
            Step::Vanish(at, count) => self.vanish(*at, *count),
            Step::Status(at, status) => self.status(*at, status),
            Step::Mute(at, secs) => self.machines.mute(*at, *secs),
            Step::Thief(at, same_host) => self.machines.steal(*at, *same_host),
            Step::Mark(at, input) => self.mark(*at, input).await,
            Step::MarkAll(occupancy) => self.mark_all(*occupancy).await,
            Step::Scale(size) => {
                self.pool(|state| PoolState { size: u32::from(*size), draining: false, ..state })
                    .await;
            }
            Step::Freeze(frozen) => self.pool(|state| PoolState { frozen: *frozen, ..state }).await,
            Step::DrainPool => self.pool(|state| PoolState { draining: true, ..state }).await,
            Step::Confirm => self.confirm().await,
            Step::Copy => self.keep_copy(),
            Step::Restore => self.restore().await,
        }
    }

    fn seat(&self, at: u8) -> &Seat {
        &self.seats[usize::from(at) % self.seats.len()]
    }

    /// Some controller that answers.
    fn handle(&self) -> Option<Handle> {
        let handles: Vec<Handle> = self.seats.iter().filter_map(Seat::handle).collect();
        self.shared.dice.pick(&handles).cloned()
    }

    fn servers(&self) -> Vec<ServerId> {
        self.shared.cloud.servers().into_iter().map(|(server, _)| server.id).collect()
    }

    fn vanish(&self, at: u8, count: u8) {
        let servers = self.servers();
        for n in 0..usize::from(count).min(servers.len()) {
            let id = &servers[(usize::from(at) + n) % servers.len()];
            self.shared.judge.harmed(id);
            self.shared.judge.note(format!("server {id} vanishes"));
            self.shared.cloud.vanish(id);
        }
    }

    fn status(&self, at: u8, status: &Status) {
        let servers = self.servers();
        if !servers.is_empty() {
            let id = &servers[usize::from(at) % servers.len()];
            self.shared.judge.harmed(id);
            self.shared.judge.note(format!("server {id} is {status:?}"));
            self.shared.cloud.set_status(id, status.clone());
        }
    }

    async fn mark(&self, at: u8, input: &Input) {
        let workers = self.live();
        if workers.is_empty() {
            return;
        }
        let worker = &workers[usize::from(at) % workers.len()];
        self.happen(worker, input).await;
    }

    async fn mark_all(&self, occupancy: Occupancy) {
        for worker in self.live() {
            self.happen(&worker, &Input::Occupied(occupancy)).await;
        }
    }

    async fn happen(&self, worker: &Worker, input: &Input) {
        let Some(handle) = self.handle() else { return };
        if matches!(input, Input::Terminate(_)) {
            self.shared.judge.ended(&worker.agent_id);
        }
        let happened = handle.ask(handle.registry.happen_to(&worker.agent_id, input)).await;
        let error = happened.map(|happened| happened.err().map(|error| error.to_string()));
        self.shared.judge.note(format!("{} {input:?}: {error:?}", worker.agent_id));
    }

    fn live(&self) -> Vec<Worker> {
        let mut workers = self.shared.judge.workers();
        workers.retain(|worker| worker.phase != Phase::Terminated);
        workers
    }

    async fn pool(&self, change: impl Fn(PoolState) -> PoolState) {
        let Some(handle) = self.handle() else { return };
        let changed =
            |before: Option<PoolState>| change(before.unwrap_or_else(|| new_pool(&self.pool, 0)));
        let done = handle.ask(handle.registry.change_pool(&self.pool, changed)).await;
        let size = done.map(|done| done.map(|state| state.size).map_err(|e| e.to_string()));
        self.shared.judge.note(format!("the pool's size: {size:?}"));
    }

    async fn confirm(&self) {
        let Some(handle) = self.handle() else { return };
        if let Some(Ok(told)) = handle.ask(handle.keeper.confirm()).await {
            self.shared.judge.confirmed();
            self.shared.judge.note(format!("a person confirms {told:?}"));
        }
    }

    fn stores(&self) -> [&Store; 3] {
        [&self.shared.workers, &self.shared.pools, &self.shared.cluster]
    }

    /// Keeps when the controllers were last disturbed.
    fn note_whether_well(&self, step: &Step) {
        let now = self.shared.clock.now();
        let until = match step {
            Step::Kill(_) | Step::Stop(_) | Step::Start | Step::Restore => now,
            Step::Stall(_, secs) => now.plus(i64::from(*secs) * 1000),
            Step::BusWeather(_, weather) if *weather == Weather::default() => now,
            // It is not well again before its weather is set anew.
            Step::BusWeather(..) => UnixMillis(i64::MAX),
            _ => return,
        };
        let mut since = self.well_since.lock().unwrap_or_else(PoisonError::into_inner);
        *since = until.max(*since);
        if self.seats.iter().all(|seat| seat.bus.is_good()) && until != UnixMillis(i64::MAX) {
            *since = until.max(now);
        }
    }

    fn keep_copy(&self) {
        let epoch = self.stored_epoch();
        let at = self.shared.clock.now();
        let of = self.stores().map(Store::copy);
        *self.copy.lock().unwrap_or_else(PoisonError::into_inner) = Some(Copy { at, of, epoch });
    }

    fn stored_epoch(&self) -> u64 {
        let entry = self.shared.cluster.get("identity");
        entry.and_then(|entry| judge::epoch(&entry.value)).unwrap_or(0)
    }

    /// The documents' server dies with its disk, and comes back with an older copy.
    async fn restore(&self) {
        let copy = self.copy.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(copy) = copy else { return };
        let noticed = self.must_notice(&copy);
        self.seats.iter().for_each(Seat::kill);
        // What is on its way is lost with the server.
        wait(Duration::from_secs(25)).await;
        let workers = copy.of[0].values().filter_map(|entry| judge::worker(&entry.value));
        let workers = workers.map(|worker| (worker.name.clone(), worker)).collect();
        self.shared.judge.restored(workers, noticed);
        for (store, copy) in self.stores().into_iter().zip(copy.of) {
            store.restore(copy);
        }
        self.seats.iter().for_each(Seat::start);
    }

    /// Whether every controller's machine knows better than the copy, or had the time to.
    fn must_notice(&self, copy: &Copy) -> bool {
        let known = |number| self.shared.known_epoch(number).is_some_and(|e| e > copy.epoch);
        let since = *self.well_since.lock().unwrap_or_else(PoisonError::into_inner);
        let from = since.max(copy.at).plus(20_000);
        let runs = self.seats.iter().all(|seat| seat.handle().is_some());
        let changed =
            self.shared.judge.changed_between(from, self.shared.clock.now().plus(-20_000));
        (0..self.seats.len()).all(known) || (runs && changed)
    }

    /// Lets the weather become quiet, and persons do what is asked of them, until all is as it is
    /// wanted.
    ///
    /// # Errors
    /// With what was wrong, or is not as it is wanted.
    pub(crate) async fn settle(&self, size: u8) -> Result<(), String> {
        let judge = &self.shared.judge;
        judge.note("-- quiet");
        for seat in self.seats.iter() {
            seat.start();
            seat.bus.set(Weather::default());
            seat.way.set(Weather::default());
        }
        self.machines.calm();
        self.shared.cloud.calm();
        let begun = Instant::now();
        let mut left = String::new();
        while begun.elapsed() < QUIET {
            self.look_after(size).await;
            wait(LOOK).await;
            judge.verdict()?;
            match judge.is_settled(usize::from(size)) {
                Ok(()) => return Ok(()),
                Err(why) => left = why,
            }
        }
        Err(format!("it does not settle: {left}\n{}", judge.log()))
    }

    /// What persons do: they want a size, say what is idle, and answer what they are asked.
    async fn look_after(&self, size: u8) {
        self.seats.iter().for_each(Seat::start);
        let Some(handle) = self.handle() else { return };
        let state = handle.ask(handle.registry.pool(&self.pool)).await.and_then(Result::ok);
        let wanted = |state: PoolState| PoolState {
            size: u32::from(size),
            frozen: false,
            draining: false,
            ..state
        };
        if state.flatten().is_none_or(|state| wanted(state.clone()) != state) {
            self.pool(wanted).await;
        }
        if let Some(Ok(doubts)) = handle.ask(handle.keeper.doubts()).await
            && !doubts.is_empty()
        {
            self.confirm().await;
        }
        let now = self.shared.clock.now();
        for worker in self.live() {
            let stays = matches!(worker.after_drain, Some(AfterDrain::Stay));
            if worker.held {
                self.happen(&worker, &Input::Held(false)).await;
            } else if worker.phase == Phase::Draining && stays {
                self.happen(&worker, &Input::Undrain).await;
            } else if worker.occupancy != Occupancy::Idle
                && matches!(worker.phase, Phase::Ready | Phase::Draining)
            {
                self.happen(&worker, &Input::Occupied(Occupancy::Idle)).await;
            } else if worker.phase == Phase::Lost && now.since(worker.since) > LOST_MILLIS {
                self.happen(&worker, &Input::Terminate("it stays lost".to_owned())).await;
            }
        }
    }

    /// Ends all processes.
    pub(crate) fn end(&self) {
        self.seats.iter().for_each(Seat::kill);
    }
}

/// Every call that a plan may let go wrong.
pub(crate) const CALLS: [Call; 5] =
    [Call::Create, Call::Delete, Call::Rebuild, Call::List, Call::Get];

/// Whether a fault can befall a call.
pub(crate) fn befalls(call: Call, fault: &Fault) -> bool {
    match fault {
        Fault::Refuse(_) | Fault::RefuseFor(_) | Fault::LoseAnswer | Fault::Delay(_) => true,
        Fault::Hang => true,
        Fault::Double => call == Call::Create,
        Fault::NeverBoot | Fault::BreakServer(_) => matches!(call, Call::Create | Call::Rebuild),
        Fault::Empty => call == Call::List,
    }
}
