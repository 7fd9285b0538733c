//! `file.blockreplace`: what stands between two markers.

use serde_json::Value;

use super::accumulated;
use super::diff;
use super::source;
use super::text::{self, Edit, Link, decoded, encoded, universal_lines};
use crate::chunk::Chunk;
use crate::function::{Context, Lint, Plan, StateFunction};
use crate::outcome::{Outcome, change};
use crate::regex::python_regex;

pub(in crate::function) struct BlockReplace;

impl StateFunction for BlockReplace {
    const MODULE: &'static str = "file";
    const NAME: &'static str = "blockreplace";
    const TAKES: &'static [&'static str] = &[
        "marker_start",
        "marker_end",
        "content",
        "source",
        "sources",
        "source_hash",
        "source_hashes",
        "template",
        "context",
        "defaults",
        "append_if_not_found",
        "prepend_if_not_found",
        "insert_before_match",
        "insert_after_match",
        "backup",
        "append_newline",
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
        if let Err(problem) = source::exclusive(ctx).and_then(|()| text::present(ctx)) {
            return Plan::failed(problem);
        }
        let content = match content(ctx) {
            Ok(content) => content,
            Err(problem) => return Plan::Done(source::texts_failed(problem)),
        };
        match blocked(ctx, &content) {
            Ok((old, new)) => planned(ctx, &old, new),
            Err(problem) => Plan::failed(format!(
                "Encountered error managing block: {problem}. See the log for details."
            )),
        }
    }

    fn apply(ctx: &Context<'_>, edit: Edit) -> Outcome {
        edit.apply(ctx)
    }
}

fn planned(ctx: &Context<'_>, old: &[u8], new: Vec<u8>) -> Plan<Edit> {
    let ((before, _), (after, _)) = (decoded(old), decoded(&new));
    let diff = diff::unified(&universal_lines(&before), &universal_lines(&after));
    if diff.is_empty() {
        return Plan::fine("No changes needed to be made");
    }
    let show = ctx.flag("show_changes", true);
    let shown = if show { Value::from(diff) } else { true.into() };
    let changes = change("diff", shown);
    let foreseen = Outcome::foreseen("Changes would be made", changes.clone());
    let done = Outcome::changed("Changes were made", changes);
    let plan = Edit::plan(foreseen, new, text::backup(ctx, ".bak"), done);
    Edit::with_link(plan, Link::Replaced)
}

/// What belongs between the markers: `content`, what was accumulated for it, sources.
fn content(ctx: &Context<'_>) -> Result<String, String> {
    let mut content = ctx.text("content").unwrap_or_default();
    for line in accumulated::lines_for(ctx) {
        if !content.is_empty() {
            content.push('\n');
        }
        content.push_str(&line);
    }
    for text in source::texts(ctx)?.unwrap_or_default() {
        content.push_str(&text);
    }
    Ok(content)
}

/// Where a block goes that is not there yet.
struct Place {
    append: bool,
    prepend: bool,
    before: Option<String>,
    after: Option<String>,
}

fn place(ctx: &Context<'_>) -> Result<Place, String> {
    let place = Place {
        append: ctx.flag("append_if_not_found", false),
        prepend: ctx.flag("prepend_if_not_found", false),
        before: ctx.text("insert_before_match").filter(|pattern| !pattern.is_empty()),
        after: ctx.text("insert_after_match").filter(|pattern| !pattern.is_empty()),
    };
    let set = [place.append, place.prepend, place.before.is_some(), place.after.is_some()];
    if set.iter().filter(|set| **set).count() > 1 {
        return Err("Only one of append_if_not_found, prepend_if_not_found, \
                    insert_before_match, and insert_after_match is permitted"
            .to_owned());
    }
    Ok(place)
}

