//! `top.sls`: which SLS a worker gets, for states and for pillar, in which environments.

mod matching;
mod merging;

use indexmap::IndexMap;

use crate::error::{At, Error, Kind};
use crate::opts::Opts;
use crate::render::{Renderer, Vars, Worlds};
use crate::sls;
use crate::target::{Subject, glob};
use crate::yaml::Node;

pub(crate) use matching::pillar_matches;
pub(crate) use merging::{optional, pillar_targets};

/// Salt's words when no top file says anything.
pub(crate) const NO_TOP: &str =
    "No Top file or master_tops data matches found. Please see master log for details.";

/// All that the top files say, by the environment in which each stands.
pub(crate) type Tops = IndexMap<String, Vec<Sections>>;

/// One SLS that was selected, and where.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Selected {
    pub(crate) sls: String,
    pub(crate) at: Option<At>,
}

/// The SLS that a worker gets, by environment, in the order of the top files.
pub(crate) type Matches = IndexMap<String, Vec<Selected>>;

/// What one top file says: targets by environment.
pub(crate) type Sections = IndexMap<String, Targets>;

/// Targets as written, and what stands under each.
pub(crate) type Targets = IndexMap<String, (Node, At)>;

/// What a top file comes to for one worker.
#[derive(Debug, Default)]
pub(crate) struct Selection {
    pub(crate) matches: Matches,
    /// Targets that mean nobody because they do not parse.
    pub(crate) warnings: Vec<Error>,
}

/// What the top files give to a worker; errors of the kind `Nothing` mean that Salt reports no
/// states.
pub(crate) fn selected(
    worlds: &Worlds,
    subject: &Subject<'_>,
    opts: &Opts,
) -> Result<Selection, Vec<Error>> {
    let tops = tops(worlds, &environments(worlds, opts), opts).map_err(unread)?;
    let top = merging::merge(tops, opts)?;
    let errors = merging::verify(&top);
    if !errors.is_empty() {
        return Err(errors);
    }
    let known: Vec<String> = worlds.envs().map(str::to_owned).collect();
    matching::state_matches(&top, subject, opts.saltenv(), &known)
}

/// What Salt makes of a top file that does not render: there is none. Why comes after that.
fn unread(mut errors: Vec<Error>) -> Vec<Error> {
    if errors.iter().any(|error| error.kind == Kind::Render) {
        errors.insert(0, Error::new(Kind::Nothing, None, NO_TOP));
    }
    errors
}

/// The environments whose top files count, in order.
fn environments(worlds: &Worlds, opts: &Opts) -> Vec<String> {
    if let Some(only) = opts.saltenv().or_else(|| opts.text("state_top_saltenv")) {
        return vec![only.to_owned()];
    }
    let mut order: Vec<String> = Vec::new();
    for env in opts.texts("env_order") {
        if worlds.get(env).is_some() && !order.iter().any(|known| known == env) {
            order.push(env.to_owned());
        }
    }
    if order.is_empty() { worlds.envs().map(str::to_owned).collect() } else { order }
}

/// All top files of some environments, with those that they include.
fn tops(worlds: &Worlds, envs: &[String], opts: &Opts) -> Result<Tops, Vec<Error>> {
    let mut tops = Tops::new();
    for env in envs {
        let mut files = Vec::new();
        if let Some(renderer) = worlds.get(env)
            && renderer.scope().tree.has(opts.top_file())
        {
            let loaded = load(renderer, "top", opts.top_file())?;
            files.push(loaded.sections);
            for (name, file) in included(renderer, &loaded.includes) {
                files.push(load(renderer, &name, &file)?.sections);
            }
        }
        tops.insert(env.clone(), files);
    }
    Ok(tops)
}

/// The top files of a pillar, as far as they can be read, and what is wrong with the others.
///
/// # Errors
/// One that is no map of targets: with Salt, none of them counts then.
pub(crate) fn pillar_tops(
    worlds: &Worlds,
    envs: &[String],
    opts: &Opts,
) -> Result<(Tops, Vec<Error>), Error> {
    let (mut tops, mut errors) = (Tops::new(), Vec::new());
    let mut read = |renderer: &Renderer, name: &str, file: &str, what: &str| {
        let mut found = match load(renderer, name, file) {
            Ok(loaded) => return Ok(Some(loaded)),
            Err(found) => found,
        };
        if let Some(at) = found.iter().position(|error| error.kind == Kind::Nothing) {
            return Err(found.swap_remove(at));
        }
        errors.extend(found.into_iter().map(|mut error| {
            let cause = error.reason.split_once("' failed: ").map_or("", |(_, cause)| cause);
            if !cause.is_empty() {
                error.reason = format!("Rendering {what} failed, render error:\n{cause}");
            }
            error
        }));
        Ok(None)
    };
    for env in envs {
        let Some(renderer) = worlds.get(env) else { continue };
        if !renderer.scope().tree.has(opts.top_file()) {
            continue;
        }
        // Environments behind a top file that is at fault are not looked at, either.
        let Some(top) = read(renderer, "top", opts.top_file(), "Primary Top file")? else { break };
        let mut files = vec![top.sections];
        for (name, file) in included(renderer, &top.includes) {
            let more = read(renderer, &name, &file, &format!("Top file {name}"))?;
            files.extend(more.map(|loaded| loaded.sections));
        }
        tops.insert(env.clone(), files);
    }
    Ok((tops, errors))
}

/// The SLS that the `include` of a top file means, each once, with its file.
fn included(renderer: &Renderer, patterns: &[String]) -> Vec<(String, String)> {
    let tree = &renderer.scope().tree;
    let names = sls::names(tree);
    let mut found: Vec<(String, String)> = Vec::new();
    for pattern in patterns {
        for name in names.iter().filter(|name| glob(pattern, name)) {
            if let Some(file) = sls::file_of(tree, name)
                && !found.iter().any(|(known, _)| known == name)
            {
                found.push((name.clone(), file));
            }
        }
    }
    found
}

/// A top file, read.
struct Loaded {
    sections: Sections,
    includes: Vec<String>,
}

/// Renders one top file and reads its sections.
fn load(renderer: &Renderer, name: &str, file: &str) -> Result<Loaded, Vec<Error>> {
    let mut loaded = Loaded { sections: Sections::new(), includes: Vec::new() };
    let top = sls::load(renderer, name, file, Vars::new()).map_err(|error| vec![error])?;
    let Some(sections) = top.root.as_map() else {
        let at = At::new(top.place.clone(), top.root.line);
        let fault = || Error::shape(&at, "the top file is not a map of environments");
        return if top.root.is_null() { Ok(loaded) } else { Err(vec![fault()]) };
    };
    for (env, targets) in sections {
        let at = At::new(top.place.clone(), env.line);
        if env.as_str() == Some("include") {
            let items = targets.as_seq().unwrap_or_default();
            loaded.includes.extend(items.iter().map(Node::key_text));
            continue;
        }
        if env.as_str().is_none() {
            let shown = env.key_text();
            let reason = format!("Environment {shown} in top file is not formed as a string");
            return Err(vec![Error::shape(&at, reason)]);
        }
        let Some(targets) = targets.as_map() else {
            let reason = "Unable to render top file: Unable to render top file. No targets found.";
            return Err(vec![Error::new(Kind::Nothing, Some(at), reason)]);
        };
        let section = loaded.sections.entry(env.key_text()).or_default();
        for (target, body) in targets {
            let at = At::new(top.place.clone(), target.line);
            section.insert(target.key_text(), (body.clone(), at));
        }
    }
    Ok(loaded)
}
