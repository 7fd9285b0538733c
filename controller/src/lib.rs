//! Muster's daemon on the head node.

pub mod provider;
pub mod user_data;
