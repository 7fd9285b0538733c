//! The controller's own decoders, for the fuzz targets of tests/fuzz and their replay.

use crate::init::Context;
use crate::keys::Public;
use crate::sandbox::cloud_config::CloudConfig;
use muster_protocol::yaml::{self, Words};
use std::path::Path;

/// A person's context, `init.yaml` and `public.yaml`: files that this program wrote.
///
/// # Errors
/// With what the controller would say of a context.
pub fn written(text: &str) -> Result<(), String> {
    drop(yaml::parse::<crate::init::Settings>(text, Path::new("f"), Words::Hidden));
    drop(yaml::parse::<Public>(text, Path::new("f"), Words::Hidden));
    let context = yaml::parse::<Context>(text, Path::new("f"), Words::Hidden);
    context.map(drop).map_err(|error| error.to_string())
}

/// User-data, as the local provider performs it.
///
/// # Errors
/// With what the controller would say.
pub fn cloud_config(text: &str) -> Result<(), String> {
    CloudConfig::parse(text).map(drop).map_err(|error| crate::chain(&error))
}
