//! Provider `local`: workers on this machine, kept apart by namespaces, for demos and tests.
//!
//! A worker is started from the same `#cloud-config` that a cloud's server would get (see
//! [`crate::sandbox`]). A server is a folder below [`Config::folder`], and a supervisor that goes
//! on when the controller ends; all that is known of it is in the folder, so any number of
//! [`Local`]s may look at the same one. A folder appears whole, by a rename, before anything runs;
//! it disappears by a rename after nothing runs any more. Workers have the machine's network. This
//! keeps workers from treading on the machine by accident; against a hostile root it is no wall.

mod rebuild;
mod removal;
mod settings;
mod support;

pub use crate::sandbox::record::Isolation;
pub use removal::sweep;
pub use settings::Settings;
pub use support::{default_isolation, support};

use super::{Error, ErrorKind, Provider, Server, ServerId, ServerSpec, Status};
use crate::sandbox::CloudConfig;
use crate::sandbox::record::{Folder, Running, Spec, Step, private_folder};
use crate::user_data::USER_DATA_BYTES_MAX;
use futures_util::future::BoxFuture;
use muster_protocol::id::{ClusterName, UnixMillis, random};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

/// How long a server may have no process yet: then its controller was killed in between.
const START_MILLIS_MAX: i64 = 10_000;
/// The most servers of one machine.
const SERVERS_MAX: usize = 1000;
/// What begins the name of a folder that is not yet a server.
const NEW: &str = ".new-";
/// What begins the name of a folder that is no server any more.
const GONE: &str = ".gone-";
/// How old an unfinished folder must be to be taken for left behind.
const UNFINISHED_MILLIS_MAX: u128 = 60_000;

/// Where and how workers are run.
#[derive(Clone, Debug)]
pub struct Config {
    /// The folder of all servers; made if it is not there, for its owner only.
    pub folder: PathBuf,
    /// The cluster that its servers belong to.
    pub cluster: ClusterName,
    /// How new workers are kept apart.
    pub isolation: Isolation,
    /// What workers see at `/usr/bin/muster-agent`; `None` leaves what the machine has there.
    pub agent_binary: Option<PathBuf>,
    /// Folders that workers see empty, e.g. the controller's, which holds keys.
    pub hidden: Vec<PathBuf>,
    /// What starts a worker's processes.
    pub sandbox: SandboxCommand,
}

/// The command whose `main` hands what follows to [`crate::sandbox::main`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SandboxCommand {
    /// The program.
    pub program: PathBuf,
    /// The arguments before `run`.
    pub args: Vec<OsString>,
}

impl SandboxCommand {
    /// `PROGRAM sandbox`.
    #[must_use]
    pub fn of(program: impl Into<PathBuf>) -> SandboxCommand {
        SandboxCommand { program: program.into(), args: vec![OsString::from("sandbox")] }
    }

    /// This program, followed by `sandbox`.
    ///
    /// # Errors
    /// If the kernel does not tell which program this is.
    pub fn current() -> io::Result<SandboxCommand> {
        std::env::current_exe().map(SandboxCommand::of)
    }
}

/// The provider; its clones are the same one.
#[derive(Clone, Debug)]
pub struct Local {
    config: Arc<Config>,
}

impl Local {
    /// Opens the folder of all servers, and clears what a killed controller left unfinished there.
    ///
    /// # Errors
    /// If the folder cannot be made or read, or a path cannot be resolved.
    pub fn open(mut config: Config) -> Result<Local, Error> {
        let open = |config: &mut Config| -> io::Result<()> {
            fs::create_dir_all(config.folder.parent().unwrap_or(Path::new("/")))?;
            match private_folder(&config.folder) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
            // Within a worker's root folder a path must not be led astray by a link.
            config.folder = fs::canonicalize(&config.folder)?;
            config.hidden = existing(&config.hidden)?;
            if let Some(binary) = &mut config.agent_binary {
                *binary = fs::canonicalize(&*binary)?;
            }
            removal::clear_unfinished(&config.folder)
        };
        open(&mut config).map_err(|error| {
            let folder = config.folder.display();
            let text = format!("opening {folder}: check that it, the agent and the hidden exist");
            Error::new(ErrorKind::Invalid, text).caused_by(error)
        })?;
        Ok(Local { config: Arc::new(config) })
    }

    /// How new workers are kept apart.
    #[must_use]
    pub fn isolation(&self) -> Isolation {
        self.config.isolation
    }

