//! Muster's daemon on a worker.

use std::process::ExitCode;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

/// The client of NATS tells all it does, and the inboxes that nobody shall guess.
const CLIENT: (&str, LevelFilter) = ("async_nats", LevelFilter::WARN);

fn main() -> ExitCode {
    let level = std::env::var("MUSTER_LOG").ok();
    let level = level.and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::INFO);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .with_target(false);
    let shown = Targets::new().with_default(level).with_target(CLIENT.0, level.min(CLIENT.1));
    tracing_subscriber::registry().with(lines.with_filter(shown)).init();
    match muster_agent::run(std::env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.is_told() {
                tracing::error!("{failure}");
            }
            ExitCode::from(failure.code())
        }
    }
}
