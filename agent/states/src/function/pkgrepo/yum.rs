//! Repositories of yum and dnf: `managed` and `absent` on the files of /etc/yum.repos.d.

use std::fs;

use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use super::apt::is_true;
use super::{foreseen, foreseen_absent};
use crate::function::args::{list, text};
use crate::function::pkg::{ask, words};
use crate::function::{Context, Plan};
use crate::host::files::{Access, remove, replace_keeping, which};
use crate::outcome::{Changes, Outcome, change};
use crate::requisite;

const FOLDERS: [&str; 2] = ["/etc/yum/repos.d", "/etc/yum.repos.d"];
const LINKS: [&str; 3] = ["baseurl", "mirrorlist", "metalink"];

/// Repositories of a file, each with its settings; `comments` is a list.
type Repositories = IndexMap<String, Map<String, Value>>;

/// One file: what stands before the first repository, and the repositories.
struct File {
    path: String,
    header: String,
    repositories: Repositories,
}

pub(in crate::function) struct Step {
    repository: String,
    wanted: Map<String, Value>,
    before: Option<Map<String, Value>>,
}

/// The name of a repository; those of copr have one of their own.
fn repository(ctx: &Context<'_>) -> String {
    let copr = ctx.text("copr").or_else(|| ctx.name().strip_prefix("copr:").map(str::to_owned));
    match copr {
        Some(copr) => {
            let (owner, project) = copr.split_once('/').unwrap_or((&copr, ""));
            format!("copr:copr.fedorainfracloud.org:{owner}:{project}")
        }
        None => ctx.name().to_owned(),
    }
}

/// The settings that the state gives: all its arguments but those of the runner.
fn wanted(ctx: &Context<'_>) -> Result<Map<String, Value>, String> {
    const OWN: [&str; 7] =
        ["humanname", "copr", "ppa", "aptkey", "enabled", "disabled", "allow_insecure_key"];
    let mut out: Map<String, Value> = ctx
        .chunk
        .args
        .iter()
        .filter(|(key, _)| {
            !requisite::is_keyword(key)
                && !requisite::RUNTIME.contains(&key.as_str())
                && !OWN.contains(&key.as_str())
        })
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let name = ctx.value("humanname").cloned().unwrap_or_else(|| json!(ctx.name()));
    out.insert("name".to_owned(), name);
    let enabled = match (ctx.value("enabled"), ctx.value("disabled")) {
        (Some(_), Some(_)) => return Err("Only one of enabled/disabled is allowed".to_owned()),
        (Some(enabled), None) => is_true(enabled),
        (None, Some(disabled)) => !is_true(disabled),
        (None, None) => true,
    };
    out.insert("enabled".to_owned(), json!(enabled));
    Ok(out)
}

fn folders(ctx: &Context<'_>) -> Vec<String> {
    let own = ctx.list("basedir");
    let own: Vec<String> =
        own.iter().flat_map(|dir| dir.split(',')).map(|dir| dir.trim().to_owned()).collect();
    if own.is_empty() { FOLDERS.map(str::to_owned).to_vec() } else { own }
}

fn files(ctx: &Context<'_>) -> Vec<File> {
    let mut out = Vec::new();
    for folder in folders(ctx) {
        let entries = fs::read_dir(ctx.host.followed(&folder)).into_iter().flatten().flatten();
        let mut names: Vec<String> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        for name in names.into_iter().filter(|name| name.ends_with(".repo")) {
            let path = format!("{folder}/{name}");
            if let Some(text) = ctx.host.read_text(&path) {
                let (header, repositories) = parse(&text);
                out.push(File { path, header, repositories });
            }
        }
    }
    out
}

/// Reads a file as Python's configparser does: keys in small letters, values go on if indented.
fn parse(text: &str) -> (String, Repositories) {
    let (mut header, mut out) = (String::new(), Repositories::new());
    let mut last = String::new();
    for raw in text.lines() {
        let line = raw.trim();
        let section = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let current = out.last_mut().map(|(_, settings)| settings);
        match (section, current) {
            (Some(name), _) => {
                out.entry(name.to_owned()).or_default();
                last.clear();
            }
            (None, None) if line.starts_with('#') => {
                header.push_str(line);
                header.push('\n');
            }
            (None, Some(settings)) if line.starts_with('#') => {
                let entry = settings.entry("comments").or_insert_with(|| json!([]));
                if let Some(comments) = entry.as_array_mut() {
                    comments.push(json!(line[1..].trim_start()));
                }
            }
            (None, Some(settings)) if raw.starts_with([' ', '\t']) && !line.is_empty() => {
                if let Some(value) = settings.get_mut(&last) {
                    *value = json!(format!("{}\n{line}", text_of(value)));
                }
            }
            (None, Some(settings)) => {
                if let Some((key, value)) = line.split_once(['=', ':']) {
                    key.trim().to_lowercase().clone_into(&mut last);
                    settings.insert(last.clone(), json!(value.trim()));
                }
            }
            (None, None) => {}
        }
    }
    (header, out)
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| text(value), str::to_owned)
}

