//! The agent's own decoders, for the fuzz targets of tests/fuzz and the replay of their corpus.
//!
//! Each takes any bytes and gives back the error, if one is told, so that a target can look at it.

use crate::bootstrap::Bootstrap;
use crate::{apply, commands, files, identity, outbox, settings};
use std::path::Path;

fn chain(error: &dyn std::error::Error) -> String {
    crate::chain(error)
}

/// `bootstrap.yaml`, as user-data leaves it.
///
/// # Errors
/// With what the agent would say.
pub fn bootstrap(bytes: &[u8]) -> Result<(), String> {
    Bootstrap::parse(bytes, Path::new("f")).map(drop).map_err(|error| chain(&error))
}

/// `agent.yaml`.
///
/// # Errors
/// With what the agent would say.
pub fn settings(bytes: &[u8]) -> Result<(), String> {
    settings::parse(Path::new("f"), bytes).map(drop).map_err(|error| chain(&error))
}

/// The JSON files of the data folder: identity, keys, journal, the newest desired state.
///
/// # Errors
/// With what the agent would say of the identity.
pub fn kept(bytes: &[u8]) -> Result<(), String> {
    drop(files::parse_json::<identity::Seeds>(Path::new("f"), bytes));
    drop(files::parse_json::<apply::journal::Entry>(Path::new("f"), bytes));
    drop(files::parse_json::<apply::journal::Record>(Path::new("f"), bytes));
    let identity = files::parse_json::<identity::Identity>(Path::new("f"), bytes);
    identity.map(drop).map_err(|error| chain(&error))
}

/// A file of the spool. Returns whether it is a whole event.
#[must_use]
pub fn spooled(bytes: &[u8]) -> bool {
    outbox::is_whole(bytes)
}

/// A line of the commands that were seen. Returns whether it is one.
#[must_use]
pub fn seen(line: &str) -> bool {
    commands::seen::line_of(line).is_some()
}
