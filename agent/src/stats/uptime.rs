//! How long the host is up, from `/proc/uptime`.

use super::proc_file::{ProcFile, decimal, words};
use super::sample::{Family, Sample};
use super::{Collector, Error};
use muster_protocol::stats::Kind::Gauge;
use std::path::Path;

static UPTIME: Family<1> = Family { name: "host", leaves: [("uptime", "seconds", Gauge)] };

pub(super) struct Uptime {
    uptime: ProcFile,
}

impl Uptime {
    pub(super) fn at(root: &Path) -> Uptime {
        Uptime { uptime: ProcFile::single(root, "uptime") }
    }
}

impl Collector for Uptime {
    fn name(&self) -> &'static str {
        "uptime"
    }

    fn collect(&mut self, into: &mut Sample) -> Result<(), Error> {
        let first = words(self.uptime.read()?).next().and_then(decimal);
        into.put(&UPTIME, "", [first.ok_or_else(|| self.uptime.garbled())?]);
        Ok(())
    }
}
