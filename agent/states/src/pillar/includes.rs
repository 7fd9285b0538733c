//! `include` of a pillar SLS: names, patterns, variables for what is included, a key to put it
//! under.

use serde_json::{Map, Value};

use super::Pass;
use crate::error::{At, Error};
use crate::render::Vars;
use crate::render::python::from_sls;
use crate::sls::{self, Sls};
use crate::target::glob;
use crate::yaml::Node;

impl Pass<'_> {
    /// The data of an SLS over those of what it includes.
    pub(super) fn with_includes(
        &mut self,
        own: Map<String, Value>,
        list: &Node,
        from: &Sls,
        env: &str,
        vars: &Vars,
    ) -> Map<String, Value> {
        let Some(items) = list.as_seq() else {
            let reason =
                format!("Include Declaration in SLS '{}' is not formed as a list", from.name);
            self.errors.push(Error::shape(&At::new(from.place.clone(), list.line), reason));
            return own;
        };
        // Variables of one include stay for the plain ones behind it, as in Salt.
        let mut vars = vars.clone();
        let mut parts: Vec<Map<String, Value>> = Vec::new();
        // Salt tells the faults of an include again for each one behind it that is done already.
        let mut told: Vec<Error> = Vec::new();
        for item in items {
            let (target, key) = include(item, &mut vars);
            let at = Some(At::new(from.place.clone(), item.line));
            for name in self.included(&target, from, env) {
                let found = match self.done.get(&name) {
                    Some(done) => {
                        self.errors.extend(told.iter().cloned());
                        done.clone()
                    }
                    None => {
                        let before = self.errors.len();
                        let found = self.sls(&name, env, &vars, at.clone());
                        told = self.errors[before..].to_vec();
                        found
                    }
                };
                if let Some(data) = found.filter(|data| !data.is_empty()) {
                    parts.push(under(key.as_deref(), data));
                }
            }
        }
        if self.opts.flag("pillar_includes_override_sls") {
            parts.insert(0, own);
        } else {
            parts.push(own);
        }
        let mut parts = parts.into_iter();
        let first = parts.next().unwrap_or_default();
        parts.fold(first, |all, part| self.merging.merge(all, part))
    }

    /// The SLS that an include means: by its name without leading dots, and relative to the SLS.
    fn included(&self, target: &str, from: &Sls, env: &str) -> Vec<String> {
        let known = self
            .worlds
            .get(env)
            .map(|renderer| sls::names(&renderer.scope().tree))
            .unwrap_or_default();
        let plain = target.trim_start_matches('.').replace('/', ".");
        let mut full = target.to_owned();
        if let Some(rest) = target.strip_prefix('.') {
            let mut parts: Vec<&str> = from.name.split('.').collect();
            if !from.file.ends_with("/init.sls") {
                parts.pop();
            }
            parts.push(rest);
            full = parts.join(".");
        }
        let mut names: Vec<String> = Vec::new();
        for pattern in [&plain, &full] {
            names.extend(known.iter().filter(|name| glob(pattern, name)).cloned());
        }
        if names.is_empty() { vec![full] } else { names }
    }
}

/// An include: its SLS, and the key to put it under; its `defaults` become the variables.
fn include(item: &Node, vars: &mut Vars) -> (String, Option<String>) {
    let Some([(sls, options), ..]) = item.as_map() else { return (item.key_text(), None) };
    let options = options.to_json();
    let key = options.get("key").and_then(Value::as_str).map(str::to_owned);
    let defaults = options.get("defaults").and_then(Value::as_object).into_iter().flatten();
    *vars = defaults.map(|(name, value)| (name.clone(), from_sls(value))).collect();
    (sls.key_text(), key)
}

/// Nests data under `a:b`.
fn under(key: Option<&str>, data: Map<String, Value>) -> Map<String, Value> {
    let Some(key) = key else { return data };
    let one = |part: &str, inner| Map::from_iter([(part.to_owned(), Value::Object(inner))]);
    key.rsplit(':').fold(data, |inner, part| one(part, inner))
}
