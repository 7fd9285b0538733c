//! A whole cluster on this machine: the real controller with its real nats-server, in a folder of
//! its own, on ports of the kernel's choice. Nothing of it is left when it is dropped.

pub mod command;
pub mod events;
pub mod people;
pub mod samples;

use anyhow::{Context, Result, bail, ensure};
use muster_protocol::api::{
    Answer, ClusterShow, PoolScale, Question, TailOpen, WorkerList, WorkerView,
};
use muster_protocol::bus::{Bus, Credential, Feed, Options};
use muster_protocol::event::Event;
use muster_protocol::id::{Token, UserName, random};
use muster_protocol::subject::{self, Role};
use nkeys::KeyPair;
use serde::Deserialize;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long anything in a test may take.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// How long one look may take: what was on its way to a killed process is answered by nobody.
const LOOK: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(20);
/// What a controller tells while NATS waits for a slow disk, and does again by itself: these two
/// texts in one line are no test's concern.
const RETRIED: [&str; 2] = ["trying again", "timed out"];

/// What a test wants.
#[derive(Clone, Debug)]
pub struct Setup {
    /// `root`, `user` or `none`.
    pub isolation: &'static str,
    /// What stands for the agent; the real one if absent.
    pub agent: Option<String>,
    /// Files of the state tree: path and text.
    pub tree: Vec<(&'static str, String)>,
    /// The cluster's name.
    pub name: String,
    /// The cloud, as in `controller.yaml`; sandboxes on this machine if absent.
    pub provider: Option<String>,
    /// More settings of the pool `test`, e.g. `, launches_max: 100`.
    pub pool: &'static str,
    /// More lines of `controller.yaml`.
    pub config: String,
    /// Where NATS listens.
    pub listen: String,
    /// The nats-server; the usual one if absent.
    pub nats: Option<PathBuf>,
    /// What the controller's process finds in its environment besides.
    pub environment: Vec<(&'static str, String)>,
}

impl Default for Setup {
    fn default() -> Setup {
        let top = "base:\n  '*':\n    - hello\n".to_owned();
        let hello = "/etc/hello:\n  file.managed:\n    - contents: hello {{ grains['id'] }}\n";
        let tree = vec![("top.sls", top), ("hello.sls", hello.to_owned())];
        let listen = "127.0.0.1:0".to_owned();
        Setup {
            isolation: "none",
            agent: None,
            tree,
            name: "test".to_owned(),
            provider: None,
            pool: "",
            config: String::new(),
            listen,
            nats: None,
            environment: Vec::new(),
        }
    }
}

/// A controller with its nats-server.
#[derive(Debug)]
pub struct Cluster {
    dir: TempDir,
    controller: Option<Child>,
    stand_by: Option<Child>,
    nats: PathBuf,
    environment: Vec<(&'static str, String)>,
}

#[derive(Deserialize)]
struct Person {
    servers: Vec<String>,
    user: UserName,
    jwt: String,
    seed: String,
}

/// A program of this workspace, built by `make test` before the tests; `MUSTER_BIN_DIR` names
/// another folder, as `make bench` does.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    if let Some(dir) = std::env::var_os("MUSTER_BIN_DIR") {
        return Path::new(&dir).join(name);
    }
    let test = std::env::current_exe().expect("a test knows its own path");
    let target = test.parent().and_then(Path::parent).expect("tests are in target/<profile>/deps");
    let path = target.join(name);
    assert!(path.exists(), "{} is not built; run `make test`", path.display());
    path
}

/// The nats-server that the tests run: the one that `make tools` has fetched, unless told.
#[must_use]
pub fn nats_server() -> PathBuf {
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/nats-server");
    std::env::var_os("MUSTER_NATS_SERVER").map_or(fetched, PathBuf::from)
}

impl Cluster {
    /// Starts one, and waits until the controller answers.
    ///
    /// # Errors
    /// With the controller's log.
    pub async fn start(setup: &Setup) -> Result<Cluster> {
        let mut cluster = Cluster::prepare(setup)?;
        cluster.start_controller().await?;
        Ok(cluster)
    }

