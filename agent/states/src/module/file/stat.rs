//! file: modes, owners, times and links.

use std::os::unix::fs::{FileTypeExt, MetadataExt};

use minijinja::Error;
use minijinja::value::Value;
use serde_json::json;

use super::{absolute, contents, path};
use crate::module::Call;
use crate::render::python::{from_json, text};

/// Files that `diskusage` adds up at most.
const FILES_MAX: usize = 1_000_000;

fn kind(meta: &std::fs::Metadata) -> &'static str {
    let kind = meta.file_type();
    if kind.is_dir() {
        "dir"
    } else if kind.is_symlink() {
        "link"
    } else if kind.is_char_device() {
        "char"
    } else if kind.is_block_device() {
        "block"
    } else if kind.is_fifo() {
        "pipe"
    } else if kind.is_socket() {
        "socket"
    } else {
        "file"
    }
}

pub(super) fn is_kind(call: &Call<'_>, wanted: &str) -> Result<Value, Error> {
    let path = path(call);
    Ok(Value::from(call.scope.host.stat(&path).is_some_and(|meta| kind(&meta) == wanted)))
}

/// Metadata, of the link itself where it leads nowhere.
fn meta(call: &Call<'_>, path: &str) -> Result<std::fs::Metadata, Error> {
    let host = &call.scope.host;
    let follow = call.flag("follow_symlinks", true);
    let found = if follow { host.stat(path) } else { None };
    found.or_else(|| host.lstat(path)).ok_or_else(|| call.fail(format!("Path not found: {path}")))
}

#[allow(clippy::cast_precision_loss, reason = "Python's times are such numbers, too")]
fn seconds(whole: i64, nanos: i64) -> f64 {
    whole as f64 + nanos as f64 / 1e9
}

pub(super) fn stats(call: &Call<'_>) -> Result<Value, Error> {
    let path = path(call);
    let meta = meta(call, &path)?;
    let accounts = call.scope.host.accounts();
    let mode = meta.mode() & 0o7777;
    let follow = call.flag("follow_symlinks", true);
    let target = if follow { shown(call, &path) } else { crate::module::tidy::normal(&path) };
    let mut stats = json!({
        "inode": meta.ino(),
        "uid": meta.uid(),
        "gid": meta.gid(),
        "group": id_name(accounts.group_name(meta.gid()), meta.gid()),
        "user": id_name(accounts.user_name(meta.uid()), meta.uid()),
        "atime": seconds(meta.atime(), meta.atime_nsec()),
        "mtime": seconds(meta.mtime(), meta.mtime_nsec()),
        "ctime": seconds(meta.ctime(), meta.ctime_nsec()),
        "size": meta.size(),
        "mode": format!("{mode:04o}"),
    });
    if let Some(form) = call.text_of("hash_type").filter(|form| !form.is_empty()) {
        stats["sum"] = contents::hash(call, &path, &form)?.into();
    }
    stats["type"] = kind(&meta).into();
    stats["target"] = target.into();
    Ok(from_json(&stats))
}

/// Where a path leads, as the host sees it.
fn shown(call: &Call<'_>, path: &str) -> String {
    let host = &call.scope.host;
    let real = host.followed(path);
    let inner = host.root().and_then(|root| real.strip_prefix(root).ok());
    inner.map_or_else(
        || real.to_string_lossy().into_owned(),
        |inner| format!("/{}", inner.to_string_lossy()),
    )
}

/// A name, or the number where there is none.
fn id_name(name: String, id: u32) -> serde_json::Value {
    if name == id.to_string() { id.into() } else { name.into() }
}

pub(super) fn field(call: &Call<'_>, name: &str) -> Result<Value, Error> {
    let stats = stats(call)?;
    stats.get_item(&Value::from(name))
}

