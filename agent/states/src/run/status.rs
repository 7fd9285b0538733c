//! What a state's requisites say: run, react, skip, or fail. Salt's `_check_requisites`.

use std::collections::BTreeMap;

use super::Runner;
use super::call::truth_of;
use crate::requisite::Kind;

/// What is to be done with a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// Something it depends on has not run.
    Unmet,
    /// Something it depends on runs in parallel, as it would itself: others go first.
    Pending,
    /// Run.
    Met,
    /// Run, and react to a change if that changed nothing.
    Change,
    /// Run, but do not react: what was watched says so.
    SkipWatch,
    /// Do not run: a requisite failed.
    Fail,
    /// Do not run: what it is there for says that nobody should react.
    SkipReq,
    /// Do not run: what it prepares for will not change.
    Pre,
    /// Do not run: nothing failed that it is there for.
    Onfail,
    /// Do not run: nothing changed that it is there for.
    Onchanges,
}

/// What the requisites of one kind, or of all, came to.
#[derive(Debug, Clone, Copy, Default)]
struct Found {
    unmet: bool,
    fail: bool,
    met: bool,
    change: bool,
    pre: bool,
    premet: bool,
    onfail: bool,
    onchanges: bool,
    onchanges_met: bool,
    skip_req: bool,
}

impl Runner<'_, '_> {
    /// The chunks that a chunk depends on, with the kind of requisite.
    pub(super) fn dependencies(&self, chunk: usize) -> Vec<(usize, Kind)> {
        let graph = &self.compiled().graph;
        let node = graph.test_of(chunk).filter(|_| self.is_test(chunk)).unwrap_or(chunk);
        let incoming = graph.nodes[node].incoming.iter();
        incoming.map(|(from, kind)| (graph.nodes[*from].step.chunk, *kind)).collect()
    }

    pub(super) fn status(&mut self, chunk: usize) -> Status {
        if self.waits(chunk) {
            return Status::Pending;
        }
        let mut by_kind: BTreeMap<Kind, Vec<usize>> = BTreeMap::new();
        for (dependency, kind) in self.dependencies(chunk) {
            by_kind.entry(kind).or_default().push(dependency);
        }
        let mut all = Found::default();
        for (kind, chunks) in by_kind {
            let mut found = Found::default();
            for dependency in chunks {
                self.look(kind, dependency, &mut found);
            }
            found.settle(kind);
            all.join(found);
        }
        all.status()
    }

    /// Waits for what runs in parallel and is depended on; one that would run in parallel itself
    /// is told to come back later instead.
    fn waits(&mut self, chunk: usize) -> bool {
        self.ended_meanwhile();
        let mut running: Vec<&str> =
            self.dependencies(chunk).into_iter().map(|(on, _)| self.tag(on)).collect();
        running.retain(|tag| self.parallel.runs(tag));
        if !running.is_empty() && truth_of(self.chunk_at(chunk), "parallel") {
            return true;
        }
        running.iter().for_each(|tag| self.has_ended(tag));
        false
    }

    fn look(&self, kind: Kind, chunk: usize, found: &mut Found) {
        let state = match kind {
            Kind::Prereq => self.pre.get(&chunk),
            _ => self.report.get(self.tag(chunk)),
        };
        let Some(state) = state else {
            found.unmet = true;
            return;
        };
        let failed = state.result == Some(false);
        found.skip_req |= state.skip_req;
        match kind {
            Kind::Onfail | Kind::OnfailAny | Kind::OnfailAll => {
                if state.result == Some(true) {
                    found.onfail = true;
                    return;
                }
            }
            // A failed target counts as one without changes.
            Kind::Onchanges | Kind::OnchangesAny => {
                if failed || state.changes.is_empty() {
                    found.onchanges = true;
                } else {
                    found.onchanges_met = true;
                }
                return;
            }
            Kind::Require | Kind::RequireAny | Kind::Prereq | Kind::Listen if failed => {
                found.fail = true;
                return;
            }
            Kind::Watch | Kind::WatchAny if failed => {
                found.fail = true;
                return;
            }
            Kind::Watch | Kind::WatchAny if !state.changes.is_empty() => {
                found.change = true;
                return;
            }
            Kind::Prereq if state.result.is_none() => {
                found.premet = true;
                return;
            }
            Kind::Prereq => {
                found.pre = true;
                return;
            }
            Kind::Require | Kind::RequireAny | Kind::Watch | Kind::WatchAny | Kind::Listen => {}
        }
        found.met |= state.state_ran != Some(false);
    }
}

impl Found {
    /// One is enough for `_any`; `onfail` alone is an `_any`; `_all` wants all.
    fn settle(&mut self, kind: Kind) {
        match kind {
            Kind::RequireAny
            | Kind::WatchAny
            | Kind::OnchangesAny
            | Kind::OnfailAny
            | Kind::Onfail => {
                self.fail &= !(self.met || self.change || self.onchanges_met);
                self.onchanges &= !self.onchanges_met;
                self.onfail &= !self.met;
            }
            Kind::OnfailAll => self.met &= !self.onfail,
            Kind::Require | Kind::Onchanges | Kind::Watch | Kind::Prereq | Kind::Listen => {}
        }
    }

    fn join(&mut self, other: Found) {
        self.unmet |= other.unmet;
        self.fail |= other.fail;
        self.met |= other.met;
        self.change |= other.change;
        self.pre |= other.pre;
        self.premet |= other.premet;
        self.onfail |= other.onfail;
        self.onchanges |= other.onchanges;
        self.onchanges_met |= other.onchanges_met;
        self.skip_req |= other.skip_req;
    }

    fn status(self) -> Status {
        if self.unmet {
            Status::Unmet
        } else if self.fail {
            Status::Fail
        } else if self.skip_req && (self.onchanges_met || self.premet) {
            Status::SkipReq
        } else if self.skip_req && self.change {
            Status::SkipWatch
        } else if self.pre {
            if self.premet { Status::Met } else { Status::Pre }
        } else if self.onfail && !self.onchanges_met {
            Status::Onfail
        } else if self.onchanges && !self.onchanges_met {
            Status::Onchanges
        } else if self.change {
            Status::Change
        } else if self.onfail {
            Status::Onfail
        } else {
            Status::Met
        }
    }
}
