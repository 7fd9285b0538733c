//! What must hold at each call that changes the cloud.

use super::{Facts, Judge, Look, is_over, name_of};
use muster_controller::provider::{Server, ServerId, ServerSpec};
use muster_protocol::id::AgentId;
use muster_protocol::worker::Worker;
use std::sync::Arc;

/// More may not be removed unasked by one look: the fleets here are smaller than 40.
pub(super) const AT_ONCE_MAX: usize = 3;
/// An agent that was heard within so long answers; a little less than the inspector's own measure.
const ANSWERS_MILLIS: i64 = 110_000;

/// A call that is under way until this is dropped.
pub(crate) struct UnderWay(Arc<Judge>, usize);

impl UnderWay {
    fn new(judge: &Arc<Judge>, controller: usize) -> UnderWay {
        *judge.lock().under_way.entry(controller).or_default() += 1;
        UnderWay(Arc::clone(judge), controller)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(count) = self.0.lock().under_way.get_mut(&self.1) {
            *count -= 1;
        }
    }
}

impl Judge {
    /// A controller asks for a server.
    pub(crate) fn create(self: &Arc<Self>, controller: usize, spec: &ServerSpec) -> UnderWay {
        let mut facts = self.lock();
        let agent = &spec.agent_id;
        self.leads(&mut facts, controller);
        facts.log.push(format!("{} {controller} asks for {agent}", self.seconds()));
        if !facts.intents.contains(agent) {
            self.wrong(&mut facts, &format!("{agent} is asked for without an intent"));
        }
        if !facts.asked_for.insert(agent.clone()) {
            self.wrong(&mut facts, &format!("{agent} is asked for again"));
        }
        facts.count("create");
        drop(facts);
        UnderWay::new(self, controller)
    }

    /// A controller asks for a rebuild.
    pub(crate) fn rebuild(
        self: &Arc<Self>,
        controller: usize,
        id: &ServerId,
        spec: &ServerSpec,
    ) -> UnderWay {
        let mut facts = self.lock();
        let agent = &spec.agent_id;
        self.leads(&mut facts, controller);
        facts.log.push(format!("{} {controller} rebuilds {id} as {agent}", self.seconds()));
        if facts.rebuilds.get(agent) != Some(id) {
            self.wrong(&mut facts, &format!("{agent} is rebuilt on {id} without an intent"));
        }
        if !facts.asked_for.insert(agent.clone()) {
            self.wrong(&mut facts, &format!("{agent} is asked for again"));
        }
        facts.count("rebuild");
        drop(facts);
        UnderWay::new(self, controller)
    }

    /// A controller removes a server.
    pub(crate) fn delete(self: &Arc<Self>, controller: usize, id: &ServerId) -> UnderWay {
        let server = self.cloud.server(id);
        let mut facts = self.lock();
        self.leads(&mut facts, controller);
        facts.log.push(format!("{} {controller} removes {id}", self.seconds()));
        facts.count("delete");
        if let Some(server) = server {
            self.may_go(&mut facts, controller, &server);
        }
        drop(facts);
        UnderWay::new(self, controller)
    }

    /// A controller begins a look at the cloud.
    pub(crate) fn look(&self, controller: usize) {
        let servers = self.cloud.servers().into_iter();
        let servers = servers.map(|(server, _)| (server.agent_id, server.id)).collect();
        self.lock().looks.insert(controller, Look { servers, ..Look::default() });
    }

    fn leads(&self, facts: &mut Facts, controller: usize) {
        if facts.holder != name_of(controller) {
            let what =
                format!("{} calls, and the lease is {}'s", name_of(controller), facts.holder);
            self.wrong(facts, &what);
        }
    }

    /// Whether a server may be removed: its worker ends, or it is a double, or nobody's.
    fn may_go(&self, facts: &mut Facts, controller: usize, server: &Server) {
        let registered =
            |worker: &&Worker| worker.provider_id.as_deref() == Some(server.id.as_str());
        let owner = facts.workers.values().find(registered).cloned();
        if let Some(Worker { name, phase, .. }) = owner {
            if !is_over(phase) {
                self.wrong(facts, &format!("the server of {name}, {phase}, is removed"));
            }
            return;
        }
        let present = facts.workers.get(&server.agent_id.worker()).cloned();
        match present.filter(|worker| worker.agent_id == server.agent_id) {
            Some(worker) if is_over(worker.phase) => {}
            Some(worker) => self.double(facts, controller, &worker, server),
            None => self.orphan(facts, controller, server),
        }
    }

