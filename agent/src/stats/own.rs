//! What the agent tells of its own sampling.

use super::sample::{Family, Sample};
use muster_protocol::stats::Kind::Counter;

static AGENT: Family<2> = Family {
    name: "agent",
    leaves: [("samples_dropped", "samples", Counter), ("read_errors", "errors", Counter)],
};

/// Puts the samples that were given up unsent, and the failures of collectors.
pub(super) fn put(into: &mut Sample, dropped: u64, errors: u64) {
    into.put(&AGENT, "", [dropped as f64, errors as f64]);
}
