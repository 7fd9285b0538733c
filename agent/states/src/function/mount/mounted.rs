//! `mount.mounted`: mounted with the wanted options, and written into fstab.

use serde_json::Value;

use super::active::{Active, Mount};
use super::command::{Request, blkid, umount};
use super::fstab::{self, Line, Status};
use super::options::in_kib;
use super::{also, config, go, options, settled, trimmed};
use crate::function::{Context, Plan, StateFunction};
use crate::host::files::{Access, make_folders, set_access};
use crate::outcome::Outcome;

pub(in crate::function) struct Mounted;

impl StateFunction for Mounted {
    const MODULE: &'static str = "mount";
    const NAME: &'static str = "mounted";
    const TAKES: &'static [&'static str] = &[
        "device",
        "fstype",
        "mkmnt",
        "opts",
        "dump",
        "pass_num",
        "config",
        "persist",
        "mount",
        "user",
        "match_on",
        "device_name_regex",
        "extra_mount_invisible_options",
        "extra_mount_invisible_keys",
        "extra_mount_ignore_fs_keys",
        "extra_mount_translate_options",
        "hidden_opts",
        "bind_mount_copy_active_opts",
    ];
    const NEEDS: &'static [&'static str] = &["device", "fstype"];
    const WATCHES: bool = true;
    type Step = ();

    fn check(ctx: &Context<'_>) -> Plan<()> {
        for key in ["device", "fstype"] {
            if ctx.text(key).is_none_or(|text| text.is_empty()) {
                return Plan::failed(format!("Must provide {key} to mount.mounted"));
            }
        }
        // Of one that is only to be written into fstab a dry run has words of its own.
        if ctx.test || ctx.flag("mount", true) { settled(ctx, mounted) } else { go() }
    }

    fn apply(ctx: &Context<'_>, (): ()) -> Outcome {
        mounted(ctx)
    }

    fn watch(ctx: &Context<'_>) -> Outcome {
        let name = ctx.name();
        let want = Want::of(ctx);
        if ctx.test {
            let comment = format!("{name} would be remounted");
            return Outcome::foreseen(comment, [].into_iter().collect());
        }
        match want.request().remount(ctx) {
            Ok(()) => Outcome::fine(format!("{name} remounted")),
            Err(error) => Outcome::failed(format!("{name} failed to remount: {error}")),
        }
    }
}

/// What a state asks for.
struct Want {
    name: String,
    device: String,
    fstype: String,
    opts: Vec<String>,
    /// Where the point really lies.
    point: String,
}

impl Want {
    fn of(ctx: &Context<'_>) -> Want {
        let name = trimmed(ctx.name()).to_owned();
        let opts = options(ctx, "opts");
        Want {
            device: ctx.text("device").unwrap_or_default(),
            fstype: ctx.text("fstype").unwrap_or_default(),
            opts: if opts.is_empty() { vec!["defaults".to_owned()] } else { opts },
            point: real(ctx, &name),
            name,
        }
    }

    fn request(&self) -> Request<'_> {
        let Want { device, fstype, opts, point, .. } = self;
        Request { point, device, fstype, opts }
    }
}

/// A path of the host with its links followed.
fn real(ctx: &Context<'_>, path: &str) -> String {
    let place = ctx.host.followed(path);
    match ctx.host.root() {
        None => place.to_string_lossy().into_owned(),
        Some(root) => match place.strip_prefix(root) {
            Ok(rest) => format!("/{}", rest.display()),
            Err(_) => path.to_owned(),
        },
    }
}

fn mounted(ctx: &Context<'_>) -> Outcome {
    let mut want = Want::of(ctx);
    let mut active = Active::read(ctx);
    let mut outcome = Outcome::fine("");
    let device = match real_device(ctx, &mut want, &active) {
        Ok(device) => device,
        Err(problem) => return Outcome::failed(problem),
    };
    let wants_mount = ctx.flag("mount", true);
    if let Some(live) = active.get(&want.point).filter(|_| wants_mount) {
        let before = live.clone();
        if let Some(end) = adjust(ctx, &want, &before, &mut outcome) {
            return end;
        }
        match mismatch(ctx, &want, &device, &before, &mut outcome) {
            Err(()) => return outcome,
            Ok(false) => {}
            Ok(true) => active = Active::read(ctx),
        }
    }
    if active.get(&want.point).is_none()
        && let Some(end) = bring_up(ctx, &want, &mut outcome, wants_mount)
    {
        return end;
    }
    if ctx.flag("persist", true) { persist(ctx, &want, outcome, wants_mount) } else { outcome }
}

