//! What the command line gives to the state engine: trees, facts, pillar, options, the machine.

use crate::args::{Data, States};
use crate::files;
use crate::paths::Root;
use anyhow::Context;
use muster_states::{
    Compiled, Error, Facts, Host, Opts, Reload, Request, Selection, Tree, TreeError, pillar,
};
use serde_json::{Map, Value};
use std::path::PathBuf;

/// Everything that compiling needs.
#[derive(Debug)]
pub(super) struct World {
    pub(super) host: Host,
    tree: Tree,
    pillar_roots: Vec<(String, PathBuf)>,
    pillar_tree: Tree,
    /// What the command line says of the machine, whatever it is.
    given: Map<String, Value>,
    facts: Facts,
    over: Map<String, Value>,
    opts: Opts,
    exclude: Vec<String>,
}

impl World {
    /// Reads what the command line names.
    pub(super) fn read(root: &Root, states: &States) -> anyhow::Result<World> {
        let host = root.folder().map_or_else(Host::new, Host::under);
        let mut given = data("--grains", &states.grains)?;
        if let Some(id) = &states.id {
            given.insert("id".to_owned(), id.clone().into());
        }
        let facts = facts(&host, &given);
        let mut opts = data("--opts", &states.opts)?;
        let mut both = Vec::new();
        for (option, given) in
            [("file_roots", &states.file_roots), ("pillar_roots", &states.pillar_roots)]
        {
            let roots = roots(option, given, &opts)?;
            opts.insert(option.to_owned(), as_option(&roots));
            let tree = tree(&roots).with_context(|| format!("reading the folders of {option}"))?;
            both.push((roots, tree));
        }
        if states.test {
            opts.insert("test".to_owned(), Value::Bool(true));
        }
        let over = data("--pillar", &states.pillar)?;
        let exclude = states.exclude.clone();
        let (pillar_roots, pillar_tree) = both.pop().unwrap_or_default();
        let (_, tree) = both.pop().unwrap_or_default();
        let opts = Opts::from_map(opts);
        Ok(World { host, tree, pillar_roots, pillar_tree, given, facts, over, opts, exclude })
    }
}

fn tree(roots: &[(String, PathBuf)]) -> Result<Tree, TreeError> {
    Tree::from_roots(roots.iter().map(|(env, dir)| (env.as_str(), [dir])))
}

/// The machine's facts, but for what the command line says.
fn facts(host: &Host, given: &Map<String, Value>) -> Facts {
    let mut facts = muster_states::facts::collect(host);
    for (name, value) in given {
        facts.set(name.clone(), value.clone());
    }
    facts
}

impl Reload for World {
    fn facts(&self) -> Facts {
        facts(&self.host, &self.given)
    }

    fn pillar(&self, facts: &Facts) -> Option<Value> {
        match tree(&self.pillar_roots) {
            Ok(tree) => {
                let (pillar, errors) = self.pillar_of(&tree, facts);
                for error in errors {
                    tracing::warn!(%error, "the pillar that was read anew is at fault");
                }
                Some(pillar)
            }
            Err(error) => {
                let error = crate::chain(&error);
                tracing::warn!(error, "the pillar stays as it was");
                None
            }
        }
    }
}

impl World {
    /// The pillar of this worker, with what the command line lays over it; of one at fault what
    /// the rest gives, with Salt's `_errors`.
    pub(super) fn pillar(&self) -> (Value, Vec<Error>) {
        self.pillar_of(&self.pillar_tree, &self.facts)
    }

    fn pillar_of(&self, tree: &Tree, facts: &Facts) -> (Value, Vec<Error>) {
        let (mut data, errors) = pillar::render_what_can_be(&pillar::Request {
            tree,
            states: &self.tree.clone().into(),
            id: facts.id(),
            facts,
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
