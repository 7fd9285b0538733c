//! `nats: embedded`: nats-server as a child of the controller.
//!
//! The server outlives a controller that is killed: agents keep their connections, and the next
//! controller adopts it, if it is healthy and runs the present configuration. It is found by its
//! arguments and a fingerprint in its environment, not by a file, so no moment of a crash hides it.

mod error;
mod info;
mod process;
mod program;
mod room;

pub use error::Error;
pub use program::{PROGRAM_VARIABLE, Program};
pub use room::Room;

use crate::init::{self, Settings};
use crate::keys::files::Directory;
use crate::keys::tls::{SERVER_CERTIFICATE, SERVER_KEY};
use muster_protocol::id::Hash;
use process::Process;
use room::{Next, Watch};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

/// The server's configuration, made by `init`.
pub const CONFIG: &str = "nats.conf";
/// What belongs to the running server: its port, its log.
pub(crate) const RUN: &str = "run";
const LOCK: &str = "lock";
/// How long another controller's lock may last that is being killed.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);
/// The port that a free one became: agents know it.
const PORT: &str = "port";
/// The certificate that the server has read last.
const SHOWN: &str = "shown.pem";
/// What the server says before it has opened its log.
const OUTPUT: &str = "nats-server.out";
const LOG: &str = "nats.log";
const PORTS: &str = ".ports";
/// A server that reads back a large store takes its time.
const START_DEADLINE: Duration = Duration::from_secs(120);
const START_POLL: Duration = Duration::from_millis(10);
/// How long a server may take to end before it is killed, unless the options say otherwise.
pub const STOP_GRACE: Duration = Duration::from_secs(10);
const BACKOFF_MIN: Duration = Duration::from_millis(250);
const BACKOFF_MAX: Duration = Duration::from_secs(10);
/// A server that ran that long is started again without delay.
const STEADY: Duration = Duration::from_secs(60);
/// How often the disk under the store is looked at.
const LOOK: Duration = Duration::from_secs(2);
/// Characters of the server's words in an error.
const SAID_CHARS_MAX: usize = 1000;

/// Which server to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The directory that `init` made.
    pub dir: PathBuf,
    /// The executable; else `MUSTER_NATS_SERVER`, else `nats-server` on the PATH.
    pub program: Option<PathBuf>,
    /// How long it may take to end before it is killed.
    pub stop_grace: Duration,
}

impl Options {
    /// The server of a directory, found by the environment.
    #[must_use]
    pub fn new(dir: &Path) -> Options {
        Options { dir: dir.to_owned(), program: None, stop_grace: STOP_GRACE }
    }
}

/// A nats-server that runs and answers.
#[derive(Debug)]
pub struct Server {
    site: Site,
    process: Process,
    port: u16,
    since: Instant,
    watch: Watch,
}

/// Everything but the process: what a restart needs again.
#[derive(Debug)]
struct Site {
    dir: Directory,
    run: Directory,
    settings: Settings,
    program: Program,
    fingerprint: Hash,
    stop_grace: Duration,
    _lock: File,
}

impl Server {
    /// Adopts the server that a killed controller left, or starts one, and waits until it answers.
    ///
    /// # Errors
    /// When there is no nats-server of a sufficient version, another controller runs it, or it does
    /// not start.
    pub async fn start(options: &Options) -> Result<Server, Error> {
        let site = Site::open(options).await?;
        let (process, port) = match site.adopt().await? {
            Some(adopted) => adopted,
            None => site.spawn().await?,
        };
        let watch = Watch::new(&site.settings.store_dir, site.run.path(LOG));
        let server = Server { site, process, port, since: Instant::now(), watch };
        server.site.remember(server.port)?;
        info!(pid = server.pid(), port = server.port, adopted = server.is_adopted(), version =
            %server.version(), "nats-server answers");
        Ok(server)
    }

    /// Where agents and people connect: `tls://host:port` for each host of `init`.
    #[must_use]
    pub fn servers(&self) -> Vec<String> {
        self.site.settings.servers(self.port)
    }

    /// Where the controller itself connects.
    #[must_use]
    pub fn url(&self) -> String {
        self.site.settings.local_server(self.port)
    }

