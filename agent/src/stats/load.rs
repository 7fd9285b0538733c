//! Load averages, from `/proc/loadavg`.

use super::proc_file::{ProcFile, decimal, words};
use super::sample::{Family, Sample};
use super::{Collector, Error};
use muster_protocol::stats::Kind::Gauge;
use std::path::Path;

static LOAD: Family<3> =
    Family { name: "load", leaves: [("1m", "", Gauge), ("5m", "", Gauge), ("15m", "", Gauge)] };

pub(super) struct Load {
    loadavg: ProcFile,
}

impl Load {
    pub(super) fn at(root: &Path) -> Load {
        Load { loadavg: ProcFile::single(root, "loadavg") }
    }
}

impl Collector for Load {
    fn name(&self) -> &'static str {
        "load"
    }

    fn collect(&mut self, into: &mut Sample) -> Result<(), Error> {
        let values = parse(self.loadavg.read()?).ok_or_else(|| self.loadavg.garbled())?;
        into.put(&LOAD, "", values);
        Ok(())
    }
}

fn parse(text: &[u8]) -> Option<[f64; 3]> {
    let mut words = words(text);
    Some([decimal(words.next()?)?, decimal(words.next()?)?, decimal(words.next()?)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_averages_come_first() {
        assert_eq!(parse(b"0.20 1.18 112.12 2/123 4242\n"), Some([0.20, 1.18, 112.12]));
        assert_eq!(parse(b"0.20 0.18\n"), None);
    }
}
