//! Checks ahead of their turn change nothing: random trees of states that meddle with the same few
//! files give the same returns and the same files as when each is checked at its turn.
//!
//! `MUSTER_AHEAD_CASES=1000 cargo test -p muster-states --test ahead` is the long run.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also where it is called from")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use muster_states::{Facts, Host, Options, Selection, Tree, compile, run};
use proptest::prelude::*;
use serde_json::Value;

const CASES: u32 = 24;
/// The files that all states are about.
const FILES: u8 = 4;
const STATES_MAX: usize = 14;

/// The kind that runs in parallel.
const APART: u8 = 18;

/// One state: what it does, to which file, and how it hangs on another one.
#[derive(Debug, Clone)]
struct State {
    kind: u8,
    file: u8,
    text: u8,
    requisite: u8,
    on: usize,
}

fn states() -> impl Strategy<Value = Vec<State>> {
    let one = (0..20_u8, 0..FILES, 0..3_u8, 0..16_u8, 0..STATES_MAX);
    let one =
        one.prop_map(|(kind, file, text, requisite, on)| State { kind, file, text, requisite, on });
    prop::collection::vec(one, 2..STATES_MAX)
}

/// A state without its requisite.
fn body(state: &State) -> String {
    let (path, text) = (format!("/srv/f{}", state.file), format!("text{}", state.text));
    let relative = &path[1..];
    match state.kind {
        0..=3 => format!("file.managed:\n    - name: {path}\n    - contents: {text}\n"),
        4 => format!("file.absent:\n    - name: {path}\n"),
        5 => format!("file.exists:\n    - name: {path}\n"),
        6 => format!("file.missing:\n    - name: {path}\n"),
        7 => format!("file.append:\n    - name: {path}\n    - text: {text}\n"),
        8 => format!(
            "file.replace:\n    - name: {path}\n    - pattern: text.\n    - repl: {text}\n    \
             - ignore_if_missing: true\n"
        ),
        9 => {
            format!("file.symlink:\n    - name: {path}\n    - target: {text}\n    - force: true\n")
        }
        10 => format!("file.managed:\n    - name: {path}\n    - mode: '06{}0'\n", state.text),
        11 => format!("cmd.run:\n    - name: echo {text} >> {relative}\n"),
        12 => format!("cmd.run:\n    - name: echo {text} > {relative}\n    - creates: {path}\n"),
        13 => format!("cmd.wait:\n    - name: rm -f {relative}\n"),
        14 => format!("test.nop:\n    - onlyif: test -e {relative}\n"),
        15 => format!(
            "file.managed:\n    - name: {path}\n    - source: salt://acts.jinja\n    \
             - template: jinja\n"
        ),
        16 => format!(
            "file.managed:\n    - name: {path}\n    - source: salt://looks.jinja\n    \
             - template: jinja\n"
        ),
        17 => format!(
            "file.managed:\n    - name: {path}\n    - contents: {text}\n    \
             - retry: {{attempts: 2, interval: 0}}\n    - check_cmd: test -s\n"
        ),
        APART => format!("cmd.run:\n    - name: echo {text} > log/{text}\n    - parallel: true\n"),
        _ => format!("file.directory:\n    - name: {path}\n    - force: true\n"),
    }
}

fn sls(states: &[State]) -> String {
    let id = |at: usize| format!("s{at:02}");
    let line = |(at, state): (usize, &State)| {
        let on = state.on % states.len();
        let kind = match state.requisite {
            0 | 1 => "require",
            2 => "watch",
            3 => "onchanges",
            4 => "onfail",
            5 => "prereq",
            6 => "listen",
            7 => "require_any",
            _ => "",
        };
        // Only on earlier ones: no circles. And on none that runs apart: when its dependents' turn
        // comes, as in Salt, depends on when it ends.
        let requisite = match kind {
            "" => String::new(),
            _ if on >= at || states[on].kind == APART => String::new(),
            "prereq" => format!("    - prereq_in:\n      - id: {}\n", id(on)),
            _ => format!("    - {kind}:\n      - id: {}\n", id(on)),
        };
        format!("{}:\n  {}{requisite}", id(at), body(state))
    };
    states.iter().enumerate().map(line).collect()
}

