//! Looking through the files of a tree without rendering them.

use std::sync::LazyLock;

use regex::Regex;

use super::{Findings, keys};
use crate::error::{At, Error, Kind};
use crate::module;
use crate::secret::Secrets;
use crate::sls;
use crate::tree::Tree;

/// Bytes of a file that are looked at.
const LOOK_MAX: usize = 256 << 10;

/// A call in a template: `salt['mod.fun'](` or `salt.mod.fun(`.
static CALL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let name = r"[A-Za-z_][A-Za-z0-9_]*";
    let subscript = format!(r#"salt\s*\[\s*['"]({name}\.{name})['"]\s*\]"#);
    Regex::new(&format!(r"{subscript}|\bsalt\.({name}\.{name})\s*\(")).ok()
});

/// Warns of private keys, of secrets that the pillar has, too, and of functions that no worker
/// could call.
pub(super) fn files(tree: &Tree, secrets: &Secrets, findings: &mut Findings) {
    for path in tree.paths().filter(|path| !tree.is_repeated(path)) {
        let Some(Ok(mut data)) = tree.read(path) else { continue };
        data.truncate(LOOK_MAX);
        if let Some(reason) = keys::of_file(path, &data) {
            let at = At::new(sls::place(tree, path), 0);
            findings.warnings([Error::new(Kind::Shape, Some(at), reason)]);
            continue;
        }
        let text = String::from_utf8_lossy(&data);
        let place = sls::place(tree, path);
        let mut warn = |line: usize, kind, reason: String| {
            let line = u32::try_from(line + 1).unwrap_or(0);
            findings.warnings([Error::new(kind, Some(At::new(place.as_str(), line)), reason)]);
        };
        let is_template = ["{%", "{{"].iter().any(|open| text.contains(open));
        let mut in_code = false;
        for (number, line) in text.lines().enumerate() {
            if let Some(reason) = keys::in_line(line) {
                warn(number, Kind::Shape, reason);
            } else if secrets.telling_in(line) {
                let reason = "a secret of the pillar stands here: every worker can read this tree; \
                              take it from pillar";
                warn(number, Kind::Shape, reason.to_owned());
            }
            if !is_template {
                continue;
            }
            for name in calls(line, &mut in_code) {
                if module::find(&name).is_none() {
                    let reason = format!(
                        "the function '{name}' is not supported: where this line is reached, the \
                         file does not render"
                    );
                    warn(number, Kind::Unsupported, reason);
                }
            }
        }
    }
}

/// The functions that the code of a line names; code may go on from an earlier line.
fn calls(line: &str, in_code: &mut bool) -> Vec<String> {
    let mut code = String::new();
    let mut rest = line;
    loop {
        let (marks, next): (&[&str], bool) =
            if *in_code { (&["%}", "}}"], false) } else { (&["{%", "{{"], true) };
        let found = marks.iter().filter_map(|mark| rest.find(mark)).min();
        let end = found.unwrap_or(rest.len());
        if *in_code {
            code.push_str(&rest[..end]);
            code.push(' ');
        } else if rest[..end].contains("{#") {
            break;
        }
        match found {
            Some(at) => rest = &rest[at + 2..],
            None => break,
        }
        *in_code = next;
    }
    let Some(pattern) = CALL.as_ref() else { return Vec::new() };
    let names = pattern.captures_iter(&code).filter_map(|found| found.get(1).or(found.get(2)));
    names.map(|name| name.as_str().to_owned()).collect()
}
