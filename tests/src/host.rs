//! This machine as a test finds and leaves it: what it supports, and all that a folder still has to
//! do with: processes, mounts, itself.

use crate::cluster::{PATIENCE, program};
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

const POLL: Duration = Duration::from_millis(20);
/// What a program may take that a person runs.
const RUN_TIMEOUT: Duration = Duration::from_secs(150);

/// A program that has come to its end.
#[derive(Clone, Debug)]
pub struct Ran {
    /// Its exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// What it wrote.
    pub stdout: String,
    /// What it told.
    pub stderr: String,
}

impl Ran {
    /// The one JSON value on stdout.
    ///
    /// # Errors
    /// When there is none, or something else besides.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.stdout).with_context(|| format!("not one JSON value: {self:?}"))
    }

    /// The JSON values on stdout, one a line.
    ///
    /// # Errors
    /// When a line is something else.
    pub fn json_lines(&self) -> Result<Vec<Value>> {
        let lines = self.stdout.lines().map(serde_json::from_str);
        lines.collect::<Result<_, _>>().with_context(|| format!("not JSON lines: {self:?}"))
    }

    /// The YAML value on stdout.
    ///
    /// # Errors
    /// When there is none.
    pub fn yaml(&self) -> Result<Value> {
        serde_saphyr::from_str(&self.stdout).with_context(|| format!("not YAML: {self:?}"))
    }

    /// Itself, if it has ended with this code.
    ///
    /// # Errors
    /// With all it said.
    pub fn with_code(self, code: i32) -> Result<Ran> {
        ensure!(self.code == Some(code), "not exit code {code}: {self:#?}");
        Ok(self)
    }
}

/// Runs a command to its end.
///
/// # Errors
/// When it cannot be started, or does not end.
pub async fn run(command: std::process::Command) -> Result<Ran> {
    let what = format!("{command:?}");
    let mut command = tokio::process::Command::from(command);
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(RUN_TIMEOUT, command.output()).await;
    let output = output.with_context(|| format!("it does not end: {what}"))?;
    let output = output.with_context(|| format!("starting {what}"))?;
    Ok(Ran {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout)?,
        stderr: String::from_utf8(output.stderr)?,
    })
}

/// Looks again and again until there is something.
///
/// # Errors
/// When there is nothing for too long.
pub async fn until<T>(what: &str, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if Instant::now() > deadline {
            bail!("never {what}");
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Whether the local provider supports an isolation here; says so on stderr if not.
///
/// # Errors
/// When the controller does not tell.
pub async fn supports(isolation: &str) -> Result<bool> {
    let mut command = std::process::Command::new(program("muster-controller"));
    command.args(["isolations", "-o", "json"]);
    let all = run(command).await?.json()?;
    let all = all.as_array().context("isolations are a list")?;
    let one = all.iter().find(|one| one["isolation"] == isolation).context("one of three")?;
    if one["ok"] != true {
        eprintln!("skipped: isolation {isolation} is not supported here: {}", one["reason"]);
    }
    Ok(one["ok"] == true)
}

/// Whether the test runs as root.
///
/// # Errors
/// Without a `/proc`.
pub fn is_root() -> Result<bool> {
    use std::os::unix::fs::MetadataExt;
    Ok(fs::metadata("/proc/self")?.uid() == 0)
}

/// Sends a signal, e.g. `KILL`.
///
/// # Errors
/// When there is no such process.
pub fn signal(pid: u32, name: &str) -> Result<()> {
    let pid = pid.to_string();
    let done = std::process::Command::new("kill").args(["-s", name, &pid]).output()?;
    ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    Ok(())
}

/// The processes whose command line contains a text.
#[must_use]
pub fn processes(text: &str) -> Vec<u32> {
    let said = |pid: &u32| fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    pids().into_iter().filter(|pid| holds(&said(pid), text.as_bytes())).collect()
}

/// All that has still to do with a folder: processes that name it in their arguments, environment
/// or mounts, this machine's mounts, and the folder itself.
#[must_use]
pub fn traces(folder: &Path) -> Vec<String> {
    let mut found: Vec<String> = involved(folder).iter().map(|pid| told(*pid)).collect();
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let text = folder.display().to_string();
    found.extend(table.lines().filter(|line| line.contains(&text)).map(str::to_owned));
    if folder.exists() {
        found.push(format!("{text} is there"));
    }
    found
}

/// Ends whatever a failed test has left of a folder.
pub fn clear(folder: &Path) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let left = involved(folder);
        if left.is_empty() || Instant::now() > deadline {
            return;
        }
        // One that has ended meanwhile is no error.
        left.into_iter().for_each(|pid| drop(signal(pid, "KILL")));
    }
}

fn involved(folder: &Path) -> Vec<u32> {
    use std::os::unix::ffi::OsStrExt;
    let text = folder.as_os_str().as_bytes();
    let own = std::process::id();
    let of_it = |pid: &u32| {
        let read = |file: &str| fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
        *pid != own
            && ["cmdline", "environ", "mountinfo"].iter().any(|file| holds(&read(file), text))
    };
    pids().into_iter().filter(of_it).collect()
}

fn pids() -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

fn holds(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

fn told(pid: u32) -> String {
    let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    format!("process {pid}: {}", String::from_utf8_lossy(&arguments).replace('\0', " "))
}
