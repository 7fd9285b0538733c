//! `alternatives`, as Salt had it until 3007: which of several programs a name leads to.
//!
//! Salt 3008 has the functions that ask and act, but no states; trees still declare them.

use serde_json::{Value, json};

use super::fault::{Fault, act, ask};
use super::{Context, Function, Plan, StateFunction};
use crate::host::command::Output;
use crate::host::files::which;
use crate::outcome::{Changes, Outcome, change};

/// This module's functions.
pub(super) const ALL: &[Function] = &[
    Function::of::<Install>(),
    Function::of::<Remove>(),
    Function::of::<Auto>(),
    Function::of::<Set>(),
];

pub(super) struct Install;

impl StateFunction for Install {
    const MODULE: &'static str = "alternatives";
    const NAME: &'static str = "install";
    const TAKES: &'static [&'static str] = &["link", "path", "priority"];
    const NEEDS: &'static [&'static str] = &["link", "path", "priority"];
    type Step = ();

    fn check(ctx: &Context<'_>) -> Plan<()> {
        let (name, path) = (ctx.name(), argument(ctx, "path"));
        planned(ctx, &path, |there| {
            if there {
                return Plan::fine(format!("Alternative {path} for {name} is already registered"));
            }
            let priority = argument(ctx, "priority");
            let comment =
                format!("Alternative will be set for {name} to {path} with priority {priority}");
            Plan::change(comment, Changes::new(), ())
        })
    }

    fn apply(ctx: &Context<'_>, (): ()) -> Outcome {
        installed(ctx).unwrap_or_else(|fault| Outcome::raised(fault.words()))
    }
}

pub(super) struct Remove;

impl StateFunction for Remove {
    const MODULE: &'static str = "alternatives";
    const NAME: &'static str = "remove";
    const TAKES: &'static [&'static str] = &["path"];
    const NEEDS: &'static [&'static str] = &["path"];
    type Step = ();

    fn check(ctx: &Context<'_>) -> Plan<()> {
        let name = ctx.name();
        planned(ctx, &argument(ctx, "path"), |there| match current(ctx) {
            _ if there => {
                let comment = format!("Alternative for {name} will be removed");
                Plan::change(comment, Changes::new(), ())
            }
            Some(own) => {
                Plan::fine(format!("Alternative for {name} is set to it's default path {own}"))
            }
            None => Plan::failed(format!("Alternative for {name} doesn't exist")),
        })
    }

    fn apply(ctx: &Context<'_>, (): ()) -> Outcome {
        let name = ctx.name();
        if let Err(fault) = changed(ctx, &["--remove", name, &argument(ctx, "path")]) {
            return Outcome::raised(fault.words());
        }
        match current(ctx) {
            Some(own) => Outcome::changed(
                format!("Alternative for {name} removed. Falling back to path {own}"),
                change("path", own),
            ),
            None => Outcome::fine(format!("Alternative for {name} removed")),
        }
    }
}

pub(super) struct Auto;

impl StateFunction for Auto {
    const MODULE: &'static str = "alternatives";
    const NAME: &'static str = "auto";
    const TAKES: &'static [&'static str] = &[];
    type Step = ();

    fn check(ctx: &Context<'_>) -> Plan<()> {
        let name = ctx.name();
        let told = match displayed(ctx) {
            Ok(output) => words(&output).to_owned(),
            Err(fault) => return Plan::Done(Outcome::raised(fault.words())),
        };
        match told.lines().next() {
            None => Plan::Done(Outcome::raised("list index out of range")),
            Some(line) if line.ends_with(" auto mode") => {
                Plan::fine(format!("{name} already in auto mode"))
            }
            Some(_) => Plan::change(format!("{name} will be put in auto mode"), Changes::new(), ()),
        }
    }

    /// As in Salt, whatever the program said is a change.
    fn apply(ctx: &Context<'_>, (): ()) -> Outcome {
        match changed(ctx, &["--auto", ctx.name()]) {
            Err(fault) => Outcome::raised(fault.words()),
            Ok(output) => {
                let told = if output.code > 0 { &output.stderr } else { &output.stdout };
                Outcome::changed("", change("result", told.trim_end()))
            }
        }
    }
}

pub(super) struct Set;

