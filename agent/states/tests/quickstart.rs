//! The quickstart tree, applied to a scratch root: it changes what it should, then nothing.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also where it is called from")]

use std::fs;
use std::path::{Path, PathBuf};

use muster_states::{Host, Options, Report, Selection, Tree, compile, facts, pillar, run};

fn quickstart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/quickstart")
}

/// A root with the account files of a fresh machine.
fn scratch() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let etc = dir.path().join("etc");
    fs::create_dir_all(&etc).unwrap();
    fs::create_dir_all(dir.path().join("var/lib")).unwrap();
    fs::write(etc.join("passwd"), "root:x:0:0:root:/root:/bin/sh\n").unwrap();
    fs::write(etc.join("group"), "root:x:0:\n").unwrap();
    fs::write(etc.join("shadow"), "root:*:1:0:99999:7:::\n").unwrap();
    dir
}

fn apply(root: &Path, test: bool) -> Report {
    let host = Host::under(root);
    let mut facts = facts::collect(&host);
    facts.set("id", "demo-0001");
    let pillar = pillar::render(quickstart().join("pillar"), "demo-0001", &facts).unwrap();
    let tree = Tree::from_dir(quickstart().join("salt")).unwrap();
    let compiled = compile(&tree, &facts, &pillar, &Selection::Highstate, &host).unwrap();
    assert!(compiled.warnings().is_empty(), "{:?}", compiled.warnings());
    let journal = Some(root.join("journal"));
    let options = Options { test, journal, ..Options::default() };
    let report = run(&compiled, &host, &options, &mut |_, _| {}).unwrap();
    assert_eq!(muster_states::interrupted(&root.join("journal")), None);
    report
}

#[test]
fn the_quickstart_changes_ten_states_once_and_then_none() {
    let dir = scratch();
    let dry = apply(dir.path(), true);
    assert!(!dir.path().join("etc/motd").exists(), "a dry run wrote");
    assert_eq!(dry.summary().failed, 0, "{dry:#?}");
    let first = apply(dir.path(), false);
    let summary = first.summary();
    assert_eq!(summary.failed, 0, "{first:#?}");
    assert!(summary.total >= 12 && summary.changed >= 10, "{summary:?}");
    let motd = fs::read_to_string(dir.path().join("etc/motd")).unwrap();
    assert!(motd.starts_with("Welcome to demo-0001, configured by Muster\n"), "{motd}");
    let second = apply(dir.path(), false);
    let summary = second.summary();
    assert_eq!((summary.failed, summary.changed), (0, 0), "{second:#?}");
}

#[test]
fn a_changed_pillar_value_changes_the_file_and_what_watches_it() {
    let dir = scratch();
    apply(dir.path(), false);
    let conf = dir.path().join("etc/muster-demo/clock.conf");
    fs::write(&conf, "by hand\n").unwrap();
    let report = apply(dir.path(), false);
    let changed: Vec<&str> = report
        .states()
        .values()
        .filter(|state| !state.changes.is_empty())
        .map(|state| state.id.as_str())
        .collect();
    assert_eq!(changed, ["clock-conf", "clock-reload", "clock-checked"]);
    assert!(fs::read_to_string(conf).unwrap().contains("server 0.pool.ntp.org iburst"));
}

#[test]
fn an_empty_folder_can_stand_for_a_machine() {
    let dir = tempfile::tempdir().unwrap();
    let first = apply(dir.path(), false).summary();
    assert!(first.failed == 0 && first.changed >= 10, "{first:?}");
    assert_eq!(apply(dir.path(), false).summary().changed, 0);
}