    fn double(&self, facts: &mut Facts, controller: usize, worker: &Worker, server: &Server) {
        facts.count("double removed");
        let bound = worker.keys.as_ref().and_then(|keys| facts.owners.get(&keys.public_key));
        if bound == Some(&server.id) {
            let what = format!("the admitted server of {} is removed as a double", worker.name);
            self.wrong(facts, &what);
        }
        let others = self.cloud.servers();
        let seen = facts.looks.get(&controller).map(|look| look.servers.as_slice());
        let other = |agent: &AgentId, id: &ServerId| *agent == server.agent_id && *id != server.id;
        let there = others.iter().any(|(one, _)| other(&one.agent_id, &one.id));
        if !there && !seen.unwrap_or_default().iter().any(|(agent, id)| other(agent, id)) {
            self.wrong(facts, &format!("the only server of {} is removed", worker.agent_id));
        }
    }

    fn orphan(&self, facts: &mut Facts, controller: usize, server: &Server) {
        facts.count("orphan removed");
        let (id, agent) = (&server.id, &server.agent_id);
        if facts.confirmed.contains(id.as_str()) {
            return;
        }
        let now = self.clock.now();
        if now.since(server.created_at) <= self.grace_millis {
            self.wrong(facts, &format!("{id} is too young to be nobody's"));
        }
        if facts.is_doubtful() {
            let why = facts.doubt.clone();
            self.wrong(facts, &format!("{id} is removed unasked: {why:?}"));
        }
        if facts.ready.contains(agent) && !facts.over.contains(agent) {
            self.wrong(facts, &format!("{id} was ready, and is removed unasked"));
        }
        let heard = facts.heard.get(&(controller, agent.clone()));
        if heard.is_some_and(|heard| now.since(*heard) < ANSWERS_MILLIS) {
            self.wrong(facts, &format!("{id} is removed though its agent answers"));
        }
        let look = facts.looks.entry(controller).or_default();
        look.orphans.insert(id.clone());
        let count = look.orphans.len();
        if count > AT_ONCE_MAX {
            self.wrong(facts, &format!("{count} servers of nobody are removed at once"));
        }
    }

    /// What is left over, when all should be as it is wanted.
    ///
    /// # Errors
    /// With what is not.
    pub(crate) fn is_settled(&self, size: usize) -> Result<(), String> {
        use muster_controller::provider::Status;
        use muster_protocol::worker::Phase;
        let (workers, servers) = (self.workers(), self.cloud.servers());
        let live: Vec<&Worker> =
            workers.iter().filter(|worker| worker.phase != Phase::Terminated).collect();
        if let Some(other) = live.iter().find(|worker| worker.phase != Phase::Ready) {
            return Err(format!("{} is {}: {:?}", other.name, other.phase, other.reason));
        }
        if live.len() != size {
            return Err(format!("{} workers are ready, and {size} are wanted", live.len()));
        }
        for worker in &live {
            let of_it = |server: &&Server| server.agent_id == worker.agent_id;
            let found: Vec<&Server> = servers.iter().map(|(one, _)| one).filter(of_it).collect();
            match found.as_slice() {
                [one] if worker.provider_id.as_deref() != Some(one.id.as_str()) => {
                    return Err(format!("{} has not its server {}", worker.name, one.id));
                }
                [one] if !matches!(one.status, Status::Active | Status::Unknown) => {
                    return Err(format!("{} has a server that is {:?}", worker.name, one.status));
                }
                [_] => {}
                other => return Err(format!("{} has {} servers", worker.name, other.len())),
            }
        }
        match servers.len() == size {
            true => Ok(()),
            false => Err(format!("{} servers, and {size} workers", servers.len())),
        }
    }
}
