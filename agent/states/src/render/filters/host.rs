//! Filters that look at the host: `which`, files, accounts.

use minijinja::Error;
use minijinja::value::Value;

use crate::host::Host;
use crate::render::jinja::args::Args;
use crate::render::python::{fault, list, text};

const NAMES: [&str; 9] = [
    "which",
    "is_empty",
    "is_text_file",
    "is_bin_file",
    "list_files",
    "file_hashsum",
    "get_uid",
    "http_query",
    "dns_check",
];
/// Bytes of a file that decide whether it is text.
const LOOK: usize = 2048;
/// Bytes of a file that `file_hashsum` reads.
const READ_MAX: u64 = 64 << 20;
/// Files that `list_files` names.
const LIST_MAX: usize = 10_000;

pub(super) fn has(name: &str) -> bool {
    NAMES.contains(&name)
}

pub(super) fn apply(host: &Host, name: &str, value: &Value, args: &Args) -> Result<Value, Error> {
    let path = text(value);
    Ok(match name {
        "which" => which(host, &path).map_or_else(|| Value::from(()), Value::from),
        "is_empty" => Value::from(host.stat(&path).is_some_and(|meta| meta.len() == 0)),
        "is_text_file" => {
            Value::from(start(host, &path, 512).is_some_and(|data| !is_binary(&data)))
        }
        "is_bin_file" => {
            let file = host.stat(&path).is_some_and(|meta| meta.is_file());
            let binary = || start(host, &path, LOOK).is_some_and(|data| is_binary(&data));
            Value::from(file && binary())
        }
        "list_files" => {
            let mut out = vec![Value::from(path.as_str())];
            walk(host, &path, &mut out, 0);
            list(out)
        }
        "file_hashsum" => {
            let form = args.text_or(0, "form", "sha256");
            if host.stat(&path).is_some_and(|meta| meta.len() > READ_MAX) {
                return Err(fault(format!("{path} is larger than 64 MiB")));
            }
            let data = std::fs::read(host.followed(&path));
            let data = data.map_err(|_| fault(format!("cannot read {path}")))?;
            let found = crate::hash::digest(&form, &data);
            Value::from(found.ok_or_else(|| fault(format!("Invalid hash type: {form}")))?)
        }
        "get_uid" => {
            let user = host.accounts().user(&path).map(|user| user.uid);
            user.map_or_else(|| Value::from(()), Value::from)
        }
        other => {
            return Err(fault(format!(
                "the filter '{other}' is not supported: a template asks no network"
            )));
        }
    })
}

fn which(host: &Host, name: &str) -> Option<String> {
    use std::os::unix::fs::PermissionsExt;
    let runs = |path: &str| {
        let meta = host.stat(path);
        meta.is_some_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    if name.is_empty() {
        return None;
    }
    if name.contains('/') {
        return runs(name).then(|| name.to_owned());
    }
    let folders = std::env::var("PATH").unwrap_or_default();
    let usual = ["/sbin", "/bin", "/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"];
    let folders = folders.split(':').chain(usual).filter(|folder| !folder.is_empty());
    folders.map(|folder| format!("{folder}/{name}")).find(|path| runs(path))
}

fn start(host: &Host, path: &str, most: usize) -> Option<Vec<u8>> {
    use std::io::Read;
    let file = std::fs::File::open(host.followed(path)).ok()?;
    let mut data = Vec::new();
    file.take(u64::try_from(most).ok()?).read_to_end(&mut data).ok()?;
    Some(data)
}

/// Salt's rule: a zero byte, or more than three tenths of unusual bytes.
fn is_binary(data: &[u8]) -> bool {
    let usual = |byte: u8| matches!(byte, 7..=13 | 27 | 0x20..=0xff) && byte != 127 || byte > 127;
    if data.is_empty() {
        return false;
    }
    if data.contains(&0) {
        return true;
    }
    if std::str::from_utf8(data).is_ok() {
        return false;
    }
    let odd = data.iter().filter(|byte| !usual(**byte)).count();
    odd * 10 > data.len() * 3
}

fn walk(host: &Host, folder: &str, out: &mut Vec<Value>, depth: usize) {
    let Ok(entries) = std::fs::read_dir(host.followed(folder)) else { return };
    for entry in entries.flatten() {
        if out.len() >= LIST_MAX || depth > 32 {
            return;
        }
        let Ok(name) = entry.file_name().into_string() else { continue };
        let path = format!("{}/{name}", folder.trim_end_matches('/'));
        out.push(Value::from(path.as_str()));
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            walk(host, &path, out, depth + 1);
        }
    }
}
