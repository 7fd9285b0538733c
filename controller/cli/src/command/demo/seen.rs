//! What was seen of the demo so far: the workers' ways, their first applies, the samples.

use super::folder::Folder;
use super::report::{Report, Second, Worker};
use super::samples::Samples;
use super::way::Ways;
use muster_protocol::event::{Applied, Event};
use muster_protocol::id::AgentId;
use muster_protocol::subject;
use serde_json::Value;
use std::collections::BTreeMap;

/// Failed states that one line tells.
const FAILED_TOLD_MAX: usize = 3;

/// Everything that the verdict is made from.
#[derive(Debug)]
pub(super) struct Seen {
    /// The workers on their way.
    pub(super) ways: Ways,
    /// The result of each agent's first highstate: the registry holds only the last one.
    first: BTreeMap<AgentId, Applied>,
    /// What the second apply did, once it was done.
    pub(super) second: Option<Second>,
    /// What came through the sink.
    pub(super) samples: Samples,
}

impl Seen {
    /// Nothing yet.
    pub(super) fn new(folder: &Folder) -> Seen {
        let samples = Samples::new(&folder.samples());
        Seen { ways: Ways::default(), first: BTreeMap::new(), second: None, samples }
    }

    /// Takes an event, of which those of a first highstate matter.
    pub(super) fn take(&mut self, subject: &str, event: &Event) {
        let Some([agent, "applied" | "failed"]) = subject::tokens(subject, "muster.event.agent.")
        else {
            return;
        };
        let (Ok(agent), Some(applied)) = (agent.parse::<AgentId>(), event.read::<Applied>()) else {
            return;
        };
        if applied.highstate && !applied.outcome.test {
            self.first.entry(agent).or_insert(applied);
        }
    }

    /// Whether so many workers have come to the end of their way.
    pub(super) fn arrived(&self, count: u32) -> bool {
        let applied = |agent: &AgentId| self.first.contains_key(agent);
        self.ways.arrived(count) && self.ways.workers().all(|view| applied(&view.agent_id))
    }

    /// Whether each worker has so many samples.
    pub(super) fn sampled(&self, count: usize) -> bool {
        self.ways.workers().all(|view| self.samples.of(&view.agent_id) >= count)
    }

    /// What makes further waiting useless: a worker, or a first apply, that failed.
    pub(super) fn failed(&self) -> Option<String> {
        let applied = || self.first.iter().find_map(|(agent, applied)| why(agent, applied));
        self.ways.failed().or_else(applied)
    }

    /// The verdict on what was seen.
    pub(super) fn verdict(&self, count: u32, elapsed_ms: u64) -> Report {
        let workers = self.ways.workers().map(|view| {
            let first = self.first.get(&view.agent_id).map(|applied| &applied.outcome);
            Worker::new(view, first, self.samples.of(&view.agent_id))
        });
        Report::new(count, workers.collect(), self.second.clone(), elapsed_ms)
    }
}

fn why(agent: &AgentId, applied: &Applied) -> Option<String> {
    let worker = agent.worker();
    if let Some(error) = applied.errors.first() {
        return Some(format!("{worker} could not run its states: {error}"));
    }
    if applied.outcome.failed == 0 {
        return None;
    }
    let states = applied.states.as_object().into_iter().flatten();
    let failed = states.filter(|(_, state)| state["result"] == Value::Bool(false));
    let told: Vec<String> = failed
        .take(FAILED_TOLD_MAX)
        .map(|(key, state)| {
            let comment = state["comment"].as_str().unwrap_or_default();
            format!("{}: {comment}", key.replace("_|-", " "))
        })
        .collect();
    let (failed, total) = (applied.outcome.failed, applied.outcome.total);
    Some(format!("{failed} of {total} states failed on {worker}: {}", told.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use muster_protocol::id::{Token, UnixMillis};
    use serde_json::json;

    fn applied(highstate: bool, changed: u32, failed: u32) -> Event {
        let data = json!({
            "command": null, "revision": 1, "highstate": highstate, "errors": [],
            "states": {"cmd_|-a_|-b_|-run": {"result": failed == 0, "comment": "exit code 1"}},
            "outcome": {
                "total": 14, "changed": changed, "failed": failed, "duration_millis": 5,
            },
        });
        Event::new(Token::random([0; 26]), UnixMillis(0), &data)
    }

    fn seen() -> (Seen, AgentId, tempfile::TempDir) {
        let temp = tempfile::tempdir().unwrap();
        let folder = Folder::claim(temp.path()).unwrap();
        (Seen::new(&folder), AgentId::new(&"w".parse().unwrap(), [0; 12]), temp)
    }

    #[test]
    fn the_first_highstate_of_an_agent_counts() {
        let (mut seen, agent, _temp) = seen();
        let subject = format!("muster.event.agent.{agent}.applied");
        seen.take("muster.event.worker.w.ready", &applied(true, 9, 0));
        seen.take(&subject, &applied(false, 8, 0));
        seen.take(&subject, &applied(true, 12, 0));
        seen.take(&subject, &applied(true, 0, 0));
        assert_eq!(seen.first.get(&agent).map(|applied| applied.outcome.changed), Some(12));
        assert_eq!(seen.failed(), None);
    }

    #[test]
    fn a_first_apply_that_failed_ends_the_waiting_with_its_states() {
        let (mut seen, agent, _temp) = seen();
        seen.take(&format!("muster.event.agent.{agent}.failed"), &applied(true, 9, 1));
        let expected = "1 of 14 states failed on w: cmd a b run: exit code 1";
        assert_eq!(seen.failed().as_deref(), Some(expected));
    }
}
