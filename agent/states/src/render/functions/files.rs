//! file, hashutil: functions that read the host's files, and on paths.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use minijinja::Error;
use minijinja::value::Value;
use sha2::{Digest, Sha256, Sha512};

use super::{Body, Call};
use crate::render::filters::path_join;
use crate::render::python::{fault, list, text};

/// Bytes that `file.read` gives to a template.
const READ_MAX: u64 = 4 << 20;

pub(super) fn find(name: &str) -> Option<Body> {
    Some(match name {
        "file.file_exists" => {
            |call| Ok(Value::from(meta(call)?.is_some_and(|meta| meta.is_file())))
        }
        "file.directory_exists" => {
            |call| Ok(Value::from(meta(call)?.is_some_and(|meta| meta.is_dir())))
        }
        "file.access" => |call| Ok(Value::from(meta(call)?.is_some())),
        "file.is_link" => |call| {
            let found = call.scope.host.lstat(&call.text(0, "path")?);
            Ok(Value::from(found.is_some_and(|meta| meta.is_symlink())))
        },
        "file.basename" => |call| {
            let path = call.text(0, "path")?;
            Ok(Value::from(path.rsplit('/').next().unwrap_or_default()))
        },
        "file.dirname" => dirname,
        "file.join" => {
            |call| Ok(Value::from(path_join(&call.args.iter().map(text).collect::<Vec<_>>())))
        }
        "file.read" => read,
        "file.readdir" => readdir,
        "hashutil.base64_b64encode" | "hashutil.base64_encodestring" => {
            |call| Ok(Value::from(STANDARD.encode(call.text(0, "instr")?)))
        }
        "hashutil.base64_b64decode" | "hashutil.base64_decodestring" => decode,
        "hashutil.digest" => digest,
        "hashutil.sha256_digest" => |call| Ok(Value::from(hex::<Sha256>(&call.text(0, "instr")?))),
        "hashutil.sha512_digest" => |call| Ok(Value::from(hex::<Sha512>(&call.text(0, "instr")?))),
        _ => return None,
    })
}

fn meta(call: &Call<'_>) -> Result<Option<std::fs::Metadata>, Error> {
    Ok(call.scope.host.stat(&call.text(0, "path")?))
}

fn dirname(call: &Call<'_>) -> Result<Value, Error> {
    let path = call.text(0, "path")?;
    Ok(Value::from(match path.rsplit_once('/') {
        Some(("", _)) => "/",
        Some((folder, _)) => folder,
        None => "",
    }))
}

fn read(call: &Call<'_>) -> Result<Value, Error> {
    let path = call.text(0, "path")?;
    let host = &call.scope.host;
    if host.stat(&path).is_some_and(|meta| meta.len() > READ_MAX) {
        return Err(fault(format!("file.read: {path} is larger than 4 MiB")));
    }
    let found = host.read_text(&path);
    found.map(Value::from).ok_or_else(|| fault(format!("file.read: cannot read {path}")))
}

fn readdir(call: &Call<'_>) -> Result<Value, Error> {
    let path = call.text(0, "path")?;
    let entries = std::fs::read_dir(call.scope.host.followed(&path));
    let entries = entries.map_err(|_| fault(format!("{path} is not a valid directory")))?;
    let mut names = vec![".".to_owned(), "..".to_owned()];
    names.extend(entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()));
    names.sort();
    Ok(list(names.into_iter().map(Value::from).collect()))
}

fn decode(call: &Call<'_>) -> Result<Value, Error> {
    let wrong = || fault("the text is not base64");
    let data = STANDARD.decode(call.text(0, "instr")?.trim()).map_err(|_| wrong())?;
    String::from_utf8(data).map(Value::from).map_err(|_| wrong())
}

fn digest(call: &Call<'_>) -> Result<Value, Error> {
    let data = call.text(0, "instr")?;
    let kind = call.arg(1, "checksum").map_or_else(|| "md5".to_owned(), |kind| text(&kind));
    match kind.as_str() {
        "md5" => Ok(Value::from(crate::hash::md5_hex(data.as_bytes()))),
        "sha256" => Ok(Value::from(hex::<Sha256>(&data))),
        "sha512" => Ok(Value::from(hex::<Sha512>(&data))),
        other => Err(fault(format!("hashutil.digest: '{other}' is not supported"))),
    }
}

fn hex<D: Digest>(data: &str) -> String {
    crate::hash::to_hex(&D::digest(data.as_bytes()))
}
