//! `file.exists` and `file.missing`: whether something is there.

use crate::function::{Context, Plan, StateFunction};
use crate::outcome::Outcome;

pub(in crate::function) struct Exists;
pub(in crate::function) struct Missing;

impl StateFunction for Exists {
    const MODULE: &'static str = "file";
    const NAME: &'static str = "exists";
    const TAKES: &'static [&'static str] = &[];
    type Step = ();

    fn check(ctx: &Context<'_>) -> Plan<()> {
        let name = ctx.name();
        match ctx.host.stat(name) {
            Some(_) => Plan::fine(format!("Path {name} exists")),
            None => Plan::failed(format!("Specified path {name} does not exist")),
        }
    }

    fn apply(_ctx: &Context<'_>, (): ()) -> Outcome {
        Outcome::fine("")
    }
}

impl StateFunction for Missing {
    const MODULE: &'static str = "file";
    const NAME: &'static str = "missing";
    const TAKES: &'static [&'static str] = &[];
    type Step = ();

    fn check(ctx: &Context<'_>) -> Plan<()> {
        let name = ctx.name();
        match ctx.host.stat(name) {
            Some(_) => Plan::failed(format!("Specified path {name} exists")),
            None => Plan::fine(format!("Path {name} is missing")),
        }
    }

    fn apply(_ctx: &Context<'_>, (): ()) -> Outcome {
        Outcome::fine("")
    }
}
