//! Keys of apt's repositories: fetched, put where `signed-by` says, or given to apt-key.

use std::fs;
use std::path::Path;

use base64::Engine as _;

use crate::function::Context;
use crate::function::pkg::{ask, fetch, words};
use crate::host::files::{Access, make_folders, replace};

const BEGIN: &str = "-----BEGIN PGP";
/// Where a key without `signed-by` goes if there is no apt-key.
const KEYRINGS: &str = "/etc/apt/keyrings";

/// Imports the key that the state names, if it names one.
pub(super) fn import(ctx: &Context<'_>, signed_by: &str, aptkey: bool) -> Result<(), String> {
    if let Some(ids) = ctx.value("keyid").map(|_| ctx.list("keyid")) {
        let server = ctx.text("keyserver").ok_or("both keyserver and keyid options required.")?;
        return ids.iter().try_for_each(|id| receive(ctx, id, &server, signed_by, aptkey));
    }
    let (data, from) = if let Some(url) = ctx.text("key_url") {
        (
            fetch(ctx, &url)
                .map_err(|problem| format!("Error: file not found: {url}: {problem}"))?,
            url,
        )
    } else if let Some(text) = ctx.text("key_text") {
        (text.into_bytes(), "key_text".to_owned())
    } else {
        return Ok(());
    };
    if aptkey {
        return add(ctx, &data).map_err(|_| format!("Error: failed to add key from {from}"));
    }
    let name = from.rsplit('/').next().unwrap_or_default();
    let path =
        if signed_by.is_empty() { format!("{KEYRINGS}/{name}") } else { signed_by.to_owned() };
    install(ctx, &path, &data)
}

/// Puts a key into a file: as text into `.asc`, else in binary form.
fn install(ctx: &Context<'_>, path: &str, data: &[u8]) -> Result<(), String> {
    let armoured = String::from_utf8(data.to_vec()).ok().filter(|text| text.contains(BEGIN));
    let data = match armoured {
        Some(text) if !path.ends_with(".asc") => {
            dearmoured(&text).ok_or_else(|| format!("Error: Could not add key: {path}"))?
        }
        Some(_) | None => data.to_vec(),
    };
    let path = ctx.host.path(path);
    let access = Access { mode: Some(0o644), ..Access::default() };
    let folders = path.parent().map_or(Ok(()), |folder| {
        make_folders(folder, Access { mode: Some(0o755), ..Access::default() })
    });
    folders.and_then(|()| same_or_replace(ctx, &path, &data, access)).map_err(|e| e.to_string())
}

fn same_or_replace(
    ctx: &Context<'_>,
    path: &Path,
    data: &[u8],
    access: Access,
) -> std::io::Result<()> {
    if fs::read(path).is_ok_and(|old| old == data) {
        return Ok(());
    }
    replace(ctx.host, path, data, access)
}

/// The binary form of armoured keys (RFC 9580, 6.2); the checksum is left to who uses them.
fn dearmoured(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut blocks = text.split(BEGIN);
    blocks.next();
    for block in blocks {
        let body = block.split("-----END").next()?;
        let mut lines = body.lines().skip(1).skip_while(|line| line.contains(": "));
        let encoded: String =
            lines.by_ref().map(str::trim).take_while(|line| !line.starts_with('=')).collect();
        out.extend(base64::engine::general_purpose::STANDARD.decode(encoded).ok()?);
    }
    (!out.is_empty()).then_some(out)
}

fn add(ctx: &Context<'_>, data: &[u8]) -> Result<(), String> {
    let file = tempfile::NamedTempFile::new().map_err(|error| error.to_string())?;
    fs::write(file.path(), data).map_err(|error| error.to_string())?;
    let output = ask(ctx, words(&["apt-key", "add", &file.path().display().to_string()]), &[])?;
    if output.stdout.to_uppercase().starts_with("OK") { Ok(()) } else { Err(output.stderr) }
}

/// Gets a key from a key server, unless it is there.
fn receive(
    ctx: &Context<'_>,
    id: &str,
    server: &str,
    signed_by: &str,
    aptkey: bool,
) -> Result<(), String> {
    if aptkey {
        let there = ask(ctx, words(&["apt-key", "export", id]), &[])?;
        if there.stdout.starts_with(BEGIN) {
            return Ok(());
        }
        let argv = [
            "apt-key",
            "adv",
            "--batch",
            "--keyserver",
            server,
            "--logger-fd",
            "1",
            "--recv-keys",
            id,
        ];
        let output = ask(ctx, words(&argv), &[])?;
        return match output.code {
            0 => Ok(()),
            _ => Err(format!("Error: key retrieval failed: {}", output.stdout.trim_end())),
        };
    }
    let ring = ["gpg", "--batch", "--no-default-keyring", "--keyring", signed_by];
    let mut list = words(&ring);
    list.extend(words(&["--list-keys", id]));
    if ask(ctx, list, &[])?.code == 0 {
        return Ok(());
    }
    let mut argv = words(&ring);
    argv.extend(words(&["--keyserver", server, "--recv-keys", id]));
    match ask(ctx, argv, &[])?.code {
        0 => Ok(()),
        _ => Err(format!("Error: Could not add key: {id}")),
    }
}

/// Removes a key: from apt-key, or the file of `signed-by`.
pub(super) fn remove(ctx: &Context<'_>, id: &str, signed_by: &str) -> Result<(), String> {
    if !signed_by.is_empty() {
        return crate::host::files::remove(&ctx.host.path(signed_by)).map_err(|e| e.to_string());
    }
    let output = ask(ctx, words(&["apt-key", "del", id]), &[])?;
    match output.code {
        0 => Ok(()),
        _ => Err(format!("Failed to remove keyid {id}: {}", output.stderr.trim_end())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_armoured_key_is_decoded_without_its_headers_and_checksum() {
        let text = "-----BEGIN PGP PUBLIC KEY BLOCK-----\nVersion: x\n\naGVs\nbG8=\n=abcd\n\
                    -----END PGP PUBLIC KEY BLOCK-----\n";
        assert_eq!(dearmoured(text), Some(b"hello".to_vec()));
        assert_eq!(dearmoured("nothing"), None);
    }
}