impl StateFunction for Set {
    const MODULE: &'static str = "alternatives";
    const NAME: &'static str = "set";
    const TAKES: &'static [&'static str] = &["path"];
    const NEEDS: &'static [&'static str] = &["path"];
    type Step = ();

    fn check(ctx: &Context<'_>) -> Plan<()> {
        let (name, path) = (ctx.name(), argument(ctx, "path"));
        if current(ctx).as_ref() == Some(&path) {
            return Plan::fine(format!("Alternative for {name} already set to {path}"));
        }
        let told = match displayed(ctx) {
            Ok(output) => words(&output).to_owned(),
            Err(fault) => return Plan::Done(Outcome::raised(fault.words())),
        };
        if !told.lines().any(|line| line.starts_with(&path)) {
            return Plan::failed(format!("Alternative {path} for {name} doesn't exist"));
        }
        let comment = format!("Alternative for {name} will be set to path {path}");
        Plan::change(comment, Changes::new(), ())
    }

    fn apply(ctx: &Context<'_>, (): ()) -> Outcome {
        let (name, path) = (ctx.name(), argument(ctx, "path"));
        if let Err(fault) = changed(ctx, &["--set", name, &path]) {
            return Outcome::raised(fault.words());
        }
        if current(ctx).as_ref() == Some(&path) {
            let comment = format!("Alternative for {name} set to path {path}");
            return Outcome::changed(comment, change("path", path));
        }
        Outcome::fine(format!("Alternative for {name} not updated"))
    }
}

fn argument(ctx: &Context<'_>, key: &str) -> String {
    ctx.chunk.args.get(key).map(super::args::text).unwrap_or_default()
}

/// What is to be done as a path is among the alternatives of a name, or is not.
fn planned(ctx: &Context<'_>, path: &str, plan: impl FnOnce(bool) -> Plan<()>) -> Plan<()> {
    match has(ctx, path) {
        Ok(there) => plan(there),
        Err(fault) => Plan::Done(Outcome::raised(fault.words())),
    }
}

fn installed(ctx: &Context<'_>) -> Result<Outcome, Fault> {
    let name = ctx.name();
    let [link, path, priority] = ["link", "path", "priority"].map(|key| argument(ctx, key));
    let output = changed(ctx, &["--install", &link, name, &path, &priority])?;
    if !has(ctx, &path)? {
        let told = words(&output);
        return Ok(Outcome::failed(format!("Alternative for {name} not installed: {told}")));
    }
    let comment = if current(ctx).as_ref() == Some(&path) {
        format!("Alternative for {name} set to path {path} with priority {priority}")
    } else {
        format!(
            "Alternative {path} for {name} registered with priority {priority} and not set to \
             default"
        )
    };
    let own = |key: &str| ctx.chunk.args.get(key).cloned().unwrap_or_default();
    let changes = json!({
        "name": name,
        "link": own("link"),
        "path": own("path"),
        "priority": own("priority"),
    });
    let Value::Object(changes) = changes else { return Ok(Outcome::fine(comment)) };
    Ok(Outcome::changed(comment, changes))
}

/// Where a name leads.
fn current(ctx: &Context<'_>) -> Option<String> {
    let path = ctx.host.path(&format!("/etc/alternatives/{}", ctx.name()));
    let target = std::fs::read_link(path).ok()?;
    Some(target.to_string_lossy().into_owned()).filter(|target| !target.is_empty())
}

/// Whether a line of what the program knows of a name begins with a path.
fn has(ctx: &Context<'_>, path: &str) -> Result<bool, Fault> {
    let output = displayed(ctx)?;
    Ok(!is_refused(&output) && output.stdout.lines().any(|line| line.starts_with(path)))
}

fn displayed(ctx: &Context<'_>) -> Result<Output, Fault> {
    ask(ctx, &[&program(ctx)?, "--display", ctx.name()])
}

fn changed(ctx: &Context<'_>, words: &[&str]) -> Result<Output, Fault> {
    let program = program(ctx)?;
    act(ctx, &[&[&*program], words].concat())
}

fn is_refused(output: &Output) -> bool {
    output.code > 0 && !output.stderr.trim_end().is_empty()
}

fn words(output: &Output) -> &str {
    let told = if is_refused(output) { &output.stderr } else { &output.stdout };
    told.trim_end()
}

/// The program by its name on this distribution; a host under a root prefix is files alone.
fn program(ctx: &Context<'_>) -> Result<String, Fault> {
    if ctx.host.root().is_some() {
        let words = "alternatives cannot be managed below a root prefix";
        return Err(Fault::Told(words.to_owned()));
    }
    let name = match ctx.fact("os_family") {
        "RedHat" => "alternatives",
        _ => "update-alternatives",
    };
    which(ctx.host, name)
        .ok_or_else(|| Fault::Raised(format!("[Errno 2] No such file or directory: '{name}'")))
}
