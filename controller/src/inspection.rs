//! Looks at the clouds: what they show against what is known, and does what may be done about it.
//!
//! The judgement is [`crate::doubt`]'s; here the clouds are asked, one after the other, so that one
//! which does not answer says nothing about the rest.

use crate::config::Config;
use crate::doubt::{self, Findings, Sight, Trust};
use crate::launcher::{self, Cloud, Launcher};
use crate::lifecycle::Input;
use crate::provider::{Server, ServerId, Status};
use crate::reconciler::{self, Hearing};
use crate::registry::Registry;
use crate::trust::{self, Keeper};
use muster_protocol::api::CloudView;
use muster_protocol::id::{AgentId, WorkerName};
use muster_protocol::worker::{FailureKind, Phase, Worker};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// An agent that was heard within so long answers: its server is no orphan.
const ANSWERS_MILLIS: i64 = 120_000;

/// Compares the clouds with what is known.
#[derive(Debug)]
pub struct Inspector {
    /// Pools and times.
    pub config: Arc<Config>,
    /// What is known.
    pub registry: Arc<Registry>,
    /// Who calls the clouds.
    pub launcher: Arc<Launcher>,
    /// What may be believed.
    pub keeper: Arc<Keeper>,
    /// When agents were heard.
    pub hearing: Arc<dyn Hearing>,
}

impl Inspector {
    /// Looks at all clouds once, and does what may be done.
    pub async fn look(&self) {
        for cloud in self.launcher.clouds.values() {
            match self.launcher.list(cloud).await {
                Ok(servers) => {
                    if let Err(error) = self.compare(cloud, &servers).await {
                        tracing::warn!(
                            cloud = cloud.name,
                            error = crate::chain(&error),
                            "nothing is concluded"
                        );
                    }
                }
                Err(error) => {
                    let error = crate::chain(&error);
                    tracing::warn!(cloud = cloud.name, error, "a cloud cannot be listed");
                }
            }
        }
    }

    /// Whether all clouds were asked, and none has a server of this cluster.
    pub async fn all_empty(&self) -> bool {
        for cloud in self.launcher.clouds.values() {
            if !self.launcher.list(cloud).await.is_ok_and(|servers| servers.is_empty()) {
                return false;
            }
        }
        true
    }

    async fn compare(&self, cloud: &Cloud, servers: &[Server]) -> Result<(), trust::Error> {
        let workers = self.workers_of(cloud);
        self.locate(&workers, servers).await;
        let answering = self.answering(&workers);
        let sight = Sight {
            workers: &workers,
            servers,
            now: self.registry.now(),
            grace_millis: i64::from(self.config.timeouts.orphan_secs) * 1000,
            build_millis: i64::from(self.config.timeouts.build_secs) * 1000,
            lost_idle_millis: i64::from(self.config.timeouts.lost_idle_secs) * 1000,
            answering: &answering,
        };
        let mut findings = doubt::compare(sight);
        let trust = self.keeper.trust(&cloud.name).await?;
        let found = findings.names();
        let alive = self.take_alive(&mut findings, &trust);
        let mut verdict = doubt::judge(findings, sight, &trust);
        if !alive.is_empty() {
            let count = alive.len();
            verdict.doubts.push(format!("{count} servers of nobody, and their agents answer"));
            verdict.asked.extend(alive);
        }
        let late = workers.iter().filter(|worker| self.is_overdue(worker)).count();
        if trust.registry.is_some() && late > 0 {
            verdict.doubts.push(format!(
                "{late} workers whose time was over by this registry, and that may be at work"
            ));
        }
        for doubt in &verdict.doubts {
            tracing::warn!(cloud = cloud.name, doubt, "somebody must say what is right");
        }
        self.keeper.ask(&cloud.name, verdict.doubts, verdict.asked, &found).await?;
        self.act(cloud, verdict.act).await;
        Ok(())
    }

    fn is_overdue(&self, worker: &Worker) -> bool {
        reconciler::overdue(worker, &self.config, self.registry.now()).is_some()
    }

