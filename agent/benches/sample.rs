//! What one sample costs this host: CPU time, reads and allocations. `cargo bench -p muster-agent`.

use muster_agent::stats::{Outgoing, Pending, Sampler};
use muster_protocol::id::{Token, UnixMillis};
use muster_protocol::wire;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

const ROUNDS: u32 = 2000;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

struct Counting;

#[allow(unsafe_code, reason = "an allocator that counts can be had in no other way")]
// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[derive(Clone, Copy)]
struct Cost {
    cpu_micros: i64,
    allocations: u64,
    reads: u64,
}

fn spent() -> Cost {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("a process may ask for its own usage");
    let cpu_micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    let io = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let reads = io.lines().find_map(|line| line.strip_prefix("syscr: "));
    let reads = reads.and_then(|count| count.parse().ok()).unwrap_or_default();
    Cost { cpu_micros, allocations: ALLOCATIONS.load(Relaxed), reads }
}

#[allow(clippy::print_stdout, reason = "a bench's result")]
fn report(what: &str, from: Cost, to: Cost) {
    let each = |from: u64, to: u64| (to - from) as f64 / f64::from(ROUNDS);
    println!(
        "{what}: {:.4} ms CPU, {:.2} reads, {:.2} allocations",
        (to.cpu_micros - from.cpu_micros) as f64 / 1000.0 / f64::from(ROUNDS),
        each(from.reads, to.reads),
        each(from.allocations, to.allocations),
    );
}

#[allow(clippy::print_stdout, reason = "a bench's result")]
fn main() {
    let mut sampler = Sampler::new();
    let first = sampler.sample(UnixMillis(0), 0);
    println!("{} metrics, {ROUNDS} samples; each:", first.row.values.len());

    let start = spent();
    for round in 0..ROUNDS {
        sampler.sample(UnixMillis(i64::from(round)), 0);
    }
    report("sample", start, spent());

    let mut pending = Pending::new(Token::random([0; 26]));
    let mut bytes = 0;
    let start = spent();
    for round in 0..ROUNDS {
        pending.push(sampler.sample(UnixMillis(i64::from(round) * 10_000), 0));
        while let Some(outgoing) = pending.take() {
            if let Outgoing::Frame(frame) = outgoing {
                bytes += wire::encode(&frame).len();
            }
        }
    }
    report("sample, frame and encode", start, spent());
    println!("{:.0} bytes on the wire", bytes as f64 / f64::from(ROUNDS));
}
