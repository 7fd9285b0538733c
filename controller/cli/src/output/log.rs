//! The log on stderr: our own warnings; with `--debug` also what the libraries do.

use std::io::IsTerminal;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Starts it; once in a process. The libraries' own errors come back to us, and are told by us.
pub(crate) fn start(debug: bool) {
    let targets = match debug {
        true => Targets::new().with_default(LevelFilter::DEBUG),
        false => Targets::new().with_target("muster", LevelFilter::WARN),
    };
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && super::colours_wanted());
    tracing_subscriber::registry().with(targets).with(lines).init();
}
