//! The program as a person or a script meets it: arguments, exit codes, messages.

use std::path::Path;
use std::process::{Command, Output};

fn agent(root: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster-agent"));
    command.args(arguments).env("MUSTER_ROOT", root).env_remove("MUSTER_LOG");
    command.output().expect("the program was built for this test")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_version_and_the_help_go_to_stdout() {
    let dir = tempfile::tempdir().unwrap();
    let version = agent(dir.path(), &["--version"]);
    assert_eq!(text(&version.stdout), concat!("muster-agent ", env!("CARGO_PKG_VERSION"), "\n"));
    let help = agent(dir.path(), &["--help"]);
    assert!(help.status.success() && text(&help.stdout).contains("apply"));
    assert!(help.stderr.is_empty());
}

#[test]
fn an_unknown_argument_is_a_mistake_of_usage() {
    let dir = tempfile::tempdir().unwrap();
    let output = agent(dir.path(), &["apply", "--bogus"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("--bogus"), "{}", text(&output.stderr));
}

#[test]
fn up_says_why_the_daemon_does_not_run() {
    let dir = tempfile::tempdir().unwrap();
    let output = agent(dir.path(), &["up"]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("etc/muster/bootstrap.yaml is not there"), "{said}");
    assert!(said.contains("var/log/muster-agent.log"), "{said}");
}

#[test]
fn a_bootstrap_file_that_others_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bootstrap.yaml");
    std::fs::write(&path, "agent_id: w-abcdefghijkm\n").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let output = agent(dir.path(), &["run", "--config", "/bootstrap.yaml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("chmod 600"), "{}", text(&output.stderr));
}
