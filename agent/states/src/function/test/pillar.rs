//! `test.check_pillar`: whether pillar keys are there, and of the right kind.

use serde_json::Value;

use crate::data::traverse;
use crate::function::args::python_type;
use crate::function::{Context, Plan, StateFunction};
use crate::outcome::Outcome;

type Kind = (&'static str, &'static str, fn(&Value) -> bool);

/// The arguments, each with the kind that it asks for: Python's name of it, and its test.
const KINDS: [Kind; 6] = [
    ("present", "None", |_| true),
    ("boolean", "<class 'bool'>", Value::is_boolean),
    // To Python a truth is a number too.
    ("integer", "<class 'int'>", |value| ["int", "bool"].contains(&python_type(value))),
    ("string", "(<class 'str'>,)", |value| python_type(value) == "str"),
    ("listing", "<class 'list'>", Value::is_array),
    ("dictionary", "<class 'dict'>", Value::is_object),
];

pub(in crate::function) struct CheckPillar;

impl StateFunction for CheckPillar {
    const MODULE: &'static str = "test";
    const NAME: &'static str = "check_pillar";
    const TAKES: &'static [&'static str] =
        &["present", "boolean", "integer", "string", "listing", "dictionary", "verbose"];
    const WATCHES: bool = true;
    type Step = ();

    fn check(ctx: &Context<'_>) -> Plan<()> {
        if !KINDS.iter().any(|(arg, _, _)| ctx.flag(arg, false)) {
            return Plan::failed("Missing required argument text.");
        }
        let mut failed: Vec<(String, Option<&str>)> = Vec::new();
        let mut fine: Vec<(String, &str)> = Vec::new();
        for (arg, kind, is) in KINDS {
            for key in ctx.list(arg) {
                let found = traverse(&ctx.view().pillar, &key, ":");
                let fault = match found.filter(|value| !value.is_null()) {
                    None => None,
                    Some(value) if is(value) => {
                        match fine.iter_mut().find(|(own, _)| *own == key) {
                            Some((_, own)) => *own = kind,
                            None => fine.push((key, kind)),
                        }
                        continue;
                    }
                    Some(_) => Some(kind),
                };
                match failed.iter_mut().find(|(own, _)| *own == key) {
                    Some((_, own)) => *own = fault,
                    None => failed.push((key, fault)),
                }
            }
        }
        let mut comment = String::new();
        for (key, fault) in &failed {
            match fault {
                None => comment.push_str(&format!("Pillar key \"{key}\" is missing.\n")),
                Some(kind) => comment.push_str(&format!("Pillar key \"{key}\" is not {kind}.\n")),
            }
        }
        if ctx.flag("verbose", false) && !fine.is_empty() {
            comment.push_str("Those keys passed the check:\n");
            for (key, kind) in &fine {
                comment.push_str(&format!("- {key} ({kind})\n"));
            }
        }
        let fine = Outcome::fine(comment);
        Plan::Done(Outcome { result: Some(failed.is_empty()), ..fine })
    }

    fn apply(_: &Context<'_>, (): ()) -> Outcome {
        Outcome::fine("")
    }

    fn watch(ctx: &Context<'_>) -> Outcome {
        super::fired(ctx)
    }
}
