//! file: functions that change files, for `module.run`.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use minijinja::Error;
use minijinja::value::Value;
use serde_json::json;

use super::{absolute, expanded, os_error, path};
use crate::function::args::mode as octal;
use crate::host::files::{Access, below, make_folders, remove as remove_all, replace_keeping};
use crate::module::pillar::texts;
use crate::module::{Call, tidy};
use crate::render::python::{from_json, text};

/// The two ends of a move or a copy.
fn ends(call: &Call<'_>) -> Result<(String, String), Error> {
    let (from, to) = (expanded(&call.text("src")), expanded(&call.text("dst")));
    absolute(call, &from, "File path must be absolute.")?;
    Ok((from, to))
}

fn time(call: &Call<'_>, name: &str) -> Result<Option<SystemTime>, Error> {
    let wrong = || call.invalid("atime and mtime must be integers");
    let Some(value) = call.set(name).filter(Value::is_true) else { return Ok(None) };
    let seconds = text(&value).parse::<u64>().map_err(|_| wrong())?;
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).map(Some).ok_or_else(wrong)
}

pub(super) fn touch(call: &Call<'_>) -> Result<Value, Error> {
    let path = path(call);
    let (atime, mtime) = (time(call, "atime")?, time(call, "mtime")?);
    let failed = |error: std::io::Error| {
        let words = error.raw_os_error().map(|n| nix::errno::Errno::from_raw(n).desc().to_owned());
        call.fail(words.unwrap_or_else(|| error.to_string()))
    };
    let real = call.scope.host.followed(&path);
    let file = if real.is_dir() {
        fs::File::open(&real)
    } else {
        fs::OpenOptions::new().append(true).create(true).open(&real)
    };
    let now = SystemTime::now();
    let times =
        fs::FileTimes::new().set_accessed(atime.unwrap_or(now)).set_modified(mtime.unwrap_or(now));
    file.and_then(|file| file.set_times(times)).map_err(failed)?;
    Ok(Value::from(true))
}

/// The lines that `append`, `prepend` and `write` are given.
pub(super) fn lines(call: &Call<'_>) -> Vec<String> {
    match call.others().find(|(name, _)| *name == "args") {
        Some((_, given)) => texts(given),
        None => call.rest().iter().map(text).collect(),
    }
}

/// Puts a file's contents into place; its owner and mode stay.
pub(super) fn put(call: &Call<'_>, path: &str, data: &[u8]) -> Result<(), Error> {
    let real = call.scope.host.followed(path);
    let old = fs::metadata(&real).map(|meta| Access::of(&meta)).unwrap_or_default();
    replace_keeping(&call.scope.host, &real, data, Access::default(), old)
        .map_err(|error| call.fail(os_error(&error, path)))
}

pub(super) fn write(call: &Call<'_>) -> Result<Value, Error> {
    let (path, lines) = (path(call), lines(call));
    let data: String = lines.iter().map(|line| format!("{line}\n")).collect();
    put(call, &path, data.as_bytes())?;
    Ok(Value::from(format!("Wrote {} lines to \"{path}\"", lines.len())))
}

pub(super) fn append(call: &Call<'_>) -> Result<Value, Error> {
    let (path, lines) = (path(call), lines(call));
    let old = fs::read_to_string(call.scope.host.followed(&path));
    let mut data = old.map_err(|error| call.fail(os_error(&error, &path)))?;
    if !data.is_empty() && !data.ends_with('\n') {
        data.push('\n');
    }
    data.extend(lines.iter().map(|line| format!("{line}\n")));
    put(call, &path, data.as_bytes())?;
    Ok(Value::from(format!("Wrote {} lines to \"{path}\"", lines.len())))
}

pub(super) fn truncate(call: &Call<'_>) -> Result<Value, Error> {
    let path = path(call);
    let length = u64::try_from(call.number("length")?.unwrap_or(0)).unwrap_or_default();
    let file = fs::OpenOptions::new().write(true).open(call.scope.host.followed(&path));
    file.and_then(|file| file.set_len(length))
        .map_err(|error| call.fail(os_error(&error, &path)))?;
    Ok(Value::from(()))
}

pub(super) fn remove(call: &Call<'_>) -> Result<Value, Error> {
    let path = path(call);
    absolute(call, &path, &format!("File path must be absolute: {path}"))?;
    match remove_all(&call.scope.host.path(&path)) {
        Ok(()) => Ok(Value::from(true)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Value::from(false)),
        Err(error) => {
            Err(call.fail(format!("Could not remove '{path}': {}", os_error(&error, &path))))
        }
    }
}

