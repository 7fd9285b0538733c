//! Real Salt beside ours, and random things to ask both.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

/// Random numbers (xorshift) that are the same again for the same seed.
#[derive(Debug)]
pub struct Dice(u64);

impl Dice {
    /// Any seed will do.
    #[must_use]
    pub fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below the bound.
    ///
    /// # Panics
    /// When the bound is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound).expect("64 bits")).expect("64 bits")
    }
}

/// The number that the environment gives.
///
/// # Panics
/// When it is none.
#[must_use]
pub fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

/// `MUSTER_SEED`, or one of this moment.
#[must_use]
pub fn seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    number("MUSTER_SEED").unwrap_or_else(|| u64::from(now.subsec_nanos()) | 1)
}

fn python() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/salt/bin/python");
    let path = std::env::var_os("MUSTER_SALT_PYTHON").map_or(own, PathBuf::from);
    assert!(
        path.exists(),
        "{} is not there: run packaging/tools/install salt, or set MUSTER_SALT_PYTHON",
        path.display()
    );
    path
}

/// What Salt answers to documents, by a script of `labs/`.
///
/// # Panics
/// When there is no Salt, or it fails.
pub fn ask<T: DeserializeOwned>(script: &str, args: &[&OsStr], documents: &impl Serialize) -> T {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("labs").join(script);
    let mut command = Command::new(python());
    command.arg(script).args(args).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("Salt's Python starts");
    let documents = serde_json::to_vec(documents).expect("documents are JSON");
    let mut input = child.stdin.take().expect("it is piped");
    input.write_all(&documents).expect("Salt reads what it is asked");
    drop(input);
    let output = child.wait_with_output().expect("Salt ends");
    assert!(output.status.success(), "Salt failed; its words are above");
    let text = String::from_utf8(output.stdout).expect("JSON is UTF-8");
    serde_json::from_str(text.lines().last().expect("an answer")).expect("the answer is JSON")
}
