//! What `controller.yaml` says of one OpenStack cloud, and of the servers that are made there.

use super::OpenStack;
use crate::provider::kind::{Kind, Site, resolve};
use crate::provider::{Error, Provider};
use futures_util::future::BoxFuture;
use muster_protocol::id::{PoolName, WorkerName};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::future::ready;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// In a port's name, what stands for the worker's.
pub(super) const WORKER: &str = "{worker}";

/// One OpenStack cloud (`kind: openstack`).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The entry of clouds.yaml; `OS_CLOUD`, or all of the `OS_*` variables, if absent.
    pub cloud: Option<String>,
    /// The clouds.yaml; where `OS_CLIENT_CONFIG_FILE` and custom say if absent.
    pub clouds_file: Option<PathBuf>,
    /// The region; clouds.yaml's if absent.
    pub region: Option<String>,
    /// Which of the catalogue's endpoints are used; clouds.yaml's, else the public ones, if absent.
    pub interface: Option<Interface>,
    /// A CA that the cloud's certificates may be signed by, besides the machine's own, as PEM.
    pub ca: Option<PathBuf>,
    /// Seconds that one request may take.
    pub request_secs: u32,
    /// Seconds that the ids of flavors, images and networks are remembered.
    pub lookup_secs: u32,
    /// What servers are made of, whatever their pool.
    pub server: ServerSettings,
    /// What servers of one pool are made of, where it differs from `server`.
    pub pools: BTreeMap<PoolName, ServerSettings>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            cloud: None,
            clouds_file: None,
            region: None,
            interface: None,
            ca: None,
            request_secs: 30,
            lookup_secs: 300,
            server: ServerSettings::default(),
            pools: BTreeMap::new(),
        }
    }
}

/// Which of the catalogue's endpoints are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Interface {
    /// The public ones.
    #[default]
    Public,
    /// The internal ones.
    Internal,
    /// The administrators'.
    Admin,
}

/// What servers are made of, besides the pool's flavor and image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerSettings {
    /// The networks, in the order of the server's interfaces; the project's only one if absent.
    pub networks: Option<Vec<Network>>,
    /// The security groups, by name or id; the project's `default` if absent.
    pub security_groups: Option<Vec<String>>,
    /// The key pair that may log in.
    pub key: Option<String>,
    /// The availability zone.
    pub zone: Option<String>,
    /// The server group, by name or id: its policy keeps servers apart, or together.
    pub server_group: Option<String>,
    /// A volume to boot from, made from the image; the flavor's own disk if absent.
    pub boot_volume: Option<Volume>,
    /// Empty volumes, made and removed with the server.
    pub volumes: Option<Vec<Volume>>,
    /// Whether user-data comes on a disk, too: for networks without a metadata service.
    pub config_drive: Option<bool>,
    /// What the cloud's own tools show beside the server's name.
    pub description: Option<String>,
    /// Metadata besides Muster's own.
    pub metadata: Option<BTreeMap<String, String>>,
    /// Tags besides Muster's own.
    pub tags: Option<Vec<String>>,
}

/// One interface of a server.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Network {
    /// An address of the cloud's choice on a network, by name or id.
    Named(String),
    /// A given address on a network.
    Address {
        /// The network, by name or id.
        network: String,
        /// The address: for pools of one worker.
        fixed_ip: IpAddr,
    },
    /// A port that is there already.
    Port {
        /// Its name or id, in which `{worker}` stands for the worker's name.
        port: String,
    },
}

/// A volume.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Volume {
    /// Its size.
    pub gib: u32,
    /// Its type; the cloud's default if absent.
    #[serde(default)]
    pub volume_type: Option<String>,
}

impl Settings {
    /// What servers of a pool are made of: the pool's own words, else those for all.
    #[must_use]
    pub(super) fn server_of(&self, pool: &PoolName) -> ServerSettings {
        let base = self.server.clone();
        let Some(own) = self.pools.get(pool).cloned() else { return base };
        ServerSettings {
            networks: own.networks.or(base.networks),
            security_groups: own.security_groups.or(base.security_groups),
            key: own.key.or(base.key),
            zone: own.zone.or(base.zone),
            server_group: own.server_group.or(base.server_group),
            boot_volume: own.boot_volume.or(base.boot_volume),
            volumes: own.volumes.or(base.volumes),
            config_drive: own.config_drive.or(base.config_drive),
            description: own.description.or(base.description),
            metadata: own.metadata.or(base.metadata),
            tags: own.tags.or(base.tags),
        }
    }

