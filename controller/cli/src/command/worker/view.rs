//! One worker, for people and for programs.

use crate::output::{Cell, Rfc3339, Style, Table, clock, span};
use muster_protocol::api::WorkerView;
use muster_protocol::event::Outcome;
use muster_protocol::id::UnixMillis;
use muster_protocol::worker::{AfterDrain, Occupancy, Phase};
use serde::Serialize;
use std::net::IpAddr;

/// A worker with its times written out.
#[derive(Debug, Serialize)]
pub(crate) struct Shown<'a> {
    name: &'a str,
    pool: &'a str,
    phase: Phase,
    reason: Option<&'a str>,
    generation: u32,
    agent_id: &'a str,
    provider_id: Option<&'a str>,
    launched: Option<Rfc3339>,
    enrolled: Option<Rfc3339>,
    configured: Option<Rfc3339>,
    ready: Option<Rfc3339>,
    first_sample: Option<Rfc3339>,
    states: Option<&'a Outcome>,
    frames: u64,
    last_frame: Option<Rfc3339>,
    image: &'a str,
    image_is_old: bool,
    addresses: &'a [IpAddr],
    occupancy: Occupancy,
    held: bool,
    after_drain: Option<&'a AfterDrain>,
    history: Vec<Step<'a>>,
}

/// A step of a worker's past.
#[derive(Debug, Serialize)]
struct Step<'a> {
    time: Rfc3339,
    text: &'a str,
}