    /// Servers of nobody whose agents answer: a person must say that they may go. Whether they do
    /// is known once somebody has listened for long enough; until then they are left alone.
    fn take_alive(&self, findings: &mut Findings, trust: &Trust) -> Vec<String> {
        let (mut alive, now) = (Vec::new(), self.registry.now());
        for (id, agent) in std::mem::take(&mut findings.orphans) {
            let is_confirmed = trust.confirmed.contains(id.as_str());
            match self.hearing.answers(&agent, now, ANSWERS_MILLIS) {
                Some(true) if !is_confirmed => alive.push(id.to_string()),
                None if !is_confirmed && trust.registry.is_none() => findings.young.push(id),
                _ => findings.orphans.push((id, agent)),
            }
        }
        alive
    }

    /// Workers' agents that were heard within half of the time after which they are lost: soon
    /// enough to say that they live, and not so long ago that what is gone is kept for minutes.
    fn answering(&self, workers: &[Worker]) -> HashSet<AgentId> {
        let (now, limit) = (self.registry.now(), i64::from(self.config.timeouts.lost_secs) * 500);
        let agents = workers.iter().map(|worker| &worker.agent_id);
        agents.filter(|agent| self.hearing.silence(agent, now) < limit).cloned().collect()
    }

    fn workers_of(&self, cloud: &Cloud) -> Vec<Worker> {
        let of_it = |worker: &Worker| {
            self.config.pools.get(&worker.pool).is_some_and(|pool| pool.provider == cloud.name)
        };
        self.registry.workers().into_iter().filter(of_it).collect()
    }

    /// Takes what the cloud tells late: the id of a server whose agent enrolled while the
    /// controller that had asked for it was killed, and addresses.
    async fn locate(&self, workers: &[Worker], servers: &[Server]) {
        let mut by_agent: HashMap<&AgentId, Vec<&Server>> = HashMap::new();
        for server in servers.iter().filter(|server| server.status != Status::Deleted) {
            by_agent.entry(&server.agent_id).or_default().push(server);
        }
        for worker in workers.iter().filter(|worker| !worker.phase.is_over()) {
            let Some(servers) = by_agent.get(&worker.agent_id) else { continue };
            if let Some(told) = told(worker, servers) {
                self.happen(&worker.agent_id, &told).await;
            }
        }
    }

    async fn act(&self, cloud: &Cloud, act: Findings) {
        for name in act.missing {
            self.missing(cloud, &name).await;
        }
        for name in act.stopped {
            let reason = "its server is stopped".to_owned();
            self.failed(&name, FailureKind::Gone, reason).await;
        }
        for (name, reason) in act.broken {
            let kind = launcher::failure(cloud.provider.fault_kind(&reason));
            self.failed(&name, kind, format!("its server failed: {reason}")).await;
        }
        for name in act.silent {
            let secs = self.config.timeouts.lost_idle_secs;
            let reason = format!("it was idle, and lost for more than {secs} s");
            if let Some(worker) = self.registry.worker(&name) {
                self.happen(&worker.agent_id, &Input::Terminate(reason)).await;
            }
        }
        for name in act.stuck {
            let secs = self.config.timeouts.build_secs;
            let reason = format!("its server was not built within {secs} s");
            self.failed(&name, FailureKind::Cloud, reason).await;
        }
        let orphans = act.orphans.into_iter().map(|(id, _)| (id, "a server of nobody"));
        let doubles = act.doubles.into_iter().map(|id| (id, "a double of a server"));
        for (id, what) in orphans.chain(doubles) {
            tracing::warn!(cloud = cloud.name, server_id = %id, what, "a server is removed");
            match self.launcher.delete(cloud, &id).await {
                Err(error) if error.is_of_the_lease() => {
                    tracing::info!(server_id = %id, %error, "left to who leads");
                }
                Err(error) => {
                    let error = crate::chain(&error);
                    tracing::warn!(server_id = %id, error, "it is tried again");
                }
                Ok(()) => {}
            }
        }
    }

    /// The listing does not show it; the cloud is asked for it by id before it is given up.
    async fn missing(&self, cloud: &Cloud, name: &WorkerName) {
        let Some(worker) = self.registry.worker(name) else { return };
        let Some(id) = worker.provider_id.as_ref().map(ServerId::new) else { return };
        match self.launcher.server(cloud, &id).await {
            Ok(None) => self.happen(&worker.agent_id, &Input::Gone).await,
            Ok(Some(server)) if server.status == Status::Deleted => {
                self.happen(&worker.agent_id, &Input::Gone).await;
            }
            Ok(Some(_)) | Err(_) => {}
        }
    }

