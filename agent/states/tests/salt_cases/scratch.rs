//! The scratch root of a case: laid out from its fixture, and listed as Salt's run was.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// Copies a folder, putting the scratch root in place of `@R@` in texts.
pub(crate) fn copy(from: &Path, to: &Path, root: &Path) {
    fs::create_dir_all(to).unwrap();
    let Ok(entries) = fs::read_dir(from) else { return };
    for entry in entries {
        let entry = entry.unwrap();
        let name = entry.file_name();
        if name == ".keepdir" {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to.join(name), root);
        } else {
            let data = fs::read(entry.path()).unwrap();
            fs::write(to.join(name), substituted(&data, root)).unwrap();
        }
    }
}

fn substituted(data: &[u8], root: &Path) -> Vec<u8> {
    match std::str::from_utf8(data) {
        Ok(text) => text.replace("@R@", root.to_str().unwrap()).into_bytes(),
        Err(_) => data.to_vec(),
    }
}

/// Gives the scratch root the modes and links that a listing tells of.
pub(crate) fn shape(root: &Path, listing: &str) {
    for line in listing.lines() {
        let mut words = line.splitn(5, ' ');
        let mut next = || words.next().unwrap_or_default();
        let (kind, mode, _, what, path) = (next(), next(), next(), next(), next());
        let place = root.join(path);
        if kind == "l" {
            fs::remove_file(&place).unwrap();
            symlink(what.replace("@R@", root.to_str().unwrap()), &place).unwrap();
        } else if !mode.is_empty() {
            let mode = u32::from_str_radix(mode, 8).unwrap();
            fs::set_permissions(&place, fs::Permissions::from_mode(mode)).unwrap();
        }
    }
}

/// A folder that stands for a machine with the accounts of a fresh Debian.
pub(crate) fn accounts(base: &Path) -> PathBuf {
    let root = base.join("host");
    for folder in ["etc", "usr/games", "root"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    let passwd = "root:x:0:0:root:/root:/bin/bash\n\
                  games:x:5:60:games:/usr/games:/usr/sbin/nologin\n";
    fs::write(root.join("etc/passwd"), passwd).unwrap();
    fs::write(root.join("etc/group"), "root:x:0:\ngames:x:60:\n").unwrap();
    fs::write(root.join("etc/shadow"), "root:*:1:0:99999:7:::\ngames:*:1:0:99999:7:::\n").unwrap();
    root
}

/// Lists the scratch root: type, mode, owner, contents, path.
pub(crate) fn list(root: &Path) -> Vec<String> {
    let mut out = Vec::new();
    walk(root, root, &mut out);
    out.sort();
    out
}

fn walk(root: &Path, folder: &Path, out: &mut Vec<String>) {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let meta = fs::symlink_metadata(&path).unwrap();
        let shown = path.strip_prefix(root).unwrap().display();
        let mode = meta.mode() & 0o7777;
        let owner = owner(&meta);
        if meta.is_dir() {
            out.push(format!("d {mode:04o} {owner} - {shown}"));
            walk(root, &path, out);
        } else if meta.is_symlink() {
            let target = fs::read_link(&path).unwrap();
            let target = target.to_str().unwrap().replace(root.to_str().unwrap(), "@R@");
            out.push(format!("l 0777 {owner} {target} {shown}"));
        } else {
            let data = fs::read(&path).unwrap();
            // A file that holds the root's own path was recorded with the mark in its place.
            let data = unsubstituted(&data, root);
            let sum: String = Sha256::digest(&data).iter().map(|b| format!("{b:02x}")).collect();
            out.push(format!("f {mode:04o} {owner} {sum} {shown}"));
        }
    }
}

fn unsubstituted(data: &[u8], root: &Path) -> Vec<u8> {
    match std::str::from_utf8(data) {
        Ok(text) => text.replace(root.to_str().unwrap(), "@R@").into_bytes(),
        Err(_) => data.to_vec(),
    }
}

/// Names as the recording machine (Debian) has them.
fn owner(meta: &fs::Metadata) -> String {
    let name = |id: u32, file: &str| {
        let text = fs::read_to_string(file).unwrap();
        let line = text.lines().find(|line| line.split(':').nth(2) == Some(&id.to_string()));
        line.map_or_else(|| id.to_string(), |line| line.split(':').next().unwrap().to_owned())
    };
    format!("{}:{}", name(meta.uid(), "/etc/passwd"), name(meta.gid(), "/etc/group"))
}
