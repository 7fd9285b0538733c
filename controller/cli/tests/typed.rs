//! The command as it is typed: exit codes, streams, and what needs no cluster.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails the test")]

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The command, which finds no context and no configuration of whoever runs the test.
fn muster(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    command.args(arguments).env_clear().env("HOME", home).env("PATH", "/usr/bin:/bin");
    command.stdin(Stdio::null()).current_dir(home);
    command
}

fn run(home: &Path, arguments: &[&str]) -> Output {
    muster(home, arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn file(home: &Path, name: &str, mode: u32, content: &str) -> PathBuf {
    let path = home.join(name);
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).mode(mode).open(&path).unwrap();
    file.write_all(content.as_bytes()).unwrap();
    path
}

#[test]
fn errors_of_the_call_are_1_and_say_what_to_do_next() {
    let home = tempfile::tempdir().unwrap();
    for arguments in [
        &["worker", "list", "--context", "none.yaml"][..],
        &["ping", "a,,b"],
        &["ping", "a", "--pool", "p", "--context", "none.yaml"],
        &["exec", "a", "--timeout", "30d", "--", "true"],
        &["events", "a..b"],
        &["events", "--since", "yesterday"],
        &["demo", "--dir", "/proc/none"],
    ] {
        let output = run(home.path(), arguments);
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {errors}");
        assert!(errors.starts_with("error: "), "{arguments:?}: {errors}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
    let usage = run(home.path(), &["exec", "a"]);
    assert_eq!(usage.status.code(), Some(1), "2 is for workers that failed");
}

#[test]
fn a_context_that_others_can_read_is_refused_with_the_cure() {
    let home = tempfile::tempdir().unwrap();
    let path = file(home.path(), "c.yaml", 0o644, "cluster: c\n");
    let output = run(home.path(), &["--context", path.to_str().unwrap(), "pool", "list"]);
    let expected = format!("next:  chmod 600 {}\n", path.display());
    assert!(text(&output.stderr).ends_with(&expected), "{}", text(&output.stderr));
}

#[test]
fn a_reader_that_goes_away_is_no_panic() {
    let home = tempfile::tempdir().unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = muster(home.path(), &["completions", "bash"]).stdout(writer).output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(141), String::new()));
}

#[test]
fn completions_and_manual_pages_are_made_for_every_command() {
    let home = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = run(home.path(), &["completions", shell]);
        let output = text(&output.stdout);
        for word in ["terminate", "undrain", "set-current", "destroy", "reconcile"] {
            assert!(output.contains(word), "{shell}: {word}");
        }
    }
    let output = run(home.path(), &["man", "pages"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    for page in [
        "muster.1",
        "muster-apply.1",
        "muster-worker-launch.1",
        "muster-worker-rebuild.1",
        "muster-pool-freeze.1",
        "muster-image-set-current.1",
        "muster-cluster-destroy.1",
        "muster-reconcile.1",
        "muster-demo.1",
    ] {
        assert!(home.path().join("pages").join(page).is_file(), "{page}");
    }
}

#[test]
fn doctor_without_a_context_fails_and_still_looks_at_the_machine() {
    let home = tempfile::tempdir().unwrap();
    let output = run(home.path(), &["--context", "none.yaml", "doctor", "-o", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&found["ok"], &found["checks"][0]["status"]), (&false.into(), &"fail".into()));
    let names: Vec<&str> =
        found["checks"].as_array().unwrap().iter().filter_map(|one| one["name"].as_str()).collect();
    assert_eq!(names, ["context", "nats-server", "isolations"]);
}

#[test]
fn what_is_not_for_a_terminal_has_no_colours() {
    let home = tempfile::tempdir().unwrap();
    let output = run(home.path(), &["doctor", "--local"]);
    assert!(!output.stdout.contains(&0x1b), "{}", text(&output.stdout));
}

#[test]
fn the_demo_leaves_a_folder_alone_that_no_demo_has_made() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("mine")).unwrap();
    let thesis = file(home.path(), "mine/thesis.tex", 0o644, "");
    let program = std::env::current_exe().unwrap();
    let output = muster(home.path(), &["demo", "--once", "--dir", "mine"])
        .env("MUSTER_CONTROLLER", program)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("no demo has made"), "{}", text(&output.stderr));
    assert!(thesis.is_file());
}

#[test]
fn the_release_is_told_in_each_format() {
    let home = tempfile::tempdir().unwrap();
    let version = env!("CARGO_PKG_VERSION");
    let table = text(&run(home.path(), &["version"]).stdout);
    assert_eq!(table, format!("muster {version}\n"));
    let json = text(&run(home.path(), &["version", "-o", "json"]).stdout);
    assert_eq!(json, format!("{{\"name\":\"muster\",\"version\":\"{version}\"}}\n"));
    let yaml = text(&run(home.path(), &["version", "-o", "yaml"]).stdout);
    assert!(yaml.starts_with("name: muster\nversion: "), "{yaml}");
}
