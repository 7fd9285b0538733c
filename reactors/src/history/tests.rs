//! The history as people see it: ranges, redelivery, rates and limits.

use super::*;
use crate::sink::tests::{batch, batch_of};
use muster_protocol::stats::Kind::{Counter, Gauge};

const START: UnixMillis = UnixMillis(1_763_600_000_000);

fn history() -> History {
    History::new(Limits::default())
}

fn ask(metrics: &[&str], range_secs: u32) -> StatsShow {
    let metrics = metrics.iter().map(|&name| name.to_owned()).collect();
    StatsShow { target: None, metrics, range_secs }
}

/// Points of `compute-0007` by metric, times in samples from the start.
fn shown(
    history: &History,
    question: &StatsShow,
    now: UnixMillis,
) -> Vec<(String, Vec<(i64, f64)>)> {
    let views = history.show(&history.workers(), question, now).unwrap();
    let point = |&(time, value): &(UnixMillis, f64)| (time.since(START) / 10_000, value);
    let view = |view: &SeriesView| (view.metric.clone(), view.points.iter().map(point).collect());
    views.iter().map(view).collect()
}

fn load(seq: u64, values: &[f64]) -> Batch {
    let rows: Vec<&[f64]> = values.iter().map(std::slice::from_ref).collect();
    batch(seq, &[("load.1m", Gauge)], &rows)
}

#[test]
fn a_sample_that_comes_twice_counts_once() {
    let history = history();
    for batch in [load(0, &[0.0]), load(1, &[1.0, 2.0]), load(1, &[1.0, 2.0]), load(0, &[0.0])] {
        history.insert(&batch, START);
    }
    history.insert(&load(2, &[2.0, 3.0]), START);
    let points = (0..4).map(|n| (i64::from(n), f64::from(n))).collect();
    assert_eq!(shown(&history, &ask(&[], 60), START.plus(60_000)), [("load.1m".into(), points)]);
}

#[test]
fn a_sample_that_comes_late_stands_in_its_place() {
    let history = history();
    for seq in [0, 2, 1, 4, 3] {
        history.insert(&load(seq, &[seq as f64]), START);
    }
    let points = (0..5).map(|n| (i64::from(n), f64::from(n))).collect();
    assert_eq!(shown(&history, &ask(&[], 60), START.plus(60_000)), [("load.1m".into(), points)]);
    let latest = shown(&history, &ask(&[], 0), START);
    assert_eq!(latest, [("load.1m".into(), vec![(4, 4.0)])]);
}

#[test]
fn a_range_reaches_through_packed_blocks_and_a_change_of_schema() {
    let history = history();
    for seq in 0..100 {
        history.insert(&load(seq, &[seq as f64]), START);
    }
    for seq in 100..110 {
        let metrics = [("load.1m", Gauge), ("swap.free", Gauge)];
        history.insert(&batch(seq, &metrics, &[&[seq as f64, 1.0]]), START);
    }
    let now = START.plus(109 * 10_000);
    let all = shown(&history, &ask(&["load."], 7200), now);
    assert_eq!(all[0].1, (0..110).map(|n| (n, n as f64)).collect::<Vec<_>>());
    let some = shown(&history, &ask(&[], 500), now);
    assert_eq!((some[0].1.len(), some[1].1.len()), (51, 10));
}

#[test]
fn rates_are_made_of_counters_and_a_reset_leaves_a_gap() {
    let metrics = [("network.eth0.rx_bytes", Counter)];
    let history = history();
    let rows: [&[f64]; 4] = [&[1000.0], &[2000.0], &[500.0], &[600.0]];
    history.insert(&batch(0, &metrics, &rows), START);
    let question = ask(&["network.eth0.rx_rate"], 3600);
    let points = vec![(1, 100.0), (3, 10.0)];
    let expected = [("network.eth0.rx_rate".to_owned(), points)];
    assert_eq!(shown(&history, &question, START), expected);
    let latest = ask(&["network.eth0.rx_rate"], 0);
    assert_eq!(shown(&history, &latest, START)[0].1, [(3, 10.0)]);
}

