//! The shape of one state's list: one function, lists where lists belong.

use super::Reader;
use crate::high::Arg;
use crate::render::python;
use crate::requisite;
use crate::yaml::{Data, Node};

impl Reader<'_> {
    pub(super) fn check_function(&mut self, id: &str, line: u32, fun: &str) {
        if fun.trim().contains(' ') {
            let reason = format!(
                "The function \"{fun}\" in state \"{id}\" in SLS \"{}\" has whitespace, a function \
                 with whitespace is not supported, perhaps this is an argument that is missing a \
                 \":\"",
                self.sls.name
            );
            self.fault(line, reason);
        }
    }

    pub(super) fn one_function(&mut self, id: &str, line: u32, args: &[Arg]) {
        let name = |arg: &Arg| match arg {
            Arg::Fun(name) => Some(name.clone()),
            Arg::Set(..) => None,
        };
        let funs: Vec<String> = args.iter().filter_map(name).collect();
        let sls = &self.sls.name;
        let reason = match funs.len() {
            0 => format!("No function declared in state '{id}' in SLS '{sls}'"),
            1 => return,
            _ => format!(
                "Too many functions declared in state '{id}' in SLS '{sls}'. Please choose one of \
                 the following: {}",
                funs.join(", ")
            ),
        };
        self.fault(line, reason);
    }

    /// `names` and requisites must be lists of the right shape.
    pub(super) fn check_arg(&mut self, id: &str, name: &str, value: &Node, count: usize) {
        let sls = &self.sls.name;
        if name == "names" && value.as_seq().is_none() {
            let reason = format!(
                "The 'names' argument in state '{id}' in SLS '{sls}' needs to be formed as a list"
            );
            return self.fault(value.line, reason);
        }
        if !requisite::is_keyword(name) {
            return;
        }
        let Some(items) = value.as_seq() else {
            // `require_in: {mod: id}` is a form of its own.
            if !(name.ends_with("_in") && value.as_map().is_some()) {
                let reason = format!(
                    "The {name} statement in state '{id}' in SLS '{sls}' needs to be formed as \
                     a list"
                );
                self.fault(value.line, reason);
            }
            return;
        };
        if count != 1 {
            let reason =
                format!("Multiple dictionaries defined in argument of state '{id}' in SLS '{sls}'");
            self.fault(value.line, reason);
        }
        for item in items {
            self.check_requisite(id, item);
        }
    }

    fn check_requisite(&mut self, id: &str, item: &Node) {
        let sls = &self.sls.name;
        let reason = match (&item.data, item.as_map()) {
            (Data::Str(_), _) => return,
            (_, Some([(key, _)])) => {
                let key = key.key_text();
                let Some((module, _)) = key.split_once('.') else { return };
                format!(
                    "Invalid requisite type '{key}' in state '{id}', in SLS '{sls}'. Requisite \
                     types \
                     must not contain dots, did you mean '{module}'?"
                )
            }
            _ => {
                let shown = python::repr(&python::from_yaml(item));
                format!(
                    "Requisite declaration {shown} in state {id} in SLS {sls} is not formed as a \
                     single key dictionary"
                )
            }
        };
        self.fault(item.line, reason);
    }
}

pub(super) fn python_type(node: &Node) -> &'static str {
    match node.data {
        Data::Null => "NoneType",
        Data::Bool(_) => "bool",
        Data::Int(_) => "int",
        Data::Float(_) => "float",
        Data::Str(_) => "str",
        Data::Seq(_) => "list",
        Data::Map(_) => "dict",
    }
}
