//! What is made from the command line itself: completions, manual pages, the release.

use crate::args::Cli;
use crate::failure::{Exit, OrNext, Result};
use crate::output::{Output, note};
use anyhow::Context;
use clap::CommandFactory;
use clap_complete::Shell;
use serde::Serialize;
use std::path::PathBuf;

/// Which shell.
#[derive(Debug, clap::Args)]
pub(crate) struct CompletionArgs {
    /// The shell that will read them
    #[arg(value_enum)]
    shell: Shell,
}

/// Where to.
#[derive(Debug, clap::Args)]
pub(crate) struct ManArgs {
    /// The folder for the pages; made if it is missing
    folder: PathBuf,
}

/// Writes completions to stdout.
pub(crate) fn completions(args: &CompletionArgs, output: &Output) -> Result<Exit> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "muster", &mut text);
    output.text(&String::from_utf8_lossy(&text))?;
    Ok(Exit::Ok)
}

/// Writes `muster.1` and a page for each command.
pub(crate) fn man(args: &ManArgs) -> Result<Exit> {
    let next = "give a folder that you may write to";
    let folder = args.folder.display();
    std::fs::create_dir_all(&args.folder)
        .with_context(|| format!("making {folder}"))
        .or_next(next)?;
    let pages = clap_mangen::generate_to(Cli::command(), &args.folder);
    pages.with_context(|| format!("writing the pages into {folder}")).or_next(next)?;
    note(&format!("the pages are in {folder}"));
    Ok(Exit::Ok)
}

#[derive(Serialize)]
struct Release {
    name: &'static str,
    version: &'static str,
}

/// Shows the release.
pub(crate) fn version(output: &Output) -> Result<Exit> {
    let release = Release { name: "muster", version: env!("CARGO_PKG_VERSION") };
    match output.is_table() {
        true => output.line(&format!("{} {}", release.name, release.version))?,
        false => output.value(&release)?,
    }
    Ok(Exit::Ok)
}
