//! The machines: each server of the cloud boots, enrols as the agent that its user-data names,
//! applies its states, and sends frames; some never come, some come late.

use crate::dice::Dice;
use crate::seat::{Handle, Seat};
use crate::world::{Shared, wait};
use muster_controller::lifecycle::Input;
use muster_controller::provider::{Server, ServerId, ServerSpec, Status};
use muster_controller::registry;
use muster_protocol::bus::Caller;
use muster_protocol::enrol::{Claim, Request, Verdict};
use muster_protocol::event::Outcome;
use muster_protocol::id::{AgentId, Token, random};
use muster_protocol::wire;
use nkeys::{KeyPair, XKey};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How often somebody looks whether the cloud has a new machine.
const GLANCE: Duration = Duration::from_millis(700);
/// Between two frames.
const FRAME: Duration = Duration::from_secs(10);
/// An address of no server.
const ELSEWHERE: &str = "192.0.2.66";

/// All machines.
pub(crate) struct Machines {
    shared: Arc<Shared>,
    seats: Arc<Vec<Seat>>,
    dice: Dice,
    /// Generations that a machine was switched on for.
    known: Mutex<BTreeSet<(ServerId, AgentId)>>,
    silent: Mutex<BTreeMap<ServerId, Instant>>,
    calm: AtomicBool,
}

/// One machine in one generation.
struct Machine {
    all: Arc<Machines>,
    server: Server,
    /// Where its connection comes from.
    host: String,
    bootstrap: KeyPair,
    dice: Dice,
}

impl Machines {
    pub(crate) fn new(shared: &Arc<Shared>, seats: &Arc<Vec<Seat>>) -> Machines {
        Machines {
            shared: Arc::clone(shared),
            seats: Arc::clone(seats),
            dice: shared.dice.fork(),
            known: Mutex::default(),
            silent: Mutex::default(),
            calm: AtomicBool::new(false),
        }
    }

    /// Switches machines on, for as long as the world is.
    pub(crate) async fn run(self: Arc<Self>) {
        loop {
            for (server, spec) in self.shared.cloud.servers() {
                let life = (server.id.clone(), server.agent_id.clone());
                let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
                if server.status != Status::Active || !known.insert(life) {
                    continue;
                }
                drop(known);
                let host = server.addresses.first().map(ToString::to_string).unwrap_or_default();
                if let Some(machine) = self.machine(server, &spec, host) {
                    tokio::spawn(machine.live());
                }
            }
            wait(GLANCE).await;
        }
    }

    fn machine(
        self: &Arc<Self>,
        server: Server,
        spec: &ServerSpec,
        host: String,
    ) -> Option<Machine> {
        let text = spec.user_data.expose();
        let line = text.lines().find_map(|line| line.trim().strip_prefix("seed: "))?;
        let bootstrap = KeyPair::from_seed(line.trim_matches('"')).ok()?;
        Some(Machine { all: Arc::clone(self), server, host, bootstrap, dice: self.dice.fork() })
    }

    /// Lets a server's agent be silent.
    pub(crate) fn mute(&self, at: u8, secs: u8) {
        let servers = self.shared.cloud.servers();
        if !servers.is_empty() {
            let id = servers[usize::from(at) % servers.len()].0.id.clone();
            let until = Instant::now() + Duration::from_secs(u64::from(secs));
            self.shared.judge.note(format!("{id} is silent"));
            self.silent.lock().unwrap_or_else(PoisonError::into_inner).insert(id, until);
        }
    }

    /// Lets somebody enrol with what a machine's user-data holds.
    pub(crate) fn steal(self: &Arc<Self>, at: u8, same_host: bool) {
        let servers = self.shared.cloud.servers();
        if servers.is_empty() {
            return;
        }
        let (server, spec) = servers[usize::from(at) % servers.len()].clone();
        let own = server.addresses.first().map(ToString::to_string).unwrap_or_default();
        let host = if same_host { own } else { ELSEWHERE.to_owned() };
        self.shared.judge.stolen(&server.agent_id);
        if let Some(thief) = self.machine(server, &spec, host) {
            tokio::spawn(async move { Box::pin(thief.enrol()).await });
        }
    }

