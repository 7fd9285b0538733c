//! The quickstart tree on this machine's own files: in a user namespace with one uid, on overlays
//! that are gone afterwards. Where the machine allows no such namespace, there is nothing to test.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also where it is called from")]

use std::path::Path;
use std::process::Command;

use muster_states::{Host, Options, Selection, Tree, compile, facts, pillar, run};

/// Tells the test that it is the one inside.
const INSIDE: &str = "MUSTER_TEST_INSIDE_NAMESPACE";

/// Overlays on what states change; the upper layers lie on a tmpfs of the namespace.
const MOUNTS: &str = "set -e; mount -t tmpfs none \"$1\"; for d in etc opt; do \
    mkdir \"$1/$d\" \"$1/$d.work\"; \
    mount -t overlay none -o userxattr,lowerdir=/$d,upperdir=\"$1/$d\",workdir=\"$1/$d.work\" /$d; \
    done";

fn unshared(script: &str, folder: &Path) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]).arg(folder);
    command
}

#[test]
fn the_quickstart_works_in_a_namespace_of_one_uid() {
    if std::env::var_os(INSIDE).is_some() {
        return inside();
    }
    let dir = tempfile::tempdir().unwrap();
    if !unshared(MOUNTS, dir.path()).output().is_ok_and(|output| output.status.success()) {
        return;
    }
    let script = format!("{MOUNTS}; shift; exec \"$@\"");
    let output = unshared(&script, dir.path())
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "the_quickstart_works_in_a_namespace_of_one_uid", "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let told = told + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && told.contains("1 passed"), "{told}");
    assert!(!Path::new("/etc/muster-demo").exists(), "the namespace leaked");
}

fn inside() {
    let quickstart = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/quickstart");
    let host = Host::new();
    let mut facts = facts::collect(&host);
    facts.set("id", "demo-0001");
    let pillar = pillar::render(quickstart.join("pillar"), "demo-0001", &facts).unwrap();
    let tree = Tree::from_dir(quickstart.join("salt")).unwrap();
    for most in [usize::MAX, 0] {
        let compiled = compile(&tree, &facts, &pillar, &Selection::Highstate, &host).unwrap();
        let report = run(&compiled, &host, &Options::default(), &mut |_, _| {}).unwrap();
        let summary = report.summary();
        assert_eq!(summary.failed, 0, "{report:#?}");
        assert!(summary.changed <= most, "{report:#?}");
        assert!(most == 0 || summary.changed >= 10, "{report:#?}");
    }
}
