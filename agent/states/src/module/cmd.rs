//! cmd: running commands. Salt gives a line to a shell only if `python_shell` asks for one.

use std::time::Duration;

use minijinja::Error;
use minijinja::value::{Value, ValueKind};

use super::merge::is_list;
use super::{Call, Function, acts, reads, tidy};
use crate::host::command::{Cancel, CommandError, Exec, Output, home, leave, run, settled};
use crate::host::{Host, files};
use crate::render::python::{dict, from_json, items, list, pairs, repr, text};

/// How long a command may run while a template renders, unless the call says otherwise.
pub(super) const TIMEOUT_DEFAULT: Duration = Duration::from_secs(60);

/// This module's functions. They run in templates, too, as Salt's do: what they change is the
/// template's own doing.
pub(super) const ALL: &[Function] = &[
    reads("cmd.run", RUN, |call| printed(call, None)),
    reads("cmd.run_stdout", RUN, |call| printed(call, None)),
    reads("cmd.shell", RUN, |call| printed(call, Some(true))),
    reads("cmd.run_stderr", RUN, |call| {
        let ran = execute(call, None, false)?;
        Ok(Value::from(if call.flag("hide_output", false) { String::new() } else { ran.stderr }))
    }),
    reads("cmd.run_all", RUN, |call| {
        let ran = execute(call, None, call.flag("redirect_stderr", false))?;
        let hide = call.flag("hide_output", false);
        let shown =
            if hide { Output { stdout: String::new(), stderr: String::new(), ..ran } } else { ran };
        let code = shown.code;
        Ok(all(&shown, code))
    }),
    reads("cmd.retcode", RUN, |call| execute(call, None, true).map(|ran| Value::from(ran.code))),
    acts("cmd.run_bg", LEFT, left),
    acts("cmd.script", SCRIPT, script),
    acts("cmd.script_retcode", SCRIPT, |call| {
        let ran = script(call)?;
        Ok(ran.get_attr("retcode").unwrap_or(ran))
    }),
    reads("cmd.which", "cmd", |call| {
        Ok(which(&call.scope.host, &call.text("cmd")).map_or_else(|| Value::from(()), Value::from))
    }),
    reads("cmd.which_bin", "cmds", |call| {
        let names = items(&call.must("cmds"));
        let found = names.iter().find_map(|name| which(&call.scope.host, &text(name)));
        Ok(found.map_or_else(|| Value::from(()), Value::from))
    }),
    reads("cmd.has_exec", "cmd", |call| {
        Ok(Value::from(which(&call.scope.host, &call.text("cmd")).is_some()))
    }),
    reads("cmd.shells", "", |call| {
        let text = call.scope.host.read_text("/etc/shells").unwrap_or_default();
        let lines = text.lines().map(str::trim).filter(|line| line.starts_with('/'));
        Ok(list(lines.map(Value::from).collect()))
    }),
];

/// What all of them take, in the order of `cmd.run`; names after `group` are hardly ever places.
const RUN: &str = "cmd cwd= stdin= runas= group= shell= python_shell= env= clean_env= template=! \
                   rstrip= umask= output_encoding= output_loglevel= log_callback= hide_output= \
                   timeout= reset_system_locale= ignore_retcode= saltenv= use_vt=! \
                   redirect_stderr= bg=! password=! encoded_cmd=! raise_err= prepend_path= \
                   success_retcodes= success_stdout= success_stderr= * root=! **kwargs";

/// What `cmd.run_bg` takes. Nobody waits for the command: it has no limit, and no code is judged.
const LEFT: &str = "cmd cwd= runas= group= shell= python_shell= env= clean_env= template=! umask= \
                    timeout= output_encoding= output_loglevel= log_callback= \
                    reset_system_locale= ignore_retcode= saltenv= password=! prepend_path= \
                    success_retcodes= success_stdout= success_stderr= * encoded_cmd=! root=! \
                    **kwargs";

/// What those take that run a script of the tree.
const SCRIPT: &str = "source args= cwd= stdin= runas= group= shell= python_shell= env= template= \
                      umask= output_encoding= output_loglevel= log_callback= hide_output= timeout= \
                      reset_system_locale= saltenv= use_vt= bg= password= success_retcodes= \
                      success_stdout= success_stderr= **kwargs";

/// Runs a script of the tree, as a state does: what `cmd.run_all` would return of it.
fn script(call: &Call<'_>) -> Result<Value, Error> {
    let mut given = call.more();
    given.extend(
        call.given(&["args", "cwd", "stdin", "runas", "group", "shell", "env", "template"]),
    );
    given.extend(call.given(&["umask", "hide_output", "timeout", "bg", "success_retcodes"]));
    given.extend(call.given(&["success_stdout", "success_stderr"]));
    let source = call.text("source");
    given.insert("source".to_owned(), source.as_str().into());
    let outcome = call.outcome("cmd.script", &source, given, false)?;
    if !outcome.changes.contains_key("retcode") {
        return Err(call.fail(outcome.comment));
    }
    let code = outcome.changes.get("retcode").and_then(serde_json::Value::as_i64);
    call.set_retcode(code.and_then(|code| i32::try_from(code).ok()).unwrap_or(1));
    Ok(from_json(&outcome.changes.into()))
}

