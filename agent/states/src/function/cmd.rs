//! Salt's `cmd`: running commands and scripts.

mod chroot;
mod exec;
mod result;
mod script;

use serde_json::Value;

use super::args::text;
use super::{Context, Function, Lint, Plan, StateFunction};
use crate::chunk::Chunk;
use crate::host::command::{CommandError, Exec, Output, leave, run};
use crate::outcome::{Changes, Outcome, change};
use crate::render::Vars;

pub(crate) use exec::exec;
pub(super) use result::words;

/// This module's functions. `cmd.call` and `cmd.wait_call` take a Python function: not here.
pub(super) const ALL: &[Function] = &[
    Function::of::<Run>(),
    Function::of::<Wait>(),
    // A common mistake, which Salt takes.
    Function::of::<Wait>().called("watch"),
    Function::of::<script::Script>(),
    Function::of::<script::WaitScript>(),
];

const TAKES: &[&str] = &[
    "cwd",
    "root",
    "runas",
    "group",
    "shell",
    "env",
    "clean_env",
    "prepend_path",
    "stateful",
    "umask",
    "hide_output",
    "timeout",
    "ignore_timeout",
    "bg",
    "stdin",
    "stdin_raw_newlines",
    "template",
    "rstrip",
    "reset_system_locale",
    "success_retcodes",
    "success_stdout",
    "success_stderr",
];
/// Salt logs commands and shows a terminal's output as it comes; the report is the same.
const TOLERATES: &[&str] = &[
    "output_loglevel",
    "use_vt",
    "python_shell",
    "cmd",
    "log_callback",
    "quiet",
    "saltenv",
    "ignore_retcode",
];
const REFUSES: &[&str] = &["password", "output_encoding", "encoded_cmd", "binds"];

pub(super) struct Run;

