//! archive: packing and unpacking by the system's programs, for `module.run`.

use minijinja::Error;
use minijinja::value::Value;

use super::file::glob_paths;
use super::merge::is_list;
use super::pillar::texts;
use super::service::is_machine;
use super::{Call, Function, acts, tidy};
use crate::host::command::{Cancel, Exec, Output, run};
use crate::render::python::{list, text};

/// This module's functions.
pub(super) const ALL: &[Function] = &[
    acts("archive.tar", "options tarfile sources= dest= cwd= template= runas=", tar),
    acts("archive.gzip", "sourcefile template= runas= options=", |call| {
        zipped(call, "gzip", "sourcefile")
    }),
    acts("archive.gunzip", "gzipfile template= runas= options=", |call| {
        zipped(call, "gunzip", "gzipfile")
    }),
    acts("archive.cmd_zip", "zip_file sources template= cwd= runas=", zip),
    acts("archive.zip", "zip_file sources template= cwd= runas= zip64=", zip),
    acts(
        "archive.cmd_unzip",
        "zip_file dest excludes= options= template= runas= trim_output= password=",
        |call| unzip(call, false),
    ),
    acts(
        "archive.unzip",
        "zip_file dest excludes= options= template= runas= trim_output= password= extract_perms=",
        // As Salt's own unpacker: what is there already is overwritten without a question.
        |call| unzip(call, true),
    ),
];

fn ran(call: &Call<'_>, argv: Vec<String>) -> Result<Output, Error> {
    is_machine(call)?;
    if call.set("template").is_some_and(|engine| engine.is_true()) {
        return Err(call.fail(format!("{} with 'template' is not supported", call.name())));
    }
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

fn zip(call: &Call<'_>) -> Result<Value, Error> {
    let (file, sources) = (call.text("zip_file"), paths(call, "sources"));
    let mut argv = vec!["zip".to_owned(), "-r".to_owned(), file.clone()];
    if call.name() == "archive.cmd_zip" {
        argv.extend(sources);
        return ran(call, argv).map(|output| lines(&output));
    }
    // Salt's own packer begins anew, takes paths below the folder and tells of the files alone.
    let cwd = call.text("cwd");
    if cwd.is_empty() && sources.iter().any(|source| !source.starts_with('/')) {
        return Err(call.invalid("Relative paths require the 'cwd' parameter"));
    }
    let below = format!("{}/", cwd.trim_end_matches('/'));
    argv.extend(sources.iter().map(|path| path.strip_prefix(&below).unwrap_or(path).to_owned()));
    match crate::host::files::remove(&call.scope.host.path(&file)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(call.fail(format!("Exception encountered creating zipfile: {error}")));
        }
        Ok(()) | Err(_) => {}
    }
    let output = ran(call, argv)?;
    if output.code != 0 {
        let told = output.stdout.trim_end();
        return Err(call.fail(format!("Exception encountered creating zipfile: {told}")));
    }
    let name =
        |line: &str| line.trim().strip_prefix("adding: ")?.split(" (").next().map(Value::from);
    Ok(list(output.stdout.lines().filter_map(name).collect()))
}

fn unzip(call: &Call<'_>, own: bool) -> Result<Value, Error> {
    let (file, excludes) = (call.text("zip_file"), paths(call, "excludes"));
    let mut argv = vec!["unzip".to_owned()];
    argv.extend(own.then(|| "-o".to_owned()));
    if let Some(password) = call.text_of("password").filter(|password| !password.is_empty()) {
        argv.extend(["-P".to_owned(), password]);
    }
    argv.extend(options(call)?);
    argv.extend([file.clone(), "-d".to_owned(), call.text("dest")]);
    if !excludes.is_empty() {
        argv.push("-x".to_owned());
        argv.extend(excludes.clone());
    }
    let output = ran(call, argv)?;
    if output.code != 0 {
        let start = if own { "Exception encountered unpacking zipfile: " } else { "" };
        return Err(call.fail(format!("{start}{}", output.stdout.trim_end())));
    }
    if !own {
        return Ok(lines(&output));
    }
    let names = ran(call, vec!["unzip".to_owned(), "-Z1".to_owned(), file])?;
    let names = names.stdout.lines().filter(|name| !excludes.iter().any(|out| out == name));
    let most = match call.set("trim_output") {
        Some(flag) if flag.is_true() => {
            flag.as_usize().filter(|_| flag.is_integer()).unwrap_or(100)
        }
        Some(_) | None => usize::MAX,
    };
    Ok(list(names.take(most).map(Value::from).collect()))
}
