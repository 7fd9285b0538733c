//! The state engine alone: `muster-agent apply --local` and `muster-agent facts`, without a bus.

use crate::args::Apply;
use crate::engine::{Engine, Input};
use crate::files;
use crate::paths::Root;
use crate::report::Run;
use anyhow::Context;
use serde_json::{Map, Value, json};
use std::io::Write;
use std::path::Path;

/// Applies states of a folder, prints what came of it, and tells whether all went well.
pub(crate) fn apply(root: &Root, apply: &Apply) -> anyhow::Result<bool> {
    let pillar = match &apply.pillar {
        Some(path) => read_pillar(path)?,
        None => Map::new(),
    };
    let tree = std::path::absolute(&apply.tree).context("looking for the state tree")?;
    let input = Input { tree, pillar, sls: apply.sls.clone(), test: apply.test };
    let run = Engine::local(root.clone()).run(&input);
    let text = if apply.json { as_json(&run)? } else { as_text(&run) };
    std::io::stdout().write_all(text.as_bytes()).context("printing")?;
    Ok(run.succeeded())
}

/// Prints the facts.
pub(crate) fn facts(root: &Root) -> anyhow::Result<()> {
    let facts = serde_json::to_string_pretty(&crate::facts::collect(root, None))?;
    writeln!(std::io::stdout(), "{facts}").context("printing")
}

fn read_pillar(path: &Path) -> anyhow::Result<Map<String, Value>> {
    let context = || format!("reading the pillar {}", path.display());
    let bytes = files::read(path)?.with_context(|| format!("{} is not there", path.display()));
    let bytes = bytes.with_context(context)?;
    let pillar: Map<String, Value> =
        muster_states::read_yaml_or_default(files::text(path, &bytes)?)
            .map_err(|error| files::at(path, error.line, error.column, error.reason))?;
    Ok(pillar)
}

fn as_json(run: &Run) -> anyhow::Result<String> {
    let all = json!({ "outcome": run.outcome, "errors": run.errors, "states": run.states });
    Ok(serde_json::to_string_pretty(&all)? + "\n")
}

fn as_text(run: &Run) -> String {
    let mut text = String::new();
    for (key, state) in &run.states {
        text.push_str(&line(key, state));
    }
    for error in &run.errors {
        text.push_str(&format!("error    {error}\n"));
    }
    let outcome = &run.outcome;
    let would = if outcome.test { "would change" } else { "changed" };
    text.push_str(&format!(
        "{} states: {} {would}, {} failed, {} ms\n",
        outcome.total, outcome.changed, outcome.failed, outcome.duration_millis
    ));
    text
}

/// `changed  file.managed /etc/motd: File updated`; Salt's key is `module_|-id_|-name_|-function`.
fn line(key: &str, state: &Value) -> String {
    let parts: Vec<&str> = key.split("_|-").collect();
    let (module, name, function) = match parts.as_slice() {
        [module, _, name, function] => (*module, *name, *function),
        _ => ("", key, ""),
    };
    let changes = state.get("changes").and_then(Value::as_object);
    let word = match state.get("result").and_then(Value::as_bool) {
        Some(false) => "failed",
        None => "would   ",
        Some(true) if changes.is_some_and(|changes| !changes.is_empty()) => "changed",
        Some(true) => "ok",
    };
    let comment = state.get("comment").and_then(Value::as_str).unwrap_or_default();
    let comment = comment.lines().next().unwrap_or_default();
    format!("{word:8} {module}.{function} {name}: {comment}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_is_a_line_and_the_counts_are_the_last() {
        let key = "file_|-motd_|-/etc/motd_|-managed";
        let state = |result: Value, changes: Value| {
            let comment = "C\nD";
            json!({"result": result, "changes": changes, "comment": comment})
        };
        let mut run = Run::default();
        for (at, (result, changes)) in [
            (json!(true), json!({})),
            (json!(true), json!({"diff": "x"})),
            (json!(false), json!({})),
        ]
        .into_iter()
        .enumerate()
        {
            run.states.insert(format!("{key}{at}"), state(result, changes));
        }
        run.outcome.total = 3;
        let text = as_text(&run);
        let words: Vec<&str> = text.lines().filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(words, ["ok", "changed", "failed", "3"]);
        assert!(text.contains("file.managed0 /etc/motd: C\n"), "{text}");
    }
}
