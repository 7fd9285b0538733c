//! The systemd units are sound: systemd's own reading of them, where systemd-analyze exists.

use std::process::{Command, Output};

use muster_tests::house;

const UNITS: &[&str] = &["muster-agent.service", "muster-controller.service"];

/// The controller's exposure, as `systemd-analyze security` counts it in tenths (100 is worst).
const CONTROLLER_EXPOSURE_MAX: &str = "20";

fn unit(name: &str) -> String {
    house::read(&house::root(), &format!("packaging/systemd/{name}"))
}

/// Runs systemd-analyze on a copy of the unit whose program exists; `None` where systemd does not.
fn analyze(name: &str, arguments: &[&str]) -> Option<Output> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let copy = folder.path().join(name);
    let lines = unit(name);
    let lines = lines.lines().filter(|line| !line.starts_with("Documentation="));
    let runnable = |line| if is_program(line) { "ExecStart=/bin/true" } else { line };
    let text: Vec<&str> = lines.map(runnable).collect();
    std::fs::write(&copy, text.join("\n")).expect("the copy is written");
    let why = match Command::new("systemd-analyze").args(arguments).arg(&copy).output() {
        Ok(output) if !said(&output).contains("unrecognized option") => return Some(output),
        Ok(output) => said(&output),
        Err(error) => error.to_string(),
    };
    eprintln!("not checked: {name}: systemd-analyze: {why}");
    None
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn is_program(line: &str) -> bool {
    line.starts_with("ExecStart=")
}

#[track_caller]
fn has(name: &str, line: &str) {
    assert!(unit(name).lines().any(|have| have == line), "{name} lacks {line}");
}

#[test]
fn systemd_reads_the_units_without_a_complaint() {
    for name in UNITS {
        let Some(output) = analyze(name, &["verify"]) else { return };
        // It also complains about other units of the machine; those are not ours.
        let ours: Vec<String> =
            said(&output).lines().filter(|line| line.contains(name)).map(str::to_owned).collect();
        assert!(ours.is_empty(), "{ours:?}");
    }
}

#[test]
fn the_controller_is_sandboxed_hard() {
    let threshold = format!("--threshold={CONTROLLER_EXPOSURE_MAX}");
    let arguments = ["security", "--offline=yes", &threshold];
    let Some(output) = analyze("muster-controller.service", &arguments) else { return };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn stopping_the_agent_kills_no_command_of_a_state() {
    has("muster-agent.service", "KillMode=process");
    has("muster-agent.service", "OOMPolicy=continue");
}

#[test]
fn the_agent_is_inert_without_user_data() {
    let conditions = unit("muster-agent.service");
    let conditions: Vec<&str> =
        conditions.lines().filter(|line| line.starts_with("Condition")).collect();
    assert!(!conditions.is_empty());
    let alternative = |line: &&str| line.starts_with("ConditionPathExists=|");
    assert!(conditions.iter().all(alternative), "{conditions:?}");
}
