//! The order of states on random graphs of requisites, ours beside Salt's own.
//!
//! `packaging/tools/install salt` brings Salt; `MUSTER_SALT_PYTHON` names another Python that has
//! it. `MUSTER_SEED` repeats a run, `MUSTER_ORDER_GRAPHS` sets how many graphs there are.

#![allow(clippy::unwrap_used, reason = "what fails in a test shall end it, in its helpers too")]

use muster_states::{Facts, Host, Opts, Request, Selection, Tree, show_high, show_low};
use muster_tests::salt::{self, Dice};
use serde_json::{Value, json};

const GRAPHS: usize = 500;
const KINDS: [&str; 17] = [
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
    "require_in",
    "watch_in",
    "prereq_in",
    "onfail_in",
    "onchanges_in",
    "use",
];
const FUNCTIONS: [&str; 3] = ["test.nop", "cmd.run", "file.absent"];

/// An SLS of some states that ask for each other; most of them have no circle.
fn sls(dice: &mut Dice) -> String {
    let count = 2 + dice.below(12);
    let kinds: Vec<&str> = (0..count).map(|_| FUNCTIONS[dice.below(FUNCTIONS.len())]).collect();
    let mut text = String::new();
    for at in 0..count {
        text += &format!("s{at}:\n  {}:\n    - x: {at}\n", kinds[at]);
        match dice.below(8) {
            0 => text += &format!("    - order: {}\n", dice.below(20)),
            1 => text += &format!("    - order: -{}\n", 1 + dice.below(5)),
            2 => text += ["    - order: last\n", "    - order: first\n"][dice.below(2)],
            3 => text += "    - names: [n2, n1]\n",
            _ => {}
        }
        let mut asked: Vec<&str> = Vec::new();
        for _ in 0..dice.below(3) {
            let kind = KINDS[dice.below(KINDS.len())];
            if at == 0 || asked.contains(&kind) {
                continue;
            }
            asked.push(kind);
            // What is turned around points the other way, so that circles are rare.
            let turned = kind.ends_with("_in") || kind == "prereq";
            let other = if turned == (dice.below(20) > 0) {
                at + dice.below(count - at)
            } else {
                dice.below(at)
            };
            let module = kinds[other].split('.').next().unwrap();
            let target = match dice.below(6) {
                0 => format!("s{other}"),
                1 if !kind.ends_with("_in") && kind != "use" => {
                    format!("{{{module}: 's{other}*'}}")
                }
                _ => format!("{{{module}: s{other}}}"),
            };
            text += &format!("    - {kind}: [{target}]\n");
        }
    }
    text
}

/// What an SLS comes to: the high data, and the order or that there is none.
fn ours(text: &str) -> (Value, Option<Vec<Value>>) {
    let request = Request {
        tree: &Tree::from_files([("top.sls", "base: {'*': [a]}\n"), ("a.sls", text)]),
        facts: &Facts::default(),
        pillar: &json!({}),
        opts: &Opts::default(),
        selection: &Selection::Highstate,
        exclude: &[],
        host: &Host::under("/nonexistent"),
    };
    let high = show_high(&request).unwrap_or_else(|errors| panic!("{errors:?}\n{text}"));
    let low = show_low(&request).ok();
    let short = |low: &Value| json!([low["state"], low["__id__"], low["name"], low["order"]]);
    (high, low.map(|low| low.as_array().unwrap().iter().map(short).collect()))
}

#[test]
fn random_graphs_are_sorted_as_salt_sorts_them() {
    let seed = salt::seed();
    let count =
        salt::number("MUSTER_ORDER_GRAPHS").map_or(GRAPHS, |count| count.try_into().unwrap());
    let mut dice = Dice::new(seed);
    let texts: Vec<String> = (0..count).map(|_| sls(&mut dice)).collect();
    let found: Vec<_> = texts.iter().map(|text| ours(text)).collect();
    let highs: Vec<Value> = found.iter().map(|(high, _)| high.clone()).collect();
    let wanted: Vec<Value> = salt::ask("order.py", &[], &highs);
    let mut sorted = 0;
    for ((text, (_, found)), wanted) in texts.iter().zip(&found).zip(&wanted) {
        sorted += usize::from(found.is_some());
        let found = found.as_ref().map_or(Value::Null, |found| json!(found));
        let same = match (&found, wanted) {
            (Value::Array(found), Value::Array(wanted)) => {
                found.len() == wanted.len()
                    && found.iter().zip(wanted).all(|(a, b)| {
                        (0..3).all(|at| a[at] == b[at]) && a[3].as_f64() == b[3].as_f64()
                    })
            }
            _ => found == *wanted,
        };
        assert!(same, "MUSTER_SEED={seed}: {found}\nnot\n{wanted}\nof\n{text}");
    }
    println!("{count} graphs, {sorted} without a circle (MUSTER_SEED={seed})");
    assert!(sorted > count / 4, "too many graphs have circles: little was compared");
}
