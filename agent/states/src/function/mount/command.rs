//! mount(8), umount(8), blkid(8), run for a state.

use crate::function::Context;
use crate::host::command::{Exec, run};

/// What to mount where.
pub(super) struct Request<'a> {
    pub(super) point: &'a str,
    pub(super) device: &'a str,
    pub(super) fstype: &'a str,
    pub(super) opts: &'a [String],
}

impl Request<'_> {
    /// Mounts; what mount says where it fails.
    pub(super) fn mount(&self, ctx: &Context<'_>, more: Option<&str>) -> Result<(), String> {
        let mut opts = self.opts.to_vec();
        opts.extend(more.map(str::to_owned).filter(|more| !self.opts.contains(more)));
        let target = ctx.host.followed(self.point).to_string_lossy().into_owned();
        let mut argv = vec!["mount".to_owned()];
        if !opts.is_empty() {
            argv.extend(["-o".to_owned(), opts.join(",")]);
        }
        // A device in a host's root is found there.
        let bind = self.opts.iter().any(|opt| opt == "bind" || opt == "rbind");
        let device = match self.device.starts_with('/') && (bind || ctx.host.root().is_some()) {
            true => ctx.host.followed(self.device).to_string_lossy().into_owned(),
            false => self.device.to_owned(),
        };
        argv.extend(["-t".to_owned(), self.fstype.to_owned(), device, target]);
        act(ctx, argv)
    }

    pub(super) fn remount(&self, ctx: &Context<'_>) -> Result<(), String> {
        self.mount(ctx, Some("remount"))
    }
}

/// Mounts what fstab says of a point.
pub(super) fn mount_listed(ctx: &Context<'_>, point: &str) -> Result<(), String> {
    let target = ctx.host.followed(point).to_string_lossy().into_owned();
    act(ctx, vec!["mount".to_owned(), target])
}

/// Unmounts a point or a device; lazily, when what is used there is to go on.
pub(super) fn umount(ctx: &Context<'_>, what: &str, lazy: bool) -> Result<(), String> {
    let target = match what.starts_with('/') {
        true => ctx.host.followed(what).to_string_lossy().into_owned(),
        false => what.to_owned(),
    };
    let lazy = lazy.then(|| "-l".to_owned());
    act(ctx, std::iter::once("umount".to_owned()).chain(lazy).chain([target]).collect())
}

pub(super) fn swapon(ctx: &Context<'_>, device: &str) -> Result<(), String> {
    act(ctx, vec!["swapon".to_owned(), device.to_owned()])
}

fn act(ctx: &Context<'_>, argv: Vec<String>) -> Result<(), String> {
    let exec = Exec { argv, runas: ctx.text("user"), ..Exec::default() };
    match run(ctx.host, &exec, ctx.cancel) {
        Ok(output) if output.code == 0 => Ok(()),
        Ok(output) => Err(output.stderr.trim_end().to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// The devices that carry a tag (`UUID=..`, `LABEL=..`), or the tags of a device.
pub(super) fn blkid(ctx: &Context<'_>, args: &[&str]) -> Option<String> {
    let argv = std::iter::once("blkid").chain(args.iter().copied()).map(str::to_owned).collect();
    let exec = Exec { argv, reads: true, ..Exec::default() };
    let output = run(ctx.host, &exec, ctx.cancel).ok()?;
    let text = output.stdout.trim().to_owned();
    (output.code == 0 && !text.is_empty()).then_some(text)
}
