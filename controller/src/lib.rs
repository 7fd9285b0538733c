//! Muster's daemon on the head node.

pub mod provider;
pub mod sandbox;
pub mod user_data;
