//! The command `muster`, as the cluster's first person types it.

use super::{Cluster, program};
use crate::host::{self, Ran};
use anyhow::{Context, Result};
use std::process::Command;

impl Cluster {
    /// Runs `muster` to its end.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn muster(&self, arguments: &[&str]) -> Result<Ran> {
        host::run(self.muster_command(arguments)).await
    }

    /// The command `muster`, as the first person would run it.
    #[must_use]
    pub fn muster_command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program("muster"));
        command.arg("--context").arg(self.path("config/admin.yaml")).args(arguments);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", self.path(""));
        command.env("MUSTER_NATS_SERVER", &self.nats);
        command
    }

    /// The process of its nats-server.
    ///
    /// # Errors
    /// When there is none.
    pub fn nats_pid(&self) -> Result<u32> {
        let config = self.path("config/nats.conf").display().to_string();
        let found = host::processes(&config);
        found.first().copied().context("no nats-server of the cluster runs")
    }

    /// The process of a worker's agent, with isolation `none`.
    ///
    /// # Errors
    /// When it does not run.
    pub fn agent_pid(&self, provider_id: &str) -> Result<u32> {
        let path = format!("data/local/here/{provider_id}/root/run/muster-agent.pid");
        let text = std::fs::read_to_string(self.path(&path));
        Ok(text.with_context(|| format!("no {path}"))?.trim().parse()?)
    }
}
