//! The controller's own decoders, for the fuzz targets of tests/fuzz and their replay.

use crate::actions::programs::Begun;
use crate::init::Context;
use crate::keys::Public;
use crate::lease::Lease;
use crate::people::Person;
use crate::revocations::list::List;
use crate::rotation::Newest;
use crate::sandbox::cloud_config::CloudConfig;
use crate::trust::{Asked, Confirmed, Identity};
use muster_protocol::wire::{self, Message};
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

/// The cluster's own documents, which are in the bus.
///
/// # Panics
/// When what can be read is not the same once it was written and read again.
pub fn documents(bytes: &[u8]) {
    same::<Asked>(bytes);
    same::<Begun>(bytes);
    same::<Confirmed>(bytes);
    same::<Identity>(bytes);
    same::<Lease>(bytes);
    same::<List>(bytes);
    same::<Newest>(bytes);
    same::<Person>(bytes);
}

fn same<M: Message>(bytes: &[u8]) {
    let Ok(message) = wire::decode::<M>(bytes) else { return };
    let written = wire::encode(&message);
    let again = wire::decode::<M>(&written).expect("what was written can be read");
    assert_eq!(wire::encode(&again), written, "{} is another one", M::NAME);
}
