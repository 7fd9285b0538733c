//! `mount.fstab_present`, `mount.fstab_absent`: lines of fstab alone.

use super::command::{blkid, mount_listed};
use super::fstab::{self, Line, Status};
use super::{config, go, options, trimmed};
use crate::function::{Context, Plan, StateFunction};
use crate::outcome::{Changes, Outcome, change};

pub(in crate::function) struct Present;

impl StateFunction for Present {
    const MODULE: &'static str = "mount";
    const NAME: &'static str = "fstab_present";
    const TAKES: &'static [&'static str] = &[
        "fs_file",
        "fs_vfstype",
        "fs_mntops",
        "fs_freq",
        "fs_passno",
        "mount_by",
        "config",
        "mount",
        "match_on",
        "not_change",
    ];
    const NEEDS: &'static [&'static str] = &["fs_file", "fs_vfstype"];
    /// Of AIX alone.
    const TOLERATES: &'static [&'static str] = &["fs_mount"];
    type Step = ();

    fn check(ctx: &Context<'_>) -> Plan<()> {
        if ctx.test { Plan::Done(present(ctx)) } else { go() }
    }

    fn apply(ctx: &Context<'_>, (): ()) -> Outcome {
        present(ctx)
    }
}

fn present(ctx: &Context<'_>) -> Outcome {
    let (name, config) = (ctx.name(), config(ctx));
    let point = point(ctx);
    let by = ctx.text("mount_by");
    let Some(device) = converted(ctx, name, by.as_deref()) else {
        let by = by.unwrap_or_default();
        return Outcome::failed(format!("Device {name} cannot be converted to {by}"));
    };
    let opts = options(ctx, "fs_mntops");
    let opts = if opts.is_empty() { vec!["defaults".to_owned()] } else { opts };
    let kind = ctx.text("fs_vfstype").unwrap_or_default();
    let line = Line::new(&device, &point, &kind, &opts)
        .numbers(ctx.text("fs_freq"), ctx.text("fs_passno"));
    let keep = ctx.flag("not_change", false);
    let mount = ctx.flag("mount", true);
    match fstab::set(ctx, &config, &line, &ctx.list("match_on"), keep) {
        Err(problem) => Outcome::failed(problem),
        Ok(Status::Present) if ctx.test => {
            Outcome::fine(format!("{point} entry is already in {config}."))
        }
        Ok(Status::Present) => Outcome::fine(format!("{point} entry was already in {config}.")),
        Ok(Status::New) if ctx.test => {
            let mut comment = format!("{point} entry will be written in {config}.");
            if mount {
                comment.push_str(&format!("\nWill mount {name} on {point}"));
            }
            Outcome::foreseen(comment, Changes::new())
        }
        Ok(Status::Changed) if ctx.test => {
            Outcome::foreseen(format!("{point} entry will be updated in {config}."), Changes::new())
        }
        Ok(Status::Changed) => Outcome::changed(
            format!("{point} entry updated in {config}."),
            change("persist", "change"),
        ),
        Ok(Status::New) => {
            let told = format!("{point} entry added in {config}.");
            let outcome = Outcome::changed(told, change("persist", "new"));
            if mount { mounted(ctx, outcome, &point) } else { outcome }
        }
    }
}

fn mounted(ctx: &Context<'_>, outcome: Outcome, point: &str) -> Outcome {
    let told = &outcome.comment;
    match mount_listed(ctx, point) {
        Ok(()) => {
            let comment = format!("{told}\nMounted {} on {point}", ctx.name());
            Outcome { comment, ..outcome }
        }
        Err(error) => {
            let reason = error.split_once(':').map_or(error.as_str(), |(_, reason)| reason);
            let comment = format!("{told}\nError while mounting {reason}");
            Outcome { result: Some(false), comment, ..outcome }
        }
    }
}

fn point(ctx: &Context<'_>) -> String {
    trimmed(&ctx.text("fs_file").unwrap_or_default()).to_owned()
}

/// A device by the name that `mount_by` asks for: `device`, `label`, `uuid`, `partuuid`, ...
fn converted(ctx: &Context<'_>, device: &str, by: Option<&str>) -> Option<String> {
    let Some(by) = by else { return Some(device.to_owned()) };
    let tag = by.to_uppercase();
    let path = device.starts_with('/');
    if (by == "device" && path) || device.starts_with(&format!("{tag}=")) {
        return Some(device.to_owned());
    }
    let path = match path {
        true => device.to_owned(),
        false => blkid(ctx, &["-l", "-o", "device", "-t", device])?,
    };
    if by == "device" {
        return Some(path);
    }
    let value = blkid(ctx, &["-s", &tag, "-o", "value", &path])?;
    Some(format!("{tag}={value}"))
}

pub(in crate::function) struct Absent;

impl StateFunction for Absent {
    const MODULE: &'static str = "mount";
    const NAME: &'static str = "fstab_absent";
    const TAKES: &'static [&'static str] = &["fs_file", "mount_by", "config"];
    const NEEDS: &'static [&'static str] = &["fs_file"];
    /// The line's device.
    type Step = Option<String>;

    fn check(ctx: &Context<'_>) -> Plan<Option<String>> {
        let (point, config) = (point(ctx), config(ctx));
        let escaped = point.replace(' ', "\\040");
        let there = fstab::lines(ctx, &config).iter().any(|line| line.name() == escaped);
        if !there {
            let comment = format!("{point} entry is already missing in {config}.");
            let result = if ctx.test { None } else { Some(true) };
            return Plan::Done(Outcome { result, ..Outcome::fine(comment) });
        }
        let device = converted(ctx, ctx.name(), ctx.text("mount_by").as_deref());
        let comment = format!("{point} entry will be removed from {config}.");
        Plan::change(comment, Changes::new(), device)
    }

    fn apply(ctx: &Context<'_>, device: Option<String>) -> Outcome {
        let (point, config) = (point(ctx), config(ctx));
        match fstab::remove(ctx, &config, &point, device.as_deref()) {
            Ok(()) => Outcome::changed(
                format!("{point} entry removed from {config}."),
                change("persist", "removed"),
            ),
            Err(error) => Outcome::failed(error),
        }
    }
}
