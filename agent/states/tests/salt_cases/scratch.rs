//! The scratch root of a case: laid out from its fixture, and listed as Salt's run was.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use serde_json::Value;
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
        if entry.file_type().unwrap().is_symlink() {
            symlink(fs::read_link(entry.path()).unwrap(), to.join(name)).unwrap();
        } else if entry.file_type().unwrap().is_dir() {
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

/// A folder that stands for a machine with a few accounts, and what the case lays over it.
pub(crate) fn machine(base: &Path, folder: &Path) -> PathBuf {
    let root = base.join("host");
    // The agent's tests read this file, too.
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let places = ["tests/salt_cases/machine", "states/tests/salt_cases/machine"];
    let own = places.map(|place| package.join(place)).into_iter().find(|own| own.is_dir());
    let own = own.unwrap();
    for from in [&own, &folder.join("machine")] {
        copy(from, &root, &base.join("root"));
    }
    for secret in ["etc/shadow", "etc/gshadow"] {
        fs::set_permissions(root.join(secret), fs::Permissions::from_mode(0o640)).unwrap();
    }
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
            // What git keeps has times in it, and no two versions pack alike.
            if !path.to_string_lossy().ends_with(".git") {
                walk(root, &path, out);
            }
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

/// What the files of a machine hold, and what its folders are, with today as a mark.
pub(crate) fn kept(root: &Path, paths: &Value) -> String {
    let mut out = String::new();
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let today = format!(":{}:", since.as_secs() / 86_400);
    for path in paths.as_array().into_iter().flatten().map(|path| path.as_str().unwrap()) {
        if let Some(user) = path.strip_prefix("crontab:") {
            let tab = fs::read_to_string(root.join("var/spool/cron/crontabs").join(user));
            out.push_str(&format!("== {path}\n{}", tab.unwrap_or_default()));
            continue;
        }
        let place = root.join(path.trim_start_matches('/'));
        let Ok(meta) = fs::metadata(&place) else {
            out.push_str(&format!("== {path} is missing\n"));
            continue;
        };
        let owner = owner_of(&meta, root);
        out.push_str(&format!("== {path} {:04o} {owner}\n", meta.mode() & 0o7777));
        if meta.is_dir() {
            let entries = fs::read_dir(&place).unwrap();
            let mut names: Vec<_> =
                entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            out.extend(names.iter().map(|name| format!("{name}\n")));
        } else {
            out.push_str(&fs::read_to_string(&place).unwrap().replace(&today, ":<day>:"));
        }
    }
    out
}

/// Names as the recording machine (Debian) has them.
fn owner(meta: &fs::Metadata) -> String {
    owner_of(meta, Path::new("/"))
}

fn owner_of(meta: &fs::Metadata, root: &Path) -> String {
    let name = |id: u32, database: &str| {
        let text = fs::read_to_string(root.join("etc").join(database)).unwrap();
        let line = text.lines().find(|line| line.split(':').nth(2) == Some(&id.to_string()));
        let line = line.map_or_else(|| of_directory(id, database), str::to_owned);
        line.split(':').next().unwrap().to_owned()
    };
    format!("{}:{}", name(meta.uid(), "passwd"), name(meta.gid(), "group"))
}

/// The line of a name that only the system's directory knows, or the digits.
fn of_directory(id: u32, database: &str) -> String {
    let output = Command::new("getent").args([database, &id.to_string()]).output().unwrap();
    let line = String::from_utf8(output.stdout).unwrap();
    if line.is_empty() { id.to_string() } else { line }
}
