//! Salt's `cmd`: running commands.

mod result;

use serde_json::Value;

use super::args::{list, mode, text};
use super::{Context, Function, Plan, StateFunction};
use crate::host::command::{Exec, Output, run};
use crate::outcome::{Changes, Outcome, change};

/// This module's functions.
pub(super) const ALL: &[Function] =
    &[Function::of::<Run>(), Function::of::<Wait>(), Function::of::<Watch>()];

const TAKES: &[&str] = &[
    "cwd",
    "runas",
    "group",
    "shell",
    "env",
    "prepend_path",
    "stateful",
    "umask",
    "hide_output",
    "timeout",
    "ignore_timeout",
    "success_retcodes",
    "success_stdout",
    "success_stderr",
];
const TOLERATES: &[&str] =
    &["output_loglevel", "use_vt", "python_shell", "log_callback", "quiet", "clean_env", "saltenv"];
const REFUSES: &[&str] = &["root", "password", "bg", "stdin", "template", "output_encoding"];

pub(super) struct Run;

impl StateFunction for Run {
    const MODULE: &'static str = "cmd";
    const NAME: &'static str = "run";
    const TAKES: &'static [&'static str] = TAKES;
    const TOLERATES: &'static [&'static str] = TOLERATES;
    const REFUSES: &'static [&'static str] = REFUSES;
    const WATCHES: bool = true;
    type Step = Exec;

    fn check(ctx: &Context<'_>) -> Plan<Exec> {
        check(ctx)
    }

    fn apply(ctx: &Context<'_>, exec: Exec) -> Outcome {
        apply(ctx, &exec)
    }

    fn watch(ctx: &Context<'_>) -> Outcome {
        super::run::<Run>(ctx)
    }
}

pub(super) struct Wait;

impl StateFunction for Wait {
    const MODULE: &'static str = "cmd";
    const NAME: &'static str = "wait";
    const TAKES: &'static [&'static str] = TAKES;
    const TOLERATES: &'static [&'static str] = TOLERATES;
    const REFUSES: &'static [&'static str] = REFUSES;
    const WATCHES: bool = true;
    type Step = ();

    fn check(_: &Context<'_>) -> Plan<()> {
        Plan::fine("")
    }

    fn apply(_: &Context<'_>, (): ()) -> Outcome {
        Outcome::fine("")
    }

    fn watch(ctx: &Context<'_>) -> Outcome {
        super::run::<Run>(ctx)
    }
}

/// A common mistake for `cmd.wait`, which Salt takes.
pub(super) struct Watch;

impl StateFunction for Watch {
    const MODULE: &'static str = "cmd";
    const NAME: &'static str = "watch";
    const TAKES: &'static [&'static str] = TAKES;
    const TOLERATES: &'static [&'static str] = TOLERATES;
    const REFUSES: &'static [&'static str] = REFUSES;
    const WATCHES: bool = true;
    type Step = ();

    fn check(_: &Context<'_>) -> Plan<()> {
        Plan::fine("")
    }

    fn apply(_: &Context<'_>, (): ()) -> Outcome {
        Outcome::fine("")
    }

    fn watch(ctx: &Context<'_>) -> Outcome {
        super::run::<Run>(ctx)
    }
}

fn check(ctx: &Context<'_>) -> Plan<Exec> {
    let exec = match exec(ctx, ctx.name()) {
        Ok(exec) => exec,
        Err(problem) => return Plan::failed(problem),
    };
    let name = ctx.name();
    if ctx.test
        && let Some(test_name) = test_name(ctx)
    {
        return tested(ctx, &test_name);
    }
    let foreseen = Outcome::foreseen(
        format!("Command \"{name}\" would have been executed"),
        change("cmd", name),
    );
    Plan::Change { foreseen, step: exec }
}

/// `stateful: [{test_name: command}]` runs that command in a dry run.
fn test_name(ctx: &Context<'_>) -> Option<String> {
    ctx.value("stateful")?.as_array()?.first()?.get("test_name").map(text)
}

