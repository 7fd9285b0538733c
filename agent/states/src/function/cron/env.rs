//! `cron.env_present`, `cron.env_absent`: variables of a crontab.

use super::tab::Tab;
use super::{Status, done, foreseen, removed, spool, user};
use crate::function::{Context, Plan, StateFunction};
use crate::outcome::{Changes, Outcome};

pub(in crate::function) struct Present;

impl StateFunction for Present {
    const MODULE: &'static str = "cron";
    const NAME: &'static str = "env_present";
    const TAKES: &'static [&'static str] = &["value", "user"];
    type Step = ();

    fn check(ctx: &Context<'_>) -> Plan<()> {
        if !ctx.test {
            return Plan::change("", Changes::new(), ());
        }
        let text = match spool::read(ctx, &user(ctx)) {
            Ok(text) => text,
            Err(problem) => return Plan::failed(problem),
        };
        let (name, value) = (ctx.name(), ctx.text("value").unwrap_or_default());
        let tab = Tab::parse(&text);
        let status = match tab.env.iter().find(|(own, _)| own == name) {
            None => Status::New,
            Some((_, own)) if *own == value && !is_number(ctx) => Status::Present,
            Some(_) => Status::Updated,
        };
        foreseen(status, &format!("Cron env {name}"), ())
    }

    fn apply(ctx: &Context<'_>, (): ()) -> Outcome {
        done(ctx, set(ctx), &format!("Cron env {}", ctx.name()))
    }
}

fn set(ctx: &Context<'_>) -> Result<Status, String> {
    let (user, name) = (user(ctx), ctx.name());
    let value = ctx.text("value").unwrap_or_default();
    let mut tab = Tab::parse(&spool::read(ctx, &user)?);
    let at = tab.env.iter().position(|(own, _)| own == name);
    if at.is_some_and(|at| tab.env[at].1 == value && !is_number(ctx)) {
        return Ok(Status::Present);
    }
    if let Some(at) = at {
        tab.env.remove(at);
    }
    tab.env.push((name.to_owned(), value));
    spool::write(ctx, &user, &tab.render())?;
    Ok(if at.is_some() { Status::Updated } else { Status::New })
}

/// A number is never the text that stands in the crontab.
fn is_number(ctx: &Context<'_>) -> bool {
    ctx.value("value").is_some_and(|value| !value.is_string())
}

pub(in crate::function) struct Absent;

impl StateFunction for Absent {
    const MODULE: &'static str = "cron";
    const NAME: &'static str = "env_absent";
    const TAKES: &'static [&'static str] = &["user"];
    type Step = ();

    fn check(ctx: &Context<'_>) -> Plan<()> {
        if !ctx.test {
            return Plan::change("", Changes::new(), ());
        }
        let text = match spool::read(ctx, &user(ctx)) {
            Ok(text) => text,
            Err(problem) => return Plan::failed(problem),
        };
        let name = ctx.name().trim();
        if Tab::parse(&text).env.iter().any(|(own, _)| own == name) {
            Plan::change(format!("Cron env {name} is set to be removed"), Changes::new(), ())
        } else {
            Plan::fine(format!("Cron env {name} is absent"))
        }
    }

    fn apply(ctx: &Context<'_>, (): ()) -> Outcome {
        removed(ctx, remove(ctx), &format!("Cron env {}", ctx.name().trim()))
    }
}

fn remove(ctx: &Context<'_>) -> Result<bool, String> {
    let (user, name) = (user(ctx), ctx.name().trim());
    let text = spool::read(ctx, &user)?;
    let mut tab = Tab::parse(&text);
    let at = tab.env.iter().rposition(|(own, _)| own == name);
    if let Some(at) = at {
        tab.env.remove(at);
    }
    // Salt leaves its mark even where there was nothing to remove.
    let rendered = tab.render();
    if rendered != text {
        spool::write(ctx, &user, &rendered)?;
    }
    Ok(at.is_some())
}
