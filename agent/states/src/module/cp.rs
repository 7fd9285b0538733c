//! cp: what the state tree holds, and files of the machine by absolute paths.

use std::os::unix::fs::MetadataExt;

use minijinja::Error;
use minijinja::value::Value;

use super::{Call, Function, acts, reads};
use crate::function::file::{keep, place_of};
use crate::host::command::Cancel;
use crate::host::files::{Access, make_folders, replace};
use crate::http::{self, redacted};
use crate::render::python::{dict, from_json, list, tuple_of};
use crate::tree::{BASE, Tree};

/// This module's functions.
pub(super) const ALL: &[Function] = &[
    reads("cp.get_file_str", "path saltenv=", |call| {
        let path = call.text("path");
        let found = match own(&path) {
            Some(own) => call.scope.host.read(own).ok(),
            None => fetched(call, &path)?,
        };
        let Some(found) = found else { return Ok(Value::from(false)) };
        let text = String::from_utf8(found);
        text.map(Value::from).map_err(|_| call.fail(format!("{path} is not UTF-8")))
    }),
    reads("cp.list_master", "saltenv= prefix=", |call| {
        let prefix = call.text("prefix");
        let tree = tree(call)?;
        let files = tree.paths().filter(|path| path.starts_with(&prefix));
        Ok(list(files.map(Value::from).collect()))
    }),
    reads("cp.list_master_dirs", "saltenv= prefix=", |call| {
        let (tree, prefix) = (tree(call)?, call.text("prefix"));
        let mut all: Vec<&str> = tree.paths().flat_map(folders).collect();
        all.sort_unstable();
        all.dedup();
        let kept = all.into_iter().filter(|path| path.starts_with(&prefix));
        Ok(list(kept.map(Value::from).collect()))
    }),
    reads("cp.list_states", "saltenv=", |call| {
        let mut names = crate::sls::names(&tree(call)?);
        names.sort();
        Ok(list(names.into_iter().map(Value::from).collect()))
    }),
    reads("cp.hash_file", "path saltenv=", hash_file),
    reads("cp.stat_file", "path saltenv= octal=", stat_file),
    reads("cp.cache_file", "path saltenv= source_hash= verify_ssl= use_etag=", cache_file),
    reads("cp.is_cached", "path saltenv=", |call| {
        let place = place(call);
        let there = call.scope.host.stat(&place).is_some();
        Ok(Value::from(if there { place } else { String::new() }))
    }),
    acts("cp.get_file", "path dest saltenv= makedirs= template= gzip= **kwargs", |call| {
        named(call)?;
        get_file(call, &call.text("path"), call.text("dest"), call.flag("makedirs", false))
    }),
    acts("cp.get_dir", "path dest saltenv= template= gzip= **kwargs", get_folder),
    acts("cp.get_url", "path dest= saltenv= makedirs= source_hash=", get_url),
    acts("cp.get_template", "path dest template= saltenv= makedirs= **kwargs", get_template),
    reads("cp.envs", "", |call| {
        Ok(list(call.scope.files(BASE)?.envs().map(Value::from).collect()))
    }),
];

/// The environment that a call means: that of the address, the given one, or that of the options.
fn saltenv(call: &Call<'_>) -> String {
    let path = call.text("path");
    let of_path = path.split_once("?saltenv=").map(|(_, env)| env.to_owned());
    let given = of_path.or_else(|| call.text_of("saltenv")).filter(|env| !env.is_empty());
    given.unwrap_or_else(|| call.scope.saltenv())
}

/// The state tree in the environment that a call means.
fn tree(call: &Call<'_>) -> Result<Tree, Error> {
    call.scope.files(&saltenv(call))
}

/// The path of a file of this machine, if an address is one's.
fn own(path: &str) -> Option<&str> {
    let own = path.strip_prefix("file://").unwrap_or(path);
    own.starts_with('/').then_some(own)
}

