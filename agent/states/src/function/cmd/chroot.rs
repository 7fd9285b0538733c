//! `root`: a command inside a folder that stands for a machine, with its kernel's filesystems.

use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};

use super::{Ended, execute};
use crate::function::Context;
use crate::host::command::{CommandError, Exec};

/// What is mounted for the time of the command: below which name, and of which kind.
const MOUNTS: [(&str, &str); 3] = [("dev", "devtmpfs"), ("proc", "proc"), ("sys", "sysfs")];

/// Mounted for a while: unmounted when dropped.
struct Mounted(Vec<PathBuf>);

impl Drop for Mounted {
    fn drop(&mut self) {
        for place in self.0.iter().rev() {
            if let Err(error) = umount2(place, MntFlags::MNT_DETACH) {
                tracing::warn!(%error, place = %place.display(), "cannot unmount");
            }
        }
    }
}

/// What cannot be mounted (no such folder, no right) is left out, as Salt does.
fn mounted(root: &Path) -> Mounted {
    let places = MOUNTS.iter().filter_map(|(name, kind)| {
        let place = root.join(name);
        mount(Some(*kind), &place, Some(*kind), MsFlags::empty(), None::<&str>).ok()?;
        Some(place)
    });
    Mounted(places.collect())
}

/// Runs a line by the root's own shell, as the user that the root knows by that name.
pub(super) fn run(
    ctx: &Context<'_>,
    root: &str,
    exec: &Exec,
    line: &str,
) -> Result<Ended, CommandError> {
    let place = ctx.host.followed(root);
    let shell = if place.join("bin/bash").is_file() { "/bin/bash" } else { "/bin/sh" };
    let mut argv = vec!["chroot".to_owned()];
    if let Some(user) = ctx.text("runas") {
        argv.push("--userspec".to_owned());
        argv.push(format!("{user}:{}", exec.group.clone().unwrap_or_default()));
    }
    argv.push(place.to_string_lossy().into_owned());
    argv.extend([shell, "-c", line].map(str::to_owned));
    let exec = Exec { argv, runas: None, group: None, ..exec.clone() };
    let _mounted = mounted(&place);
    execute(ctx, &exec)
}
