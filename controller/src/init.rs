//! `muster-controller init`: keys, CA, the NATS server's configuration, the first person's context.
//!
//! Every file is written whole or not at all, in an order in which a killed run can be repeated.
//! A second run makes what is missing, and the first person's context if its credential has ended;
//! it changes nothing else.

pub(crate) mod context;
mod error;
mod nats_config;
mod settings;

pub use context::Context;
pub use error::Error;
pub use settings::{Args, Settings, Size};

use crate::keys::files::Directory;
use crate::keys::rotate::ALONE;
use crate::keys::{Keys, change, make, tls};
use muster_protocol::id::UnixMillis;
use std::path::PathBuf;

/// The controller's configuration, an example to begin with.
pub const CONTROLLER_CONFIG: &str = "controller.yaml";
const CONTROLLER_TEMPLATE: &str = include_str!("init/controller.yaml");

/// What a run has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The directory, absolute.
    pub dir: PathBuf,
    /// What the directory was made with, now or before.
    pub settings: Settings,
    /// The files that this run made.
    pub made: Vec<String>,
    /// The first person's context file.
    pub context: PathBuf,
}

/// Makes what is missing.
///
/// # Errors
/// When options differ from the first run's, a key was lost, or files cannot be read or written.
pub fn run(args: &Args) -> Result<Report, Error> {
    run_at(args, UnixMillis::now())
}

fn run_at(args: &Args, now: UnixMillis) -> Result<Report, Error> {
    let dir = Directory::make(&args.dir)?;
    let _lock = dir.lock(ALONE)?.ok_or_else(|| Error::Busy(dir.root().to_owned()))?;
    drop(change::still(&dir)?);
    let mut made = Vec::new();
    let settings = settings::settle(args, &dir, &mut made)?;
    made.extend(make::missing(&dir, now)?);
    made.extend(tls::missing(&dir, &settings.cluster, &settings.certified(), now)?);
    let keys = Keys::load(dir.root())?;
    // The server's configuration names it, and a server that others start does not make it.
    dir.inner(crate::nats::RUN)?;
    let mut write = |file: &str, text: &dyn Fn() -> Result<String, Error>| {
        if dir.read(file)?.is_none() {
            dir.write(file, &text()?)?;
            made.push(file.to_owned());
        }
        Ok::<_, Error>(())
    };
    write(nats_config::FILE, &|| nats_config::render(&settings, &keys))?;
    write(CONTROLLER_CONFIG, &|| Ok(controller_config(&settings)))?;
    let context = context::file(&settings.user);
    if context::is_wanted(&dir, &context, now)? {
        dir.write(&context, &context::first(&settings, &keys, now)?)?;
        made.push(context.clone());
    }
    Ok(Report { context: dir.path(&context), dir: dir.root().to_owned(), settings, made })
}

fn controller_config(settings: &Settings) -> String {
    let bytes_max = settings.max_store.0 / 10 * 9;
    CONTROLLER_TEMPLATE
        .replace("{cluster}", &format!("\"{}\"", settings.cluster))
        .replace("{bytes_max}", &bytes_max.to_string())
        .replace("{replicas}", &settings.replicas.to_string())
}

#[cfg(test)]
mod tests;
