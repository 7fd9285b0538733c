//! The house rules that a machine can check: each a pure function from text to violations.
//!
//! tests/tests/house.rs applies them to the checkout. A rule that cannot fail is worth nothing, so
//! the unit tests here feed each one something that it must refuse. The rules themselves, and the
//! ones that only a reader can check, are in CONTRIBUTING.md.

pub mod arrows;
pub mod docs;
pub mod lockfile;
pub mod sources;
pub mod top_level;

use std::path::{Path, PathBuf};

/// The folder of the checkout that this crate was built from.
pub fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("the tests package lies one below the root").to_path_buf()
}

/// Lists every file below `folder` whose name ends with `suffix`, as paths relative to `root`.
/// Build output (`target`) and hidden folders are not entered.
pub fn files(root: &Path, folder: &str, suffix: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).expect("a folder of the checkout is readable");
        for entry in entries {
            let path = entry.expect("a folder of the checkout is readable").path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            let name = name.unwrap_or_default();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                folders.push(path);
            } else if path.is_file() && name.ends_with(suffix) {
                let relative = path.strip_prefix(root).expect("every path began at the root");
                found.push(relative.to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    found
}

/// Reads one file of the checkout.
pub fn read(root: &Path, path: &str) -> String {
    std::fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}
