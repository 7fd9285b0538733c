//! Series made of others when they are read: what people ask for first.
//!
//! | series | of |
//! |---|---|
//! | `cpu.busy` | all cores' time that was neither idle nor waiting for I/O, in percent |
//! | `memory.used` | what is not available |
//! | `network.<if>.rx_rate`, `.tx_rate` | bytes per second |
//! | `disk.<dev>.read_rate`, `.write_rate` | bytes per second |

use super::series::{Points, Series};
use muster_protocol::id::UnixMillis;
use muster_protocol::stats::Kind;

const MODES: [&str; 8] = ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"];
const IDLE: [&str; 2] = ["idle", "iowait"];

/// A counter's leaf and that of its rate.
const RATES: [(&str, &str); 4] = [
    (".rx_bytes", ".rx_rate"),
    (".tx_bytes", ".tx_rate"),
    (".read_bytes", ".read_rate"),
    (".write_bytes", ".write_rate"),
];

/// Adds the series that can be made.
pub(super) fn add(points: &mut Points) {
    let mut made = Vec::new();
    for (name, series) in &points.series {
        let rate = RATES.iter().find_map(|(leaf, rate)| {
            name.strip_suffix(leaf).map(|device| format!("{device}{rate}"))
        });
        if let Some(rate) = rate.filter(|_| series.kind == Kind::Counter) {
            made.push((rate, "bytes/s", rates(series)));
        }
    }
    made.extend(busy(points).map(|points| ("cpu.busy".to_owned(), "percent", points)));
    made.extend(used(points).map(|points| ("memory.used".to_owned(), "bytes", points)));
    for (name, unit, values) in made {
        points.of(&name, unit, Kind::Gauge).points = values;
    }
}

type Values = Vec<(UnixMillis, f64)>;

/// Growth per second between neighbours; none where the counter was set back.
fn rates(series: &Series) -> Values {
    let pairs = series.points.windows(2);
    pairs
        .filter_map(|pair| {
            let seconds = pair[1].0.since(pair[0].0) as f64 / 1000.0;
            let growth = pair[1].1 - pair[0].1;
            let rate = (growth / seconds * 100.0).round() / 100.0;
            (seconds > 0.0 && growth >= 0.0).then_some((pair[1].0, rate))
        })
        .collect()
}

fn busy(points: &Points) -> Option<Values> {
    let mode = |mode: &&str| points.series.get(&format!("cpu.total.{mode}"));
    let all: Vec<&Series> = MODES.iter().filter_map(mode).collect();
    let idle: Vec<&Series> = IDLE.iter().filter_map(mode).collect();
    let count = all.first()?.points.len();
    let whole = all.iter().all(|series| series.points.len() == count);
    if all.len() < MODES.len() || !whole {
        return None;
    }
    let growth = |of: &[&Series], at: usize| -> f64 {
        of.iter().map(|series| series.points[at].1 - series.points[at - 1].1).sum()
    };
    let values = (1..count).filter_map(|at| {
        let (total, idle) = (growth(&all, at), growth(&idle, at));
        let percent = ((total - idle) / total * 1000.0).round() / 10.0;
        (total > 0.0).then(|| (all[0].points[at].0, percent.clamp(0.0, 100.0)))
    });
    Some(values.collect())
}

fn used(points: &Points) -> Option<Values> {
    let total = points.series.get("memory.total")?;
    let available = points.series.get("memory.available")?;
    let pairs = total.points.iter().zip(&available.points);
    Some(pairs.filter(|(a, b)| a.0 == b.0).map(|(a, b)| (a.0, a.1 - b.1)).collect())
}
