//! Rules, actions, the stats pipeline, sinks and the built-in history.

pub mod engine;
pub mod history;
pub mod pipeline;
pub mod rule;
pub mod sink;