/// The device as the kernel will name it; a bind mount takes the options of what it shows.
fn real_device(ctx: &Context<'_>, want: &mut Want, active: &Active) -> Result<String, String> {
    let device = want.device.clone();
    let upper = device.to_uppercase();
    if upper.starts_with("UUID=") || upper.starts_with("LABEL=") {
        let (tag, value) = device.split_once('=').unwrap_or_default();
        let value = value.trim_matches('"');
        let token = format!("{}={value}", tag.to_uppercase());
        let found = blkid(ctx, &["-l", "-o", "device", "-t", &token]);
        return match found {
            Some(found) => Ok(real(ctx, &found)),
            None if upper.starts_with("LABEL=") => {
                Err(format!("Unable to find device with label {value}."))
            }
            None => Ok(value.to_lowercase()),
        };
    }
    if let Some((program, name)) = device.split_once('#')
        && !program.is_empty()
        && program.chars().all(|c| c.is_alphanumeric() || c == '_')
    {
        return Ok(name.to_owned());
    }
    if !device.starts_with('/') {
        return Ok(device);
    }
    if want.opts.iter().any(|opt| opt == "bind")
        && let Some(live) = active.get(&want.point)
    {
        // What is no block device is looked up as it is: Salt takes it for a remote file system.
        let local = live.device.starts_with('/');
        let source = if local { source_of(&device, active) } else { active.get(&device) };
        if let Some(source) = source
            && ctx.flag("bind_mount_copy_active_opts", true)
        {
            want.opts.extend(source.opts.iter().chain(&source.superopts).cloned());
            want.opts.sort();
            want.opts.dedup();
        }
        let source = source.map(|source| source.device.clone()).unwrap_or_default();
        return Ok(if local { source } else { live.device.clone() });
    }
    Ok(mapped(ctx, &device).unwrap_or_else(|| real(ctx, &device)))
}

/// The mount that a path lies on.
fn source_of<'a>(path: &str, active: &'a Active) -> Option<&'a Mount> {
    let mut path = path;
    loop {
        if let Some(found) = active.get(path) {
            return Some(found);
        }
        path = match path.rsplit_once('/') {
            Some(("", _)) if path != "/" => "/",
            Some((parent, _)) if !parent.is_empty() => parent,
            Some(_) | None => return None,
        };
    }
}

/// `/dev/vg/lv` as the device mapper calls it.
fn mapped(ctx: &Context<'_>, device: &str) -> Option<String> {
    let (group, volume) = device.strip_prefix("/dev/")?.split_once('/')?;
    if volume.contains('/') {
        return None;
    }
    let (group, volume) = (group.replace('-', "--"), volume.replace('-', "--"));
    let path = format!("/dev/mapper/{group}-{volume}");
    ctx.host.stat(&path).is_some().then_some(path)
}

