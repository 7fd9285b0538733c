//! Repositories of apt: `managed` and `absent` on sources.list and its parts.

use serde_json::{Value, json};

use super::key;
use super::line::{Line, truth as apt_truth};
use super::ppa::Ppa;
use super::section::Section;
use super::sources::{Entry, LIST, Source, Sources, find, same_uri};
use super::{foreseen, foreseen_absent};
use crate::function::args::{text, truth};
use crate::function::pkg::Manager;
use crate::function::{Context, Plan};
use crate::host::files::which;
use crate::outcome::{Changes, Outcome, change};

/// What applying needs: the repository as Salt takes it, and what was there.
pub(in crate::function) struct Step {
    wanted: Wanted,
    before: Option<Value>,
    /// The keys whose change is told.
    facts: Value,
}

/// A repository as the state's name and arguments say it.
struct Wanted {
    line: Line,
    file: Option<String>,
    components: Vec<String>,
    architectures: Vec<String>,
    disabled: bool,
    aptkey: bool,
}

fn commas(ctx: &Context<'_>, key: &str) -> Option<Vec<String>> {
    let value = ctx.value(key)?;
    let all = if value.is_array() { ctx.list(key).join(",") } else { text(value) };
    Some(all.split(',').map(|part| part.trim().to_owned()).collect())
}

fn wanted(ctx: &Context<'_>) -> Result<Wanted, String> {
    let name = ctx.name();
    let line = Line::parse(name).filter(|line| !line.disabled);
    let line = line.ok_or_else(|| {
        format!(
            "Failed to configure repo '{name}': Name {name} is not valid. This must be the \
             complete repo entry as seen in the sources file"
        )
    })?;
    let disabled = match (ctx.value("enabled"), ctx.value("disabled")) {
        (Some(_), Some(_)) => return Err("Only one of enabled/disabled is allowed".to_owned()),
        (Some(enabled), None) => !is_true(enabled),
        (None, Some(disabled)) => is_true(disabled),
        (None, None) => false,
    };
    let aptkey = ctx.flag("aptkey", true) && which(ctx.host, "apt-key").is_some();
    Ok(Wanted {
        file: ctx.text("file"),
        components: commas(ctx, "comps").unwrap_or_else(|| line.components.clone()),
        architectures: commas(ctx, "architectures").unwrap_or_else(|| line.architectures.clone()),
        disabled,
        aptkey,
        line,
    })
}

/// Salt's truth of a value that may be a word.
pub(super) fn is_true(value: &Value) -> bool {
    match value {
        Value::String(word) => {
            word.trim().eq_ignore_ascii_case("true")
                || word.trim().parse::<f64>() == Ok(1.0)
                || word.trim().eq_ignore_ascii_case("yes")
                || word.trim().eq_ignore_ascii_case("on")
        }
        other => truth(other),
    }
}

/// The repository as `pkg.get_repo` would tell of it, were it there.
fn facts(ctx: &Context<'_>, wanted: &Wanted) -> Value {
    let line = Line {
        components: wanted.components.clone(),
        architectures: wanted.architectures.clone(),
        disabled: wanted.disabled,
        ..wanted.line.clone()
    };
    let signed_by = ctx.text("signedby").unwrap_or_else(|| line.signed_by.clone());
    let line = Line { signed_by: signed_by.clone(), ..line };
    let suite = ctx.text("dist").unwrap_or_else(|| line.suite.clone());
    let uri = ctx.text("uri").unwrap_or_else(|| line.uri.clone());
    let line = Line { suite: suite.clone(), uri: uri.clone(), ..line };
    let shown = match &wanted.file {
        Some(file) if file.ends_with(".sources") => section(&line, ctx).show().trim().to_owned(),
        _ => line.plain(trusted(ctx, &Line::default())),
    };
    json!({
        "comps": line.components,
        "disabled": line.disabled,
        "dist": suite,
        "suites": [suite],
        "type": line.kind,
        "types": [line.kind],
        "uri": uri,
        "uris": [uri],
        "line": shown,
        "architectures": line.architectures,
        "signedby": signed_by,
    })
}

fn section(line: &Line, ctx: &Context<'_>) -> Section {
    let mut out = Section::default();
    out.set("Types", &line.kind);
    out.set("URIs", &line.uri);
    out.set("Suites", &line.suite);
    out.set("Components", &line.components.join(" "));
    if trusted(ctx, line) == Some(true) {
        out.set("Trusted", "yes");
    }
    if !line.architectures.is_empty() {
        out.set("Architectures", &line.architectures.join(" "));
    }
    if line.disabled {
        out.set("Enabled", "no");
    }
    if !line.signed_by.is_empty() {
        out.set("Signed-By", &line.signed_by);
    }
    out
}

