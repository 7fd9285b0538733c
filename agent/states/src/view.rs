//! What the states of a run see of the worker: its facts, its pillar, and templates with both.
//!
//! A state with `reload_grains` or `reload_pillar`, and one that sets a grain, gives a new view to
//! those that come later; who runs meanwhile keeps the one it began with.

use std::fmt;
use std::sync::OnceLock;

use serde_json::Value;

use crate::facts::Facts;
use crate::host::Host;
use crate::opts::Opts;
use crate::render::{Renderer, Worlds};
use crate::secret::Secrets;
use crate::tree::Tree;

/// Reads anew what a worker is and what it is given.
pub trait Reload: fmt::Debug + Send + Sync {
    /// The facts, as they are now.
    fn facts(&self) -> Facts;

    /// The pillar for these facts; `None` where this worker cannot make its own.
    fn pillar(&self, facts: &Facts) -> Option<Value>;
}

/// Facts and pillar, with all that follows from them.
pub(crate) struct View {
    pub(crate) facts: Facts,
    pub(crate) pillar: Value,
    pub(crate) worlds: Worlds,
    pub(crate) secrets: Secrets,
    opts: Opts,
}

impl View {
    pub(crate) fn new(tree: &Tree, facts: &Facts, pillar: Value, host: &Host, opts: &Opts) -> View {
        let renderer = Renderer::new(tree, facts, &pillar, host, opts);
        let secrets = Secrets::of(&pillar, opts, tree, facts);
        let (worlds, facts) = (Worlds::new(renderer), facts.clone());
        View { facts, pillar, worlds, secrets, opts: opts.clone() }
    }

    /// The same tree with other facts and another pillar. What was a secret stays one: files may
    /// still hold it.
    pub(crate) fn with(&self, facts: &Facts, pillar: Value) -> View {
        let scope = self.worlds.base().scope();
        let mut view = View::new(&scope.tree, facts, pillar, &scope.host, &self.opts);
        view.secrets.add(&self.secrets);
        view
    }

    /// The renderer of an environment, and by it its view of the tree.
    pub(crate) fn renderer(&self, saltenv: &str) -> &Renderer {
        self.worlds.get(saltenv).unwrap_or_else(|| self.worlds.base())
    }
}

/// The views that came after the first, each behind the one before.
#[derive(Default)]
pub(crate) struct Later(OnceLock<Box<(View, Later)>>);

impl fmt::Debug for Later {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Later")
    }
}

impl Later {
    /// The last one; `first` if none has come.
    pub(crate) fn last<'a>(&'a self, first: &'a View) -> &'a View {
        let mut view = first;
        let mut later = self;
        while let Some(next) = later.0.get() {
            (view, later) = (&next.0, &next.1);
        }
        view
    }

    /// Adds one, behind those that other threads may add meanwhile.
    pub(crate) fn push(&self, view: View) {
        let mut later = self;
        let mut new = Box::new((view, Later::default()));
        while let Err(back) = later.0.set(new) {
            new = back;
            while let Some(next) = later.0.get() {
                later = &next.1;
            }
        }
    }
}
