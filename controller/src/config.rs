//! `controller.yaml`: its fields, their defaults, and errors that say where and what to do.

mod states;

use crate::provider::kind;
use muster_protocol::id::{ClusterName, PoolName};
use muster_protocol::yaml::{self, Words};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use states::{Roots, Secrets, States};

/// The largest pool that may be configured.
pub const POOL_SIZE_MAX: u32 = 100_000;

/// The longest window of ids that may be configured: an hour.
pub const DUPLICATE_SECS_MAX: u32 = 3600;

/// The whole file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The cluster's name; the same as given to `muster init`.
    pub cluster: ClusterName,
    /// The folder that `muster init` made: keys, certificates, the NATS server's configuration.
    pub keys: PathBuf,
    /// What the controller keeps on disk beside NATS: the local provider's workers, logs.
    #[serde(default = "default_data")]
    pub data: PathBuf,
    /// Where NATS is: `embedded` (a child of the controller), or the addresses of a cluster.
    #[serde(default)]
    pub nats: Nats,
    /// Streams and buckets.
    #[serde(default)]
    pub store: Store,
    /// The states that workers get.
    pub states: States,
    /// The clouds, by a name that pools use.
    #[serde(default)]
    pub providers: BTreeMap<String, kind::Config>,
    /// The pools, by name.
    #[serde(default)]
    pub pools: BTreeMap<PoolName, Pool>,
    /// Where stats go besides the built-in history.
    #[serde(default)]
    pub sinks: Vec<muster_reactors::sink::Config>,
    /// A folder of reactor rules (`*.yaml`).
    #[serde(default)]
    pub reactors: Option<PathBuf>,
    /// How the agent gets onto a worker.
    #[serde(default)]
    pub agent: Agent,
    /// Times.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// What is asked of a cloud before a machine of its may enrol.
    #[serde(default)]
    pub verify_instance: BTreeMap<String, Verify>,
    /// What runs on the head node, or is called, at points of a worker's life.
    #[serde(default)]
    pub hooks: Vec<crate::hooks::Config>,
    /// Where live workers' names and addresses are written on the head node.
    #[serde(default)]
    pub membership: crate::membership::Config,
}

/// What is asked of a cloud before a machine of its may enrol; by provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verify {
    /// `required`, `warn` or `off`.
    pub policy: Policy,
    /// Machines reach NATS through address translation: their address is not compared.
    #[serde(default)]
    pub nat: bool,
}

impl Default for Verify {
    fn default() -> Verify {
        Verify { policy: Policy::Required, nat: false }
    }
}

/// What follows when the cloud does not bear a machine out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// It is not admitted; while the cloud does not answer, it is put off.
    Required,
    /// It is admitted, and told.
    Warn,
    /// The cloud is not asked.
    Off,
}

/// Where NATS is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Nats {
    /// The controller runs `nats-server` as its child.
    #[default]
    Embedded,
    /// A cluster that others run: its addresses, `tls://host:port`.
    Servers(Vec<String>),
}

/// Streams and buckets.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Store {
    /// The most bytes of all streams and buckets together, below what NATS may use.
    pub bytes_max: u64,
    /// Servers that hold each stream: 1, or 3 in a cluster of three.
    pub replicas: usize,
    /// Days that events are kept.
    pub event_days: u32,
    /// For so many seconds NATS knows a message again that is sent twice; what comes later is known
    /// by its id when it is acted on.
    pub duplicate_secs: u32,
}

impl Default for Store {
    fn default() -> Store {
        Store { bytes_max: 4 << 30, replicas: 1, event_days: 30, duplicate_secs: 120 }
    }
}

/// One pool.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pool {
    /// The provider, by its name.
    pub provider: String,
    /// The least size.
    #[serde(default)]
    pub min: u32,
    /// The largest size.
    pub max: u32,
    /// The cloud's name of the size of a server.
    #[serde(default)]
    pub flavor: String,
    /// The cloud's name of the image.
    #[serde(default)]
    pub image: String,
    /// Launches under way at once.
    #[serde(default = "default_launches")]
    pub launches_max: u32,
    /// The smaller, the sooner it gets its workers when not all pools can.
    #[serde(default)]
    pub priority: i32,
}