    /// Runs what blocks apart from the runtime's own threads.
    fn blocking<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Local) -> Result<T, Error> + Send + 'static,
    ) -> BoxFuture<'static, Result<T, Error>> {
        let this = self.clone();
        Box::pin(async move {
            let done = tokio::task::spawn_blocking(move || act(&this)).await;
            done.unwrap_or_else(|error| {
                Err(Error::new(ErrorKind::Transient, "the call was broken off").caused_by(error))
            })
        })
    }

    fn create_now(&self, spec: &ServerSpec) -> Result<Server, Error> {
        let doing = format!("creating {}", spec.name);
        self.check(&doing, spec)?;
        if self.folders(&doing)?.len() >= SERVERS_MAX {
            let text = format!("{doing}: this machine has {SERVERS_MAX} servers already");
            return Err(Error::new(ErrorKind::Quota, text));
        }
        let id = new_id();
        let record = self.record(&id, spec);
        let failed = |error: io::Error| {
            Error::new(ErrorKind::Transient, format!("creating {}", spec.name)).caused_by(error)
        };
        let unfinished = Folder::new(self.config.folder.join(format!("{NEW}{id}")));
        unfinished.make(&record, spec.user_data.expose()).map_err(failed)?;
        let path = self.config.folder.join(id.as_str());
        fs::rename(unfinished.path(), &path).map_err(failed)?;
        let folder = Folder::new(path);
        if let Err(error) = self.start(&folder) {
            removal::remove(&folder)?;
            return Err(failed(error));
        }
        Ok(server(&record, Status::Building))
    }

    fn record(&self, id: &ServerId, spec: &ServerSpec) -> Spec {
        Spec {
            id: id.to_string(),
            name: spec.name.clone(),
            agent_id: spec.agent_id.clone(),
            cluster: spec.cluster.clone(),
            pool: spec.pool.clone(),
            image: spec.image.clone(),
            created_at: UnixMillis::now(),
            isolation: self.config.isolation,
            agent_binary: self.config.agent_binary.clone(),
            hidden: self.config.hidden.clone(),
        }
    }

    /// Refuses what can never succeed.
    fn check(&self, doing: &str, spec: &ServerSpec) -> Result<(), Error> {
        if spec.cluster != self.config.cluster {
            let text = format!("{doing}: this provider is of cluster {}", self.config.cluster);
            return Err(Error::new(ErrorKind::Invalid, text));
        }
        let bytes = spec.user_data.expose().len();
        if bytes > USER_DATA_BYTES_MAX {
            let text = format!("{doing}: {bytes} bytes of user-data, above {USER_DATA_BYTES_MAX}");
            return Err(Error::new(ErrorKind::Invalid, text));
        }
        let parsed = CloudConfig::parse(spec.user_data.expose());
        parsed.map(drop).map_err(|error| Error::new(ErrorKind::Invalid, doing).caused_by(error))
    }

    /// Starts the supervisor. It gets nothing of ours: no environment, no files, no session.
    fn start(&self, folder: &Folder) -> io::Result<()> {
        let output = fs::OpenOptions::new().create(true).append(true).open(folder.output())?;
        let mut command = Command::new(&self.config.sandbox.program);
        command.args(&self.config.sandbox.args).args(["run", "--folder"]).arg(folder.path());
        command.env_clear().current_dir("/");
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        // Whoever sees that it has ended reaps it: it may well outlive us.
        command.spawn().map(drop)
    }

    fn list_now(&self) -> Result<Vec<Server>, Error> {
        let mut found = Vec::new();
        for folder in self.folders("listing the servers")? {
            found.extend(self.read(&folder)?);
        }
        Ok(found)
    }

    /// The server in this folder: `None` if it is of another cluster, or has gone meanwhile.
    fn read(&self, folder: &Folder) -> Result<Option<Server>, Error> {
        let doing = || format!("reading server {}", folder.path().display());
        let failed = |error: io::Error| Error::new(ErrorKind::Transient, doing()).caused_by(error);
        let spec = match folder.spec() {
            Ok(spec) => spec,
            Err(error) if is_missing(&error) => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        if spec.cluster != self.config.cluster {
            return Ok(None);
        }
        match status(folder, &spec, UnixMillis::now()) {
            Ok(status) => Ok(Some(server(&spec, status))),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    fn delete_now(&self, id: &ServerId) -> Result<(), Error> {
        let Some(folder) = self.folder(id) else { return Ok(()) };
        match folder.spec() {
            Ok(spec) if spec.cluster != self.config.cluster => {
                let text = format!("deleting server {id}: it is of cluster {}", spec.cluster);
                Err(Error::new(ErrorKind::Conflict, text))
            }
            Err(error) if is_missing(&error) => Ok(()),
            // One whose record cannot be read was asked for by its id: it goes, too.
            _ => removal::remove(&folder),
        }
    }

    fn folders(&self, doing: &str) -> Result<Vec<Folder>, Error> {
        let failed = |error| Error::new(ErrorKind::Transient, doing).caused_by(error);
        let ids = names(&self.config.folder).map_err(failed)?;
        Ok(ids.iter().filter_map(|id| self.folder(&ServerId::new(id.as_str()))).collect())
    }

    /// The folder of a server with this id, if it is one of ours at all.
    fn folder(&self, id: &ServerId) -> Option<Folder> {
        is_id(id.as_str()).then(|| Folder::new(self.config.folder.join(id.as_str())))
    }
}

impl Provider for Local {
    fn name(&self) -> &'static str {
        "local"
    }

    fn create(&self, spec: ServerSpec) -> BoxFuture<'_, Result<Server, Error>> {
        self.blocking(move |this| this.create_now(&spec))
    }

    fn delete<'a>(&'a self, id: &'a ServerId) -> BoxFuture<'a, Result<(), Error>> {
        let id = id.clone();
        self.blocking(move |this| this.delete_now(&id))
    }

    fn rebuild<'a>(
        &'a self,
        id: &'a ServerId,
        spec: ServerSpec,
    ) -> BoxFuture<'a, Result<(), Error>> {
        let id = id.clone();
        self.blocking(move |this| this.rebuild_now(&id, &spec))
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Server>, Error>> {
        self.blocking(Local::list_now)
    }

    fn get<'a>(&'a self, id: &'a ServerId) -> BoxFuture<'a, Result<Option<Server>, Error>> {
        let folder = self.folder(id);
        self.blocking(move |this| match folder {
            Some(folder) => this.read(&folder),
            None => Ok(None),
        })
    }
}

