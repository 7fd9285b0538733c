//! Comparing with what Salt returned; where the two differ on purpose, the difference is named.

use std::time::SystemTime;

use muster_states::{Error, Kind, Opts, pillar};
use serde_json::{Value, json};

/// Compares the returns of all states by key.
pub(crate) fn returns(found: &Value, expected: &Value) -> Vec<String> {
    let Some(expected) = expected.as_object() else {
        return vec![format!("errors were expected: {expected}")];
    };
    let found = found.as_object().unwrap();
    let mut problems = Vec::new();
    let (mut keys, mut wanted): (Vec<_>, Vec<_>) =
        (found.keys().cloned().collect(), expected.keys().cloned().collect());
    keys.sort();
    wanted.sort();
    if keys != wanted {
        return vec![format!("keys {keys:?}, not {wanted:?}")];
    }
    for (key, wanted) in expected {
        problems.extend(one(key, &found[key], wanted));
    }
    problems
}

fn one(key: &str, found: &Value, wanted: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    // The entry that stands for "no states" has no SLS and no name worth keeping.
    let fields: &[&str] = if key.starts_with("no_|-") {
        &["result", "changes", "__run_num__"]
    } else {
        &[
            "result",
            "__run_num__",
            "name",
            "__sls__",
            "__id__",
            "__state_ran__",
            "skip_watch",
            "__parallel__",
        ]
    };
    // Of a state whose module or function is not there Salt tells less; the program does, too.
    let told = |field: &str| {
        let kept = ["__sls__", "__id__", "__run_num__"].contains(&field);
        !kept || wanted.get("__id__").is_some() || wanted.get(field).is_some()
    };
    for field in fields.iter().filter(|field| told(field)) {
        if found.get(*field) != wanted.get(*field) {
            problems.push(format!(
                "{key} {field}: {:?}, not {:?}",
                found.get(*field),
                wanted.get(*field)
            ));
        }
    }
    let changes = normal(&found["changes"]);
    if changes != normal(&wanted["changes"]) {
        problems.push(format!("{key} changes: {changes}, not {}", wanted["changes"]));
    }
    if !same_comment(key, &found["comment"], &wanted["comment"]) {
        problems.push(format!("{key} comment: {}, not {}", found["comment"], wanted["comment"]));
    }
    problems
}

/// Pids and today are no two runs the same; lists of removed paths come in any order.
fn normal(changes: &Value) -> Value {
    let mut changes = changes.clone();
    if let Some(pid) = changes.get_mut("pid") {
        *pid = "<pid>".into();
    }
    // A `module.run` has what a command gave one level deeper.
    for returned in changes.as_object_mut().into_iter().flat_map(|map| map.values_mut()) {
        if let Some(pid) = returned.get_mut("pid") {
            *pid = "<pid>".into();
        }
    }
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    if let Some(day) = changes.get_mut("lstchg").filter(|day| **day == since.as_secs() / 86_400) {
        *day = "<day>".into();
    }
    // What `patch` is tried on has another name each time.
    if let Some(Value::String(told)) = changes.get_mut("stdout") {
        let lines = told.lines().map(|line| match line.split_once(" (read from ") {
            Some((_, rest)) => format!("patching file <temporary> (read from {rest}"),
            None => line.to_owned(),
        });
        *told = lines.collect::<Vec<_>>().join("\n");
    }
    if let Some(Value::Array(removed)) = changes.get_mut("removed") {
        removed.sort_by_key(Value::to_string);
    }
    changes
}

