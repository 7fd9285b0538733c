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
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()));
    tracing_subscriber::registry().with(targets(level)).with(lines).init();
}

/// What is shown: of ours what is asked for, of libraries warnings only.
fn targets(level: Option<Level>) -> Targets {
    Targets::new()
        .with_default(LevelFilter::WARN)
        .with_target("muster", level.unwrap_or(Level::INFO))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_library_shows_what_it_sends_whatever_level_is_asked_for() {
        for level in [None, Some(Level::DEBUG), Some(Level::TRACE)] {
            let targets = targets(level);
            for library in ["openstack", "osauth", "reqwest", "hyper_util", "h2", "rustls", "log"] {
                for shown in [Level::INFO, Level::DEBUG, Level::TRACE] {
                    assert!(!targets.would_enable(library, &shown), "{library} at {shown}");
                }
                assert!(targets.would_enable(library, &Level::WARN), "{library}");
            }
            let own = "muster_controller::provider::openstack";
            assert!(targets.would_enable(own, &level.unwrap_or(Level::INFO)));
        }
    }
}
