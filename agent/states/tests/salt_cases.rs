//! State cases with what Salt did: same returns, same files, on a dry run, a first and a second.
//!
//! `SALT_CASES` names another folder of cases; `SALT_CASE` runs only those whose name contains it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also where it is called from")]

#[path = "salt_cases/case.rs"]
mod case;
#[path = "salt_cases/compare.rs"]
mod compare;
#[path = "salt_cases/scratch.rs"]
mod scratch;

use std::path::PathBuf;

#[test]
fn every_case_ends_as_in_salt() {
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/salt-cases");
    let folder = std::env::var_os("SALT_CASES").map_or(own, PathBuf::from);
    let only = std::env::var("SALT_CASE").unwrap_or_default();
    let mut names: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("case.json").is_file())
        .filter(|path| path.file_name().unwrap().to_string_lossy().contains(&only))
        .collect();
    names.sort();
    assert!(!names.is_empty(), "no case in {}", folder.display());
    let mut failed = Vec::new();
    for path in &names {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let problems = case::run_case(path);
        if !problems.is_empty() {
            failed.push(format!("{name}:\n  {}", problems.join("\n  ")));
        }
    }
    let passed = names.len() - failed.len();
    assert!(failed.is_empty(), "{passed} of {} pass\n{}", names.len(), failed.join("\n"));
}
