//! Points per second through decoding, each encoder and the history, on one core, in memory.
//!
//! `cargo bench -p muster-reactors`. The frames are those of a host with 64 cores, one sample each.

use muster_protocol::id::{Token, UnixMillis};
use muster_protocol::stats::{Batch, Frame, Kind, Metric, Row, Schema};
use muster_protocol::wire;
use muster_reactors::history::{History, Limits};
use muster_reactors::sink::graphite::Encoder;
use muster_reactors::sink::json_lines;
use std::sync::Arc;
use std::time::Instant;

const FRAMES: u32 = 2000;
const METRICS: u32 = 600;

fn schema() -> Arc<Schema> {
    let metric = |n: u32| match n % 10 {
        0 => Metric::new(format!("load.{n}.avg"), "", Kind::Gauge),
        _ => Metric::new(format!("cpu.{}.mode{}", n / 8, n % 8), "jiffies", Kind::Counter),
    };
    Arc::new(Schema::new((0..METRICS).map(metric).collect()).expect("the names differ"))
}

fn row(sample: u32) -> Row {
    let value = |n: u32| match n % 10 {
        0 => f64::from((sample * 7 + n) % 6400) / 100.0,
        1..=4 => f64::from(n * 31) * 1e4,
        _ => f64::from(n * 100_003) + f64::from(sample * (n % 1000)),
    };
    let time = UnixMillis(1_763_600_000_000 + i64::from(sample) * 10_000);
    Row { time, values: (0..METRICS).map(value).collect() }
}

#[allow(clippy::print_stdout, reason = "a bench's result")]
fn measure<T>(what: &str, mut step: impl FnMut(u32) -> T) -> Vec<T> {
    let start = Instant::now();
    let made = (0..FRAMES).map(&mut step).collect();
    let seconds = start.elapsed().as_secs_f64();
    let millions = f64::from(FRAMES * METRICS) / seconds / 1e6;
    println!("{what}: {millions:.1} M points/s, {:.1} us/frame", seconds * 1e6 / f64::from(FRAMES));
    made
}

#[allow(clippy::print_stdout, reason = "a bench's result")]
fn main() {
    let (schema, boot) = (schema(), Token::random([1; 26]));
    let agent = "compute-0007-abcdefghijkm".parse().expect("a good id");
    let frames = measure("pack and encode", |n| {
        let frame = Frame::pack(&schema, &boot, u64::from(n), &[row(n)]);
        wire::encode(&frame.expect("within the limits"))
    });
    let bytes: usize = frames.iter().map(Vec::len).sum();
    println!("{} bytes/frame of {METRICS} metrics", bytes / frames.len());
    let batches = measure("decode", |n| {
        let frame: Frame = wire::decode(&frames[n as usize]).expect("it was encoded");
        Batch::new(&agent, schema.clone(), &frame).expect("it was packed")
    });
    let mut encoder = Encoder::new("muster.".into(), false);
    let mut text = Vec::new();
    measure("graphite", |n| {
        text.clear();
        encoder.encode(&batches[n as usize], &mut text);
    });
    measure("JSON lines", |n| {
        text.clear();
        json_lines::encode(&batches[n as usize], &mut text);
    });
    let history = History::new(Limits::default());
    measure("history", |n| history.insert(&batches[n as usize], UnixMillis(0)));
    let bytes = history.bytes() as f64 / f64::from(FRAMES * METRICS);
    println!("history: {bytes:.2} bytes/point");
}
