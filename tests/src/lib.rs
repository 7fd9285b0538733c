//! The testkit, and the end-to-end tests.

pub mod cluster;
pub mod demo;
pub mod figures;
pub mod fleet;
pub mod host;
pub mod house;
pub mod joiner;
pub mod machines;
pub mod salt;
