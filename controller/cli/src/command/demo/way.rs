//! Each worker's way from launched to its first sample, as the controller tells it.

use crate::output::{Output, Style, span};
use muster_protocol::api::WorkerView;
use muster_protocol::worker::{Milestones, Phase};
use std::collections::BTreeMap;

/// The steps of the way, in the order in which they are shown.
const STEPS: [&str; 5] = ["launched", "enrolled", "configured", "ready", "first sample"];

/// The workers that were seen, by name.
#[derive(Debug, Default)]
pub(super) struct Ways {
    workers: BTreeMap<String, WorkerView>,
}

impl Ways {
    /// Takes what the controller tells now; gives a line for each step that is new.
    pub(super) fn take(&mut self, views: Vec<WorkerView>) -> Vec<String> {
        let mut news = Vec::new();
        for view in views {
            let before = self.workers.get(view.name.as_str()).map(|old| steps(&old.milestones));
            let (before, now) = (before.unwrap_or_default(), steps(&view.milestones));
            for (index, name) in STEPS.iter().enumerate() {
                if let (None, Some(millis)) = (before[index], now[index]) {
                    news.push((millis, format!("{}  {name:<12}  {}", view.name, span(millis))));
                }
            }
            self.workers.insert(view.name.to_string(), view);
        }
        news.sort();
        news.into_iter().map(|(_, line)| line).collect()
    }

    /// One line a worker: its steps with the time since the launch.
    pub(super) fn lines(&self, output: &Output) -> Vec<String> {
        let width = self.workers.keys().map(String::len).max().unwrap_or(0);
        self.workers.values().map(|view| line(view, width, output)).collect()
    }

    /// The workers by name.
    pub(super) fn workers(&self) -> impl Iterator<Item = &WorkerView> {
        self.workers.values()
    }

    /// Whether so many have come to the end of the way.
    pub(super) fn arrived(&self, count: u32) -> bool {
        let there = |view: &&WorkerView| {
            view.phase == Phase::Ready && steps(&view.milestones).iter().all(Option::is_some)
        };
        u32::try_from(self.workers.values().filter(there).count()).is_ok_and(|n| n >= count)
    }

    /// The first worker that failed, with its reason.
    pub(super) fn failed(&self) -> Option<String> {
        let failed = self.workers.values().find(|view| view.phase == Phase::Failed)?;
        let reason = failed.reason.as_deref().unwrap_or("no reason is known");
        Some(format!("worker {} failed: {reason}", failed.name))
    }
}

/// Milliseconds from the launch to each step.
fn steps(milestones: &Milestones) -> [Option<i64>; 5] {
    let Milestones { launched, enrolled, configured, ready, first_sample } = milestones;
    [launched, enrolled, configured, ready, first_sample]
        .map(|step| Some(step.as_ref()?.since((*launched)?)))
}

fn line(view: &WorkerView, width: usize, output: &Output) -> String {
    let mut text = format!("{:<width$}", view.name.as_str());
    for (name, millis) in STEPS.iter().zip(steps(&view.milestones)).skip(1) {
        let part = match millis {
            Some(millis) => output.paint(Style::Good, &format!("{name} {:>7}", span(millis))),
            None => output.paint(Style::Dim, &format!("{name} {:>7}", "...")),
        };
        text.push_str(&format!("  {part}"));
    }
    if let (Phase::Failed, reason) = (view.phase, view.reason.as_deref()) {
        let reason = format!("  failed: {}", reason.unwrap_or("no reason is known"));
        text.push_str(&output.paint(Style::Bad, &crate::output::clean(&reason)));
    }
    text
}

/// Milliseconds from the launch to the steps that the report names.
pub(super) fn reported(milestones: &Milestones) -> [Option<i64>; 4] {
    let [_, enrolled, configured, ready, first_sample] = steps(milestones);
    [enrolled, configured, ready, first_sample]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::worker::example;
    use crate::output::Format;

    #[test]
    fn each_step_is_told_once_in_its_order() {
        let mut ways = Ways::default();
        let full = example();
        let mut early = example();
        early.phase = Phase::Booting;
        early.milestones =
            Milestones { launched: full.milestones.launched, ..Milestones::default() };
        assert_eq!(ways.take(vec![early]), ["compute-0001  launched      0 ms"]);
        assert!(!ways.arrived(1));
        let news = ways.take(vec![full.clone()]);
        let expected = [
            "compute-0001  enrolled      400 ms",
            "compute-0001  configured    1.4 s",
            "compute-0001  ready         1.5 s",
            "compute-0001  first sample  2.0 s",
        ];
        assert_eq!(news, expected);
        assert!(ways.take(vec![full]).is_empty());
        assert!(ways.arrived(1) && !ways.arrived(2));
    }

    #[test]
    fn the_whole_way_is_one_line() {
        let mut ways = Ways::default();
        let mut view = example();
        view.milestones.ready = None;
        view.milestones.first_sample = None;
        ways.take(vec![view]);
        let lines = ways.lines(&Output::new(Format::Table));
        let expected = "compute-0001  enrolled  400 ms  configured   1.4 s  ready     ...  \
                        first sample     ...";
        assert_eq!(lines, [expected]);
    }

    #[test]
    fn a_worker_that_failed_is_named() {
        let mut ways = Ways::default();
        let mut view = example();
        view.phase = Phase::Failed;
        view.reason = Some("no claim".into());
        ways.take(vec![view]);
        assert_eq!(ways.failed().unwrap(), "worker compute-0001 failed: no claim");
    }
}
