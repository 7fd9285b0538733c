//! The verdict: what every worker must have done, and why it is not so.

use super::way;
use crate::command::call;
use crate::failure::Failure;
use crate::output::{Cell, Style, Table, span};
use muster_protocol::api::WorkerView;
use muster_protocol::event::Outcome;
use muster_protocol::worker::Phase;
use serde::Serialize;

/// Samples of each worker that must have come through the sink.
pub(super) const SAMPLES_MIN: usize = 2;
/// States of the quickstart tree that must have changed something.
const CHANGED_MIN: u32 = 10;

/// What the demo prints.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Report {
    /// All is as it should be.
    pub(super) ok: bool,
    /// Each worker.
    pub(super) workers: Vec<Worker>,
    /// What the second apply did: nothing. None if it did not come to that.
    pub(super) second_apply: Option<Second>,
    /// From the start of the demo to the verdict.
    pub(super) elapsed_ms: u64,
    /// Why it is not ok.
    pub(super) reasons: Vec<String>,
}

/// One worker; times are milliseconds from its launch.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Worker {
    name: String,
    agent_id: String,
    provider_id: Option<String>,
    enrolled: Option<i64>,
    configured: Option<i64>,
    ready: Option<i64>,
    first_sample: Option<i64>,
    states: States,
    samples: usize,
    #[serde(skip)]
    phase: Phase,
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
struct States {
    total: u32,
    changed: u32,
    failed: u32,
}

/// The second apply, on all workers together.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Second {
    /// States that changed something.
    changed: u32,
    /// Workers that did not succeed.
    failed: Vec<String>,
}

impl Worker {
    /// A worker with the result of its first apply and its samples.
    pub(super) fn new(view: &WorkerView, first: Option<&Outcome>, samples: usize) -> Worker {
        let [enrolled, configured, ready, first_sample] = way::reported(&view.milestones);
        let first = first.or(view.states.as_ref()).cloned().unwrap_or_default();
        let Outcome { total, changed, failed, .. } = first;
        Worker {
            name: view.name.to_string(),
            agent_id: view.agent_id.to_string(),
            provider_id: view.provider_id.clone(),
            enrolled,
            configured,
            ready,
            first_sample,
            states: States { total, changed, failed },
            samples,
            phase: view.phase,
        }
    }

    fn reasons(&self) -> Vec<String> {
        let Worker { name, states, samples, phase, .. } = self;
        let mut reasons = Vec::new();
        if *phase != Phase::Ready {
            reasons.push(format!("{name} is {phase}, not ready"));
        }
        if states.failed > 0 {
            reasons.push(format!("{} states failed on {name}", states.failed));
        }
        if states.changed < CHANGED_MIN {
            let changed = states.changed;
            reasons.push(format!("{changed} states changed on {name}, not {CHANGED_MIN} or more"));
        }
        if *samples < SAMPLES_MIN {
            reasons.push(format!("{samples} samples of {name} came, not {SAMPLES_MIN} or more"));
        }
        reasons
    }
}

impl Second {
    /// Sums up the call.
    pub(super) fn of(report: &call::Report) -> Second {
        let summary = &report.summary;
        let failed = summary.failed.iter().chain(&summary.did_not_answer).cloned().collect();
        Second { changed: report.results.iter().map(call::changed).sum(), failed }
    }

    fn reasons(&self) -> Vec<String> {
        let Second { changed, failed } = self;
        let changed = (*changed > 0).then(|| format!("the second apply changed {changed} states"));
        let names = failed.join(", ");
        let failed = (!failed.is_empty()).then(|| format!("the second apply failed on {names}"));
        changed.into_iter().chain(failed).collect()
    }
}

impl Report {
    /// Judges.
    pub(super) fn new(
        wanted: u32,
        workers: Vec<Worker>,
        second_apply: Option<Second>,
        elapsed_ms: u64,
    ) -> Report {
        let mut reasons: Vec<String> = workers.iter().flat_map(Worker::reasons).collect();
        if u32::try_from(workers.len()) != Ok(wanted) {
            reasons.push(format!("there are {} workers, not {wanted}", workers.len()));
        }
        reasons.extend(second_apply.iter().flat_map(Second::reasons));
        if second_apply.is_none() {
            reasons.push("there was no second apply".to_owned());
        }
        Report { ok: reasons.is_empty(), workers, second_apply, elapsed_ms, reasons }
    }

    /// It came to no end; the reason is the only one that counts.
    pub(super) fn broken(self, failure: &Failure) -> Report {
        Report { ok: false, reasons: vec![failure.text()], ..self }
    }

    /// Something else went wrong.
    pub(super) fn fail(&mut self, reason: String) {
        self.ok = false;
        self.reasons.push(reason);
    }

    /// The same for people.
    pub(super) fn table(&self) -> Table {
        let mut table = Table::new(&[
            "WORKER",
            "ENROLLED",
            "CONFIGURED",
            "READY",
            "FIRST SAMPLE",
            "STATES",
            "CHANGED",
            "FAILED",
            "SAMPLES",
        ]);
        let time = |millis: Option<i64>| Cell::number(millis.map_or("-".to_owned(), span));
        for worker in &self.workers {
            let failed = if worker.states.failed > 0 { Style::Bad } else { Style::Plain };
            table.row([
                Cell::text(&worker.name),
                time(worker.enrolled),
                time(worker.configured),
                time(worker.ready),
                time(worker.first_sample),
                Cell::number(worker.states.total),
                Cell::number(worker.states.changed),
                Cell::number(worker.states.failed).styled(failed),
                Cell::number(worker.samples),
            ]);
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::worker::example;

    fn good() -> Worker {
        Worker::new(&example(), None, 2)
    }

    #[test]
    fn all_must_be_as_it_should() {
        let report = Report::new(1, vec![good()], Some(Second::default()), 9);
        assert!(report.ok, "{:?}", report.reasons);
        let value = serde_json::to_value(&report).unwrap();
        let expected = serde_json::json!({
            "name": "compute-0001", "agent_id": "compute-0001-aaaaaaaaaaaa",
            "provider_id": "local-1", "enrolled": 400, "configured": 1400, "ready": 1500,
            "first_sample": 2000, "states": {"total": 14, "changed": 12, "failed": 0},
            "samples": 2,
        });
        assert_eq!(value["workers"][0], expected);
        assert_eq!(value["second_apply"]["changed"], 0);
    }

    #[test]
    fn whatever_is_not_makes_it_not_ok_with_a_reason() {
        let second = |changed, failed: &[&str]| Second {
            changed,
            failed: failed.iter().map(|name| (*name).to_owned()).collect(),
        };
        let states = |changed, failed| States { total: 14, changed, failed };
        for (worker, second, expected) in [
            (Worker { phase: Phase::Lost, ..good() }, second(0, &[]), "compute-0001 is lost"),
            (Worker { states: states(9, 0), ..good() }, second(0, &[]), "9 states changed"),
            (Worker { states: states(12, 1), ..good() }, second(0, &[]), "1 states failed"),
            (Worker { samples: 1, ..good() }, second(0, &[]), "1 samples"),
            (good(), second(1, &[]), "second apply changed 1"),
            (good(), second(0, &["a"]), "second apply failed on a"),
        ] {
            let report = Report::new(1, vec![worker], Some(second), 9);
            assert!(!report.ok && report.reasons.len() == 1, "{:?}", report.reasons);
            assert!(report.reasons[0].contains(expected), "{:?}", report.reasons);
        }
        let report = Report::new(2, vec![good()], Some(Second::default()), 9);
        assert_eq!(report.reasons, ["there are 1 workers, not 2"]);
    }
}