/// Comments as Salt writes them behind a repository.
fn comments(value: Option<&Value>) -> String {
    let line = |comment: String| format!("# {}\n", comment.trim_start_matches('#').trim_start());
    value.map(list).unwrap_or_default().into_iter().map(line).collect()
}

fn show(file: &File) -> String {
    let mut out = file.header.clone();
    for (name, settings) in &file.repositories {
        out.push_str(&format!("[{name}]\n"));
        for (key, value) in settings.iter().filter(|(key, _)| *key != "comments") {
            let value = match value {
                Value::Bool(yes) => i32::from(*yes).to_string(),
                other => text(other).replace('\n', "\n "),
            };
            out.push_str(&format!("{key}={value}\n"));
        }
        out.push_str(&comments(settings.get("comments")));
        out.push('\n');
    }
    out
}

fn find<'a>(files: &'a [File], name: &str) -> Option<&'a Map<String, Value>> {
    files.iter().find_map(|file| file.repositories.get(name))
}

pub(super) fn check(ctx: &Context<'_>) -> Result<Plan<Step>, String> {
    let (repository, wanted) = (repository(ctx), wanted(ctx)?);
    let files = files(ctx);
    let before = find(&files, &repository).cloned();
    if before.as_ref().is_some_and(|before| is_same(&wanted, before)) {
        return Ok(Plan::fine(format!("Package repo '{}' already configured", ctx.name())));
    }
    let changes = match &before {
        Some(before) => differences(&wanted, &wanted, before),
        None => change("repo", ctx.name()),
    };
    Ok(foreseen(ctx, changes, Step { repository, wanted, before }))
}

/// Settings that the file does not have do not count, but for a few: that is Salt's rule.
fn is_same(wanted: &Map<String, Value>, before: &Map<String, Value>) -> bool {
    wanted.iter().all(|(key, value)| match before.get(key) {
        None => match key.as_str() {
            "enabled" => is_true(value),
            "comps" | "key_url" => false,
            _ => true,
        },
        Some(old) if key == "comments" => comments(Some(old)) == comments(Some(value)),
        Some(old) if value.is_boolean() || old.is_boolean() => {
            is_true(&number(value)) == is_true(&number(old))
        }
        Some(old) => text(value) == text(old),
    })
}

/// `1` and `0` of a file are numbers.
fn number(value: &Value) -> Value {
    value
        .as_str()
        .and_then(|word| word.parse::<i64>().ok())
        .map_or_else(|| value.clone(), Value::from)
}

fn differences(
    keys: &Map<String, Value>,
    new: &Map<String, Value>,
    old: &Map<String, Value>,
) -> Changes {
    let value = |map: &Map<String, Value>, key: &String| map.get(key).cloned().unwrap_or_default();
    keys.keys()
        .filter(|key| value(new, key) != value(old, key))
        .map(|key| (key.clone(), json!({"new": value(new, key), "old": value(old, key)})))
        .collect()
}

pub(super) fn apply(ctx: &Context<'_>, step: &Step) -> Result<Outcome, String> {
    let name = ctx.name();
    configure(ctx, step)
        .map_err(|problem| format!("Failed to configure repo '{name}': {problem}"))?;
    ctx.session.refreshed.set(false);
    let files = files(ctx);
    let after = find(&files, &step.repository).cloned().unwrap_or_default();
    let changes = match &step.before {
        Some(before) => differences(&step.wanted, &after, before),
        None => change("repo", step.repository.as_str()),
    };
    Ok(Outcome::changed(format!("Configured package repo '{name}'"), changes))
}

