//! `muster demo`: the whole chain on this machine, from nothing to samples, and back to nothing.
//!
//! It uses only what an operator has: the controller's binary, the API, the sink's file. Whatever
//! way it ends, everything it made is stopped and removed; what a killed one left, the next clears.

mod board;
mod config;
mod controller;
mod drive;
mod folder;
mod leftover;
mod report;
mod samples;
mod seen;
mod way;

use super::{Caller, events};
use crate::binaries::Binary;
use crate::failure::{Exit, Failure, Result};
use crate::interrupt::Interrupt;
use crate::output::{Output, note};
use board::Board;
use controller::Controller;
use folder::Folder;
use report::Report;
use seen::Seen;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// From the start to the verdict.
const DEADLINE: Duration = Duration::from_secs(120);
/// Workers of one machine.
const WORKERS_MAX: u32 = 1000;
/// Lines of the controller's log that are shown when something went wrong.
const LOG_LINES: usize = 25;

/// How the demo goes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many workers to launch
    #[arg(long, value_name = "N", default_value_t = 3)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(WORKERS_MAX)))]
    workers: u32,
    /// Stop and remove everything once the verdict is known, instead of tailing events
    #[arg(long)]
    once: bool,
    /// Where its files go [default: ~/.local/state/muster-demo]
    #[arg(long, env = "MUSTER_DEMO_DIR", hide_env_values = true)]
    dir: Option<PathBuf>,
    /// How workers are kept apart [default: the best that this machine supports]
    #[arg(long, value_enum)]
    isolation: Option<config::Isolation>,
    /// Keep the folder with its logs at the end; processes are stopped nevertheless
    #[arg(long)]
    keep: bool,
}

/// How the part between setting up and clearing up ended.
enum Ending {
    /// With a verdict; in the tail, Ctrl-C is the way to end.
    Verdict(Report),
    /// By Ctrl-C, before there was a verdict.
    Interrupted,
    /// It did not work; with what was seen.
    Broken(Failure, Report),
}

/// Runs it.
pub(crate) async fn run(args: &Args, caller: &Caller) -> Result<Exit> {
    let mut interrupt = Interrupt::listen()?;
    let controller = Binary::Controller.find()?;
    let folder = Folder::claim(&folder::place(args.dir.as_deref())?)?;
    let begun = Instant::now();
    let mut board = Board::new(caller.output);
    let mut child = None;
    let ending = tokio::select! {
        ending = perform(args, &folder, &controller, &mut child, &mut board, begun) => ending,
        () = interrupt.came() => Ending::Interrupted,
    };
    let ending = match ending {
        Ending::Verdict(report) if !args.once => {
            tail(report, &folder, &mut child, &mut board, &mut interrupt, caller).await
        }
        ending => ending,
    };
    let told = tell(&ending, &folder, &mut board);
    let cleared = controller::clear(&folder, &controller, child, &mut board, args.keep).await;
    conclude(ending, told, cleared, args, caller)
}

/// Everything up to the verdict, within the deadline.
async fn perform(
    args: &Args,
    folder: &Folder,
    controller: &std::path::Path,
    child: &mut Option<Controller>,
    board: &mut Board,
    begun: Instant,
) -> Ending {
    let mut seen = Seen::new(folder);
    let work = async {
        leftover::sweep(folder, controller, board).await?;
        folder.empty()?;
        let settings = config::Settings::find(folder, args.workers, args.isolation)?;
        board.say("making keys, starting nats-server and the controller")?;
        let child = child.insert(Controller::start(controller, folder, &settings).await?);
        tokio::select! {
            done = drive::drive(folder, args.workers, &mut seen, board) => done,
            died = child.died() => Err(died),
        }
    };
    let done = tokio::time::timeout(DEADLINE, work).await.unwrap_or_else(|_| {
        Err(Failure::say(
            format!("there was no verdict within {DEADLINE:?}"),
            "look at the controller's log below, or with --keep at all of them",
        ))
    });
    let elapsed_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    let report = seen.verdict(args.workers, elapsed_ms);
    match done {
        Ok(()) => Ending::Verdict(report),
        Err(failure) => Ending::Broken(failure, report),
    }
}

/// Tells the verdict, then events until Ctrl-C.
async fn tail(
    report: Report,
    folder: &Folder,
    child: &mut Option<Controller>,
    board: &mut Board,
    interrupt: &mut Interrupt,
    caller: &Caller,
) -> Ending {
    let output = &caller.output;
    let work = async {
        show(&report, output)?;
        let context = folder.admin();
        board.say(&format!(
            "try in another shell: muster --context {} ping '*'",
            context.display()
        ))?;
        board.say("events follow; Ctrl-C stops and removes everything")?;
        let session = folder.connect().await?;
        let all = muster_protocol::subject::EVENT_ALL.to_owned();
        let mut follow = events::Follow::open(&session, all, None).await?;
        loop {
            let (subject, event) = follow.next().await?;
            events::print(output, &subject, &event)?;
        }
    };
    let died = async {
        match child {
            Some(child) => child.died().await,
            None => std::future::pending().await,
        }
    };
    let broken: Result<()> = tokio::select! {
        ended = work => ended,
        died = died => Err(died),
        () = interrupt.came() => Ok(()),
    };
    match broken {
        Ok(()) => Ending::Verdict(report),
        Err(failure) => Ending::Broken(failure, report),
    }
}

fn show(report: &Report, output: &Output) -> Result<()> {
    match output.is_table() {
        true => output.show(report, || report.table()),
        false => output.item(report),
    }
}

/// Says what went wrong while the log is still there.
fn tell(ending: &Ending, folder: &Folder, board: &mut Board) -> Exit {
    board.end();
    match ending {
        Ending::Interrupted => {
            note("interrupted");
            Exit::Interrupted
        }
        Ending::Verdict(report) if report.ok => Exit::Ok,
        Ending::Verdict(report) => {
            report.reasons.iter().for_each(|reason| note(&format!("not ok: {reason}")));
            tell_log(folder);
            Exit::Error
        }
        Ending::Broken(failure, _) => {
            let exit = failure.tell();
            if exit == Exit::Error {
                tell_log(folder);
            }
            exit
        }
    }
}

fn tell_log(folder: &Folder) {
    let lines = folder.log_tail(LOG_LINES);
    if !lines.is_empty() {
        note("the end of the controller's log:");
        lines.iter().for_each(|line| note(&format!("  {}", crate::output::clean(line))));
    }
}

/// The object comes last, so that nothing of the demo is left when it is read.
fn conclude(
    ending: Ending,
    told: Exit,
    cleared: Result<()>,
    args: &Args,
    caller: &Caller,
) -> Result<Exit> {
    let mut report = match ending {
        Ending::Verdict(report) => Some(report),
        Ending::Broken(failure, report) => Some(report.broken(&failure)),
        Ending::Interrupted => None,
    };
    if let (Some(report), Err(failure)) = (&mut report, &cleared) {
        report.fail(failure.text());
    }
    if let Some(report) = report.filter(|_| args.once && told != Exit::PipeClosed) {
        match caller.output.is_table() {
            true if report.workers.is_empty() => {}
            true => caller.output.text(&report.table().render(false))?,
            false => caller.output.value(&report)?,
        }
    }
    cleared?;
    Ok(told)
}