    /// The server's version, e.g. `2.15.1`.
    #[must_use]
    pub fn version(&self) -> &str {
        self.site.program.version()
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Whether an earlier controller has started it.
    #[must_use]
    pub fn is_adopted(&self) -> bool {
        self.process.is_adopted()
    }

    /// How much room its store has, and each change of it.
    #[must_use]
    pub fn room(&self) -> watch::Receiver<Room> {
        self.watch.room()
    }

    /// Starts it again whenever it ends, or when its disk has room again, on the same port, until
    /// `stop`; then stops it. It reads its certificate again when the keys have changed.
    ///
    /// # Errors
    /// When it cannot be stopped.
    pub async fn run(
        mut self,
        mut keys: watch::Receiver<u64>,
        stop: CancellationToken,
    ) -> Result<(), Error> {
        // The keys may have changed while nobody watched.
        self.show_certificate()?;
        let mut looks = tokio::time::interval(LOOK);
        loop {
            tokio::select! {
                () = self.process.ended() => {
                    warn!(pid = self.pid(), "nats-server ended, starting it again");
                }
                Ok(()) = keys.changed() => {
                    self.show_certificate()?;
                    continue;
                }
                _ = looks.tick() => match self.watch.look() {
                    Next::Nothing => continue,
                    Next::Restart => self.process.stop(self.site.stop_grace).await?,
                },
                () = stop.cancelled() => break,
            }
            if stop.run_until_cancelled(self.restart()).await.is_none() {
                // The start that was cut off may have left a process.
                return self.site.clear().await.map(drop);
            }
        }
        self.stop().await
    }

    /// Lets the server read its certificate, unless it has done that. While it reads, which takes a
    /// tenth of a second, it lets nobody new in.
    fn show_certificate(&self) -> Result<(), Error> {
        let (present, shown) = (self.site.certificate()?, self.site.run.read(SHOWN)?);
        if shown.as_deref() != Some(present.as_str()) {
            self.process.reload()?;
            self.site.run.write(SHOWN, &present)?;
            info!(pid = self.pid(), "nats-server reads its certificate again");
        }
        Ok(())
    }

    async fn restart(&mut self) {
        let mut pause = if self.since.elapsed() > STEADY { Duration::ZERO } else { BACKOFF_MIN };
        loop {
            tokio::time::sleep(pause).await;
            match self.site.spawn().await {
                Ok((process, _)) => {
                    (self.process, self.since) = (process, Instant::now());
                    info!(pid = self.pid(), "nats-server answers again");
                    return;
                }
                Err(cause) => {
                    let error = crate::nats::error::chain(&cause);
                    error!(error, "nats-server does not start, trying again");
                }
            }
            pause = (pause * 2).clamp(BACKOFF_MIN, BACKOFF_MAX);
        }
    }

    /// Ends it: asks, waits for the grace time, kills.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn stop(mut self) -> Result<(), Error> {
        self.process.stop(self.site.stop_grace).await?;
        info!("nats-server stopped");
        Ok(())
    }
}

/// Ends the server that a killed controller left in a directory; says whether there was one.
///
/// # Errors
/// When a controller runs there, or the server cannot be ended.
pub async fn stop_leftover(dir: &Path) -> Result<bool, Error> {
    let dir = Directory::open(dir)?;
    let _lock = lock(&dir).await?;
    clear(&dir, STOP_GRACE).await
}

/// A child that a killed controller was just starting holds the lock until it is executed.
async fn lock(dir: &Directory) -> Result<File, Error> {
    let run = dir.inner(RUN)?;
    let until = Instant::now() + LOCK_PATIENCE;
    loop {
        match run.lock(LOCK)? {
            Some(lock) => return Ok(lock),
            None if Instant::now() > until => return Err(Error::Busy(dir.root().to_owned())),
            None => tokio::time::sleep(START_POLL).await,
        }
    }
}

async fn clear(dir: &Directory, grace: Duration) -> Result<bool, Error> {
    let left = process::find(&dir.path(CONFIG));
    for each in &left {
        Process::Adopted(each.identity.clone()).stop(grace).await?;
    }
    Ok(!left.is_empty())
}

impl Site {
    async fn open(options: &Options) -> Result<Site, Error> {
        let dir = Directory::open(&options.dir)?;
        let settings = Settings::read(dir.root())?;
        let config = dir.require(CONFIG)?;
        for file in [SERVER_CERTIFICATE, SERVER_KEY] {
            dir.require(file)?;
        }
        let lock = lock(&dir).await?;
        Ok(Site {
            run: dir.inner(RUN)?,
            settings,
            program: Program::find(options.program.as_deref()).await?,
            fingerprint: Hash::of(config.as_bytes()),
            stop_grace: options.stop_grace,
            _lock: lock,
            dir,
        })
    }

