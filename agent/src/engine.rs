//! The state engine, called: a tree, a pillar and facts in, a run out.

use crate::paths::{self, Data, Root};
use crate::report::{self, About, Run};
use crate::tree::Roots;
use muster_protocol::event::{Fired, Outcome};
use muster_protocol::id::AgentId;
use muster_states::backup::Backups;
use muster_states::{
    Facts, Host, Options, Opts, Reload, Report, Request, Selection, StateReturn, Tree,
};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// The stack of the thread that renders and applies: templates may nest.
const STACK_BYTES: usize = 8 << 20;
/// How long a state's commands may take that have no timeout of their own: a run that never ends
/// would keep the next one waiting for ever.
const STATE_TIMEOUT: Duration = Duration::from_secs(4 * 3600);
/// Events of states of one run: they wait beside all else that the agent tells.
const FIRED_MAX: usize = 200;
/// Warnings about one tree that are logged.
const WARNINGS_MAX: usize = 20;

/// What to apply.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    /// Where the tree is.
    pub(crate) tree: Roots,
    /// The pillar.
    pub(crate) pillar: Map<String, Value>,
    /// Salt's minion options.
    pub(crate) opts: Map<String, Value>,
    /// These files; the highstate if empty.
    pub(crate) sls: Vec<String>,
    /// Only tell what would change.
    pub(crate) test: bool,
    /// The desired state's revision.
    pub(crate) revision: u64,
}

/// Takes the events of states while they run.
pub(crate) type Hear = Box<dyn FnMut(&Fired) + Send>;

/// The engine on one machine.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    root: Root,
    agent_id: Option<AgentId>,
    journal: Option<PathBuf>,
}

/// What files were before the last runs.
fn backups(root: &Root) -> Backups {
    Backups::in_folder(Data::new(root.at(paths::DATA)).backups())
}

fn host(root: &Root) -> Host {
    root.folder().map_or_else(Host::new, Host::under)
}

fn grains(root: &Root, agent_id: Option<&AgentId>) -> Facts {
    let mut facts = muster_states::facts::collect(&host(root));
    if let Some(agent_id) = agent_id {
        facts.set("id", agent_id.worker().to_string());
    }
    facts
}

/// The host's facts; `id` is the worker's name.
pub(crate) fn facts(root: &Root, agent_id: Option<&AgentId>) -> Map<String, Value> {
    grains(root, agent_id).as_map().clone()
}

/// Where an interrupted run was, in words; none if its journal does not say.
pub(crate) fn interrupted_at(journal: &Path) -> Option<String> {
    let run = muster_states::interrupted(journal)?;
    let during = run.during.map_or(String::new(), |state| format!(", in {state}"));
    Some(format!("after {} of {} states{during}", run.ended, run.states))
}

impl Engine {
    /// For an agent, with a journal of the run in hand.
    pub(crate) fn new(root: Root, agent_id: AgentId, journal: PathBuf) -> Engine {
        Engine { root, agent_id: Some(agent_id), journal: Some(journal) }
    }

    /// Applies on a thread of its own.
    pub(crate) fn start(&self, input: Input, mut hear: Hear) -> oneshot::Receiver<Run> {
        let (send, receive) = oneshot::channel();
        let engine = self.clone();
        let thread = std::thread::Builder::new().name("states".to_owned()).stack_size(STACK_BYTES);
        // A thread that cannot be started drops the sender, which tells the receiver; and nobody
        // waits for a run that outlives the agent's end.
        drop(thread.spawn(move || {
            let run = engine.run(&input, &mut hear);
            drop(input);
            crate::memory::give_back();
            drop(send.send(run));
        }));
        receive
    }

    /// Applies. Blocks.
    pub(crate) fn run(&self, input: &Input, hear: &mut Hear) -> Run {
        let begin = Instant::now();
        let opts = opts(input);
        let mut run = self.compile_and_run(input, &opts, hear);
        run.outcome.test = opts.flag("test");
        let millis = begin.elapsed().as_millis();
        run.outcome.duration_millis = u64::try_from(millis).unwrap_or(u64::MAX);
        run
    }

    fn compile_and_run(&self, input: &Input, opts: &Opts, hear: &mut Hear) -> Run {
        let test = opts.flag("test");
        let host = host(&self.root);
        let roots = input.tree.iter().map(|(env, root)| (env.as_str(), [root]));
        let tree = match Tree::from_roots(roots) {
            // A manifest has files alone.
            Ok(tree) => tree.files_only(),
            Err(error) => return Run::impossible(crate::chain(&error), test),
        };
        let facts = grains(&self.root, self.agent_id.as_ref());
        let pillar = Value::Object(input.pillar.clone());
        let selection = match input.sls.is_empty() {
            true => Selection::Highstate,
            false => Selection::Sls(input.sls.clone()),
        };
        let request = Request {
            tree: &tree,
            facts: &facts,
            pillar: &pillar,
            opts,
            selection: &selection,
            exclude: &[],
            host: &host,
        };
        let compiled = match muster_states::compile_request(&request) {
            Ok(compiled) => compiled,
            Err(errors) => {
                let errors = errors.iter().map(ToString::to_string).collect();
                return Run { errors, ..Run::default() };
            }
        };
        for warning in compiled.warnings().iter().take(WARNINGS_MAX) {
            tracing::warn!(%warning, "the state tree");
        }
        let options = Options {
            test,
            failhard: opts.flag("failhard"),
            journal: self.journal.clone(),
            backups: Some(backups(&self.root)),
            state_timeout: Some(STATE_TIMEOUT),
            heard: true,
            reload: Some(Arc::new(self.clone())),
            ..Options::default()
        };
        let about = About { revision: input.revision, test };
        let mut fired = 0;
        let mut progress = |key: &str, state: &StateReturn| {
            tracing::debug!(key, result = state.result, "a state ended");
            for event in &state.events {
                fired += 1;
                match fired {
                    ..=FIRED_MAX => hear(&report::fired(key, state, event, about)),
                    _ => tracing::debug!(key, tag = event.tag, "one event too many"),
                }
            }
            if fired > FIRED_MAX && fired - state.events.len() <= FIRED_MAX {
                tracing::warn!(limit = FIRED_MAX, key, "no more events of this run are told");
            }
        };
        match muster_states::run(&compiled, &host, &options, &mut progress) {
            Ok(report) => told(&report),
            Err(error) => Run::impossible(crate::chain(&error), test),
        }
    }
}

impl Reload for Engine {
    fn facts(&self) -> Facts {
        grains(&self.root, self.agent_id.as_ref())
    }

    fn pillar(&self, _: &Facts) -> Option<Value> {
        tracing::warn!("reload_pillar: the controller makes the pillar; this run keeps its own");
        None
    }
}

/// The options of a run; they alone say whether it is a dry one.
fn opts(input: &Input) -> Opts {
    let mut opts = Opts::from_map(input.opts.clone());
    if input.test {
        opts.set("test", true);
    }
    opts
}

/// A report as it is told.
fn told(report: &Report) -> Run {
    let summary = report.summary();
    let count = |count| u32::try_from(count).unwrap_or(u32::MAX);
    let outcome = Outcome {
        total: count(summary.total),
        changed: count(summary.changed),
        failed: count(summary.failed),
        ..Outcome::default()
    };
    let state = |state| serde_json::to_value(state).expect("a state's return is plain JSON");
    let states = report.states().iter().map(|(key, value)| (key.clone(), state(value)));
    Run { outcome, errors: Vec::new(), states: states.collect() }
}