/// Remounts where options differ; an outcome ends the state.
fn adjust(ctx: &Context<'_>, want: &Want, live: &Mount, outcome: &mut Outcome) -> Option<Outcome> {
    let missing = super::options::missing(ctx, &want.fstype, &want.opts, live);
    let taken = taken_away(ctx, want, live);
    if missing.is_empty() && taken.is_empty() {
        return None;
    }
    if ctx.test {
        let changed = match missing.as_slice() {
            [] => format!("({})changed", taken.join(",")),
            missing => format!("({}) changed", missing.join(",")),
        };
        let comment = format!("Remount would be forced because options {changed}");
        return Some(Outcome::foreseen(comment, std::mem::take(&mut outcome.changes)));
    }
    // Salt names the last one that is wanted, where some were taken away.
    let last = want.opts.last().filter(|_| !taken.is_empty());
    let missing = last.map_or_else(|| missing.join(","), Clone::clone);
    let network =
        ["nfs", "cvfs"].contains(&want.fstype.as_str()) || want.fstype.starts_with("fuse");
    let (told, done) = if network {
        let told = format!("Forced unmount and mount because options ({missing}) changed");
        (told, umount(ctx, &want.point, false).and_then(|()| want.request().mount(ctx, None)))
    } else {
        let told = format!("Forced remount because options ({missing}) changed");
        (told, want.request().remount(ctx))
    };
    let told = match done {
        Ok(()) => told,
        Err(_) if network => {
            let lazy = umount(ctx, &want.point, true);
            if let Err(error) = lazy.and_then(|()| want.request().mount(ctx, None)) {
                let comment = format!("Unable to unmount {}: {error}.", want.point);
                return Some(Outcome::failed(comment));
            }
            format!(
                "Forced a lazy unmount and mount because the previous unmount failed and because \
                 the options ({missing}) changed"
            )
        }
        Err(error) => return Some(Outcome::failed(error)),
    };
    outcome.changes.insert("umount".to_owned(), Value::from(told));
    None
}

/// Options that the mount has from the line that a state wrote into fstab, and that are not wanted
/// any more. Salt keeps what it wrote in a cache of its own.
fn taken_away(ctx: &Context<'_>, want: &Want, live: &Mount) -> Vec<String> {
    if !ctx.flag("persist", true) {
        return Vec::new();
    }
    let line = fstab::written(ctx, &config(ctx), &want.name);
    let written = line.iter().flat_map(Line::options);
    let is_taken = |opt: &&str| {
        let mut active = live.opts.iter().chain(&live.superopts);
        let active = active.any(|own| in_kib(own) == in_kib(opt));
        active && !want.opts.iter().any(|wanted| wanted == opt)
    };
    written.filter(is_taken).map(str::to_owned).collect()
}

/// Unmounts what is another device; whether it did. `Err`: that failed, as the outcome tells.
fn mismatch(
    ctx: &Context<'_>,
    want: &Want,
    device: &str,
    live: &Mount,
    outcome: &mut Outcome,
) -> Result<bool, ()> {
    let mut there = vec![live.device.clone()];
    if live.device.starts_with('/') {
        there.push(real(ctx, &live.device));
    }
    if there.iter().any(|own| own == device) {
        "Target was already mounted".clone_into(&mut outcome.comment);
        return Ok(false);
    }
    let patterns = ctx.list("device_name_regex");
    let ignored = there.iter().find(|own| {
        let matches = |pattern: &String| {
            regex::Regex::new(&format!("^(?:{pattern})")).is_ok_and(|regex| regex.is_match(own))
        };
        patterns.iter().any(matches)
    });
    if let Some(own) = ignored {
        outcome.comment =
            format!("An umount will not be forced because device matched device_name_regex: {own}");
        return Ok(false);
    }
    let wanted = &want.device;
    if ctx.test {
        outcome.result = None;
        outcome.comment = format!(
            "An umount would have been forced because devices do not match.  Watched: {wanted}"
        );
        return Ok(false);
    }
    let mut told = format!("Forced unmount because devices don't match. Wanted: {wanted}");
    if device != wanted {
        told.push_str(&format!(" ({device})"));
    }
    let tag = |tag| blkid(ctx, &["-s", tag, "-o", "value", &live.device]);
    there.extend(["UUID", "LABEL"].into_iter().filter_map(tag));
    told.push_str(&format!(", current: {}", there.join(", ")));
    outcome.changes.insert("umount".to_owned(), Value::from(told));
    if umount(ctx, &want.point, false).is_err() {
        *outcome = Outcome {
            result: Some(false),
            comment: "Unable to unmount".to_owned(),
            ..std::mem::take(outcome)
        };
        return Err(());
    }
    Ok(true)
}