/// Removes an empty folder, or with `recurse` the empty ones below it too.
pub(super) fn rmdir(call: &Call<'_>) -> Result<Value, Error> {
    let path = path(call);
    absolute(call, &path, "File path must be absolute.")?;
    let real = call.scope.host.followed(&path);
    if !real.is_dir() {
        return Err(call.fail(format!("A valid directory was not specified: {path}")));
    }
    let days = call.number("older_than")?.filter(|days| *days > 0);
    let limit = days.and_then(|days| {
        SystemTime::now().checked_sub(Duration::from_secs(u64::try_from(days).ok()? * 86_400))
    });
    let old = |path: &Path| {
        let changed = fs::metadata(path).and_then(|meta| meta.modified());
        limit.is_none_or(|limit| changed.is_ok_and(|changed| changed < limit))
    };
    let recurse = call.flag("recurse", false);
    let (mut deleted, mut errors) = (Vec::new(), Vec::new());
    let mut folders = vec![real.clone()];
    if recurse {
        let inner = below(&real).unwrap_or_default();
        folders.extend(inner.into_iter().filter(|path| path.is_dir() && !path.is_symlink()));
    }
    let mut gone = false;
    for folder in folders.iter().rev().filter(|folder| old(folder)) {
        let shown = folder.to_string_lossy().into_owned();
        match fs::remove_dir(folder) {
            Ok(()) => {
                gone |= *folder == real;
                deleted.push(shown);
            }
            Err(error) => errors.push(json!([shown, os_error(&error, &shown)])),
        }
    }
    let result = if limit.is_some() {
        errors.is_empty() && (recurse || gone)
    } else {
        gone && errors.is_empty()
    };
    Ok(if call.flag("verbose", false) {
        from_json(&json!({"deleted": deleted, "errors": errors, "result": result}))
    } else {
        Value::from(result)
    })
}

pub(super) fn rename(call: &Call<'_>) -> Result<Value, Error> {
    let (from, to) = ends(call)?;
    let host = &call.scope.host;
    fs::rename(host.path(&from), host.path(&to))
        .map_err(|_| call.fail(format!("Could not rename '{from}' to '{to}'")))?;
    Ok(Value::from(true))
}

/// `file.move`: as `mv`, also between file systems and into a folder.
pub(super) fn shift(call: &Call<'_>) -> Result<Value, Error> {
    if call.flag("disallow_copy_and_unlink", false) {
        return rename(call);
    }
    let (from, to) = (expanded(&call.text("src")), expanded(&call.text("dst")));
    absolute(call, &from, "Source path must be absolute.")?;
    absolute(call, &to, "Destination path must be absolute.")?;
    let host = &call.scope.host;
    let source = host.path(&from);
    let mut target = host.path(&to);
    if target.is_dir() {
        target = target.join(source.file_name().unwrap_or_default());
    }
    let failed = |error: std::io::Error| {
        call.fail(format!("Unable to move '{from}' to '{to}': {}", os_error(&error, &from)))
    };
    match fs::rename(&source, &target) {
        Err(error) if error.kind() == ErrorKind::CrossesDevices => {
            copy_tree(&source, &target).and_then(|()| remove_all(&source)).map_err(failed)?;
        }
        other => other.map_err(failed)?,
    }
    Ok(from_json(&json!({"result": true, "comment": format!("'{from}' moved to '{to}'")})))
}

pub(super) fn copy(call: &Call<'_>) -> Result<Value, Error> {
    let (from, to) = ends(call)?;
    let host = &call.scope.host;
    let (source, target) = (host.followed(&from), host.followed(&to));
    if !source.exists() {
        return Err(call.fail(format!("No such file or directory '{from}'")));
    }
    let failed = |_| call.fail(format!("Could not copy '{from}' to '{to}'"));
    if target.is_dir() || source.is_dir() {
        if !call.flag("recurse", false) {
            let words = "Cannot copy overwriting a directory without recurse flag set to true!";
            return Err(call.invalid(words));
        }
        if call.flag("remove_existing", false) && target.exists() {
            remove_all(&target).map_err(failed)?;
        }
        copy_tree(&source, &target).map_err(failed)?;
    } else {
        copy_tree(&source, &target).map_err(failed)?;
    }
    Ok(Value::from(true))
}

/// Copies a file, a link or a folder with its modes and owners.
fn copy_tree(source: &Path, target: &Path) -> std::io::Result<()> {
    let meta = fs::symlink_metadata(source)?;
    if meta.is_symlink() {
        return std::os::unix::fs::symlink(fs::read_link(source)?, target);
    }
    if meta.is_dir() {
        make_folders(target, Access::of(&meta))?;
        for entry in fs::read_dir(source)? {
            let name = entry?.file_name();
            copy_tree(&source.join(&name), &target.join(&name))?;
        }
        return Ok(());
    }
    fs::copy(source, target)?;
    std::os::unix::fs::chown(target, Some(meta.uid()), Some(meta.gid()))?;
    fs::set_permissions(target, meta.permissions())
}

pub(super) fn link(call: &Call<'_>) -> Result<Value, Error> {
    let (from, to) = (expanded(&call.text("src")), call.text("path"));
    absolute(call, &from, "File path must be absolute.")?;
    let host = &call.scope.host;
    fs::hard_link(host.path(&from), host.path(&to)).map_err(|error| {
        call.fail(format!("Could not create '{to}': {} -> '{to}'", os_error(&error, &from)))
    })?;
    Ok(Value::from(true))
}

