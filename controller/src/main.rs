//! Arguments, logging, and the way into the library.

use clap::{Args, Parser, Subcommand};
use muster_controller::{commands, controller, init, sandbox};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

/// Muster's daemon on the head node.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(flatten)]
    run: Run,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Args)]
struct Run {
    /// The configuration
    #[arg(long, default_value = "/etc/muster/controller.yaml")]
    config: PathBuf,
    /// Only checks the configuration
    #[arg(long)]
    check: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the controller (the default)
    Run(Run),
    /// Makes keys, certificates and configuration; a second run makes what is missing
    Init(init::Args),
    /// Tells which isolations of the local provider this machine supports
    Isolations {
        /// `table` or `json`
        #[arg(short, long, default_value = "table")]
        output: String,
    },
    /// Removes all workers that a killed local provider left in a folder
    LocalSweep {
        /// The folder of the provider's servers
        #[arg(long)]
        dir: PathBuf,
    },
    /// Makes a new command key, signed by the root key; then restart the controllers
    RotateCommandKey {
        /// The folder that `init` made
        #[arg(long)]
        dir: PathBuf,
    },
    /// Stops the nats-server that a killed controller left
    StopNats {
        /// The folder that `init` made
        #[arg(long)]
        dir: PathBuf,
    },
    /// Starts a local worker's processes; for the provider itself
    #[command(hide = true, disable_help_flag = true)]
    Sandbox {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command.unwrap_or(Command::Run(cli.run)) {
        Command::Sandbox { args } => return sandbox::main(args),
        Command::Run(run) => controller::main(&run.config, run.check),
        Command::Init(args) => commands::make(&args),
        Command::Isolations { output } => commands::isolations(&output),
        Command::LocalSweep { dir } => commands::sweep(&dir),
        Command::RotateCommandKey { dir } => commands::rotate(&dir),
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
