//! Renders the selected SLS with all they include, and merges them.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::declare::{self, Declared};
use super::{Arg, High, Pair};
use crate::error::{Error, Kind};
use crate::opts::Opts;
use crate::render::{Renderer, Vars, Worlds};
use crate::sls;
use crate::target::glob;
use crate::top::{Matches, Selected};

/// The order that the first state without one gets; each further one gets the next.
const ORDER_FIRST: i64 = 10_000;

/// The high data of what was selected, and what could not be read.
pub(crate) struct Built {
    pub(crate) high: High,
    /// SLS that were looked at, as `env:name`.
    pub(crate) rendered: Vec<String>,
    pub(crate) errors: Vec<Error>,
}

/// Renders what was selected.
pub(crate) fn build(worlds: &Worlds, selected: &Matches, opts: &Opts) -> Built {
    let auto_order = opts.get("state_auto_order").is_none_or(|auto| *auto != Value::Bool(false));
    let mut builder = Builder {
        worlds,
        selected,
        known: HashMap::new(),
        seen: HashSet::new(),
        order: auto_order.then_some(ORDER_FIRST),
        errors: Vec::new(),
    };
    let mut high = High::default();
    let mut found = Vec::new();
    for (saltenv, patterns) in selected {
        for by in patterns {
            let from = builder.errors.len();
            builder.matching(saltenv, by, &mut found);
            for name in found.clone() {
                if let Some(more) = builder.sls(&name, saltenv) {
                    merge(&mut high, more, &mut builder.errors);
                }
            }
            builder.rename_missing(from, saltenv, by);
        }
    }
    let rendered = builder.seen.into_iter().map(|(env, name)| format!("{env}:{name}")).collect();
    Built { high, rendered, errors: builder.errors }
}

pub(super) struct Builder<'a> {
    pub(super) worlds: &'a Worlds,
    pub(super) selected: &'a Matches,
    known: HashMap<String, Vec<String>>,
    pub(super) seen: HashSet<(String, String)>,
    order: Option<i64>,
    pub(super) errors: Vec<Error>,
}

impl Builder<'_> {
    /// The SLS that a pattern of the top file means. Where there is no such environment, Salt goes
    /// on with those of the pattern before, and tells of each that it misses.
    fn matching(&mut self, saltenv: &str, by: &Selected, found: &mut Vec<String>) {
        if self.worlds.get(saltenv).is_some() {
            *found = self.known(saltenv, &by.sls);
        } else {
            let reason = format!("No matching salt environment for environment '{saltenv}' found");
            self.errors.push(Error::new(Kind::Missing, by.at.clone(), reason));
        }
        if found.is_empty() {
            found.push(by.sls.clone());
        }
    }

    /// The names of an environment's SLS that a pattern means, sorted.
    pub(super) fn known(&mut self, saltenv: &str, pattern: &str) -> Vec<String> {
        let Some(renderer) = self.worlds.get(saltenv) else { return Vec::new() };
        let known = self
            .known
            .entry(saltenv.to_owned())
            .or_insert_with(|| sls::names(&renderer.scope().tree));
        known.iter().filter(|name| glob(pattern, name)).cloned().collect()
    }

    /// An SLS that was selected itself and is not there has words of its own.
    fn rename_missing(&mut self, from: usize, saltenv: &str, by: &Selected) {
        let sls = &by.sls;
        let start = format!("Specified SLS {sls} in saltenv");
        for error in &mut self.errors[from..] {
            if error.kind == Kind::Missing && error.reason.starts_with(&start) {
                error.reason = format!("No matching sls found for '{sls}' in env '{saltenv}'");
            }
            error.at = error.at.take().or_else(|| by.at.clone());
        }
    }

    /// One SLS and its includes; `None` if it was rendered already, or does not render.
    pub(super) fn sls(&mut self, name: &str, saltenv: &str) -> Option<High> {
        if !self.seen.insert((saltenv.to_owned(), name.to_owned())) {
            return None;
        }
        let Some(renderer) = self.worlds.get(saltenv) else {
            self.missing(name, saltenv);
            return None;
        };
        let Declared { mut high, includes, sls } = self.load(renderer, name, saltenv)?;
        for include in includes {
            self.include(&sls, &include, &mut high);
        }
        self.give_orders(&mut high);
        Some(high)
    }

    /// An SLS that is not there counts as not seen: each target that gives it is told so.
    fn missing(&mut self, name: &str, saltenv: &str) {
        self.seen.remove(&(saltenv.to_owned(), name.to_owned()));
        self.errors.push(sls::missing(name, saltenv));
    }

    fn load(&mut self, renderer: &Renderer, name: &str, saltenv: &str) -> Option<Declared> {
        let Some(file) = sls::file_of(&renderer.scope().tree, name) else {
            self.missing(name, saltenv);
            return None;
        };
        match sls::load(renderer, name, &file, Vars::new()) {
            Ok(sls) if sls.root.is_null() => None,
            Ok(sls) => declare::declare(sls, &mut self.errors),
            Err(error) => {
                self.errors.push(error);
                None
            }
        }
    }

    /// States without an `order` get one: their place among all.
    fn give_orders(&mut self, high: &mut High) {
        let Some(next) = &mut self.order else { return };
        for args in high.bodies.values_mut().flat_map(|body| body.states.values_mut()) {
            if !args.iter().any(|arg| arg.first().is_some_and(|pair| pair.key == "order")) {
                args.push(Arg::Set(vec![Pair::new("order", *next, 0)]));
                *next += 1;
            }
        }
    }
}

/// Adds `more` to `high`; an ID that is in both and not the same is a conflict.
pub(super) fn merge(high: &mut High, more: High, errors: &mut Vec<Error>) {
    high.extends.extend(more.extends);
    high.excludes.extend(more.excludes);
    high.has_extend |= more.has_extend;
    high.has_exclude |= more.has_exclude;
    high.malformed.extend(more.malformed);
    high.warnings.extend(more.warnings);
    if high.bodies.is_empty() {
        high.bodies = more.bodies;
        return;
    }
    for (id, body) in more.bodies {
        if let Some(own) = high.bodies.get(&id)
            && *own != body
        {
            let reason = format!(
                "Detected conflicting IDs, SLS IDs need to be globally unique.\n    The \
                 conflicting ID is '{id}' and is found in SLS '{}:{}' and SLS '{}:{}'",
                own.saltenv, own.sls, body.saltenv, body.sls
            );
            errors.push(Error::shape(&body.at, reason));
        }
        high.bodies.insert(id, body);
    }
}