pub(super) fn symlink(call: &Call<'_>) -> Result<Value, Error> {
    let (from, to) = (call.text("src"), path(call));
    absolute(call, &to, &format!("Link path must be absolute: {to}"))?;
    let (force, atomic) = (call.flag("force", false), call.flag("atomic", false));
    let real = call.scope.host.path(&to);
    if let Ok(target) = fs::read_link(&real) {
        if tidy::normal(&target.to_string_lossy()) == tidy::normal(&from) {
            return Ok(Value::from(true));
        }
        if !force && !atomic {
            return Err(call.fail(format!("Found existing symlink: {to}")));
        }
    }
    let there = fs::symlink_metadata(&real).is_ok();
    if there && !force && !atomic {
        return Err(call.fail(format!("Existing path is not a symlink: {to}")));
    }
    let failed = |_| call.fail(format!("Could not create '{to}'"));
    if there && real.is_dir() && !real.is_symlink() {
        return Err(call.fail(format!("Could not create '{to}'")));
    }
    if there {
        fs::remove_file(&real).map_err(failed)?;
    }
    std::os::unix::fs::symlink(&from, &real).map_err(failed)?;
    Ok(Value::from(true))
}

/// Owner and mode from `user`, `group` and `mode`.
fn access(call: &Call<'_>) -> Result<Access, Error> {
    let accounts = call.scope.host.accounts();
    let mode = call.text_of("mode").map(|mode| {
        octal(&mode).ok_or_else(|| call.fail(format!("the mode '{mode}' is not octal")))
    });
    let uid = call
        .text_of("user")
        .filter(|user| !user.is_empty())
        .map(|user| accounts.uid(&user).ok_or_else(|| call.fail("User does not exist\n")));
    let gid = call
        .text_of("group")
        .filter(|group| !group.is_empty())
        .map(|group| accounts.gid(&group).ok_or_else(|| call.fail("Group does not exist\n")));
    Ok(Access { uid: uid.transpose()?, gid: gid.transpose()?, mode: mode.transpose()? })
}

pub(super) fn mkdir(call: &Call<'_>) -> Result<Value, Error> {
    let path = tidy::normal(&expanded(&call.text("dir_path")));
    make_folders(&call.scope.host.followed(&path), access(call)?)
        .map_err(|error| call.fail(os_error(&error, &path)))?;
    Ok(Value::from(true))
}

/// `file.makedirs`: the folders above a path.
pub(super) fn make_parents(call: &Call<'_>) -> Result<Value, Error> {
    let folder = tidy::normal(&tidy::folder(&path(call)));
    let real = call.scope.host.followed(&folder);
    if real.is_dir() {
        return Ok(Value::from(format!("Directory '{folder}' already exists")));
    }
    if real.exists() {
        let words = format!("The path '{folder}' already exists and is not a directory");
        return Ok(Value::from(words));
    }
    absolute(call, &folder, "Recursive creation would not end. Please use an absolute path.")?;
    make_folders(&real, access(call)?).map_err(|error| call.fail(os_error(&error, &folder)))?;
    Ok(Value::from(()))
}

pub(super) fn set_mode(call: &Call<'_>) -> Result<Value, Error> {
    let path = path(call);
    let given = call.text("mode");
    if given.is_empty() {
        return Ok(Value::from("Invalid mode"));
    }
    let real = call.scope.host.followed(&path);
    if !real.exists() {
        return Err(call.fail(format!("{path}: File not found")));
    }
    let set = |mode: &u32| fs::set_permissions(&real, fs::Permissions::from_mode(*mode)).is_ok();
    Ok(Value::from(match octal(&given).filter(set) {
        Some(mode) => format!("{mode:04o}"),
        None => format!("Invalid Mode {given}"),
    }))
}

/// `chown`, `lchown` and `chgrp`; a name that is unknown is told, as Salt tells it.
pub(super) fn chown(call: &Call<'_>) -> Result<Value, Error> {
    let path = path(call);
    let accounts = call.scope.host.accounts();
    let mut problems = String::new();
    let mut id = |name: &str, find: &dyn Fn(&str) -> Option<u32>, words: &str| {
        let given = call.text_of(name).filter(|given| !given.is_empty())?;
        let found = find(&given);
        if found.is_none() {
            problems.push_str(words);
        }
        found
    };
    let uid = id("user", &|name| accounts.uid(name), "User does not exist\n");
    let gid = id("group", &|name| accounts.gid(name), "Group does not exist\n");
    let linked = call.name() == "file.lchown";
    let host = &call.scope.host;
    let real = if linked { host.path(&path) } else { host.followed(&path) };
    if fs::symlink_metadata(&real).is_err() {
        problems.push_str("File not found");
    }
    if !problems.is_empty() {
        return Ok(Value::from(problems));
    }
    std::os::unix::fs::lchown(&real, uid, gid)
        .map_err(|error| call.fail(os_error(&error, &path)))?;
    Ok(Value::from(()))
}
