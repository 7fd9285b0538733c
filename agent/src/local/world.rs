//! What the command line gives to the state engine: trees, facts, pillar, options, the machine.

use crate::args::{Data, States};
use crate::files;
use crate::paths::Root;
use anyhow::Context;
use muster_states::{Compiled, Error, Facts, Host, Opts, Request, Selection, Tree, pillar};
use serde_json::{Map, Value};
use std::path::PathBuf;

/// Everything that compiling needs.
pub(super) struct World {
    pub(super) host: Host,
    tree: Tree,
    pillar_tree: Tree,
    facts: Facts,
    over: Map<String, Value>,
    opts: Opts,
    exclude: Vec<String>,
}

impl World {
    /// Reads what the command line names.
    pub(super) fn read(root: &Root, states: &States) -> anyhow::Result<World> {
        let host = root.folder().map_or_else(Host::new, Host::under);
        let mut facts = muster_states::facts::collect(&host);
        for (name, value) in data("--grains", &states.grains)? {
            facts.set(name, value);
        }
        if let Some(id) = &states.id {
            facts.set("id", id.clone());
        }
        let mut opts = data("--opts", &states.opts)?;
        let mut trees = Vec::new();
        for (option, given) in
            [("file_roots", &states.file_roots), ("pillar_roots", &states.pillar_roots)]
        {
            let roots = roots(option, given, &opts)?;
            let tree = Tree::from_roots(roots.iter().map(|(env, dir)| (env.as_str(), [dir])));
            trees.push(tree.with_context(|| format!("reading the folders of {option}"))?);
            opts.insert(option.to_owned(), as_option(&roots));
        }
        if states.test {
            opts.insert("test".to_owned(), Value::Bool(true));
        }
        let over = data("--pillar", &states.pillar)?;
        let exclude = states.exclude.clone();
        let pillar_tree = trees.pop().unwrap_or_default();
        let tree = trees.pop().unwrap_or_default();
        Ok(World { host, tree, pillar_tree, facts, over, opts: Opts::from_map(opts), exclude })
    }
}

impl World {
    /// The pillar of this worker, with what the command line lays over it; of one at fault what
    /// the rest gives, with Salt's `_errors`.
    pub(super) fn pillar(&self) -> (Value, Vec<Error>) {
        let (mut data, errors) = pillar::render_what_can_be(&pillar::Request {
            tree: &self.pillar_tree,
            id: self.facts.id(),
            facts: &self.facts,
            opts: &self.opts,
            over: Some(&self.over),
            pillarenv: None,
            local: Some(&self.host),
        });
        if !errors.is_empty() {
            data.insert("_errors".to_owned(), pillar::words(&errors, &self.opts).into());
        }
        (Value::Object(data), errors)
    }

    /// Salt's words, which hide what is wrong; file, line and reason are told beside them.
    pub(super) fn pillar_failed(&self, errors: &[Error]) -> Value {
        pillar::messages(errors, &self.opts).into()
    }

    fn request<'a>(&'a self, pillar: &'a Value, selection: &'a Selection) -> Request<'a> {
        Request {
            tree: &self.tree,
            facts: &self.facts,
            pillar,
            opts: &self.opts,
            selection,
            exclude: &self.exclude,
            host: &self.host,
        }
    }

    /// Compiles the selected states.
    pub(super) fn compile(
        &self,
        pillar: &Value,
        selection: &Selection,
    ) -> Result<Compiled, Vec<Error>> {
        muster_states::compile_request(&self.request(pillar, selection))
    }

    /// Shows a stage of the compilation.
    pub(super) fn show(
        &self,
        pillar: &Value,
        selection: &Selection,
        stage: impl FnOnce(&Request<'_>) -> Result<Value, Vec<Error>>,
    ) -> Result<Value, Vec<Error>> {
        stage(&self.request(pillar, selection))
    }

    /// Compiles one state function with its arguments.
    pub(super) fn single(
        &self,
        pillar: &Value,
        function: &str,
        args: &Map<String, Value>,
    ) -> Result<Compiled, Vec<Error>> {
        muster_states::single(&self.request(pillar, &Selection::Highstate), function, args)
    }

    /// Whether the options say that a pillar is shown with its values.
    pub(super) fn shows_pillar(&self) -> bool {
        self.opts.get("pillar_mask_output") == Some(&Value::Bool(false))
    }

    /// Whether an option of Salt's is on.
    pub(super) fn flag(&self, option: &str) -> bool {
        self.opts.flag(option)
    }
}

/// What an option gives, in itself or in a file.
fn data(option: &str, data: &Data) -> anyhow::Result<Map<String, Value>> {
    let path = match data {
        Data::Here(map) => return Ok(map.clone()),
        Data::File(path) => path,
    };
    let context = || format!("reading {option} from {}", path.display());
    let bytes = files::read(path)?.with_context(|| format!("{} is not there", path.display()));
    let bytes = bytes.with_context(context)?;
    let data: Map<String, Value> = muster_states::read_yaml_or_default(files::text(path, &bytes)?)
        .map_err(|error| files::at(path, error.line, error.column, error.reason))?;
    Ok(data)
}

/// Folders by environment: those of the command line, then those of Salt's option.
fn roots(
    option: &str,
    given: &[(String, PathBuf)],
    opts: &Map<String, Value>,
) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let mut roots = given.to_vec();
    let wrong = || anyhow::anyhow!("--opts: {option} is no map of environments to folders");
    let more = match opts.get(option) {
        None | Some(Value::Null) => &Map::new(),
        Some(more) => more.as_object().ok_or_else(wrong)?,
    };
    for (env, folders) in more {
        let folders = match folders {
            Value::Array(folders) => folders.as_slice(),
            one => std::slice::from_ref(one),
        };
        for folder in folders {
            roots.push((env.clone(), folder.as_str().ok_or_else(wrong)?.into()));
        }
    }
    for (_, folder) in &mut roots {
        *folder = std::path::absolute(&*folder).context("looking for a folder of states")?;
    }
    // As with Salt: the tree is then empty there, and says so when something of it is asked for.
    roots.retain(|(_, folder)| {
        let there = folder.exists();
        if !there {
            super::eprint(&format!("warning: {} is not there\n", folder.display()));
        }
        there
    });
    Ok(roots)
}

/// Folders as Salt's option has them.
fn as_option(roots: &[(String, PathBuf)]) -> Value {
    let mut envs: Map<String, Value> = Map::new();
    for (env, folder) in roots {
        let folders = envs.entry(env.clone()).or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(folders) = folders {
            folders.push(folder.to_string_lossy().into());
        }
    }
    Value::Object(envs)
}