/// How the agent gets onto a worker.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Agent {
    /// `image` (it is there already) or `url` (it is fetched from the controller's HTTPS port).
    pub install: AgentInstall,
    /// The binary that the HTTPS port serves; the one beside the controller's if absent.
    pub binary: Option<PathBuf>,
    /// Where the HTTPS port listens.
    pub listen: std::net::SocketAddr,
    /// The address that workers reach it by; the listening one if absent.
    pub host: Option<String>,
    /// Whether agents run programs that operators send; off if absent.
    pub exec: Option<bool>,
    /// The seconds between two samples; 10 if absent.
    pub interval_secs: Option<u32>,
}

impl Default for Agent {
    fn default() -> Agent {
        let listen = ([0, 0, 0, 0], 8443).into();
        let install = AgentInstall::Image;
        Agent { install, binary: None, listen, host: None, exec: None, interval_secs: None }
    }
}

/// How the agent gets onto a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentInstall {
    /// It is in the image.
    Image,
    /// It is fetched over HTTPS, pinned by its SHA-256.
    Url,
}

/// Times, in seconds.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Timeouts {
    /// From the cloud's yes until the cloud has built the server.
    pub build_secs: u32,
    /// From the cloud's yes until the agent has enrolled.
    pub boot_secs: u32,
    /// From enrolment until the first highstate has succeeded.
    pub configure_secs: u32,
    /// Without a frame for so long, a ready worker is lost.
    pub lost_secs: u32,
    /// An idle worker that is lost for so long is replaced; one that may have jobs is not.
    pub lost_idle_secs: u32,
    /// One call to a cloud.
    pub cloud_secs: u32,
    /// How long an agent's credential lives.
    pub credential_secs: u32,
    /// Between two rounds of the reconciler when nothing wakes it.
    pub reconcile_secs: u32,
    /// A server that nobody knows is left alone until it is so old.
    pub orphan_secs: u32,
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        Timeouts {
            build_secs: 600,
            boot_secs: 900,
            configure_secs: 1800,
            lost_secs: 60,
            lost_idle_secs: 600,
            cloud_secs: 60,
            credential_secs: 86_400,
            reconcile_secs: 30,
            orphan_secs: 600,
        }
    }
}

fn default_data() -> PathBuf {
    "/var/lib/muster".into()
}

fn default_launches() -> u32 {
    16
}

/// What is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is not there or not readable.
    #[error("reading {path}; give the controller's configuration with --config")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is not YAML, not these fields, or makes no sense: with line and column.
    #[error(transparent)]
    Content(yaml::Error),
}

impl Config {
    /// Reads and checks a file. Relative paths in it are relative to its folder.
    ///
    /// # Errors
    /// With the file, line and column, and what was expected.
    pub fn load(path: &Path) -> Result<Config, Error> {
        let text = yaml::read_text(path).map_err(|error| match error {
            yaml::Error::Read { path, source } => Error::Read { path, source },
            yaml::Error::TooLarge { .. } | yaml::Error::Content { .. } => Error::Content(error),
        })?;
        let mut config = Config::parse(&text, path)?;
        let base = path.parent().unwrap_or(Path::new(""));
        for path in [&mut config.keys, &mut config.data] {
            *path = base.join(&*path);
        }
        config.states.resolve(base);
        for provider in config.providers.values_mut() {
            provider.resolve(base);
        }
        crate::stats::resolve(&mut config.sinks, base);
        crate::hooks::config::resolve(&mut config.hooks, base);
        config.membership.resolve(base);
        config.reactors = config.reactors.map(|reactors| base.join(reactors));
        Ok(config)
    }

