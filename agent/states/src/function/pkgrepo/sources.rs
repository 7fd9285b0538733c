//! apt's lists of repositories: all entries of all files, and writing back what changed.

use std::collections::BTreeMap;
use std::fs;
use std::io;

use serde_json::{Value, json};

use super::line::Line;
use super::section::Section;
use crate::function::Context;
use crate::host::files::{Access, remove, replace_keeping};

pub(super) const LIST: &str = "/etc/apt/sources.list";
pub(super) const PARTS: &str = "/etc/apt/sources.list.d";

/// What a file holds, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    /// A line that names no repository.
    Text(String),
    /// A line that does: as it stands, and as it is understood.
    Line(String, Line),
    Section(Section),
}

/// An entry and its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) file: String,
    pub(super) entry: Entry,
}

/// One repository: a kind at an address in a suite.
#[derive(Debug, Clone)]
pub(super) struct Repository {
    pub(super) at: usize,
    pub(super) kind: String,
    pub(super) uri: String,
    pub(super) suite: String,
    pub(super) components: Vec<String>,
    pub(super) architectures: Vec<String>,
    /// As Salt's `pkg.get_repo` tells of it.
    pub(super) facts: Value,
}

/// All lists of a host.
#[derive(Debug, Default)]
pub(super) struct Sources {
    pub(super) list: Vec<Source>,
    before: BTreeMap<String, String>,
}

impl Sources {
    pub(super) fn load(ctx: &Context<'_>) -> Sources {
        let mut out = Sources::default();
        let mut files = vec![LIST.to_owned()];
        let parts = fs::read_dir(ctx.host.followed(PARTS)).into_iter().flatten().flatten();
        let mut names: Vec<String> =
            parts.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        files.extend(
            names
                .into_iter()
                .filter(|name| name.ends_with(".sources") || name.ends_with(".list"))
                .map(|name| format!("{PARTS}/{name}")),
        );
        for file in files {
            if let Some(text) = ctx.host.read_text(&file) {
                out.list.extend(entries(&file, &text));
                out.before.insert(file, text);
            }
        }
        out
    }

    /// Every repository, one by one.
    pub(super) fn repositories(&self) -> Vec<Repository> {
        let all = self.list.iter().enumerate();
        all.flat_map(|(at, source)| repositories(at, source)).collect()
    }

    /// Whether a file names a repository.
    pub(super) fn names_any(&self, file: &str) -> bool {
        self.repositories().iter().any(|one| self.list[one.at].file == file)
    }

    /// Moves all lines into the main list, one for each repository and without comments; sections
    /// stay where they are. Which files that concerns.
    pub(super) fn consolidate(&mut self) -> Vec<String> {
        let mut files = vec![LIST.to_owned()];
        let mut lines: Vec<Line> = Vec::new();
        let mut kept = Vec::new();
        for source in std::mem::take(&mut self.list) {
            let line = match source.entry {
                Entry::Section(_) => {
                    kept.push(source);
                    continue;
                }
                Entry::Text(_) => None,
                Entry::Line(_, line) => Some(line),
            };
            files.push(source.file);
            let Some(line) = line else { continue };
            let same = |own: &&mut Line| {
                (&own.architectures, own.disabled, &own.kind, &own.uri, &own.suite)
                    == (&line.architectures, line.disabled, &line.kind, &line.uri, &line.suite)
            };
            match lines.iter_mut().find(same) {
                None => lines.push(line),
                Some(own) => {
                    let more = line.components.iter().filter(|one| !own.components.contains(*one));
                    let more: Vec<String> = more.cloned().collect();
                    own.components.extend(more);
                }
            }
        }
        let main = lines
            .into_iter()
            .map(|line| Source { file: LIST.to_owned(), entry: Entry::Line(String::new(), line) });
        self.list = main.chain(kept).collect();
        files
    }

    /// Writes the files whose entries changed; one of the parts that has none left goes.
    pub(super) fn save(&mut self, ctx: &Context<'_>, touched: &[String]) -> io::Result<()> {
        for file in touched {
            let path = ctx.host.followed(file);
            let own: Vec<&Source> = self.list.iter().filter(|one| one.file == *file).collect();
            if own.is_empty() && file.starts_with(PARTS) {
                match remove(&path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    Ok(()) | Err(_) => continue,
                }
            }
            let text = text(&own);
            if self.before.get(file) == Some(&text) {
                continue;
            }
            let old = fs::metadata(&path).map(|meta| Access::of(&meta)).unwrap_or_default();
            replace_keeping(ctx.host, &path, text.as_bytes(), Access::default(), old)?;
            self.before.insert(file.clone(), text);
        }
        Ok(())
    }
}

