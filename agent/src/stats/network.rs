//! Bytes, packets, errors and drops per network interface, from `/proc/net/dev`; not the loopback.

use super::proc_file::{ProcFile, lines, numbers, words};
use super::sample::{Family, Sample};
use super::{Collector, Error};
use muster_protocol::stats::Kind::Counter;
use std::path::Path;

static NETWORK: Family<8> = Family {
    name: "network",
    leaves: [
        ("rx_bytes", "bytes", Counter),
        ("rx_packets", "packets", Counter),
        ("rx_errors", "packets", Counter),
        ("rx_dropped", "packets", Counter),
        ("tx_bytes", "bytes", Counter),
        ("tx_packets", "packets", Counter),
        ("tx_errors", "packets", Counter),
        ("tx_dropped", "packets", Counter),
    ],
};

const LOOPBACK: &str = "lo";
const HEADER_LINES: usize = 2;

pub(super) struct Network {
    dev: ProcFile,
}

impl Network {
    pub(super) fn at(root: &Path) -> Network {
        Network { dev: ProcFile::list(root, "net/dev") }
    }
}

impl Collector for Network {
    fn name(&self) -> &'static str {
        "network"
    }

    fn collect(&mut self, into: &mut Sample) -> Result<(), Error> {
        parse(self.dev.read()?, into).ok_or_else(|| self.dev.garbled())
    }
}

/// The first number may stand right behind the colon, and a name may hold one (`eth0:1`).
fn parse(text: &[u8], into: &mut Sample) -> Option<()> {
    for line in lines(text).skip(HEADER_LINES) {
        let colon = line.iter().rposition(|&byte| byte == b':')?;
        let (name, rest) = line.split_at(colon);
        let Ok(name) = std::str::from_utf8(name.trim_ascii()) else { continue };
        if name == LOOPBACK {
            continue;
        }
        let [rx @ .., _, _, _, _, tx0, tx1, tx2, tx3] = numbers::<12>(&mut words(&rest[1..]))?;
        let [rx0, rx1, rx2, rx3] = rx;
        into.put(&NETWORK, name, [rx0, rx1, rx2, rx3, tx0, tx1, tx2, tx3]);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "Inter-| Receive | Transmit\n face |bytes packets |bytes packets\n";

    #[test]
    fn interfaces_are_read_with_or_without_a_space_behind_the_colon() {
        let text = format!(
            "{HEADER}    lo:    9 9 9 9 0 0 0 0 9 9 9 9 0 0 0 0\n\
            eth0.100:1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0\n  ib0: 1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0\n"
        );
        let mut sample = Sample::default();
        sample.begin();
        parse(text.as_bytes(), &mut sample).unwrap();
        let (values, _) = sample.end();
        assert_eq!(values, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0].repeat(2));
        assert_eq!(sample.schema().metrics()[0].name, "network.eth0.100.rx_bytes");
        assert!(parse(format!("{HEADER}eth0: 1\n").as_bytes(), &mut sample).is_none());
    }
}
