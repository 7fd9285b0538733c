//! Logs: lines on standard error, their level from `MUSTER_LOG` (`info` unless told).
//!
//! Libraries that print what they send are held at `warn`: a cloud's request holds user-data.

use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// The variable that holds the level: error, warn, info, debug or trace.
pub const LEVEL_VARIABLE: &str = "MUSTER_LOG";

/// Starts logging; once in a process.
pub fn start() {
    let level = std::env::var(LEVEL_VARIABLE).ok().and_then(|text| text.parse().ok());
    let targets = Targets::new()
        .with_default(LevelFilter::WARN)
        .with_target("muster", level.unwrap_or(Level::INFO));
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()));
    tracing_subscriber::registry().with(targets).with(lines).init();
}
