//! Everything that crosses Muster's bus: ids, messages, subjects, signatures, typed requests.
//!
//! Only [`bus`] does I/O. The messages are MessagePack with named fields and a version ([`wire`]);
//! what must not be forged is signed ([`seal`]); subjects are built in [`subject`] and nowhere
//! else.

pub mod api;
pub mod backup;
pub mod bus;
pub mod command;
pub mod desired;
pub mod enrol;
pub mod event;
pub mod id;
#[cfg(feature = "issue")]
pub mod jwt;
pub mod seal;
pub mod stats;
pub mod subject;
pub mod wire;
pub mod worker;
#[cfg(feature = "yaml")]
pub mod yaml;
