//! Launched machines that a bench takes into its own hands: it starts the agent on them by itself,
//! or speaks the protocol instead of an agent.

use crate::cluster::{Cluster, PATIENCE, program};
use crate::joiner::{Joined, Joiner};
use anyhow::{Context, Result, bail};
use muster_protocol::bus::Bus;
use muster_protocol::id::AgentId;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

const BOOTSTRAP: &str = "etc/muster/bootstrap.yaml";
const SETTINGS: &str = "etc/muster/agent.yaml";
const LOG: &str = "agent.log";

/// Where machines leave their user-data instead of starting an agent.
#[derive(Debug)]
pub struct Yard(TempDir);

impl Yard {
    /// An empty one.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn new() -> Result<Yard> {
        let dir = tempfile::Builder::new().prefix("muster-yard-").tempdir()?;
        let left = dir.path().join("left");
        fs::create_dir(&left)?;
        let text = format!(
            "#!/bin/sh\ncp \"$MUSTER_ROOT/{BOOTSTRAP}\" {0}/.$$ && mv {0}/.$$ {0}/$$\n",
            left.display()
        );
        let script = dir.path().join("agent");
        fs::write(&script, text)?;
        fs::set_permissions(&script, Permissions::from_mode(0o755))?;
        Ok(Yard(dir))
    }

    /// What stands for the agent in a cluster's setup.
    #[must_use]
    pub fn agent(&self) -> Option<String> {
        Some(self.0.path().join("agent").display().to_string())
    }

    /// Launches so many workers and takes their machines.
    ///
    /// # Errors
    /// When they do not come.
    pub async fn machines(
        &self,
        cluster: &Cluster,
        admin: &Bus,
        count: u32,
    ) -> Result<Vec<Machine>> {
        cluster.scale(admin, count).await?;
        let all = usize::try_from(count)?;
        cluster.until(admin, "all machines", |_| self.left().len() == all).await?;
        self.left().iter().map(|left| self.machine(left)).collect()
    }

    fn left(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.0.path().join("left")).into_iter().flatten();
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        paths.filter(|path| !path.to_string_lossy().contains("/.")).collect()
    }

    fn machine(&self, left: &Path) -> Result<Machine> {
        let text = fs::read_to_string(left)?;
        let joiner = Joiner::of(&text)?;
        let agent_id = joiner.agent_id().as_str();
        let root = self.0.path().join(agent_id);
        fs::create_dir_all(root.join("etc/muster"))?;
        let bootstrap = root.join(BOOTSTRAP);
        fs::write(&bootstrap, text)?;
        fs::set_permissions(&bootstrap, Permissions::from_mode(0o600))?;
        // Without one the agent would take this host's, which all of them share.
        fs::write(root.join("etc/muster/server_id"), agent_id)?;
        Ok(Machine { root, joiner })
    }
}

/// A launched machine: a folder that stands for its `/`, and what user-data told it.
#[derive(Debug)]
pub struct Machine {
    root: PathBuf,
    joiner: Joiner,
}

impl Machine {
    /// Whose it is.
    #[must_use]
    pub fn agent_id(&self) -> &AgentId {
        self.joiner.agent_id()
    }

    /// The folder that stands for its `/`.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Sets the seconds between two samples, for an agent that starts later.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn set_interval(&self, secs: u32) -> Result<()> {
        Ok(fs::write(self.root.join(SETTINGS), format!("interval_secs: {secs}\n"))?)
    }

    /// Executes the real agent.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(&self, log: &str) -> Result<Agent> {
        let stderr = File::create(self.root.join(LOG))?;
        let child = Command::new(program("muster-agent"))
            .arg("run")
            .env("MUSTER_ROOT", &self.root)
            .env("MUSTER_LOG", log)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()?;
        Ok(Agent { child, log: self.root.join(LOG) })
    }

    /// Enrols without an agent, and returns the connection that an agent would have.
    ///
    /// # Errors
    /// When it is not admitted.
    pub async fn enrol(&self, cluster: &Cluster) -> Result<Bus> {
        match self.joiner.enrol(&cluster.path("config/ca.pem"), PATIENCE).await? {
            Joined::Admitted(bus) => Ok(bus),
            Joined::Refused(why) | Joined::Later(why) => bail!("not admitted: {why}"),
        }
    }
}

/// An agent that runs; it ends when it is dropped.
#[derive(Debug)]
pub struct Agent {
    child: Child,
    log: PathBuf,
}

impl Agent {
    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has logged.
    ///
    /// # Errors
    /// When the log is gone.
    pub fn log(&self) -> Result<String> {
        fs::read_to_string(&self.log).context("reading the agent's log")
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
