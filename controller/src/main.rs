//! The way into the library: arguments, and an exit code.

mod args;

use args::{Cli, Command};
use clap::Parser;
use muster_controller::{commands, controller, sandbox};
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command.unwrap_or(Command::Run(cli.run)) {
        Command::Sandbox { args } => return sandbox::main(args),
        Command::Run(run) => controller::main(&run.config, run.check),
        Command::Init(args) => commands::make(&args),
        Command::Isolations { output } => commands::isolations(&output),
        Command::LocalSweep { dir } => commands::sweep(&dir),
        Command::RotateCommandKey { dir } => commands::rotate(&dir),
        Command::Restore { file, config, force } => controller::restore(&config, &file, force),
        Command::StopNats { dir } => commands::stop_nats(&dir),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("muster-controller: {error:#}");
            ExitCode::FAILURE
        }
    }
}
