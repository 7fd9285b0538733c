//! What processes cost and how long things take, measured and told by the benches.

use anyhow::{Context, Result};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::{Pid, SysconfVar, sysconf};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Prints one line of a bench's result.
pub fn say(line: &str) {
    // Whoever closed the output does not want the rest either.
    writeln!(std::io::stdout(), "{line}").ok();
}

/// Prints what is measured, on which machine, and how busy it is.
pub fn title(what: &str) {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let kernel = read("/proc/sys/kernel/osrelease");
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    let load = read("/proc/loadavg");
    let load: Vec<&str> = load.split(' ').take(2).collect();
    say(&format!("{what}\n  {cpus} CPUs, Linux {}, load {}", kernel.trim(), load.join(" ")));
}

/// Prints one figure with its unit.
pub fn tell(what: &str, value: f64, unit: &str) {
    say(&format!("  {what:<52} {value:>9.2} {unit}"));
}

/// Prints the median of some measurements, with the least and the greatest.
pub fn tell_median(what: &str, values: &[f64], unit: &str) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (Some(least), Some(greatest)) = (sorted.first(), sorted.last()) else {
        return say(&format!("  {what:<52} nothing was measured"));
    };
    let median = quantile(&sorted, 0.5);
    let count = sorted.len();
    say(&format!("  {what:<52} {median:>9.2} {unit} ({least:.2}-{greatest:.2}, n={count})"));
}

/// Prints the middle and the tail of many measurements.
pub fn tell_tail(what: &str, values: &[f64], unit: &str) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let [p50, p90, p99, max] = [0.5, 0.9, 0.99, 1.0].map(|part| quantile(&sorted, part));
    let count = sorted.len();
    say(&format!(
        "  {what:<52} p50 {p50:.2}, p90 {p90:.2}, p99 {p99:.2}, max {max:.2} {unit} (n={count})"
    ));
}

/// The value below which a part of sorted measurements lies; 0 of nothing.
#[must_use]
pub fn quantile(sorted: &[f64], part: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    let at = (last as f64 * part).round() as usize;
    sorted.get(at).copied().unwrap_or_default()
}

/// Milliseconds, with their fractions.
#[must_use]
pub fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// The present time of the day, in UTC, as logs tell it.
///
/// # Panics
/// When the clock stands before 1970.
#[must_use]
pub fn since_midnight() -> Duration {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.expect("the clock is past 1970");
    Duration::new(now.as_secs() % 86_400, now.subsec_nanos())
}

/// The time of a line that begins `2026-01-31T23:59:59.123456Z`.
#[must_use]
pub fn time_of_day(line: &str) -> Option<Duration> {
    let time = line.split_once('T')?.1.split_once('Z')?.0;
    let mut parts = time.split(':').map(str::parse::<f64>);
    let mut next = || parts.next()?.ok();
    Some(Duration::from_secs_f64(next()? * 3600.0 + next()? * 60.0 + next()?))
}

/// The CPU time of this process, all its threads.
#[must_use]
pub fn own_cpu() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("a process may ask for its own usage");
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Duration::from_micros(micros.unsigned_abs())
}

/// The CPU time of a process, all its threads, and of its children that have ended.
///
/// # Errors
/// When there is no such process.
pub fn cpu(pid: u32) -> Result<Duration> {
    let clock = clock_getcpuclockid(Pid::from_raw(pid.cast_signed()))?;
    let own = Duration::from(clock_gettime(clock)?);
    Ok(own + ended_children(pid)?)
}

/// Fields 16 and 17 of `/proc/<pid>/stat`, in ticks: see proc_pid_stat(5).
fn ended_children(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, fields) = stat.rsplit_once(')').context("a process has a name")?;
    let fields = fields.split_ascii_whitespace().skip(13).take(2);
    let ticks: u64 = fields.filter_map(|field| field.parse::<u64>().ok()).sum();
    let per_second = sysconf(SysconfVar::CLK_TCK)?.unwrap_or(100);
    Ok(Duration::from_secs_f64(ticks as f64 / per_second as f64))
}

/// The memory of a process, in KiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Resident.
    pub rss: u64,
    /// Resident, what others share counted in part.
    pub pss: u64,
    /// Resident and not of a file: heap and stacks.
    pub anonymous: u64,
}

