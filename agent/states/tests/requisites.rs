//! Requisites in a run: who runs, who reacts, who is skipped, and in which words.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also where it is called from")]

use std::path::Path;

use muster_states::{Cancel, Facts, Host, Options, Report, Selection, Tree, compile, run};

fn apply_with(sls: &str, root: &Path, options: &Options) -> Report {
    let tree = Tree::from_files([("a.sls", sls)]);
    let host = Host::under(root);
    let selection = Selection::Sls(vec!["a".into()]);
    let pillar = serde_json::json!({});
    let compiled = compile(&tree, &Facts::default(), &pillar, &selection, &host).unwrap();
    run(&compiled, &host, options, &mut |_, _| {}).unwrap()
}

fn apply(sls: &str) -> Report {
    let dir = tempfile::tempdir().unwrap();
    apply_with(sls, dir.path(), &Options::default())
}

/// `id result comment` of each state, in run order.
fn told(report: &Report) -> Vec<String> {
    let result = |result| match result {
        Some(true) => "ok",
        Some(false) => "failed",
        None => "would",
    };
    let line = |state: &muster_states::StateReturn| {
        let comment = state.comment.lines().next().unwrap_or_default();
        format!("{} {} {comment}", state.id, result(state.result))
    };
    report.states().values().map(line).collect()
}

#[test]
fn listeners_react_once_at_the_end() {
    let sls = "w:\n  cmd.wait:\n    - name: echo w\n    - listen: [{test: a}, {test: b}]\n\
               a:\n  test.succeed_with_changes\nb:\n  test.succeed_with_changes\n";
    let report = apply(sls);
    let expected =
        ["w ok ", "a ok Success!", "b ok Success!", "listener_w ok Command \"echo w\" run"];
    assert_eq!(told(&report), expected);
}

#[test]
fn a_state_prepares_only_for_what_would_change() {
    let sls = "pre:\n  cmd.run:\n    - name: echo pre\n    - prereq: [{file: f}]\n\
               f:\n  file.managed:\n    - name: /f\n    - contents: x\n";
    let dir = tempfile::tempdir().unwrap();
    let first = apply_with(sls, dir.path(), &Options::default());
    assert_eq!(told(&first), ["pre ok Command \"echo pre\" run", "f ok File /f updated"]);
    let second = apply_with(sls, dir.path(), &Options::default());
    assert_eq!(
        told(&second),
        ["pre ok No changes detected", "f ok File /f is in the correct state"]
    );
}

#[test]
fn what_was_prepared_for_does_not_run_when_the_preparation_fails() {
    let sls = "pre:\n  cmd.run:\n    - name: 'false'\n    - prereq: [{file: f}]\n\
               f:\n  file.managed:\n    - name: /f\n    - contents: x\n";
    let dir = tempfile::tempdir().unwrap();
    let report = apply_with(sls, dir.path(), &Options::default());
    assert!(!dir.path().join("f").exists());
    assert_eq!(told(&report)[0], "pre failed Command \"false\" run");
    assert!(report.states().values().all(|state| state.id != "f" || state.changes.is_empty()));
}

#[test]
fn failhard_stops_the_run_there() {
    let sls = "a:\n  test.fail_without_changes:\n    - failhard: True\nb:\n  test.nop\n";
    assert_eq!(told(&apply(sls)), ["a failed Failure!"]);
    let sls = "a:\n  test.fail_without_changes\nb:\n  test.nop\n";
    assert_eq!(told(&apply(sls)), ["a failed Failure!", "b ok Success!"]);
}

#[test]
fn a_failed_state_is_tried_again() {
    let sls = "a:\n  cmd.run:\n    - name: test -e x || { touch x; exit 1; }\n    - retry:\n\
               \x20       attempts: 3\n        interval: 0\n";
    let report = apply(sls);
    let state = &report.states()[0];
    assert_eq!(state.result, Some(true));
    assert!(state.comment.starts_with("Attempt 1: Returned a result of \"False\""), "{state:?}");
}

#[test]
fn a_cancelled_run_starts_no_further_state() {
    let cancel = Cancel::default();
    cancel.cancel();
    let dir = tempfile::tempdir().unwrap();
    let options = Options { cancel, ..Options::default() };
    let report = apply_with("a:\n  cmd.run:\n    - name: touch x\n", dir.path(), &options);
    assert_eq!(told(&report), ["a failed State was not run because the run was cancelled"]);
    assert!(!dir.path().join("x").exists());
}

#[test]
fn a_check_command_decides_before_the_file_appears() {
    let sls = "f:\n  file.managed:\n    - name: /f\n    - contents: bad\n\
               \x20   - check_cmd: grep good\n\
               g:\n  cmd.run:\n    - name: 'true'\n    - check_cmd: ['false']\n";
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("tmp")).unwrap();
    let report = apply_with(sls, dir.path(), &Options::default());
    assert!(!dir.path().join("f").exists());
    assert_eq!(told(&report)[0], "f failed check_cmd execution failed");
    assert_eq!(told(&report)[1], "g failed check_cmd determined the state failed");
}

#[test]
fn what_is_not_to_be_logged_is_masked() {
    let sls = "a:\n  cmd.run:\n    - name: echo secret\n    - no_log: True\n";
    let report = apply(sls);
    let text = serde_json::to_string(&report.states()[0].changes).unwrap();
    assert!(!text.contains("secret") && report.states()[0].comment == "**********", "{text}");
}