fn text(own: &[&Source]) -> String {
    let mut out = String::new();
    for (at, source) in own.iter().enumerate() {
        match &source.entry {
            Entry::Text(text) => out.push_str(text),
            Entry::Line(_, line) => out.push_str(&line.show()),
            Entry::Section(section) => {
                if at > 0 {
                    out.push('\n');
                }
                out.push_str(&section.show());
            }
        }
        out.push('\n');
    }
    out
}

fn entries(file: &str, text: &str) -> Vec<Source> {
    let source = |entry| Source { file: file.to_owned(), entry };
    if file.ends_with(".sources") {
        return Section::parse_all(text)
            .into_iter()
            .map(|section| source(Entry::Section(section)))
            .collect();
    }
    let entry = |line: &str| match Line::parse(line) {
        Some(found) => Entry::Line(line.trim().to_owned(), found),
        None => Entry::Text(line.trim().to_owned()),
    };
    text.lines().map(|line| source(entry(line))).collect()
}

fn repositories(at: usize, source: &Source) -> Vec<Repository> {
    match &source.entry {
        Entry::Text(_) => Vec::new(),
        Entry::Line(raw, line) => vec![Repository {
            at,
            kind: line.kind.clone(),
            uri: line.uri.clone(),
            suite: line.suite.clone(),
            components: line.components.clone(),
            architectures: line.architectures.clone(),
            facts: json!({
                "file": source.file,
                "comps": line.components,
                "disabled": line.disabled,
                "enabled": !line.disabled,
                "dist": line.suite,
                "suites": [line.suite],
                "type": line.kind,
                "types": [line.kind],
                "uri": line.uri,
                "uris": [line.uri],
                "line": raw,
                "architectures": line.architectures,
                "signedby": line.signed_by,
            }),
        }],
        Entry::Section(section) => {
            let (kinds, uris, suites) =
                (section.words("Types"), section.words("URIs"), section.words("Suites"));
            let mut out = Vec::new();
            for uri in &uris {
                for suite in &suites {
                    for kind in &kinds {
                        out.push(Repository {
                            at,
                            kind: kind.clone(),
                            uri: uri.clone(),
                            suite: suite.clone(),
                            components: section.words("Components"),
                            architectures: section.words("Architectures"),
                            facts: json!({
                                "file": source.file,
                                "comps": section.words("Components"),
                                "disabled": section.disabled(),
                                "enabled": !section.disabled(),
                                "dist": suite,
                                "suites": suites,
                                "type": kind,
                                "types": kinds,
                                "uri": uri,
                                "uris": uris,
                                "line": section.line(kind, uri, suite),
                                "architectures": section.words("Architectures"),
                                "signedby": section.get("Signed-By"),
                            }),
                        });
                    }
                }
            }
            out
        }
    }
}

/// Whether two addresses are the same but for a slash at the end.
pub(super) fn same_uri(a: &str, b: &str) -> bool {
    a.trim_end_matches('/') == b.trim_end_matches('/')
}

/// The first repository that is as a line says, with at least one of its components.
pub(super) fn find<'a>(repositories: &'a [Repository], wanted: &Line) -> Option<&'a Repository> {
    repositories.iter().find(|one| {
        one.kind == wanted.kind
            && same_uri(&one.uri, &wanted.uri)
            && one.suite == wanted.suite
            && (wanted.components.is_empty()
                || wanted.components.iter().any(|comp| one.components.contains(comp)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_as_it_was_read() {
        let list = "# main\ndeb http://x y z\n\ndeb-src http://x y z\n";
        let sources = entries("/a.list", list);
        assert_eq!(text(&sources.iter().collect::<Vec<_>>()), list);
        let parts = "Types: deb\nURIs: http://x\nSuites: y\n\nTypes: deb\nURIs: http://z\n";
        let sources = entries("/a.sources", parts);
        assert_eq!(text(&sources.iter().collect::<Vec<_>>()), parts);
    }

    #[test]
    fn a_section_is_a_repository_for_each_address_suite_and_kind() {
        let sources = entries("/a.sources", "Types: deb deb-src\nURIs: http://x\nSuites: a b\n");
        assert_eq!(repositories(0, &sources[0]).len(), 4);
    }
}