/// A path of the tree from an address: `salt://a/b?saltenv=base` is `a/b`.
fn address(path: &str) -> String {
    let path =
        path.strip_prefix("salt://").map_or(path, |path| path.trim_start_matches(['/', '|']));
    path.split("?saltenv=").next().unwrap_or(path).to_owned()
}

/// The folders that a file lies in.
fn folders(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at])
}

/// Whether a tree has a folder.
pub(super) fn has_folder(tree: &Tree, path: &str) -> bool {
    let path = path.trim_end_matches('/');
    tree.paths().any(|file| folders(file).any(|folder| folder == path))
}

fn place(call: &Call<'_>) -> String {
    place_of(&call.text("path"), &saltenv(call))
}

/// What is at an address, if anything is.
fn fetched(call: &Call<'_>, path: &str) -> Result<Option<Vec<u8>>, Error> {
    if path.starts_with("http://") || path.starts_with("https://") {
        let mut data = Vec::new();
        return match http::get(path, &mut data, &Cancel::in_force()) {
            Ok(()) => Ok(Some(data)),
            Err(error) => Err(call.fail(format!("Error: {error} reading {}", redacted(path)))),
        };
    }
    if !path.starts_with("salt://") {
        return Err(call.fail(match path.split_once("://") {
            Some((scheme, _)) => format!("{scheme}:// is not supported: {}", redacted(path)),
            None => format!("Path '{path}' is not absolute"),
        }));
    }
    let found = tree(call)?.read(&address(path)).transpose();
    found.map_err(|error| call.fail(format!("cannot read {path}: {error}")))
}

/// Keeps a copy, which a template may look at: what `file.cached` does.
fn cache_file(call: &Call<'_>) -> Result<Value, Error> {
    let path = call.text("path");
    if let Some(own) = own(&path) {
        return Ok(Value::from(own));
    }
    let Some(data) = fetched(call, &path)? else { return Ok(Value::from(false)) };
    let place = place(call);
    let host = &call.scope.host;
    // A host that is a folder is only looked at.
    if host.root().is_none() {
        keep(host, &host.path(&place), &data)
            .map_err(|error| call.fail(format!("cannot keep {path}: {error}")))?;
    }
    Ok(Value::from(place))
}

/// `template` is for the two names, which this engine has filled in with the SLS already.
fn named(call: &Call<'_>) -> Result<(), Error> {
    let open = |name: &str| call.text(name).contains("{{") || call.text(name).contains("{%");
    let asked = call.set("template").is_some_and(|engine| engine.is_true());
    if asked && (open("path") || open("dest")) {
        let words = "with a 'template' for its names is not supported: fill them in in the SLS";
        return Err(call.fail(format!("{} {words}", call.name())));
    }
    Ok(())
}

/// Copies a file of the tree; nothing is returned if it is not there.
fn get_file(call: &Call<'_>, path: &str, dest: String, makes: bool) -> Result<Value, Error> {
    let Some(data) = fetched(call, path)? else { return Ok(Value::from("")) };
    let host = &call.scope.host;
    let mut dest = dest;
    if host.stat(&dest).is_some_and(|meta| meta.is_dir()) {
        dest = format!(
            "{}/{}",
            dest.trim_end_matches('/'),
            address(path).rsplit('/').next().unwrap_or("")
        );
    }
    let target = host.followed(&dest);
    if let Some(folder) = target.parent().filter(|folder| !folder.is_dir()) {
        if !makes {
            return Ok(Value::from(false));
        }
        make_folders(folder, Access::default()).map_err(|error| call.fail(error.to_string()))?;
    }
    replace(host, &target, &data, Access::default())
        .map_err(|error| call.fail(format!("cannot write {dest}: {error}")))?;
    Ok(Value::from(dest))
}

