//! `muster init`: makes a cluster's keys, by the controller's own command, arguments as typed.

use crate::binaries::Binary;
use crate::failure::{Exit, OrNext, Result};
use anyhow::Context;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Whatever `muster-controller init` takes; `muster init --help` shows it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The arguments of `muster-controller init`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGS")]
    args: Vec<OsString>,
}

/// Becomes `muster-controller init`; comes back only if that cannot be started.
pub(crate) fn run(args: &Args) -> Result<Exit> {
    let controller = Binary::Controller.find()?;
    let error = Command::new(&controller).arg("init").args(&args.args).exec();
    Err(error)
        .with_context(|| format!("starting {}", controller.display()))
        .or_next("see whether this user may run it, or set MUSTER_CONTROLLER to another")
}