fn server(spec: &Spec, status: Status) -> Server {
    let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    Server {
        id: ServerId::new(spec.id.as_str()),
        name: spec.name.clone(),
        agent_id: spec.agent_id.clone(),
        cluster: spec.cluster.clone(),
        status,
        addresses: loopback.to_vec(),
        created_at: spec.created_at,
        image: spec.image.clone(),
    }
}

fn status(folder: &Folder, spec: &Spec, now: UnixMillis) -> io::Result<Status> {
    let running = folder.running()?;
    let step = folder.entries()?.pop().map(|entry| entry.step);
    if let Some(Step::Failed(text)) = step {
        let tail = folder.output_tail().unwrap_or_default();
        let tail = if tail.is_empty() { tail } else { format!(":\n{tail}") };
        return Ok(Status::Error(format!("{text}{tail}")));
    }
    let alive = match running {
        Some(Running { supervisor, .. }) => {
            supervisor.reap();
            supervisor.is_alive()
        }
        None => now.since(spec.created_at) < START_MILLIS_MAX,
    };
    Ok(match (alive, step) {
        (false, _) => Status::Stopped,
        (true, Some(Step::Done)) => Status::Active,
        (true, _) => Status::Building,
    })
}

/// A random UUID (version 4), as a cloud would give.
fn new_id() -> ServerId {
    let mut bits = u128::from_be_bytes(random());
    bits = bits & !(0xf << 76) | (0x4 << 76);
    bits = bits & !(0x3 << 62) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
    ServerId::new(parts.join("-"))
}

fn is_id(text: &str) -> bool {
    let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => digit(byte),
        })
}

fn names(folder: &Path) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        found.extend(entry?.file_name().into_string());
    }
    found.sort();
    Ok(found)
}

fn existing(folders: &[PathBuf]) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for folder in folders {
        match fs::canonicalize(folder) {
            Ok(path) if path == Path::new("/") => {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "'/' cannot be hidden"));
            }
            Ok(path) => found.push(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_uuid_and_nothing_else_is() {
        let id = new_id();
        assert!(is_id(id.as_str()), "{id}");
        assert_eq!(&id.as_str()[14..15], "4");
        assert_ne!(id, new_id());
        for text in ["", "..", ".new-8d7f3c52-0f0e-4d0b-9d5c-0c5f5d0b2f00", "8D7F3C52"] {
            assert!(!is_id(text), "{text}");
        }
    }
}
