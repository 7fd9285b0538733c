//! `file.replace`: what a pattern matches is replaced.

use serde_json::Value;

use super::text::{self, Edit, Link, universal_lines};
use super::{diff, flags};
use crate::chunk::Chunk;
use crate::function::args::{python_type, truth};
use crate::function::{Context, Lint, Plan, StateFunction};
use crate::outcome::{Outcome, change};
use crate::regex::{self, Flags, Regex, byte_text, check_replacement, expand, text_bytes};

pub(in crate::function) struct Replace;

/// The texts as characters: bytes, or what `encoding` makes of them.
struct Texts {
    old: String,
    pattern: String,
    by: String,
    /// What is added if nothing matched.
    instead: Option<String>,
}

impl StateFunction for Replace {
    const MODULE: &'static str = "file";
    const NAME: &'static str = "replace";
    const TAKES: &'static [&'static str] = &[
        "pattern",
        "repl",
        "count",
        "flags",
        "append_if_not_found",
        "prepend_if_not_found",
        "not_found_content",
        "backup",
        "show_changes",
        "ignore_if_missing",
        "backslash_literal",
        "encoding",
    ];
    const NEEDS: &'static [&'static str] = &["pattern", "repl"];
    // The whole file is read, whatever the size of a buffer.
    const TOLERATES: &'static [&'static str] = &["bufsize"];
    type Step = Edit;

    fn doubt(chunk: &Chunk) -> Vec<Lint> {
        let flags = flags::of(chunk.args.get("flags"), MULTI_LINE);
        flags.err().map(|problem| ("flags", problem)).into_iter().collect()
    }

    fn lint(chunk: &Chunk) -> Vec<Lint> {
        let mut out = Vec::new();
        if let Some(encoding) = chunk.args.get("encoding").and_then(Value::as_str)
            && !is_utf8(encoding)
        {
            let told = format!("the encoding '{encoding}' is not supported here: use utf-8");
            out.push(("encoding", told));
        }
        out
    }

    fn check(ctx: &Context<'_>) -> Plan<Edit> {
        if let Err(problem) = text::present(ctx) {
            return if ctx.flag("ignore_if_missing", false) && problem.ends_with("file not found") {
                Plan::fine(UNCHANGED)
            } else {
                Plan::failed(problem)
            };
        }
        match changed(ctx) {
            Err(problem) => Plan::failed(problem),
            Ok((diff, new)) => {
                if diff.is_empty() {
                    return Plan::fine(UNCHANGED);
                }
                let show = ctx.flag("show_changes", true);
                let changes = change("diff", if show { Value::from(diff) } else { true.into() });
                let foreseen = Outcome::foreseen("Changes would have been made", changes.clone());
                let done = Outcome::changed("Changes were made", changes);
                let plan = Edit::plan(foreseen, new, text::backup(ctx, ".bak"), done);
                Edit::with_link(plan, Link::Paired)
            }
        }
    }

    fn apply(ctx: &Context<'_>, edit: Edit) -> Outcome {
        edit.apply(ctx)
    }
}

const UNCHANGED: &str = "No changes needed to be made";
const MULTI_LINE: u64 = 8;

fn is_utf8(encoding: &str) -> bool {
    ["utf-8", "utf8", "utf_8", "ascii"].contains(&encoding.to_lowercase().as_str())
}

