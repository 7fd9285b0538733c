//! Operations, bytes and time per block device, from `/proc/diskstats`.
//!
//! Left out: RAM disks, loop devices, device mapper (its disks are counted below it), and devices
//! that never did anything. Field by field: the kernel's Documentation/admin-guide/iostats.rst.

use super::proc_file::{ProcFile, lines, numbers, words};
use super::sample::{Family, Sample};
use super::{Collector, Error};
use muster_protocol::stats::Kind::{Counter, Gauge};
use std::path::Path;

static DISK: Family<11> = Family {
    name: "disk",
    leaves: [
        ("read_ops", "operations", Counter),
        ("read_merged", "operations", Counter),
        ("read_bytes", "bytes", Counter),
        ("read_time", "milliseconds", Counter),
        ("write_ops", "operations", Counter),
        ("write_merged", "operations", Counter),
        ("write_bytes", "bytes", Counter),
        ("write_time", "milliseconds", Counter),
        ("in_progress", "operations", Gauge),
        ("io_time", "milliseconds", Counter),
        ("weighted_time", "milliseconds", Counter),
    ],
};

const SKIPPED: [&str; 3] = ["ram", "loop", "dm-"];
/// The unit of `/proc/diskstats`, whatever the device's own is.
const SECTOR_BYTES: f64 = 512.0;

pub(super) struct Disk {
    diskstats: ProcFile,
}

impl Disk {
    pub(super) fn at(root: &Path) -> Disk {
        Disk { diskstats: ProcFile::list(root, "diskstats") }
    }
}

impl Collector for Disk {
    fn name(&self) -> &'static str {
        "disk"
    }

    fn collect(&mut self, into: &mut Sample) -> Result<(), Error> {
        parse(self.diskstats.read()?, into).ok_or_else(|| self.diskstats.garbled())
    }
}

fn parse(text: &[u8], into: &mut Sample) -> Option<()> {
    for line in lines(text) {
        let mut words = words(line).skip(2);
        let Ok(device) = std::str::from_utf8(words.next()?) else { continue };
        if SKIPPED.iter().any(|prefix| device.starts_with(prefix)) {
            continue;
        }
        let mut values: [f64; 11] = numbers(&mut words)?;
        if values[0] == 0.0 && values[4] == 0.0 {
            continue;
        }
        values[2] *= SECTOR_BYTES;
        values[6] *= SECTOR_BYTES;
        into.put(&DISK, device, values);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sectors_become_bytes_and_virtual_or_idle_devices_are_left_out() {
        let text =
            b"   1 0 ram0 9 0 0 0 0 0 0 0 0 0 0\n   7 0 loop0 9 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n\
            253 0 dm-0 9 0 0 0 0 0 0 0 0 0 0\n  11 0 sr0 0 0 0 0 0 0 0 0 0 0 0\n\
            254 0 vda 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15\n";
        let mut sample = Sample::default();
        sample.begin();
        parse(text, &mut sample).unwrap();
        let (values, _) = sample.end();
        assert_eq!(values, [1.0, 2.0, 1536.0, 4.0, 5.0, 6.0, 3584.0, 8.0, 9.0, 10.0, 11.0]);
        assert_eq!(sample.schema().metrics()[0].name, "disk.vda.read_ops");
        assert!(parse(b"254 0 vda 1 2\n", &mut sample).is_none());
    }
}
