//! A cloud in memory, with faults on demand: for tests of the reconciler and of the conformance
//! suite itself.
//!
//! One [`Cloud`] is shared by any number of [`Simulated`] providers (clusters, or lives of one
//! controller). It has a clock of its own, which moves by one millisecond with each call, unless it
//! is given another. It lists the newest server first, as Nova does.

use super::{Error, ErrorKind, Provider, Server, ServerId, ServerSpec, Status};
use crate::documents::Clock;
use futures_util::future::BoxFuture;
use muster_protocol::id::{ClusterName, UnixMillis};
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// The longest user-data that it takes, as Nova does.
pub const USER_DATA_BYTES_MAX: usize = crate::user_data::USER_DATA_BYTES_MAX;

/// A call that a fault is meant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    /// [`Provider::create`].
    Create,
    /// [`Provider::delete`].
    Delete,
    /// [`Provider::rebuild`].
    Rebuild,
    /// [`Provider::list`].
    List,
    /// [`Provider::get`].
    Get,
}

/// What goes wrong with one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is done, and an error of this kind says so.
    Refuse(ErrorKind),
    /// Nothing is done, and the cloud asks to be left alone.
    RefuseFor(Duration),
    /// It is done, but the answer is lost: the caller sees a transient error.
    LoseAnswer,
    /// It is done after this time.
    Delay(Duration),
    /// It is never done nor answered.
    Hang,
    /// Two servers are made, and the answer tells of the second. (`create` only.)
    Double,
    /// The server is made, and stays in `Building` for ever. (`create` and `rebuild` only.)
    NeverBoot,
    /// The server is made, and ends in `Error` with this text. (`create` and `rebuild` only.)
    BreakServer(String),
    /// The listing succeeds and is empty. (`list` only.)
    Empty,
}

/// A cloud in memory; its clones are the same cloud.
#[derive(Clone, Debug, Default)]
pub struct Cloud {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    now: i64,
    clock: Option<Clock>,
    made: u32,
    quota: Option<usize>,
    boot_calls: u32,
    listed_after: Duration,
    servers: BTreeMap<ServerId, Simulation>,
    faults: BTreeMap<Call, VecDeque<Fault>>,
    calls: BTreeMap<Call, usize>,
}

#[derive(Debug)]
struct Simulation {
    /// The how-manieth it is.
    number: u32,
    server: Server,
    spec: ServerSpec,
    /// How many more looks it takes until it is up; `None` for one that never is.
    boots_in: Option<u32>,
    fate: Status,
}

impl Cloud {
    /// An empty cloud without faults, whose servers are active at the first look.
    #[must_use]
    pub fn new() -> Cloud {
        Cloud::default()
    }

    /// An empty cloud that shares a clock with others.
    #[must_use]
    pub fn on(clock: Clock) -> Cloud {
        let state = State { clock: Some(clock), ..State::default() };
        Cloud { state: Arc::new(Mutex::new(state)) }
    }

    /// A provider of this cloud for one cluster.
    #[must_use]
    pub fn provider(&self, cluster: ClusterName) -> Simulated {
        Simulated { cloud: self.clone(), cluster }
    }

    /// Makes the next call of this sort go wrong; faults of one sort queue up.
    pub fn inject(&self, call: Call, fault: Fault) {
        self.lock().faults.entry(call).or_default().push_back(fault);
    }

    /// Lets nothing go wrong from now on, and every server that is made now come up.
    pub fn calm(&self) {
        let mut state = self.lock();
        state.faults.clear();
        (state.quota, state.boot_calls, state.listed_after) = (None, 0, Duration::ZERO);
    }

    /// Limits the number of servers, over all clusters.
    pub fn set_quota(&self, servers: usize) {
        self.lock().quota = Some(servers);
    }

    /// Lets each server need this many looks until it is active.
    pub fn set_boot_calls(&self, calls: u32) {
        self.lock().boot_calls = calls;
    }

    /// Lets listings, though not the look at one server, miss a new server for so long.
    pub fn set_listed_after(&self, age: Duration) {
        self.lock().listed_after = age;
    }

    /// Sets a server's status, as an outage or a person at the cloud's own tools would.
    pub fn set_status(&self, id: &ServerId, status: Status) {
        if let Some(simulation) = self.lock().servers.get_mut(id) {
            simulation.boots_in = None;
            simulation.server.status = status;
        }
    }

