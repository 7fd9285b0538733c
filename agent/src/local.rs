//! The state engine alone: `apply`, `show`, `single` and `pillar` on folders, and `facts`.

mod ending;
mod kept;
mod progress;
mod stop;
mod text;
mod world;

use crate::args::{Stage, States, Verb};
use crate::paths::Root;
use anyhow::Context;
use ending::Answer;
use kept::Kept;
use muster_states::{
    Cancel, Compiled, Error, JournalError, Kind, Options, Reload, Report, Selection, StateReturn,
};
use serde_json::{Value, json};
use std::io::Write;
use std::sync::Arc;
use stop::Stop;
use world::World;

pub(crate) use ending::Ending;

/// The stack of the thread that renders and applies: templates may nest.
const STACK_BYTES: usize = 8 << 20;

/// Does what the command line says, prints what came of it, and tells how it ended.
pub(crate) fn run(root: &Root, states: &States) -> anyhow::Result<Ending> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("states".to_owned()).stack_size(STACK_BYTES);
        let thread = thread
            .spawn_scoped(scope, || answer(root, states)?.print(states))
            .context("starting a thread for the states")?;
        thread.join().map_err(|_| anyhow::anyhow!("the state engine stopped unexpectedly"))?
    })
}

/// Prints the facts.
pub(crate) fn facts(root: &Root) -> anyhow::Result<()> {
    let facts = serde_json::to_string_pretty(&crate::facts::collect(root, None))?;
    writeln!(std::io::stdout(), "{facts}").context("printing")
}

/// From here on a signal ends what is in hand, be it a template's command or a state's.
fn answer(root: &Root, states: &States) -> anyhow::Result<Answer> {
    let cancel = Cancel::default();
    let stop = Stop::cancels(cancel.clone());
    if let Err(error) = &stop {
        tracing::warn!(%error, "a signal will end this run without order");
    }
    cancel.over(|| answer_until(root, states, &cancel))
}

fn answer_until(root: &Root, states: &States, cancel: &Cancel) -> anyhow::Result<Answer> {
    let world = Arc::new(World::read(root, states)?);
    let (pillar, errors) = world.pillar();
    if cancel.is_cancelled() {
        return Ok(cancelled());
    }
    if states.verb == Verb::Pillar {
        let pillar = muster_states::shown(pillar);
        let open = states.unmask || world.shows_pillar();
        let shown = if open { pillar } else { muster_states::hidden(&pillar) };
        return Ok(if errors.is_empty() {
            Answer::Data(shown)
        } else {
            Answer::broken(shown, errors)
        });
    }
    if !errors.is_empty() {
        return Ok(Answer::broken(world.pillar_failed(&errors), errors));
    }
    Ok(match &states.verb {
        Verb::Pillar => Answer::Data(muster_states::shown(pillar)),
        Verb::Show(stage, names) => match show(&world, &pillar, *stage, names) {
            _ if cancel.is_cancelled() => cancelled(),
            shown => shown,
        },
        Verb::Single { function, .. } if !function.contains('.') => {
            Answer::broken("Invalid function passed".into(), Vec::new())
        }
        Verb::Single { function, args } => {
            let compiled = world.single(&pillar, function, args);
            execute(root, &world, states, compiled, cancel)?
        }
        Verb::Apply(names) => {
            let selection = match selection(names) {
                Selection::Sls(names) if states.only.is_some() => Selection::OfId(names),
                all => all,
            };
            let compiled = world.compile(&pillar, &selection);
            execute(root, &world, states, compiled, cancel)?
        }
    })
}

/// What a run comes to that ended before its first state.
fn cancelled() -> Answer {
    Answer::broken(json!(["The run was cancelled before its first state"]), Vec::new())
}

fn selection(names: &[String]) -> Selection {
    if names.is_empty() { Selection::Highstate } else { Selection::Sls(names.to_vec()) }
}

fn show(world: &World, pillar: &Value, stage: Stage, names: &[String]) -> Answer {
    let shown = world.show(pillar, &selection(names), |request| match stage {
        Stage::Top => muster_states::show_top(request),
        Stage::Sls | Stage::High => muster_states::show_high(request),
        Stage::Low => muster_states::show_low(request),
    });
    match shown {
        Ok(shown) => Answer::Data(shown),
        Err(errors) if nothing(&errors).is_some() => Answer::Data(match stage {
            Stage::Top | Stage::Sls | Stage::High => json!({}),
            Stage::Low => json!([]),
        }),
        Err(errors) => Answer::not_compiled(errors),
    }
}

/// Why no state was selected, if that is all; what is behind that is told at once.
fn nothing(errors: &[Error]) -> Option<&str> {
    let (first, causes) = errors.split_first()?;
    if first.kind != Kind::Nothing {
        return None;
    }
    causes.iter().for_each(|error| eprint(&format!("error: {error}\n")));
    Some(&first.reason)
}

fn execute(
    root: &Root,
    world: &Arc<World>,
    states: &States,
    compiled: Result<Compiled, Vec<Error>>,
    cancel: &Cancel,
) -> anyhow::Result<Answer> {
    if cancel.is_cancelled() {
        return Ok(cancelled());
    }
    match compiled {
        Ok(compiled) => run_compiled(root, world, states, &compiled, cancel),
        Err(errors) => Ok(match nothing(&errors) {
            Some(why) => Answer::Ran(Report::no_states(why)),
            None => Answer::not_compiled(errors),
        }),
    }
}

fn run_compiled(
    root: &Root,
    world: &Arc<World>,
    states: &States,
    compiled: &Compiled,
    cancel: &Cancel,
) -> anyhow::Result<Answer> {
    for warning in compiled.warnings() {
        eprint(&format!("warning: {warning}\n"));
    }
    let kept = Kept::of(root, states);
    let mut options = Options {
        journal: kept.journal.clone(),
        backups: kept.backups.clone(),
        test: states.test || world.flag("test"),
        failhard: world.flag("failhard"),
        only: states.only.clone(),
        reload: Some(Arc::clone(world) as Arc<dyn Reload>),
        cancel: cancel.clone(),
        ..Options::default()
    };
    let mut progress = progress::Progress::start(compiled.chunks().len());
    let mut run = |options: &Options| {
        let ended = &mut |key: &str, _: &StateReturn| progress.ended(key);
        muster_states::run(compiled, &world.host, options, ended)
    };
    let mut report = run(&options);
    // Another run of these folders keeps the journal: this one goes without.
    if matches!(report, Err(JournalError::Busy { .. })) {
        options.journal = None;
        report = run(&options);
    }
    progress.clear();
    kept.end();
    let report = report?;
    match &states.only {
        Some(only) if report.states().is_empty() => {
            let reason = format!("No matches for ID '{only}' found in the selected SLS");
            Ok(Answer::broken(json!([reason]), Vec::new()))
        }
        Some(_) | None => Ok(Answer::Ran(report)),
    }
}

/// What a person reads beside the results; nobody is left to tell when that cannot be written.
fn eprint(text: &str) {
    drop(std::io::stderr().write_all(text.as_bytes()));
}
