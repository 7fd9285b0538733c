//! Pressure stall information, from `/proc/pressure`; kernels without it give none.
//!
//! Kernels before 5.13 have no `full` line for the CPU: NaN.

use super::proc_file::{ProcFile, decimal, lines, number, words};
use super::sample::{Family, Sample};
use super::{Collector, Error};
use muster_protocol::stats::Kind::{Counter, Gauge};
use std::path::Path;

static PRESSURE: Family<4> = Family {
    name: "pressure",
    leaves: [
        ("some_avg10", "percent", Gauge),
        ("some_total", "microseconds", Counter),
        ("full_avg10", "percent", Gauge),
        ("full_total", "microseconds", Counter),
    ],
};

const RESOURCES: [&str; 3] = ["cpu", "memory", "io"];

pub(super) struct Pressure {
    files: [(&'static str, ProcFile); 3],
}

impl Pressure {
    pub(super) fn at(root: &Path) -> Pressure {
        let root = root.join("pressure");
        Pressure { files: RESOURCES.map(|name| (name, ProcFile::single(&root, name))) }
    }
}

impl Collector for Pressure {
    fn name(&self) -> &'static str {
        "pressure"
    }

    fn collect(&mut self, into: &mut Sample) -> Result<(), Error> {
        for (name, file) in &mut self.files {
            let Some(text) = file.read_if_there()? else { continue };
            let values = parse(text).ok_or_else(|| file.garbled())?;
            into.put(&PRESSURE, name, values);
        }
        Ok(())
    }
}

fn parse(text: &[u8]) -> Option<[f64; 4]> {
    let mut values = [f64::NAN; 4];
    for line in lines(text) {
        let mut words = words(line);
        let at = match words.next()? {
            b"some" => 0,
            b"full" => 2,
            _ => continue,
        };
        for word in words {
            if let Some(average) = word.strip_prefix(b"avg10=") {
                values[at] = decimal(average)?;
            } else if let Some(total) = word.strip_prefix(b"total=") {
                values[at + 1] = number(total)?;
            }
        }
    }
    (!values[0].is_nan()).then_some(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOME: &[u8] = b"some avg10=4.50 avg60=0.91 avg300=0.00 total=681245\n";
    const FULL: &[u8] = b"full avg10=2.10 avg60=0.12 avg300=0.00 total=391926\n";

    #[test]
    fn both_lines_are_read_and_full_may_be_missing() {
        let both = [SOME, FULL].concat();
        assert_eq!(parse(&both), Some([4.5, 681_245.0, 2.1, 391_926.0]));
        let some = parse(SOME).unwrap();
        assert!(some[1] == 681_245.0 && some[2].is_nan());
        assert_eq!(parse(b"junk\n"), None);
    }
}
