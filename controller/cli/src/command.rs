//! The commands, one file each.

pub(crate) mod backup;
pub(crate) mod call;
pub(crate) mod cluster;
pub(crate) mod context;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod events;
pub(crate) mod generate;
pub(crate) mod image;
pub(crate) mod init;
pub(crate) mod keys;
pub(crate) mod pool;
pub(crate) mod reconcile;
pub(crate) mod states;
pub(crate) mod stats;
pub(crate) mod user;
pub(crate) mod wait;
pub(crate) mod worker;

use crate::args::{Cli, Command};
use crate::context::Context;
use crate::failure::{Exit, Result};
use crate::output::Output;
use crate::renewal;
use crate::session::Session;
use std::path::PathBuf;

/// What every command is given.
#[derive(Debug)]
pub(crate) struct Caller {
    /// The context that was named, by its name or file.
    pub(crate) context: Option<PathBuf>,
    /// Where results go.
    pub(crate) output: Output,
}

impl Caller {
    /// Connects as the person of the context, and renews the credential in time.
    pub(crate) async fn connect(&self) -> Result<Session> {
        let context = Context::load(self.context.as_deref())?;
        let session = Session::open(&context).await?;
        renewal::in_time(&context, &session).await;
        Ok(session)
    }
}

/// Runs what was typed.
pub(crate) async fn run(cli: Cli) -> Result<Exit> {
    let caller = Caller { context: cli.context, output: Output::new(cli.output) };
    match cli.command {
        Command::Init(args) => init::run(&args),
        Command::Demo(args) => Box::pin(demo::run(&args, &caller)).await,
        Command::Worker(command) => Box::pin(worker::run(&command, &caller)).await,
        Command::Pool(command) => Box::pin(pool::run(&command, &caller)).await,
        Command::Image(command) => image::run(&command, &caller).await,
        Command::User(command) => Box::pin(user::run(&command, &caller)).await,
        Command::Context(command) => context::run(&command, &caller),
        Command::Cluster(command) => Box::pin(cluster::run(&command, &caller)).await,
        Command::Keys(command) => Box::pin(keys::run(&command, &caller)).await,
        Command::Reconcile(args) => reconcile::run(&args, &caller).await,
        Command::Backup(args) => backup::run(&args, &caller).await,
        Command::Restore(args) => backup::restore(&args),
        Command::Events(args) => events::run(&args, &caller).await,
        Command::Ping(args) => call::ping(args, &caller).await,
        Command::Facts(args) => call::facts(args, &caller).await,
        Command::Exec(args) => call::exec(args, &caller).await,
        Command::Apply(args) => call::apply(args, &caller).await,
        Command::States(command) => states::run(&command, &caller).await,
        Command::Stats(args) => stats::run(&args, &caller).await,
        Command::Doctor(args) => doctor::run(&args, &caller).await,
        Command::Completions(args) => generate::completions(&args, &caller.output),
        Command::Man(args) => generate::man(&args),
        Command::Version => generate::version(&caller.output),
    }
}