/// Starts a command and leaves it to itself.
fn left(call: &Call<'_>) -> Result<Value, Error> {
    // What Salt gives its own runner for a command that is left; it fails to give them twice.
    let own = ["stdin", "stderr", "stdout", "use_vt", "bg", "with_communicate", "rstrip"];
    if let Some((name, _)) = call.others().find(|(name, _)| own.contains(name)) {
        let words = format!("_run() got multiple values for keyword argument '{name}'");
        return Err(call.invalid(format!("salt.loaded.int.module.cmdmod.{words}")));
    }
    let exec = exec(call, None, false)?;
    let pid = leave(&call.scope.host, &exec).map_err(|error| call.fail(told(&error, &exec)))?;
    Ok(dict([(Value::from("pid"), Value::from(pid))].into_iter().collect()))
}

fn printed(call: &Call<'_>, shell: Option<bool>) -> Result<Value, Error> {
    let redirect = call.name() != "cmd.run_stdout" && call.flag("redirect_stderr", true);
    let ran = execute(call, shell, redirect)?;
    if ran.code != 0 && call.flag("raise_err", false) && !call.flag("ignore_retcode", false) {
        return Err(call.fail(ran.stdout));
    }
    Ok(Value::from(if call.flag("hide_output", false) { String::new() } else { ran.stdout }))
}

/// Runs the command of a call; the output is cut at its end, the code judged.
fn execute(call: &Call<'_>, shell: Option<bool>, redirect: bool) -> Result<Output, Error> {
    let exec = exec(call, shell, redirect)?;
    let host = &call.scope.host;
    let ran = run(host, &exec, &Cancel::in_force());
    let mut output = ran.map_err(|error| {
        // No secrets are known yet that a pillar's command line could be masked of.
        call.fail(if call.scope.of_pillar { error.to_string() } else { told(&error, &exec) })
    })?;
    if output.timed_out {
        let timeout = exec.timeout.unwrap_or_default().as_secs_f64();
        // Salt tells the command as it ran it: the words of one without a shell.
        let words = list(exec.argv.iter().map(|word| Value::from(word.as_str())).collect());
        let by_shell = exec.argv.get(1).is_some_and(|word| word == "-c");
        let cmd = if by_shell { text(&call.must("cmd")) } else { text(&words) };
        output.stdout = format!("{cmd} : Timed out after {timeout} seconds");
        output.stderr.clear();
    } else if call.flag("rstrip", true) {
        output.stdout.truncate(output.stdout.trim_end().len());
        output.stderr.truncate(output.stderr.trim_end().len());
    }
    let listed = |name: &str| {
        let value = call.set(name).filter(Value::is_true);
        value.map(|value| split(&value)).unwrap_or_default()
    };
    if listed("success_retcodes").contains(&output.code.to_string())
        || listed("success_stdout").iter().any(|wanted| output.stdout.contains(wanted))
        || listed("success_stderr").iter().any(|wanted| output.stderr.contains(wanted))
    {
        output.code = 0;
    }
    call.set_retcode(if call.flag("ignore_retcode", false) { 0 } else { output.code });
    Ok(output)
}

/// Salt's words for a command that could not be run.
fn told(error: &CommandError, exec: &Exec) -> String {
    match error {
        CommandError::Start { program, source } => {
            let by_shell = exec.argv.get(1).is_some_and(|word| word == "-c");
            let words = list(exec.argv.iter().map(|word| Value::from(word.as_str())).collect());
            let seconds = exec.timeout.filter(|_| exec.timeout != Some(TIMEOUT_DEFAULT));
            format!(
                "Unable to run command '{}' with the context '{{'cwd': {}, 'shell': {}, 'stdout': \
                 -1, 'stderr': {}, 'with_communicate': True, 'timeout': {}, 'bg': False, \
                 'close_fds': True}}', reason: {}",
                text(&words),
                repr(&Value::from(exec.cwd.as_deref().unwrap_or("/"))),
                if by_shell { "True" } else { "False" },
                if exec.merge_stderr { -2 } else { -1 },
                seconds.map_or_else(|| "None".to_owned(), |limit| limit.as_secs_f64().to_string()),
                super::file::os_error(source, program)
            )
        }
        CommandError::NoUser(name) => format!("User '{name}' is not available"),
        CommandError::NoGroup(name) => format!("Group '{name}' is not available"),
        other => other.to_string(),
    }
}

