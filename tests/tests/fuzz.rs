//! The corpus of the fuzz targets, replayed through the same bodies by every `make test`.

#[path = "../fuzz/src/lib.rs"]
#[allow(unreachable_pub, reason = "the fuzz targets use it, from another workspace")]
mod bodies;

use std::path::{Path, PathBuf};

/// The corpus is small, so that it can be read over and costs nothing.
const CORPUS_BYTES_MAX: u64 = 300 << 10;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn files(of: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(of).unwrap_or_else(|error| panic!("{}: {error}", of.display()));
    let mut files: Vec<PathBuf> =
        entries.map(|entry| entry.expect("it is readable").path()).collect();
    files.sort();
    files
}

/// Guards: every decoder of bytes that others send or people write; what was once found stays
/// found. The bodies say what each of them promises.
#[test]
fn every_input_that_was_kept_is_read_or_refused() {
    for (target, body) in bodies::TARGETS {
        let kept = files(&folder().join("corpus").join(target));
        assert!(!kept.is_empty(), "{target} has no corpus");
        for path in kept {
            // On a failure this is the last line.
            println!("{}", path.display());
            body(&std::fs::read(&path).expect("it is readable"));
        }
    }
}

/// Guards: a decoder that is added to the bodies is fuzzed, and the corpus does not grow unseen.
#[test]
fn every_target_is_declared_and_the_corpus_is_small() {
    let manifest = std::fs::read_to_string(folder().join("Cargo.toml")).expect("it is there");
    for (target, _) in bodies::TARGETS {
        assert!(manifest.contains(&format!("name = \"{target}\"")), "{target} is no [[bin]]");
        assert!(folder().join(format!("targets/{target}.rs")).exists(), "{target} has no file");
    }
    let corpus = files(&folder().join("corpus"));
    assert_eq!(corpus.len(), bodies::TARGETS.len(), "{corpus:?}");
    let inputs = corpus.iter().flat_map(|target| files(target));
    let bytes: u64 = inputs.map(|path| path.metadata().expect("it is there").len()).sum();
    assert!(bytes <= CORPUS_BYTES_MAX, "{bytes} bytes of corpus: minimise it (CONTRIBUTING.md)");
}
