//! file: reading files, looking for text in them, their checksums.

use std::io::Read;

use minijinja::Error;
use minijinja::value::Value;

use super::{os_error, path};
use crate::host::command::{Cancel, Exec, run};
use crate::module::{Call, cmd, tidy};
use crate::regex::python_regex;
use crate::render::python::text;
use crate::target::glob;

/// Bytes of a file that a template may see.
const READ_MAX: u64 = 4 << 20;
/// Bytes of a file that are searched; what is larger is no configuration.
const SEARCH_MAX: u64 = 64 << 20;

fn bytes(call: &Call<'_>, path: &str, max: u64) -> Result<Vec<u8>, Error> {
    let failed = |error: std::io::Error| call.raise(os_error(&error, path));
    let file = std::fs::File::open(call.scope.host.followed(path)).map_err(failed)?;
    let mut out = Vec::new();
    file.take(max + 1).read_to_end(&mut out).map_err(failed)?;
    if out.len() as u64 > max {
        return Err(call.fail(format!("{path} is larger than {} MiB", max >> 20)));
    }
    Ok(out)
}

pub(super) fn read(call: &Call<'_>) -> Result<Value, Error> {
    let data = bytes(call, &path(call), READ_MAX)?;
    if call.flag("binary", false) {
        return Ok(Value::from_bytes(data));
    }
    let reason = || call.fail(format!("{} is not UTF-8", path(call)));
    String::from_utf8(data).map(Value::from).map_err(|_| reason())
}

/// The checksum of a file by an algorithm's name.
pub(super) fn hash(call: &Call<'_>, path: &str, form: &str) -> Result<String, Error> {
    let data = bytes(call, path, u64::MAX - 1)?;
    crate::hash::digest(form, &data).ok_or_else(|| call.raise(format!("Invalid hash type: {form}")))
}

pub(super) fn sum(call: &Call<'_>) -> Result<Value, Error> {
    let path = path(call);
    if !call.scope.host.stat(&path).is_some_and(|meta| meta.is_file()) {
        return Ok(Value::from("File not found"));
    }
    hash(call, &path, &call.text_or("form", "sha256")).map(Value::from)
}

pub(super) fn check_hash(call: &Call<'_>) -> Result<Value, Error> {
    let Some(wanted) = call.must("file_hash").as_str().map(str::to_owned) else {
        return Err(call.invalid("hash must be a string"));
    };
    let cut = wanted.split_once(':').or_else(|| wanted.split_once('='));
    let (form, value) = match cut {
        Some(cut) => cut,
        None => match crate::hash::algorithm_of(&wanted) {
            Some(form) => (form, wanted.as_str()),
            None => {
                return Err(call.invalid(format!(
                    "Hash {wanted} (length: {}) could not be matched to a supported hash type. The \
                     supported hash types and lengths are: md5 (32), sha1 (40), sha224 (56), \
                     sha256 (64), sha384 (96), sha512 (128)",
                    wanted.len()
                )));
            }
        },
    };
    Ok(Value::from(hash(call, &path(call), form)? == value))
}

/// The text of a file; `None` if there is none, or it cannot be read.
fn searched(call: &Call<'_>) -> Option<String> {
    let data = bytes(call, &path(call), SEARCH_MAX).ok()?;
    Some(String::from_utf8_lossy(&data).into_owned())
}

pub(super) fn contains(call: &Call<'_>) -> Result<Value, Error> {
    let wanted = call.text("text");
    Ok(Value::from(searched(call).is_some_and(|text| text.contains(wanted.trim()))))
}

pub(super) fn contains_regex(call: &Call<'_>) -> Result<Value, Error> {
    let regex = python_regex(&call.text("regex"), false, false, false);
    let regex = regex.map_err(|error| call.fail(error.to_string()))?;
    let strip: Vec<char> = call.text("lchar").chars().collect();
    let found = searched(call).is_some_and(|text| {
        let lines = text.split_inclusive('\n').map(|line| line.trim_start_matches(&strip[..]));
        lines.into_iter().any(|line| regex.is_match(line))
    });
    Ok(Value::from(found))
}

pub(super) fn contains_glob(call: &Call<'_>) -> Result<Value, Error> {
    let pattern = call.text("glob_expr");
    Ok(Value::from(searched(call).is_some_and(|text| glob(&pattern, &text))))
}

/// Whether a pattern is found; `flags` are names of Python's `re`, or their number.
pub(super) fn search(call: &Call<'_>) -> Result<Value, Error> {
    let path = path(call);
    if !call.scope.host.stat(&path).is_some_and(|meta| meta.is_file()) {
        if call.flag("ignore_if_missing", false) {
            return Ok(Value::from(false));
        }
        return Err(call.fail(format!("File not found: {path}")));
    }
    let flags = call.set("flags");
    let names: Vec<String> = match &flags {
        None => vec!["MULTILINE".to_owned()],
        Some(value) => match value.as_i64() {
            Some(bits) => [(2, "IGNORECASE"), (8, "MULTILINE"), (16, "DOTALL")]
                .into_iter()
                .filter(|(bit, _)| bits & bit != 0)
                .map(|(_, name)| name.to_owned())
                .collect(),
            None => crate::module::pillar::texts(value).iter().map(|n| n.to_uppercase()).collect(),
        },
    };
    let has = |name: &str| {
        names.iter().any(|own| own == name || own.starts_with(&name[..1]) && own.len() == 1)
    };
    let multi = has("MULTILINE") || call.flag("multiline", false);
    let regex = python_regex(&call.text("pattern"), has("IGNORECASE"), multi, has("DOTALL"));
    let regex = regex.map_err(|error| call.fail(error.to_string()))?;
    Ok(Value::from(searched(call).is_some_and(|text| regex.is_match(&text))))
}

/// The command `grep` with its options, as Salt runs it.
pub(super) fn grep(call: &Call<'_>) -> Result<Value, Error> {
    let mut argv = vec!["grep".to_owned()];
    for option in call.rest() {
        let option = text(option);
        let words = tidy::words(&option).unwrap_or_default();
        if words.len() > 1 {
            return Err(call.invalid(format!(
                "Passing multiple command line arguments in a single string is not supported, \
                 please pass the following arguments separately: {option}"
            )));
        }
        argv.extend(words);
    }
    argv.push(call.text("pattern"));
    let path = path(call);
    let mut found = super::find::glob_paths(&call.scope.host, &path);
    if found.is_empty() {
        found.push(path);
    }
    argv.extend(found.iter().map(|path| call.scope.host.path(path).to_string_lossy().into_owned()));
    let exec = Exec { argv, timeout: Some(cmd::TIMEOUT_DEFAULT), ..Exec::default() };
    let output = run(&call.scope.host, &exec, &Cancel::in_force());
    let mut output = output.map_err(|error| call.fail(error.to_string()))?;
    output.stdout.truncate(output.stdout.trim_end().len());
    output.stderr.truncate(output.stderr.trim_end().len());
    Ok(cmd::all(&output, output.code))
}
