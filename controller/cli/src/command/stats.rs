//! `muster stats`: the latest readings of workers.

use super::Caller;
use crate::failure::{Exit, Result};
use crate::output::{Cell, Rfc3339, Table, duration, span};
use crate::target;
use muster_protocol::api::{SeriesView, StatsShow};
use muster_protocol::id::{PoolName, UnixMillis};
use serde::Serialize;
use std::time::Duration;

/// Which readings.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Which workers: 'compute-*', a,b [default: all]
    target: Option<String>,
    /// All of this pool
    #[arg(long)]
    pool: Option<PoolName>,
    /// Only metrics whose name begins so, e.g. load; may be repeated
    #[arg(long, value_name = "PREFIX")]
    metric: Vec<String>,
    /// Not only the latest point, but those of the last 30s, 10m, 1h
    #[arg(long, value_name = "SPAN", value_parser = duration)]
    range: Option<Duration>,
}

#[derive(Serialize)]
struct Series<'a> {
    worker: &'a str,
    metric: &'a str,
    unit: &'a str,
    points: Vec<Point>,
}

#[derive(Serialize)]
struct Point {
    time: Rfc3339,
    value: f64,
}

impl<'a> From<&'a SeriesView> for Series<'a> {
    fn from(view: &'a SeriesView) -> Series<'a> {
        let points =
            view.points.iter().map(|(at, value)| Point { time: Rfc3339(*at), value: *value });
        let (worker, metric) = (view.worker.as_str(), view.metric.as_str());
        Series { worker, metric, unit: &view.unit, points: points.collect() }
    }
}

/// Shows them.
pub(crate) async fn run(args: &Args, caller: &Caller) -> Result<Exit> {
    let target = target::target(args.target.as_deref(), args.pool.as_ref())?;
    let range = args.range.unwrap_or_default().as_secs();
    let range_secs = u32::try_from(range).unwrap_or(u32::MAX);
    let session = caller.connect().await?;
    let question = StatsShow { target, metrics: args.metric.clone(), range_secs };
    let series = session.ask(&question).await?;
    let shown: Vec<Series<'_>> = series.iter().map(Series::from).collect();
    let now = UnixMillis::now();
    caller.output.show(&shown, || match range_secs {
        0 => latest(&series, now),
        _ => summaries(&series, now),
    })?;
    session.close().await;
    Ok(Exit::Ok)
}

fn latest(series: &[SeriesView], now: UnixMillis) -> Table {
    let mut table = Table::new(&["WORKER", "METRIC", "VALUE", "AGE"]);
    for view in series {
        let last = view.points.last();
        table.row([
            Cell::text(&view.worker),
            Cell::text(&view.metric),
            Cell::number(last.map_or("-".to_owned(), |(_, value)| amount(*value, &view.unit))),
            Cell::maybe(last.map(|(at, _)| span(now.since(*at).max(0)))),
        ]);
    }
    table
}

fn summaries(series: &[SeriesView], now: UnixMillis) -> Table {
    let mut table =
        Table::new(&["WORKER", "METRIC", "LAST", "LEAST", "MEAN", "MOST", "COURSE", "AGE"]);
    for view in series {
        let values: Vec<f64> = view.points.iter().map(|(_, value)| *value).collect();
        let show = |value: f64| match values.is_empty() {
            true => Cell::number("-"),
            false => Cell::number(amount(value, &view.unit)),
        };
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        table.row([
            Cell::text(&view.worker),
            Cell::text(&view.metric),
            show(values.last().copied().unwrap_or_default()),
            show(least),
            show(values.iter().sum::<f64>() / values.len() as f64),
            show(most),
            Cell::text(course(&values, least, most)),
            Cell::maybe(view.points.last().map(|(at, _)| span(now.since(*at).max(0)))),
        ]);
    }
    table
}

const COURSE_CHARS: usize = 16;
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The course of the values as a row of bars, each the mean of its share of them.
fn course(values: &[f64], least: f64, most: f64) -> String {
    let share = values.len().div_ceil(COURSE_CHARS).max(1);
    let bar = |part: &[f64]| {
        let mean = part.iter().sum::<f64>() / part.len() as f64;
        let height = if most > least { (mean - least) / (most - least) * 7.0 } else { 0.0 };
        BARS[(height.round() as usize).min(7)]
    };
    values.chunks(share).map(bar).collect()
}

/// A value with its unit: bytes in binary multiples, large numbers in decimal ones.
fn amount(value: f64, unit: &str) -> String {
    let (base, scales): (f64, [&str; 6]) = match unit.starts_with("bytes") {
        true => (1024.0, ["", "Ki", "Mi", "Gi", "Ti", "Pi"]),
        false => (1000.0, ["", "k", "M", "G", "T", "P"]),
    };
    let mut scale = 0;
    let mut rest = value;
    while rest.abs() >= base * 10.0 && scale + 1 < scales.len() {
        (rest, scale) = (rest / base, scale + 1);
    }
    let unit = match unit {
        "bytes" => "B",
        "bytes/s" => "B/s",
        other => other,
    };
    let digits = if rest.fract() == 0.0 { 0 } else { 2 };
    let tail = format!("{}{unit}", scales[scale]);
    let gap = if tail.is_empty() { "" } else { " " };
    format!("{rest:.digits$}{gap}{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(metric: &str, unit: &str, values: &[f64]) -> SeriesView {
        let points = values.iter().zip(1..).map(|(value, at)| (UnixMillis(at * 1000), *value));
        SeriesView {
            worker: "w-1".parse().unwrap(),
            metric: metric.into(),
            unit: unit.into(),
            points: points.collect(),
        }
    }

    #[test]
    fn the_latest_readings_are_aligned() {
        let all = [series("load.1m", "", &[0.5, 0.25]), series("memory.free", "bytes", &[3e9])];
        let expected = "\
WORKER  METRIC             VALUE  AGE
w-1     load.1m             0.25  1.0 s
w-1     memory.free  2861.02 MiB  2.0 s
";
        assert_eq!(latest(&all, UnixMillis(3_000)).render(false), expected);
    }

    #[test]
    fn a_range_is_summed_up() {
        let all = [series("load.1m", "", &[1.0, 2.0, 3.0]), series("x", "", &[])];
        let expected = "\
WORKER  METRIC   LAST  LEAST  MEAN  MOST  COURSE  AGE
w-1     load.1m     3      1     2     3  ▁▅█     0 ms
w-1     x           -      -     -     -          -
";
        assert_eq!(summaries(&all, UnixMillis(3_000)).render(false), expected);
    }

    #[test]
    fn amounts_have_their_unit() {
        for (value, unit, expected) in [
            (0.0, "", "0"),
            (12.345, "percent", "12.35 percent"),
            (512.0, "bytes", "512 B"),
            (1_048_576.0, "bytes", "1024 KiB"),
            (123_456.0, "ops", "123.46 kops"),
        ] {
            assert_eq!(amount(value, unit), expected);
        }
    }
}
