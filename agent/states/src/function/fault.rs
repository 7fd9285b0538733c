//! What keeps a state from being done, as far as Salt tells the two apart.

use std::io;

use super::Context;
use super::args::python_error;
use crate::host::command::{CommandError, Exec, Output, run};

#[derive(Debug)]
pub(super) enum Fault {
    /// Salt's own words, which its states look out for.
    Told(String),
    /// A fault of Python's, which ends the state.
    Raised(String),
}

impl Fault {
    pub(super) fn words(self) -> String {
        match self {
            Fault::Told(words) | Fault::Raised(words) => words,
        }
    }

    /// An error as Python words it.
    pub(super) fn of(error: &io::Error, path: &str) -> Fault {
        Fault::Raised(python_error(error, path))
    }
}

impl From<CommandError> for Fault {
    fn from(error: CommandError) -> Fault {
        Fault::Raised(error.to_string())
    }
}

/// Runs a command that only tells something.
pub(super) fn ask(ctx: &Context<'_>, argv: &[&str]) -> Result<Output, Fault> {
    ran(
        ctx,
        Exec {
            argv: argv.iter().map(|word| (*word).to_owned()).collect(),
            reads: true,
            ..Exec::default()
        },
    )
}

/// Runs a command that changes something.
pub(super) fn act(ctx: &Context<'_>, argv: &[&str]) -> Result<Output, Fault> {
    ran(ctx, Exec { argv: argv.iter().map(|word| (*word).to_owned()).collect(), ..Exec::default() })
}

fn ran(ctx: &Context<'_>, exec: Exec) -> Result<Output, Fault> {
    Ok(run(ctx.host, &exec, ctx.cancel)?)
}
