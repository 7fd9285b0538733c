//! Random state trees, whole and broken, compiled and run: ours beside Salt's own.
//!
//! `packaging/tools/install salt` brings Salt; `MUSTER_SALT_PYTHON` names another Python that has
//! it. `MUSTER_SEED` repeats a run, `MUSTER_TREES` sets how many trees there are.

#![allow(clippy::unwrap_used, reason = "what fails in a test shall end it, in its helpers too")]

use muster_states::{
    Facts, Host, Kind, Options, Opts, Request, Selection, Tree, compile_request, run,
};
use muster_tests::salt::{self, Dice};
use serde_json::{Map, Value, json};
use std::path::Path;

const TREES: usize = 50;
const KINDS: [&str; 18] = [
    "require",
    "require",
    "require_any",
    "watch",
    "watch_any",
    "prereq",
    "onfail",
    "onfail_any",
    "onfail_all",
    "onchanges",
    "onchanges_any",
    "listen",
    "require_in",
    "watch_in",
    "onfail_in",
    "onchanges_in",
    "prereq_in",
    "use",
];
const FUNCTIONS: [(&str, &str); 8] = [
    ("test", "nop"),
    ("test", "succeed_with_changes"),
    ("test", "succeed_without_changes"),
    ("test", "fail_without_changes"),
    ("test", "fail_with_changes"),
    ("cmd", "run"),
    ("file", "managed"),
    ("file", "absent"),
];
const COMMANDS: [&str; 5] = ["'true'", "'false'", "echo hi", "'echo bad >&2; exit 3'", "exit 7"];
const OPTIONS: [&str; 18] = [
    "onlyif: 'true'",
    "onlyif: 'false'",
    "unless: ['true', 'false']",
    "unless: 'true'",
    "creates: /etc/passwd",
    "check_cmd: 'false'",
    "check_cmd: ['true']",
    "retry: {attempts: 2, interval: 0}",
    "failhard: True",
    "order: last",
    "order: 1",
    "order: -2",
    "fire_event: True",
    "reload_modules: True",
    "onlyif: [{fun: test.false}]",
    "onfail_stop: False",
    "require: one",
    "zzz: 1",
];
const BROKEN: [&str; 8] = [
    "e:\n  test:\n    - x: 1\n",
    "e:\n  test:\n    - nop\n    - fail_with_changes\n",
    "e:\n",
    "e:\n  test.nop: text\n",
    "5:\n  test.nop: []\n",
    "e:\n  test.nop:\n    - require:\n      - test: [a]\n",
    "e:\n  test.nop:\n    - a: 1\n   - b: 2\n",
    "e: [\n",
];

fn one_in(dice: &mut Dice, count: usize) -> bool {
    dice.below(count) == 0
}

fn pick<'a, T: ?Sized>(dice: &mut Dice, of: &[&'a T]) -> &'a T {
    of[dice.below(of.len())]
}

/// What an ID declares, and in which SLS.
struct State {
    sls: &'static str,
    id: String,
    module: &'static str,
    fun: &'static str,
}

/// Who is asked for, in one of the ways to say it.
fn target(dice: &mut Dice, states: &[State]) -> String {
    let other = &states[dice.below(states.len())];
    let (module, id) = (other.module, &other.id);
    match dice.below(12) {
        0 => id.clone(),
        1 => format!("{{sls: {}}}", other.sls),
        2 => format!("{{{module}: '{}*'}}", &id[..1]),
        3 if one_in(dice, 3) => format!("{{{module}: nobody}}"),
        _ => format!("{{{module}: {id}}}"),
    }
}

fn argument(dice: &mut Dice, states: &[State]) -> String {
    if one_in(dice, 3) {
        return format!("    - {}\n", pick(dice, &OPTIONS));
    }
    let kind = pick(dice, &KINDS);
    let targets: Vec<String> = (0..=dice.below(2)).map(|_| target(dice, states)).collect();
    format!("    - {kind}: [{}]\n", targets.join(", "))
}

fn declared(dice: &mut Dice, state: &State, states: &[State]) -> String {
    let State { id, module, fun, .. } = state;
    let mut text = format!("{id}:\n  {module}.{fun}:\n");
    text += &match (*module, *fun) {
        ("cmd", _) => format!("    - name: {}\n", pick(dice, &COMMANDS)),
        ("file", "managed") => format!("    - name: '@R@/{id}'\n    - contents: x\n"),
        ("file", _) => format!("    - name: '@R@/{id}'\n"),
        _ if one_in(dice, 6) => format!("    - names: [n-{id}, m-{id}]\n"),
        _ => format!("    - x: {id}\n"),
    };
    for _ in 0..dice.below(4) {
        text += &argument(dice, states);
    }
    text
}

