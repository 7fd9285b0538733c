//! The testkit, and the end-to-end tests.

pub mod house;
