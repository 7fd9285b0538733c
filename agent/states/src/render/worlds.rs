//! A renderer for each environment of a tree.

use super::{Renderer, Scope};
use crate::tree::BASE;

/// A renderer for each environment of a tree.
#[derive(Debug)]
pub(crate) struct Worlds {
    base: Renderer,
    others: Vec<Renderer>,
}

impl Worlds {
    pub(crate) fn new(base: Renderer) -> Worlds {
        let scope = &base.scope;
        let envs = scope.tree.envs().skip(1);
        let others = envs.filter_map(|env| scope.in_env(env)).map(Renderer::of).collect();
        Worlds { base, others }
    }

    /// The environments of the tree that a template belongs to, seen as that template sees its own.
    pub(crate) fn around(scope: &Scope) -> Option<Worlds> {
        Some(Worlds::new(Renderer::of(scope.in_env(BASE)?)))
    }

    pub(crate) fn base(&self) -> &Renderer {
        &self.base
    }

    /// The names of all environments, `base` first.
    pub(crate) fn envs(&self) -> impl Iterator<Item = &str> {
        self.base.scope.tree.envs()
    }

    pub(crate) fn get(&self, saltenv: &str) -> Option<&Renderer> {
        let mut all = std::iter::once(&self.base).chain(&self.others);
        all.find(|renderer| renderer.scope.tree.saltenv() == saltenv)
    }
}
