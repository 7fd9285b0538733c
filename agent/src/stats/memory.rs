//! Memory and swap, in bytes, from `/proc/meminfo`.

use super::proc_file::{ProcFile, lines, number, words};
use super::sample::{Family, Sample};
use super::{Collector, Error};
use muster_protocol::stats::Kind::Gauge;
use std::path::Path;

static MEMORY: Family<11> = Family {
    name: "memory",
    leaves: [
        ("total", "bytes", Gauge),
        ("free", "bytes", Gauge),
        ("available", "bytes", Gauge),
        ("buffers", "bytes", Gauge),
        ("cached", "bytes", Gauge),
        ("shared", "bytes", Gauge),
        ("anonymous", "bytes", Gauge),
        ("dirty", "bytes", Gauge),
        ("writeback", "bytes", Gauge),
        ("slab", "bytes", Gauge),
        ("slab_reclaimable", "bytes", Gauge),
    ],
};
const MEMORY_KEYS: [&[u8]; 11] = [
    b"MemTotal:",
    b"MemFree:",
    b"MemAvailable:",
    b"Buffers:",
    b"Cached:",
    b"Shmem:",
    b"AnonPages:",
    b"Dirty:",
    b"Writeback:",
    b"Slab:",
    b"SReclaimable:",
];

static SWAP: Family<3> = Family {
    name: "swap",
    leaves: [("total", "bytes", Gauge), ("free", "bytes", Gauge), ("cached", "bytes", Gauge)],
};
const SWAP_KEYS: [&[u8]; 3] = [b"SwapTotal:", b"SwapFree:", b"SwapCached:"];

const BYTES_PER_KIB: f64 = 1024.0;

pub(super) struct Memory {
    meminfo: ProcFile,
}

impl Memory {
    pub(super) fn at(root: &Path) -> Memory {
        Memory { meminfo: ProcFile::single(root, "meminfo") }
    }
}

impl Collector for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn collect(&mut self, into: &mut Sample) -> Result<(), Error> {
        let (memory, swap) = parse(self.meminfo.read()?);
        if memory[0].is_nan() {
            return Err(self.meminfo.garbled());
        }
        into.put(&MEMORY, "", memory);
        into.put(&SWAP, "", swap);
        Ok(())
    }
}

/// A field that this kernel does not have is NaN.
fn parse(text: &[u8]) -> ([f64; 11], [f64; 3]) {
    let mut memory = [f64::NAN; 11];
    let mut swap = [f64::NAN; 3];
    for line in lines(text) {
        let mut words = words(line);
        let (Some(key), Some(value)) = (words.next(), words.next().and_then(number)) else {
            continue;
        };
        let bytes = value * BYTES_PER_KIB;
        if let Some(at) = MEMORY_KEYS.iter().position(|known| *known == key) {
            memory[at] = bytes;
        } else if let Some(at) = SWAP_KEYS.iter().position(|known| *known == key) {
            swap[at] = bytes;
        }
    }
    (memory, swap)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kibibytes_become_bytes_and_what_is_missing_is_nan() {
        let (memory, swap) = parse(
            b"MemTotal:       1000 kB\nMemFree: 10 kB\nSwapTotal:  4 kB\nHugePages_Total: 0\n",
        );
        assert_eq!((memory[0], memory[1], swap[0]), (1_024_000.0, 10_240.0, 4096.0));
        assert!(memory[2].is_nan() && swap[1].is_nan());
    }
}
