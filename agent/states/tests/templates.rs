//! Templates render as Salt renders them: tests/templates, recorded by record_templates.py.

#![allow(clippy::unwrap_used, reason = "a broken record fails the test")]

use std::fs;
use std::path::{Path, PathBuf};

use muster_states::fuzzing::Renderer;
use muster_states::{Facts, Tree};
use serde_json::{Value, json};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/templates")
}

fn tree(files: Option<&Value>) -> Tree {
    let shared = Tree::from_dir(folder().join("files")).unwrap();
    let mut all: Vec<(String, Vec<u8>)> =
        shared.paths().map(|path| (path.to_owned(), shared.read(path).unwrap().unwrap())).collect();
    for (path, text) in files.and_then(Value::as_object).into_iter().flatten() {
        all.push((path.clone(), text.as_str().unwrap().as_bytes().to_vec()));
    }
    Tree::from_files(all)
}

/// What is not as Salt has it.
fn difference(case: &Value, root: &Path) -> Option<String> {
    let facts = json!({
        "id": "w1", "os": "Debian", "os_family": "Debian", "list": [1, 2], "none": null,
    });
    let facts: Facts = serde_json::from_value(facts).unwrap();
    let pillar = json!({"a": {"b": 1}, "l": [1, 2], "none": null, "text": "x\ny", "yes": true});
    let renderer = Renderer::new(&tree(case.get("files")), &facts, &pillar, root);
    let template = case["template"].as_str().unwrap();
    let found = renderer.render("a.main", "a/main.sls", template);
    let told = match (&found, case["output"].as_str()) {
        (Ok(found), Some(wanted)) if found == wanted => return None,
        (Err((words, line)), None) => {
            let wanted = case["error"].as_str().unwrap();
            let placed = case["line"] == json!(line) || case["line"] == json!(0);
            let same = words.lines().next() == Some(wanted);
            if same && placed {
                return None;
            }
            format!("{words:?}, line {line}\n  not {wanted:?}, line {}", case["line"])
        }
        _ => format!("{found:?}\n  not {}", case.get("output").unwrap_or(&case["error"])),
    };
    Some(format!("{template:?}\n  is  {told}"))
}

#[test]
fn every_template_renders_as_in_salt() {
    let root = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    let mut count = 0;
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let cases: Vec<Value> = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        count += cases.len();
        wrong.extend(cases.iter().filter_map(|case| difference(case, root.path())));
    }
    assert!(count > 0, "no templates were recorded");
    assert!(wrong.is_empty(), "{} of {count} differ:\n{}", wrong.len(), wrong.join("\n"));
}
