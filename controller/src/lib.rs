//! Muster's daemon on the head node.

pub mod init;
pub mod keys;
pub mod nats;
pub mod provider;
pub mod sandbox;
pub mod user_data;
