//! The cluster, for people and for programs.

use crate::command::pool::phases;
use crate::output::{Cell, Rfc3339, Style, Table, clock, span};
use muster_protocol::api::{ClusterView, SinkView};
use muster_protocol::id::UnixMillis;
use muster_protocol::worker::Phase;
use serde::Serialize;
use std::collections::BTreeMap;

/// The cluster with its times written out.
#[derive(Debug, Serialize)]
pub(super) struct Shown<'a> {
    name: &'a str,
    version: &'a str,
    started: Rfc3339,
    now: Rfc3339,
    leader: &'a str,
    doubts: &'a [String],
    nats_version: &'a str,
    phases: &'a BTreeMap<Phase, u32>,
    sinks: &'a [SinkView],
}

impl<'a> Shown<'a> {
    /// The cluster as programs read it.
    pub(super) fn of(view: &'a ClusterView) -> Shown<'a> {
        Shown {
            name: &view.name,
            version: &view.version,
            started: Rfc3339(view.started),
            now: Rfc3339(view.now),
            leader: &view.leader,
            doubts: &view.doubts,
            nats_version: &view.nats_version,
            phases: &view.phases,
            sinks: &view.sinks,
        }
    }
}

/// One thing a line.
pub(super) fn details(view: &ClusterView, now: UnixMillis) -> Table {
    let mut table = Table::new(&["CLUSTER", view.name.as_str()]);
    let mut line = |name: &str, cell: Cell| table.row([Cell::text(name), cell]);
    let up = span(now.since(view.started).max(0));
    line("controller", Cell::text(format!("{}, up {up}", view.version)));
    line("started", Cell::text(clock(view.started)));
    line("leader", leader(&view.leader));
    line("nats", Cell::text(&view.nats_version));
    line("workers", Cell::text(phases(&view.phases)));
    let mut name = "sinks";
    for view in &view.sinks {
        line(name, sink(view));
        name = "";
    }
    name = "doubts";
    for doubt in &view.doubts {
        line(name, Cell::text(doubt).styled(Style::Bad));
        name = "";
    }
    table
}

fn leader(leader: &str) -> Cell {
    match leader {
        "" => Cell::text("none at the moment").styled(Style::Bad),
        leader => Cell::text(leader),
    }
}

fn sink(sink: &SinkView) -> Cell {
    let text = format!("{}: {} frames", sink.name, sink.written);
    let dropped = match sink.dropped {
        0 => String::new(),
        dropped => format!(", {dropped} dropped"),
    };
    match &sink.error {
        Some(error) => Cell::text(format!("{text}{dropped}; {error}")).styled(Style::Bad),
        None => Cell::text(text + &dropped),
    }
}

/// A cluster for tests.
#[cfg(test)]
pub(crate) fn example() -> ClusterView {
    ClusterView {
        name: "pluto".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        started: UnixMillis(100_000),
        now: UnixMillis(160_000),
        leader: "head-1".into(),
        doubts: Vec::new(),
        nats_version: "2.11.0".into(),
        phases: [(Phase::Ready, 3)].into(),
        sinks: vec![SinkView { name: "graphite".into(), written: 3, dropped: 0, error: None }],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_is_shown_with_its_doubts() {
        let mut view = example();
        view.version = "0.1.0".into();
        view.doubts = vec!["40 of 50 workers are gone from nova".into(), "b".into()];
        view.sinks[0].error = Some("refused".into());
        let expected = "\
CLUSTER     pluto
controller  0.1.0, up 1 min
started     1970-01-01 00:01:40.000Z
leader      head-1
nats        2.11.0
workers     3 ready
sinks       graphite: 3 frames; refused
doubts      40 of 50 workers are gone from nova
            b
";
        assert_eq!(details(&view, UnixMillis(160_000)).render(false), expected);
    }

    #[test]
    fn programs_read_the_time_there() {
        let value = serde_json::to_value(Shown::of(&example())).unwrap();
        assert_eq!(value["now"], "1970-01-01T00:02:40.000Z");
        assert_eq!((&value["phases"]["ready"], &value["leader"]), (&3.into(), &"head-1".into()));
    }
}
