//! `muster states`: trees checked, rendered and shown, without a cluster.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also where it is called from")]

use serde_json::{Value, json};
use std::fs;
use std::process::{Command, Output};
use tempfile::TempDir;

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

fn states(dir: &TempDir, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    command.arg("states").args(words).current_dir(dir.path()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

const TOP: (&str, &str) = ("salt/top.sls", "base:\n  'w*': [web]\n");
const WEB: (&str, &str) =
    ("salt/web.sls", "{{ pillar.name }}:\n  test.nop:\n    - require: [{test: b}]\nb: test.nop\n");
const PILLAR: [(&str, &str); 2] =
    [("pillar/top.sls", "base:\n  '*': [p]\n"), ("pillar/p.sls", "name: a-{{ grains.id }}\n")];

#[test]
fn a_tree_without_a_fault_is_told_as_such() {
    let dir = folder(&[TOP, ("salt/web.sls", "a:\n  test.nop: []\n")]);
    let output = states(&dir, &["check", "--id", "w1"]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), String::new()));
    assert!(text(&output.stderr).contains("0 errors, 0 warnings in 2 files"));
}

#[test]
fn a_folder_without_any_sls_is_not_what_was_meant() {
    let dir = folder(&[("web.conf", "a\n")]);
    let output = states(&dir, &["check", "--id", "w1"]);
    let told = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("error: there is no SLS here: name the folder of top.sls"), "{told}");
}

#[test]
fn all_faults_are_told_with_file_and_line_also_of_what_nobody_gets() {
    let key = "-----BEGIN PRIVATE KEY-----\n";
    let dir = folder(&[
        TOP,
        WEB,
        ("salt/other/init.sls", "a:\n  file.nope: []\n\nb: [\n"),
        ("salt/more.sls", "a:\n  file.nope: []\nc:\n  test.nop:\n    - require: [{test: zz}]\n"),
        ("salt/files/key", key),
        PILLAR[0],
        ("pillar/p.sls", "a: 1\n{{ nothing }}\n"),
    ]);
    let output = states(&dir, &["check", "--json", "--id", "w1"]);
    assert_eq!(output.status.code(), Some(1));
    let found: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let places: Vec<(&str, u64, &str)> = found
        .iter()
        .map(|one| {
            let text = |name: &str| one[name].as_str().unwrap();
            (text("file"), one["line"].as_u64().unwrap(), text("level"))
        })
        .collect();
    for place in [
        ("./pillar/p.sls", 2, "error"),
        ("./salt/files/key", 1, "warning"),
        ("./salt/more.sls", 1, "error"),
        ("./salt/more.sls", 5, "error"),
        ("./salt/web.sls", 1, "error"),
    ] {
        assert!(places.contains(&place), "{place:?} is not in {places:?}");
    }
    assert!(places.iter().any(|place| place.0 == "./salt/other/init.sls"), "{places:?}");
    let lines = text(&states(&dir, &["check", "--id", "w1"]).stdout);
    assert!(lines.contains("./salt/more.sls:1: error: State 'file.nope' was not found"), "{lines}");
}

#[test]
fn an_sls_is_rendered_and_the_stages_are_shown() {
    let dir = folder(&[TOP, WEB, PILLAR[0], PILLAR[1]]);
    let rendered = text(&states(&dir, &["render", "web", "--id", "w1"]).stdout);
    assert!(rendered.starts_with("a-w1:\n  test.nop:\n"), "{rendered}");
    let shown = |words: &[&str]| -> Value {
        let output = states(&dir, &[&["show"], words, &["--id", "w1", "-o", "json"]].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    assert_eq!(shown(&["top"]), json!({"base": ["web"]}));
    let order: Vec<String> = shown(&["low"])
        .as_array()
        .unwrap()
        .iter()
        .map(|low| low["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(order, ["b", "a-w1"]);
    assert_eq!(shown(&["sls", "web"])["b"]["__sls__"], "web");
    assert_eq!(shown(&["high"]), shown(&["sls", "web"]));
    let yaml = text(&states(&dir, &["show", "top", "--id", "w1"]).stdout);
    assert_eq!(yaml, "base:\n- web\n");
}

#[test]
fn what_was_mistyped_is_told_with_what_to_do() {
    let dir = folder(&[TOP, WEB]);
    for (words, said, next) in [
        (&["render", "nope"][..], "nope", "muster states check"),
        (&["render", "web", "--grains", "[1]"], "--grains is no map", "in JSON"),
        (&["show", "sls"], "show sls needs the names of SLS", "name them"),
        (&["show", "top", "--dir", "zz"], "reading zz", "name a folder"),
    ] {
        let output = states(&dir, words);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        assert!(stderr.contains(said) && stderr.contains(next), "{words:?}: {stderr}");
    }
}
