//! cmd: running commands while a template renders.

use std::time::Duration;

use minijinja::Error;
use minijinja::value::Value;

use super::{Body, Call};
use crate::host::command::{Cancel, Exec, Output, run};
use crate::render::python::{dict, fault, pairs, text};

/// How long a command may run inside a render, unless the call says otherwise.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(60);

pub(super) fn find(name: &str) -> Option<Body> {
    Some(match name {
        "cmd.run" | "cmd.shell" | "cmd.run_stdout" => {
            |call| execute(call).map(|output| Value::from(output.stdout.trim_end_matches('\n')))
        }
        "cmd.run_stderr" => {
            |call| execute(call).map(|output| Value::from(output.stderr.trim_end_matches('\n')))
        }
        "cmd.retcode" => |call| execute(call).map(|output| Value::from(output.code)),
        "cmd.run_all" => |call| execute(call).map(|output| all(&output)),
        "cmd.which" => which,
        "cmd.has_exec" => |call| which(call).map(|found| Value::from(!found.is_none())),
        _ => return None,
    })
}

fn execute(call: &Call<'_>) -> Result<Output, Error> {
    let line = call.text(0, "cmd")?;
    let seconds = call.arg(99, "timeout").and_then(|timeout| f64::try_from(timeout).ok());
    let env = call.arg(99, "env").map(|env| {
        pairs(&env).into_iter().map(|(key, value)| (text(&key), Some(text(&value)))).collect()
    });
    let word = |name: &str| call.arg(99, name).filter(Value::is_true).map(|value| text(&value));
    let shell = word("shell").unwrap_or_else(|| "/bin/sh".to_owned());
    let timeout = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let exec = Exec {
        cwd: word("cwd"),
        runas: word("runas"),
        env: env.unwrap_or_default(),
        timeout: Some(timeout.unwrap_or(TIMEOUT_DEFAULT)),
        ..Exec::shell(&shell, &line)
    };
    run(&call.scope.host, &exec, &Cancel::default()).map_err(|error| fault(error.to_string()))
}

fn all(output: &Output) -> Value {
    let entry = |name: &str, value: Value| (Value::from(name), value);
    dict(
        [
            entry("pid", Value::from(output.pid)),
            entry("retcode", Value::from(output.code)),
            entry("stdout", Value::from(output.stdout.trim_end_matches('\n'))),
            entry("stderr", Value::from(output.stderr.trim_end_matches('\n'))),
        ]
        .into_iter()
        .collect(),
    )
}

fn which(call: &Call<'_>) -> Result<Value, Error> {
    let name = call.text(0, "cmd")?;
    let found = crate::host::files::which(&call.scope.host, &name);
    Ok(found.map_or_else(|| Value::from(()), Value::from))
}
