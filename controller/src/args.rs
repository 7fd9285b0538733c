//! What `muster-controller` takes on its command line.

use clap::{Args, Parser, Subcommand};
use muster_controller::init;
use std::ffi::OsString;
use std::path::PathBuf;

/// Muster's daemon on the head node.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) run: Run,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Args)]
pub(crate) struct Run {
    /// The configuration
    #[arg(long, default_value = "/etc/muster/controller.yaml")]
    pub(crate) config: PathBuf,
    /// Only checks the configuration, and the rules and files of credentials that it names
    #[arg(long)]
    pub(crate) check: bool,
}

#[derive(Subcommand)]
pub(crate) enum Command {
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
    /// Writes a backup's documents into the registry, while no controller works
    Restore {
        /// The file that `muster backup` wrote
        file: PathBuf,
        /// The controller's configuration
        #[arg(long, default_value = "/etc/muster/controller.yaml")]
        config: PathBuf,
        /// Also if there is a registry: the backup's documents go over those that are there
        #[arg(long)]
        force: bool,
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
