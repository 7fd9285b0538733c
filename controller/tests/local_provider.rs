//! Provider `local` with real processes, in each isolation that this machine supports.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also where it is called from")]

#[path = "local_provider/fetch.rs"]
mod fetch;
#[path = "local_provider/isolation.rs"]
mod isolation;
#[path = "local_provider/life.rs"]
mod life;
#[path = "local_provider/machine.rs"]
mod machine;

use machine::{LIMIT, Machine, controller, home, isolations};
use muster_controller::provider::conformance;
use muster_controller::provider::local::{Isolation, Local, SandboxCommand, support};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

#[tokio::test]
async fn it_conforms_in_each_isolation() {
    for isolation in isolations().await {
        let machine = Machine::new(isolation);
        let suite = conformance::Suite {
            provider: &machine.open(),
            cluster: home(),
            foreign: &Local::open(machine.config("away")).unwrap(),
            foreign_cluster: "away".parse().unwrap(),
            flavor: "small".to_owned(),
            image: "any".to_owned(),
            boot_deadline: LIMIT,
        };
        suite.run().await.unwrap_or_else(|error| panic!("{isolation:?}: {error:?}"));
        assert_eq!(fs::read_dir(machine.servers()).unwrap().count(), 0);
    }
}

#[tokio::test]
async fn what_is_not_supported_is_told_with_its_reason() {
    let found = support(&SandboxCommand::of("/no/such/program")).await;
    assert_eq!(found.len(), Isolation::ALL.len());
    for (isolation, result) in found {
        assert!(!result.unwrap_err().is_empty(), "{isolation:?}");
    }
}

/// A user namespace means one thing to root and another to everybody else.
#[test]
fn all_this_holds_for_a_user_without_rights() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let copy = |from: &Path, name: &str| {
        let to = folder.path().join(name);
        fs::copy(from, &to).unwrap();
        to
    };
    let tests = copy(&std::env::current_exe().unwrap(), "tests");
    let controller = copy(&controller(), "controller");
    let output = Command::new("setpriv")
        .args(["--reuid=47110", "--regid=47110", "--clear-groups"])
        .arg(tests)
        .args(["--skip", "all_this_holds", "--nocapture"])
        .env("MUSTER_TEST_CONTROLLER", controller)
        .env("TMPDIR", folder.path())
        .current_dir("/")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
}