    async fn failed(&self, name: &WorkerName, kind: FailureKind, reason: String) {
        if let Some(worker) = self.registry.worker(name) {
            self.happen(&worker.agent_id, &Input::ServerFailed { kind, reason }).await;
        }
    }

    async fn happen(&self, agent: &AgentId, input: &Input) {
        if let Err(error) = self.registry.happen_to(agent, input).await {
            tracing::debug!(agent_id = %agent, %error, "it changed meanwhile");
        }
    }

    /// Both sides of all clouds, as they are now.
    pub async fn both_sides(&self) -> Vec<CloudView> {
        let mut views = Vec::new();
        for (name, cloud) in &self.launcher.clouds {
            match self.launcher.list(cloud).await {
                Ok(servers) => views.extend(sides(name, &self.workers_of(cloud), &servers)),
                Err(error) => views.push(silent(name, &crate::chain(&error))),
            }
        }
        views
    }
}

/// What a worker's servers tell of it that is not known yet.
fn told(worker: &Worker, servers: &[&Server]) -> Option<Input> {
    let Some(known) = worker.provider_id.as_ref().map(ServerId::new) else {
        // Of doubles the oldest stays.
        let server = servers.iter().min_by_key(|server| (server.created_at, &server.id))?;
        let addresses = server.addresses.clone();
        let created = Input::Created { id: server.id.to_string(), addresses };
        return worker.keys.is_some().then_some(created);
    };
    let server = servers.iter().find(|server| server.id == known)?;
    let moved = server.addresses != worker.addresses;
    moved.then(|| Input::Located(server.addresses.clone()))
}

fn silent(provider: &str, why: &str) -> CloudView {
    CloudView {
        provider: provider.to_owned(),
        worker: None,
        phase: None,
        server: None,
        status: None,
        difference: Some(format!("the cloud does not answer: {why}")),
    }
}

/// One line for each worker that is not over, and for each server beside.
fn sides(provider: &str, workers: &[Worker], servers: &[Server]) -> Vec<CloudView> {
    let mut left: Vec<&Server> = servers.iter().collect();
    let mut views = Vec::new();
    for worker in workers.iter().filter(|worker| worker.phase != Phase::Terminated) {
        let at = left.iter().position(|server| is_server_of(server, worker));
        let server = at.map(|at| left.remove(at));
        views.push(CloudView {
            provider: provider.to_owned(),
            worker: Some(worker.name.clone()),
            phase: Some(worker.phase),
            server: server.map(|server| server.id.to_string()).or(worker.provider_id.clone()),
            status: server.map(|server| status(&server.status)),
            difference: difference(worker, server),
        });
    }
    views.extend(left.into_iter().map(|server| CloudView {
        provider: provider.to_owned(),
        worker: None,
        phase: None,
        server: Some(server.id.to_string()),
        status: Some(status(&server.status)),
        difference: Some(format!("no worker is {}", server.agent_id)),
    }));
    views
}

fn is_server_of(server: &Server, worker: &Worker) -> bool {
    match &worker.provider_id {
        Some(id) => server.id == ServerId::new(id.clone()),
        None => server.agent_id == worker.agent_id,
    }
}

fn status(status: &Status) -> String {
    match status {
        Status::Building => "building".to_owned(),
        Status::Active => "active".to_owned(),
        Status::Stopped => "stopped".to_owned(),
        Status::Error(why) => format!("error: {why}"),
        Status::Deleted => "deleted".to_owned(),
        Status::Unknown => "unknown".to_owned(),
    }
}

fn difference(worker: &Worker, server: Option<&Server>) -> Option<String> {
    let Some(server) = server else {
        return worker
            .provider_id
            .as_ref()
            .map(|_| "the cloud does not show its server".to_owned());
    };
    if server.agent_id != worker.agent_id {
        return Some(format!("its server bears {}", server.agent_id));
    }
    let works = matches!(worker.phase, Phase::Ready | Phase::Lost | Phase::Draining);
    (works && server.status != Status::Active)
        .then(|| format!("it is {} here and {} there", worker.phase, status(&server.status)))
}
