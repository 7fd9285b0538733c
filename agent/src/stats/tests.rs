//! The sampler on a made-up `/proc` and on this host's.

use super::*;
use std::fs;

const NOW: UnixMillis = UnixMillis(1_763_600_000_000);

const STAT: &str = "cpu  30 0 10 400 5 0 1 0 0 0\ncpu0 10 0 5 200 2 0 1 0 0 0\n\
    cpu1 20 0 5 200 3 0 0 0 0 0\nintr 1 2 3\nctxt 9\nbtime 1\nprocesses 70\nprocs_running 2\n\
    procs_blocked 0\n";
const MEMINFO: &str = "MemTotal:       16300000 kB\nMemFree:  800 kB\nMemAvailable: 900 kB\n\
    Buffers: 1 kB\nCached: 2 kB\nSwapCached: 0 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n\
    Dirty: 3 kB\nWriteback: 0 kB\nAnonPages: 4 kB\nShmem: 5 kB\nSlab: 6 kB\nSReclaimable: 7 kB\n";
const NET: &str = "Inter-|   Receive\n face |bytes\n    lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n\
    \x20 eth0: 10 2 0 0 0 0 0 0 30 4 0 0 0 0 0 0\n";
const DISKS: &str = "254 0 vda 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15\n";

struct Host {
    root: tempfile::TempDir,
}

impl Host {
    fn new() -> Host {
        let host = Host { root: tempfile::tempdir().unwrap() };
        host.write("loadavg", "0.20 0.18 0.12 1/80 11206\n");
        host.write("uptime", "350735.47 234388.90\n");
        host.write("meminfo", MEMINFO);
        host.write("stat", STAT);
        host.write("net/dev", NET);
        host.write("diskstats", DISKS);
        host.write("self/mountinfo", "27 1 254:0 / / rw - ext4 /dev/root rw\n");
        host
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.root.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn sampler(&self) -> Sampler {
        Sampler::at(self.root.path())
    }
}

fn value(reading: &Reading, name: &str) -> Option<f64> {
    let at = reading.schema.metrics().iter().position(|metric| metric.name == name)?;
    Some(reading.row.values[at])
}

#[test]
fn a_sample_has_every_part_of_the_host() {
    let reading = Host::new().sampler().sample(NOW, 4);
    for (name, expected) in [
        ("load.15m", 0.12),
        ("host.uptime", 350_735.47),
        ("memory.total", 16_300_000.0 * 1024.0),
        ("swap.total", 0.0),
        ("cpu.total.user", 30.0),
        ("cpu.1.iowait", 3.0),
        ("processes.forks", 70.0),
        ("disk.vda.write_bytes", 7.0 * 512.0),
        ("network.eth0.tx_packets", 4.0),
        ("agent.samples_dropped", 4.0),
        ("agent.read_errors", 0.0),
    ] {
        assert_eq!(value(&reading, name), Some(expected), "{name}");
    }
    assert!(value(&reading, "filesystem./.bytes_total").is_some_and(|bytes| bytes > 0.0));
    assert_eq!(value(&reading, "network.lo.rx_bytes"), None);
    assert_eq!(reading.row.values.len(), reading.schema.metrics().len());
}

#[test]
fn the_schema_is_the_same_until_a_device_comes() {
    let host = Host::new();
    let mut sampler = host.sampler();
    let first = sampler.sample(NOW, 0);
    let second = sampler.sample(NOW.plus(10_000), 0);
    assert!(Arc::ptr_eq(&first.schema, &second.schema));
    host.write("net/dev", &format!("{NET}  ib0: 1 2 0 0 0 0 0 0 3 4 0 0 0 0 0 0\n"));
    let third = sampler.sample(NOW.plus(20_000), 0);
    assert_ne!(second.schema.id(), third.schema.id());
    assert_eq!(value(&third, "network.ib0.rx_packets"), Some(2.0));
    host.write("net/dev", NET);
    assert_eq!(sampler.sample(NOW.plus(30_000), 0).schema.id(), first.schema.id());
}

#[test]
fn a_part_that_cannot_be_read_leaves_the_others_and_is_counted() {
    let host = Host::new();
    host.write("stat", "nonsense\n");
    fs::remove_file(host.root.path().join("diskstats")).unwrap();
    let mut sampler = host.sampler();
    let reading = sampler.sample(NOW, 0);
    assert_eq!(value(&reading, "cpu.0.user"), None);
    assert_eq!(value(&reading, "load.1m"), Some(0.2));
    assert_eq!(value(&reading, "agent.read_errors"), Some(2.0));
    host.write("stat", STAT);
    host.write("diskstats", DISKS);
    let reading = sampler.sample(NOW, 0);
    assert_eq!(value(&reading, "cpu.0.user"), Some(10.0));
    assert_eq!(value(&reading, "agent.read_errors"), Some(2.0));
}

#[test]
fn an_empty_proc_is_no_panic() {
    let root = tempfile::tempdir().unwrap();
    let reading = Sampler::at(root.path()).sample(NOW, 0);
    assert_eq!(value(&reading, "agent.samples_dropped"), Some(0.0));
}

#[test]
fn this_host_is_read_without_errors() {
    let mut sampler = Sampler::new();
    let first = sampler.sample(NOW, 0);
    let second = sampler.sample(NOW, 0);
    assert_eq!(value(&second, "agent.read_errors"), Some(0.0));
    for name in ["cpu.total.user", "memory.total", "host.uptime"] {
        let (earlier, later) = (value(&first, name).unwrap(), value(&second, name).unwrap());
        assert!(earlier > 0.0 && later >= earlier, "{name}: {earlier} {later}");
    }
}

/// The same bytes, read by us and by the `procfs` crate.
#[test]
fn our_readings_are_those_of_the_procfs_crate() {
    use procfs::{FromBufRead, FromBufReadSI};
    let host = Host::new();
    for name in ["meminfo", "diskstats", "net/dev", "stat", "loadavg"] {
        host.write(name, &fs::read_to_string(format!("/proc/{name}")).unwrap());
    }
    let reading = host.sampler().sample(NOW, 0);
    let text = |name: &str| fs::read(host.root.path().join(name)).unwrap();
    let same = |name: &str, theirs: u64| {
        assert_eq!(value(&reading, name), Some(theirs as f64), "{name}");
    };

    let memory = procfs::Meminfo::from_buf_read(&text("meminfo")[..]).unwrap();
    same("memory.total", memory.mem_total);
    same("memory.cached", memory.cached);
    same("memory.slab", memory.slab);

    let system = procfs::current_system_info();
    let stat = procfs::KernelStats::from_buf_read(&text("stat")[..], system).unwrap();
    same("cpu.total.system", stat.total.system);
    same("cpu.total.steal", stat.total.steal.unwrap());
    same("processes.forks", stat.processes);

    let disks = procfs::DiskStats::from_buf_read(&text("diskstats")[..]).unwrap();
    for disk in disks.0.iter().filter(|disk| disk.reads > 0 && disk.name.starts_with("vd")) {
        same(&format!("disk.{}.read_bytes", disk.name), disk.sectors_read * 512);
        same(&format!("disk.{}.write_time", disk.name), disk.time_writing);
    }

    let interfaces =
        procfs::net::InterfaceDeviceStatus::from_buf_read(&text("net/dev")[..]).unwrap();
    for (name, counters) in interfaces.0.iter().filter(|(name, _)| *name != "lo") {
        same(&format!("network.{name}.rx_bytes"), counters.recv_bytes);
        same(&format!("network.{name}.tx_dropped"), counters.sent_drop);
    }
}
