//! The kernel's modules: what `lsmod` lists, and what is there for the kernel that runs.

use std::fs;

use crate::function::Context;
use crate::function::fault::{self, Fault};
use crate::host::files::{below, which};

/// The names of what is loaded.
pub(super) fn loaded(ctx: &Context<'_>) -> Result<Vec<String>, Fault> {
    let program = found(ctx, "lsmod")?;
    let told = fault::ask(ctx, &[&program])?;
    let name = |line: &str| {
        let mut words = line.split_whitespace();
        let name = words.next().filter(|name| *name != "Module")?;
        words.nth(1).map(|_| name.to_owned())
    };
    Ok(told.stdout.lines().filter_map(name).collect())
}

/// Loads or removes one; the program's words if it refuses.
pub(super) fn act(
    ctx: &Context<'_>,
    program: &str,
    name: &str,
) -> Result<Result<(), String>, Fault> {
    let program = found(ctx, program)?;
    let argv: Vec<&str> = std::iter::once(&*program).chain(name.split_whitespace()).collect();
    let output = fault::act(ctx, &argv)?;
    Ok(if output.code == 0 { Ok(()) } else { Err(output.stderr.trim_end().to_owned()) })
}

/// Modules are this machine's: a host under a root prefix has none.
fn found(ctx: &Context<'_>, program: &str) -> Result<String, Fault> {
    if ctx.host.root().is_some() {
        let words = "kernel modules cannot be managed below a root prefix";
        return Err(Fault::Told(words.to_owned()));
    }
    which(ctx.host, program)
        .ok_or_else(|| Fault::Told(format!("Command '{program}' cannot be found")))
}

/// The names of what can be loaded, or is built in. Salt keeps the signs of the latter.
pub(super) fn available(ctx: &Context<'_>) -> Vec<String> {
    let release = nix::sys::utsname::uname().ok();
    let release = release.map(|name| name.release().to_string_lossy().into_owned());
    let folder = format!("/lib/modules/{}", release.unwrap_or_default());
    let listed = ctx.host.read_text(&format!("{folder}/modules.builtin")).unwrap_or_default();
    let built_in = listed.lines().filter_map(|line| line.rsplit('/').next()?.strip_suffix(".ko"));
    let mut out: Vec<String> = built_in.map(str::to_owned).collect();
    for path in below(&ctx.host.followed(&folder)).unwrap_or_default() {
        let file = fs::symlink_metadata(&path).is_ok_and(|meta| !meta.is_dir());
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if let Some(at) = name.find(".ko").filter(|_| file) {
            out.push(name[..at].replace('-', "_"));
        }
    }
    out
}
