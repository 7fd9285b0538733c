//! What must hold at each write of a document.

use super::{Facts, Judge, is_over, name_of};
use muster_controller::provider::ServerId;
use muster_protocol::seal::Signed;
use muster_protocol::wire::{self, Message};
use muster_protocol::worker::{FailureKind, Occupancy, Phase, Worker};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Serialize, Deserialize)]
struct Lease {
    holder: String,
}

impl Message for Lease {
    const NAME: &'static str = "lease";
}

#[derive(Serialize, Deserialize)]
struct Identity {
    epoch: u64,
    doubt: Option<String>,
}

impl Message for Identity {
    const NAME: &'static str = "identity";
}

#[derive(Serialize, Deserialize)]
struct Confirmed {
    about: BTreeMap<String, BTreeSet<String>>,
}

impl Message for Confirmed {
    const NAME: &'static str = "confirmed";
}

/// Reads a worker's document; who signed it is the registry's business.
pub(crate) fn worker(bytes: &[u8]) -> Option<Worker> {
    let signed: Signed = wire::decode(bytes).ok()?;
    wire::decode(&signed.body).ok()
}

/// The epoch in a registry's identity.
pub(crate) fn epoch(bytes: &[u8]) -> Option<u64> {
    wire::decode::<Identity>(bytes).ok().map(|identity| identity.epoch)
}

impl Judge {
    /// A worker's document landed.
    pub(crate) fn worker_written(&self, bytes: &[u8]) {
        let mut facts = self.lock();
        let Some(next) = worker(bytes) else {
            return self.wrong(&mut facts, "a document cannot be read");
        };
        facts.changes.push(self.clock.now());
        let before = facts.workers.insert(next.name.clone(), next.clone());
        let from = before.as_ref().map_or("nothing", |before| before.phase.name());
        if before.as_ref().is_none_or(|b| b.phase != next.phase || b.agent_id != next.agent_id) {
            let (agent, to) = (&next.agent_id, next.phase);
            let (reason, server) = (&next.reason, &next.provider_id);
            let line = format!("{} {agent}: {from} -> {to} {server:?} {reason:?}", self.seconds());
            facts.log.push(line);
            facts.count(to.name());
        }
        if let Some(before) = before.as_ref().filter(|b| b.agent_id != next.agent_id) {
            facts.over.insert(before.agent_id.clone());
        }
        match before.filter(|before| before.agent_id == next.agent_id) {
            Some(before) => self.same_generation(&mut facts, &before, &next),
            None => self.new_generation(&mut facts, from, &next),
        }
        match next.phase {
            Phase::Launching => drop(facts.intents.insert(next.agent_id.clone())),
            Phase::Ready => drop(facts.ready.insert(next.agent_id.clone())),
            phase if is_over(phase) => drop(facts.over.insert(next.agent_id.clone())),
            _ => {}
        }
    }

    fn new_generation(&self, facts: &mut Facts, from: &str, next: &Worker) {
        let agent = &next.agent_id;
        if !facts.ids.insert(agent.clone()) {
            self.wrong(facts, &format!("the id {agent} is used again"));
        }
        if next.keys.is_some() {
            self.wrong(facts, &format!("{agent} begins with keys"));
        }
        if !["nothing", "pending", "terminated", "rebuilding"].contains(&from) {
            self.wrong(facts, &format!("{agent} begins while another generation is {from}"));
        }
        if next.phase == Phase::Rebuilding
            && let Some(id) = &next.provider_id
        {
            facts.rebuilds.insert(agent.clone(), ServerId::new(id.clone()));
        }
    }

    fn same_generation(&self, facts: &mut Facts, before: &Worker, next: &Worker) {
        let agent = &next.agent_id;
        let key = |worker: &Worker| worker.keys.as_ref().map(|keys| keys.public_key.clone());
        if key(before).is_some() && key(next) != key(before) {
            self.wrong(facts, &format!("{agent} is bound to a second pair of keys"));
        }
        if before.provider_id.is_some() && next.provider_id != before.provider_id {
            let (was, is) = (&before.provider_id, &next.provider_id);
            self.wrong(facts, &format!("{agent} changes its server from {was:?} to {is:?}"));
        }
        let admitted = key(before).is_none() && key(next).is_some();
        if admitted {
            facts.count("admitted");
            if facts.over.contains(agent) {
                self.wrong(facts, &format!("the fenced generation {agent} is admitted"));
            }
        }
        let found = before.provider_id.is_none() && next.provider_id.is_some();
        if (admitted || found)
            && let (Some(key), Some(server)) = (key(next), &next.provider_id)
        {
            let owner = facts.owners.get(&key).map(ServerId::as_str);
            if owner != Some(server.as_str()) {
                let what = format!("{agent} is on {server}, and admitted is {owner:?}: a double");
                self.wrong(facts, &what);
            }
        }
        if before.phase != next.phase {
            self.moved(facts, before, next);
        }
    }