/// The memory of a process, from `/proc/<pid>/smaps_rollup`.
///
/// # Errors
/// When there is no such process.
pub fn memory(pid: u32) -> Result<Memory> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let field = |name: &str| -> u64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let number = line.and_then(|line| line.split_ascii_whitespace().next());
        number.and_then(|number| number.parse().ok()).unwrap_or_default()
    };
    Ok(Memory { rss: field("Rss"), pss: field("Pss"), anonymous: field("Anonymous") })
}

/// What stands for one kind of process of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The controller itself.
    Controller,
    /// nats-server.
    Nats,
    /// Agents, and what they run.
    Agents,
    /// What the local provider needs to hold its workers; no cloud has it.
    Sandboxes,
}

/// The processes that run in a cluster's folder, by what they are.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn processes(folder: &Path) -> Result<BTreeMap<Part, Vec<u32>>> {
    let needle = folder.as_os_str().as_bytes();
    let has = |text: &[u8]| text.windows(needle.len()).any(|part| part == needle);
    let mut found: BTreeMap<Part, Vec<u32>> = BTreeMap::new();
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let read = |file: &str| fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
        let (command, environment) = (read("cmdline"), read("environ"));
        if pid == std::process::id() || !(has(&command) || has(&environment)) {
            continue;
        }
        found.entry(part(&command)).or_default().push(pid);
    }
    Ok(found)
}

fn part(command: &[u8]) -> Part {
    let text = String::from_utf8_lossy(command);
    let mut words = text.split('\0');
    let program = words.next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
    match (program, words.next()) {
        ("muster-controller", Some("run")) => Part::Controller,
        ("nats-server", _) => Part::Nats,
        ("muster-agent", _) => Part::Agents,
        _ => Part::Sandboxes,
    }
}

/// CPU time by part; a process that has ended since is missing, unless a parent waited for it.
#[derive(Clone, Debug, Default)]
pub struct Spent(BTreeMap<u32, (Part, Duration)>);

impl Spent {
    /// What the processes of a cluster's folder have spent so far.
    ///
    /// # Errors
    /// When `/proc` cannot be read.
    pub fn now(folder: &Path) -> Result<Spent> {
        let mut spent = BTreeMap::new();
        for (part, pids) in processes(folder)? {
            for pid in pids {
                if let Ok(cpu) = cpu(pid) {
                    spent.insert(pid, (part, cpu));
                }
            }
        }
        Ok(Spent(spent))
    }

    /// What a part has spent since an earlier look.
    #[must_use]
    pub fn since(&self, before: &Spent, of: Part) -> Duration {
        let ours = self.0.iter().filter(|(_, (part, _))| *part == of);
        ours.map(|(pid, (_, cpu))| {
            let earlier = before.0.get(pid).map_or(Duration::ZERO, |(_, cpu)| *cpu);
            cpu.saturating_sub(earlier)
        })
        .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_one_of_the_measurements() {
        let sorted = [1.0, 2.0, 3.0, 10.0, 20.0];
        assert_eq!([0.0, 0.5, 1.0].map(|part| quantile(&sorted, part)), [1.0, 3.0, 20.0]);
        assert_eq!(quantile(&[], 0.5), 0.0);
    }

    #[test]
    fn a_process_of_a_folder_is_found_by_its_environment_and_measured() {
        let dir = tempfile::tempdir().unwrap();
        let mut command = std::process::Command::new("sleep");
        let mut child = command.arg("60").env("MUSTER_ROOT", dir.path()).spawn().unwrap();
        let until = std::time::Instant::now() + Duration::from_secs(5);
        // Its environment is not there yet at the moment of its execution.
        while processes(dir.path()).unwrap().is_empty() {
            assert!(std::time::Instant::now() < until);
        }
        let found = processes(dir.path()).unwrap();
        assert_eq!(found[&Part::Sandboxes], [child.id()]);
        assert!(memory(child.id()).unwrap().rss > 0);
        let spent = Spent::now(dir.path()).unwrap();
        assert!(spent.since(&Spent::default(), Part::Sandboxes) < Duration::from_secs(1));
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn cpu_time_grows() {
        let (own, of_pid) = (own_cpu(), cpu(std::process::id()).unwrap());
        while own_cpu() == own {}
        assert!(cpu(std::process::id()).unwrap() > of_pid);
    }
}