impl StateFunction for Run {
    const MODULE: &'static str = "cmd";
    const NAME: &'static str = "run";
    const TAKES: &'static [&'static str] = TAKES;
    const TOLERATES: &'static [&'static str] = TOLERATES;
    const REFUSES: &'static [&'static str] = REFUSES;
    const WATCHES: bool = true;
    type Step = String;

    fn lint(chunk: &Chunk) -> Vec<Lint> {
        exec::lint(chunk)
    }

    fn check(ctx: &Context<'_>) -> Plan<String> {
        check(ctx)
    }

    fn apply(ctx: &Context<'_>, line: String) -> Outcome {
        apply(ctx, &line).0
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

    fn lint(chunk: &Chunk) -> Vec<Lint> {
        exec::lint(chunk)
    }

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

fn check(ctx: &Context<'_>) -> Plan<String> {
    let name = ctx.name();
    if let Some(problem) = bad_list(ctx) {
        return Plan::failed(problem);
    }
    if !is_env(ctx.value("env")) {
        return Plan::failed("Invalidly-formatted 'env' parameter. See documentation.");
    }
    if !ctx.test {
        return Plan::change("", change("cmd", name), name.to_owned());
    }
    if let Some(test_name) = test_name(ctx) {
        let (mut outcome, code) = apply(ctx, &test_name);
        if code == Some(0) && !outcome.changes.is_empty() {
            outcome.result = None;
        }
        return Plan::Done(outcome);
    }
    let comment = format!("Command \"{name}\" would have been executed");
    let foreseen = Outcome::foreseen(comment, change("cmd", name));
    let foreseen = if stateful(ctx) { result::reinterpreted(foreseen) } else { foreseen };
    Plan::Change { foreseen, step: name.to_owned() }
}

fn is_env(env: Option<&Value>) -> bool {
    matches!(env, None | Some(Value::Array(_) | Value::Object(_)))
}

/// Salt looks into the first entry of a list, and fails where it cannot.
fn bad_list(ctx: &Context<'_>) -> Option<&'static str> {
    let list = ctx.value("stateful")?.as_array()?;
    match list.first() {
        Some(Value::Object(_) | Value::String(_) | Value::Array(_)) => None,
        Some(_) | None => Some("stateful must be true, false, or a list with a test_name"),
    }
}

/// `stateful: [{test_name: command}]` runs that command in a dry run.
fn test_name(ctx: &Context<'_>) -> Option<String> {
    ctx.value("stateful")?.as_array()?.first()?.get("test_name").map(text)
}

/// What came of the command, and the code that it ended with.
fn apply(ctx: &Context<'_>, line: &str) -> (Outcome, Option<i32>) {
    if let Some(cwd) = missing_cwd(ctx) {
        return (Outcome::failed(cwd), None);
    }
    // Old trees have the one, some the other; Salt gives them to the command itself, and fails.
    if let Some(own) = ["python_shell", "cmd"].iter().find(|own| ctx.chunk.args.contains_key(**own))
    {
        let told = "salt.loaded.int.module.cmdmod.run_all() got multiple values for keyword \
                    argument";
        return (Outcome::failed(format!("{told} '{own}'")), None);
    }
    let command = match rendered(ctx, line) {
        Ok(command) => command,
        Err(problem) => return (Outcome::failed(problem), None),
    };
    // Salt looks for the first word of what it logs.
    if command.trim().is_empty() {
        return (Outcome::failed("list index out of range"), None);
    }
    let exec = match exec(ctx, &command) {
        Ok(exec) => exec,
        Err(problem) => return (Outcome::failed(problem), None),
    };
    let root = ctx.text("root").filter(|root| !root.is_empty());
    let ended = match root {
        Some(root) => chroot::run(ctx, &root, &exec, &command),
        None => execute(ctx, &exec),
    };
    judged(ctx, ended, &format!("Command \"{line}\" run"), &command)
}

fn missing_cwd(ctx: &Context<'_>) -> Option<String> {
    let cwd = ctx.text("cwd").filter(|cwd| !cwd.is_empty())?;
    let there = ctx.host.stat(&cwd).is_some_and(|meta| meta.is_dir());
    (!there).then(|| format!("Desired working directory \"{cwd}\" is not available"))
}

/// `template: jinja` renders the command line itself.
fn rendered(ctx: &Context<'_>, line: &str) -> Result<String, String> {
    if ctx.text("template").is_none() {
        return Ok(line.to_owned());
    }
    let file = ctx.chunk.at.file.to_string();
    let rendered = ctx.renderer().render(&file, line, Vars::new());
    rendered.map_err(|error| format!("Failed to execute cmd with error: {error}"))
}

/// How a command ended.
enum Ended {
    Output(Output),
    /// It goes on by itself (`bg`).
    Left(u32),
}

fn execute(ctx: &Context<'_>, exec: &Exec) -> Result<Ended, CommandError> {
    if ctx.flag("bg", false) {
        return leave(ctx.host, exec).map(Ended::Left);
    }
    run(ctx.host, exec, ctx.cancel).map(Ended::Output)
}

fn stateful(ctx: &Context<'_>) -> bool {
    matches!(ctx.value("stateful"), Some(Value::Bool(true)))
        // A list is for the dry run only.
        || (ctx.value("stateful").is_some_and(Value::is_array))
}

/// The outcome of a command, by its code and what it printed.
fn judged(
    ctx: &Context<'_>,
    ended: Result<Ended, CommandError>,
    comment: &str,
    command: &str,
) -> (Outcome, Option<i32>) {
    let (pid, code, stdout, stderr) = match ended {
        Err(error) => return (Outcome::failed(error.to_string()), None),
        Ok(Ended::Left(pid)) => (pid, None, String::new(), String::new()),
        Ok(Ended::Output(output)) => match ended_well(ctx, &output) {
            Err(problem) => return (Outcome::failed(problem), None),
            Ok(good) => shown(ctx, output, good, command),
        },
    };
    let changes: Changes = [
        ("pid", Value::from(pid)),
        ("retcode", Value::from(code)),
        ("stdout", Value::from(stdout)),
        ("stderr", Value::from(stderr)),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect();
    let result = Some(code.unwrap_or(0) == 0);
    let outcome = Outcome { result, ..Outcome::changed(comment, changes) };
    (if stateful(ctx) { result::reinterpreted(outcome) } else { outcome }, code)
}

/// Whether the code or the output is one that the state calls a success.
fn ended_well(ctx: &Context<'_>, output: &Output) -> Result<bool, String> {
    let codes = exec::split(ctx.value("success_retcodes"));
    let codes: Result<Vec<i32>, _> = codes.iter().map(|code| code.trim().parse()).collect();
    let codes = codes.map_err(|_| "success_retcodes must be a list of integers".to_owned())?;
    let says = |key: &str, stream: &str| {
        exec::split(ctx.value(key)).iter().any(|wanted| stream.contains(wanted.as_str()))
    };
    let good = codes.contains(&output.code)
        || says("success_stdout", output.stdout.trim_end())
        || says("success_stderr", output.stderr.trim_end());
    Ok(good && !output.timed_out)
}

fn shown(
    ctx: &Context<'_>,
    output: Output,
    good: bool,
    command: &str,
) -> (u32, Option<i32>, String, String) {
    let hide = ctx.flag("hide_output", false);
    let strip = ctx.flag("rstrip", true);
    let stream = |text: &str| match (hide, strip) {
        (true, _) => String::new(),
        (false, true) => text.trim_end().to_owned(),
        (false, false) => text.to_owned(),
    };
    let (mut stdout, mut stderr) = (stream(&output.stdout), stream(&output.stderr));
    if output.timed_out {
        let seconds = ctx.value("timeout").map(text).unwrap_or_default();
        stdout = stream(&format!("{command} : Timed out after {seconds} seconds"));
        stderr = String::new();
    }
    let mut code = if good { 0 } else { output.code };
    if ctx.flag("ignore_timeout", false) && code == 1 && stdout.contains("Timed out after") {
        code = 0;
    }
    (output.pid, Some(code), stdout, stderr)
}
