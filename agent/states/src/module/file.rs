//! file: what is on the host's disk, and paths.

mod act;
mod contents;
mod edit;
mod find;
mod stat;

use minijinja::Error;
use minijinja::value::Value;

use super::tidy;
use super::{Call, Function, acts, reads};
use crate::render::python::{list, text};
pub(super) use find::glob_paths;

/// Those that edit a text.
pub(super) const EDITS: &[Function] = edit::ALL;

/// This module's functions.
pub(super) const ALL: &[Function] = &[
    reads("file.file_exists", "path", |call| {
        Ok(Value::from(call.scope.host.stat(&path(call)).is_some_and(|meta| meta.is_file())))
    }),
    reads("file.directory_exists", "path", |call| {
        Ok(Value::from(call.scope.host.stat(&path(call)).is_some_and(|meta| meta.is_dir())))
    }),
    reads("file.path_exists_glob", "path", |call| {
        Ok(Value::from(!find::glob_paths(&call.scope.host, &path(call)).is_empty()))
    }),
    reads("file.is_link", "path nostat=", |call| {
        Ok(Value::from(call.scope.host.lstat(&path(call)).is_some_and(|meta| meta.is_symlink())))
    }),
    reads("file.is_hardlink", "path", |call| {
        use std::os::unix::fs::MetadataExt;
        Ok(Value::from(call.scope.host.lstat(&path(call)).is_some_and(|meta| meta.nlink() > 1)))
    }),
    reads("file.is_blkdev", "name", |call| stat::is_kind(call, "block")),
    reads("file.is_chrdev", "name", |call| stat::is_kind(call, "char")),
    reads("file.is_fifo", "name", |call| stat::is_kind(call, "pipe")),
    reads("file.access", "path mode", stat::access),
    reads("file.stats", "path hash_type= follow_symlinks=", stat::stats),
    reads("file.lstat", "path", stat::lstat),
    reads("file.statvfs", "path", stat::statvfs),
    reads("file.get_mode", "path follow_symlinks=", |call| stat::field(call, "mode")),
    reads("file.get_user", "path follow_symlinks=", |call| stat::field(call, "user")),
    reads("file.get_group", "path follow_symlinks=", |call| stat::field(call, "group")),
    reads("file.get_uid", "path follow_symlinks=", |call| stat::field(call, "uid")),
    reads("file.get_gid", "path follow_symlinks=", |call| stat::field(call, "gid")),
    reads("file.uid_to_user", "uid", |call| stat::name_of(call, "uid")),
    reads("file.gid_to_group", "gid", |call| stat::name_of(call, "gid")),
    reads("file.user_to_uid", "user", |call| stat::number_of(call, "user")),
    reads("file.group_to_gid", "group", |call| stat::number_of(call, "group")),
    reads("file.readlink", "path canonicalize=", stat::readlink),
    reads("file.readdir", "path", readdir),
    reads("file.diskusage", "path", stat::disk_usage),
    reads("file.list_backups", "path limit=", |_| Ok(super::test::empty())),
    reads("file.list_backup", "path limit=", |_| Ok(super::test::empty())),
    reads("file.read", "path binary=", contents::read),
    reads("file.get_hash", "path form= chunk_size=", |call| {
        contents::hash(call, &path(call), &call.text_or("form", "sha256")).map(Value::from)
    }),
    reads("file.get_sum", "path form=", contents::sum),
    reads("file.check_hash", "path file_hash", contents::check_hash),
    reads("file.contains", "path text", contents::contains),
    reads("file.contains_regex", "path regex lchar=", contents::contains_regex),
    reads("file.contains_glob", "path glob_expr", contents::contains_glob),
    reads(
        "file.search",
        "path pattern flags= bufsize= ignore_if_missing= multiline=",
        contents::search,
    ),
    reads("file.grep", "path pattern *opts", contents::grep),
    reads("file.find", "path *args **kwargs", find::find),
    reads("file.basename", "path", |call| {
        let path = call.text("path");
        Ok(Value::from(path.rsplit('/').next().unwrap_or_default()))
    }),
    reads("file.dirname", "path", |call| Ok(Value::from(tidy::folder(&call.text("path"))))),
    reads("file.join", "*args", |call| {
        Ok(Value::from(tidy::join(&call.rest().iter().map(text).collect::<Vec<_>>())))
    }),
    reads("file.normpath", "path", |call| Ok(Value::from(tidy::normal(&call.text("path"))))),
    reads("file.pardir", "", |_| Ok(Value::from(".."))),
    acts("file.touch", "name atime= mtime=", act::touch),
    acts("file.write", "path *args **kwargs", act::write),
    acts("file.append", "path *args **kwargs", act::append),
    acts("file.truncate", "path length", act::truncate),
    acts("file.remove", "path **kwargs", act::remove),
    acts("file.rmdir", "path recurse= verbose= older_than=", act::rmdir),
    acts("file.rename", "src dst", act::rename),
    acts("file.move", "src dst disallow_copy_and_unlink=", act::shift),
    acts("file.copy", "src dst recurse= remove_existing=", act::copy),
    acts("file.link", "src path", act::link),
    acts("file.symlink", "src path force= atomic= follow_symlinks=", act::symlink),
    acts("file.mkdir", "dir_path user= group= mode=", act::mkdir),
    acts("file.makedirs", "path user= group= mode=", act::make_parents),
    acts("file.set_mode", "path mode", act::set_mode),
    acts("file.chown", "path user group", act::chown),
    acts("file.lchown", "path user group", act::chown),
    acts("file.chgrp", "path group", act::chown),
];

/// The path argument, `~` expanded.
fn path(call: &Call<'_>) -> String {
    expanded(&call.value("path").map_or_else(|| call.text("name"), |path| text(&path)))
}

/// A path with the home folder in place of `~`.
pub(crate) fn expanded(path: &str) -> String {
    match path.strip_prefix('~') {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => {
            let home = std::env::var("HOME").unwrap_or_else(|_| "/root".to_owned());
            format!("{}{rest}", home.trim_end_matches('/'))
        }
        Some(_) | None => path.to_owned(),
    }
}

/// Python's words for an error of the system.
pub(super) fn os_error(error: &std::io::Error, path: &str) -> String {
    match error.raw_os_error() {
        Some(number) => {
            let words = nix::errno::Errno::from_raw(number).desc();
            format!("[Errno {number}] {words}: '{path}'")
        }
        None => format!("{error}: '{path}'"),
    }
}

/// Refuses a path that does not start at the root.
fn absolute(call: &Call<'_>, path: &str, words: &str) -> Result<(), Error> {
    if path.starts_with('/') { Ok(()) } else { Err(call.invalid(words)) }
}

fn readdir(call: &Call<'_>) -> Result<Value, Error> {
    let path = path(call);
    absolute(call, &path, "Dir path must be absolute.")?;
    let invalid = || call.fail(format!("A valid directory was not specified: {path}"));
    let entries = std::fs::read_dir(call.scope.host.followed(&path)).map_err(|_| invalid())?;
    let mut names: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    // Python leaves the order to the file system; this one is the same everywhere.
    names.sort();
    let all = [".".to_owned(), "..".to_owned()].into_iter().chain(names);
    Ok(list(all.map(Value::from).collect()))
}