impl<'a> Shown<'a> {
    /// The worker as programs read it.
    pub(crate) fn of(worker: &'a WorkerView) -> Shown<'a> {
        let milestones = &worker.milestones;
        Shown {
            name: worker.name.as_str(),
            pool: worker.pool.as_str(),
            phase: worker.phase,
            reason: worker.reason.as_deref(),
            generation: worker.generation.0,
            agent_id: worker.agent_id.as_str(),
            provider_id: worker.provider_id.as_deref(),
            launched: milestones.launched.map(Rfc3339),
            enrolled: milestones.enrolled.map(Rfc3339),
            configured: milestones.configured.map(Rfc3339),
            ready: milestones.ready.map(Rfc3339),
            first_sample: milestones.first_sample.map(Rfc3339),
            states: worker.states.as_ref(),
            frames: worker.frames,
            last_frame: worker.last_frame.map(Rfc3339),
            image: &worker.image,
            image_is_old: worker.image_is_old,
            addresses: &worker.addresses,
            occupancy: worker.occupancy,
            held: worker.held,
            after_drain: worker.after_drain.as_ref(),
            history: worker.history.iter().map(Step::of).collect(),
        }
    }
}

impl<'a> Step<'a> {
    fn of((at, text): &'a (UnixMillis, String)) -> Step<'a> {
        Step { time: Rfc3339(*at), text }
    }
}

/// Everything there is to know, one thing a line.
pub(crate) fn details(worker: &WorkerView, now: UnixMillis) -> Table {
    let mut table = Table::new(&["WORKER", worker.name.as_str()]);
    let mut line = |name: &str, cell: Cell| table.row([Cell::text(name), cell]);
    line("pool", Cell::text(&worker.pool));
    line("phase", Cell::text(worker.phase).styled(phase_style(worker.phase)));
    if let Some(reason) = &worker.reason {
        line("reason", Cell::text(reason));
    }
    line("generation", Cell::text(worker.generation));
    line("agent id", Cell::text(&worker.agent_id));
    line("provider id", Cell::maybe(worker.provider_id.as_ref()));
    line("image", image(worker));
    let addresses: Vec<String> = worker.addresses.iter().map(ToString::to_string).collect();
    line("addresses", some(&addresses.join(", ")));
    line("jobs", Cell::text(jobs(worker.occupancy)));
    if worker.held {
        line("held", Cell::text("nothing but an operator removes it").styled(Style::Busy));
    }
    if let Some(after) = &worker.after_drain {
        line("when drained", Cell::text(followed_by(after)).styled(Style::Busy));
    }
    for (name, cell) in milestones(worker) {
        line(name, cell);
    }
    line("states", states(worker));
    line("frames", Cell::text(worker.frames));
    let last = worker.last_frame.map(|at| format!("{} ({} ago)", clock(at), age(at, now)));
    line("last frame", Cell::maybe(last));
    for (index, (at, text)) in worker.history.iter().enumerate() {
        let name = if index == 0 { "history" } else { "" };
        line(name, Cell::text(format!("{}  {text}", clock(*at))));
    }
    table
}

fn milestones(worker: &WorkerView) -> [(&'static str, Cell); 5] {
    let milestones = &worker.milestones;
    let launched = milestones.launched;
    let since = |at: UnixMillis| match launched {
        Some(launched) if launched != at => {
            format!("{} (after {})", clock(at), span(at.since(launched)))
        }
        Some(_) | None => clock(at),
    };
    [
        ("launched", milestones.launched),
        ("enrolled", milestones.enrolled),
        ("configured", milestones.configured),
        ("ready", milestones.ready),
        ("first sample", milestones.first_sample),
    ]
    .map(|(name, at)| (name, Cell::maybe(at.map(since))))
}

fn some(text: &str) -> Cell {
    Cell::maybe(Some(text).filter(|text| !text.is_empty()))
}

fn image(worker: &WorkerView) -> Cell {
    match worker.image_is_old {
        true => Cell::text(format!("{} (old)", worker.image)).styled(Style::Busy),
        false => some(&worker.image),
    }
}

fn jobs(occupancy: Occupancy) -> &'static str {
    match occupancy {
        Occupancy::Unknown => "nobody has said: it counts as busy",
        Occupancy::Idle => "none: it is idle",
        Occupancy::Busy => "some: it is busy",
    }
}

fn followed_by(after: &AfterDrain) -> String {
    match after {
        AfterDrain::Stay => "it stays".to_owned(),
        AfterDrain::Terminate => "it is terminated".to_owned(),
        AfterDrain::Rebuild(None) => "it is rebuilt with its pool's image".to_owned(),
        AfterDrain::Rebuild(Some(image)) => format!("it is rebuilt with {image}"),
    }
}

/// In few words what a person may have to know before acting on it: `busy, held, old image`.
pub(crate) fn flags(worker: &WorkerView) -> Cell {
    let has_jobs = matches!(worker.phase, Phase::Ready | Phase::Lost | Phase::Draining);
    let jobs = match worker.occupancy {
        Occupancy::Busy => Some("busy"),
        Occupancy::Idle => Some("idle"),
        // Before it is ready, no job can run and nobody says anything.
        Occupancy::Unknown => has_jobs.then_some("busy?"),
    };
    let drain = worker.after_drain.as_ref().map(|after| match after {
        AfterDrain::Stay => "then stays",
        AfterDrain::Terminate => "then ends",
        AfterDrain::Rebuild(_) => "then rebuilds",
    });
    let old = worker.image_is_old.then_some("old image");
    let held = worker.held.then_some("held");
    let flags: Vec<&str> = [jobs, drain, held, old].into_iter().flatten().collect();
    some(&flags.join(", "))
}

/// How long ago, by this machine's clock; a clock that lags shows nothing below zero.
pub(crate) fn age(at: UnixMillis, now: UnixMillis) -> String {
    span(now.since(at).max(0))
}

/// The last result of its states.
pub(crate) fn states(worker: &WorkerView) -> Cell {
    let Some(outcome) = &worker.states else { return Cell::maybe(None::<&str>) };
    let style = if outcome.failed > 0 { Style::Bad } else { Style::Plain };
    Cell::text(counts(outcome)).styled(style)
}

/// `14 states, 12 changed`; failures only if there are some.
pub(crate) fn counts(outcome: &Outcome) -> String {
    let changed = if outcome.test { "would change" } else { "changed" };
    let text = format!("{} states, {} {changed}", outcome.total, outcome.changed);
    match outcome.failed {
        0 => text,
        failed => format!("{text}, {failed} failed"),
    }
}

/// What a phase means to the reader.
pub(crate) fn phase_style(phase: Phase) -> Style {
    match phase {
        Phase::Ready => Style::Good,
        Phase::Lost | Phase::Failed => Style::Bad,
        Phase::Terminated => Style::Dim,
        Phase::Pending
        | Phase::Launching
        | Phase::Booting
        | Phase::Configuring
        | Phase::Draining
        | Phase::Rebuilding
        | Phase::Terminating => Style::Busy,
    }
}

/// A worker for tests.
#[cfg(test)]
pub(crate) fn example() -> WorkerView {
    use muster_protocol::id::{AgentId, Generation};
    use muster_protocol::worker::Milestones;
    let name: muster_protocol::id::WorkerName = "compute-0001".parse().unwrap();
    WorkerView {
        agent_id: AgentId::new(&name, [0; 12]),
        name,
        pool: "compute".parse().unwrap(),
        phase: Phase::Ready,
        reason: None,
        generation: Generation(2),
        provider_id: Some("local-1".into()),
        milestones: Milestones {
            launched: Some(UnixMillis(100_000)),
            enrolled: Some(UnixMillis(100_400)),
            configured: Some(UnixMillis(101_400)),
            ready: Some(UnixMillis(101_500)),
            first_sample: Some(UnixMillis(102_000)),
        },
        states: Some(Outcome { total: 14, changed: 12, ..Outcome::default() }),
        frames: 7,
        last_frame: Some(UnixMillis(156_000)),
        image: "rocky-9.4".into(),
        image_is_old: false,
        addresses: vec![[10, 0, 0, 7].into()],
        occupancy: Occupancy::Idle,
        held: false,
        after_drain: None,
        history: vec![
            (UnixMillis(100_000), "launching".into()),
            (UnixMillis(101_500), "ready".into()),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_shown_in_full() {
        let expected = "\
WORKER        compute-0001
pool          compute
phase         ready
generation    2
agent id      compute-0001-aaaaaaaaaaaa
provider id   local-1
image         rocky-9.4
addresses     10.0.0.7
jobs          none: it is idle
launched      1970-01-01 00:01:40.000Z
enrolled      1970-01-01 00:01:40.400Z (after 400 ms)
configured    1970-01-01 00:01:41.400Z (after 1.4 s)
ready         1970-01-01 00:01:41.500Z (after 1.5 s)
first sample  1970-01-01 00:01:42.000Z (after 2.0 s)
states        14 states, 12 changed
frames        7
last frame    1970-01-01 00:02:36.000Z (4.0 s ago)
history       1970-01-01 00:01:40.000Z  launching
              1970-01-01 00:01:41.500Z  ready
";
        assert_eq!(details(&example(), UnixMillis(160_000)).render(false), expected);
    }

    #[test]
    fn what_an_operator_has_said_of_it_is_shown() {
        let mut worker = example();
        (worker.held, worker.image_is_old) = (true, true);
        worker.occupancy = Occupancy::Unknown;
        worker.after_drain = Some(AfterDrain::Rebuild(Some("rocky-9.5".into())));
        worker.addresses.clear();
        let text = details(&worker, UnixMillis(160_000)).render(false);
        for line in [
            "image         rocky-9.4 (old)\n",
            "addresses     -\n",
            "jobs          nobody has said: it counts as busy\n",
            "held          nothing but an operator removes it\n",
            "when drained  it is rebuilt with rocky-9.5\n",
        ] {
            assert!(text.contains(line), "{line:?} in {text}");
        }
    }

    #[test]
    fn flags_are_few_words() {
        let check = |expected: &str, change: fn(&mut WorkerView)| {
            let mut worker = example();
            change(&mut worker);
            let mut table = Table::new(&["FLAGS"]);
            table.row([flags(&worker)]);
            assert_eq!(table.render(false), format!("FLAGS\n{expected}\n"));
        };
        check("idle", |_| ());
        check("busy?", |worker| worker.occupancy = Occupancy::Unknown);
        check("-", |worker| {
            worker.occupancy = Occupancy::Unknown;
            worker.phase = Phase::Booting;
        });
        check("busy, then ends, held, old image", |worker| {
            worker.occupancy = Occupancy::Busy;
            worker.after_drain = Some(AfterDrain::Terminate);
            (worker.held, worker.image_is_old) = (true, true);
        });
    }

    #[test]
    fn programs_read_times_in_rfc_3339() {
        let value = serde_json::to_value(Shown::of(&example())).unwrap();
        assert_eq!(value["ready"], "1970-01-01T00:01:41.500Z");
        assert_eq!(value["phase"], "ready");
        assert_eq!(value["states"]["changed"], 12);
        assert_eq!(value["addresses"][0], "10.0.0.7");
        assert_eq!((&value["occupancy"], &value["held"]), (&"idle".into(), &false.into()));
        assert_eq!(value["history"][1]["time"], "1970-01-01T00:01:41.500Z");
    }
}
