//! One case: its files laid out, its calls made three times, each compared.

use std::fs;
use std::path::Path;
use std::process::Command;

use muster_states::{
    Error, Facts, Host, Kind, Options, Report, Selection, Tree, compile, facts, pillar, run,
};
use serde_json::{Map, Value, json};

use crate::{compare, scratch};

/// Tells a test that it is the one in the namespace.
const INSIDE: &str = "MUSTER_TEST_INSIDE_NAMESPACE";

/// A case laid out in a scratch folder.
struct Case {
    tree: Tree,
    pillar: Result<Value, Vec<Error>>,
    facts: Facts,
    host: Host,
    failhard: bool,
    root: String,
}

/// Runs a case; returns what was not as in Salt.
pub(crate) fn run_case(folder: &Path) -> Vec<String> {
    let spec = read(&folder.join("case.json"));
    if spec["mounts"] == true && std::env::var_os(INSIDE).is_none() {
        return in_a_namespace(folder);
    }
    let dir = tempfile::tempdir().unwrap();
    let base = dir.path().canonicalize().unwrap();
    let root = base.join("root");
    scratch::copy(&folder.join("fixture"), &root, &root);
    scratch::copy(&folder.join("salt"), &base.join("salt"), &root);
    scratch::copy(&folder.join("pillar"), &base.join("pillar"), &root);
    if folder.join("setup.sh").is_file() {
        let setup = Command::new("sh").arg(folder.join("setup.sh")).arg(&root).output().unwrap();
        assert!(setup.status.success(), "{}", String::from_utf8_lossy(&setup.stderr));
    }
    let before = fs::read_to_string(folder.join("expected.test.tree")).unwrap_or_default();
    scratch::shape(&root, &before);
    let mut facts = facts::collect(&Host::new());
    facts.set("id", spec["id"].as_str().unwrap());
    for (name, value) in spec["grains"].as_object().unwrap() {
        facts.set(name.clone(), value.clone());
    }
    let case = Case {
        tree: Tree::from_dir(base.join("salt")).unwrap(),
        pillar: pillar::render(base.join("pillar"), spec["id"].as_str().unwrap(), &facts),
        facts,
        // Cases that change accounts get a host of their own: never this machine's.
        failhard: spec["opts"]["failhard"] == true,
        host: if spec["users"] == true {
            Host::under(scratch::machine(&base, folder))
        } else {
            Host::new()
        },
        root: root.to_str().unwrap().to_owned(),
    };
    let mut problems = Vec::new();
    for (name, test) in [("expected.test", true), ("expected", false), ("expected2", false)] {
        let expected = read(&folder.join(format!("{name}.json")));
        for (call, expected) in
            spec["run"].as_array().unwrap().iter().zip(expected.as_array().unwrap())
        {
            let found = case.call(call, test, expected);
            problems.extend(found.into_iter().map(|problem| format!("{name}: {problem}")));
        }
        let listing = fs::read_to_string(folder.join(format!("{name}.tree"))).unwrap_or_default();
        let mut wanted: Vec<String> =
            listing.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
        wanted.sort();
        let found = scratch::list(&root);
        if wanted != found {
            problems.push(format!("{name}.tree: {wanted:?}, not {found:?}"));
        }
        let wanted = fs::read_to_string(folder.join(format!("{name}.machine")));
        let found = scratch::kept(&base.join("host"), &spec["keeps"]);
        if wanted.as_ref().is_ok_and(|wanted| *wanted != found) {
            let wanted = wanted.unwrap();
            let pairs = wanted.lines().zip(found.lines()).find(|(wanted, found)| wanted != found);
            problems.push(format!("{name}.machine: first {pairs:?}, of\n{found}"));
        }
    }
    problems
}

/// Runs a case that mounts where nobody else sees it; where that is not allowed, it is not run.
fn in_a_namespace(folder: &Path) -> Vec<String> {
    let kinds: &[&str] = if is_root() { &[] } else { &["--user", "--map-root-user"] };
    let unshared = || {
        let mut command = Command::new("unshare");
        command.args(kinds).args(["--mount", "--propagation", "private"]);
        command
    };
    let probe = "mount -t tmpfs none /mnt";
    if !unshared().args(["sh", "-c", probe]).output().is_ok_and(|done| done.status.success()) {
        return Vec::new();
    }
    let output = unshared()
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "every_case_ends_as_in_salt"])
        .env(INSIDE, "1")
        .env("SALT_CASES", folder.parent().unwrap())
        .env("SALT_CASE", folder.file_name().unwrap())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() { Vec::new() } else { vec![told] }
}

/// By the owner of what this process is.
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0)
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

impl Case {
    fn call(&self, call: &Value, test: bool, expected: &Value) -> Vec<String> {
        let selection = match call["fun"].as_str().unwrap() {
            "state.apply" => {
                let names = call["args"].as_array().unwrap().iter();
                Selection::Sls(names.map(|name| name.as_str().unwrap().to_owned()).collect())
            }
            "state.highstate" => Selection::Highstate,
            "state.show_top" => return self.show_top(expected),
            "pillar.items" => return self.pillar_items(expected),
            other => return vec![format!("the call '{other}' is not known here")],
        };
        let mut pillar = match &self.pillar {
            Ok(pillar) => pillar.clone(),
            Err(errors) => return compare::pillar_errors(errors, expected),
        };
        if let Some(over) = call["kwargs"].get("pillar").and_then(Value::as_object) {
            pillar.as_object_mut().unwrap().extend(over.clone());
        }
        match compile(&self.tree, &self.facts, &pillar, &selection, &self.host) {
            Err(errors) if errors[0].kind == Kind::Nothing => {
                let report = Report::no_states(&errors[0].reason);
                self.returns(&report, expected)
            }
            Err(errors) => compare::errors(&errors, expected),
            Ok(compiled) => {
                let options = Options { test, failhard: self.failhard, ..Options::default() };
                let mut told = 0;
                let report = run(&compiled, &self.host, &options, &mut |_, _| told += 1).unwrap();
                let mut problems = self.returns(&report, expected);
                if told != report.states().len() {
                    problems.push(format!("{told} states were told of"));
                }
                problems
            }
        }
    }

    fn returns(&self, report: &Report, expected: &Value) -> Vec<String> {
        let text = serde_json::to_string(report).unwrap().replace(&self.root, "@R@");
        let found: Value = serde_json::from_str(&text).unwrap();
        compare::returns(&found, &expected["ret"])
    }

    fn show_top(&self, expected: &Value) -> Vec<String> {
        let pillar = self.pillar.clone().unwrap();
        let compiled =
            compile(&self.tree, &self.facts, &pillar, &Selection::Highstate, &self.host).unwrap();
        let found = json!({"base": compiled.selected()});
        if found == expected["ret"] { vec![] } else { vec![format!("show_top: {found}")] }
    }

    fn pillar_items(&self, expected: &Value) -> Vec<String> {
        match &self.pillar {
            Err(errors) => compare::pillar_errors(errors, expected),
            Ok(pillar) => {
                let masked = masked(pillar);
                if masked == expected["ret"] { vec![] } else { vec![format!("pillar: {masked}")] }
            }
        }
    }
}

/// Salt shows a pillar's keys only.
fn masked(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            Value::Object(map.iter().map(|(k, v)| (k.clone(), masked(v))).collect::<Map<_, _>>())
        }
        _ => json!("**********"),
    }
}
