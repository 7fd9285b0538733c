//! `cmd.script`: a file of the tree, perhaps rendered, run once and removed.

use std::fs::Permissions;
use std::io::{self, Write};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use serde_json::{Value, json};

use super::{Ended, exec, judged, missing_cwd, result, stateful, test_name};
use crate::chunk::Chunk;
use crate::function::file::source;
use crate::function::{Context, Lint, Plan, StateFunction};
use crate::host::command::{CommandError, Exec};
use crate::host::files::TEMPORARY;
use crate::outcome::{Changes, Outcome};

const TAKES: &[&str] = &[
    "source",
    "args",
    "cwd",
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
    "bg",
    "stdin",
    "stdin_raw_newlines",
    "template",
    "context",
    "defaults",
    "rstrip",
    "reset_system_locale",
    "success_retcodes",
    "success_stdout",
    "success_stderr",
];
const REFUSES: &[&str] = &["password", "output_encoding", "root", "retcode"];

pub(super) struct Script;

impl StateFunction for Script {
    const MODULE: &'static str = "cmd";
    const NAME: &'static str = "script";
    const TAKES: &'static [&'static str] = TAKES;
    const TOLERATES: &'static [&'static str] = super::TOLERATES;
    const REFUSES: &'static [&'static str] = REFUSES;
    const WATCHES: bool = true;
    type Step = ();

    fn lint(chunk: &Chunk) -> Vec<Lint> {
        lint(chunk)
    }

    fn check(ctx: &Context<'_>) -> Plan<()> {
        check(ctx)
    }

    fn apply(ctx: &Context<'_>, (): ()) -> Outcome {
        apply(ctx, ctx.name()).0
    }

    fn watch(ctx: &Context<'_>) -> Outcome {
        crate::function::run::<Script>(ctx)
    }
}

pub(super) struct WaitScript;

impl StateFunction for WaitScript {
    const MODULE: &'static str = "cmd";
    const NAME: &'static str = "wait_script";
    const TAKES: &'static [&'static str] = TAKES;
    const TOLERATES: &'static [&'static str] = super::TOLERATES;
    const REFUSES: &'static [&'static str] = REFUSES;
    const WATCHES: bool = true;
    type Step = ();

    fn lint(chunk: &Chunk) -> Vec<Lint> {
        lint(chunk)
    }

    fn check(_: &Context<'_>) -> Plan<()> {
        Plan::fine("")
    }

    fn apply(_: &Context<'_>, (): ()) -> Outcome {
        Outcome::fine("")
    }

    fn watch(ctx: &Context<'_>) -> Outcome {
        crate::function::run::<Script>(ctx)
    }
}

/// The name is the source, unless there is one.
fn lint(chunk: &Chunk) -> Vec<Lint> {
    let mut with = chunk.clone();
    if with.args.get("source").is_none_or(Value::is_null) {
        with.args.insert("source".to_owned(), Value::from(chunk.name.as_str()));
    }
    let mut out = source::lint(&with);
    out.extend(exec::lint(chunk).into_iter().filter(|(key, _)| *key != "template"));
    out
}

fn check(ctx: &Context<'_>) -> Plan<()> {
    if !super::is_env(ctx.value("env")) {
        return Plan::failed("Invalidly-formatted 'env' parameter. See documentation.");
    }
    if let Some(problem) = super::bad_list(ctx) {
        return Plan::failed(problem);
    }
    for key in ["context", "defaults"] {
        let wrong = |value: &&Value| crate::function::args::truth(value) && !value.is_object();
        if ctx.value(key).filter(wrong).is_some() {
            let comment = "parameter. Must be formed as a dict.";
            return Plan::failed(format!("Invalidly-formatted '{key}' {comment}"));
        }
    }
    if !ctx.test {
        return Plan::change("", Changes::new(), ());
    }
    if let Some(test_name) = test_name(ctx) {
        let (mut outcome, code) = apply(ctx, &test_name);
        if code == Some(0) && !outcome.changes.is_empty() {
            outcome.result = None;
        }
        return Plan::Done(outcome.called(test_name));
    }
    let comment = format!("Command '{}' would have been executed", ctx.name());
    let foreseen = Outcome::foreseen(comment, Changes::new());
    let foreseen = if stateful(ctx) { result::reinterpreted(foreseen) } else { foreseen };
    Plan::Change { foreseen, step: () }
}

