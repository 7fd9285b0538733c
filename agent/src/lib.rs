//! Muster's daemon on a worker: enrols, keeps a session, applies states, streams stats.

mod agent;
mod alarm;
mod apply;
mod args;
mod backoff;
mod blobs;
mod bootstrap;
mod clock;
mod commands;
mod desired;
mod engine;
mod enrolment;
mod exec;
mod facts;
mod files;
#[doc(hidden)]
pub mod fuzzing;
mod identity;
mod local;
mod memory;
mod outbox;
mod paths;
mod renewal;
mod report;
mod restore;
mod sampling;
mod session;
mod settings;
pub mod stats;
mod tasks;
mod tree;
mod up;

use crate::args::Command;
use crate::local::Ending;
use crate::paths::Root;
use anyhow::Context;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

/// The agent's release.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Threads that wait for the disk, and for how long they stay when idle.
const BLOCKING_THREADS_MAX: usize = 4;
const BLOCKING_THREAD_IDLE: Duration = Duration::from_secs(1);

/// An error with its causes, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Why the program fails.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The command line means nothing.
    #[error("{0}")]
    Usage(String),
    /// Some states failed; the output says which.
    #[error("not all states succeeded")]
    States,
    /// A state tree did not compile; the output says why.
    #[error("nothing was run")]
    NotCompiled,
    /// Anything else.
    #[error("{0:#}")]
    Other(#[from] anyhow::Error),
}

impl Failure {
    /// The program's exit code.
    #[must_use]
    pub fn code(&self) -> u8 {
        match self {
            Failure::Usage(_) | Failure::States => 2,
            Failure::NotCompiled | Failure::Other(_) => 1,
        }
    }

    /// Whether the output has said it already.
    #[must_use]
    pub fn is_told(&self) -> bool {
        match self {
            Failure::States | Failure::NotCompiled => true,
            Failure::Usage(_) | Failure::Other(_) => false,
        }
    }
}

/// Does what the arguments behind the program's name say.
///
/// # Errors
/// When they mean nothing, or it cannot be done.
pub fn run(args: impl IntoIterator<Item = String>) -> Result<(), Failure> {
    let command = args::parse(args).map_err(|error| Failure::Usage(error.to_string()))?;
    let root = Root::from_env();
    match command {
        Command::Help(None) => print(args::HELP)?,
        Command::Help(Some(command)) => print(&args::help_of(command))?,
        Command::Version => print(&format!("muster-agent {VERSION}\n"))?,
        Command::Facts => local::facts(&root)?,
        Command::Completions(shell) => print(&shell.completions())?,
        Command::Man(folder) => man(&folder)?,
        Command::Restore(args) => {
            if !restore::restore(&root, &args)? {
                return Err(Failure::States);
            }
        }
        Command::Up { config } => up::up(&root, config.as_deref())?,
        Command::Run { config, detached } => daemon(root, config.as_deref(), detached)?,
        Command::States(states) => match local::run(&root, &states)? {
            Ending::Fine => {}
            Ending::NotCompiled => return Err(Failure::NotCompiled),
            Ending::Failed => return Err(Failure::States),
        },
    }
    Ok(())
}

fn print(text: &str) -> anyhow::Result<()> {
    std::io::stdout().write_all(text.as_bytes()).context("printing")
}

/// Writes the manual pages.
fn man(folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    for (name, text) in args::pages(&[("restore", restore::HELP)]) {
        let path = folder.join(name);
        std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

fn daemon(root: Root, config: Option<&str>, detached: bool) -> anyhow::Result<()> {
    memory::share_heap();
    if detached {
        nix::unistd::setsid().context("leaving the terminal")?;
    }
    let agent = agent::Agent::open(root.clone(), config)?;
    if detached {
        agent::write_pid(&root)?;
        print(&format!("{}\n", up::RUNNING))?;
        // From here on nobody reads it.
        nix::unistd::dup2_stdout(std::io::stderr()).context("leaving the terminal")?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .thread_keep_alive(BLOCKING_THREAD_IDLE)
        .build()
        .context("starting the runtime")?;
    let result = runtime.block_on(agent.run());
    // A run of states that is still going must not hold the end.
    runtime.shutdown_background();
    result
}
