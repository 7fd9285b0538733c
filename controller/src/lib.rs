//! Muster's daemon on the head node.

pub mod actions;
pub mod api;
pub mod backup;
pub mod commands;
pub mod config;
pub mod controller;
pub mod documents;
pub mod doubles;
pub mod doubt;
pub mod enrolment;
pub mod floods;
#[doc(hidden)]
pub mod fuzzing;
pub mod heartbeats;
pub mod hooks;
pub mod https;
pub mod init;
pub mod inspection;
pub mod instances;
pub mod jobs;
pub mod keys;
pub mod launcher;
pub mod lease;
pub mod lifecycle;
pub mod logging;
pub mod membership;
pub mod nats;
pub mod people;
pub mod planner;
pub mod provider;
pub mod reconciler;
pub mod registry;
pub mod renewals;
pub mod results;
pub mod revocations;
pub mod rotation;
pub mod rpc;
pub mod sandbox;
pub mod server_clock;
pub mod states;
pub mod stats;
pub mod store;
pub mod ties;
pub mod trust;
pub mod user_data;
pub mod witness;

/// An error with its causes, in one line.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let told = next.to_string();
        // Some errors repeat their cause in their own text.
        if !text.contains(&told) {
            text = format!("{text}: {told}");
        }
        cause = next.source();
    }
    text
}
