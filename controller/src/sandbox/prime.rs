//! Prepares what a user namespace's overlays are written to, so that its one uid can write there.
//!
//! In a user namespace with one uid, folders of other owners cannot be written, and a file of
//! theirs cannot be copied up: its owner does not exist there. A folder that is in the upper layer
//! already belongs to the worker's root, and still shows what is below. So the folders that states
//! write into are made there beforehand, and the accounts are copied.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The most folders made beforehand for one overlay: some milliseconds.
const FOLDERS_MAX: usize = 512;
/// How deep below an overlay's top they are made.
const DEPTH_MAX: usize = 2;
/// Folders with much in them that no state writes into.
const SKIPPED: [&str; 6] = ["share", "include", "src", "libexec", "cache", "alternatives"];
/// Files that tools rewrite in place, and what stands in for one that cannot be read.
const ACCOUNTS: [(&str, &str, u32); 7] = [
    (".pwd.lock", "", 0o600),
    ("passwd", "root:x:0:0:root:/root:/bin/sh\n", 0o644),
    ("group", "root:x:0:\n", 0o644),
    ("shadow", "root:*:::::::\n", 0o600),
    ("gshadow", "root:*::\n", 0o600),
    ("subuid", "", 0o644),
    ("subgid", "", 0o644),
];
/// The longest file of accounts that is copied.
const ACCOUNTS_BYTES_MAX: u64 = 4 << 20;

/// Fills an empty upper layer. What cannot be made is left: a state that needs it says so.
pub(crate) fn upper(lower: &Path, upper: &Path) {
    let mut left = FOLDERS_MAX;
    folders(lower, upper, DEPTH_MAX, &mut left);
    if lower == Path::new("/etc") {
        for (name, stand_in, mode) in ACCOUNTS {
            account(&lower.join(name), &upper.join(name), stand_in, mode).ok();
            // What tools write a copy to before they begin.
            let backup = format!("{name}-");
            account(&lower.join(&backup), &upper.join(&backup), stand_in, mode).ok();
        }
    }
}

fn folders(lower: &Path, upper: &Path, depth: usize, left: &mut usize) {
    let Ok(entries) = fs::read_dir(lower) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let skipped = name.to_str().is_none_or(|name| SKIPPED.contains(&name));
        if skipped || *left == 0 || !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        // What cannot be listed would show nothing but what is written to it.
        let Ok(found) = entry.metadata() else { continue };
        if fs::read_dir(entry.path()).is_err() {
            continue;
        }
        let copy = upper.join(&name);
        // It may be there already, on the way to something hidden; or be hidden itself.
        if made(&copy, found.permissions().mode()).is_err() && !copy.is_dir() {
            continue;
        }
        *left -= 1;
        if depth > 1 {
            folders(&entry.path(), &copy, depth - 1, left);
        }
    }
}

fn made(path: &Path, mode: u32) -> io::Result<()> {
    fs::create_dir(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode & 0o7777))
}

fn account(lower: &Path, upper: &Path, stand_in: &str, mode: u32) -> io::Result<()> {
    let Ok(found) = fs::metadata(lower) else { return Ok(()) };
    let short = found.len() <= ACCOUNTS_BYTES_MAX;
    let text = fs::read(lower).ok().filter(|_| short);
    fs::write(upper, text.unwrap_or_else(|| stand_in.as_bytes().to_vec()))?;
    fs::set_permissions(upper, fs::Permissions::from_mode(mode))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_made_and_their_files_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let (lower, upper) = (folder.path().join("lower"), folder.path().join("upper"));
        fs::create_dir_all(lower.join("a/b/c")).unwrap();
        fs::create_dir_all(lower.join("share/much")).unwrap();
        fs::write(lower.join("a/file"), "").unwrap();
        fs::create_dir(&upper).unwrap();
        super::upper(&lower, &upper);
        assert!(upper.join("a/b").is_dir() && !upper.join("a/b/c").exists());
        assert!(!upper.join("a/file").exists() && !upper.join("share").exists());
    }

    #[test]
    fn accounts_that_cannot_be_read_are_stood_in_for() {
        let folder = tempfile::tempdir().unwrap();
        let (lower, upper) = (folder.path().join("shadow"), folder.path().join("copy"));
        fs::create_dir(&lower).unwrap();
        account(&lower, &upper, "root:*:::::::\n", 0o600).unwrap();
        assert_eq!(fs::read_to_string(&upper).unwrap(), "root:*:::::::\n");
        assert_eq!(fs::metadata(&upper).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
