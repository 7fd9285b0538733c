//! Who was asked and who has answered; what remains are those that did not.

use crate::failure::Exit;
use muster_protocol::event::{Applied, CommandResult};
use muster_protocol::id::{Token, WorkerName};
use serde::Serialize;
use std::collections::BTreeSet;

/// What is said of a worker of whom not even the controller has told anything.
pub(crate) const UNTOLD: &str =
    "no word of it came in time; see whether the controller runs: `muster doctor`";

/// The results of a call so far.
#[derive(Debug)]
pub(crate) struct Tally {
    call: Token,
    missing: BTreeSet<String>,
    results: Vec<CommandResult>,
}

/// A call and all that came of it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    /// The call's own name, by which its events can be found.
    pub(crate) call: Token,
    /// Each worker's result: first those that came, in their order.
    pub(crate) results: Vec<CommandResult>,
    /// The counts.
    pub(crate) summary: Summary,
}

/// How many, and the names of those that a person must look at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Summary {
    /// Workers that were asked.
    pub(crate) total: usize,
    /// Workers that did what was asked.
    pub(crate) succeeded: usize,
    /// Those of them on which states changed something, or would.
    pub(crate) changed: usize,
    /// Workers that did not do it.
    pub(crate) failed: Vec<String>,
    /// Workers that said nothing.
    pub(crate) did_not_answer: Vec<String>,
}

impl Tally {
    /// All workers are still to answer.
    pub(crate) fn new(call: Token, workers: &[WorkerName]) -> Tally {
        let missing = workers.iter().map(ToString::to_string).collect();
        Tally { call, missing, results: Vec::new() }
    }

    /// Takes a result; tells whether it is the first of a worker that was asked.
    pub(crate) fn take(&mut self, result: &CommandResult) -> bool {
        let expected = self.missing.remove(&result.worker);
        if expected {
            self.results.push(result.clone());
        }
        expected
    }

    /// How many have answered, or will not, of how many.
    pub(crate) fn progress(&self) -> (usize, usize) {
        (self.results.len(), self.results.len() + self.missing.len())
    }

    /// Those of whom nothing came.
    pub(crate) fn missing(&self) -> &BTreeSet<String> {
        &self.missing
    }

    /// Whether there is a result of each.
    pub(crate) fn is_complete(&self) -> bool {
        self.missing.is_empty()
    }

    /// Ends the call: who is missing did not answer.
    pub(crate) fn close(mut self, millis: u64) -> Report {
        self.results.extend(self.missing.into_iter().map(|worker| CommandResult {
            worker,
            ok: false,
            answered: false,
            data: serde_json::Value::Null,
            error: Some(UNTOLD.to_owned()),
            millis,
        }));
        let summary = Summary::of(&self.results);
        Report { call: self.call, results: self.results, summary }
    }
}

impl Summary {
    fn of(results: &[CommandResult]) -> Summary {
        let mut summary = Summary { total: results.len(), ..Summary::default() };
        for result in results {
            match (result.answered, result.ok) {
                (true, true) => {
                    summary.succeeded += 1;
                    summary.changed += usize::from(changed(result) > 0);
                }
                (true, false) => summary.failed.push(result.worker.clone()),
                (false, _) => summary.did_not_answer.push(result.worker.clone()),
            }
        }
        summary.failed.sort();
        summary.did_not_answer.sort();
        summary
    }
}

/// How many states of an apply changed something; 0 for all else.
pub(crate) fn changed(result: &CommandResult) -> u32 {
    applied(result).map_or(0, |applied| applied.outcome.changed)
}

/// The result of an apply, if it is one.
pub(crate) fn applied(result: &CommandResult) -> Option<Applied> {
    serde::Deserialize::deserialize(&result.data).ok()
}

impl Report {
    /// Zero only if all succeeded; a failure goes before silence.
    pub(crate) fn exit(&self) -> Exit {
        let Summary { total, succeeded, failed, .. } = &self.summary;
        match (succeeded == total, failed.is_empty()) {
            (true, _) => Exit::Ok,
            (false, false) => Exit::SomeFailed,
            (false, true) => Exit::SomeSilent,
        }
    }
}

/// A result for tests.
#[cfg(test)]
pub(crate) fn result(worker: &str, ok: bool, data: serde_json::Value) -> CommandResult {
    let error = (!ok).then(|| "it did not".to_owned());
    CommandResult { worker: worker.into(), ok, answered: true, data, error, millis: 12 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn tally(names: &[&str]) -> Tally {
        let names: Vec<WorkerName> = names.iter().map(|name| name.parse().unwrap()).collect();
        Tally::new(Token::random([0; 26]), &names)
    }

    fn apply(changed: u32) -> serde_json::Value {
        json!({
            "command": null, "revision": 1, "highstate": true, "errors": [], "states": {},
            "outcome": {"total": 3, "changed": changed, "failed": 0, "duration_millis": 5},
        })
    }

    #[test]
    fn each_worker_counts_once_and_strangers_never() {
        let mut tally = tally(&["a", "b"]);
        assert!(tally.take(&result("a", true, json!({}))));
        assert!(!tally.take(&result("a", false, json!({}))));
        assert!(!tally.take(&result("x", true, json!({}))));
        assert_eq!(tally.progress(), (1, 2));
        assert!(!tally.is_complete());
        assert!(tally.take(&result("b", true, json!({}))));
        assert_eq!(tally.close(0).exit(), Exit::Ok);
    }

    #[test]
    fn who_said_nothing_is_named() {
        let mut tally = tally(&["a", "b", "c", "d", "e"]);
        tally.take(&result("e", true, apply(2)));
        tally.take(&result("d", true, apply(0)));
        tally.take(&result("c", false, json!(null)));
        let silent = CommandResult { answered: false, ..result("b", false, json!(null)) };
        tally.take(&silent);
        let report = tally.close(9);
        let expected = Summary {
            total: 5,
            succeeded: 2,
            changed: 1,
            failed: vec!["c".into()],
            did_not_answer: vec!["a".into(), "b".into()],
        };
        assert_eq!(report.summary, expected);
        assert_eq!(report.results.len(), 5);
        assert_eq!(report.results[4].worker, "a");
    }

    #[test]
    fn the_exit_code_tells_failure_before_silence() {
        for (take, expected) in [
            (vec![("a", true), ("b", true)], Exit::Ok),
            (vec![("a", true), ("b", false)], Exit::SomeFailed),
            (vec![("a", true)], Exit::SomeSilent),
            (vec![("a", false)], Exit::SomeFailed),
            (vec![], Exit::SomeSilent),
        ] {
            let mut tally = tally(&["a", "b"]);
            for (name, ok) in &take {
                tally.take(&result(name, *ok, json!(null)));
            }
            assert_eq!(tally.close(0).exit(), expected, "{take:?}");
        }
    }

    #[test]
    fn programs_read_call_results_and_summary() {
        let report = tally(&["a"]).close(3);
        let value = serde_json::to_value(&report).unwrap();
        assert_eq!(value["summary"]["did_not_answer"], json!(["a"]));
        assert_eq!(value["results"][0]["answered"], false);
        assert!(value["call"].is_string());
    }
}
