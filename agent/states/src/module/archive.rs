//! archive: packing and unpacking by the system's programs, for `module.run`.

use minijinja::Error;
use minijinja::value::Value;

use super::file::glob_paths;
use super::merge::is_list;
use super::pillar::texts;
use super::service::is_machine;
use super::{Call, Function, acts, tidy};
use crate::host::command::{Cancel, Exec, Output, run};
use crate::host::files;
use crate::render::python::{list, text};

/// Names that `trim_output: True` keeps.
const TRIMMED: usize = 100;

/// This module's functions.
pub(super) const ALL: &[Function] = &[
    acts("archive.tar", "options tarfile sources= dest= cwd= template= runas=", tar),
    acts("archive.gzip", "sourcefile template= runas= options=", |call| {
        zipped(call, "gzip", "sourcefile")
    }),
    acts("archive.gunzip", "gzipfile template= runas= options=", |call| {
        zipped(call, "gunzip", "gzipfile")
    }),
    acts("archive.cmd_zip", "zip_file sources template= cwd= runas=", cmd_zip),
    acts("archive.zip", "zip_file sources template= cwd= runas= zip64=", zip),
    acts(
        "archive.cmd_unzip",
        "zip_file dest excludes= options= template= runas= trim_output= password=",
        cmd_unzip,
    ),
    acts(
        "archive.unzip",
        "zip_file dest excludes= options= template= runas= trim_output= password= extract_perms=",
        unzip,
    ),
];

/// Whether this engine can do what is asked for.
fn can(call: &Call<'_>) -> Result<(), Error> {
    is_machine(call)?;
    if call.set("template").is_some_and(|engine| engine.is_true()) {
        return Err(call.fail(format!("{} with 'template' is not supported", call.name())));
    }
    Ok(())
}

fn ran(call: &Call<'_>, argv: Vec<String>) -> Result<Output, Error> {
    can(call)?;
    let word = |name: &str| call.text_of(name).filter(|word| !word.is_empty());
    let exec = Exec {
        argv,
        cwd: word("cwd"),
        runas: word("runas"),
        merge_stderr: true,
        ..Exec::default()
    };
    let ran = run(&call.scope.host, &exec, &Cancel::in_force());
    let output = ran.map_err(|error| call.fail(error.to_string()))?;
    call.set_retcode(output.code);
    Ok(output)
}

fn lines(output: &Output) -> Value {
    list(output.stdout.trim_end().lines().map(Value::from).collect())
}

/// A list, or names between commas; of what has signs of a pattern, the paths that it matches.
fn paths(call: &Call<'_>, name: &str) -> Vec<String> {
    let Some(value) = call.set(name).filter(Value::is_true) else { return Vec::new() };
    let names = if is_list(&value) {
        texts(&value)
    } else {
        text(&value).split(',').map(|name| name.trim().to_owned()).collect()
    };
    let expanded = |name: String| {
        let found = glob_paths(&call.scope.host, &name);
        if found.is_empty() { vec![name] } else { found }
    };
    names.into_iter().flat_map(expanded).collect()
}

fn options(call: &Call<'_>) -> Result<Vec<String>, Error> {
    tidy::words(&call.text_or("options", "")).ok_or_else(|| call.fail("No closing quotation"))
}

fn tar(call: &Call<'_>) -> Result<Value, Error> {
    if call.text("options").is_empty() {
        return Err(call.invalid("Tar options can not be empty"));
    }
    let mut argv = vec!["tar".to_owned()];
    argv.extend(options(call)?);
    argv.push(call.text("tarfile"));
    if let Some(dest) = call.text_of("dest").filter(|dest| !dest.is_empty()) {
        argv.extend(["-C".to_owned(), dest]);
    }
    argv.extend(paths(call, "sources"));
    ran(call, argv).map(|output| lines(&output))
}

fn zipped(call: &Call<'_>, program: &str, file: &str) -> Result<Value, Error> {
    let mut argv = vec![program.to_owned()];
    argv.extend(call.text_of("options").filter(|options| !options.is_empty()));
    argv.push(call.text(file));
    ran(call, argv).map(|output| lines(&output))
}

fn cmd_zip(call: &Call<'_>) -> Result<Value, Error> {
    let mut argv = vec!["zip".to_owned(), "-r".to_owned(), call.text("zip_file")];
    argv.extend(paths(call, "sources"));
    ran(call, argv).map(|output| lines(&output))
}