fn tested(ctx: &Context<'_>, command: &str) -> Plan<Exec> {
    let exec = match exec(ctx, command) {
        Ok(exec) => exec,
        Err(problem) => return Plan::failed(problem),
    };
    let mut outcome = apply(ctx, &exec);
    if outcome.result == Some(true) && !outcome.changes.is_empty() {
        outcome.result = None;
    }
    Plan::Done(outcome)
}

fn apply(ctx: &Context<'_>, exec: &Exec) -> Outcome {
    if let Some(cwd) = &exec.cwd
        && !ctx.host.stat(cwd).is_some_and(|meta| meta.is_dir())
    {
        return Outcome::failed(format!("Desired working directory \"{cwd}\" is not available"));
    }
    let output = match run(ctx.host, exec, ctx.cancel) {
        Ok(output) => output,
        Err(error) => return Outcome::failed(error.to_string()),
    };
    let outcome = judged(ctx, &output);
    if stateful(ctx) { result::reinterpreted(outcome) } else { outcome }
}

fn stateful(ctx: &Context<'_>) -> bool {
    match ctx.value("stateful") {
        Some(Value::Bool(flag)) => *flag,
        Some(Value::Array(_)) => true,
        _ => false,
    }
}

/// Whether the command did well, by its code and what it printed.
fn judged(ctx: &Context<'_>, output: &Output) -> Outcome {
    let seconds = ctx.value("timeout").map(text).unwrap_or_default();
    let hide = ctx.flag("hide_output", false);
    let shown = |stream: &str| if hide { "" } else { stream.trim_end() }.to_owned();
    let (stdout, stderr) = if output.timed_out {
        (format!("{} : Timed out after {seconds} seconds", ctx.name()), String::new())
    } else {
        (shown(&output.stdout), shown(&output.stderr))
    };
    let has = |key: &str, stream: &str| ctx.list(key).iter().any(|wanted| stream == wanted);
    let good = ctx.list("success_retcodes").contains(&output.code.to_string())
        || has("success_stdout", output.stdout.trim_end())
        || has("success_stderr", output.stderr.trim_end())
        || (output.timed_out && ctx.flag("ignore_timeout", false));
    let code = if good { 0 } else { output.code };
    let changes: Changes = [
        ("pid", Value::from(output.pid)),
        ("retcode", Value::from(code)),
        ("stdout", Value::from(stdout)),
        ("stderr", Value::from(stderr)),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect();
    let comment = format!("Command \"{}\" run", ctx.name());
    Outcome { result: Some(code == 0), ..Outcome::changed(comment, changes) }
}

/// The command as the arguments describe it.
pub(crate) fn exec(ctx: &Context<'_>, line: &str) -> Result<Exec, String> {
    let shell = ctx.text("shell").unwrap_or_else(|| "/bin/sh".to_owned());
    let mut env = env(ctx)?;
    if let Some(path) = ctx.text("prepend_path") {
        let own = std::env::var("PATH").unwrap_or_default();
        env.push(("PATH".to_owned(), Some(format!("{path}:{own}"))));
    }
    let umask = ctx.text("umask").map(|umask| mode(&umask).ok_or("umask is not octal"));
    Ok(Exec {
        cwd: ctx.text("cwd"),
        runas: ctx.text("runas"),
        group: ctx.text("group"),
        env,
        umask: umask.transpose()?,
        timeout: crate::function::args::seconds(ctx.value("timeout")),
        ..Exec::shell(&shell, line)
    })
}

/// `env` as a list of maps, or a map; `False` unsets.
fn env(ctx: &Context<'_>) -> Result<Vec<(String, Option<String>)>, String> {
    let maps = match ctx.value("env") {
        None => return Ok(Vec::new()),
        Some(Value::Array(items)) => items.clone(),
        Some(map @ Value::Object(_)) => vec![map.clone()],
        Some(_) => {
            return Err("Invalidly-formatted 'env' parameter. See documentation.".to_owned());
        }
    };
    let mut out = Vec::new();
    for map in &maps {
        for (key, value) in map.as_object().into_iter().flatten() {
            let value = match value {
                Value::Bool(false) => None,
                value => Some(list(value).join("")),
            };
            out.push((key.clone(), value));
        }
    }
    Ok(out)
}
