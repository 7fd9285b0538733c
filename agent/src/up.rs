//! `muster-agent up`: what user-data calls. Starts the daemon and says when it runs.

use crate::files::Lock;
use crate::paths::{self, Data, Root};
use crate::settings::Given;
use anyhow::{Context, bail};
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// What the daemon says to whoever started it, once it holds its lock and has read its files.
pub(crate) const RUNNING: &str = "running";
const RUNNING_TIMEOUT: Duration = Duration::from_secs(30);
/// A larger log is set aside at a start.
const LOG_BYTES_MAX: u64 = 16 << 20;

const UNIT_NAME: &str = "muster-agent.service";
const UNIT: &str = include_str!("../../packaging/systemd/muster-agent.service");
const UNIT_PATH: &str = "/etc/systemd/system/muster-agent.service";
const UNIT_FOLDERS: [&str; 3] =
    ["/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];

/// Starts the daemon.
pub(crate) fn up(root: &Root, config: Option<&str>) -> anyhow::Result<()> {
    match root.is_machine() && is_systemd() {
        true => by_systemd(config),
        false => in_background(root, config),
    }
}

/// Whether systemd runs this machine: not only its files are there, it is the first process.
fn is_systemd() -> bool {
    let first = fs::read_to_string("/proc/1/comm").unwrap_or_default();
    Path::new("/run/systemd/system").is_dir() && first.trim() == "systemd"
}

fn by_systemd(config: Option<&str>) -> anyhow::Result<()> {
    if config.is_some_and(|config| config != paths::BOOTSTRAP) {
        bail!("the service reads {}: put the bootstrap file there", paths::BOOTSTRAP);
    }
    if !UNIT_FOLDERS.iter().any(|folder| Path::new(folder).join(UNIT_NAME).exists()) {
        // The binary was fetched, no package was installed.
        fs::write(UNIT_PATH, UNIT).with_context(|| format!("writing {UNIT_PATH}"))?;
        systemctl(&["daemon-reload"])?;
    }
    systemctl(&["enable", UNIT_NAME])?;
    systemctl(&["restart", UNIT_NAME])
}

fn systemctl(arguments: &[&str]) -> anyhow::Result<()> {
    let line = format!("systemctl {}", arguments.join(" "));
    let status = Command::new("systemctl").args(arguments).stdin(Stdio::null()).status();
    let status = status.with_context(|| format!("running {line}"))?;
    if !status.success() {
        bail!("{line} failed ({status}); see journalctl -u {UNIT_NAME}");
    }
    Ok(())
}

fn in_background(root: &Root, config: Option<&str>) -> anyhow::Result<()> {
    let given = Given::read(root)?;
    let data = Data::new(root.at(given.data.as_deref().unwrap_or(paths::DATA)));
    if data.lock().exists() && Lock::take(&data.lock())?.is_none() {
        tracing::info!("the agent runs already");
        return Ok(());
    }
    let log_path = root.at(paths::LOG);
    let log = open_log(&log_path)?;
    let program = std::env::current_exe().context("looking for this program's own file")?;
    let mut command = Command::new(program);
    command.args(["run", "--detached"]);
    if let Some(config) = config {
        command.args(["--config", config]);
    }
    // A session of its own is the first thing that the daemon makes.
    command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
    let mut child = command.spawn().context("starting the daemon")?;
    let stdout = child.stdout.take().context("starting the daemon")?;
    let log = log_path.display();
    match first_line(stdout).as_deref() {
        Some(RUNNING) => Ok(()),
        Some(_) => {
            let status = child.wait().context("waiting for the daemon")?;
            let why = last_line(&log_path);
            bail!("the daemon ended at once ({status}): {why}; its log is {log}")
        }
        None => bail!("the daemon does not say that it runs; see {log}"),
    }
}

/// What the daemon says first, empty if it ends instead; nothing if it takes too long.
fn first_line(stdout: impl std::io::Read + Send + 'static) -> Option<String> {
    let (send, receive) = mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = BufReader::new(stdout).read_line(&mut line);
        // Nobody waits any longer if this fails.
        drop(send.send(read.map(|_| line)));
    });
    let line = receive.recv_timeout(RUNNING_TIMEOUT).ok()?.ok()?;
    Some(line.trim().to_owned())
}

fn open_log(path: &Path) -> anyhow::Result<File> {
    let context = || format!("opening the log {}", path.display());
    fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).with_context(context)?;
    if fs::metadata(path).is_ok_and(|meta| meta.len() > LOG_BYTES_MAX) {
        fs::rename(path, path.with_extension("log.1")).with_context(context)?;
    }
    OpenOptions::new().append(true).create(true).mode(0o600).open(path).with_context(context)
}

fn last_line(path: &Path) -> String {
    let log = fs::read(path).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    log.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it said nothing").to_owned()
}
