//! `muster-controller sandbox …`: the processes of the `local` provider's workers.
//!
//! The provider starts `sandbox run` for each worker and forgets it; what they know of each other
//! is in the server's folder (`record`). `run` is the supervisor (`supervise`), which starts
//! `sandbox init` as the worker's PID 1 (`init`), which puts the worker's root folder together
//! (`layout`) and performs its user-data (`cloud_config`, `modules`). All are plain
//! single-threaded programs, because namespaces belong to threads, and each begins by being
//! executed anew, because a process with threads cannot fork safely.

pub(crate) mod cloud_config;
mod init;
mod layout;
mod modules;
mod mounts;
mod namespace;
mod prime;
pub(crate) mod process;
pub(crate) mod record;
mod supervise;

pub(crate) use cloud_config::CloudConfig;

use record::Folder;
use std::ffi::OsString;
use std::process::ExitCode;

/// The exit status for arguments that make no sense.
const USAGE: u8 = 2;

/// Runs `sandbox run|init --folder FOLDER`: `args` are those after `sandbox`.
///
/// Call it first in `main`: before any thread is started, and before anything slow is done.
#[must_use]
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    match args.as_slice() {
        [verb, option, folder] if option == "--folder" && verb == "run" => {
            supervise::main(&Folder::new(folder))
        }
        [verb, option, folder] if option == "--folder" && verb == "init" => {
            init::main(&Folder::new(folder))
        }
        _ => ExitCode::from(USAGE),
    }
}

/// An error with its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