fn configure(ctx: &Context<'_>, step: &Step) -> Result<(), String> {
    let (mut settings, mut unset) = (step.wanted.clone(), Vec::new());
    settings.retain(|key, value| {
        let keep = matches!(value, Value::Bool(_) | Value::Number(_))
            || crate::function::args::truth(value);
        if !keep {
            unset.push(key.clone());
        }
        keep
    });
    let named: Vec<&str> = LINKS.into_iter().filter(|key| settings.contains_key(*key)).collect();
    if named.len() > 1 {
        return Err(format!("One and only one of {} can be used", LINKS.join(", ")));
    }
    if let [link] = named.as_slice() {
        unset.extend(LINKS.into_iter().filter(|other| other != link).map(str::to_owned));
    }
    if unset.iter().any(|key| key == "name") {
        return Err("The repo name cannot be deleted".to_owned());
    }
    let mut all = files(ctx);
    if find(&all, &step.repository).is_none() && step.repository.starts_with("copr:") {
        enable_copr(ctx, &step.repository)?;
        all = files(ctx);
    }
    let mut file = match all.into_iter().find(|f| f.repositories.contains_key(&step.repository)) {
        Some(file) => file,
        None => fresh(ctx, step, !named.is_empty())?,
    };
    let own = file.repositories.entry(step.repository.clone()).or_default();
    for key in &unset {
        own.shift_remove(key);
    }
    own.extend(settings);
    if !LINKS.iter().any(|key| own.contains_key(*key)) {
        return Err(format!(
            "Cannot delete baseurl without specifying {}",
            LINKS[1..].join(" or ")
        ));
    }
    write(ctx, &file)
}

fn fresh(ctx: &Context<'_>, step: &Step, has_link: bool) -> Result<File, String> {
    let folders = folders(ctx);
    let there = folders.iter().find(|folder| ctx.host.stat(folder).is_some());
    let folder = there.ok_or_else(|| {
        format!(
            "The repo does not exist and needs to be created, but none of the following basedir \
             directories exist: ['{}']",
            folders.join("', '")
        )
    })?;
    if !has_link {
        return Err(format!(
            "The repo does not exist and needs to be created, but none of {} was given",
            LINKS.join(", ")
        ));
    }
    let path = format!("{folder}/{}.repo", step.repository);
    Ok(File { path, header: String::new(), repositories: Repositories::new() })
}

fn write(ctx: &Context<'_>, file: &File) -> Result<(), String> {
    let path = ctx.host.followed(&file.path);
    let old = fs::metadata(&path).map(|meta| Access::of(&meta)).unwrap_or_default();
    replace_keeping(ctx.host, &path, show(file).as_bytes(), Access::default(), old)
        .map_err(|error| error.to_string())
}

fn enable_copr(ctx: &Context<'_>, name: &str) -> Result<(), String> {
    let mut parts = name.split(':').skip(2);
    let copr = format!("{}/{}", parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let program = if which(ctx.host, "dnf").is_some() { "dnf" } else { "yum" };
    let output = ask(ctx, words(&[program, "copr", "enable", &copr, "-y"]), &[])?;
    if output.code == 0 {
        return Ok(());
    }
    Err(format!(
        "Unable to add COPR '{copr}'. '{program}' exited with status {}: '{}' ",
        output.code,
        output.stderr.trim_end()
    ))
}

pub(super) fn check_absent(ctx: &Context<'_>) -> Plan<String> {
    let (name, repository) = (ctx.name(), repository(ctx));
    if find(&files(ctx), &repository).is_none() {
        return Plan::fine(format!("Package repo {name} is absent"));
    }
    foreseen_absent(name, repository)
}

pub(super) fn apply_absent(ctx: &Context<'_>, repository: &str) -> Result<Outcome, String> {
    let name = ctx.name();
    for mut file in files(ctx) {
        if file.repositories.shift_remove(repository).is_none() {
            continue;
        }
        if file.repositories.is_empty() {
            remove(&ctx.host.followed(&file.path)).map_err(|error| error.to_string())?;
        } else {
            write(ctx, &file)?;
        }
    }
    ctx.session.refreshed.set(false);
    Ok(Outcome::changed(format!("Removed repo {name}"), change("repo", name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_and_written_as_configparser_reads_it() {
        let text = "# head\n[a]\nname=A\nBaseURL = http://x\n http://y\nenabled=1\n# why\n\n[b]\n\
                    name=B\n\n";
        let (header, repositories) = parse(text);
        assert_eq!(header, "# head\n");
        assert_eq!(repositories["a"]["baseurl"], "http://x\nhttp://y");
        let file = File { path: String::new(), header, repositories };
        let shown = "# head\n[a]\nname=A\nbaseurl=http://x\n http://y\nenabled=1\n# why\n\n[b]\n\
                     name=B\n\n";
        assert_eq!(show(&file), shown);
    }
}
