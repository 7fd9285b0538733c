//! State functions: the trait that all of them have, their registry, and what they are given.
//!
//! A function checks (reads only) and says what it would do; applying does just that. A dry run
//! is the check alone. Each Salt module is one file here; each function in it has the same shape.

mod ahead;
mod alternatives;
mod archive;
pub(crate) mod args;
mod cmd;
mod cron;
mod environ;
mod event;
mod fault;
pub(crate) mod file;
mod git;
pub(crate) mod grains;
mod group;
mod host;
pub(crate) mod ini;
mod kmod;
mod locale;
mod module;
mod mount;
mod pkg;
mod pkgrepo;
mod service;
mod ssh_auth;
mod ssh_known_hosts;
mod strict;
pub(crate) mod sysctl;
mod test;
mod timezone;
mod user;

pub(crate) use module::missing_functions;
pub(crate) use mount::fstab;

use std::path::PathBuf;

use crate::chunk::Chunk;
use crate::compile::Compiled;
use crate::host::Host;
use crate::host::command::Cancel;
use crate::host::files::which;
use crate::host::looking;
use crate::outcome::Outcome;
use crate::render::Renderer;
use crate::requisite;
use crate::session::Session;
use crate::tree::Tree;
use crate::view::View;

/// What a check found.
pub(crate) enum Plan<S> {
    /// Nothing to do, or nothing that can be done.
    Done(Outcome),
    /// What a dry run tells, and what applying needs.
    Change { foreseen: Outcome, step: S },
}

impl<S> Plan<S> {
    /// A change, as a dry run tells of it.
    pub(crate) fn change(
        comment: impl Into<String>,
        changes: crate::outcome::Changes,
        step: S,
    ) -> Plan<S> {
        Plan::Change { foreseen: Outcome::foreseen(comment, changes), step }
    }

    pub(crate) fn failed(comment: impl Into<String>) -> Plan<S> {
        Plan::Done(Outcome::failed(comment))
    }

    pub(crate) fn fine(comment: impl Into<String>) -> Plan<S> {
        Plan::Done(Outcome::fine(comment))
    }
}

/// A fault of an argument, and what to do about it.
pub(crate) type Lint = (&'static str, String);

/// Stands among the arguments of a function that takes any.
pub(crate) const ANY: &str = "**kwargs";

/// One state function.
pub(crate) trait StateFunction {
    const MODULE: &'static str;
    const NAME: &'static str;
    /// Arguments that have an effect.
    const TAKES: &'static [&'static str];
    /// Arguments without which there is nothing to do.
    const NEEDS: &'static [&'static str] = &[];
    /// Arguments of Salt's that need no effect here.
    const TOLERATES: &'static [&'static str] = &[];
    /// Arguments of Salt's that this engine does not have: refused before anything runs.
    const REFUSES: &'static [&'static str] = &[];
    /// Whether the function reacts to a watched state (Salt's `mod_watch`).
    const WATCHES: bool = false;
    /// What applying needs to know.
    type Step;

    /// Faults of the arguments' values that show before anything runs: argument and reason.
    fn lint(_chunk: &Chunk) -> Vec<Lint> {
        Vec::new()
    }

    /// Faults that Salt, too, meets only at the state, which fails there: told of, and run.
    fn doubt(_chunk: &Chunk) -> Vec<Lint> {
        Vec::new()
    }

    /// Reads the host and tells what is to be done.
    fn check(ctx: &Context<'_>) -> Plan<Self::Step>;

    /// Does it.
    fn apply(ctx: &Context<'_>, step: Self::Step) -> Outcome;

    /// Reacts to a change of a watched state.
    fn watch(_ctx: &Context<'_>) -> Outcome {
        Outcome::fine("")
    }
}

/// A state function as the registry holds it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Function {
    pub(crate) module: &'static str,
    pub(crate) name: &'static str,
    pub(crate) takes: &'static [&'static str],
    pub(crate) needs: &'static [&'static str],
    pub(crate) tolerates: &'static [&'static str],
    pub(crate) refuses: &'static [&'static str],
    pub(crate) lint: fn(&Chunk) -> Vec<Lint>,
    pub(crate) doubt: fn(&Chunk) -> Vec<Lint>,
    watches: bool,
    run: fn(&Context<'_>) -> Outcome,
    watch: fn(&Context<'_>) -> Outcome,
}

impl Function {
    const fn of<F: StateFunction>() -> Function {
        Function {
            module: F::MODULE,
            name: F::NAME,
            takes: F::TAKES,
            needs: F::NEEDS,
            tolerates: F::TOLERATES,
            refuses: F::REFUSES,
            lint: F::lint,
            doubt: F::doubt,
            watches: F::WATCHES,
            run: run::<F>,
            watch: F::watch,
        }
    }

    /// Whether an argument has a meaning, for this function or for any.
    pub(crate) fn knows(&self, name: &str) -> bool {
        let own = [self.takes, self.tolerates, self.refuses];
        let runners = || {
            requisite::RUNTIME.contains(&name) && !(self.is_strict() && strict::is_handed_on(name))
        };
        own.iter().any(|list| list.contains(&name)) || requisite::is_keyword(name) || runners()
    }

    /// Whether Salt refuses an argument that it does not know.
    pub(crate) fn is_strict(&self) -> bool {
        strict::is(self.module, self.name)
    }

    /// The same under another name.
    const fn called(self, name: &'static str) -> Function {
        Function { name, ..self }
    }

    /// Checks, and applies unless this is a dry run.
    pub(crate) fn run(&self, ctx: &Context<'_>) -> Outcome {
        (self.run)(ctx)
    }

    /// Reacts to a watched state's change.
    pub(crate) fn watch(&self, ctx: &Context<'_>) -> Outcome {
        ctx.host.acted();
        (self.watch)(ctx)
    }

    /// Whether its check only reads, so that it may be done ahead of the state's turn.
    pub(crate) fn only_reads(&self) -> bool {
        ahead::only_reads(self.module, self.name)
    }
}

fn run<F: StateFunction>(ctx: &Context<'_>) -> Outcome {
    if F::MODULE == "file" && ctx.name().starts_with('~') {
        let name = crate::module::expanded(ctx.name());
        let chunk = Chunk { name: name.clone(), ..ctx.chunk.clone() };
        let outcome = run_named::<F>(&Context { chunk: &chunk, ..*ctx });
        return if outcome.name.is_none() { outcome.called(name) } else { outcome };
    }
    run_named::<F>(ctx)
}

fn run_named<F: StateFunction>(ctx: &Context<'_>) -> Outcome {
    if F::MODULE == "file" && ctx.name().is_empty() && file::NAMED.contains(&F::NAME) {
        return Outcome::failed(format!("Must provide name to file.{}", F::NAME));
    }
    match F::check(ctx) {
        Plan::Done(outcome) => {
            if !ahead::only_reads(F::MODULE, F::NAME) {
                ctx.host.acted();
            }
            outcome
        }
        Plan::Change { foreseen, .. } if ctx.test => foreseen,
        Plan::Change { .. } if looking::refuses() => Outcome::default(),
        Plan::Change { step, .. } => {
            ctx.host.acted();
            F::apply(ctx, step)
        }
    }
}

/// Every state function, by the file that has its module.
static REGISTRY: &[&[Function]] = &[
    file::ALL,
    alternatives::ALL,
    archive::ALL,
    git::ALL,
    cmd::ALL,
    pkg::ALL,
    pkgrepo::ALL,
    service::ALL,
    user::ALL,
    group::ALL,
    grains::ALL,
    cron::ALL,
    environ::ALL,
    event::ALL,
    host::ALL,
    ini::ALL,
    kmod::ALL,
    locale::ALL,
    mount::ALL,
    ssh_auth::ALL,
    ssh_known_hosts::ALL,
    sysctl::ALL,
    test::ALL,
    timezone::ALL,
    module::ALL,
];

fn registry() -> impl Iterator<Item = &'static Function> {
    REGISTRY.iter().copied().flatten()
}