/// Mounts what is not; an outcome ends the state.
fn bring_up(
    ctx: &Context<'_>,
    want: &Want,
    outcome: &mut Outcome,
    wants_mount: bool,
) -> Option<Outcome> {
    let name = &want.name;
    let there = ctx.host.stat(name).is_some();
    let make = ctx.flag("mkmnt", false);
    let comment = match (wants_mount, there, make, ctx.test) {
        (true, _, _, true) => {
            let comment = match (there, make) {
                (true, _) => format!("{name} would be mounted"),
                (false, true) => format!("{name} would be created and mounted"),
                (false, false) => format!("{name} does not exist and would not be created"),
            };
            return Some(Outcome { result: None, comment, ..std::mem::take(outcome) });
        }
        (true, false, false, false) => {
            let comment = "Mount directory is not present".to_owned();
            return Some(Outcome { result: Some(false), comment, ..std::mem::take(outcome) });
        }
        (true, _, _, false) => {
            let made = if there { Ok(()) } else { make_point(ctx, name) };
            if let Err(comment) = made.and_then(|()| want.request().mount(ctx, None)) {
                return Some(Outcome { result: Some(false), comment, ..std::mem::take(outcome) });
            }
            outcome.changes.insert("mount".to_owned(), Value::from(true));
            "Target was successfully mounted".to_owned()
        }
        (false, false, true, true) => format!("{name} would be created, but not mounted"),
        (false, false, false, true) => {
            format!("{name} does not exist and would neither be created nor mounted")
        }
        (false, false, true, false) => match make_point(ctx, name) {
            Ok(()) => format!("{name} was created, not mounted"),
            Err(problem) => return Some(Outcome::failed(problem)),
        },
        (false, false, false, false) => format!("{name} not present and not mounted"),
        (false, true, _, true) => format!("{name} would not be mounted"),
        (false, true, _, false) => format!("{name} not mounted"),
    };
    if !wants_mount && !there && ctx.test {
        outcome.result = None;
    }
    outcome.comment = comment;
    None
}

fn make_point(ctx: &Context<'_>, name: &str) -> Result<(), String> {
    let place = ctx.host.followed(name);
    let owner = ctx.text("user").and_then(|user| ctx.host.accounts().user(&user));
    make_folders(&place, Access::default())
        .and_then(|()| match owner {
            None => Ok(()),
            Some(user) => {
                set_access(&place, Access { uid: Some(user.uid), gid: Some(user.gid), mode: None })
            }
        })
        .map_err(|error| format!("cannot make {name}: {error}"))
}

fn persist(ctx: &Context<'_>, want: &Want, mut outcome: Outcome, wants_mount: bool) -> Outcome {
    let name = &want.name;
    let line = Line::new(&want.device, name, &want.fstype, &want.opts)
        .numbers(ctx.text("dump"), ctx.text("pass_num"));
    let status = match fstab::set(ctx, &config(ctx), &line, &ctx.list("match_on"), false) {
        Ok(status) => status,
        Err(problem) => {
            return Outcome { result: Some(false), comment: problem, ..outcome };
        }
    };
    match (status, ctx.test) {
        (Status::Present, _) => also(&mut outcome, "Entry already exists in the fstab."),
        (Status::New, false) => {
            outcome.changes.insert("persist".to_owned(), Value::from("new"));
            also(&mut outcome, "Added new entry to the fstab.");
        }
        (Status::Changed, false) => {
            outcome.changes.insert("persist".to_owned(), Value::from("update"));
            also(&mut outcome, "Updated the entry in the fstab.");
        }
        (Status::New | Status::Changed, true) => {
            let told = match (status, wants_mount) {
                (Status::New, true) => format!(
                    "{name} is mounted, but needs to be written to the fstab in order to be made \
                     persistent."
                ),
                (Status::New, false) => format!(
                    "{name} needs to be written to the fstab in order to be made persistent."
                ),
                (Status::Present | Status::Changed, true) => {
                    format!("{name} is mounted, but its fstab entry must be updated.")
                }
                (Status::Present | Status::Changed, false) => {
                    format!("The {name} fstab entry must be updated.")
                }
            };
            outcome.result = None;
            also(&mut outcome, &told);
        }
    }
    outcome
}
