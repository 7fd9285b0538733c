//! `muster states check`: all faults of a tree at once, each with file, line and what to do.

use super::folder::Folder;
use crate::failure::{Exit, Result};
use crate::output::{Output, Style, clean, note};
use muster_states::{Error, Kind, Selection, Tree};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

/// What a private key begins with; anybody who has a worker can read the tree.
const KEY_BEGINS: &str = "-----BEGIN ";
const KEY_IS: &str = "PRIVATE KEY-----";
/// Files that are looked through for keys, by their size.
const KEY_FILE_BYTES_MAX: usize = 1 << 20;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Error,
    Warning,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Finding {
    /// The file as a person would open it; empty if it is no file's fault.
    file: String,
    /// The line, from 1; 0 if it is not known.
    line: u32,
    level: Level,
    kind: String,
    reason: String,
}

/// Checks the folder and tells what was found.
pub(super) fn run(folder: &Folder, output: &Output) -> Result<Exit> {
    let findings = findings(folder);
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    let (errors, warnings) = (count(Level::Error), count(Level::Warning));
    if output.is_table() {
        for finding in &findings {
            output.line(&line(finding, output))?;
        }
        let files = folder.tree.paths().count() + folder.pillar_tree.paths().count();
        note(&format!("{errors} errors, {warnings} warnings in {files} files"));
    } else {
        output.value(&findings.iter().collect::<Vec<_>>())?;
    }
    Ok(if errors > 0 { Exit::Error } else { Exit::Ok })
}

fn line(finding: &Finding, output: &Output) -> String {
    let place = match (finding.file.as_str(), finding.line) {
        ("", _) => String::new(),
        (file, 0) => format!("{file}: "),
        (file, line) => format!("{file}:{line}: "),
    };
    let level = match finding.level {
        Level::Error => output.paint(Style::Bad, "error"),
        Level::Warning => output.paint(Style::Busy, "warning"),
    };
    format!("{}{level}: {}", clean(&place), clean(finding.reason.trim_end()))
}

/// Everything that is wrong, by file and line; what was found twice stands once.
fn findings(folder: &Folder) -> BTreeSet<Finding> {
    let mut found = BTreeSet::new();
    let root = folder.root.as_path();
    let mut pillar = json!({});
    match folder.pillar() {
        Ok(rendered) => pillar = rendered,
        Err(errors) => {
            let place = folder.pillar_root.as_deref().unwrap_or(root);
            found.extend(errors.iter().map(|error| finding(place, error, Level::Error)));
        }
    }
    found.extend(top(folder, &pillar));
    for name in sls(&folder.tree) {
        found.extend(alone(folder, &pillar, &name));
    }
    // A pillar is for one worker each and may hold keys; a state tree is for all.
    found.extend(keys(root, &folder.tree));
    // What is an error is not told again as a warning.
    let errors: BTreeSet<(String, u32, String)> = found
        .iter()
        .filter(|finding| finding.level == Level::Error)
        .map(|finding| (finding.file.clone(), finding.line, finding.reason.clone()))
        .collect();
    found.retain(|finding| {
        let same = (finding.file.clone(), finding.line, finding.reason.clone());
        finding.level == Level::Error || !errors.contains(&same)
    });
    found
}

/// What the top file gives to this worker, together.
fn top(folder: &Folder, pillar: &Value) -> Vec<Finding> {
    if !folder.tree.has("top.sls") {
        return Vec::new();
    }
    match muster_states::compile_request(&folder.request(pillar, &Selection::Highstate)) {
        Ok(compiled) => {
            let warnings = compiled.warnings().iter();
            warnings.map(|warning| finding(&folder.root, warning, Level::Warning)).collect()
        }
        Err(errors) => errors
            .iter()
            .filter(|error| error.kind != Kind::Nothing)
            .map(|error| finding(&folder.root, error, Level::Error))
            .collect(),
    }
}

/// One SLS for itself: most trees have some that this worker does not get. What may only be
/// missing because it is alone is a warning.
fn alone(folder: &Folder, pillar: &Value, name: &str) -> Vec<Finding> {
    let selection = Selection::Sls(vec![name.to_owned()]);
    match muster_states::compile_request(&folder.request(pillar, &selection)) {
        Ok(compiled) => {
            let warnings = compiled.warnings().iter();
            warnings.map(|warning| finding(&folder.root, warning, Level::Warning)).collect()
        }
        Err(errors) => errors
            .iter()
            .map(|error| {
                let extends = error.reason.starts_with("Cannot extend");
                let level = match error.kind {
                    Kind::Requisite => Level::Warning,
                    Kind::Shape if extends => Level::Warning,
                    Kind::Missing
                    | Kind::Render
                    | Kind::Shape
                    | Kind::Unsupported
                    | Kind::Nothing => Level::Error,
                };
                finding(&folder.root, error, level)
            })
            .collect(),
    }
}

/// The names of all SLS of a tree.
fn sls(tree: &Tree) -> Vec<String> {
    let name = |path: &str| {
        let stem = path.strip_suffix(".sls").filter(|stem| *stem != "top")?;
        let stem = stem.strip_suffix("/init").unwrap_or(stem);
        (!stem.contains('.')).then(|| stem.replace('/', "."))
    };
    tree.paths().filter_map(name).collect()
}

fn finding(root: &Path, error: &Error, level: Level) -> Finding {
    let at = error.at.as_ref();
    let file = at.map(|at| root.join(&*at.file).display().to_string());
    let kind = serde_json::to_value(error.kind).unwrap_or_default();
    Finding {
        file: file.unwrap_or_default(),
        line: at.map_or(0, |at| at.line),
        level,
        kind: kind.as_str().unwrap_or_default().to_owned(),
        reason: error.reason.trim_end().to_owned(),
    }
}

/// Private keys in a tree that every worker gets.
fn keys(root: &Path, tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for path in tree.paths() {
        let Some(Ok(bytes)) = tree.read(path) else { continue };
        if bytes.len() > KEY_FILE_BYTES_MAX {
            continue;
        }
        let text = String::from_utf8_lossy(&bytes);
        let lines = (1..).zip(text.lines());
        let key =
            lines.into_iter().find(|(_, line)| line.contains(KEY_BEGINS) && line.contains(KEY_IS));
        if let Some((line, _)) = key {
            found.push(Finding {
                file: root.join(path).display().to_string(),
                line,
                level: Level::Warning,
                kind: "secret".to_owned(),
                reason: "a private key: every worker can read the state tree; put it into the \
                         pillar of those that need it (contents_pillar)"
                    .to_owned(),
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_key_in_the_tree_is_found_by_its_line() {
        let key = format!("x\n{KEY_BEGINS}RSA {KEY_IS}\nAAAA\n");
        let tree = Tree::from_files([("a/key", key.as_str()), ("b", "none")]);
        let found = keys(Path::new("srv"), &tree);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].file.as_str(), found[0].line), ("srv/a/key", 2));
    }

    #[test]
    fn each_sls_has_one_name() {
        let tree =
            Tree::from_files([("top.sls", ""), ("a/init.sls", ""), ("a/b.sls", ""), ("c", "")]);
        assert_eq!(sls(&tree), ["a.b", "a"]);
    }
}