/// One to three SLS that include, extend and exclude each other; some are broken.
fn files(dice: &mut Dice) -> Map<String, Value> {
    let names = &["a", "b", "c"][..=dice.below(3)];
    let mut states = Vec::new();
    for sls in names {
        for _ in 0..=dice.below(3) {
            let (module, fun) = FUNCTIONS[dice.below(FUNCTIONS.len())];
            let id =
                if one_in(dice, 25) { "same".to_owned() } else { format!("{sls}{}", states.len()) };
            states.push(State { sls, id, module, fun });
        }
    }
    let mut files = Map::new();
    for (at, sls) in names.iter().enumerate() {
        let mut text = String::new();
        if at + 1 < names.len() && !one_in(dice, 6) {
            text += &format!("include: [{}]\n", names[at + 1]);
        }
        if one_in(dice, 10) {
            text += &format!("exclude: [{{id: {}}}]\n", states[dice.below(states.len())].id);
        }
        if one_in(dice, 6) {
            let other = &states[dice.below(states.len())];
            let argument = argument(dice, &states).replace("    - ", "      - ");
            text += &format!("extend:\n  {}:\n    {}:\n{argument}", other.id, other.module);
        }
        for state in states.iter().filter(|state| state.sls == *sls) {
            text += &declared(dice, state, &states);
        }
        if one_in(dice, 30) {
            text += pick(dice, &BROKEN);
        }
        files.insert(format!("{sls}.sls"), text.into());
    }
    files
}

/// What our run returns, in Salt's shape.
fn ours(files: &Map<String, Value>, root: &Path, test: bool) -> Value {
    let shown = root.to_str().unwrap();
    let text = |text: &Value| text.as_str().unwrap().replace("@R@", shown);
    let files: Vec<_> = files.iter().map(|(name, value)| (name.clone(), text(value))).collect();
    let (pillar, opts, host) = (json!({}), Opts::default(), Host::new());
    let request = Request {
        tree: &Tree::from_files(files),
        facts: &Facts::default(),
        pillar: &pillar,
        opts: &opts,
        selection: &Selection::Sls(vec!["a".to_owned()]),
        exclude: &[],
        host: &host,
    };
    let found = match compile_request(&request) {
        Ok(compiled) => {
            let options = Options { test, ..Options::default() };
            let report = run(&compiled, &host, &options, &mut |_, _| {}).unwrap();
            serde_json::to_value(report).unwrap()
        }
        Err(errors) => {
            let told = errors.iter().filter(|error| error.kind != Kind::Later);
            told.map(|error| Value::from(error.reason.as_str())).collect()
        }
    };
    serde_json::from_str(&found.to_string().replace(shown, "@R@")).unwrap()
}

/// Without what is no two times the same.
fn normal(returned: &Value) -> Value {
    let mut returned = returned.clone();
    // Which of the circles through an ID of several names is told comes from a set.
    const CIRCLE: &str = "Recursive requisites were found: ";
    for told in returned.as_array_mut().into_iter().flatten() {
        let text = told.as_str().unwrap();
        let several = ["'NAME': 'm-", "'NAME': 'n-"].iter().any(|name| text.contains(name));
        if several && text.starts_with(CIRCLE) {
            *told = Value::from(CIRCLE);
        }
    }
    for state in returned.as_object_mut().into_iter().flat_map(Map::values_mut) {
        let Some(state) = state.as_object_mut() else { continue };
        if state.get("__id__") == Some(&json!("")) {
            state.remove("__sls__");
            state.remove("__id__");
        }
        for field in ["duration", "start_time", "warnings"] {
            state.remove(field);
        }
        if let Some(changes) = state.get_mut("changes").and_then(Value::as_object_mut) {
            changes.remove("pid");
        }
        // Salt names them in no order; a traceback is Python's own.
        let comment = state["comment"].as_str().unwrap().to_owned();
        const FAILED: &str = "One or more requisite failed: ";
        if let Some(names) = comment.strip_prefix(FAILED) {
            let mut names: Vec<&str> = names.split(", ").collect();
            names.sort_unstable();
            state.insert("comment".to_owned(), format!("{FAILED}{}", names.join(", ")).into());
        } else if comment.starts_with("An exception occurred in this state") {
            state.insert("comment".to_owned(), "an exception".into());
        }
    }
    returned
}

#[test]
fn random_trees_end_as_in_salt() {
    let seed = salt::seed();
    let count = salt::number("MUSTER_TREES").map_or(TREES, |count| count.try_into().unwrap());
    let mut dice = Dice::new(seed);
    let trees: Vec<_> = (0..count).map(|_| files(&mut dice)).collect();
    let scratch = tempfile::tempdir().unwrap();
    let root = scratch.path().join("root");
    // What Salt returns for each tree: of a dry run, and of a run.
    let wanted: Vec<[Value; 2]> = salt::ask("trees.py", &[root.as_os_str()], &trees);
    let (mut ran, mut wrong) = (0, Vec::new());
    for (files, wanted) in trees.iter().zip(&wanted) {
        std::fs::remove_dir_all(&root).unwrap();
        std::fs::create_dir(&root).unwrap();
        // Where Salt itself stops there is nothing to compare with.
        for (wanted, test) in wanted.iter().zip([true, false]).filter(|(w, _)| !w.is_string()) {
            let (found, wanted) = (normal(&ours(files, &root, test)), normal(wanted));
            ran += usize::from(wanted.is_object());
            if found != wanted {
                let texts: Vec<&str> = files.values().filter_map(Value::as_str).collect();
                wrong.push(format!("{found}\nnot\n{wanted}\nof\n{}", texts.join("---\n")));
            }
        }
    }
    assert!(wrong.is_empty(), "MUSTER_SEED={seed}: {} differ:\n{}", wrong.len(), wrong.join("\n"));
    println!("{count} trees, {ran} runs (MUSTER_SEED={seed})");
    // Most trees are refused, and then the words are compared.
    assert!(ran > count / 10, "too many trees are broken: little was run");
}
