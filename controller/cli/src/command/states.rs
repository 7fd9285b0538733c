//! `muster states`: state trees looked at before any worker gets them, and sent to the workers.

mod check;
mod folder;
mod push;
mod worker;

use super::Caller;
use crate::failure::{Exit, Failure, OrNext, Result};
use crate::output::{Format, Output, clean, note};
use anyhow::Context;
use folder::Folder;
use muster_protocol::id::WorkerName;
use muster_states::{Error, Kind, Selection};
use serde_json::{Value, json};
use std::path::PathBuf;

/// What a broken tree asks for.
const MEND: &str = "mend the tree; `muster states check` shows all that is wrong with it";

/// What to do with state trees.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Tell everything in a state tree that Muster cannot run or that Salt would refuse
    Check(CheckArgs),
    /// Show the text that an SLS renders to
    Render(RenderArgs),
    /// Show what a state tree compiles to
    Show(ShowArgs),
    /// Let the controller read its tree and pillars anew, and give workers what has changed
    Push(push::Args),
}

/// What to check.
#[derive(Debug, clap::Args)]
pub(crate) struct CheckArgs {
    /// The folder of the state tree, or one with the folders salt and pillar
    #[arg(default_value = ".")]
    dir: PathBuf,
    #[command(flatten)]
    given: folder::Given,
    /// Write JSON, as -o json does
    #[arg(long)]
    json: bool,
}

/// What to render.
#[derive(Debug, clap::Args)]
pub(crate) struct RenderArgs {
    /// The SLS, e.g. web.conf
    sls: String,
    /// The folder of the state tree, or one with the folders salt and pillar
    #[arg(long, default_value = ".")]
    dir: PathBuf,
    #[command(flatten)]
    given: folder::Given,
}

/// What to show.
#[derive(Debug, clap::Args)]
pub(crate) struct ShowArgs {
    /// Which stage of the compilation
    #[arg(value_enum)]
    stage: Stage,
    /// These SLS; what top.sls selects if there are none
    sls: Vec<String>,
    /// The folder of the state tree, or one with the folders salt and pillar
    #[arg(long, default_value = ".")]
    dir: PathBuf,
    #[command(flatten)]
    given: folder::Given,
    /// Let the controller compile its tree for this worker, by what it knows of it
    #[arg(long, value_name = "NAME", conflicts_with_all = FOLDER)]
    worker: Option<WorkerName>,
    /// Show the secrets of the worker's pillar, too (admins)
    #[arg(long, requires = "worker")]
    unmask: bool,
}

/// What says for whom a folder is compiled.
const FOLDER: [&str; 6] = ["dir", "pillar_root", "id", "grains", "pillar", "opts"];

/// A stage of the compilation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Stage {
    /// The SLS that top.sls selects, by environment
    Top,
    /// The high data of the SLS that are named
    Sls,
    /// The high data: states by their ID
    High,
    /// The low data: states in the order in which they run
    #[value(alias = "lowstate")]
    Low,
}

/// Does it.
pub(crate) async fn run(command: &Command, caller: &Caller) -> Result<Exit> {
    match command {
        Command::Check(args) => {
            let output = if args.json { Output::new(Format::Json) } else { caller.output };
            check::run(&Folder::read(&args.dir, &args.given)?, &output)
        }
        Command::Render(args) => render(args, caller),
        Command::Show(args) => show(args, caller).await,
        Command::Push(args) => push::run(args, caller).await,
    }
}

fn render(args: &RenderArgs, caller: &Caller) -> Result<Exit> {
    let folder = Folder::read(&args.dir, &args.given)?;
    let pillar = folder.pillar().map_err(|errors| broken(&errors))?;
    let rendered =
        muster_states::rendered(&folder.request(&pillar, &Selection::Highstate), &args.sls);
    caller.output.text(&rendered.map_err(|error| broken(&[error]))?)?;
    Ok(Exit::Ok)
}

async fn show(args: &ShowArgs, caller: &Caller) -> Result<Exit> {
    let names = args.sls.iter().flat_map(|name| name.split(',')).map(str::to_owned);
    if args.stage == Stage::Sls && args.sls.is_empty() {
        return Err(Failure::say("show sls needs the names of SLS", "name them, or show high"));
    }
    if let Some(worker) = &args.worker {
        return worker::show(worker, args.stage, names.collect(), args.unmask, caller).await;
    }
    let folder = Folder::read(&args.dir, &args.given)?;
    let selection =
        if args.sls.is_empty() { Selection::Highstate } else { Selection::Sls(names.collect()) };
    let pillar = folder.pillar().map_err(|errors| broken(&errors))?;
    let request = folder.request(&pillar, &selection);
    let shown = match args.stage {
        Stage::Top => muster_states::show_top(&request),
        Stage::Sls | Stage::High => muster_states::show_high(&request),
        Stage::Low => muster_states::show_low(&request),
    };
    let shown = match shown {
        Ok(shown) => shown,
        Err(errors) if errors.first().is_some_and(|error| error.kind == Kind::Nothing) => {
            if args.stage == Stage::Low { json!([]) } else { json!({}) }
        }
        Err(errors) => return Err(broken(&errors)),
    };
    tell(&shown, &caller.output)?;
    Ok(Exit::Ok)
}

/// YAML for people, as trees are written; JSON for programs.
fn tell(shown: &Value, output: &Output) -> Result<()> {
    if output.is_table() {
        return output.text(&clean(&muster_states::write_yaml(shown)));
    }
    output.value(shown)
}

/// All faults but the first go to stderr at once; the first ends the command.
fn broken(errors: &[Error]) -> Failure {
    for error in errors.iter().skip(1) {
        note(&format!("error: {}", clean(&error.to_string())));
    }
    let first = errors.first().map_or_else(String::new, ToString::to_string);
    Failure::say(first, MEND)
}

/// A map that the command line gives, as JSON or in a file.
fn map(option: &str, text: Option<&String>) -> Result<serde_json::Map<String, Value>> {
    let Some(text) = text else { return Ok(serde_json::Map::new()) };
    let next = format!("give {option} a map in JSON as '{{\"name\": \"value\"}}', or @FILE");
    let text = match text.strip_prefix('@') {
        Some(file) => std::fs::read_to_string(file)
            .with_context(|| format!("reading {file} for {option}"))
            .or_next(next.as_str())?,
        None => text.clone(),
    };
    let value = muster_states::read_yaml(&text).with_context(|| format!("reading {option}"));
    match value.or_next(next.as_str())? {
        Value::Object(map) => Ok(map),
        Value::Null => Ok(serde_json::Map::new()),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(Failure::say(format!("{option} is no map"), next))
        }
    }
}
