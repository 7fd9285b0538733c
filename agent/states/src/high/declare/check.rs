//! The shape of one state's list: one function, lists where lists belong.

use super::Reader;
use super::repr::shown;
use crate::error::Error;
use crate::high::Arg;
use crate::requisite;
use crate::yaml::{Data, Node};

impl Reader<'_> {
    pub(super) fn text_id(&mut self, id: &Node) {
        if id.as_str().is_none() {
            let reason = format!(
                "ID '{}' in SLS '{}' is not formed as a string, but is type {}. It may need to be \
                 quoted.",
                shown(id),
                self.owner,
                id.python_type()
            );
            self.malformed(id.line, reason);
        }
    }

    pub(super) fn check_function(&mut self, id: &str, line: u32, fun: &str) {
        if fun.trim().contains(' ') {
            let reason = format!(
                "The function \"{fun}\" in state \"{id}\" in SLS \"{}\" has whitespace, a function \
                 with whitespace is not supported, perhaps this is an argument that is missing a \
                 \":\"",
                self.owner
            );
            self.malformed(line, reason);
        }
    }

    pub(super) fn one_function(&mut self, id: &str, line: u32, args: &[Arg]) {
        let funs = args.iter().filter_map(|arg| match arg {
            Arg::Fun(name) => Some(name.as_str()),
            Arg::Set(_) | Arg::Other(_) => None,
        });
        let funs: Vec<&str> = funs.collect();
        let sls = &self.owner;
        let reason = match funs.len() {
            0 => format!("No function declared in state '{id}' in SLS '{sls}'"),
            1 => return,
            _ => format!(
                "Too many functions declared in state '{id}' in SLS '{sls}'. Please choose one of \
                 the following: {}",
                funs.join(", ")
            ),
        };
        self.malformed(line, reason);
    }

    /// `names` and requisites must be lists of the right shape.
    pub(super) fn check_arg(&mut self, id: &str, name: &str, value: &Node, count: usize) {
        let sls = &self.owner;
        if name == "names" && value.as_seq().is_none() {
            let reason = format!(
                "The 'names' argument in state '{id}' in SLS '{sls}' needs to be formed as a list"
            );
            self.malformed(value.line, reason);
        }
        if requisite::is_turned(name) && value.as_seq().is_none() && value.as_map().is_none() {
            let reason = format!("'{name}' is neither a list nor a map: it has no effect");
            let warning = Error::shape(&self.at(value.line), reason);
            return self.high.warnings.push(warning);
        }
        if !requisite::is_verified(name) {
            return;
        }
        match value.as_seq() {
            Some(items) => items.iter().for_each(|item| self.check_requisite(id, item)),
            None => {
                let sls = &self.owner;
                let reason = format!(
                    "The {name} statement in state '{id}' in SLS '{sls}' needs to be formed as a \
                     list"
                );
                self.malformed(value.line, reason);
            }
        }
        if count != 1 {
            let sls = &self.owner;
            let reason =
                format!("Multiple dictionaries defined in argument of state '{id}' in SLS '{sls}'");
            self.malformed(value.line, reason);
        }
    }

    fn check_requisite(&mut self, id: &str, item: &Node) {
        let sls = &self.owner;
        let reason = match (&item.data, item.as_map()) {
            (Data::Str(_), _) => return,
            (_, Some([(key, value)])) => {
                let is_container = matches!(value.data, Data::Seq(_) | Data::Map(_));
                let key = key.key_text();
                match key.split_once('.') {
                    Some((module, _)) => {
                        let reason = format!(
                            "Invalid requisite type '{key}' in state '{id}', in SLS '{sls}'. \
                             Requisite types must not contain dots, did you mean '{module}'?"
                        );
                        self.malformed(item.line, reason);
                    }
                    None if !is_container => return,
                    None => {}
                }
                if !is_container {
                    return;
                }
                format!(
                    "Illegal requisite \"{}\" in SLS \"{}\", please check your syntax.\n",
                    shown(value),
                    self.owner
                )
            }
            _ => format!(
                "Requisite declaration {} in state {id} in SLS {sls} is not formed as a single \
                 key dictionary",
                shown(item)
            ),
        };
        self.malformed(item.line, reason);
    }
}
