//! `file.patch`: a file or folder as a patch makes it.

mod options;

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::managed::Managed;
use super::source;
use crate::chunk::{Args, Chunk};
use crate::function::{Context, Lint, Plan, StateFunction, run};
use crate::host::command::{Exec, Output, run as run_command};
use crate::host::files::{TEMPORARY, which};
use crate::outcome::{Changes, Outcome};
use options::Options;

pub(in crate::function) struct Patch;

/// A patch that applies.
pub(in crate::function) struct Step {
    work: Work,
    options: Options,
}

/// A folder for the patch and what comes of trying it.
struct Work {
    folder: tempfile::TempDir,
}

impl Work {
    fn new(ctx: &Context<'_>) -> std::io::Result<Work> {
        let folder = ctx.host.followed("/tmp");
        ctx.host.makes_temp_in(&folder);
        let folder = tempfile::Builder::new().prefix(TEMPORARY).tempdir_in(folder)?;
        Ok(Work { folder })
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

impl StateFunction for Patch {
    const MODULE: &'static str = "file";
    const NAME: &'static str = "patch";
    const TAKES: &'static [&'static str] = &[
        "source",
        "source_hash",
        "source_hash_name",
        "skip_verify",
        "template",
        "context",
        "defaults",
        "options",
        "reject_file",
        "strip",
        "saltenv",
    ];
    const TOLERATES: &'static [&'static str] = &["hash", "dry_run_first"];
    type Step = Step;

    fn lint(chunk: &Chunk) -> Vec<Lint> {
        source::lint(chunk)
    }

    fn doubt(chunk: &Chunk) -> Vec<Lint> {
        source::doubt(chunk)
    }

    fn check(ctx: &Context<'_>) -> Plan<Step> {
        let options = match prepared(ctx) {
            Ok(options) => options,
            Err(problem) => return Plan::failed(problem),
        };
        let work = match Work::new(ctx) {
            Ok(work) => work,
            Err(error) => return Plan::failed(format!("Failed to cache patch file: {error}")),
        };
        if let Some(failed) = fetched(ctx, &work) {
            return Plan::Done(failed);
        }
        match tried(ctx, &work, &options) {
            Ok(Ok(changes)) => {
                Plan::change("The patch would be applied", changes, Step { work, options })
            }
            Ok(Err(outcome)) => Plan::Done(outcome),
            Err(problem) => Plan::failed(problem),
        }
    }

    fn apply(ctx: &Context<'_>, Step { work, options }: Step) -> Outcome {
        keep(ctx);
        let argv = command(ctx, &options, &work.path("patch"), &strip(ctx, &options), false);
        match ran(ctx, argv) {
            Err(problem) => Outcome::failed(problem),
            Ok(output) => {
                let changes = told(&output);
                match output.code {
                    0 => Outcome::changed("Patch successfully applied", changes),
                    _ => Outcome { changes, ..Outcome::failed("Failed to apply patch") },
                }
            }
        }
    }
}

/// Checks the arguments, in Salt's order.
fn prepared(ctx: &Context<'_>) -> Result<Options, String> {
    let name = ctx.name();
    if which(ctx.host, "patch").is_none() {
        return Err("patch executable not found on minion".to_owned());
    }
    if name.is_empty() {
        return Err("A file/directory to be patched is required".to_owned());
    }
    if !name.starts_with('/') {
        return Err(format!("{name} is not an absolute path"));
    }
    if ctx.host.stat(name).is_none() {
        return Err(format!("{name} does not exist"));
    }
    if let Some(reject) = ctx.text("reject_file") {
        if !reject.starts_with('/') {
            return Err(format!("'{reject}' is not an absolute path"));
        }
        if !ctx.host.stat(super::parent(&reject)).is_some_and(|meta| meta.is_dir()) {
            return Err(format!(
                "Parent directory for reject_file '{reject}' either does not exist, or is not a \
                 directory"
            ));
        }
    }
    let options = Options::of(ctx)?;
    if let Some(source) = ctx.value("source").filter(|source| source.is_array()) {
        source::find(ctx, source)?;
    }
    Ok(options)
}

/// Brings the patch as `file.managed` would; what went wrong, if that ends the state.
fn fetched(ctx: &Context<'_>, work: &Work) -> Option<Outcome> {
    let place = std::path::PathBuf::from(work.path("patch"));
    let name = match ctx.host.root() {
        Some(root) => Path::new("/").join(place.strip_prefix(root).unwrap_or(&place)),
        None => place,
    };
    let name = name.display().to_string();
    if let Err(error) = fs::write(work.path("patch"), "") {
        return Some(Outcome::failed(format!("Failed to cache patch file: {error}")));
    }
    let mut chunk =
        Chunk { fun: "managed".to_owned(), name, args: Args::default(), ..ctx.chunk.clone() };
    let keys = [
        "source",
        "source_hash",
        "source_hash_name",
        "skip_verify",
        "template",
        "context",
        "defaults",
        "saltenv",
    ];
    for key in keys {
        if let Some(value) = ctx.value(key) {
            chunk.args.insert(key.to_owned(), value.clone());
        }
    }
    let done = crate::backup::with(None, || {
        run::<Managed>(&Context { chunk: &chunk, test: false, ..*ctx })
    });
    // A dry run goes on with no patch at all, as Salt's does.
    (done.result == Some(false) && !ctx.test).then_some(done)
}

