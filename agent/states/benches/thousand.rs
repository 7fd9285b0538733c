//! A thousand `file.managed`, with contents and with Jinja sources: the first run, with and
//! without the last sync, and a run over the result, beside Salt in the same run.
//!
//! `cargo bench -p muster-states`; Salt's interpreter is `MUSTER_SALT_PYTHON`, else
//! `.tools/salt/bin/python`. Each figure is of a process of its own, from reading the tree on.
#![allow(clippy::print_stdout, reason = "a measurement prints its figures")]

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use muster_states::{Facts, Host, Options, Selection, Tree, compile, run};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

const STATES: usize = 1000;
/// Runs of which the best counts.
const TIMES: usize = 5;

type Failure = Box<dyn Error>;

/// What one run took.
#[derive(Clone, Copy)]
struct Figures {
    wall_ms: f64,
    cpu_ms: f64,
    peak_mib: f64,
    changed: usize,
}

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().collect();
    if let [_, word, base, mode] = args.as_slice()
        && word == "--apply"
    {
        return apply(Path::new(base), mode);
    }
    for sources in [false, true] {
        let kind = if sources { "Jinja sources" } else { "contents" };
        println!("{STATES} file.managed with {kind}: wall ms, CPU ms, peak MiB");
        let muster = measured(sources)?;
        match salt(sources)? {
            Some([first, second]) => {
                told("Salt, first run", first);
                told("Salt, second run", second);
                println!("  the second run is {:.0} times faster", second.wall_ms / muster.wall_ms);
            }
            None => println!("  Salt is not there: set MUSTER_SALT_PYTHON"),
        }
    }
    Ok(())
}

fn told(what: &str, figures: Figures) {
    let Figures { wall_ms, cpu_ms, peak_mib, changed } = figures;
    println!("  {what:<24} {wall_ms:>8.1} {cpu_ms:>8.1} {peak_mib:>6.1}  changed {changed}");
}

/// Muster's runs; the second one is returned.
fn measured(sources: bool) -> Result<Figures, Failure> {
    for (what, mode) in [("first run", "synced"), ("first run, not synced", "unsynced")] {
        let mut runs = Vec::new();
        for _ in 0..TIMES {
            let base = laid_out(sources)?;
            runs.push(child(base.path(), mode)?);
        }
        told(what, best(&runs));
    }
    let base = laid_out(sources)?;
    child(base.path(), "synced")?;
    let runs = (0..TIMES).map(|_| child(base.path(), "synced")).collect::<Result<Vec<_>, _>>()?;
    let second = best(&runs);
    told("second run", second);
    Ok(second)
}

fn best(runs: &[Figures]) -> Figures {
    let mut best = runs[0];
    for one in runs {
        best.wall_ms = best.wall_ms.min(one.wall_ms);
        best.cpu_ms = best.cpu_ms.min(one.cpu_ms);
        best.peak_mib = best.peak_mib.max(one.peak_mib);
    }
    best
}

/// A tree, and an empty folder for the files.
fn laid_out(sources: bool) -> Result<tempfile::TempDir, Failure> {
    let base = tempfile::tempdir()?;
    let at = base.path().display().to_string();
    let state = |i: usize| {
        let what = if sources {
            format!("source: salt://f.jinja\n    - template: jinja\n    - context: {{number: {i}}}")
        } else {
            format!("contents: {}", "x".repeat(64))
        };
        format!(
            "{at}/out/f{i}:\n  file.managed:\n    - mode: '0644'\n    - user: root\n    - {what}\n"
        )
    };
    fs::create_dir_all(base.path().join("salt"))?;
    fs::create_dir_all(base.path().join("out"))?;
    fs::write(base.path().join("salt/a.sls"), (0..STATES).map(state).collect::<String>())?;
    let template = "# of {{ grains['id'] }}\n{% for i in range(8) %}\n\
                    line {{ i }} of {{ number }}\n{% endfor %}\n";
    fs::write(base.path().join("salt/f.jinja"), template)?;
    Ok(base)
}

fn child(base: &Path, mode: &str) -> Result<Figures, Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    read(command.arg("--apply").arg(base).arg(mode))?.pop().ok_or_else(|| "no figures".into())
}

/// Applies the tree in this process, and tells what it took.
fn apply(base: &Path, mode: &str) -> Result<(), Failure> {
    let start = Instant::now();
    let host = Host::new();
    let tree = Tree::from_dir(base.join("salt"))?;
    let facts: Facts = serde_json::from_value(serde_json::json!({ "id": "bench" }))?;
    let selection = Selection::Sls(vec!["a".to_owned()]);
    let compiled = compile(&tree, &facts, &serde_json::Value::Null, &selection, &host)
        .map_err(|errors| errors[0].to_string())?;
    let options = Options {
        journal: Some(base.join("journal")),
        unsynced: mode == "unsynced",
        ..Options::default()
    };
    let report = run(&compiled, &host, &options, &mut |_, _| {})?;
    let wall = start.elapsed().as_secs_f64() * 1e3;
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    let summary = report.summary();
    if summary.failed > 0 {
        return Err("states failed".into());
    }
    let cpu = std::time::Duration::from_micros(micros.unsigned_abs()).as_secs_f64() * 1e3;
    println!("@@ {wall:.1} {cpu:.1} {:.1} {}", peak_mib()?, summary.changed);
    Ok(())
}

fn peak_mib() -> Result<f64, Failure> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
}

/// Salt's first and second run, if it is there.
fn salt(sources: bool) -> Result<Option<[Figures; 2]>, Failure> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = std::env::var_os("MUSTER_SALT_PYTHON")
        .map_or_else(|| here.join("../../.tools/salt/bin/python"), PathBuf::from);
    if !python.exists() {
        return Ok(None);
    }
    let base = laid_out(sources)?;
    let mut command = Command::new(python);
    let figures = read(command.arg(here.join("benches/thousand/with_salt.py")).arg(base.path()))?;
    let [first, second] = figures.as_slice() else { return Err("Salt told no figures".into()) };
    Ok(Some([*first, *second]))
}

/// Runs a process and reads its lines of figures.
fn read(command: &mut Command) -> Result<Vec<Figures>, Failure> {
    let output = command.output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let figures = |line: &str| -> Option<Figures> {
        let mut words = line.strip_prefix("@@ ")?.split(' ');
        let mut next = || words.next()?.parse::<f64>().ok();
        let (wall_ms, cpu_ms, peak_mib) = (next()?, next()?, next()?);
        Some(Figures { wall_ms, cpu_ms, peak_mib, changed: words.next()?.parse().ok()? })
    };
    Ok(text.lines().filter_map(figures).collect())
}
