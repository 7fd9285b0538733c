//! A machine that has only what every machine has: what templates look at where there is none.

use std::fs;
use std::io;
use std::path::Path;

use super::Host;

/// Folders that are on every machine.
const FOLDERS: [&str; 6] = ["etc", "home", "root", "tmp", "usr/bin", "var/log"];
/// Files that are on every machine, and what is sure to stand in them.
const FILES: [(&str, &str); 3] = [
    ("etc/passwd", "root:x:0:0:root:/root:/bin/bash\n"),
    ("etc/group", "root:x:0:\n"),
    ("etc/hosts", "127.0.0.1 localhost\n"),
];

impl Host {
    /// Lays out a machine in an empty folder that has an account for root and nothing else.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub fn lay_bare(root: &Path) -> io::Result<()> {
        for folder in FOLDERS {
            fs::create_dir_all(root.join(folder))?;
        }
        FILES.iter().try_for_each(|(file, text)| fs::write(root.join(file), text))
    }
}