fn trusted(ctx: &Context<'_>, line: &Line) -> Option<bool> {
    match ctx.value("trusted") {
        Some(Value::String(word)) => apt_truth(word),
        Some(other) => Some(truth(other)),
        None => line.trusted,
    }
}

pub(super) fn check(ctx: &Context<'_>) -> Result<Plan<Step>, String> {
    let wanted = wanted(ctx)?;
    let sources = Sources::load(ctx);
    let repositories = sources.repositories();
    let mut facts = facts(ctx, &wanted);
    let found = find(&repositories, &wanted.line);
    let mut before = found.map(|found| found.facts.clone());
    let stale = before.is_some() && ctx.flag("clean_file", false) && is_stale(ctx, &wanted);
    match (&mut before, stale) {
        (Some(before), false) => {
            let before = before.as_object_mut().ok_or("no repository")?;
            before.shift_remove("file");
            if is_same(ctx, &wanted, &facts, before) {
                let name = ctx.name();
                return Ok(Plan::fine(format!("Package repo '{name}' already configured")));
            }
        }
        (Some(_), true) | (None, _) => {
            facts["file"] = json!(wanted.file.clone().unwrap_or_else(|| LIST.to_owned()));
        }
    }
    let changes = match &before {
        Some(before) => differences(&facts, &facts, before),
        None => change("repo", ctx.name()),
    };
    Ok(foreseen(ctx, changes, Step { wanted, before, facts }))
}

/// Whether a file that is to hold this repository alone holds anything else.
fn is_stale(ctx: &Context<'_>, wanted: &Wanted) -> bool {
    let text = wanted.file.as_ref().and_then(|file| ctx.host.read_text(file)).unwrap_or_default();
    let mut lines = text.lines().map(str::trim);
    lines.any(|line| !line.is_empty() && !line.starts_with('#') && line != ctx.name().trim())
}

fn is_same(
    ctx: &Context<'_>,
    wanted: &Wanted,
    facts: &Value,
    before: &serde_json::Map<String, Value>,
) -> bool {
    let sorted = |value: &Value| {
        let mut list = crate::function::args::list(value);
        list.sort();
        list
    };
    let Some(facts) = facts.as_object() else { return false };
    facts.iter().all(|(key, value)| {
        let Some(old) = before.get(key) else { return key != "comps" };
        match key.as_str() {
            "comps" => sorted(value) == sorted(old),
            "line" => wanted.disabled || same_line(ctx, &text(value), &text(old)),
            "architectures" if !wanted.architectures.is_empty() => sorted(value) == sorted(old),
            _ => text(value) == text(old),
        }
    })
}

fn same_line(ctx: &Context<'_>, new: &str, old: &str) -> bool {
    let words = |line: &str| {
        let mut words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        if words.len() > 3 {
            words[3..].sort();
        }
        words
    };
    let (old, comment) = old.split_once('#').unwrap_or((old, ""));
    let comments = ctx.value("comments").map(|_| ctx.list("comments").join(" ").trim().to_owned());
    words(new) == words(old) && comments.is_none_or(|comments| comments == comment.trim())
}

/// The keys of `keys` whose values differ.
fn differences(keys: &Value, new: &Value, old: &Value) -> Changes {
    let keys = keys.as_object().into_iter().flat_map(serde_json::Map::keys);
    let value = |facts: &Value, key: &String| facts.get(key).cloned().unwrap_or(Value::Null);
    keys.filter(|key| value(new, key) != value(old, key))
        .map(|key| (key.clone(), json!({"new": value(new, key), "old": value(old, key)})))
        .collect()
}

pub(super) fn apply(ctx: &Context<'_>, step: &Step) -> Result<Outcome, String> {
    let name = ctx.name();
    configure(ctx, &step.wanted)
        .map_err(|problem| format!("Failed to configure repo '{name}': {problem}"))?;
    let repositories = Sources::load(ctx).repositories();
    let after = find(&repositories, &step.wanted.line).map(|found| found.facts.clone());
    let changes = match &step.before {
        Some(before) => differences(&step.facts, &after.unwrap_or(Value::Null), before),
        None => change("repo", name),
    };
    Ok(Outcome::changed(format!("Configured package repo '{name}'"), changes))
}