/// What one run tells, without what differs between any two.
fn applied(root: &Path, sls: &str, test: bool, ahead: usize) -> Value {
    let tree = Tree::from_files([
        ("a.sls", sls),
        ("acts.jinja", "{{ salt['cmd.run']('echo x >> log/acts; wc -l < log/acts') }}\n"),
        ("looks.jinja", "{{ salt['file.file_exists']('/srv/f1') }}\n"),
    ]);
    let host = Host::under(root);
    let selection = Selection::Sls(vec!["a".into()]);
    let pillar = Value::Null;
    let compiled = match compile(&tree, &Facts::default(), &pillar, &selection, &host) {
        Ok(compiled) => compiled,
        Err(errors) => return Value::from(errors[0].to_string()),
    };
    let journal = Some(root.with_extension("journal"));
    let options = Options { test, ahead_max: Some(ahead), journal, ..Options::default() };
    let report = run(&compiled, &host, &options, &mut |_, _| {}).unwrap();
    let mut told = serde_json::to_value(&report).unwrap();
    for state in told.as_object_mut().unwrap().values_mut() {
        let state = state.as_object_mut().unwrap();
        state.remove("start_time");
        state.remove("duration");
        if let Some(changes) = state["changes"].as_object_mut() {
            changes.remove("pid");
        }
    }
    let told = told.to_string().replace(root.to_str().unwrap(), "@R@");
    serde_json::from_str(&told).unwrap()
}

/// Files below a folder, with what they hold or where they lead.
fn listed(folder: &Path) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let meta = fs::symlink_metadata(&path).unwrap();
        let shown = if meta.is_symlink() {
            fs::read_link(&path).unwrap().display().to_string()
        } else if meta.is_dir() {
            out.extend(listed(&path));
            "folder".to_owned()
        } else {
            fs::read_to_string(&path).unwrap()
        };
        let mode = std::os::unix::fs::PermissionsExt::mode(&meta.permissions());
        out.insert(
            path.file_name().unwrap().to_str().unwrap().to_owned(),
            format!("{mode:o} {shown}"),
        );
    }
    out
}

/// Three runs on a machine of its own: dry, first, second.
fn runs(sls: &str, ahead: usize) -> Vec<(Value, BTreeMap<String, String>)> {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().canonicalize().unwrap().join("root");
    for folder in ["etc", "srv", "log", "tmp"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    fs::write(root.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\n").unwrap();
    fs::write(root.join("srv/f0"), "text0\n").unwrap();
    let mut out = Vec::new();
    for test in [true, false, false] {
        let told = applied(&root, sls, test, ahead);
        out.push((told, listed(&root)));
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("MUSTER_AHEAD_CASES")
            .map_or(CASES, |cases| cases.parse().unwrap()),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_comes_of_a_run_is_the_same_with_checks_ahead(states in states()) {
        let sls = sls(&states);
        let (turn, ahead) = (runs(&sls, 0), runs(&sls, 4));
        prop_assert_eq!(turn, ahead, "{}", sls);
    }
}

#[test]
fn what_was_found_ahead_is_not_used_when_something_has_acted_since() {
    let sls = "there:\n  file.missing:\n    - name: /srv/new\n\
               makes:\n  file.managed:\n    - name: /srv/new\n    - contents: x\n\
               gone:\n  file.missing:\n    - name: /srv/new\n\
               seen:\n  file.exists:\n    - name: /srv/new\n";
    let told = runs(sls, 4);
    let results = |run: &Value| -> Vec<Value> {
        run.as_object().unwrap().values().map(|state| state["result"].clone()).collect()
    };
    assert_eq!(results(&told[0].0), [true.into(), Value::Null, true.into(), false.into()]);
    assert_eq!(results(&told[1].0), [true, true, false, true].map(Value::from));
    assert_eq!(results(&told[2].0), [false, true, false, true].map(Value::from));
}
