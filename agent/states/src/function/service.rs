//! Salt's `service`, by systemd.

mod mask;
mod switch;
mod systemd;
mod turn;

use super::{Context, Function};

/// This module's functions.
pub(super) const ALL: &[Function] = &[
    Function::of::<turn::Running>(),
    Function::of::<turn::Dead>(),
    Function::of::<switch::Enabled>(),
    Function::of::<switch::Disabled>(),
    Function::of::<mask::Masked>(),
    Function::of::<mask::Unmasked>(),
];

/// Arguments of other systems' services.
const TOLERATES: &[&str] = &["provider", "timeout", "wait"];

/// `enable`, which may be a word.
fn enable(ctx: &Context<'_>) -> Option<bool> {
    ctx.value("enable").map(|value| match value.as_str() {
        Some(word) => ["true", "yes", "on", "1"].contains(&word.trim().to_lowercase().as_str()),
        None => super::args::truth(value),
    })
}
