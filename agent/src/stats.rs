//! The host's counters: collectors fill a sample, samples become rows, rows become frames.
//!
//! Every collector is laid out alike: its families of metrics, its file, `collect`. Sampling is
//! synchronous and quick (files of `/proc`, kept open, and `statvfs` of local filesystems), so it
//! runs on the agent's single thread. What could hang, a network filesystem, is never touched.

mod cpu;
mod disk;
mod filesystem;
mod load;
mod memory;
mod network;
mod own;
mod pending;
mod pressure;
mod proc_file;
mod sample;
mod uptime;

pub use pending::{Outgoing, Pending};

use muster_protocol::id::UnixMillis;
use muster_protocol::stats::{Row, Schema};
use sample::Sample;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tracing::{info, warn};

/// Why a collector has no values this time.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The kernel does not give the file.
    #[error("reading {}", path.display())]
    Read {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is not laid out as the kernel's documentation says.
    #[error("{} is garbled", path.display())]
    Garbled {
        /// Which one.
        path: PathBuf,
    },
}

/// Reads one part of the host.
trait Collector {
    /// What logs call it.
    fn name(&self) -> &'static str;

    /// Puts its values, in the same order each time; a part that the host lacks puts none.
    fn collect(&mut self, into: &mut Sample) -> Result<(), Error>;
}

/// One sample and the schema it belongs to.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The same `Arc` as long as the host's devices stay the same.
    pub schema: Arc<Schema>,
    /// The values.
    pub row: Row,
}

/// Reads all collectors; keeps their files open.
pub struct Sampler {
    collectors: Vec<(Box<dyn Collector + Send>, Health)>,
    sample: Sample,
    schema: Arc<Schema>,
    errors: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Health {
    Good,
    Failing,
}

impl Default for Sampler {
    fn default() -> Sampler {
        Sampler::new()
    }
}

impl Sampler {
    /// A sampler of this host.
    #[must_use]
    pub fn new() -> Sampler {
        Sampler::at(Path::new("/proc"))
    }

    /// A sampler of the host whose `/proc` is at `root`.
    #[must_use]
    pub fn at(root: &Path) -> Sampler {
        let collectors: [Box<dyn Collector + Send>; 8] = [
            Box::new(load::Load::at(root)),
            Box::new(uptime::Uptime::at(root)),
            Box::new(memory::Memory::at(root)),
            Box::new(cpu::Cpu::at(root)),
            Box::new(pressure::Pressure::at(root)),
            Box::new(disk::Disk::at(root)),
            Box::new(network::Network::at(root)),
            Box::new(filesystem::Filesystem::at(root)),
        ];
        Sampler {
            collectors: collectors.into_iter().map(|one| (one, Health::Good)).collect(),
            sample: Sample::default(),
            schema: Arc::new(Schema::new(Vec::new()).expect("an empty schema is within limits")),
            errors: 0,
        }
    }

    /// Reads everything. `dropped` is [`Pending::dropped`], which the sample tells.
    pub fn sample(&mut self, now: UnixMillis, dropped: u64) -> Reading {
        self.sample.begin();
        for (collector, health) in &mut self.collectors {
            let result = collector.collect(&mut self.sample);
            self.errors += u64::from(result.is_err());
            report(collector.name(), health, result);
        }
        own::put(&mut self.sample, dropped, self.errors);
        let (values, changed) = self.sample.end();
        if changed {
            let schema = self.sample.schema();
            if schema.id() != self.schema.id() {
                self.schema = Arc::new(schema);
            }
        }
        Reading { schema: self.schema.clone(), row: Row { time: now, values } }
    }
}

/// Logs the first failure of a row of them, and the end of it.
fn report(collector: &'static str, health: &mut Health, result: Result<(), Error>) {
    match (result, *health) {
        (Ok(()), Health::Failing) => {
            info!(collector, "stats are read again");
            *health = Health::Good;
        }
        (Err(error), Health::Good) => {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            warn!(collector, %error, cause, "stats cannot be read; the other ones go on");
            *health = Health::Failing;
        }
        (Ok(()), Health::Good) | (Err(_), Health::Failing) => {}
    }
}

#[cfg(test)]
mod tests;
