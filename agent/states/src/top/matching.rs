//! The targets of a top file that mean a worker, and the SLS under them.

use super::{Sections, Selected, Selection};
use crate::error::{At, Error, Kind};
use crate::target::{Subject, TargetError};
use crate::yaml::Node;

/// Sub-targets that may stand in each other.
const DEPTH_MAX: usize = 16;

/// The state SLS that a worker gets: those under each target that means it.
pub(super) fn state_matches(
    top: &Sections,
    subject: &Subject<'_>,
    only: Option<&str>,
    known: &[String],
) -> Result<Selection, Vec<Error>> {
    let mut matcher =
        Matcher { subject, known, selection: Selection::default(), errors: Vec::new() };
    for (env, targets) in top {
        if only.is_some_and(|only| only != env) {
            continue;
        }
        for (target, (body, at)) in targets {
            matcher.target(env, target, body, at, 0);
        }
    }
    if matcher.errors.is_empty() { Ok(matcher.selection) } else { Err(matcher.errors) }
}

/// The pillar SLS that a worker gets: each once for an environment.
pub(crate) fn pillar_matches(
    top: &Sections,
    subject: &Subject<'_>,
    only: Option<&str>,
) -> Result<Selection, Vec<Error>> {
    let mut selection = Selection::default();
    let mut errors = Vec::new();
    for (env, targets) in top {
        if only.is_some_and(|only| only != env) {
            continue;
        }
        for (target, (body, at)) in targets {
            match hits(subject, target, body, at, &mut selection.warnings) {
                Ok(false) => {}
                Ok(true) => {
                    let list = selection.matches.entry(env.clone()).or_default();
                    for item in body.as_seq().unwrap_or_default() {
                        if let Some(sls) = item.as_str()
                            && !list.iter().any(|known| known.sls == sls)
                        {
                            list.push(selected(sls, item, at));
                        }
                    }
                }
                Err(error) => errors.push(error),
            }
        }
    }
    if errors.is_empty() { Ok(selection) } else { Err(errors) }
}

fn selected(sls: &str, item: &Node, at: &At) -> Selected {
    Selected { sls: sls.to_owned(), at: Some(At { file: at.file.clone(), line: item.line }) }
}

/// Whether a target means the worker; one that does not parse means nobody, with a warning.
fn hits(
    subject: &Subject<'_>,
    target: &str,
    body: &Node,
    at: &At,
    warnings: &mut Vec<Error>,
) -> Result<bool, Error> {
    let mut kind = "compound".to_owned();
    for (key, value) in body.as_seq().unwrap_or_default().iter().filter_map(Node::as_map).flatten()
    {
        if key.as_str() == Some("match") {
            kind = value.key_text();
        }
    }
    match subject.matches(&kind, target) {
        Ok(hit) => Ok(hit),
        Err(error @ TargetError::Invalid { .. }) => {
            let reason = format!("{error}: it means no worker");
            warnings.push(Error::shape(at, reason));
            Ok(false)
        }
        Err(error @ TargetError::Unsupported(_)) => {
            Err(Error::new(Kind::Unsupported, Some(at.clone()), error.to_string()))
        }
    }
}

struct Matcher<'a> {
    subject: &'a Subject<'a>,
    known: &'a [String],
    selection: Selection,
    errors: Vec<Error>,
}

impl Matcher<'_> {
    fn target(&mut self, env: &str, target: &str, body: &Node, at: &At, depth: usize) {
        match hits(self.subject, target, body, at, &mut self.selection.warnings) {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => return self.errors.push(error),
        }
        self.selection.matches.entry(env.to_owned()).or_default();
        for item in body.as_seq().unwrap_or_default() {
            let Some(pairs) = item.as_map() else {
                if let Some(sls) = item.as_str() {
                    self.add(env, selected(sls, item, at));
                }
                continue;
            };
            let is_sub = |pair: &&(Node, Node)| pair.0.as_str() == Some("subfilter");
            let subs = pairs.iter().find(is_sub).and_then(|(_, subs)| subs.as_map());
            for (target, body) in subs.unwrap_or_default() {
                if depth < DEPTH_MAX {
                    self.target(env, &target.key_text(), body, at, depth + 1);
                }
            }
            // `- dev: sls` takes an SLS of another environment; other keys are options.
            if let Some((key, sls)) = pairs.iter().rfind(|pair| !is_sub(pair))
                && self.known.contains(&key.key_text())
            {
                self.add(&key.key_text(), selected(&sls.key_text(), sls, at));
            }
        }
    }

    fn add(&mut self, env: &str, selected: Selected) {
        self.selection.matches.entry(env.to_owned()).or_default().push(selected);
    }
}