/// How the file differs from what it should be, and what that is.
fn changed(ctx: &Context<'_>) -> Result<(String, Vec<u8>), String> {
    let (append, prepend) =
        (ctx.flag("append_if_not_found", false), ctx.flag("prepend_if_not_found", false));
    if append && prepend {
        return Err("Only one of append and prepend_if_not_found is permitted".to_owned());
    }
    let in_bytes = ctx.value("encoding").is_none();
    let data = if in_bytes {
        text::read(ctx)?
    } else {
        std::fs::read(ctx.host.followed(ctx.name())).map_err(|error| error.to_string())?
    };
    let texts = texts(ctx, &data, in_bytes)?;
    let flags = Flags { ascii: in_bytes, ..flags::of(ctx.value("flags"), MULTI_LINE)? };
    let (new, found) = replaced(ctx, &texts, flags)?;
    // Salt maps the file into memory to write it, which an empty one cannot be.
    if !ctx.test && data.is_empty() && !new.is_empty() {
        return Err("ValueError: cannot mmap an empty file".to_owned());
    }
    let line = added(&texts, flags, !found && (append || prepend))?;
    let shown = |text: &str| {
        if in_bytes { text::decoded(&text_bytes(text)).0 } else { text.to_owned() }
    };
    let (old, new, line) = (shown(&texts.old), shown(&new), line.map(|line| shown(&line)));
    let mut lines: Vec<String> = universal_lines(&new).into_iter().map(str::to_owned).collect();
    // What is added counts as one line, however many it has.
    match line {
        Some(line) if prepend => lines.insert(0, line),
        Some(line) => {
            if let Some(last) = lines.last_mut().filter(|last| !last.ends_with('\n')) {
                last.push('\n');
            }
            lines.push(line);
        }
        None => {}
    }
    let told: Vec<&str> = lines.iter().map(String::as_str).collect();
    let diff = diff::unified(&universal_lines(&old), &told);
    let utf8 = !in_bytes || std::str::from_utf8(&data).is_ok();
    Ok((diff, text::encoded(&lines.concat(), utf8)))
}

/// The line to add, if one is wanted and not there yet.
fn added(texts: &Texts, flags: Flags, wanted: bool) -> Result<Option<String>, String> {
    let content = match &texts.instead {
        Some(instead) if !instead.is_empty() => instead,
        _ => &texts.by,
    };
    if !wanted {
        return Ok(None);
    }
    let there = format!("^{}($|(?=\r\n))", regex::escape(content));
    let there = Regex::new(&there, flags).and_then(|regex| regex.search(&texts.old));
    let there = there.map_err(|error| error.to_string())?;
    if there {
        return Ok(None);
    }
    match &texts.instead {
        Some(empty) if empty.is_empty() => {
            Err("TypeError: can only concatenate str (not \"bytes\") to str".to_owned())
        }
        Some(instead) => Ok(Some(format!("{instead}\n"))),
        None => Ok(Some(format!("{}\n", texts.by))),
    }
}

fn texts(ctx: &Context<'_>, old: &[u8], in_bytes: bool) -> Result<Texts, String> {
    let name = ctx.name();
    let as_text = |data: &[u8]| {
        if in_bytes {
            return Ok(byte_text(data));
        }
        let text = std::str::from_utf8(data).map(str::to_owned);
        text.map_err(|error| format!("{name} is not in the encoding asked for: {error}"))
    };
    if let Some(other) = ctx.value("pattern").map(python_type).filter(|kind| *kind != "str") {
        return Err(format!("TypeError: expected str, bytes, or bytearray not <class '{other}'>"));
    }
    let argument =
        |key: &str| as_text(ctx.text(key).unwrap_or_else(|| "None".to_owned()).as_bytes());
    let by = argument("repl")?;
    let instead = ctx.value("not_found_content").map(|_| argument("not_found_content"));
    Ok(Texts {
        old: as_text(old)?,
        pattern: argument("pattern")?,
        by,
        instead: instead.transpose()?,
    })
}

fn replaced(ctx: &Context<'_>, texts: &Texts, flags: Flags) -> Result<(String, bool), String> {
    let count = ctx.value("count").and_then(Value::as_i64).unwrap_or(0);
    let regex = Regex::new(&texts.pattern, flags).map_err(|error| error.to_string())?;
    let literal = ctx.chunk.args.get("backslash_literal").is_some_and(truth);
    if !literal {
        check_replacement(&texts.by, &regex)?;
    }
    let by = |captures: &regex::Captures<'_>| {
        if literal { texts.by.clone() } else { expand(&texts.by, captures) }
    };
    // Python takes fewer than none for none at all.
    let Ok(count) = usize::try_from(count) else { return Ok((texts.old.clone(), false)) };
    let (new, times) = regex.replaced(&texts.old, count, by).map_err(|error| error.to_string())?;
    Ok((new, times > 0))
}
