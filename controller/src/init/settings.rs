//! What a directory was made with: the options of the first run, kept in `init.yaml`.

use super::Error;
use crate::keys;
use crate::keys::files::Directory;
use muster_protocol::id::{ClusterName, UserName};
use muster_protocol::yaml::{self, Words};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

const FILE: &str = "init.yaml";
/// The port of NATS, if none is given.
const PORT: u16 = 4222;
/// The store's size, if none is given.
const STORE_BYTES: u64 = 10 << 30;
/// The least store that streams with useful limits fit in.
const STORE_BYTES_MIN: u64 = 256 << 20;
/// Hosts and addresses in the server's certificate.
const HOSTS_MAX: usize = 64;

/// The options of `muster-controller init`. Those left out are as in the first run.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The directory of keys, certificates and configuration; made with mode 0700
    #[arg(long)]
    pub dir: PathBuf,
    /// The cluster's name, unique in each cloud project [needed by the first run]
    #[arg(long)]
    pub cluster: Option<ClusterName>,
    /// A name or address by which agents and people reach this machine; may be repeated
    #[arg(long = "host", value_name = "NAME_OR_IP")]
    pub hosts: Vec<String>,
    /// Where NATS listens; port 0 is a free one, chosen once [default: 0.0.0.0:4222 with --host,
    /// else 127.0.0.1:4222]
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Option<SocketAddr>,
    /// Where NATS stores streams [default: DIR/store]
    #[arg(long)]
    pub store_dir: Option<PathBuf>,
    /// The store's size, e.g. 10GiB [default: 10GiB]
    #[arg(long, value_name = "BYTES")]
    pub max_store: Option<Size>,
    /// On how many NATS servers each stream is kept: 1, 3 or 5 [default: 1]
    #[arg(long)]
    pub replicas: Option<usize>,
    /// The first person, who may do everything [default: admin]
    #[arg(long)]
    pub user: Option<UserName>,
}

impl Args {
    /// All defaults, for a directory.
    #[must_use]
    pub fn new(dir: &Path, cluster: Option<ClusterName>) -> Args {
        Args {
            dir: dir.to_owned(),
            cluster,
            hosts: vec![],
            listen: None,
            store_dir: None,
            max_store: None,
            replicas: None,
            user: None,
        }
    }
}

/// What a directory was made with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The cluster's name.
    pub cluster: ClusterName,
    /// Names and addresses of this machine, beside the loopback's.
    pub hosts: Vec<String>,
    /// Where NATS listens; port 0 is a free one, chosen at the first start.
    pub listen: SocketAddr,
    /// Where NATS stores streams.
    pub store_dir: PathBuf,
    /// The store's size.
    pub max_store: Size,
    /// On how many NATS servers each stream is kept.
    pub replicas: usize,
    /// The first person.
    pub user: UserName,
}

impl Settings {
    /// Reads what a directory was made with.
    ///
    /// # Errors
    /// When `init` has not run there, or the file is damaged.
    pub fn read(dir: &Path) -> Result<Settings, keys::Error> {
        let missing = || keys::Error::Missing { file: FILE.into() };
        read(&Directory::open(dir)?)?.ok_or_else(missing)
    }

    /// Where agents and people connect, once the port is known.
    #[must_use]
    pub fn servers(&self, port: u16) -> Vec<String> {
        if self.hosts.is_empty() {
            return vec![self.local_server(port)];
        }
        let url = |host: &String| match host.parse::<IpAddr>() {
            Ok(address) => format!("tls://{}", SocketAddr::new(address, port)),
            Err(_) => format!("tls://{host}:{port}"),
        };
        self.hosts.iter().map(url).collect()
    }

    /// Where this machine's own processes connect.
    #[must_use]
    pub fn local_server(&self, port: u16) -> String {
        format!("tls://{}", self.local_socket(port))
    }

    pub(crate) fn local_socket(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.local_address(), port)
    }

    fn local_address(&self) -> IpAddr {
        let ip = self.listen.ip();
        if ip.is_unspecified() { Ipv4Addr::LOCALHOST.into() } else { ip }
    }

    /// What the server's certificate names, beside the loopback's names.
    pub(crate) fn certified(&self) -> Vec<String> {
        let mut all = self.hosts.clone();
        all.push(self.local_address().to_string());
        all
    }
}

/// A number of bytes: `1048576`, `512MiB`, `10GiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Size(pub u64);

