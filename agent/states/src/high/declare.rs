//! From the data of one SLS to its declarations, with Salt's words for what is malformed.

mod check;

use indexmap::IndexMap;
use serde_json::Value;

use super::{Arg, Body, Exclude, Extend, High};
use crate::error::{At, Error};
use crate::render::python;
use crate::sls::Sls;
use crate::yaml::{Data, Node};

/// One item of an SLS's `include`.
pub(super) struct Include {
    pub(super) target: String,
    pub(super) at: At,
}

/// Reads the declarations of an SLS; `None` if it is no map.
pub(super) fn declare(sls: &Sls, errors: &mut Vec<Error>) -> Option<(High, Vec<Include>)> {
    let mut reader = Reader { sls, errors, high: High::default(), includes: Vec::new() };
    let Some(pairs) = sls.root.as_map() else {
        let contents = python::repr(&python::from_yaml(&sls.root));
        let line = sls.root.line;
        reader.fault(line, format!("SLS {} does not render to a dictionary", sls.name));
        reader.fault(line, format!("Error when rendering state with contents: {contents}"));
        return None;
    };
    for (key, value) in pairs {
        match key.as_str() {
            Some("include") => reader.include(value),
            Some("extend") => reader.extend(value),
            Some("exclude") => reader.exclude(value),
            _ => reader.id(key, value),
        }
    }
    Some((reader.high, reader.includes))
}

struct Reader<'a> {
    sls: &'a Sls,
    errors: &'a mut Vec<Error>,
    high: High,
    includes: Vec<Include>,
}

impl Reader<'_> {
    fn at(&self, line: u32) -> At {
        At::new(self.sls.file.as_str(), line)
    }

    fn fault(&mut self, line: u32, reason: impl Into<String>) {
        let error = Error::shape(&self.at(line), reason);
        self.errors.push(error);
    }

    fn include(&mut self, value: &Node) {
        let Some(items) = value.as_seq() else {
            let name = &self.sls.name;
            let reason = format!("Include Declaration in SLS {name} is not formed as a list");
            return self.fault(value.line, reason);
        };
        for item in items {
            // `{env: sls}` names an environment; there is only base here.
            let target = match item.as_map() {
                Some([(_, sls), ..]) => sls.key_text(),
                _ => item.key_text(),
            };
            self.includes.push(Include { target, at: self.at(item.line) });
        }
    }

    fn exclude(&mut self, value: &Node) {
        let Some(items) = value.as_seq() else {
            let name = &self.sls.name;
            let reason = format!("Exclude Declaration in SLS {name} is not formed as a list");
            return self.fault(value.line, reason);
        };
        for item in items {
            let exclude = match item.as_map() {
                Some([(key, id), ..]) if key.as_str() == Some("id") => Exclude::Id(id.key_text()),
                Some([(_, sls), ..]) => Exclude::Sls(sls.key_text()),
                _ => Exclude::Sls(item.key_text()),
            };
            self.high.excludes.push(exclude);
        }
    }

    fn extend(&mut self, value: &Node) {
        let name = self.sls.name.clone();
        let Some(pairs) = value.as_map() else {
            let reason = format!("Extension value in SLS '{name}' is not a dictionary");
            return self.fault(value.line, reason);
        };
        for (id, body) in pairs {
            let text = id.key_text();
            let Some(states) = body.as_map() else {
                let reason = format!("Extension name '{text}' in SLS '{name}' is not a dictionary");
                self.fault(id.line, reason);
                continue;
            };
            let body = self.body(&text, id.line, states, true);
            self.high.extends.push(Extend { id: text, body });
        }
    }

    fn id(&mut self, id: &Node, value: &Node) {
        let text = id.key_text();
        if text.starts_with("__") {
            return;
        }
        if id.as_str().is_none() {
            let reason = format!(
                "ID '{text}' in SLS '{}' is not formed as a string, but is type {}. It may need to \
                 be quoted.",
                self.sls.name,
                check::python_type(id)
            );
            self.fault(id.line, reason);
        }
        let body = match (&value.data, value.as_map()) {
            (_, Some(states)) => self.body(&text, id.line, states, false),
            // The short form `id: module.function`.
            (Data::Str(short), _) if short.contains('.') => {
                let (state, fun) = short.split_once('.').unwrap_or((short, ""));
                let states = [(state.to_owned(), vec![Arg::Fun(fun.to_owned())])];
                self.empty_body(id.line, IndexMap::from(states))
            }
            _ => {
                let reason = format!("ID {text} in SLS {} is not a dictionary", self.sls.name);
                return self.fault(id.line, reason);
            }
        };
        self.high.bodies.insert(text, body);
    }

    fn empty_body(&self, line: u32, states: IndexMap<String, Vec<Arg>>) -> Body {
        Body { sls: self.sls.name.clone(), at: self.at(line), included_from: Vec::new(), states }
    }

    fn body(&mut self, id: &str, line: u32, pairs: &[(Node, Node)], extending: bool) -> Body {
        let mut states: IndexMap<String, Vec<Arg>> = IndexMap::new();
        for (key, value) in pairs {
            let key_text = key.key_text();
            if key_text.starts_with("__") {
                continue;
            }
            let (state, fun) = match key_text.split_once('.') {
                Some((state, fun)) => (state, Some(fun.to_owned())),
                None => (key_text.as_str(), None),
            };
            if states.contains_key(state) {
                let reason = format!(
                    "ID '{id}' in SLS '{}' contains multiple state declarations of the same type",
                    self.sls.name
                );
                self.fault(key.line, reason);
                continue;
            }
            let Some(mut args) = self.state(id, key, value) else { continue };
            args.extend(fun.map(Arg::Fun));
            if !extending {
                self.one_function(id, key.line, &args);
            }
            states.insert(state.to_owned(), args);
        }
        self.empty_body(line, states)
    }

    /// What stands under one module of an ID.
    fn state(&mut self, id: &str, key: &Node, value: &Node) -> Option<Vec<Arg>> {
        let sls = &self.sls.name;
        match &value.data {
            Data::Seq(items) => Some(self.args(id, items)),
            Data::Null => {
                let reason = format!(
                    "ID '{id}' in SLS '{sls}' contains a short declaration ({}) with a trailing \
                     colon. When not passing any arguments to a state, the colon must be omitted.",
                    key.key_text()
                );
                self.fault(key.line, reason);
                None
            }
            _ => {
                let reason = format!("State '{id}' in SLS '{sls}' is not formed as a list");
                self.fault(key.line, reason);
                None
            }
        }
    }

    fn args(&mut self, id: &str, items: &[Node]) -> Vec<Arg> {
        let mut args = Vec::new();
        for item in items {
            if let Some(fun) = item.as_str() {
                self.check_function(id, item.line, fun);
                args.push(Arg::Fun(fun.to_owned()));
                continue;
            }
            let Some(pairs) = item.as_map() else {
                let reason = format!(
                    "State '{id}' in SLS '{}' has an item that is neither a function nor an \
                     argument",
                    self.sls.name
                );
                self.fault(item.line, reason);
                continue;
            };
            for (key, value) in pairs {
                let name = key.key_text();
                self.check_arg(id, &name, value, pairs.len());
                args.push(Arg::Set(name, value.to_json(), key.line));
            }
        }
        args
    }
}

/// The value of an argument, if it is set.
pub(super) fn value_of<'a>(args: &'a [Arg], name: &str) -> Option<&'a Value> {
    args.iter().rev().find_map(|arg| match arg {
        Arg::Set(key, value, _) if key == name => Some(value),
        Arg::Set(..) | Arg::Fun(_) => None,
    })
}