    /// Removes a server, as a person at the cloud's own tools would.
    pub fn vanish(&self, id: &ServerId) {
        self.lock().servers.remove(id);
    }

    /// Lets a server come to the end of its boot, as time would.
    pub fn settle(&self, id: &ServerId) {
        if let Some(simulation) = self.lock().servers.get_mut(id)
            && simulation.boots_in.take().is_some()
        {
            simulation.server.status = simulation.fate.clone();
        }
    }

    /// A server as it is, without being looked at by a call.
    #[must_use]
    pub fn server(&self, id: &ServerId) -> Option<Server> {
        self.lock().servers.get(id).map(|simulation| simulation.server.clone())
    }

    /// Moves the cloud's own clock on.
    pub fn advance(&self, by: Duration) {
        let mut state = self.lock();
        state.now = state.now.saturating_add(millis(by));
    }

    /// All servers of all clusters with what they were made from: what a test compares with.
    #[must_use]
    pub fn servers(&self) -> Vec<(Server, ServerSpec)> {
        let state = self.lock();
        state.servers.values().map(|one| (one.server.clone(), one.spec.clone())).collect()
    }

    /// How often this was called, whatever came of it.
    #[must_use]
    pub fn calls(&self, call: Call) -> usize {
        self.lock().calls.get(&call).copied().unwrap_or(0)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds this lock")
    }

    fn enter(&self, call: Call) -> Option<Fault> {
        let mut state = self.lock();
        state.now += 1;
        *state.calls.entry(call).or_default() += 1;
        state.faults.get_mut(&call).and_then(VecDeque::pop_front)
    }
}

/// A [`Cloud`] as seen by one cluster.
#[derive(Clone, Debug)]
pub struct Simulated {
    cloud: Cloud,
    cluster: ClusterName,
}

impl Simulated {
    /// Runs `act` the way the next fault of this call wants it.
    async fn run<T>(
        &self,
        call: Call,
        act: impl FnOnce(&mut State, Option<Fault>) -> Result<T, Error> + Send,
    ) -> Result<T, Error> {
        let fault = self.cloud.enter(call);
        match &fault {
            Some(Fault::Refuse(kind)) => return Err(simulated(*kind)),
            Some(Fault::RefuseFor(wait)) => {
                return Err(simulated(ErrorKind::Rate).with_retry_after(*wait));
            }
            Some(Fault::Hang) => std::future::pending().await,
            Some(Fault::Delay(wait)) => tokio::time::sleep(*wait).await,
            Some(Fault::LoseAnswer) => {
                // Whatever came of it, the caller does not learn it.
                drop(act(&mut self.cloud.lock(), None));
                return Err(simulated(ErrorKind::Transient));
            }
            None
            | Some(Fault::NeverBoot | Fault::BreakServer(_) | Fault::Empty | Fault::Double) => {}
        }
        act(&mut self.cloud.lock(), fault)
    }

    fn owns(&self, simulation: &Simulation) -> bool {
        simulation.server.cluster == self.cluster
    }
}