/// A list, or words between commas.
fn split(value: &Value) -> Vec<String> {
    if is_list(value) || value.is_tuple() {
        return items(value).iter().map(text).collect();
    }
    text(value).split(',').map(|word| word.trim().to_owned()).collect()
}

fn exec(call: &Call<'_>, shell: Option<bool>, redirect: bool) -> Result<Exec, Error> {
    let cmd = call.must("cmd");
    let program = shell_of(call);
    let by_shell = call.set("python_shell").map(|flag| flag.is_true()).or(shell).unwrap_or(false);
    let argv = if is_list(&cmd) || cmd.is_tuple() {
        items(&cmd).iter().map(text).collect()
    } else if by_shell {
        Exec::shell(&program, &text(&cmd)).argv
    } else {
        tidy::words(&text(&cmd)).ok_or_else(|| call.fail("No closing quotation"))?
    };
    if argv.first().is_none_or(String::is_empty) {
        return Err(call.fail("Unable to run command '[]': there is no command"));
    }
    let word = |name: &str| call.text_of(name).filter(|word| !word.is_empty());
    let (runas, group) = (word("runas"), word("group"));
    let host = &call.scope.host;
    let cwd = word("cwd").or_else(|| home(host, runas.as_deref()));
    if let Some(cwd) = call.text_of("cwd").filter(|cwd| !cwd.is_empty())
        && !(cwd.starts_with('/') && host.stat(&cwd).is_some_and(|meta| meta.is_dir()))
    {
        return Err(
            call.fail(format!("Specified cwd '{cwd}' either not absolute or does not exist"))
        );
    }
    let umask = call.text_of("umask").map(|umask| {
        let digits = umask.trim_start_matches('0');
        if digits.is_empty() {
            return Err(call.fail("Zero umask is not allowed."));
        }
        u32::from_str_radix(digits, 8).map_err(|_| call.fail(format!("Invalid umask: '{umask}'")))
    });
    let seconds = call.set("timeout").and_then(|timeout| text(&timeout).parse::<f64>().ok());
    let timeout = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let usual = call.site.state.is_none().then_some(TIMEOUT_DEFAULT);
    Ok(Exec {
        argv,
        cwd,
        env: env(call)?,
        runas,
        group,
        umask: umask.transpose()?,
        timeout: timeout.or(usual),
        stdin: call.text_of("stdin"),
        merge_stderr: redirect,
        clean_env: call.flag("clean_env", false),
        reads: false,
    })
}

/// The shell to use: the call's, or the host's.
fn shell_of(call: &Call<'_>) -> String {
    let fact = || call.scope.facts.get("shell").and_then(|shell| shell.as_str().map(str::to_owned));
    let given = call.text_of("shell").filter(|shell| !shell.is_empty());
    given.or_else(fact).unwrap_or_else(|| "/bin/sh".to_owned())
}

/// `env` as a map or a list of maps; `prepend_path` before the path.
fn env(call: &Call<'_>) -> Result<Vec<(String, Option<String>)>, Error> {
    let mut out = Vec::new();
    let maps = match call.set("env").filter(Value::is_true) {
        None => Vec::new(),
        Some(value) if is_list(&value) => items(&value),
        Some(value) => vec![value],
    };
    for map in &maps {
        if map.kind() != ValueKind::Map {
            return Err(call.fail("Invalidly-formatted 'env' parameter. See documentation."));
        }
        for (key, value) in pairs(map) {
            let value = if value.is_none() { String::new() } else { text(&value) };
            out.push((text(&key), Some(value)));
        }
    }
    if let Some(folder) = call.text_of("prepend_path").filter(|folder| !folder.is_empty()) {
        let path = std::env::var("PATH").unwrap_or_default();
        out.push(("PATH".to_owned(), Some(format!("{folder}:{path}"))));
    }
    Ok(settled(out, call.flag("reset_system_locale", true)))
}

/// What `cmd.run_all` returns.
pub(super) fn all(output: &Output, code: i32) -> Value {
    let entry = |name: &str, value: Value| (Value::from(name), value);
    crate::render::python::dict(
        [
            entry("pid", Value::from(output.pid)),
            entry("retcode", Value::from(code)),
            entry("stdout", Value::from(output.stdout.as_str())),
            entry("stderr", Value::from(output.stderr.as_str())),
        ]
        .into_iter()
        .collect(),
    )
}

/// Finds a program: in the agent's own path, then in the usual folders.
pub(super) fn which(host: &Host, name: &str) -> Option<String> {
    let name = name.trim();
    if host.root().is_none() && !name.contains('/') && !name.is_empty() {
        let path = std::env::var("PATH").unwrap_or_default();
        let own = path.split(':').filter(|folder| folder.starts_with('/'));
        let found = own.map(|folder| format!("{folder}/{name}"));
        if let Some(found) = found.into_iter().find_map(|path| files::which(host, &path)) {
            return Some(found);
        }
    }
    files::which(host, name).filter(|_| !name.is_empty())
}
