//! `muster ping | facts | exec | apply`: a command to workers, and each one's result as it comes.

mod collect;
mod show;
mod tally;

pub(crate) use collect::{Asked, collect};
pub(crate) use tally::{Report, changed};

use super::Caller;
use crate::failure::{Exit, Failure, Result};
use crate::interrupt::Interrupt;
use crate::output::duration;
use crate::target;
use muster_protocol::api::Target;
use muster_protocol::command::Verb;
use muster_protocol::id::PoolName;
use show::Show;
use std::time::Duration;

/// What is asked of workers has an end: the longest that may be waited for results.
const TIMEOUT_MAX: Duration = Duration::from_secs(7 * 86_400);
/// A program that is killed at its end of time still has to report.
const EXEC_REPORT: Duration = Duration::from_secs(5);

/// Which workers, by pool instead of by name.
#[derive(Debug, clap::Args)]
struct Pool {
    /// All workers of this pool, instead of TARGET
    #[arg(long, value_name = "NAME")]
    pool: Option<PoolName>,
}

/// `ping`.
#[derive(Debug, clap::Args)]
pub(crate) struct PingArgs {
    /// Which workers: '*', 'compute-*', a,b
    #[arg(value_name = "TARGET", required_unless_present = "pool")]
    target: Option<String>,
    #[command(flatten)]
    pool: Pool,
    /// How long to wait for answers
    #[arg(long, default_value = "10s", value_parser = duration)]
    timeout: Duration,
}

/// `facts`.
#[derive(Debug, clap::Args)]
pub(crate) struct FactsArgs {
    /// Which workers: '*', 'compute-*', a,b; then the facts to show, e.g. os kernel [default: all]
    #[arg(value_name = "TARGET [FACT]", required_unless_present = "pool")]
    words: Vec<String>,
    #[command(flatten)]
    pool: Pool,
    /// How long to wait for answers
    #[arg(long, default_value = "10s", value_parser = duration)]
    timeout: Duration,
}

/// `exec`.
#[derive(Debug, clap::Args)]
pub(crate) struct ExecArgs {
    /// Which workers: '*', 'compute-*', a,b
    #[arg(value_name = "TARGET", required_unless_present = "pool")]
    target: Option<String>,
    #[command(flatten)]
    pool: Pool,
    /// The program is killed after this
    #[arg(long, default_value = "60s", value_parser = duration)]
    timeout: Duration,
    /// Program and arguments; no shell reads them
    #[arg(last = true, required = true, value_name = "CMD")]
    pub(crate) program: Vec<String>,
}

/// `apply`.
#[derive(Debug, clap::Args)]
pub(crate) struct ApplyArgs {
    /// Which workers: '*', 'compute-*', a,b; then the state files [default: all of top.sls]
    #[arg(value_name = "TARGET [SLS]", required_unless_present = "pool")]
    words: Vec<String>,
    #[command(flatten)]
    pool: Pool,
    /// Only tell what would change
    #[arg(long)]
    test: bool,
    /// Show every state, not only those that failed
    #[arg(long, short)]
    verbose: bool,
    /// How long to wait for results
    #[arg(long, default_value = "30m", value_parser = duration)]
    timeout: Duration,
}

/// Asks workers for a sign of life.
pub(crate) async fn ping(args: PingArgs, caller: &Caller) -> Result<Exit> {
    let target = named(args.target, args.pool)?;
    call(target, Verb::Ping, args.timeout, Show::default(), caller).await
}

/// Asks workers for their facts.
pub(crate) async fn facts(args: FactsArgs, caller: &Caller) -> Result<Exit> {
    let (target, facts) = target::first(&args.words, args.pool.pool.as_ref())?;
    let show = Show { facts, ..Show::default() };
    call(target, Verb::Facts, args.timeout, show, caller).await
}

/// Runs a program on workers.
pub(crate) async fn exec(args: ExecArgs, caller: &Caller) -> Result<Exit> {
    let target = named(args.target, args.pool)?;
    let verb = Verb::Exec { argv: args.program, timeout_secs: seconds(args.timeout)? };
    call(target, verb, args.timeout + EXEC_REPORT, Show::default(), caller).await
}

/// Applies states on workers.
pub(crate) async fn apply(args: ApplyArgs, caller: &Caller) -> Result<Exit> {
    let (target, sls) = target::first(&args.words, args.pool.pool.as_ref())?;
    let show = Show { verbose: args.verbose, ..Show::default() };
    let verb = Verb::Apply { sls, test: args.test, revision: 0 };
    call(target, verb, args.timeout, show, caller).await
}

fn named(target: Option<String>, pool: Pool) -> Result<Target> {
    target::first(&Vec::from_iter(target), pool.pool.as_ref()).map(|(target, _)| target)
}

fn seconds(timeout: Duration) -> Result<u32> {
    let rounded = timeout.as_millis().div_ceil(1000);
    match u32::try_from(rounded) {
        Ok(secs @ 1..) if timeout <= TIMEOUT_MAX => Ok(secs),
        Ok(_) | Err(_) => Err(Failure::say(
            format!("a timeout of {timeout:?} is not possible"),
            "give --timeout from 1s to 7d",
        )),
    }
}

/// The one way of all four.
async fn call(
    target: Target,
    verb: Verb,
    timeout: Duration,
    show: Show,
    caller: &Caller,
) -> Result<Exit> {
    let timeout_secs = seconds(timeout)?;
    let mut interrupt = Interrupt::listen()?;
    let session = caller.connect().await?;
    let asked = Asked { target, verb, timeout_secs };
    let mut printer = show.printer(&asked.verb, caller.output);
    let collected = tokio::select! {
        collected = collect(&session, &asked, &mut printer) => Some(collected?),
        () = interrupt.came() => None,
    };
    let Some(report) = collected else {
        printer.interrupted();
        return Ok(Exit::Interrupted);
    };
    printer.finish(&report)?;
    session.close().await;
    Ok(report.exit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_rounded_up_and_has_limits() {
        assert_eq!(seconds(Duration::from_millis(1)).unwrap(), 1);
        assert_eq!(seconds(Duration::from_millis(1500)).unwrap(), 2);
        assert!(seconds(Duration::ZERO).is_err());
        assert!(seconds(TIMEOUT_MAX + Duration::from_secs(1)).is_err());
    }
}