    fn certificate(&self) -> Result<String, Error> {
        Ok(self.dir.require(SERVER_CERTIFICATE)?)
    }

    /// The server that was left, if it is the one that would be started now; else it is ended.
    async fn adopt(&self) -> Result<Option<(Process, u16)>, Error> {
        let left = process::find(&self.dir.path(CONFIG));
        if let [one] = &left[..]
            && one.fingerprint == self.fingerprint.as_str()
            && let Some(port) = self.port_of(one.identity.pid)
            && info::version_at(&self.settings.local_socket(port)).await.as_deref()
                == Some(self.program.version())
        {
            return Ok(Some((Process::Adopted(one.identity.clone()), port)));
        }
        if self.clear().await? {
            warn!("ended a nats-server of another configuration or version");
        }
        Ok(None)
    }

    async fn clear(&self) -> Result<bool, Error> {
        clear(&self.dir, self.stop_grace).await
    }

    async fn spawn(&self) -> Result<(Process, u16), Error> {
        self.forget_ports()?;
        self.run.write(SHOWN, &self.certificate()?)?;
        let mut process = self.program.spawn(&program::Start {
            config: &self.dir.path(CONFIG),
            output: &self.run.path(OUTPUT),
            port: self.remembered()?,
            fingerprint: &self.fingerprint,
        })?;
        let wait = tokio::time::timeout(START_DEADLINE, self.wait(&mut process)).await;
        match wait {
            Ok(Some(port)) => return Ok((process, port)),
            Ok(None) => {}
            Err(_) => process.stop(self.stop_grace).await?,
        }
        Err(Error::Start { said: self.said(process.pid()), log: self.run.path(LOG) })
    }

    /// The port, once the server says that it listens; nothing if it ends before.
    async fn wait(&self, process: &mut Process) -> Option<u16> {
        let mut poll = tokio::time::interval(START_POLL);
        loop {
            tokio::select! {
                () = process.ended() => return None,
                _ = poll.tick() => {}
            }
            if let Some(port) = self.port_of(process.pid()) {
                return Some(port);
            }
        }
    }

    /// The port that a server wrote for its process id, into `<executable>_<pid>.ports`.
    fn port_of(&self, pid: u32) -> Option<u16> {
        let end = format!("_{pid}{PORTS}");
        let entries = std::fs::read_dir(self.run.root()).ok()?;
        let mut paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
        let path = paths.find(|path| path.to_string_lossy().ends_with(&end))?;
        info::port(&std::fs::read(path).ok()?)
    }

    fn forget_ports(&self) -> Result<(), Error> {
        let root = self.run.root();
        let io = |source| Error::Io { doing: "clearing", path: root.to_owned(), source };
        for entry in std::fs::read_dir(root).map_err(io)? {
            let path = entry.map_err(io)?.path();
            if path.to_string_lossy().ends_with(PORTS) {
                std::fs::remove_file(path).map_err(io)?;
            }
        }
        Ok(())
    }

    fn remembered(&self) -> Result<Option<u16>, Error> {
        Ok(self.run.read(PORT)?.and_then(|text| text.trim().parse().ok()))
    }

    /// A free port stays the same from now on, and the first person's context names it.
    fn remember(&self, port: u16) -> Result<(), Error> {
        if self.settings.listen.port() == 0 {
            if self.remembered()? != Some(port) {
                self.run.write(PORT, &format!("{port}\n"))?;
            }
            init::context::set_servers(self.dir.root(), &self.settings, port)?;
        }
        Ok(())
    }

    /// The end of what the server said, on its output and, where it is bad, in its log.
    fn said(&self, pid: u32) -> String {
        let read = |file| std::fs::read_to_string(self.run.path(file)).unwrap_or_default();
        let (mut all, log, own) = (read(OUTPUT), read(LOG), format!("[{pid}]"));
        let is_bad = |line: &&str| line.contains("[ERR]") || line.contains("[FTL]");
        for line in log.lines().filter(|line| line.starts_with(&own)).filter(is_bad) {
            all.push_str(line);
            all.push('\n');
        }
        let skip = all.chars().count().saturating_sub(SAID_CHARS_MAX);
        all.chars().skip(skip).collect::<String>().trim().to_owned()
    }
}