fn same_comment(key: &str, found: &Value, wanted: &Value) -> bool {
    let (Some(found), Some(wanted)) = (found.as_str(), wanted.as_str()) else {
        return found == wanted;
    };
    // What Salt itself raised is told behind Python's traceback; that of a program that is not
    // there has names of its own in it, and that of apt all that apt said.
    const OWN: [&str; 2] = ["Unable to run command", "Problem encountered"];
    let raised = wanted.rsplit_once("salt.exceptions.CommandExecutionError: ");
    let raised = raised.filter(|(_, raised)| !OWN.iter().any(|own| raised.starts_with(own)));
    if let Some((_, raised)) = raised {
        return found.trim_end().ends_with(raised.trim_end());
    }
    // Python's and Jinja's own words: that it failed was compared; where in a template or in the
    // contents it did, is compared here.
    let jinja = wanted.contains("Jinja variable") || wanted.contains("jinja2");
    if wanted.contains("Traceback") && !jinja {
        return true;
    }
    if wanted.contains("Traceback") || wanted.contains("Jinja variable") {
        let line = wanted.split("line ").filter_map(|rest| rest.split(['\n', ',']).next());
        let template = wanted.contains("template");
        return template || line.into_iter().any(|line| found.contains(&format!("line {line}")));
    }
    // Salt names them in no order.
    if let (Some(found), Some(wanted)) = (failed(found), failed(wanted)) {
        return found == wanted;
    }
    // So are a parser's words for what is wrong with a file.
    const BROKEN: &str = "Failed to deserialize existing data: ";
    if wanted.starts_with(BROKEN) {
        return found.starts_with(BROKEN);
    }
    // Where Salt keeps the copy that it refused is its own.
    if let Some(told) = refused_copy(wanted) {
        return refused_copy(found) == Some(told);
    }
    // Names of kernel modules come from a set.
    if key.ends_with("_|-present") && wanted.contains("Kernel modules ") {
        let sorted = |text: &str| {
            let mut words: Vec<String> = text.split([' ', ',', '\n']).map(str::to_owned).collect();
            words.sort();
            words
        };
        return sorted(found) == sorted(wanted);
    }
    // The lines of a `file.recurse` come in any order.
    if key.ends_with("_|-recurse") || key.ends_with("_|-directory") {
        let sorted = |text: &str| {
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        return sorted(found) == sorted(wanted);
    }
    found == wanted
}

/// What is wrong with a copy of a source.
fn refused_copy(comment: &str) -> Option<&str> {
    Some(comment.strip_prefix("File is cached")?.split_once(", but ")?.1)
}

/// The requisites that a state says have failed.
fn failed(comment: &str) -> Option<Vec<&str>> {
    let mut names: Vec<&str> =
        comment.strip_prefix("One or more requisite failed: ")?.split(", ").collect();
    names.sort_unstable();
    Some(names)
}

/// Compares faults found before anything ran.
pub(crate) fn errors(errors: &[Error], expected: &Value) -> Vec<String> {
    let at_once = errors.iter().filter(|error| error.kind != Kind::Later);
    let texts: Vec<&str> = at_once.map(|error| error.reason.as_str()).collect();
    if let Some(states) = expected["ret"].as_object() {
        return refused(errors, states);
    }
    let wanted: Vec<&str> =
        expected["ret"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    if wanted.iter().any(|line| line.starts_with("Rendering SLS")) {
        let placed = errors.iter().all(|error| {
            error.kind == Kind::Render && error.at.as_ref().is_some_and(|at| at.line > 0)
        });
        let told = |wanted: &&&str| wanted.contains("\n---\n") && !wanted.contains("Traceback");
        let words: Vec<&str> = errors.iter().map(Error::words).collect();
        let fine = placed && wanted.iter().filter(told).all(|wanted| words.contains(wanted));
        return if fine { vec![] } else { vec![format!("{words:?}, not {wanted:?}")] };
    }
    if texts == wanted { vec![] } else { vec![format!("{texts:?}, not {wanted:?}")] }
}

/// Salt fails an unknown function, or one that lacks an argument, when it comes to the state; this
/// engine refuses the tree, in the same words, with file and line.
fn refused(errors: &[Error], states: &serde_json::Map<String, Value>) -> Vec<String> {
    let comments: Vec<&str> = states
        .values()
        .filter(|s| s["result"] == false)
        .map(|s| s["comment"].as_str().unwrap())
        .collect();
    let same = errors.iter().all(|error| {
        [Kind::Unsupported, Kind::Shape].contains(&error.kind)
            && error.at.as_ref().is_some_and(|at| at.line > 0)
            && comments.contains(&error.reason.as_str())
    });
    if same { vec![] } else { vec![format!("{errors:?}, not {comments:?}")] }
}

/// Salt hides what is wrong with a pillar where it shows one; where states are applied, its words
/// are compared, and that each fault has its place.
pub(crate) fn pillar_errors(errors: &[Error], opts: &Opts, expected: &Value) -> Vec<String> {
    let placed = errors.iter().all(|error| error.at.as_ref().is_some_and(|at| at.line > 0));
    let wanted = match &expected["ret"] {
        Value::Array(_) => json!(pillar::messages(errors, opts)) == expected["ret"],
        Value::String(told) => {
            const HEAD: &str = "Pillar failed to render. Additional info follows:\n\n- ";
            *told == format!("{HEAD}{}", pillar::words(errors, opts).join("\n- "))
        }
        other => other.to_string().contains("_errors"),
    };
    if wanted && placed { vec![] } else { vec![format!("{errors:?}, not {}", expected["ret"])] }
}

/// Compares data that are shown: 1 and 1.0 are the same.
pub(crate) fn shown(found: &Value, wanted: &Value) -> Vec<String> {
    if same(found, wanted) { vec![] } else { vec![format!("{found}\n  not\n  {wanted}")] }
}

fn same(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Object(found), Value::Object(wanted)) => {
            let equal = |(key, value)| wanted.get(key).is_some_and(|wanted| same(value, wanted));
            found.len() == wanted.len() && found.iter().all(equal)
        }
        (Value::Array(found), Value::Array(wanted)) => {
            found.len() == wanted.len() && found.iter().zip(wanted).all(|(a, b)| same(a, b))
        }
        (Value::Number(found), Value::Number(wanted)) => found.as_f64() == wanted.as_f64(),
        _ => found == wanted,
    }
}
