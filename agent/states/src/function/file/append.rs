//! `file.append` and `file.prepend`: lines at a file's end or start, each only if it is not there.

mod words;

use super::text::{self, Edit, decoded, encoded, python_lines, search, without_end};
use super::{diff, not_absolute, parent, source};
use crate::chunk::Chunk;
use crate::function::args::list;
use crate::function::{Context, Lint, Plan, StateFunction};
use crate::host::files::{Access, make_folders};
use crate::outcome::{Outcome, change};

pub(in crate::function) struct Append;
pub(in crate::function) struct Prepend;

impl StateFunction for Append {
    const MODULE: &'static str = "file";
    const NAME: &'static str = "append";
    const TAKES: &'static [&'static str] = &[
        "text",
        "makedirs",
        "source",
        "source_hash",
        "sources",
        "source_hashes",
        "template",
        "context",
        "defaults",
        "ignore_whitespace",
        "show_changes",
    ];
    type Step = Edit;

    fn lint(chunk: &Chunk) -> Vec<Lint> {
        source::lint(chunk)
    }

    fn doubt(chunk: &Chunk) -> Vec<Lint> {
        source::doubt(chunk)
    }

    fn check(ctx: &Context<'_>) -> Plan<Edit> {
        appended(ctx).unwrap_or_else(|problem| Plan::Done(source::texts_failed(problem)))
    }

    fn apply(ctx: &Context<'_>, edit: Edit) -> Outcome {
        written(ctx, edit)
    }
}

impl StateFunction for Prepend {
    const MODULE: &'static str = "file";
    const NAME: &'static str = "prepend";
    const TAKES: &'static [&'static str] = &[
        "text",
        "makedirs",
        "source",
        "source_hash",
        "sources",
        "source_hashes",
        "template",
        "context",
        "defaults",
        "header",
        "show_changes",
    ];
    type Step = Edit;

    fn lint(chunk: &Chunk) -> Vec<Lint> {
        source::lint(chunk)
    }

    fn doubt(chunk: &Chunk) -> Vec<Lint> {
        source::doubt(chunk)
    }

    fn check(ctx: &Context<'_>) -> Plan<Edit> {
        prepended(ctx).unwrap_or_else(|problem| Plan::Done(source::texts_failed(problem)))
    }

    fn apply(ctx: &Context<'_>, edit: Edit) -> Outcome {
        written(ctx, edit)
    }
}

/// Makes the folders first, if asked.
fn written(ctx: &Context<'_>, edit: Edit) -> Outcome {
    let name = ctx.name();
    match make_folders(&ctx.host.followed(parent(name)), Access::default()) {
        Ok(()) => edit.apply(ctx),
        Err(error) => Outcome::failed(format!("Failed to write {name}: {error}")),
    }
}

/// What both find before they add lines.
enum Found {
    /// The file's bytes; none if it is still to be made.
    File { data: Vec<u8>, new: bool },
    /// A dry run ends here.
    Ended(Outcome),
}

fn found(ctx: &Context<'_>) -> Result<Found, String> {
    let name = ctx.name();
    source::exclusive(ctx)?;
    if let Some(problem) = not_absolute(name) {
        return Err(problem);
    }
    if ctx.host.stat(name).is_some() {
        let data = std::fs::read(ctx.host.followed(name)).map_err(|error| error.to_string())?;
        return Ok(Found::File { data, new: false });
    }
    if ctx.test {
        let comment = format!("File {name} is set to be created");
        return Ok(Found::Ended(Outcome::foreseen(comment, change("new", name))));
    }
    let folder = ctx.host.stat(parent(name)).is_some_and(|meta| meta.is_dir());
    if !folder && !ctx.flag("makedirs", false) {
        return Err(format!("{name}: file not found"));
    }
    Ok(Found::File { data: Vec::new(), new: true })
}

