//! The state cases with what Salt did, through the program as it is called: same JSON, same files.
//!
//! `SALT_CASES` names another folder of cases; `SALT_CASE` runs only those whose name contains it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also where it is called from")]

#[path = "../states/tests/salt_cases/compare.rs"]
#[allow(dead_code, reason = "only the comparison of returns is of use here")]
mod compare;
#[allow(dead_code, reason = "the engine's own tests use more of it")]
#[path = "../states/tests/salt_cases/scratch.rs"]
mod scratch;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// Tells this test that it is the one in the namespace.
const INSIDE: &str = "MUSTER_TEST_INSIDE_NAMESPACE";

/// A case laid out in a scratch folder.
struct Case {
    spec: Value,
    /// The options that name the folders of states and pillar.
    roots: Vec<String>,
    base: PathBuf,
    root: PathBuf,
    /// The folder that stands for the machine, if the case changes accounts.
    machine: Option<PathBuf>,
}

#[test]
fn every_case_ends_as_in_salt() {
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("states/tests/salt-cases");
    let folder = std::env::var_os("SALT_CASES").map_or(own, PathBuf::from);
    let only = std::env::var("SALT_CASE").unwrap_or_default();
    let mut cases: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("case.json").is_file())
        .filter(|path| path.file_name().unwrap().to_string_lossy().contains(&only))
        .collect();
    cases.sort();
    assert!(!cases.is_empty(), "no case in {}", folder.display());
    let mut failed = Vec::new();
    for path in &cases {
        let problems = run_case(path);
        if !problems.is_empty() {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            failed.push(format!("{name}:\n  {}", problems.join("\n  ")));
        }
    }
    let passed = cases.len() - failed.len();
    assert!(failed.is_empty(), "{passed} of {} pass\n{}", cases.len(), failed.join("\n"));
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// Lays out `salt` (or `pillar`), which is base, and `salt-dev`, which is the environment dev.
fn roots(folder: &Path, base: &Path, kind: &str) -> Vec<String> {
    let option = if kind == "salt" { "--file-root" } else { "--pillar-root" };
    let mut names = vec![kind.to_owned()];
    let mut others: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with(&format!("{kind}-")))
        .collect();
    others.sort();
    names.extend(others);
    let mut options = Vec::new();
    for name in names {
        scratch::copy(&folder.join(&name), &base.join(&name), &base.join("root"));
        let env = name.strip_prefix(&format!("{kind}-")).unwrap_or("base");
        options.push(format!("{option}={env}={}", base.join(&name).display()));
    }
    options
}

fn run_case(folder: &Path) -> Vec<String> {
    let spec = read(&folder.join("case.json"));
    // Never on this machine: its mounts are not a test's.
    if spec["mounts"] == true && std::env::var_os(INSIDE).is_none() {
        return in_a_namespace(folder);
    }
    let dir = tempfile::tempdir().unwrap();
    let base = dir.path().canonicalize().unwrap();
    let root = base.join("root");
    scratch::copy(&folder.join("fixture"), &root, &root);
    let roots = ["salt", "pillar"].map(|kind| roots(folder, &base, kind)).concat();
    if folder.join("setup.sh").is_file() {
        let setup = Command::new("sh").arg(folder.join("setup.sh")).arg(&root).output().unwrap();
        assert!(setup.status.success(), "{}", String::from_utf8_lossy(&setup.stderr));
    }
    let before = fs::read_to_string(folder.join("expected.test.tree")).unwrap_or_default();
    scratch::shape(&root, &before);
    let machine = (spec["users"] == true).then(|| scratch::machine(&base, folder));
    let case = Case { spec, roots, base, root, machine };
    let mut problems = Vec::new();
    for (name, test) in [("expected.test", true), ("expected", false), ("expected2", false)] {
        let expected = read(&folder.join(format!("{name}.json")));
        for (call, expected) in
            case.spec["run"].as_array().unwrap().iter().zip(expected.as_array().unwrap())
        {
            let found = case.call(call, test, expected);
            problems.extend(found.into_iter().map(|problem| format!("{name}: {problem}")));
        }
        let listing = fs::read_to_string(folder.join(format!("{name}.tree"))).unwrap_or_default();
        let mut wanted: Vec<&str> = listing.lines().filter(|line| !line.is_empty()).collect();
        wanted.sort_unstable();
        let found = scratch::list(&case.root);
        if wanted != found {
            problems.push(format!("{name}.tree: {wanted:?}, not {found:?}"));
        }
    }
    problems
}