    /// Makes keys, configuration and tree; starts nothing.
    ///
    /// # Errors
    /// With what `init` says.
    pub fn prepare(setup: &Setup) -> Result<Cluster> {
        let dir = tempfile::Builder::new().prefix("muster-test-").tempdir()?;
        let nats = setup.nats.clone().unwrap_or_else(nats_server);
        let environment = setup.environment.clone();
        let cluster = Cluster { dir, controller: None, stand_by: None, nats, environment };
        let init = Command::new(program("muster-controller"))
            .args(["init", "--cluster", &setup.name, "--listen", &setup.listen])
            .args(["--max-store", "1GiB"])
            .arg("--dir")
            .arg(cluster.path("config"))
            .output()?;
        ensure!(init.status.success(), "init: {}", String::from_utf8_lossy(&init.stderr));
        for (path, text) in &setup.tree {
            let path = cluster.path("tree").join(path);
            fs::create_dir_all(path.parent().context("a file is in a folder")?)?;
            fs::write(path, text)?;
        }
        fs::write(cluster.path("config/controller.yaml"), config(setup, &cluster))?;
        Ok(cluster)
    }

    /// A path in the cluster's folder.
    #[must_use]
    pub fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    /// Starts the controller, and waits until it answers.
    ///
    /// # Errors
    /// With its log.
    pub async fn start_controller(&mut self) -> Result<()> {
        self.spawn_controller()?;
        let until = Instant::now() + PATIENCE;
        loop {
            if let Ok(bus) = self.admin().await
                && self.ask(&bus, &ClusterShow {}).await.is_ok()
            {
                return Ok(());
            }
            let child = self.controller.as_mut().context("just started")?;
            if child.try_wait()?.is_some() || Instant::now() > until {
                let nats = fs::read_to_string(self.path("config/run/nats.log")).unwrap_or_default();
                bail!("the controller does not answer:\n{}\nnats-server:\n{nats}", self.log());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Starts the controller, and waits for nothing.
    ///
    /// # Errors
    /// When it cannot be executed.
    pub fn spawn_controller(&mut self) -> Result<()> {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.path("log"))?;
        let child = Command::new(program("muster-controller"))
            .arg("run")
            .arg("--config")
            .arg(self.path("config/controller.yaml"))
            .env("MUSTER_NATS_SERVER", &self.nats)
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        self.controller = Some(child);
        Ok(())
    }

    /// Starts a second controller, with a data folder of its own and the first one's workers.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start_stand_by(&mut self) -> Result<()> {
        let servers = self.servers()?;
        let first = fs::read_to_string(self.path("config/controller.yaml"))?;
        let (own, shared) = (self.path("data2"), self.path("data/local/here"));
        let text = first
            .replace("data: ../data", &format!("data: {own:?}\nnats: {{servers: {servers:?}}}"))
            .replace("kind: local,", &format!("kind: local, folder: {shared:?},"));
        let config = self.path("config/stand-by.yaml");
        fs::write(&config, text)?;
        let log = fs::File::create(self.path("log2"))?;
        let child = Command::new(program("muster-controller"))
            .arg("--config")
            .arg(config)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        self.stand_by = Some(child);
        Ok(())
    }

    /// Stops the nats-server that a killed controller left, and loses all that it stored.
    ///
    /// # Errors
    /// When that cannot be done.
    pub fn lose_store(&self) -> Result<()> {
        let stopped = Command::new(program("muster-controller"))
            .args(["stop-nats", "--dir"])
            .arg(self.path("config"))
            .status()?;
        ensure!(stopped.success(), "nats-server cannot be stopped");
        Ok(fs::remove_dir_all(self.path("config/store"))?)
    }

    /// Waits until the controller asks something with these words. Returns all it asks.
    ///
    /// # Errors
    /// When it does not.
    pub async fn until_asked(&self, bus: &Bus, words: &str) -> Result<Vec<String>> {
        let until = Instant::now() + PATIENCE;
        loop {
            let doubts = self.ask(bus, &ClusterShow {}).await?.doubts;
            if doubts.iter().any(|doubt| doubt.contains(words)) {
                return Ok(doubts);
            }
            ensure!(Instant::now() < until, "{words:?} is not asked: {doubts:?}\n{}", self.log());
            tokio::time::sleep(POLL).await;
        }
    }

    /// Kills the controller at once; its nats-server and its workers go on.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill_controller(&mut self) -> Result<()> {
        let mut child = self.controller.take().context("the controller does not run")?;
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// Asks the controller to end, with its nats-server, and waits for it.
    pub fn stop_controller(&mut self) {
        if let Some(child) = self.controller.take() {
            end(child);
        }
    }

    /// What the controller has logged.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// A connection of the first person.
    ///
    /// # Errors
    /// When NATS is not there.
    pub async fn admin(&self) -> Result<Bus> {
        let context = self.context()?;
        let key = Arc::new(KeyPair::from_seed(&context.seed)?);
        Ok(Bus::connect(Options {
            role: Role::Admin,
            name: context.user.to_string(),
            servers: context.servers,
            ca: Some(self.path("config/ca.pem")),
            credential: Credential::new(key, context.jwt),
        })
        .await?)
    }

    fn context(&self) -> Result<Person> {
        let text = fs::read_to_string(self.path("config/admin.yaml"))?;
        Ok(serde_saphyr::from_str(&text)?)
    }

    /// Where NATS is.
    ///
    /// # Errors
    /// When `init` has not run.
    pub fn servers(&self) -> Result<Vec<String>> {
        Ok(self.context()?.servers)
    }

    /// Asks the controller.
    ///
    /// # Errors
    /// With its refusal.
    pub async fn ask<Q: Question>(&self, bus: &Bus, question: &Q) -> Result<Q::Answer> {
        let user: UserName = bus.name().parse()?;
        let subject = subject::api(&user, Q::NOUN, Q::VERB);
        match bus.request(subject, question, PATIENCE).await? {
            Answer::Ok(answer) => Ok(answer),
            Answer::Refused(refusal) => Err(refusal.into()),
        }
    }

    /// Scales the pool `test`.
    ///
    /// # Errors
    /// With the controller's refusal.
    pub async fn scale(&self, bus: &Bus, size: u32) -> Result<()> {
        self.ask(bus, &PoolScale { pool: "test".parse()?, size }).await?;
        Ok(())
    }

    /// All workers, also those that are terminated.
    ///
    /// # Errors
    /// When the controller does not answer.
    pub async fn workers(&self, bus: &Bus) -> Result<Vec<WorkerView>> {
        self.ask(bus, &WorkerList { target: None, all: true }).await
    }

    /// Waits until the workers are as a test wants them.
    ///
    /// # Errors
    /// With what they are instead, and the controller's log.
    pub async fn until<F>(&self, bus: &Bus, what: &str, wanted: F) -> Result<Vec<WorkerView>>
    where
        F: Fn(&[WorkerView]) -> bool,
    {
        self.until_within(PATIENCE, bus, what, wanted).await
    }

    /// Waits for so long at most.
    ///
    /// # Errors
    /// As [`Cluster::until`].
    pub async fn until_within<F>(
        &self,
        patience: Duration,
        bus: &Bus,
        what: &str,
        wanted: F,
    ) -> Result<Vec<WorkerView>>
    where
        F: Fn(&[WorkerView]) -> bool,
    {
        let until = Instant::now() + patience;
        loop {
            let looked = tokio::time::timeout(LOOK, self.workers(bus)).await;
            let workers = match looked {
                Ok(workers) => workers?,
                Err(_) if Instant::now() < until => continue,
                Err(_) => bail!("never {what}: no answer\n{}", self.log()),
            };
            if wanted(&workers) {
                return Ok(workers);
            }
            if Instant::now() > until {
                bail!("never {what}: {workers:#?}\n{}", self.log());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Stored and new events of a filter.
    ///
    /// # Errors
    /// When the controller does not open the feed.
    pub async fn tail(&self, bus: &Bus, filter: &str) -> Result<Feed> {
        let (user, lease) = (bus.name().parse()?, Token::random(random()));
        let feed = bus.feed(&user, &lease).await?;
        let since = Some(muster_protocol::id::UnixMillis(0));
        self.ask(bus, &TailOpen { lease, filter: filter.to_owned(), since }).await?;
        Ok(feed)
    }

    /// Stops the controller and fails when it has logged a warning that the test did not expect.
    ///
    /// # Errors
    /// With those lines.
    pub fn finish(mut self, expected: &[&str]) -> Result<()> {
        self.stop();
        let log = self.log();
        let odd: Vec<&str> = log
            .lines()
            .filter(|line| line.contains(" WARN ") || line.contains("ERROR "))
            .filter(|line| !expected.iter().any(|text| line.contains(text)))
            .filter(|line| !RETRIED.iter().all(|text| line.contains(text)))
            .collect();
        ensure!(odd.is_empty(), "undeclared warnings:\n{}", odd.join("\n"));
        Ok(())
    }

    fn stop(&mut self) {
        if let Some(child) = self.stand_by.take() {
            end(child);
        }
        self.stop_controller();
    }
}

/// Asks a process to end, and waits for it; a test that failed may have left it stopped.
fn end(mut child: Child) {
    let pid = child.id().to_string();
    let asked = Command::new("kill").args(["-TERM", &pid]).status();
    drop(Command::new("kill").args(["-CONT", &pid]).status());
    if !asked.is_ok_and(|status| status.success()) {
        drop(child.kill());
    }
    drop(child.wait());
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let killed = self.controller.is_none();
        self.stop();
        for cloud in fs::read_dir(self.path("data/local")).into_iter().flatten().flatten() {
            let sweep = Command::new(program("muster-controller"))
                .args(["local-sweep", "--dir"])
                .arg(cloud.path())
                .stderr(Stdio::null())
                .status();
            drop(sweep);
        }
        // A controller that was killed left its nats-server.
        if killed {
            let stop = Command::new(program("muster-controller"))
                .args(["stop-nats", "--dir"])
                .arg(self.path("config"))
                .status();
            drop(stop);
        }
    }
}

/// The next event of a feed, within [`PATIENCE`].
///
/// # Errors
/// When none comes.
pub async fn next_event(feed: &mut Feed) -> Result<(String, Event)> {
    let next = tokio::time::timeout(PATIENCE, feed.next()).await.context("no event came")?;
    let (subject, event) = next.context("the feed is closed")??;
    Ok((subject, event?))
}

fn config(setup: &Setup, cluster: &Cluster) -> String {
    let local = || {
        let agent = setup.agent.clone();
        let agent = agent.unwrap_or_else(|| program("muster-agent").display().to_string());
        format!("{{kind: local, isolation: {}, agent: {agent:?}}}", setup.isolation)
    };
    let provider = setup.provider.clone().unwrap_or_else(local);
    let (name, pool, more) = (&setup.name, setup.pool, &setup.config);
    let samples = cluster.path("samples.jsonl");
    let mut text = format!(
        "cluster: {name}\nkeys: .\ndata: ../data\nstates: {{tree: ../tree}}\n\
         store: {{bytes_max: 900000000}}\n\
         providers:\n  here: {provider}\n\
         pools:\n  test: {{provider: here, max: 200{pool}}}\n\
         sinks:\n  - {{kind: json_lines, name: samples, path: {samples:?}}}\n"
    );
    text.push_str(more);
    text
}