    /// What makes no sense, and what to do about it.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.request_secs == 0 {
            return Err("request_secs is 0; give a request at least a second".to_owned());
        }
        let pools = self.pools.iter().map(|(name, server)| (format!("pools.{name}"), server));
        for (place, server) in pools.chain([("server".to_owned(), &self.server)]) {
            server.check().map_err(|what| format!("{place}: {what}"))?;
        }
        Ok(())
    }
}

impl Kind for Settings {
    const THIS_MACHINE: bool = false;

    fn resolve(&mut self, base: &Path) {
        resolve(&mut self.clouds_file, base);
        resolve(&mut self.ca, base);
    }

    fn check_files(&self) -> Result<(), Error> {
        OpenStack::check_files(self)
    }

    fn open<'a>(&'a self, site: Site<'a>) -> BoxFuture<'a, Result<Arc<dyn Provider>, Error>> {
        let opened = OpenStack::open(self.clone(), site.cluster.clone());
        Box::pin(ready(opened.map(|opened| Arc::new(opened) as Arc<dyn Provider>)))
    }
}

impl ServerSettings {
    fn check(&self) -> Result<(), String> {
        let volumes = self.boot_volume.iter().chain(self.volumes.iter().flatten());
        if volumes.into_iter().any(|volume| volume.gib == 0) {
            return Err("a volume of 0 GiB; give its size in gib".to_owned());
        }
        let metadata = self.metadata.iter().flatten();
        if let Some((key, _)) = metadata.into_iter().find(|(key, _)| key.starts_with("muster_")) {
            return Err(format!("the metadata key {key} is Muster's own; choose another"));
        }
        let tags = self.tags.iter().flatten();
        match tags.into_iter().find(|tag| !super::tag::is_valid(tag)) {
            Some(tag) => Err(format!(
                "the tag {tag:?} is none that Nova takes; use 1 to 60 characters without ',' \
                 and '/'"
            )),
            None => Ok(()),
        }
    }
}

/// The name or id of the port that this worker gets.
pub(super) fn port_of(port: &str, worker: &WorkerName) -> String {
    port.replace(WORKER, worker.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Settings {
        serde_saphyr::from_str(text).unwrap()
    }

    #[test]
    fn a_pool_overrides_field_by_field() {
        let settings = parse(
            "server: {networks: [net, {network: ib, fixed_ip: 10.0.0.7}], key: k}\n\
             pools:\n  gpu: {networks: [{port: '{worker}-ib'}], zone: z}\n",
        );
        settings.check().unwrap();
        let gpu = settings.server_of(&"gpu".parse().unwrap());
        let port = Network::Port { port: "{worker}-ib".to_owned() };
        assert_eq!(gpu.networks, Some(vec![port]));
        assert_eq!((gpu.key.as_deref(), gpu.zone.as_deref()), (Some("k"), Some("z")));
        assert_eq!(settings.server_of(&"cpu".parse().unwrap()), settings.server);
        assert_eq!(port_of("{worker}-ib", &"c-1".parse().unwrap()), "c-1-ib");
    }

    #[test]
    fn what_makes_no_sense_is_told_with_its_place() {
        for (text, expected) in [
            ("request_secs: 0", "at least a second"),
            ("server: {volumes: [{gib: 0}]}", "server: a volume of 0 GiB"),
            ("pools: {a: {metadata: {muster_pool: x}}}", "pools.a: the metadata key muster_pool"),
            ("server: {tags: ['a,b']}", "\"a,b\""),
        ] {
            let error = parse(text).check().unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn an_unknown_field_is_refused() {
        for text in ["clod: x", "server: {network: x}", "server: {networks: [{port: a, x: b}]}"] {
            assert!(serde_saphyr::from_str::<Settings>(text).is_err(), "{text}");
        }
    }
}
