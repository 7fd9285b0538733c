//! The checksum of an archive as it was when it was last unpacked, kept on the host.

use std::path::Path;

use crate::function::Context;
use crate::hash;
use crate::host::files::{Access, make_folders, replace};

/// Where checksums are kept, each in a file of its source's name.
const FOLDER: &str = "/var/cache/muster/archives";

/// The checksum of a file.
pub(super) fn of(path: &Path) -> Option<String> {
    hash::digest("sha256", &std::fs::read(path).ok()?)
}

fn place(source: &str) -> String {
    let name = hash::digest("sha256", source.as_bytes()).unwrap_or_default();
    format!("{FOLDER}/{name}")
}

/// The checksum that was kept for a source.
pub(super) fn read(ctx: &Context<'_>, source: &str) -> Option<String> {
    ctx.host.read_text(&place(source)).map(|text| text.trim().to_owned())
}

/// Keeps a source's checksum.
pub(super) fn keep(ctx: &Context<'_>, source: &str, sum: &str) -> std::io::Result<()> {
    make_folders(&ctx.host.followed(FOLDER), Access { mode: Some(0o700), ..Access::default() })?;
    let access = Access { mode: Some(0o600), ..Access::default() };
    replace(ctx.host, &ctx.host.path(&place(source)), format!("{sum}\n").as_bytes(), access)
}
