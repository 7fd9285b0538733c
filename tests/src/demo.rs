//! `muster demo` as a person runs it, in a home of its own of which nothing is left.

use crate::cluster::{PATIENCE, nats_server, program};
use crate::{host, house};
use anyhow::{Context, Result, bail};
use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr};

/// The user id that owns nothing, on every Linux.
const NOBODY: u32 = 65534;

/// Who runs demos, and where.
#[derive(Debug)]
pub struct Home {
    dir: TempDir,
    muster: PathBuf,
    quickstart: PathBuf,
    nats: PathBuf,
    user: Option<u32>,
}

/// A demo that runs.
#[derive(Debug)]
pub struct Demo {
    child: Child,
    told: Lines<BufReader<ChildStderr>>,
    said: Vec<String>,
}

impl Home {
    /// Whoever runs the test, with what it has built.
    ///
    /// # Errors
    /// When there is no room.
    pub fn own() -> Result<Home> {
        let dir = tempfile::Builder::new().prefix("muster-demo-").tempdir()?;
        // It finds these beside itself, and would look elsewhere if they were missing.
        ["muster-controller", "muster-agent"].iter().for_each(|name| drop(program(name)));
        let quickstart = house::root().join("packaging/quickstart");
        Ok(Home { dir, muster: program("muster"), quickstart, nats: nats_server(), user: None })
    }

    /// Somebody without rights, who may not even read the checkout, with copies of all. Only root
    /// can become somebody else.
    ///
    /// # Errors
    /// When the copies cannot be made.
    pub fn of_nobody() -> Result<Home> {
        let mut home = Home::own()?;
        let bin = home.dir.path().join("bin");
        fs::create_dir(&bin)?;
        for name in ["muster", "muster-controller", "muster-agent"] {
            fs::copy(program(name), bin.join(name))?;
        }
        let (nats, quickstart) = (bin.join("nats-server"), home.dir.path().join("quickstart"));
        fs::copy(nats_server(), &nats)?;
        copy_tree(&house::root().join("packaging/quickstart"), &quickstart)?;
        chown(home.dir.path(), Some(NOBODY), Some(NOBODY))?;
        (home.muster, home.nats, home.quickstart) = (bin.join("muster"), nats, quickstart);
        home.user = Some(NOBODY);
        Ok(home)
    }

    /// Where its demos keep their files.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.dir.path().join("demo")
    }

    /// `muster demo` with arguments. It finds nothing of whoever runs the test.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.muster);
        command.arg("demo").args(arguments).current_dir(self.dir.path());
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command.env("HOME", self.dir.path()).env("MUSTER_DEMO_DIR", self.folder());
        command.env("MUSTER_QUICKSTART", &self.quickstart).env("MUSTER_NATS_SERVER", &self.nats);
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        command
    }

    /// Starts a demo whose results are JSON, so that what it tells goes to stderr.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(&self, arguments: &[&str]) -> Result<Demo> {
        let mut command = tokio::process::Command::from(self.command(arguments));
        command.args(["-o", "json"]).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().context("starting muster demo")?;
        let told = child.stderr.take().context("stderr is piped")?;
        Ok(Demo { child, told: BufReader::new(told).lines(), said: Vec::new() })
    }

    /// The ports on which the demo's NATS listens, once it is known.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        let text = fs::read_to_string(self.folder().join("config/run/port")).ok()?;
        text.trim().parse().ok()
    }

    /// What is still there of its demos.
    #[must_use]
    pub fn traces(&self) -> Vec<String> {
        host::traces(&self.folder())
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        host::clear(&self.folder());
    }
}

impl Demo {
    /// Waits until it tells a line with this text.
    ///
    /// # Errors
    /// When it ends without, or says nothing any more.
    pub async fn tells(&mut self, text: &str) -> Result<()> {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.told.next_line()).await;
            let next = next.with_context(|| format!("no {text:?} after {:#?}", self.said))??;
            let Some(line) = next else {
                bail!("the demo ended without {text:?}: {:#?}", self.said);
            };
            let found = line.contains(text);
            self.said.push(line);
            if found {
                return Ok(());
            }
        }
    }

    /// Sends it a signal, e.g. `INT`.
    ///
    /// # Errors
    /// When it has ended.
    pub fn signal(&self, name: &str) -> Result<()> {
        host::signal(self.child.id().context("the demo has ended")?, name)
    }

    /// Waits for its end; gives its exit code and what it has told and written.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn end(mut self) -> Result<host::Ran> {
        let mut stdout = self.child.stdout.take().context("stdout is piped")?;
        let (mut written, told, said) = (String::new(), &mut self.told, &mut self.said);
        let end = async {
            let telling = async {
                while let Some(line) = told.next_line().await? {
                    said.push(line);
                }
                Ok::<_, std::io::Error>(())
            };
            let writing = stdout.read_to_string(&mut written);
            tokio::try_join!(self.child.wait(), telling, writing)
        };
        let ended = tokio::time::timeout(PATIENCE, end).await;
        let (status, ..) = ended.context("the demo does not end")??;
        Ok(host::Ran { code: status.code(), stdout: written, stderr: self.said.join("\n") })
    }
}

fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        match entry.file_type()?.is_dir() {
            true => copy_tree(&source, &target)?,
            false => drop(fs::copy(source, target)?),
        }
    }
    Ok(())
}
