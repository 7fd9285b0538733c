//! Cases that change a whole machine (packages, repositories), each on a private copy of this one.
//!
//! All of them with `MUSTER_LABS=1` (`make test-labs`) or those that `SALT_CASE` names, else a few:
//! each takes seconds. `make test-labs` fails where this is not root or a case's program is not
//! there; elsewhere such a case is named and not run.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also where it is called from")]

#[path = "salt_cases/case.rs"]
mod case;
#[path = "salt_cases/compare.rs"]
mod compare;
#[path = "salt_cases/scratch.rs"]
mod scratch;

use std::path::{Path, PathBuf};
use std::process::Command;

/// Names the case to the test that is inside the copy.
const INSIDE: &str = "MUSTER_TEST_MACHINE_CASE";
/// The cases that always run.
const QUICK: [&str; 2] = ["apt_merged", "apt_removed"];
const TEST: &str = "every_machine_case_ends_as_in_salt";

#[test]
fn every_machine_case_ends_as_in_salt() {
    if let Some(path) = std::env::var_os(INSIDE) {
        let problems = case::run_case(Path::new(&path));
        assert!(problems.is_empty(), "{}", problems.join("\n  "));
        return;
    }
    let tests = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests");
    let (only, labs) =
        (std::env::var("SALT_CASE").unwrap_or_default(), std::env::var_os("MUSTER_LABS").is_some());
    if !on_a_copy(&tests, false, &["true"]).output().is_ok_and(|output| output.status.success()) {
        assert!(!labs, "the cases of machines need root, and overlays in a mount namespace");
        eprintln!("not run: the cases of machines need root, and overlays in a mount namespace");
        return;
    }
    let all = !only.is_empty() || labs;
    let mut failed = Vec::new();
    for path in cases(&tests.join("machine-cases"), &only) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !all && !QUICK.contains(&name.as_str()) {
            continue;
        }
        if let Some(program) = missing(&path) {
            assert!(!labs, "{name} needs {program}: packaging/tools/labs installs it");
            eprintln!("not run: {name} needs {program}");
            continue;
        }
        let exe = std::env::current_exe().unwrap();
        let boot = spec(&path)["boot"] == true;
        if boot && !on_a_copy(&tests, true, &["true"]).output().unwrap().status.success() {
            assert!(!labs, "{name} needs systemd, and a cgroup of version 2");
            eprintln!("not run: {name} needs systemd, and a cgroup of version 2");
            continue;
        }
        // Services are managed over D-Bus, and once more as where that cannot be done.
        for without_bus in [false, true] {
            if without_bus && !boot {
                continue;
            }
            let mut command = on_a_copy(&tests, boot, &[exe.to_str().unwrap(), "--exact", TEST]);
            if without_bus {
                command.env(case::WITHOUT_BUS, "1");
            }
            let output = command.arg("--nocapture").env(INSIDE, &path).output().unwrap();
            let told = String::from_utf8_lossy(&output.stdout).into_owned();
            let told = told + &String::from_utf8_lossy(&output.stderr);
            if !(output.status.success() && told.contains("1 passed")) {
                let how = if without_bus { " without D-Bus" } else { "" };
                failed.push(format!("{name}{how}:\n{told}"));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// A command on a copy of this machine, with a systemd of its own if it is to boot.
fn on_a_copy(tests: &Path, boot: bool, argv: &[&str]) -> Command {
    let mut command = Command::new("sh");
    command.arg(tests.join(if boot { "systemd.sh" } else { "machine.sh" })).args(argv);
    command
}

/// The program that a case is about, if this machine lacks it; a layer of tools may have it.
fn missing(case: &Path) -> Option<String> {
    let spec = spec(case);
    let program = spec["machine"].as_str().unwrap();
    let layer = std::env::var("MACHINE_LAYER").unwrap_or_default();
    let there = ["/usr/bin", "/bin", "/usr/sbin"].iter().any(|bin| {
        Path::new(bin).join(program).exists()
            || Path::new(&format!("{layer}{bin}")).join(program).exists()
    });
    (!there).then(|| program.to_owned())
}

fn spec(case: &Path) -> serde_json::Value {
    serde_json::from_str(&std::fs::read_to_string(case.join("case.json")).unwrap()).unwrap()
}

fn cases(folder: &Path, only: &str) -> Vec<PathBuf> {
    let mut out: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("case.json").is_file())
        .filter(|path| path.file_name().unwrap().to_string_lossy().contains(only))
        .collect();
    out.sort();
    out
}