/// The texts to add: given, or from sources.
fn texts(ctx: &Context<'_>) -> Result<Vec<String>, String> {
    if let Some(texts) = source::texts(ctx)? {
        return Ok(texts);
    }
    // Without any text Salt adds the word that Python has for none.
    Ok(ctx.value("text").map_or_else(|| vec!["None".to_owned()], list))
}

fn lines_of(text: &str) -> impl Iterator<Item = String> {
    python_lines(text).into_iter().map(|line| without_end(line).to_owned())
}

fn appended(ctx: &Context<'_>) -> Result<Plan<Edit>, String> {
    let (data, new) = match found(ctx)? {
        Found::File { data, new } => (data, new),
        Found::Ended(outcome) => return Ok(Plan::Done(outcome)),
    };
    let mut lines: Vec<String> = Vec::new();
    let texts = texts(ctx)?;
    text::utf8(&data)?;
    for text in texts {
        let there = if ctx.flag("ignore_whitespace", true) {
            search(&data, &words::pattern(&text)?)?
        } else {
            search(&data, &text)?
        };
        if !there {
            lines.extend(lines_of(&text));
        }
    }
    let name = ctx.name();
    if lines.is_empty() && !new {
        return Ok(Plan::fine(format!("File {name} is in correct state")));
    }
    let (old, utf8) = decoded(&data);
    let before: Vec<&str> = python_lines(&old).into_iter().map(without_end).collect();
    let after: Vec<&str> = before.iter().copied().chain(lines.iter().map(String::as_str)).collect();
    let open = !old.is_empty() && !old.ends_with('\n');
    let mut contents = format!("{old}{}", if open { "\n" } else { "" });
    lines.iter().for_each(|line| contents.push_str(&format!("{line}\n")));
    let comment = if lines.is_empty() {
        format!("File {name} is in correct state")
    } else {
        format!("Appended {} lines", lines.len())
    };
    Ok(planned(ctx, &data, contents, utf8, diff::joined(&before, &after), comment))
}

fn prepended(ctx: &Context<'_>) -> Result<Plan<Edit>, String> {
    let (data, new) = match found(ctx)? {
        Found::File { data, new } => (data, new),
        Found::Ended(outcome) => return Ok(Plan::Done(outcome)),
    };
    let header = ctx.flag("header", false);
    let mut lines: Vec<String> = Vec::new();
    let texts = texts(ctx)?;
    text::utf8(&data)?;
    for text in texts {
        if header || !search(&data, &words::pattern(&text)?)? {
            lines.extend(lines_of(&text));
        }
    }
    let (old, utf8) = decoded(&data);
    let before = python_lines(&old);
    let headed = before.iter().take(lines.len()).map(|line| without_end(line)).eq(lines.iter());
    let name = ctx.name();
    // A dry run of Salt's tells of a header that is there already as of a change.
    let stays = lines.is_empty() || header && headed && !ctx.test;
    if stays && !new {
        return Ok(Plan::fine(format!("File {name} is in correct state")));
    }
    let first: Vec<String> = lines.iter().map(|line| format!("{line}\n")).collect();
    let after: Vec<&str> = first.iter().map(String::as_str).chain(before.iter().copied()).collect();
    let comment = if lines.is_empty() {
        format!("File {name} is in correct state")
    } else {
        format!("Prepended {} lines", lines.len())
    };
    let diff = diff::unified(&before, &after);
    Ok(planned(ctx, &data, after.concat(), utf8, diff, comment))
}

fn planned(
    ctx: &Context<'_>,
    old: &[u8],
    new: String,
    utf8: bool,
    diff: String,
    comment: String,
) -> Plan<Edit> {
    let changes = if diff.is_empty() { Default::default() } else { text::shown(ctx, old, diff) };
    let foreseen = format!("File {} is set to be updated", ctx.name());
    Edit::plan(
        Outcome::foreseen(foreseen, changes.clone()),
        encoded(&new, utf8),
        None,
        Outcome::changed(comment, changes),
    )
}