fn configure(ctx: &Context<'_>, wanted: &Wanted) -> Result<(), String> {
    let mut sources = Sources::load(ctx);
    let mut touched = Vec::new();
    if ctx.flag("clean_file", false)
        && let Some(file) = &wanted.file
    {
        sources.list.retain(|source| source.file != *file);
        touched.push(file.clone());
    }
    if ctx.flag("consolidate", false) {
        touched.extend(sources.consolidate());
    }
    key::import(ctx, &wanted.line.signed_by, wanted.aptkey)?;
    let at = match position(&sources, ctx, wanted) {
        Some(at) => at,
        None => {
            let safe =
                !wanted.line.signed_by.is_empty() || trusted(ctx, &wanted.line) == Some(true);
            if !wanted.aptkey && !safe {
                return Err("missing 'signedby' or 'trusted' option when apt-key is missing".into());
            }
            sources.list.push(fresh(ctx, wanted));
            sources.list.len() - 1
        }
    };
    let source = &mut sources.list[at];
    touched.push(source.file.clone());
    let fits =
        |file: &&String| file.ends_with(".sources") == matches!(source.entry, Entry::Section(_));
    if let Some(file) = wanted.file.as_ref().filter(fits) {
        source.file.clone_from(file);
        touched.push(file.clone());
    }
    modify(ctx, wanted, &mut source.entry);
    touched.sort();
    touched.dedup();
    sources.save(ctx, &touched).map_err(|error| error.to_string())?;
    refresh(ctx)
}

/// Fetches the lists; if that is not wanted now, the next package state does.
pub(super) fn refresh(ctx: &Context<'_>) -> Result<(), String> {
    let wanted = ctx.value("refresh_db").or_else(|| ctx.value("refresh")).is_none_or(truth);
    ctx.session.refreshed.set(false);
    if wanted { Manager::Apt.refresh(ctx) } else { Ok(()) }
}

/// The entry that is this repository already.
fn position(sources: &Sources, ctx: &Context<'_>, wanted: &Wanted) -> Option<usize> {
    let suite = ctx.text("dist");
    let mut components = wanted.line.components.clone();
    components.extend(wanted.components.iter().cloned());
    let found = sources.repositories().into_iter().find(|one| {
        let same = one.kind == wanted.line.kind
            && same_uri(&one.uri, &wanted.line.uri)
            && one.suite == wanted.line.suite;
        let by_suite =
            suite.as_ref() == Some(&one.suite) && ctx.text("type") == Some(one.kind.clone());
        (same || by_suite)
            && (one.components.is_empty()
                || one.components.iter().any(|comp| components.contains(comp))
                || one.architectures != wanted.architectures)
    });
    found.map(|one| one.at)
}

fn fresh(ctx: &Context<'_>, wanted: &Wanted) -> Source {
    let file = wanted.file.clone().unwrap_or_else(|| LIST.to_owned());
    let entry = if file.ends_with(".sources") {
        Entry::Section(section(&Line { signed_by: String::new(), ..wanted.line.clone() }, ctx))
    } else {
        Entry::Line(String::new(), wanted.line.clone())
    };
    Source { file, entry }
}

fn modify(ctx: &Context<'_>, wanted: &Wanted, entry: &mut Entry) {
    let comments = ctx.value("comments").map(|_| ctx.list("comments").join(" ").trim().to_owned());
    match entry {
        Entry::Text(_) => {}
        Entry::Line(_, line) => {
            let kept = if wanted.architectures.is_empty() {
                line.architectures.clone()
            } else {
                wanted.architectures.clone()
            };
            *line = Line {
                components: wanted.components.clone(),
                architectures: kept,
                disabled: wanted.disabled,
                suite: ctx.text("dist").unwrap_or_else(|| wanted.line.suite.clone()),
                trusted: trusted(ctx, &wanted.line),
                comment: comments.unwrap_or_else(|| line.comment.clone()),
                ..wanted.line.clone()
            };
        }
        Entry::Section(section) => {
            section.set("Components", &wanted.components.join(" "));
            if !wanted.architectures.is_empty() {
                section.set("Architectures", &wanted.architectures.join(" "));
            }
            if wanted.disabled {
                section.set("Enabled", "no");
            } else {
                section.remove("Enabled");
            }
            section.set("Signed-By", &wanted.line.signed_by);
            for (key, field) in [("dist", "Suites"), ("uri", "URIs")] {
                if let Some(value) = ctx.text(key) {
                    section.set(field, &value);
                }
            }
            for (key, field) in [("suites", "Suites"), ("types", "Types"), ("uris", "URIs")] {
                if ctx.value(key).is_some() {
                    section.set(field, &ctx.list(key).join(" "));
                }
            }
            if let Some(yes) = trusted(ctx, &wanted.line).filter(|_| ctx.value("trusted").is_some())
            {
                section.set("Trusted", if yes { "yes" } else { "no" });
            }
            if let Some(comments) = comments {
                section.header = comments.lines().map(|line| format!("#{line}")).collect();
            }
        }
    }
}