impl FromStr for Size {
    type Err = String;
    fn from_str(text: &str) -> Result<Size, String> {
        let units = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40)];
        let unit = units.iter().find_map(|(unit, bits)| Some((text.strip_suffix(unit)?, *bits)));
        let (number, bits) = unit.unwrap_or((text, 0));
        let number = number.trim().parse::<u64>().ok();
        let bytes = number.and_then(|number| number.checked_mul(1 << bits));
        bytes
            .map(Size)
            .ok_or_else(|| "use a number of bytes, or one with KiB, MiB, GiB, TiB".into())
    }
}

impl fmt::Display for Size {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(to)
    }
}

/// The settings of the first run, which the options must not contradict; made by the first run.
pub(super) fn settle(
    args: &Args,
    dir: &Directory,
    made: &mut Vec<String>,
) -> Result<Settings, Error> {
    if let Some(before) = read(dir)? {
        compare(args, dir, &before)?;
        return Ok(before);
    }
    let settings = first(args, dir)?;
    check(&settings)?;
    let text = serde_saphyr::to_string(&settings).expect("settings are YAML");
    dir.write(FILE, &text)?;
    made.push(FILE.into());
    Ok(settings)
}

fn read(dir: &Directory) -> Result<Option<Settings>, keys::Error> {
    let Some(text) = dir.read(FILE)? else { return Ok(None) };
    Ok(Some(yaml::parse(&text, &dir.path(FILE), Words::Hidden)?))
}

fn first(args: &Args, dir: &Directory) -> Result<Settings, Error> {
    let address = if args.hosts.is_empty() { Ipv4Addr::LOCALHOST } else { Ipv4Addr::UNSPECIFIED };
    Ok(Settings {
        cluster: args.cluster.clone().ok_or(Error::Needs("--cluster NAME"))?,
        hosts: args.hosts.clone(),
        listen: args.listen.unwrap_or(SocketAddr::new(address.into(), PORT)),
        store_dir: absolute(args.store_dir.as_deref()).unwrap_or_else(|| dir.path("store")),
        max_store: args.max_store.unwrap_or(Size(STORE_BYTES)),
        replicas: args.replicas.unwrap_or(1),
        user: args.user.clone().unwrap_or("admin".parse().expect("admin is a user name")),
    })
}

fn absolute(path: Option<&Path>) -> Option<PathBuf> {
    path.map(|path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned()))
}

fn compare(args: &Args, dir: &Directory, before: &Settings) -> Result<(), Error> {
    let hosts = (!args.hosts.is_empty()).then(|| args.hosts.join(" "));
    let store = absolute(args.store_dir.as_deref()).map(|path| path.display().to_string());
    let text = |value: Option<&dyn fmt::Display>| value.map(ToString::to_string);
    let given = [
        ("--cluster", text(args.cluster.as_ref().map(|it| it as _)), before.cluster.to_string()),
        ("--host", hosts, before.hosts.join(" ")),
        ("--listen", text(args.listen.as_ref().map(|it| it as _)), before.listen.to_string()),
        ("--store-dir", store, before.store_dir.display().to_string()),
        (
            "--max-store",
            text(args.max_store.as_ref().map(|it| it as _)),
            before.max_store.to_string(),
        ),
        ("--replicas", text(args.replicas.as_ref().map(|it| it as _)), before.replicas.to_string()),
        ("--user", text(args.user.as_ref().map(|it| it as _)), before.user.to_string()),
    ];
    for (option, now, before) in given {
        if let Some(now) = now.filter(|now| *now != before) {
            return Err(Error::Differs { dir: dir.root().to_owned(), option, before, now });
        }
    }
    Ok(())
}

fn check(settings: &Settings) -> Result<(), Error> {
    let wrong = |option, value: String, rule| Err(Error::Value { option, value, rule });
    if settings.hosts.len() > HOSTS_MAX {
        return wrong("--host", settings.hosts.len().to_string(), "are too many: give at most 64");
    }
    if let Some(host) = settings.hosts.iter().find(|host| !is_host(host)) {
        return wrong("--host", host.clone(), "is no host name and no address");
    }
    if settings.max_store.0 < STORE_BYTES_MIN {
        let rule = "is too small for streams: give at least 256MiB";
        return wrong("--max-store", settings.max_store.to_string(), rule);
    }
    if ![1, 3, 5].contains(&settings.replicas) {
        return wrong("--replicas", settings.replicas.to_string(), "must be 1, 3 or 5");
    }
    Ok(())
}

/// An address that is one machine's, or a DNS name without wildcards.
fn is_host(text: &str) -> bool {
    if let Ok(address) = text.parse::<IpAddr>() {
        return !address.is_unspecified() && !address.is_multicast();
    }
    let label = |label: &str| {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        (1..=63).contains(&label.len())
            && label.bytes().all(inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label)
}