    /// Reads and checks a file's text; `path` is for the error alone.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(text: &str, path: &Path) -> Result<Config, Error> {
        let config: Config = yaml::parse(text, path, Words::Shown).map_err(Error::Content)?;
        config
            .check()
            .map_err(|(keys, what)| Error::Content(yaml::invalid(text, path, &keys, what)))?;
        Ok(config)
    }

    /// The keys of what makes no sense, and what is wrong with it.
    fn check(&self) -> Result<(), (Vec<&str>, String)> {
        crate::hooks::config::check(&self.hooks, self.pools.keys())
            .map_err(|what| (vec!["hooks"], what))?;
        self.states.check()?;
        for (name, pool) in &self.pools {
            if !self.providers.contains_key(&pool.provider) {
                let known: Vec<&str> = self.providers.keys().map(String::as_str).collect();
                let known = known.join(", ");
                let what = format!(
                    "pool {name} names the provider {:?}, and there is only: {known}; add it \
                     under providers",
                    pool.provider
                );
                return Err((vec!["pools", name.as_str(), "provider"], what));
            }
            if pool.min > pool.max || pool.max > POOL_SIZE_MAX {
                let what = format!(
                    "pool {name} has min {} and max {}; set 0 <= min <= max <= {POOL_SIZE_MAX}",
                    pool.min, pool.max
                );
                return Err((vec!["pools", name.as_str(), "max"], what));
            }
        }
        for name in self.verify_instance.keys() {
            if !self.providers.contains_key(name) {
                let what = format!(
                    "verify_instance names the provider {name:?}, which is not there; add it \
                     under providers"
                );
                return Err((vec!["verify_instance", name], what));
            }
        }
        if self.nats == Nats::Servers(Vec::new()) {
            let what = "nats.servers is empty; name at least one, or use embedded";
            return Err((vec!["nats", "servers"], what.into()));
        }
        if !(1..=DUPLICATE_SECS_MAX).contains(&self.store.duplicate_secs) {
            let found = self.store.duplicate_secs;
            let what = format!(
                "store.duplicate_secs is {found}; use 1 to {DUPLICATE_SECS_MAX}: NATS holds the \
                 ids of that time in memory"
            );
            return Err((vec!["store", "duplicate_secs"], what));
        }
        match self.store.replicas {
            1 | 3 | 5 => Ok(()),
            other => {
                let what = format!("store.replicas is {other}; use 1, 3 or 5");
                Err((vec!["store", "replicas"], what))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "cluster: c\nkeys: k\nstates: {tree: t}\nproviders:\n  here: {kind: local}\n\
                        pools:\n  w: {provider: here, max: 3}\n";

    #[test]
    fn a_short_file_has_working_defaults() {
        let config = Config::parse(GOOD, Path::new("c.yaml")).unwrap();
        assert_eq!((config.nats, config.timeouts.lost_secs), (Nats::Embedded, 60));
    }

    #[test]
    fn a_cloud_of_openstack_has_settings_of_its_own() {
        let cloud = "{kind: openstack, cloud: ci, clouds_file: clouds.yaml, server: {key: k}}";
        let text = GOOD.replace("{kind: local}", cloud);
        let config = Config::parse(&text, Path::new("c.yaml")).unwrap();
        assert!(matches!(&config.providers["here"], kind::Config::OpenStack(found) if
            found.cloud.as_deref() == Some("ci") && found.server.key.as_deref() == Some("k")));
        let bad = text.replace("cloud: ci", "clod: ci");
        let error = Config::parse(&bad, Path::new("c.yaml")).unwrap_err().to_string();
        assert!(error.contains("clod"), "{error}");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (bad, expected) in [
            (GOOD.replace("keys: k", "kees: k"), "c.yaml:2:1: the field `kees` is unknown"),
            (GOOD.replace("max: 3", "max: three"), "c.yaml:7:28: `max`: expected a whole number"),
            (
                GOOD.replace("provider: here", "provider: there"),
                "c.yaml:7:7: pool w names the provider",
            ),
            (GOOD.replace("max: 3", "min: 4, max: 3"), "min 4 and max 3"),
            (format!("{GOOD}store: {{replicas: 2}}\n"), "use 1, 3 or 5"),
            (format!("{GOOD}store: {{duplicate_secs: 0}}\n"), "duplicate_secs is 0; use 1 to 3600"),
            (format!("{GOOD}nats: {{servers: []}}\n"), "nats.servers is empty"),
            (GOOD.replace("cluster: c", "cluster: C.x"), "cluster name"),
        ] {
            let error = Config::parse(&bad, Path::new("c.yaml")).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("c.yaml"), "{error}");
        }
    }
}