/// Without the slash at the end of its address, as Salt compares it.
fn stripped(name: &str) -> String {
    let remote = |word: &str| ["http://", "https://", "ftp://"].iter().any(|p| word.starts_with(p));
    let words = name.split_whitespace();
    let words = words.map(|word| if remote(word) { word.trim_end_matches('/') } else { word });
    words.collect::<Vec<_>>().join(" ")
}

/// A repository that is to go, and what it is called.
pub(in crate::function) struct Gone {
    name: String,
    line: Line,
}

pub(super) fn check_absent(ctx: &Context<'_>) -> Result<Plan<Gone>, String> {
    let ppa = Ppa::gone(ctx)?;
    let name = ppa.as_ref().map_or_else(|| ctx.name().to_owned(), |ppa| ppa.name().to_owned());
    let line = match &ppa {
        Some(ppa) => ppa.line(ctx),
        None => Line::parse(&stripped(&name)).filter(|line| !line.disabled),
    };
    // What names no repository is not there.
    let Some(line) = line else {
        return Ok(Plan::fine(format!("Package repo {name} is absent")));
    };
    let repositories = Sources::load(ctx).repositories();
    let sorted = |list: &[String]| {
        let mut list = list.to_vec();
        list.sort();
        list
    };
    let found = find(&repositories, &line)
        .filter(|found| sorted(&found.architectures) == sorted(&line.architectures));
    if found.is_none() {
        return Ok(Plan::fine(format!("Package repo {name} is absent")));
    }
    Ok(foreseen_absent(&name.clone(), Gone { name, line }))
}

pub(super) fn apply_absent(ctx: &Context<'_>, gone: &Gone) -> Result<Outcome, String> {
    let Gone { name, line } = gone;
    let mut sources = Sources::load(ctx);
    let mut touched = Vec::new();
    let mut kept = Vec::new();
    for source in std::mem::take(&mut sources.list) {
        match without(&source.entry, line) {
            None => kept.push(source),
            Some(left) => {
                touched.push(source.file.clone());
                kept.extend(left.map(|entry| Source { entry, ..source }));
            }
        }
    }
    sources.list = kept;
    for file in &touched {
        // A part of the lists that names nothing any more goes, with what comments it has.
        if !sources.names_any(file) && file != LIST {
            sources.list.retain(|source| source.file != *file);
        }
    }
    sources.save(ctx, &touched).map_err(|error| error.to_string())?;
    ctx.session.refreshed.set(false);
    Manager::Apt.refresh(ctx)?;
    let mut outcome =
        Outcome::changed(format!("Removed repo {name}"), change("repo", name.as_str()));
    let Some(id) = ctx.text("keyid") else { return Ok(outcome) };
    match key::remove(ctx, &id, &line.signed_by) {
        Ok(()) => {
            outcome.comment.push_str(&format!(", and keyid {id}"));
            outcome.changes.insert("keyid".to_owned(), json!(id));
        }
        Err(problem) => {
            outcome.comment.push_str(&format!(", but failed to remove key: {problem}"));
            outcome.result = Some(false);
        }
    }
    Ok(outcome)
}

/// What is left of an entry without a repository; `None` if it is not that one.
fn without(entry: &Entry, line: &Line) -> Option<Option<Entry>> {
    let left = |own: &[String]| -> Option<Vec<String>> {
        let rest: Vec<String> =
            own.iter().filter(|comp| !line.components.contains(comp)).cloned().collect();
        let none = own.is_empty() && line.components.is_empty();
        (none || rest.len() < own.len()).then_some(rest)
    };
    match entry {
        Entry::Text(_) => None,
        Entry::Line(_, own) => {
            let same = own.kind == line.kind
                && own.architectures == line.architectures
                && same_uri(&own.uri, &line.uri)
                && own.suite == line.suite;
            let rest = left(&own.components).filter(|_| same)?;
            let keep = (!rest.is_empty())
                .then(|| Entry::Line(String::new(), Line { components: rest, ..own.clone() }));
            Some(keep)
        }
        Entry::Section(own) => {
            let suites = own.words("Suites");
            let same = own.words("Types").contains(&line.kind)
                && own.words("Architectures") == line.architectures
                && own.words("URIs").iter().any(|uri| same_uri(uri, &line.uri))
                && suites.contains(&line.suite);
            let rest = left(&own.words("Components")).filter(|_| same)?;
            let mut own = own.clone();
            if rest.is_empty() {
                let suites: Vec<String> =
                    suites.into_iter().filter(|suite| *suite != line.suite).collect();
                own.set("Suites", &suites.join(" "));
                return Some((!suites.is_empty()).then_some(Entry::Section(own)));
            }
            own.set("Components", &rest.join(" "));
            Some(Some(Entry::Section(own)))
        }
    }
}