pub(super) fn lstat(call: &Call<'_>) -> Result<Value, Error> {
    let path = path(call);
    absolute(call, &path, "Path to file must be absolute.")?;
    let Some(meta) = call.scope.host.lstat(&path) else { return Ok(from_json(&json!({}))) };
    Ok(from_json(&json!({
        "st_atime": seconds(meta.atime(), meta.atime_nsec()),
        "st_ctime": seconds(meta.ctime(), meta.ctime_nsec()),
        "st_gid": meta.gid(),
        "st_mode": meta.mode(),
        "st_mtime": seconds(meta.mtime(), meta.mtime_nsec()),
        "st_nlink": meta.nlink(),
        "st_size": meta.size(),
        "st_uid": meta.uid(),
    })))
}

pub(super) fn statvfs(call: &Call<'_>) -> Result<Value, Error> {
    let path = path(call);
    absolute(call, &path, "File path must be absolute.")?;
    let found = nix::sys::statvfs::statvfs(&call.scope.host.followed(&path));
    let found = found.map_err(|_| call.fail(format!("Could not statvfs '{path}'")))?;
    Ok(from_json(&json!({
        "f_bavail": found.blocks_available(),
        "f_bfree": found.blocks_free(),
        "f_blocks": found.blocks(),
        "f_bsize": found.block_size(),
        "f_favail": found.files_available(),
        "f_ffree": found.files_free(),
        "f_files": found.files(),
        "f_flag": found.flags().bits(),
        "f_frsize": found.fragment_size(),
        "f_namemax": found.name_max(),
    })))
}

pub(super) fn access(call: &Call<'_>) -> Result<Value, Error> {
    use nix::unistd::AccessFlags;
    let path = path(call);
    absolute(call, &path, "Path to link must be absolute.")?;
    let mode = match call.text("mode").as_str() {
        "f" | "0" => AccessFlags::F_OK,
        "r" | "4" => AccessFlags::R_OK,
        "w" | "2" => AccessFlags::W_OK,
        "x" | "1" => AccessFlags::X_OK,
        _ => return Err(call.invalid("Invalid mode specified.")),
    };
    Ok(Value::from(nix::unistd::access(&call.scope.host.followed(&path), mode).is_ok()))
}

pub(super) fn readlink(call: &Call<'_>) -> Result<Value, Error> {
    let path = path(call);
    absolute(call, &path, &format!("Path to link must be absolute: {path}"))?;
    let target = std::fs::read_link(call.scope.host.path(&path));
    let target =
        target.map_err(|_| call.invalid(format!("A valid link was not specified: {path}")))?;
    if call.flag("canonicalize", false) {
        return Ok(Value::from(shown(call, &path)));
    }
    Ok(Value::from(target.to_string_lossy()))
}

pub(super) fn name_of(call: &Call<'_>, key: &str) -> Result<Value, Error> {
    let accounts = call.scope.host.accounts();
    let given = call.text(key);
    let user = key == "uid";
    let id = if user { accounts.uid(&given) } else { accounts.gid(&given) };
    let Some(id) = id else { return Ok(Value::from(if user { given } else { String::new() })) };
    let name = if user { accounts.user_name(id) } else { accounts.group_name(id) };
    Ok(from_json(&id_name(name, id)))
}

pub(super) fn number_of(call: &Call<'_>, key: &str) -> Result<Value, Error> {
    let given = call.must(key);
    if given.is_integer() {
        return Ok(given);
    }
    let accounts = call.scope.host.accounts();
    let id = match (key, text(&given)) {
        ("user", name) => accounts.user(&name).map(|user| user.uid),
        (_, name) => accounts.group(&name).map(|group| group.gid),
    };
    Ok(id.map_or_else(|| Value::from(""), Value::from))
}

/// The bytes of a file, or of all files below a folder, each once.
pub(super) fn disk_usage(call: &Call<'_>) -> Result<Value, Error> {
    let path = path(call);
    let real = call.scope.host.followed(&path);
    if real.is_file() {
        return Ok(Value::from(real.metadata().map_or(0, |meta| meta.len())));
    }
    let mut seen = std::collections::HashSet::new();
    let mut total = 0;
    let mut folders = vec![real];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() {
                folders.push(entry.path());
            } else if let Ok(meta) = std::fs::metadata(entry.path())
                && seen.len() < FILES_MAX
                && seen.insert(meta.ino())
            {
                total += meta.len();
            }
        }
    }
    Ok(Value::from(total))
}