    /// Running jobs are never killed by scale-down, rebuild, or a doubt.
    fn moved(&self, facts: &mut Facts, before: &Worker, next: &Worker) {
        let agent = &next.agent_id;
        let has_jobs = matches!(before.phase, Phase::Ready | Phase::Lost | Phase::Draining);
        let idle = !has_jobs || before.occupancy == Occupancy::Idle;
        let (from, to) = (before.phase, next.phase);
        let how = format!("{:?}, held: {}", before.occupancy, before.held);
        match to {
            Phase::Terminating if !facts.ended.contains(agent) && (!idle || before.held) => {
                self.wrong(facts, &format!("{agent} is ended unasked, {from} and {how}"));
            }
            Phase::Rebuilding if !idle || before.held => {
                self.wrong(facts, &format!("{agent} is rebuilt, {from} and {how}"));
            }
            Phase::Failed if has_jobs => self.failed(facts, before, next),
            _ => {}
        }
    }

    /// What may have jobs fails only when its server did, or its identity was stolen.
    fn failed(&self, facts: &mut Facts, before: &Worker, next: &Worker) {
        let agent = &next.agent_id;
        let kind = next.failures.as_ref().map(|failures| failures.kind);
        let id = next.provider_id.as_ref().map(ServerId::new);
        let harmed =
            id.is_none_or(|id| facts.harmed.contains(&id) || self.cloud.server(&id).is_none());
        let right = match kind {
            Some(FailureKind::Security) => facts.stolen.contains(agent),
            Some(FailureKind::Gone | FailureKind::Cloud) => harmed,
            Some(FailureKind::Boot | FailureKind::Capacity) | None => false,
        };
        if !right {
            let (from, why) = (before.phase, &next.reason);
            self.wrong(facts, &format!("{agent} fails without a cause, {from}: {kind:?} {why:?}"));
        }
    }

    /// A controller is about to change a worker's document.
    pub(crate) fn worker_asked(&self, controller: usize, bytes: &[u8]) {
        let Some(next) = worker(bytes) else { return };
        let mut facts = self.lock();
        let gone = next.failures.as_ref().is_some_and(|f| f.kind == FailureKind::Gone);
        let newly = facts.workers.get(&next.name).is_some_and(|before| {
            before.agent_id == next.agent_id && before.phase != Phase::Failed
        });
        let confirmed = facts.confirmed.contains(next.name.as_str());
        if next.phase != Phase::Failed || !gone || !newly || confirmed {
            return;
        }
        if facts.is_doubtful() {
            let why = facts.doubt.clone();
            self.wrong(&mut facts, &format!("{} is given up unasked: {why:?}", next.name));
        }
        let look = facts.looks.entry(controller).or_default();
        look.lost.insert(next.name.clone());
        let count = look.lost.len();
        if count > super::calls::AT_ONCE_MAX {
            self.wrong(&mut facts, &format!("{count} workers are given up at once, unasked"));
        }
    }

    /// A document of the cluster landed.
    pub(crate) fn cluster_written(&self, key: &str, bytes: &[u8]) {
        match key {
            "lease" => self.lease_written(bytes),
            "identity" => {
                let doubt = wire::decode::<Identity>(bytes).map(|identity| identity.doubt);
                let mut facts = self.lock();
                let (before, now) = (facts.doubt.take(), doubt.unwrap_or_default());
                if before != now {
                    facts.log.push(format!("{} the registry's doubt: {now:?}", self.seconds()));
                }
                facts.doubt = now;
            }
            "confirmed" => {
                let about = wire::decode::<Confirmed>(bytes)
                    .map(|confirmed| confirmed.about.into_values().flatten().collect());
                let mut facts = self.lock();
                facts.log.push(format!("{} confirmed: {about:?}", self.seconds()));
                facts.confirmed = about.unwrap_or_default();
            }
            _ => {}
        }
    }

    fn lease_written(&self, bytes: &[u8]) {
        let mut facts = self.lock();
        let Ok(lease) = wire::decode::<Lease>(bytes) else {
            return self.wrong(&mut facts, "the lease cannot be read");
        };
        if lease.holder == facts.holder {
            return;
        }
        facts.log.push(format!("{} the lease is {:?}'s", self.seconds(), lease.holder));
        facts.count("lease moved");
        facts.holder = lease.holder;
        let calls = facts.under_way.iter().filter(|(_, count)| **count > 0);
        let others = calls.map(|(of, _)| name_of(*of)).filter(|of| *of != facts.holder);
        let others: Vec<String> = others.collect();
        if !others.is_empty() && !facts.holder.is_empty() {
            self.wrong(&mut facts, &format!("{others:?} have calls under way beyond the lease"));
        }
    }
}
