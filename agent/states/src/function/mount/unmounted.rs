//! `mount.unmounted`: not mounted, and perhaps no longer in fstab.

use serde_json::Value;

use super::active::Active;
use super::command::umount;
use super::{also, config, fstab, settled};
use crate::function::{Context, Plan, StateFunction};
use crate::outcome::{Changes, Outcome};

pub(in crate::function) struct Unmounted;

impl StateFunction for Unmounted {
    const MODULE: &'static str = "mount";
    const NAME: &'static str = "unmounted";
    const TAKES: &'static [&'static str] = &["device", "config", "persist", "user"];
    type Step = ();

    fn check(ctx: &Context<'_>) -> Plan<()> {
        settled(ctx, unmounted)
    }

    fn apply(ctx: &Context<'_>, (): ()) -> Outcome {
        unmounted(ctx)
    }
}

fn unmounted(ctx: &Context<'_>) -> Outcome {
    let name = ctx.name();
    let device = ctx.text("device").filter(|device| !device.is_empty());
    let mut outcome = Outcome::fine("Target was already unmounted");
    if Active::read(ctx).get(name).is_some() {
        if ctx.test {
            let comment = format!("Mount point {name} is mounted but should not be");
            return Outcome::foreseen(comment, Changes::new());
        }
        match umount(ctx, device.as_deref().unwrap_or(name), false) {
            Ok(()) => {
                "Target was successfully unmounted".clone_into(&mut outcome.comment);
                outcome.changes.insert("umount".to_owned(), Value::from(true));
            }
            Err(error) => outcome = Outcome::failed(error),
        }
    }
    if ctx.flag("persist", false) { forget(ctx, outcome, device.as_deref()) } else { outcome }
}

fn forget(ctx: &Context<'_>, mut outcome: Outcome, device: Option<&str>) -> Outcome {
    let (name, config) = (ctx.name(), config(ctx));
    let escaped = name.replace(' ', "\\040");
    let lines = fstab::lines(ctx, &config);
    let Some(line) = lines.iter().find(|line| line.name() == escaped) else {
        also(&mut outcome, "fstab entry not found");
        return outcome;
    };
    if let Some(device) = device.filter(|device| line.device() != *device) {
        also(&mut outcome, &format!("fstab entry for device {device} not found"));
        return outcome;
    }
    if ctx.test {
        return Outcome::foreseen(
            format!(
                "Mount point {name} is unmounted but needs to be purged from {config} to be made \
                 persistent"
            ),
            outcome.changes,
        );
    }
    match fstab::remove(ctx, &config, name, device) {
        Ok(()) => {
            also(&mut outcome, "Removed target from fstab");
            outcome.changes.insert("persist".to_owned(), Value::from("purged"));
        }
        Err(error) => {
            outcome.result = Some(false);
            also(&mut outcome, &format!("Failed to persist purge: {error}"));
        }
    }
    outcome
}
