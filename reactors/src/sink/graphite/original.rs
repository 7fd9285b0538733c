//! The metric paths and raw units of the Dynamic Cluster: kB, jiffies, sectors, milliseconds.
//!
//! Of its metrics all are here; what it did not send (filesystems, pressure, swap, the sum of all
//! cores) is left out. `used` is what is neither free nor in buffers or the page cache.

use super::paths::{Path, Source, node, parts};
use muster_protocol::stats::Schema;

const KIB: f64 = 1.0 / 1024.0;
const SECTORS: f64 = 1.0 / 512.0;

/// Family, leaf, factor and the path, in which `*` is the device's name.
const PATHS: &[(&str, &str, f64, &str)] = &[
    ("load", "1m", 1.0, "load.1m"),
    ("load", "5m", 1.0, "load.5m"),
    ("load", "15m", 1.0, "load.15m"),
    ("memory", "total", KIB, "memory.total"),
    ("memory", "free", KIB, "memory.free"),
    ("memory", "buffers", KIB, "memory.buffered"),
    ("memory", "cached", KIB, "memory.cached"),
    ("cpu", "user", 1.0, "cpu.*.user"),
    ("cpu", "nice", 1.0, "cpu.*.nice"),
    ("cpu", "system", 1.0, "cpu.*.system"),
    ("cpu", "idle", 1.0, "cpu.*.idle"),
    ("cpu", "iowait", 1.0, "cpu.*.wait"),
    ("cpu", "irq", 1.0, "cpu.*.interrupt"),
    ("cpu", "softirq", 1.0, "cpu.*.softirq"),
    ("cpu", "steal", 1.0, "cpu.*.steal"),
    ("network", "rx_bytes", 1.0, "interface.*.if_octets.rx"),
    ("network", "tx_bytes", 1.0, "interface.*.if_octets.tx"),
    ("network", "rx_packets", 1.0, "interface.*.if_packets.rx"),
    ("network", "tx_packets", 1.0, "interface.*.if_packets.tx"),
    ("network", "rx_errors", 1.0, "interface.*.if_errors.rx"),
    ("network", "tx_errors", 1.0, "interface.*.if_errors.tx"),
    ("network", "rx_dropped", 1.0, "interface.*.if_dropped.rx"),
    ("network", "tx_dropped", 1.0, "interface.*.if_dropped.tx"),
    ("disk", "read_ops", 1.0, "disk.*.disk_ops.read"),
    ("disk", "write_ops", 1.0, "disk.*.disk_ops.write"),
    ("disk", "read_merged", 1.0, "disk.*.disk_merged.read"),
    ("disk", "write_merged", 1.0, "disk.*.disk_merged.write"),
    ("disk", "read_bytes", SECTORS, "disk.*.disk_octets.read"),
    ("disk", "write_bytes", SECTORS, "disk.*.disk_octets.write"),
    ("disk", "read_time", 1.0, "disk.*.disk_time.read"),
    ("disk", "write_time", 1.0, "disk.*.disk_time.write"),
];

pub(super) fn paths(schema: &Schema) -> Vec<Path> {
    let names = schema.metrics().iter().map(|metric| metric.name.as_str()).enumerate();
    let mut all: Vec<Path> = names.filter_map(|(index, name)| path(index, name)).collect();
    all.extend(used(schema));
    all
}

fn path(index: usize, name: &str) -> Option<Path> {
    let (family, key, leaf) = parts(name);
    let (.., factor, pattern) =
        PATHS.iter().find(|(known, of, ..)| *known == family && *of == leaf)?;
    let is_sum = family == "cpu" && key == "total";
    let fits = pattern.contains('*') != key.is_empty();
    (fits && !is_sum).then(|| Path {
        name: pattern.replace('*', &node(key)),
        source: Source::Column { index, factor: *factor },
    })
}

fn used(schema: &Schema) -> Option<Path> {
    let index = |name| schema.metrics().iter().position(|metric| metric.name == name);
    let less = ["memory.free", "memory.buffers", "memory.cached"];
    let less = less.into_iter().map(index).collect::<Option<Vec<usize>>>()?;
    let source = Source::Remainder { of: index("memory.total")?, less, factor: KIB };
    Some(Path { name: "memory.used".to_owned(), source })
}