fn apply(ctx: &Context<'_>, name: &str) -> (Outcome, Option<i32>) {
    if let Some(problem) = missing_cwd(ctx) {
        return (Outcome::failed(problem), None);
    }
    let source = ctx.value("source").cloned().unwrap_or_else(|| Value::from(name));
    if let Some(path) = source.as_str().filter(|path| !path.contains("://"))
        && !path.starts_with('/')
    {
        return (Outcome::failed(format!("Path '{path}' is not absolute")), None);
    }
    let Ok(found) = source::find(ctx, &source) else {
        let changes = json!({
            "pid": 0, "retcode": 1, "stdout": "", "stderr": "", "cache_error": true,
        });
        let shown = crate::function::args::text(&source);
        let comment =
            format!("Unable to cache script {shown} from saltenv '{}'", ctx.chunk.saltenv());
        let changes = changes.as_object().cloned().unwrap_or_default();
        let outcome = Outcome { result: Some(false), ..Outcome::changed(comment, changes) };
        return (if stateful(ctx) { result::reinterpreted(outcome) } else { outcome }, Some(1));
    };
    let ready = source::read(ctx, &found, source::Sees::Given).and_then(|data| {
        let given = match ctx.value("args") {
            Some(given) => Some(given.clone()),
            None => name.split_once(' ').map(|(_, rest)| Value::from(rest)),
        };
        Ok((data, exec::arguments(given.as_ref())?, exec::exec(ctx, "")?))
    });
    let (data, args, exec) = match ready {
        Ok(ready) => ready,
        Err(problem) => return (Outcome::failed(problem), None),
    };
    let extension = Path::new(&crate::function::args::text(&source))
        .extension()
        .map(|extension| format!(".{}", extension.to_string_lossy()));
    let script = match put(ctx, &exec, &data, &extension.unwrap_or_default()) {
        Ok(script) => script,
        Err(error) => return (Outcome::failed(error.to_string()), None),
    };
    let path = script.to_string_lossy().into_owned();
    let command = format!("['{path}']");
    let ended = run(ctx, exec, path, args);
    if matches!(ended, Ok(Ended::Left(_))) {
        // It may not have been read yet: what is left in the background keeps its file.
        let _kept = script.keep();
    }
    judged(ctx, ended, &format!("Command '{name}' run"), &command)
}

/// Writes the script where its user can run it, and nobody else read it.
fn put(
    ctx: &Context<'_>,
    exec: &Exec,
    data: &[u8],
    extension: &str,
) -> io::Result<tempfile::TempPath> {
    let folder = match ctx.text("cwd").filter(|cwd| !cwd.is_empty()) {
        Some(cwd) => ctx.host.followed(&cwd),
        None => std::env::temp_dir(),
    };
    ctx.host.makes_temp_in(&folder);
    let mut builder = tempfile::Builder::new();
    let mut file = builder.prefix(TEMPORARY).suffix(extension).tempfile_in(folder)?;
    file.write_all(data)?;
    let accounts = ctx.host.accounts();
    if let Some(uid) = exec.runas.as_ref().and_then(|user| accounts.uid(user)) {
        chown(file.path(), Some(uid), None)?;
    }
    file.as_file().set_permissions(Permissions::from_mode(0o500))?;
    Ok(file.into_temp_path())
}

/// By a shell, so that a script without a first line that names its interpreter runs too.
fn run(
    ctx: &Context<'_>,
    mut exec: Exec,
    path: String,
    args: Vec<String>,
) -> Result<Ended, CommandError> {
    let shell = exec.argv[0].clone();
    exec.argv = vec![shell.clone(), "-c".to_owned(), "\"$@\"".to_owned(), shell, path];
    exec.argv.extend(args);
    super::execute(ctx, &exec)
}
