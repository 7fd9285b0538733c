//! One case: its files laid out, its calls made three times, each compared.

use std::fs;
use std::path::Path;
use std::process::Command;

use muster_states::{
    Error, Facts, Host, Kind, Options, Opts, Report, Request, Selection, Tree, compile_request,
    facts, hidden, pillar, run, show_high, show_low, show_top,
};
use serde_json::Value;

use crate::{compare, scratch};

/// Tells a test that it is the one in the namespace.
const INSIDE: &str = "MUSTER_TEST_INSIDE_NAMESPACE";

/// Tells a test that services are managed by systemctl alone.
pub(crate) const WITHOUT_BUS: &str = "MUSTER_TEST_WITHOUT_BUS";

/// A case laid out in a scratch folder.
struct Case {
    tree: Tree,
    pillar_tree: Tree,
    opts: Opts,
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
    if folder.join("setup.sh").is_file() {
        let setup = Command::new("sh").arg(folder.join("setup.sh")).arg(&root).output().unwrap();
        assert!(setup.status.success(), "{}", String::from_utf8_lossy(&setup.stderr));
    }
    // A setup may have put files of its own into the tree.
    let tree = environments(folder, &base, "salt");
    let pillar_tree = environments(folder, &base, "pillar");
    let before = fs::read_to_string(folder.join("expected.test.tree")).unwrap_or_default();
    scratch::shape(&root, &before);
    let mut facts = facts::collect(&Host::new());
    facts.set("id", spec["id"].as_str().unwrap());
    for (name, value) in spec["grains"].as_object().unwrap() {
        facts.set(name.clone(), value.clone());
    }
    let case = Case {
        tree,
        pillar_tree,
        opts: Opts::from_map(spec["opts"].as_object().unwrap().clone()),
        facts,
        // Cases that change accounts get a host of their own: never this machine's.
        failhard: spec["opts"]["failhard"] == true,
        host: if spec["users"] == true {
            Host::under(scratch::machine(&base, folder))
        } else if std::env::var_os(WITHOUT_BUS).is_some() {
            Host::new().without_bus()
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
            let found = case.call(call, test, &case.placed(expected));
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
        let machine = if spec["machine"].is_string() { "/".into() } else { base.join("host") };
        let found = scratch::kept(&machine, &spec["keeps"]);
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
        eprintln!("not run: {} needs a mount namespace", folder.display());
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

/// A list of texts, also if it is a list of that, or parted by commas.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::String(text) => text.split(',').map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// The folder `kind` is the environment base, `kind-dev` the environment dev.
fn environments(folder: &Path, base: &Path, kind: &str) -> Tree {
    let root = base.join("root");
    let mut roots = vec![("base".to_owned(), [base.join(kind)])];
    scratch::copy(&folder.join(kind), &base.join(kind), &root);
    let mut others: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with(&format!("{kind}-")))
        .collect();
    others.sort();
    for name in others {
        scratch::copy(&folder.join(&name), &base.join(&name), &root);
        roots.push((name[kind.len() + 1..].to_owned(), [base.join(&name)]));
    }
    Tree::from_roots(roots).unwrap()
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

impl Case {
    /// What Salt returned, with the scratch root where its mark stands.
    fn placed(&self, expected: &Value) -> Value {
        serde_json::from_str(&expected.to_string().replace("@R@", &self.root)).unwrap()
    }

    fn call(&self, call: &Value, test: bool, expected: &Value) -> Vec<String> {
        let fun = call["fun"].as_str().unwrap();
        let mut opts = self.opts.clone();
        opts.set("test", test);
        if let Some(env) = call["kwargs"].get("saltenv") {
            opts.set("saltenv", env.clone());
        }
        let pillarenv = call["kwargs"].get("pillarenv").and_then(Value::as_str);
        let over = call["kwargs"].get("pillar").and_then(Value::as_object);
        let (tree, id, facts, local) =
            (&self.pillar_tree, self.facts.id(), &self.facts, &self.host);
        let (states, opts_of, local) = (&self.tree.clone().into(), &opts, Some(local));
        let request =
            pillar::Request { tree, states, id, facts, opts: opts_of, over, pillarenv, local };
        let pillar = pillar::render_request(&request);
        if fun == "pillar.items" {
            return pillar_items(pillar, expected);
        }
        let pillar = match pillar {
            Ok(pillar) => pillar,
            Err(errors) => return compare::pillar_errors(&errors, &opts, expected),
        };
        let selection = match fun {
            "state.apply" | "state.show_sls" | "state.show_low_sls" => {
                Selection::Sls(texts(&call["args"]))
            }
            "state.highstate"
            | "state.show_top"
            | "state.show_highstate"
            | "state.show_lowstate" => Selection::Highstate,
            other => return vec![format!("the call '{other}' is not known here")],
        };
        let request = Request {
            tree: &self.tree,
            facts,
            pillar: &pillar,
            opts: &opts,
            selection: &selection,
            exclude: &texts(&call["kwargs"]["exclude"]),
            host: &self.host,
        };
        match fun {
            "state.show_top" => Self::shown(show_top(&request), expected),
            "state.show_sls" | "state.show_highstate" => Self::shown(show_high(&request), expected),
            "state.show_lowstate" | "state.show_low_sls" => {
                Self::shown(show_low(&request), expected)
            }
            _ => self.apply(&request, test, expected),
        }
    }

    fn apply(&self, request: &Request<'_>, test: bool, expected: &Value) -> Vec<String> {
        match compile_request(request) {
            Err(errors) if errors[0].kind == Kind::Nothing => {
                let report = Report::no_states(&errors[0].reason);
                Self::returns(&report, expected)
            }
            Err(errors) => compare::errors(&errors, expected),
            Ok(compiled) => {
                let options = Options { test, failhard: self.failhard, ..Options::default() };
                let mut told = 0;
                let report = run(&compiled, &self.host, &options, &mut |_, _| told += 1).unwrap();
                let mut problems = Self::returns(&report, expected);
                if told != report.states().len() {
                    problems.push(format!("{told} states were told of"));
                }
                problems
            }
        }
    }

    fn shown(found: Result<Value, Vec<Error>>, expected: &Value) -> Vec<String> {
        match found {
            Err(errors) if expected["ret"].is_array() => compare::errors(&errors, expected),
            // Who shows it shows nothing then.
            Err(errors) if errors[0].kind == Kind::Nothing => {
                let empty = [serde_json::json!({}), serde_json::json!([])];
                let fine = empty.contains(&expected["ret"]);
                if fine { vec![] } else { vec![format!("nothing, not {}", expected["ret"])] }
            }
            Err(errors) => vec![format!("{errors:?}, not {}", expected["ret"])],
            Ok(found) => compare::shown(&found, &expected["ret"]),
        }
    }

    fn returns(report: &Report, expected: &Value) -> Vec<String> {
        compare::returns(&serde_json::to_value(report).unwrap(), &expected["ret"])
    }
}

fn pillar_items(pillar: Result<Value, Vec<Error>>, expected: &Value) -> Vec<String> {
    match pillar {
        Err(errors) => compare::pillar_errors(&errors, &Opts::default(), expected),
        Ok(pillar) => compare::shown(&hidden(&pillar), &expected["ret"]),
    }
}