/// As Salt's own packer: begins anew, takes paths below the folder, tells of what it took.
fn zip(call: &Call<'_>) -> Result<Value, Error> {
    can(call)?;
    let (sources, cwd) = (paths(call, "sources"), call.text_or("cwd", ""));
    if cwd.is_empty() && sources.iter().any(|source| !source.starts_with('/')) {
        return Err(call.invalid("Relative paths require the 'cwd' parameter"));
    }
    if !cwd.is_empty() && !cwd.starts_with('/') {
        return Err(call.invalid("cwd must be absolute"));
    }
    let failed = |reason: &dyn std::fmt::Display| {
        call.fail(format!("Exception encountered creating zipfile: {reason}"))
    };
    let (host, file) = (&call.scope.host, call.text("zip_file"));
    let target = std::path::absolute(&file).map_err(|error| failed(&error))?;
    let target = host.followed(&target.to_string_lossy());
    let folder = target.parent().filter(|_| target.is_file() || !target.exists());
    let folder = folder.ok_or_else(|| failed(&format!("'{file}' is no regular file")))?;
    host.makes_temp_in(folder);
    let mut name = tempfile::Builder::new();
    // A name alone: zip would add to what is there. What it leaves there goes in any case.
    let made = name.prefix(files::TEMPORARY).suffix(".zip").make_in(folder, |_| Ok(()));
    let made = made.map_err(|error| failed(&error))?;
    let below = format!("{}/", cwd.trim_end_matches('/'));
    let made_name = made.path().to_string_lossy().into_owned();
    let mut argv = ["zip", "-r", &made_name, "--"].map(str::to_owned).to_vec();
    argv.extend(sources.iter().map(|path| path.strip_prefix(&below).unwrap_or(path).to_owned()));
    let output = ran(call, argv)?;
    if output.code != 0 {
        return Err(failed(&output.stdout.trim_end()));
    }
    files::put(host, made.path(), &target).map_err(|error| failed(&error))?;
    let name =
        |line: &str| line.trim().strip_prefix("adding: ")?.split(" (").next().map(Value::from);
    Ok(list(output.stdout.lines().filter_map(name).collect()))
}

fn cmd_unzip(call: &Call<'_>) -> Result<Value, Error> {
    let password = call.text_of("password").filter(|password| !password.is_empty());
    let mut more = password.map(|word| vec!["-P".to_owned(), word]).unwrap_or_default();
    more.extend(options(call)?);
    let output = unpacked(call, more)?;
    if output.code != 0 {
        return Err(call.fail(output.stdout.trim_end()));
    }
    Ok(trimmed(call, output.stdout.trim_end().lines().collect()))
}

/// As Salt's own unpacker: what is there is overwritten without a question; no options.
fn unzip(call: &Call<'_>) -> Result<Value, Error> {
    if call.set("password").is_some_and(|password| password.is_true()) {
        return Err(call.fail(
            "archive.unzip with 'password' is not supported: the list of processes would show it \
             (as it does with archive.cmd_unzip)",
        ));
    }
    let output = unpacked(call, vec!["-o".to_owned()])?;
    if output.code != 0 {
        let told = output.stdout.trim_end();
        return Err(call.fail(format!("Exception encountered unpacking zipfile: {told}")));
    }
    let names = ["unzip", "-Z1", &call.text("zip_file")].map(str::to_owned).to_vec();
    let (names, excludes) = (ran(call, names)?, paths(call, "excludes"));
    let names = names.stdout.lines().filter(|name| !excludes.iter().any(|out| out == name));
    Ok(trimmed(call, names.collect()))
}

/// Runs unzip with more options.
fn unpacked(call: &Call<'_>, more: Vec<String>) -> Result<Output, Error> {
    let mut argv = vec!["unzip".to_owned()];
    argv.extend(more);
    argv.extend([call.text("zip_file"), "-d".to_owned(), call.text("dest")]);
    let excludes = paths(call, "excludes");
    if !excludes.is_empty() {
        argv.push("-x".to_owned());
        argv.extend(excludes);
    }
    ran(call, argv)
}

/// As many of the names as `trim_output` asks for, and a last line that tells of a cut.
fn trimmed(call: &Call<'_>, mut names: Vec<&str>) -> Value {
    let most = match call.set("trim_output") {
        Some(most) if most.is_integer() => most.as_usize().unwrap_or(TRIMMED),
        Some(flag) if flag.is_true() => TRIMMED,
        Some(_) | None => usize::MAX,
    };
    let cut = (names.len() > most).then(|| format!("List trimmed after {most} files."));
    names.truncate(most);
    list(names.into_iter().chain(cut.as_deref()).map(Value::from).collect())
}
