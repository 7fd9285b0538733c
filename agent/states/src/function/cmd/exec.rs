//! A command as a state's arguments describe it: shell, user, environment, time.

use std::time::Duration;

use serde_json::Value;

use super::result::words;
use crate::function::args::{list, mode, seconds, text};
use crate::function::{Context, Lint};
use crate::host::command::{Exec, home, run, settled};

/// How long a user's login files may take.
const LOGIN: Duration = Duration::from_secs(10);
/// Around the environment that a login shell prints, apart from what its files print.
const MARK: &str = "<<<muster-environment>>>";
const NOT_ENV: &str = "Invalidly-formatted 'env' parameter. See documentation.";

/// Faults that show before anything runs.
pub(super) fn lint(chunk: &crate::chunk::Chunk) -> Vec<Lint> {
    let mut out = Vec::new();
    match chunk.args.get("timeout") {
        None | Some(Value::Null | Value::Number(_)) => {}
        Some(other) => {
            out.push(("timeout", format!("Error: timeout {} must be a number", text(other))));
        }
    }
    match chunk.args.get("umask").map(text) {
        Some(umask) if mask(&umask).is_none() && umask != "None" => {
            out.push(("umask", format!("Invalid umask: {umask}")));
        }
        Some(_) | None => {}
    }
    match chunk.args.get("template") {
        None | Some(Value::Null) => {}
        Some(engine) if engine == "jinja" => {}
        Some(engine) => {
            let engine = text(engine);
            out.push((
                "template",
                format!("the template engine '{engine}' is not supported: use jinja"),
            ));
        }
    }
    out
}

/// A shell line to run as the state's arguments say.
pub(crate) fn exec(ctx: &Context<'_>, line: &str) -> Result<Exec, String> {
    let shell = shell(ctx)?;
    let own = env(ctx)?;
    // A user of a `root` is known there, not here.
    let runas = ctx.text("runas").filter(|_| ctx.value("root").is_none());
    if let Some(user) = &runas
        && ctx.host.accounts().user(user).is_none()
    {
        return Err(format!("User '{user}' is not available"));
    }
    let mut env = runas.as_ref().map(|user| login(ctx, user, &shell)).unwrap_or_default();
    env.extend(own);
    let mut env = settled(env, ctx.flag("reset_system_locale", true));
    if let Some(first) = ctx.text("prepend_path") {
        let path =
            env.iter().rev().find(|(key, _)| key == "PATH").and_then(|(_, path)| path.clone());
        let path = path.or_else(|| ctx.host.variables().get("PATH")).unwrap_or_default();
        env.push(("PATH".to_owned(), Some(format!("{first}:{path}"))));
    }
    Ok(Exec {
        cwd: ctx
            .text("cwd")
            .filter(|cwd| !cwd.is_empty())
            .or_else(|| home(ctx.host, runas.as_deref())),
        runas,
        group: ctx.text("group"),
        env,
        clean_env: ctx.flag("clean_env", false),
        stdin: stdin(ctx),
        umask: umask(ctx)?,
        timeout: seconds(ctx.value("timeout")).filter(|timeout| !timeout.is_zero()),
        ..Exec::shell(&shell, line)
    })
}

fn shell(ctx: &Context<'_>) -> Result<String, String> {
    let shell = ctx.text("shell").filter(|shell| !shell.is_empty());
    let shell = shell.unwrap_or_else(|| "/bin/sh".to_owned());
    let found = std::fs::metadata(&shell).is_ok_and(|meta| {
        use std::os::unix::fs::PermissionsExt;
        meta.is_file() && meta.permissions().mode() & 0o111 != 0
    });
    if found { Ok(shell) } else { Err(format!("The shell {shell} is not available")) }
}

/// `\n` written out is a line's end, unless the state says that it is not.
fn stdin(ctx: &Context<'_>) -> Option<String> {
    let stdin = ctx.text("stdin")?;
    Some(if ctx.flag("stdin_raw_newlines", false) { stdin } else { stdin.replace("\\n", "\n") })
}

fn umask(ctx: &Context<'_>) -> Result<Option<u32>, String> {
    let Some(umask) = ctx.text("umask") else { return Ok(None) };
    mask(&umask).map(Some).ok_or_else(|| format!("Invalid umask: {umask}"))
}

fn mask(digits: &str) -> Option<u32> {
    mode(digits).filter(|mask| *mask <= 0o777)
}

/// `env` as a list of maps, or a map.
fn env(ctx: &Context<'_>) -> Result<Vec<(String, Option<String>)>, String> {
    let maps = match ctx.value("env") {
        None => return Ok(Vec::new()),
        Some(Value::Array(items)) => items.clone(),
        Some(map @ Value::Object(_)) => vec![map.clone()],
        Some(_) => return Err(NOT_ENV.to_owned()),
    };
    let mut out = Vec::new();
    for map in &maps {
        match map {
            Value::Object(map) => {
                out.extend(map.iter().map(|(key, value)| (key.clone(), Some(variable(value)))));
            }
            name => out.push((text(name), Some(String::new()))),
        }
    }
    Ok(out)
}

fn variable(value: &Value) -> String {
    if value.is_null() { String::new() } else { text(value) }
}

/// What a user's login files set, as `su -` finds it; nothing where that cannot be told.
///
/// A host under a root prefix has no login of its own.
fn login(ctx: &Context<'_>, user: &str, shell: &str) -> Vec<(String, Option<String>)> {
    if ctx.host.root().is_some() || !nix::unistd::geteuid().is_root() {
        return Vec::new();
    }
    let line = format!("printf '{MARK}'; env -0; printf '{MARK}'");
    let argv = ["su", "-s", shell, "-", user, "-c", &line].map(str::to_owned).to_vec();
    let exec = Exec { argv, timeout: Some(LOGIN), ..Exec::default() };
    let Ok(output) = run(ctx.host, &exec, ctx.cancel) else { return Vec::new() };
    let Some(printed) = output.stdout.split(MARK).nth(1) else { return Vec::new() };
    let pairs = printed.split('\0').filter_map(|pair| pair.split_once('='));
    let own = ["_", "SHLVL", "PWD", "OLDPWD"];
    let pairs = pairs.filter(|(key, _)| !own.contains(key));
    pairs.map(|(key, value)| (key.to_owned(), Some(value.to_owned()))).collect()
}

/// A list, or one text with commas.
pub(super) fn split(value: Option<&Value>) -> Vec<String> {
    match value {
        None => Vec::new(),
        Some(Value::Array(_)) => value.map(list).unwrap_or_default(),
        Some(other) => text(other).split(',').map(|part| part.trim().to_owned()).collect(),
    }
}

/// The arguments of a script: a list, or one text split as a shell does.
pub(super) fn arguments(value: Option<&Value>) -> Result<Vec<String>, String> {
    match value {
        None => Ok(Vec::new()),
        Some(Value::Array(_)) => Ok(value.map(list).unwrap_or_default()),
        Some(other) => {
            let line = text(other);
            words(&line).ok_or_else(|| format!("a quote is not closed in the arguments '{line}'"))
        }
    }
}
