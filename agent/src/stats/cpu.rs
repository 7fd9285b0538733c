//! CPU time by core and mode, and the counts of processes, all from `/proc/stat`.
//!
//! Time counts in jiffies, which are hundredths of a second for every reader of `/proc` (USER_HZ).
//! `user` holds the time of guests too. Cores that are offline have no line, so a core is known by
//! its number, not by its place.

use super::proc_file::{ProcFile, lines, number, numbers, words};
use super::sample::{Family, Sample};
use super::{Collector, Error};
use muster_protocol::stats::Kind::{Counter, Gauge};
use std::path::Path;

static CPU: Family<8> = Family {
    name: "cpu",
    leaves: [
        ("user", "jiffies", Counter),
        ("nice", "jiffies", Counter),
        ("system", "jiffies", Counter),
        ("idle", "jiffies", Counter),
        ("iowait", "jiffies", Counter),
        ("irq", "jiffies", Counter),
        ("softirq", "jiffies", Counter),
        ("steal", "jiffies", Counter),
    ],
};

static PROCESSES: Family<3> = Family {
    name: "processes",
    leaves: [("running", "", Gauge), ("blocked", "", Gauge), ("forks", "", Counter)],
};

/// The key of all cores together.
const TOTAL: &str = "total";

pub(super) struct Cpu {
    stat: ProcFile,
}

impl Cpu {
    pub(super) fn at(root: &Path) -> Cpu {
        Cpu { stat: ProcFile::single(root, "stat") }
    }
}

impl Collector for Cpu {
    fn name(&self) -> &'static str {
        "cpu"
    }

    fn collect(&mut self, into: &mut Sample) -> Result<(), Error> {
        parse(self.stat.read()?, into).ok_or_else(|| self.stat.garbled())
    }
}

fn parse(text: &[u8], into: &mut Sample) -> Option<()> {
    let mut processes = [f64::NAN; 3];
    let mut cores = 0;
    for line in lines(text) {
        let mut words = words(line);
        let key = words.next()?;
        match key {
            b"procs_running" => processes[0] = number(words.next()?)?,
            b"procs_blocked" => processes[1] = number(words.next()?)?,
            b"processes" => processes[2] = number(words.next()?)?,
            _ => {
                if let Some(core) = key.strip_prefix(b"cpu") {
                    let core = std::str::from_utf8(core).ok()?;
                    let core = if core.is_empty() { TOTAL } else { core };
                    into.put(&CPU, core, numbers(&mut words)?);
                    cores += 1;
                }
            }
        }
    }
    into.put(&PROCESSES, "", processes);
    (cores > 0).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offline_core_does_not_shift_the_others() {
        let mut sample = Sample::default();
        sample.begin();
        let text = b"cpu  3 0 0 0 0 0 0 0 0 0\ncpu0 1 0 0 0 0 0 0 0 0 0\n\
            cpu2 2 0 0 0 0 0 0 0 0 0\nintr 5 0 0\nprocesses 7\nprocs_running 1\nprocs_blocked 0\n";
        parse(text, &mut sample).unwrap();
        let (values, _) = sample.end();
        let schema = sample.schema();
        let user = |core: &str| {
            let name = format!("cpu.{core}.user");
            schema.metrics().iter().position(|metric| metric.name == name).map(|at| values[at])
        };
        assert_eq!(
            (user("total"), user("0"), user("1"), user("2")),
            (Some(3.0), Some(1.0), None, Some(2.0))
        );
        assert_eq!(values[values.len() - 3..], [1.0, 0.0, 7.0]);
    }

    #[test]
    fn a_text_without_cores_is_garbled() {
        for text in [&b""[..], b"cpu 1 2\n", b"cpu0 a b c d e f g h\n"] {
            assert!(parse(text, &mut Sample::default()).is_none());
        }
    }
}