    /// From now on every machine does what it should.
    pub(crate) fn calm(&self) {
        self.calm.store(true, Ordering::Relaxed);
        self.silent.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn fails(&self, dice: &Dice, percent: u8) -> bool {
        dice.percent(percent) && !self.calm.load(Ordering::Relaxed)
    }

    fn handles(&self) -> Vec<Handle> {
        self.seats.iter().filter_map(Seat::handle).collect()
    }

    fn is_silent(&self, id: &ServerId) -> bool {
        let silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        silent.get(id).is_some_and(|until| *until > Instant::now())
    }
}

impl Machine {
    async fn live(self) {
        let late = match self.dice.below(20) {
            0 if self.all.fails(&self.dice, 100) => return,
            1 | 2 if self.all.fails(&self.dice, 100) => self.dice.millis(100_000, 600_000),
            _ => self.dice.millis(500, 20_000),
        };
        wait(late).await;
        if !Box::pin(self.enrol()).await {
            return;
        }
        let mut applies = Instant::now() + self.dice.millis(500, 30_000);
        let (mut applied, mut next) = (false, Instant::now());
        while self.is_there() {
            if !applied && applies <= Instant::now() && self.is_up() {
                applied = self.apply().await;
                applies = Instant::now() + self.dice.millis(2_000, 60_000);
            }
            if next <= Instant::now() {
                self.frame();
                next = Instant::now() + FRAME;
            }
            wait(Duration::from_secs(2)).await;
        }
    }

    fn now(&self) -> Option<Server> {
        let server = self.all.shared.cloud.server(&self.server.id);
        server.filter(|server| server.agent_id == self.server.agent_id)
    }

    fn is_there(&self) -> bool {
        self.now().is_some()
    }

    fn is_up(&self) -> bool {
        self.now().is_some_and(|server| matches!(server.status, Status::Active | Status::Unknown))
    }

    /// Whether it was admitted.
    async fn enrol(&self) -> bool {
        let (key, xkey) = (KeyPair::new_user(), XKey::new());
        let agent = &self.server.agent_id;
        let owner = match self.host.as_str() {
            ELSEWHERE => ServerId::new("elsewhere"),
            _ => self.server.id.clone(),
        };
        self.all.shared.judge.made_keys(&key.public_key(), &owner);
        let claim = Claim {
            agent_id: agent.clone(),
            public_key: key.public_key(),
            xkey: xkey.public_key(),
            server_id: None,
            facts: BTreeMap::new(),
            nonce: Token::random(random()),
            version: "simulated".into(),
        };
        let request = Request::sign(&claim, &self.bootstrap, &key).expect("a claim is signed");
        let payload = wire::encode(&request);
        let caller = Caller {
            account: "AGENTS".to_owned(),
            key: self.bootstrap.public_key(),
            name: agent.to_string(),
            host: self.host.clone(),
            ..Caller::default()
        };
        let mut refusals = 0;
        while self.is_there() && refusals < 3 {
            let handles = self.all.handles();
            if let Some(handle) = self.dice.pick(&handles).filter(|_| self.is_up()) {
                let judged = handle.enrolment.judge(agent, &caller, &payload);
                let verdict = handle.ask(judged).await.map(|(_, verdict)| verdict);
                match verdict.filter(|_| !self.all.fails(&self.dice, 10)) {
                    Some(Verdict::Admitted(_)) => return true,
                    Some(Verdict::Refused(why)) => {
                        self.all.shared.judge.note(format!("{agent} at {owner} refused: {why}"));
                        self.all.shared.judge.count("refused");
                        refusals += 1;
                    }
                    Some(Verdict::Later(_)) | None => {}
                }
            }
            wait(self.dice.millis(1_000, 15_000)).await;
        }
        false
    }

    /// Whether all states were applied, and that was told.
    async fn apply(&self) -> bool {
        let failed = u32::from(self.all.fails(&self.dice, 15));
        let outcome = Outcome { total: 3, changed: 3, failed, ..Outcome::default() };
        let failure = (failed > 0).then(|| "1 of 3 states failed".to_owned());
        let input = Input::Applied { outcome, failure };
        let handles = self.all.handles();
        let Some(handle) = self.dice.pick(&handles) else { return false };
        let told = handle.ask(handle.registry.happen_to(&self.server.agent_id, &input)).await;
        failed == 0 && matches!(told, Some(Ok(_) | Err(registry::Error::Refused(_))))
    }

    /// Sends a frame, which may be lost.
    fn frame(&self) {
        if !self.is_up() || self.all.is_silent(&self.server.id) {
            return;
        }
        let (shared, agent) = (&self.all.shared, &self.server.agent_id);
        for handle in self.all.handles() {
            if !self.all.fails(&self.dice, 10) {
                handle.heartbeats.0.beat(agent, shared.clock.now());
                shared.judge.heard(handle.number, agent);
            }
        }
    }
}
