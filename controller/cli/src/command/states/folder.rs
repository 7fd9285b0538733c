//! A folder with a state tree, and for whom it is compiled: facts, pillar, options.

use super::map;
use crate::failure::{OrNext, Result};
use anyhow::Context;
use muster_states::{Error, Facts, Host, Opts, Request, Selection, Tree, pillar};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// For whom a tree is compiled.
#[derive(Debug, clap::Args)]
pub(crate) struct Given {
    /// The folder of the pillar tree [default: pillar beside the folder salt, if it is there]
    #[arg(long, value_name = "DIR")]
    pillar_root: Option<PathBuf>,
    /// The name of the worker
    #[arg(long, default_value = "worker")]
    id: String,
    /// Facts over those of this machine, as JSON or @FILE
    #[arg(long, value_name = "JSON")]
    grains: Option<String>,
    /// Pillar data, merged over the tree's, as JSON or @FILE
    #[arg(long, value_name = "JSON")]
    pillar: Option<String>,
    /// Salt's minion options, as JSON or @FILE
    #[arg(long, value_name = "JSON")]
    opts: Option<String>,
}

/// A state tree and all that compiling it needs.
pub(super) struct Folder {
    /// Where the state tree is, as it was named.
    pub(super) root: PathBuf,
    /// Where the pillar tree is, if there is one.
    pub(super) pillar_root: Option<PathBuf>,
    pub(super) tree: Tree,
    pub(super) pillar_tree: Tree,
    pub(super) facts: Facts,
    over: Map<String, Value>,
    opts: Opts,
    /// Templates that look at files find a bare machine: what is here says nothing of a worker.
    host: Host,
    _bare: TempDir,
}

impl Folder {
    /// Reads the folder and what else was given.
    pub(super) fn read(dir: &Path, given: &Given) -> Result<Folder> {
        let next = "name a folder with a state tree";
        let both = dir.join("salt").is_dir() && !dir.join("top.sls").is_file();
        let root = if both { dir.join("salt") } else { dir.to_owned() };
        let beside = dir.join("pillar");
        let pillar_root = given.pillar_root.clone().or((both && beside.is_dir()).then_some(beside));
        let read = |dir: &Path| {
            Tree::from_dir(dir).with_context(|| format!("reading {}", dir.display())).or_next(next)
        };
        let tree = read(&root)?;
        let pillar_tree = match &pillar_root {
            Some(dir) => read(dir)?,
            None => Tree::default(),
        };
        let mut facts = muster_states::facts::collect(&Host::new());
        for (name, value) in map("--grains", given.grains.as_ref())? {
            facts.set(name, value);
        }
        facts.set("id", given.id.clone());
        let over = map("--pillar", given.pillar.as_ref())?;
        let opts = Opts::from_map(map("--opts", given.opts.as_ref())?);
        let bare = tempfile::tempdir().and_then(|dir| Host::lay_bare(dir.path()).map(|()| dir));
        let bare = bare.context("making a folder that stands for a machine");
        let bare = bare.or_next("make room in the folder for temporary files")?;
        let host = Host::under(bare.path());
        Ok(Folder { root, pillar_root, tree, pillar_tree, facts, over, opts, host, _bare: bare })
    }

    /// The pillar of the worker.
    pub(super) fn pillar(&self) -> std::result::Result<Value, Vec<Error>> {
        pillar::render_request(&pillar::Request {
            tree: &self.pillar_tree,
            states: &self.tree.clone().into(),
            id: self.facts.id(),
            facts: &self.facts,
            opts: &self.opts,
            over: Some(&self.over),
            pillarenv: None,
            local: None,
        })
    }

    /// What the engine is asked to compile.
    pub(super) fn request<'a>(
        &'a self,
        pillar: &'a Value,
        selection: &'a Selection,
    ) -> Request<'a> {
        Request {
            tree: &self.tree,
            facts: &self.facts,
            pillar,
            opts: &self.opts,
            selection,
            exclude: &[],
            host: &self.host,
        }
    }
}
