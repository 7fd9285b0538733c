//! Muster's daemon on a worker.

pub mod stats;
