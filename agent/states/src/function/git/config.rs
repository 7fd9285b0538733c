//! `git.config_set` and `git.config_unset`: settings of a repository or of a user.

use indexmap::IndexMap;
use serde_json::{Value, json};

use super::cli::{Failure, Git};
use crate::chunk::Chunk;
use crate::function::args::{list, text, truth};
use crate::function::{Context, Lint, Plan, StateFunction};
use crate::outcome::{Changes, Outcome, change};
use crate::render::python::{from_json, repr};

/// Values by key.
type Values = IndexMap<String, Vec<String>>;

/// A setting needs a place: a repository, or the user's own file.
fn lint_place(chunk: &Chunk) -> Vec<Lint> {
    let set = |key: &str| chunk.args.get(key).is_some_and(truth);
    if set("global") || set("repo") {
        return Vec::new();
    }
    let why = "Non-global config options require the 'repo' argument to be set".to_owned();
    vec![("repo", why)]
}

fn place<'a>(ctx: &Context<'_>, repo: &'a str) -> (&'static str, &'a str) {
    if ctx.flag("global", false) {
        ("--global", if repo.is_empty() { "/" } else { repo })
    } else {
        ("--local", repo)
    }
}

pub(super) struct ConfigSet;

impl StateFunction for ConfigSet {
    const MODULE: &'static str = "git";
    const NAME: &'static str = "config_set";
    const TAKES: &'static [&'static str] = &["value", "multivar", "repo", "user", "global"];
    const TOLERATES: &'static [&'static str] = &["password", "output_encoding"];
    type Step = Option<Vec<String>>;

    fn lint(chunk: &Chunk) -> Vec<Lint> {
        let there = |key: &str| chunk.args.get(key).is_some_and(|value| !value.is_null());
        let mut out = lint_place(chunk);
        match (there("value"), there("multivar")) {
            (true, true) => {
                let why = "Only one of 'value' and 'multivar' is permitted".to_owned();
                out.push(("multivar", why));
            }
            (false, false) => {
                out.push(("value", "neither 'value' nor 'multivar' is set".to_owned()))
            }
            _ => {}
        }
        out
    }

    fn check(ctx: &Context<'_>) -> Plan<Self::Step> {
        check_set(ctx).unwrap_or_else(Plan::failed)
    }

    fn apply(ctx: &Context<'_>, before: Self::Step) -> Outcome {
        apply_set(ctx, before.as_deref()).unwrap_or_else(Outcome::failed)
    }
}

/// The wanted values, and how a comment names them.
fn wanted(ctx: &Context<'_>) -> (Vec<String>, String) {
    match (ctx.value("value"), ctx.value("multivar")) {
        (Some(value), _) => {
            let value = text(value);
            let shown = format!("'{value}'");
            (vec![value], shown)
        }
        (None, Some(values)) => {
            let values = match values {
                Value::Array(_) => list(values),
                other => text(other).split(',').map(str::to_owned).collect(),
            };
            let shown = repr(&from_json(&json!(values)));
            (values, shown)
        }
        (None, None) => (Vec::new(), String::new()),
    }
}

fn get(ctx: &Context<'_>, git: &Git<'_>) -> Result<Option<Vec<String>>, Failure> {
    let repo = ctx.text("repo").unwrap_or_default();
    let (scope, cwd) = place(ctx, &repo);
    let said = git.say(cwd, &["config", scope, "--get-all", ctx.name()])?;
    Ok((said.code != 1).then(|| said.out.lines().map(str::to_owned).collect()))
}

fn key(ctx: &Context<'_>) -> &'static str {
    if ctx.flag("global", false) { "Global key " } else { "" }
}

fn check_set(ctx: &Context<'_>) -> Result<Plan<Option<Vec<String>>>, String> {
    let (name, key) = (ctx.name(), key(ctx));
    let (values, shown) = wanted(ctx);
    let before = get(ctx, &Git::new(ctx)?).map_err(|failure| failure.to_string())?;
    if before.as_ref() == Some(&values) {
        return Ok(Plan::fine(format!("{key}'{name}' is already set to {shown}")));
    }
    let how = if before.is_none() { "added as" } else { "set to" };
    let changes =
        Changes::from_iter([("old".to_owned(), json!(before)), ("new".to_owned(), json!(values))]);
    Ok(Plan::change(format!("{key}'{name}' would be {how} {shown}"), changes, before))
}

fn apply_set(ctx: &Context<'_>, before: Option<&[String]>) -> Result<Outcome, String> {
    let (name, git) = (ctx.name(), Git::new(ctx)?);
    let (values, shown) = wanted(ctx);
    let repo = ctx.text("repo").unwrap_or_default();
    let (scope, cwd) = place(ctx, &repo);
    let lower = if ctx.flag("global", false) { "global key " } else { "" };
    let failed = |more: &str| format!("Failed to set {lower}'{name}' to {shown}{more}");
    for (at, value) in values.iter().enumerate() {
        let how = if at == 0 { "--replace-all" } else { "--add" };
        git.run(cwd, &["config", scope, how, name, value])
            .map_err(|failure| failed(&format!(": {}", failure.stripped())))?;
    }
    let after = get(ctx, &git).map_err(|failure| failure.to_string())?;
    let changes = if after.as_deref() == before {
        Changes::new()
    } else {
        change(name, json!({"old": before, "new": after}))
    };
    if after.as_ref() != Some(&values) {
        return Ok(Outcome { result: Some(false), ..Outcome::changed(failed(""), changes) });
    }
    let how = if before.is_none() { "added as" } else { "set to" };
    Ok(Outcome::changed(format!("{}'{name}' was {how} {shown}", key(ctx)), changes))
}

pub(super) struct ConfigUnset;

impl StateFunction for ConfigUnset {
    const MODULE: &'static str = "git";
    const NAME: &'static str = "config_unset";
    const TAKES: &'static [&'static str] = &["value_regex", "repo", "user", "global", "all"];
    const TOLERATES: &'static [&'static str] = &["password", "output_encoding"];
    type Step = Values;

    fn lint(chunk: &Chunk) -> Vec<Lint> {
        lint_place(chunk)
    }

    fn check(ctx: &Context<'_>) -> Plan<Values> {
        check_unset(ctx).unwrap_or_else(Plan::failed)
    }

    fn apply(ctx: &Context<'_>, matches: Values) -> Outcome {
        apply_unset(ctx, &matches).unwrap_or_else(Outcome::failed)
    }
}