/// Copies all below a folder of the tree, and the folder with it.
fn get_folder(call: &Call<'_>) -> Result<Value, Error> {
    named(call)?;
    let (path, dest) = (address(&call.text("path")), call.text("dest"));
    let path = path.trim_end_matches('/');
    let above = path.rsplit_once('/').map_or(0, |(above, _)| above.len() + 1);
    let below = format!("{path}/");
    let tree = tree(call)?;
    let files = tree.paths().filter(|file| file.starts_with(&below));
    let put = |file: &str| {
        let target = format!("{dest}/{}", &file[above..]);
        get_file(call, &format!("salt://{file}"), target, true)
    };
    let mut out = files.map(put).collect::<Result<Vec<Value>, Error>>()?;
    out.sort();
    Ok(list(out))
}

/// Fetches what is at an address: into a place, or among what is kept.
fn get_url(call: &Call<'_>) -> Result<Value, Error> {
    let (path, dest) = (call.text("path"), call.text("dest"));
    let local = path.strip_prefix("file://").unwrap_or(&path);
    if local.starts_with('/') {
        return Ok(Value::from(local));
    }
    if call.set("dest").is_none_or(|dest| dest.as_str() == Some("")) {
        return cache_file(call);
    }
    let place = get_file(call, &path, dest, call.flag("makedirs", false))?;
    Ok(if place.is_true() { place } else { Value::from(false) })
}

/// Fills a template of the tree in.
fn get_template(call: &Call<'_>) -> Result<Value, Error> {
    let dest = call.text("dest");
    let mut args = call.given(&["template", "makedirs"]);
    args.entry("template").or_insert_with(|| "jinja".into());
    let source = match call.text("path") {
        path if path.starts_with("salt://") => {
            format!("salt://{}?saltenv={}", address(&path), saltenv(call))
        }
        path => path,
    };
    args.insert("source".to_owned(), source.into());
    // What is filled in may hold secrets: as in Salt only the owner reads it.
    args.insert("mode".to_owned(), "0600".into());
    args.insert("dir_mode".to_owned(), "0755".into());
    args.insert("context".to_owned(), call.more().into());
    let outcome = call.outcome("file.managed", &dest, args, false)?;
    if outcome.result == Some(false) {
        // What went wrong may hold what was filled in: the log has nothing of it.
        tracing::warn!(function = call.name(), "a template could not be filled in");
        return Ok(Value::from(""));
    }
    Ok(Value::from(dest))
}

fn hash_file(call: &Call<'_>) -> Result<Value, Error> {
    let path = call.text("path");
    let data = if path.starts_with("salt://") {
        let Some(data) = tree(call)?.read(&address(&path)) else { return Ok(Value::from("")) };
        data.map_err(|error| call.fail(format!("cannot read {path}: {error}")))?
    } else {
        let is_file = |path: &String| call.scope.host.stat(path).is_some_and(|m| m.is_file());
        let Some(own) = Some(&path).filter(|path| path.starts_with('/')).filter(|p| is_file(p))
        else {
            return Ok(tuple_of(vec![dict(Default::default()), Value::from(())]));
        };
        let read = call.scope.host.read(own);
        read.map_err(|error| call.fail(format!("cannot read {path}: {error}")))?
    };
    let sum = crate::hash::digest("sha256", &data).unwrap_or_default();
    Ok(from_json(&serde_json::json!({"hash_type": "sha256", "hsum": sum})))
}

fn stat_file(call: &Call<'_>) -> Result<Value, Error> {
    let path = call.text("path");
    let mode = if path.starts_with("salt://") {
        tree(call)?.mode(&address(&path))
    } else {
        let meta = Some(&path).filter(|path| path.starts_with('/'));
        meta.and_then(|path| call.scope.host.stat(path)).map(|meta| meta.mode() & 0o7777)
    };
    let Some(mode) = mode else { return Ok(Value::from(())) };
    let octal = format!("{mode:04o}");
    Ok(if call.flag("octal", true) { Value::from(octal) } else { Value::from(mode) })
}