#[test]
fn busy_and_used_are_what_people_mean() {
    let modes = ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"];
    let names: Vec<String> = modes.iter().map(|mode| format!("cpu.total.{mode}")).collect();
    let mut metrics: Vec<(&str, _)> = names.iter().map(|name| (name.as_str(), Counter)).collect();
    metrics.extend([("memory.total", Gauge), ("memory.available", Gauge)]);
    let first: [f64; 10] = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 100.0, 30.0];
    let second = [20.0, 0.0, 5.0, 70.0, 5.0, 0.0, 0.0, 0.0, 100.0, 40.0];
    let history = history();
    history.insert(&batch(0, &metrics, &[&first, &second]), START);
    let latest = shown(&history, &ask(&["cpu.busy", "memory.used"], 0), START);
    assert_eq!(latest[0], ("cpu.busy".into(), vec![(1, 25.0)]));
    assert_eq!(latest[1], ("memory.used".into(), vec![(1, 60.0)]));
}

#[test]
fn what_is_old_or_gone_is_forgotten() {
    let history = History::new(Limits { keep: Duration::from_secs(600), ..Limits::default() });
    for seq in 0..1000u64 {
        history.insert(&load(seq, &[1.0]), START.plus(seq as i64 * 10_000));
    }
    let points = shown(&history, &ask(&[], 7200), START.plus(10_000_000))[0].1.len();
    assert!((60..130).contains(&points), "{points}");
    history.forget(&history.workers()[0]);
    assert_eq!((history.workers().len(), history.bytes()), (0, 0));
}

#[test]
fn whoever_fills_the_memory_pays_for_it() {
    let bytes_max = 200_000;
    let history = History::new(Limits { bytes_max, ..Limits::default() });
    let names: Vec<String> = (0..500).map(|n| format!("m.{n}")).collect();
    let metrics: Vec<(&str, _)> = names.iter().map(|name| (name.as_str(), Gauge)).collect();
    history.insert(&batch_of("small-abcdefghijkm", 0, &metrics[..1], &[&[1.0]]), START);
    for seq in 0..200 {
        let row: Vec<f64> = (0..500).map(|n| f64::from(n) * 1.1 + seq as f64).collect();
        history.insert(&batch_of("large-abcdefghijkm", seq, &metrics, &[&row]), START);
        assert!(history.bytes() <= bytes_max, "{}", history.bytes());
    }
    assert_eq!(history.workers().len(), 2);
    let views = history.show(&["small".parse().unwrap()], &ask(&[], 0), START).unwrap();
    assert_eq!(views.len(), 1);
}

#[test]
fn an_answer_fits_into_a_message() {
    let history = history();
    let names: Vec<String> = (0..500).map(|n| format!("m.{n}")).collect();
    let metrics: Vec<(&str, _)> = names.iter().map(|name| (name.as_str(), Gauge)).collect();
    let row = vec![1.5; 500];
    for worker in 0..12 {
        for seq in 0..200 {
            let agent = format!("w{worker}-abcdefghijkm");
            history.insert(&batch_of(&agent, seq, &metrics, &[&row]), START);
        }
    }
    let now = START.plus(2_000_000);
    let one: Vec<WorkerName> = history.workers().into_iter().take(1).collect();
    let views = history.show(&one, &ask(&[], 7200), now).unwrap();
    assert_eq!(views.len(), 500);
    assert!(views.iter().all(|view| view.points.last().unwrap().0 == START.plus(1_990_000)));
    let answer = muster_protocol::api::Answer::Ok(views);
    let bytes = muster_protocol::wire::encode(&answer).len();
    assert!(bytes < muster_protocol::wire::MESSAGE_BYTES_MAX, "{bytes}");
    let all = history.show(&history.workers(), &ask(&[], 0), now);
    assert_eq!(all, Err(TooMany { series: 6000 }));
}