/// All keys and values that match.
fn matching(ctx: &Context<'_>, git: &Git<'_>, values: Option<&str>) -> Result<Values, String> {
    let repo = ctx.text("repo").unwrap_or_default();
    let (scope, cwd) = place(ctx, &repo);
    let name = ctx.name().trim_start_matches('^').trim_end_matches('$');
    let pattern = format!("^{name}$");
    let mut argv = vec!["config", scope, "--get-regexp", &pattern];
    argv.extend(values);
    let said = git.say(cwd, &argv).map_err(|failure| failure.to_string())?;
    let mut out = Values::new();
    for line in said.out.lines().filter(|_| said.code != 1) {
        if let Some((key, value)) = line.split_once(char::is_whitespace) {
            out.entry(key.to_owned()).or_default().push(value.to_owned());
        }
    }
    Ok(out)
}

fn check_unset(ctx: &Context<'_>) -> Result<Plan<Values>, String> {
    let regex = ctx.text("value_regex");
    let matches = matching(ctx, &Git::new(ctx)?, regex.as_deref())?;
    if matches.is_empty() {
        return Ok(Plan::fine("No matching keys are set"));
    }
    let many: Vec<String> = matches
        .iter()
        .filter(|(_, values)| values.len() > 1)
        .map(|(key, values)| format!("{key} ({})", values.join(", ")))
        .collect();
    if !many.is_empty() && !ctx.flag("all", false) {
        let many = many.join("; ");
        return Err(match regex {
            Some(_) => format!(
                "Multiple values are matched by value_regex for the following keys (set 'all' to \
                 True to force removal): {many}"
            ),
            None => format!(
                "Multivar(s) matched by the key expression (set 'all' to True to force removal): \
                 {many}"
            ),
        });
    }
    let changes = matches.iter().map(|(key, values)| (key.clone(), json!(values))).collect();
    let comment = format!("{} key(s) would have value(s) unset", matches.len());
    Ok(Plan::change(comment, changes, matches))
}

fn apply_unset(ctx: &Context<'_>, matches: &Values) -> Result<Outcome, String> {
    let git = Git::new(ctx)?;
    let (regex, repo) = (ctx.text("value_regex"), ctx.text("repo").unwrap_or_default());
    let (scope, cwd) = place(ctx, &repo);
    let before = if regex.is_none() { matches.clone() } else { matching(ctx, &git, None)? };
    let how = if ctx.flag("all", false) { "--unset-all" } else { "--unset" };
    let mut failed = Vec::new();
    // A name may be a pattern; what is unset are the keys that it matches.
    for key in matches.keys() {
        let mut argv = vec!["config", scope, how, key];
        argv.extend(regex.as_deref());
        if git.run(cwd, &argv).is_err() {
            failed.push(key.as_str());
        }
    }
    if !failed.is_empty() {
        return Err(format!(
            "Error(s) occurred unsetting values for the following keys (see the minion log for \
             details): {}",
            failed.join(", ")
        ));
    }
    let after = matching(ctx, &git, None)?;
    let mut changes = Changes::new();
    for (key, values) in &before {
        let left = after.get(key).map(Vec::as_slice).unwrap_or_default();
        let gone: Vec<&String> = values.iter().filter(|value| !left.contains(value)).collect();
        if !gone.is_empty() {
            changes.insert(key.clone(), json!(gone));
        }
    }
    let left = matching(ctx, &git, regex.as_deref())?;
    if left.is_empty() {
        return Ok(Outcome::changed("Value(s) successfully unset", changes));
    }
    let left: Vec<String> =
        left.iter().map(|(key, values)| format!("{key} ({})", values.join(", "))).collect();
    let comment = format!("Failed to unset value(s): {}", left.join("; "));
    Ok(Outcome { result: Some(false), ..Outcome::changed(comment, changes) })
}