/// The functions of a module.
fn of_module(module: &str) -> impl Iterator<Item = &'static Function> {
    let is = |all: &&&[Function]| all.first().is_some_and(|function| function.module == module);
    REGISTRY.iter().find(is).copied().into_iter().flatten()
}

/// The function of a module by its name.
pub(crate) fn find(module: &str, name: &str) -> Option<&'static Function> {
    of_module(module).find(|function| function.name == name)
}

/// Does what a state function does as a part of another one.
fn part(ctx: &Context<'_>, of: (&str, &str), name: &str, args: &serde_json::Value) -> Outcome {
    let (state, fun) = of;
    let Some(function) = find(state, fun) else { return Outcome::raised(format!("{state}.{fun}")) };
    let args = args.as_object().into_iter().flatten();
    let args = args.map(|(key, value)| (key.clone(), value.clone())).collect();
    let chunk = ctx.chunk.part(of, name, args);
    function.run(&Context { chunk: &chunk, ..*ctx })
}

/// Whether this engine has functions of a module.
pub(crate) fn has_module(module: &str) -> bool {
    of_module(module).next().is_some()
}

/// Whether a module reacts to watched states.
pub(crate) fn watches(module: &str) -> bool {
    of_module(module).any(|function| function.watches)
}

/// The names of all state functions, as `module.function`.
pub fn names() -> impl Iterator<Item = String> {
    registry().map(|function| format!("{}.{}", function.module, function.name))
}

/// Salt's words for a module that it does not load on this host, as what it works with is missing.
pub(crate) fn not_loaded(host: &Host, chunk: &Chunk) -> Option<String> {
    let Chunk { state, .. } = chunk;
    let program = match state.as_str() {
        "alternatives" => {
            let there = host.stat("/etc/alternatives").is_some_and(|meta| meta.is_dir());
            // Salt's own spelling.
            return (!there).then(|| unloaded(chunk, "alernatives"));
        }
        "cron" => "crontab",
        "git" => "git",
        _ => return None,
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = |folder: PathBuf| folder.join(program).is_file();
    // A host under a root prefix is files alone.
    let there = host.root().is_some()
        || which(host, program).is_some()
        || std::env::split_paths(&path).any(found);
    (!there).then(|| unloaded(chunk, state))
}

fn unloaded(chunk: &Chunk, module: &str) -> String {
    let Chunk { state, sls, .. } = chunk;
    format!(
        "State '{}' was not found in SLS '{sls}'\nReason: '{state}' __virtual__ returned False: \
         {module} module could not be loaded\n",
        chunk.function()
    )
}

/// What a state function is given.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) chunk: &'a Chunk,
    pub(crate) compiled: &'a Compiled,
    pub(crate) host: &'a Host,
    pub(crate) session: &'a Session,
    pub(crate) cancel: &'a Cancel,
    /// A dry run: nothing may be changed.
    pub(crate) test: bool,
}

impl<'a> Context<'a> {
    /// The worker's facts and pillar.
    pub(crate) fn view(&self) -> &'a View {
        self.session.views.last(&self.compiled.view)
    }

    /// The state tree, seen from this state's environment.
    pub(crate) fn tree(&self) -> &'a Tree {
        &self.renderer().scope().tree
    }

    /// Renders templates of this state's environment.
    pub(crate) fn renderer(&self) -> &'a Renderer {
        self.view().renderer(self.chunk.saltenv())
    }
}
