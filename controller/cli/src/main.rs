//! `muster`, the operator's command: reads the arguments, runs one command, tells how it ended.

mod args;
mod binaries;
mod command;
mod confirm;
mod context;
mod failure;
mod interrupt;
mod output;
mod renewal;
mod session;
mod target;

use args::Cli;
use clap::Parser;
use failure::Exit;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    output::start_log(cli.debug);
    let exit = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(command::run(cli)),
        Err(error) => Err(failure::Failure::new(error, "free some file descriptors or memory")),
    };
    exit.unwrap_or_else(|failure| failure.tell()).into()
}

/// Help and version are answers; anything else is an error of the call, 1 and not clap's 2.
fn usage(error: &clap::Error) -> ExitCode {
    let asked = !error.use_stderr();
    match error.print() {
        Ok(()) if asked => Exit::Ok.into(),
        Ok(()) | Err(_) => Exit::Error.into(),
    }
}
