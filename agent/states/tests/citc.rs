//! The tree of the original system: what is wrong with it, and what it comes to for a worker and
//! for the head node.
//!
//! Sources that the folder leaves out are among what is wrong. `citc/record.py` makes the low data.
//! The worker's states are applied in `machine-cases/citc_worker`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also where it is called from")]

use std::path::{Path, PathBuf};

use muster_states::{Facts, Host, Opts, Request, Selection, Tree, lint, show_low};
use serde_json::{Value, json};

/// What the head node gets: it is not in the tree's own top file.
const HEAD: &str = "
base:
  'head':
    - firewall.hn
    - nfs.server
    - torque.server
    - maui
    - nova
    - dynamiccluster
";

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

/// Asks something of the tree for one machine.
fn ask<T>(id: &str, top: Option<&str>, question: impl Fn(&Request<'_>) -> T) -> T {
    let facts: Facts = serde_json::from_value(json!({
        "id": id, "master": "head.example.org", "fqdn": "head.example.org", "os": "CentOS",
        "os_family": "RedHat",
    }))
    .unwrap();
    let own = Tree::from_dir(tests().join("citc-salt/srv/salt")).unwrap();
    let read = |path: &str| (path.to_owned(), own.read(path).unwrap().unwrap());
    let files = own.paths().map(read).map(|(path, data)| match top {
        Some(top) if path == "top.sls" => (path, top.as_bytes().to_vec()),
        Some(_) | None => (path, data),
    });
    let empty = tempfile::tempdir().unwrap();
    question(&Request {
        tree: &Tree::from_files(files),
        facts: &facts,
        pillar: &json!({}),
        opts: &Opts::default(),
        selection: &Selection::Highstate,
        exclude: &[],
        host: &Host::under(empty.path()),
    })
}

#[test]
fn what_is_wrong_with_the_tree_is_told_with_file_and_line() {
    let found = ask("dynamicwn-1", None, lint);
    let told = |kind: &str, errors: &[muster_states::Error]| {
        errors.iter().map(|error| format!("{kind} {error}\n")).collect::<String>()
    };
    let list = told("error", &found.errors) + &told("warning", &found.warnings);
    insta::assert_snapshot!("defects", list);
}

#[test]
fn the_low_data_are_those_of_salt() {
    for (role, id, top) in [("worker", "dynamicwn-1", None), ("head", "head", Some(HEAD))] {
        let file = tests().join(format!("citc/{role}.low.json"));
        let wanted: Vec<Value> =
            serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        let found = ask(id, top, |request| show_low(request).unwrap());
        let found = found.as_array().unwrap();
        assert_eq!(found.len(), wanted.len(), "{role}");
        for (found, wanted) in found.iter().zip(&wanted) {
            assert_eq!(found, wanted, "{role}");
        }
    }
}