/// The file as it is and as it should be.
fn blocked(ctx: &Context<'_>, content: &str) -> Result<(Vec<u8>, Vec<u8>), String> {
    let place = place(ctx)?;
    let name = ctx.name();
    let folder = ctx.host.stat(name).is_some_and(|meta| meta.is_dir());
    let data = if folder { Vec::new() } else { text::read(ctx)? };
    if let Some(kind) = no_text(ctx) {
        let newline = ctx.value("append_newline").is_some();
        let what = if newline { "split" } else { "endswith" };
        return Err(format!("'{kind}' object has no attribute '{what}'"));
    }
    if folder {
        return Err(format!("Failed to read from {name}: [Errno 21] Is a directory: '{name}'"));
    }
    text::utf8(&data)?;
    let (old, utf8) = decoded(&data);
    let lines = universal_lines(&old);
    let ends = match lines.first() {
        Some(line) if line.ends_with("\r\n") => "\r\n",
        _ => "\n",
    };
    let marker = |key: &str, default: &str| ctx.text(key).unwrap_or_else(|| default.to_owned());
    let block = Block {
        start: marker("marker_start", "#-- start managed zone --"),
        end: marker("marker_end", "#-- end managed zone --"),
        content,
        newline: match ctx.value("append_newline") {
            Some(_) => ctx.flag("append_newline", false),
            None => !content.ends_with('\n'),
        },
        ends,
    };
    let (mut new, found) = block.within(&lines)?;
    if !found {
        block.insert(&mut new, &lines, &place)?;
    }
    Ok((data, encoded(&new.concat(), utf8)))
}

/// Python's name for a content that is no text.
fn no_text(ctx: &Context<'_>) -> Option<&'static str> {
    Some(match ctx.chunk.args.get("content")? {
        Value::String(_) => return None,
        Value::Null => "NoneType",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::Array(_) => "list",
        Value::Object(_) => "collections.OrderedDict",
    })
}

struct Block<'c> {
    start: String,
    end: String,
    content: &'c str,
    /// The end marker stands on a line of its own.
    newline: bool,
    ends: &'static str,
}

impl Block<'_> {
    /// The content's lines, and the line that ends it.
    fn body(&self, end: &str) -> Vec<String> {
        let end = format!("{}{}", end.trim_end_matches(['\r', '\n']), self.ends);
        let mut lines: Vec<String> = self
            .content
            .split('\n')
            .map(|line| format!("{}{}", line.strip_suffix('\r').unwrap_or(line), self.ends))
            .collect();
        if self.newline {
            lines.push(end);
        } else if let Some(last) = lines.last_mut() {
            last.truncate(last.len() - self.ends.len());
            last.push_str(&end);
        }
        lines
    }

    fn whole(&self) -> Vec<String> {
        let mut lines = vec![format!("{}{}", self.start, self.ends)];
        lines.extend(self.body(&self.end));
        lines
    }

    /// The lines with what stands between the markers replaced, and whether they were found.
    fn within(&self, lines: &[&str]) -> Result<(Vec<String>, bool), String> {
        let (mut new, mut inside, mut found) = (Vec::new(), false, false);
        for line in lines {
            if line.contains(&self.start) {
                inside = true;
            } else if inside {
                if let Some(at) = line.find(&self.end) {
                    (inside, found) = (false, true);
                    new.extend(self.body(&line[at..]));
                }
                continue;
            }
            new.push((*line).to_owned());
        }
        if inside {
            return Err(
                "Unterminated marked block. End of file reached before marker_end.".to_owned()
            );
        }
        Ok((new, found))
    }

    fn insert(&self, new: &mut Vec<String>, old: &[&str], place: &Place) -> Result<(), String> {
        const MISSING: &str = "Cannot edit marked block. Markers were not found in file.";
        if place.prepend {
            new.splice(0..0, self.whole());
            return Ok(());
        }
        if place.append {
            if let Some(last) = new.last_mut().filter(|last| !last.ends_with(self.ends)) {
                last.push_str(self.ends);
            }
            new.extend(self.whole());
            return Ok(());
        }
        let pattern = place.before.as_ref().or(place.after.as_ref()).ok_or(MISSING)?;
        let regex =
            python_regex(pattern, false, false, false).map_err(|error| error.to_string())?;
        let at = old.iter().position(|line| regex.is_match(line)).ok_or(MISSING)?;
        let at = if place.after.is_some() { at + 1 } else { at };
        new.splice(at..at, self.whole());
        Ok(())
    }
}