impl Provider for Simulated {
    fn name(&self) -> &'static str {
        "simulated"
    }

    fn create(&self, spec: ServerSpec) -> BoxFuture<'_, Result<Server, Error>> {
        Box::pin(self.run(Call::Create, move |state, fault| {
            check(&spec, &self.cluster)?;
            if fault == Some(Fault::Double) {
                state.create(spec.clone(), None)?;
            }
            state.create(spec, fault)
        }))
    }

    fn delete<'a>(&'a self, id: &'a ServerId) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(self.run(Call::Delete, move |state, _| {
            match state.servers.get(id) {
                None => return Ok(()),
                Some(simulation) if self.owns(simulation) => {}
                Some(_) => {
                    let message = format!("deleting server {id}: it is of another cluster");
                    return Err(Error::new(ErrorKind::Conflict, message));
                }
            }
            state.servers.remove(id);
            Ok(())
        }))
    }

    fn rebuild<'a>(
        &'a self,
        id: &'a ServerId,
        spec: ServerSpec,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(self.run(Call::Rebuild, move |state, fault| {
            check(&spec, &self.cluster)?;
            let boot_calls = state.boot_calls;
            match state.servers.get_mut(id) {
                None => {
                    let message = format!("rebuilding server {id}: there is no such server");
                    Err(Error::new(ErrorKind::Gone, message))
                }
                Some(simulation) if simulation.is_busy() => {
                    let message = format!("rebuilding server {id}: it is being built");
                    Err(Error::new(ErrorKind::Conflict, message))
                }
                Some(simulation) if self.owns(simulation) => {
                    simulation.rebuild(spec, boot_calls, fault);
                    Ok(())
                }
                Some(_) => {
                    let message = format!("rebuilding server {id}: it is of another cluster");
                    Err(Error::new(ErrorKind::Conflict, message))
                }
            }
        }))
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Server>, Error>> {
        Box::pin(self.run(Call::List, move |state, fault| {
            if fault == Some(Fault::Empty) {
                return Ok(Vec::new());
            }
            let shown = state.now().plus(-millis(state.listed_after));
            let own = state.servers.values_mut().filter(|one| self.owns(one));
            let old = own.filter(|one| one.server.created_at <= shown);
            let mut listed: Vec<(u32, Server)> = old.map(|one| (one.number, one.look())).collect();
            listed.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
            Ok(listed.into_iter().map(|(_, server)| server).collect())
        }))
    }

    fn get<'a>(&'a self, id: &'a ServerId) -> BoxFuture<'a, Result<Option<Server>, Error>> {
        Box::pin(self.run(Call::Get, move |state, _| {
            let own = state.servers.get_mut(id).filter(|one| self.owns(one));
            Ok(own.map(Simulation::look))
        }))
    }
}

impl State {
    fn now(&self) -> UnixMillis {
        self.clock.as_ref().map_or(UnixMillis(self.now), Clock::now)
    }

    fn create(&mut self, spec: ServerSpec, fault: Option<Fault>) -> Result<Server, Error> {
        if self.quota.is_some_and(|quota| self.servers.len() >= quota) {
            return Err(simulated(ErrorKind::Quota));
        }
        self.made += 1;
        let host = Ipv4Addr::from_bits(Ipv4Addr::new(10, 0, 0, 0).to_bits() + self.made);
        let server = Server {
            id: ServerId::new(format!("simulated-{}", self.made)),
            name: spec.name.clone(),
            agent_id: spec.agent_id.clone(),
            cluster: spec.cluster.clone(),
            status: Status::Building,
            addresses: vec![IpAddr::V4(host)],
            created_at: self.now(),
            image: spec.image.clone(),
        };
        let (boots_in, fate) = boot(fault, self.boot_calls);
        let simulation =
            Simulation { number: self.made, server: server.clone(), spec, boots_in, fate };
        self.servers.insert(server.id.clone(), simulation);
        Ok(server)
    }
}

/// After how many looks, and as what, a server comes up that is made now.
fn boot(fault: Option<Fault>, boot_calls: u32) -> (Option<u32>, Status) {
    match fault {
        Some(Fault::NeverBoot) => (None, Status::Building),
        Some(Fault::BreakServer(text)) => (Some(boot_calls), Status::Error(text)),
        _ => (Some(boot_calls), Status::Active),
    }
}

impl Simulation {
    /// Whether the cloud still works on it, as Nova's task state says.
    fn is_busy(&self) -> bool {
        self.boots_in.is_some_and(|calls| calls > 0)
    }

    fn rebuild(&mut self, spec: ServerSpec, boot_calls: u32, fault: Option<Fault>) {
        self.server.agent_id = spec.agent_id.clone();
        self.server.image = spec.image.clone();
        self.server.status = Status::Building;
        self.spec = spec;
        (self.boots_in, self.fate) = boot(fault, boot_calls);
    }

