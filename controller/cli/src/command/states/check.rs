//! `muster states check`: all faults of a tree at once, each with file, line and what to do.

use super::folder::Folder;
use crate::failure::{Exit, Result};
use crate::output::{Output, Style, clean, note};
use muster_states::{Error, Selection};
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeSet;
use std::path::Path;

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
        let counted = |count: usize, what: &str| {
            format!("{count} {what}{}", if count == 1 { "" } else { "s" })
        };
        let found = [(errors, "error"), (warnings, "warning"), (files, "file")];
        let [errors, warnings, files] = found.map(|(count, what)| counted(count, what));
        note(&format!("{errors}, {warnings} in {files}"));
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
    if !folder.tree.paths().any(|path| path.ends_with(".sls")) {
        found.insert(empty(&folder.root));
    }
    let mut pillar = json!({});
    match folder.pillar() {
        Ok(rendered) => pillar = rendered,
        Err(errors) => {
            let place = folder.pillar_root.as_deref().unwrap_or(&folder.root);
            found.extend(errors.iter().map(|error| finding(place, error, Level::Error)));
        }
    }
    let lint = muster_states::lint(&folder.request(&pillar, &Selection::Highstate));
    for (level, all) in [(Level::Error, &lint.errors), (Level::Warning, &lint.warnings)] {
        found.extend(all.iter().map(|one| finding(&folder.root, one, level)));
    }
    found
}

/// A folder that was not meant would be without a fault.
fn empty(root: &Path) -> Finding {
    let reason = "there is no SLS here: name the folder of top.sls, or the one that has the \
                  folders salt and pillar";
    Finding {
        file: root.display().to_string(),
        line: 0,
        level: Level::Error,
        kind: "missing".to_owned(),
        reason: reason.to_owned(),
    }
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