/// Runs one case in a mount namespace of its own; where there can be none, it is not tried.
fn in_a_namespace(folder: &Path) -> Vec<String> {
    let unshared = || {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "--propagation", "private"]);
        command
    };
    let probe = ["sh", "-c", "mount -t tmpfs none /mnt"];
    if !unshared().args(probe).output().is_ok_and(|done| done.status.success()) {
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

impl Case {
    /// The command line that makes a call of Salt's.
    fn command(&self, call: &Value, test: bool) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_muster-agent"));
        let args = call["args"].as_array().unwrap().iter().map(|arg| match arg {
            Value::String(text) => text.clone(),
            // Several SLS are one argument of Salt's.
            Value::Array(items) => {
                items.iter().map(|item| item.as_str().unwrap()).collect::<Vec<_>>().join(",")
            }
            other => other.to_string(),
        });
        let words: &[&str] = match call["fun"].as_str().unwrap() {
            "state.apply" | "state.highstate" | "state.sls" => &["apply", "--local"],
            "state.sls_id" => &["apply", "--local", "--only"],
            "state.show_top" => &["show", "top"],
            "state.show_sls" => &["show", "sls"],
            "state.show_highstate" => &["show", "high"],
            "state.show_lowstate" => &["show", "lowstate"],
            "state.show_low_sls" => &["show", "low"],
            "state.single" => &["single"],
            "pillar.items" => &["pillar"],
            other => panic!("the call '{other}' is not known here"),
        };
        command.args(words).args(args).args(["--out", "json"]);
        command.env("MUSTER_DATA", self.base.join("data"));
        let mut opts = self.spec["opts"].as_object().unwrap().clone();
        for (name, value) in call["kwargs"].as_object().unwrap() {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            match name.as_str() {
                "pillar" => command.args(["--pillar", &text]),
                "exclude" => {
                    let names = value.as_array().unwrap().iter().map(|name| name.as_str().unwrap());
                    command.args(["--exclude", &names.collect::<Vec<_>>().join(",")])
                }
                "saltenv" | "pillarenv" => {
                    opts.insert(name.clone(), value.clone());
                    &mut command
                }
                "test" if value == true => command.arg("--test"),
                "test" => &mut command,
                _ => command.arg(format!("{name}={text}")),
            };
        }
        if test && call["kwargs"].get("test") != Some(&Value::Bool(false)) {
            command.arg("--test");
        }
        command.args(&self.roots);
        command.args(["--grains", &self.spec["grains"].to_string()]);
        command.args(["--opts", &Value::Object(opts).to_string()]);
        command.args(["--id", self.spec["id"].as_str().unwrap()]).env_remove("MUSTER_ROOT");
        if let Some(machine) = &self.machine {
            command.env("MUSTER_ROOT", machine);
        }
        command
    }

    fn call(&self, call: &Value, test: bool, expected: &Value) -> Vec<String> {
        let output = self.command(call, test).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let text = text.replace(self.root.to_str().unwrap(), "@R@");
        let Ok(found) = serde_json::from_str::<Value>(&text) else {
            let stderr = String::from_utf8_lossy(&output.stderr);
            return vec![format!("{}: no JSON: {text}{stderr}", output.status)];
        };
        let wanted = &expected["ret"];
        match (&found, wanted) {
            (Value::Array(errors), Value::Object(states)) if is_run(wanted) => {
                refused(errors, states, &output)
            }
            (Value::Object(_), Value::Object(_)) if is_run(wanted) => {
                let mut problems = compare::returns(&found, wanted);
                problems.extend(self.exit(&output, expected));
                problems
            }
            (Value::Array(errors), Value::Array(wanted)) if wanted.iter().all(Value::is_string) => {
                let mut problems = same_errors(errors, wanted);
                problems.extend(self.exit(&output, expected));
                problems
            }
            _ if found == *wanted => self.exit(&output, expected).into_iter().collect(),
            _ => vec![format!("{found}, not {wanted}")],
        }
    }

    /// 0 fine, 1 did not compile, 2 a state failed; Salt has 5 for a pillar that did not render.
    fn exit(&self, output: &Output, expected: &Value) -> Option<String> {
        let broken_pillar = expected["ret"].get("_errors").is_some();
        let wanted = match expected["retcode"].as_i64() {
            Some(0) if broken_pillar => 1,
            Some(0) => 0,
            Some(2) => 2,
            _ => 1,
        };
        let told = wanted != 1 || !output.stderr.is_empty();
        let code = output.status.code();
        (code != Some(wanted) || !told).then(|| format!("exit {code:?}, not {wanted}, or no word"))
    }
}

/// Whether these are the returns of states.
fn is_run(value: &Value) -> bool {
    let states = value.as_object().into_iter().flatten();
    states.into_iter().all(|(key, state)| key.contains("_|-") && state.is_object())
}

/// The SLS that did not render: Salt names its environment, unless Python itself stopped it.
fn sls(told: &str) -> Option<&str> {
    let (named, _) = told.strip_prefix("Rendering SLS ")?.split_once(" failed")?;
    Some(named.strip_prefix("'base:").map_or(named, |rest| rest.trim_end_matches('\'')))
}

/// Salt's words; of its parsers' own words, the SLS alone.
fn same_errors(found: &[Value], wanted: &[Value]) -> Vec<String> {
    let alike = |found: &Value, wanted: &Value| {
        let (found, wanted) = (found.as_str().unwrap(), wanted.as_str().unwrap());
        found == wanted || sls(found).is_some_and(|found| sls(wanted) == Some(found))
    };
    let same = found.len() == wanted.len() && found.iter().zip(wanted).all(|(a, b)| alike(a, b));
    if same { vec![] } else { vec![format!("{found:?}, not {wanted:?}")] }
}

/// What Salt fails when it comes to the state is refused before anything runs, in Salt's words.
fn refused(
    errors: &[Value],
    states: &serde_json::Map<String, Value>,
    output: &Output,
) -> Vec<String> {
    let failed = states.values().filter(|state| state["result"] == false);
    let comments: Vec<&Value> = failed.map(|state| &state["comment"]).collect();
    let same = errors.iter().all(|error| comments.contains(&error));
    let placed = String::from_utf8_lossy(&output.stderr).contains(".sls:");
    if same && placed && output.status.code() == Some(1) {
        return vec![];
    }
    vec![format!("{errors:?} (exit {}), not {comments:?}", output.status)]
}