/// Applies to a file apart: the changes to tell, or why it cannot be done.
fn tried(
    ctx: &Context<'_>,
    work: &Work,
    options: &Options,
) -> Result<Result<Changes, Outcome>, String> {
    let reject = match ctx.text("reject_file") {
        Some(file) => ctx.host.path(&file).display().to_string(),
        None => work.path("rejects"),
    };
    let mut more = vec!["-N".to_owned(), "-r".to_owned(), reject.clone()];
    more.extend(["-o".to_owned(), work.path("output")]);
    more.extend(strip(ctx, options));
    let output = ran(ctx, command(ctx, options, &work.path("patch"), &more, false))?;
    if output.code == 0 {
        return Ok(Ok(told(&output)));
    }
    let failed = |comment: String| Ok(Err(Outcome::failed(comment)));
    if fs::metadata(&reject).map_or(0, |meta| meta.len()) == 0 {
        return failed(output.stderr.trim_end().to_owned());
    }
    let back = ["-R".to_owned(), "-f".to_owned()];
    let undone = ran(ctx, command(ctx, options, &reject, &back, true))?;
    if output.code == 2 && !output.stderr.trim_end().is_empty() {
        return failed(output.stderr.trim_end().to_owned());
    }
    if undone.code == 0 {
        return Ok(Err(Outcome::fine("Patch was already applied")));
    }
    let mut comment = "Patch would not apply cleanly, no changes made. Results of dry-run are \
                       below."
        .to_owned();
    if ctx.value("reject_file").is_none() {
        comment.push_str(
            " Run state again using the reject_file option to save rejects to a persistent file.",
        );
    }
    failed(format!("{comment}\n\n{}", nested(&output)))
}

fn strip(ctx: &Context<'_>, options: &Options) -> Vec<String> {
    let folder = ctx.host.stat(ctx.name()).is_some_and(|meta| meta.is_dir());
    options.strip.iter().filter(|_| folder).map(|strip| format!("-p{strip}")).collect()
}

/// The command line, as Salt makes it.
fn command(
    ctx: &Context<'_>,
    options: &Options,
    patch: &str,
    more: &[String],
    dry: bool,
) -> Vec<String> {
    let program = which(ctx.host, "patch").unwrap_or_else(|| "patch".to_owned());
    let mut argv = vec![program];
    argv.extend(options.words.iter().chain(more).cloned());
    if dry {
        argv.push("--dry-run".to_owned());
    }
    let has = |argv: &[String], is: &dyn Fn(&str) -> bool| argv.iter().any(|word| is(word));
    if !has(&argv, &|word| word == "-N" || word == "--forward") {
        argv.push("--forward".to_owned());
    }
    let rejects =
        |word: &str| word == "-r" || word.starts_with("-r ") || word.starts_with("--reject-file");
    if !has(&argv, &rejects) {
        argv.push("--reject-file=-".to_owned());
    }
    argv.extend(["-i".to_owned(), patch.to_owned()]);
    let place = ctx.host.path(ctx.name()).display().to_string();
    if !ctx.host.stat(ctx.name()).is_some_and(|meta| meta.is_dir()) {
        argv.push(place);
        return argv;
    }
    argv.extend(["-d".to_owned(), place]);
    if !has(&argv, &|word| word.starts_with("-p") || word.starts_with("--strip=")) {
        argv.push("--strip=0".to_owned());
    }
    argv
}

fn ran(ctx: &Context<'_>, argv: Vec<String>) -> Result<Output, String> {
    let exec = Exec { argv, ..Exec::default() };
    run_command(ctx.host, &exec, ctx.cancel).map_err(|error| error.to_string())
}

fn told(output: &Output) -> Changes {
    let (stdout, stderr) = (output.stdout.trim_end(), output.stderr.trim_end());
    let shown = json!({
        "pid": output.pid, "retcode": output.code, "stdout": stdout, "stderr": stderr,
    });
    match shown {
        Value::Object(map) => map,
        _ => Changes::new(),
    }
}

/// What a command gave, indented below a comment.
fn nested(output: &Output) -> String {
    let mut lines = vec!["----------".to_owned()];
    let mut add = |key: &str, text: &str| {
        lines.push(format!("{key}:"));
        lines.extend(text.trim_end().lines().map(|line| format!("    {line}")));
    };
    add("pid", &output.pid.to_string());
    add("retcode", &output.code.to_string());
    add("stderr", &output.stderr);
    add("stdout", &output.stdout);
    let indented: Vec<String> = lines.iter().map(|line| format!("{:14}{line}", "")).collect();
    indented.join("\n")
}

/// What the patch may change is kept for `muster-agent restore`.
fn keep(ctx: &Context<'_>) {
    let path = ctx.host.followed(ctx.name());
    if Path::is_dir(&path) {
        crate::backup::keep_all(&path);
    } else {
        crate::backup::keep(&path);
    }
}
