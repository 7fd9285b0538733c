//! `muster-agent apply --local` and `facts`: the state engine without a bus, on a folder.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;

struct Machine {
    root: TempDir,
    tree: TempDir,
}

impl Machine {
    /// A machine that is a folder, and a tree with these files.
    fn new(files: &[(&str, &str)]) -> Machine {
        let machine =
            Machine { root: tempfile::tempdir().unwrap(), tree: tempfile::tempdir().unwrap() };
        for (path, content) in files {
            let path = machine.tree.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        machine
    }

    fn apply(&self, more: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_muster-agent"));
        command.args(["apply", "--local"]).arg(self.tree.path()).args(more);
        command.env("MUSTER_ROOT", self.root.path()).output().unwrap()
    }

    fn motd(&self) -> Option<String> {
        fs::read_to_string(self.root.path().join("etc/motd")).ok()
    }
}

const TOP: (&str, &str) = ("top.sls", "base:\n  '*':\n    - motd\n");
const MOTD: (&str, &str) = (
    "motd/init.sls",
    "/etc/motd:
  file.managed:
    - contents: hello {{ pillar['name'] }}
    - makedirs: true
",
);

fn pillar(dir: &Path) -> String {
    let path = dir.join("pillar.yaml");
    fs::write(&path, "name: pluto\n").unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_tree_is_applied_to_a_folder_once() {
    let machine = Machine::new(&[TOP, MOTD]);
    let pillar = pillar(machine.root.path());
    let dry = machine.apply(&["--pillar", &pillar, "--test"]);
    assert!(dry.status.success(), "{}", String::from_utf8_lossy(&dry.stdout));
    assert_eq!(machine.motd(), None);
    for changed in [1, 0] {
        let applied = machine.apply(&["--pillar", &pillar, "-o", "json"]);
        assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stdout));
        let all: Value = serde_json::from_slice(&applied.stdout).unwrap();
        assert_eq!(all["outcome"]["changed"], changed, "{all}");
        assert_eq!(all["outcome"]["total"], 1);
        assert!(all["states"]["file_|-/etc/motd_|-/etc/motd_|-managed"].is_object(), "{all}");
    }
    assert_eq!(machine.motd().as_deref(), Some("hello pluto\n"));
}

#[test]
fn a_tree_with_a_mistake_is_told_by_file_and_line_and_nothing_runs() {
    let wrong = ("wrong.sls", "a:\n  file.managed:\n    - name: /etc/a\n b: [\n");
    let machine = Machine::new(&[TOP, MOTD, wrong]);
    let output = machine.apply(&["wrong"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("wrong"), "{said}");
    assert_eq!(machine.motd(), None);
}

#[test]
fn facts_are_json() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster-agent"));
    let output = command.arg("facts").env("MUSTER_ROOT", dir.path()).output().unwrap();
    let facts: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(facts["kernel"], "Linux");
}