    fn look(&mut self) -> Server {
        match self.boots_in {
            Some(0) => {
                self.boots_in = None;
                self.server.status = self.fate.clone();
            }
            Some(calls) => self.boots_in = Some(calls - 1),
            None => {}
        }
        self.server.clone()
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

fn check(spec: &ServerSpec, cluster: &ClusterName) -> Result<(), Error> {
    if spec.cluster != *cluster {
        let message = format!("creating {}: this provider is of cluster {cluster}", spec.name);
        return Err(Error::new(ErrorKind::Invalid, message));
    }
    if spec.user_data.expose().len() > USER_DATA_BYTES_MAX {
        let message = format!("creating {}: the user-data is too long", spec.name);
        return Err(Error::new(ErrorKind::Invalid, message));
    }
    Ok(())
}

fn simulated(kind: ErrorKind) -> Error {
    Error::new(kind, format!("the simulated cloud fails as told: {kind:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::conformance;

    fn name(text: &str) -> ClusterName {
        text.parse().unwrap()
    }

    fn spec(agent: &str) -> ServerSpec {
        conformance::spec(&name("home"), agent, "#cloud-config\n")
    }

    #[tokio::test]
    async fn it_conforms() {
        let cloud = Cloud::new();
        cloud.set_boot_calls(2);
        let suite = conformance::Suite {
            provider: &cloud.provider(name("home")),
            cluster: name("home"),
            foreign: &cloud.provider(name("away")),
            foreign_cluster: name("away"),
            flavor: "small".to_owned(),
            image: "any".to_owned(),
            boot_deadline: Duration::from_secs(1),
        };
        suite.run().await.unwrap();
        assert!(cloud.servers().is_empty());
    }

    #[tokio::test]
    async fn a_create_whose_answer_was_lost_is_found_by_its_agent_id() {
        let cloud = Cloud::new();
        let provider = cloud.provider(name("home"));
        cloud.inject(Call::Create, Fault::LoseAnswer);
        let error = provider.create(spec("c-1-aaaaaaaaaaaa")).await.unwrap_err();
        assert!(error.outcome_unknown());
        let listed = provider.list().await.unwrap();
        assert_eq!(listed[0].agent_id.as_str(), "c-1-aaaaaaaaaaaa");
    }

    #[tokio::test]
    async fn a_fault_strikes_once_and_in_order() {
        let cloud = Cloud::new();
        let provider = cloud.provider(name("home"));
        cloud.inject(Call::Create, Fault::Refuse(ErrorKind::Capacity));
        cloud.inject(Call::Create, Fault::RefuseFor(Duration::from_secs(7)));
        cloud.inject(Call::Create, Fault::BreakServer("no valid host".to_owned()));
        let make = || provider.create(spec("c-1-aaaaaaaaaaaa"));
        assert_eq!(make().await.unwrap_err().kind(), ErrorKind::Capacity);
        assert_eq!(make().await.unwrap_err().retry_after(), Some(Duration::from_secs(7)));
        let broken = make().await.unwrap().id;
        let seen = provider.get(&broken).await.unwrap().unwrap();
        assert_eq!(seen.status, Status::Error("no valid host".to_owned()));
        assert_eq!(cloud.calls(Call::Create), 3);
        assert_eq!(cloud.servers().len(), 1);
    }

    #[tokio::test]
    async fn a_double_is_another_server_of_the_same_generation() {
        let cloud = Cloud::new();
        let provider = cloud.provider(name("home"));
        cloud.inject(Call::Create, Fault::Double);
        let told = provider.create(spec("c-1-aaaaaaaaaaaa")).await.unwrap();
        let listed = provider.list().await.unwrap();
        assert_eq!((listed.len(), &listed[0].id), (2, &told.id));
        assert_eq!(listed[0].agent_id, listed[1].agent_id);
    }

    #[tokio::test]
    async fn a_new_server_is_listed_late() {
        let cloud = Cloud::new();
        let provider = cloud.provider(name("home"));
        cloud.set_listed_after(Duration::from_secs(5));
        let server = provider.create(spec("c-1-aaaaaaaaaaaa")).await.unwrap();
        assert!(provider.list().await.unwrap().is_empty());
        assert!(provider.get(&server.id).await.unwrap().is_some());
        cloud.advance(Duration::from_secs(5));
        assert_eq!(provider.list().await.unwrap().len(), 1);
        cloud.vanish(&server.id);
        assert!(provider.list().await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn an_empty_listing_is_a_fault_too() {
        let cloud = Cloud::new();
        let provider = cloud.provider(name("home"));
        provider.create(spec("c-1-aaaaaaaaaaaa")).await.unwrap();
        cloud.inject(Call::List, Fault::Empty);
        assert!(provider.list().await.unwrap().is_empty());
        assert_eq!(provider.list().await.unwrap().len(), 1);
    }
}
