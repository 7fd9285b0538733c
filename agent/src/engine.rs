//! The state engine, called: a tree, a pillar and facts in, a run out.

use crate::paths::Root;
use crate::report::Run;
use muster_protocol::id::AgentId;
use serde_json::{Map, Value};
use std::path::PathBuf;
use tokio::sync::oneshot;

/// What to apply.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    /// Where the tree is.
    pub(crate) tree: PathBuf,
    /// The pillar.
    pub(crate) pillar: Map<String, Value>,
    /// These files; the highstate if empty.
    pub(crate) sls: Vec<String>,
    /// Only tell what would change.
    pub(crate) test: bool,
}

/// The engine on one machine.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    root: Root,
    agent_id: Option<AgentId>,
}

/// The host's facts; `id` is the worker's name.
pub(crate) fn facts(root: &Root, agent_id: Option<&AgentId>) -> Map<String, Value> {
    let _ = root.folder();
    let id = agent_id.map(|agent_id| Value::from(agent_id.worker().to_string()));
    id.map(|id| ("id".to_owned(), id)).into_iter().collect()
}

impl Engine {
    /// For an agent.
    pub(crate) fn new(root: Root, agent_id: AgentId) -> Engine {
        Engine { root, agent_id: Some(agent_id) }
    }

    /// For a machine that is no agent.
    pub(crate) fn local(root: Root) -> Engine {
        Engine { root, agent_id: None }
    }

    /// Applies on a thread of its own.
    pub(crate) fn start(&self, input: Input) -> oneshot::Receiver<Run> {
        let (send, receive) = oneshot::channel();
        let engine = self.clone();
        // A thread that cannot be started drops the sender: the receiver is told.
        drop(std::thread::Builder::new().name("states".to_owned()).spawn(move || {
            drop(send.send(engine.run(&input)));
        }));
        receive
    }

    /// Applies. Blocks.
    pub(crate) fn run(&self, input: &Input) -> Run {
        let _ = (&self.root, &self.agent_id);
        Run::impossible("the state engine is not linked yet".to_owned(), input.test)
    }
}
