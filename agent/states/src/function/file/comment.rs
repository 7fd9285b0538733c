//! `file.comment` and `file.uncomment`: lines that a pattern matches get or lose a sign.

use super::diff;
use super::text::{self, Edit, decoded, encoded, python_lines, search};
use crate::function::{Context, Plan, StateFunction};
use crate::outcome::{Outcome, change};
use crate::regex::{Flags, Regex};

pub(in crate::function) struct Comment;
pub(in crate::function) struct Uncomment;

impl StateFunction for Comment {
    const MODULE: &'static str = "file";
    const NAME: &'static str = "comment";
    const TAKES: &'static [&'static str] = &["regex", "char", "backup", "ignore_missing"];
    const NEEDS: &'static [&'static str] = &["regex"];
    type Step = Edit;

    fn check(ctx: &Context<'_>) -> Plan<Edit> {
        commented(ctx).unwrap_or_else(Plan::failed)
    }

    fn apply(ctx: &Context<'_>, edit: Edit) -> Outcome {
        edit.apply(ctx)
    }
}

impl StateFunction for Uncomment {
    const MODULE: &'static str = "file";
    const NAME: &'static str = "uncomment";
    const TAKES: &'static [&'static str] = &["regex", "char", "backup"];
    const NEEDS: &'static [&'static str] = &["regex"];
    type Step = Edit;

    fn check(ctx: &Context<'_>) -> Plan<Edit> {
        uncommented(ctx).unwrap_or_else(Plan::failed)
    }

    fn apply(ctx: &Context<'_>, edit: Edit) -> Outcome {
        edit.apply(ctx)
    }
}

fn commented(ctx: &Context<'_>) -> Result<Plan<Edit>, String> {
    text::present(ctx)?;
    let (pattern, sign) = arguments(ctx);
    let data = text::read(ctx)?;
    let bare = unanchored(&pattern);
    let told = format!("{sign}{bare}");
    if !search(&data, &format!(r"^(?!\s*{sign})\s*{bare}"))? {
        return Ok(if search(&data, &told)? {
            Plan::fine("Pattern already commented")
        } else if ctx.flag("ignore_missing", false) {
            Plan::fine("Pattern not found and ignore_missing set to True")
        } else {
            Plan::failed(format!("{bare}: Pattern not found"))
        });
    }
    only_utf8(ctx, &data)?;
    let start = if pattern.starts_with('^') { "^" } else { "" };
    let matching = format!("{start}({}){}", inner(&pattern), end(&pattern));
    let new = rewritten(&data, &matching, |line| format!("{sign}{line}"))?;
    let result = search(&new, &told)?;
    let comment = match result {
        true => "Commented lines successfully",
        false => "Expected commented lines not found",
    };
    Ok(planned(ctx, &data, new, result, comment))
}

fn uncommented(ctx: &Context<'_>) -> Result<Plan<Edit>, String> {
    text::present(ctx)?;
    let (pattern, sign) = arguments(ctx);
    let data = text::read(ctx)?;
    let bare = pattern.trim_start_matches('^');
    let plain = format!("^[ \t]*{bare}");
    if !search(&data, &format!("{sign}[ \t]*{bare}"))? {
        return Ok(if search(&data, &plain)? {
            Plan::fine("Pattern already uncommented")
        } else {
            Plan::failed(format!("{pattern}: Pattern not found"))
        });
    }
    only_utf8(ctx, &data)?;
    let matching = format!(r"^{sign}\s*({}){}", inner(&pattern), end(&pattern));
    let signs: Vec<char> = sign.chars().collect();
    let new =
        rewritten(&data, &matching, |line| line.trim_start_matches(signs.as_slice()).to_owned())?;
    let result = search(&new, &plain)?;
    let comment = match result {
        true => "Uncommented lines successfully",
        false => "Expected uncommented lines not found",
    };
    Ok(planned(ctx, &data, new, result, comment))
}

/// Salt writes no other text; a dry run of its does not come to that.
fn only_utf8(ctx: &Context<'_>, data: &[u8]) -> Result<(), String> {
    if ctx.test { Ok(()) } else { text::utf8(data).map(|_| ()) }
}

/// The pattern, and the sign that makes a line a comment.
fn arguments(ctx: &Context<'_>) -> (String, String) {
    let sign = ctx.text("char").unwrap_or_else(|| "#".to_owned());
    (ctx.text("regex").unwrap_or_default(), sign)
}

/// Without flags and anchors: `^x$` is `x`.
fn unanchored(pattern: &str) -> &str {
    let flags = pattern.strip_prefix("(?").and_then(|rest| rest.split_once(')'));
    let rest = match flags {
        Some((flag, rest)) if flag.len() == 1 && "iLmsux".contains(flag) => rest,
        _ => pattern,
    };
    let rest = rest.strip_prefix('^').unwrap_or(rest);
    rest.strip_suffix('$').unwrap_or(rest)
}

fn inner(pattern: &str) -> &str {
    pattern.trim_start_matches('^').trim_end_matches('$')
}

fn end(pattern: &str) -> &'static str {
    if pattern.ends_with('$') { "$" } else { "" }
}

/// Salt's `file.comment_line`: the text with the lines that a pattern matches made comments, or
/// none any more, and how these lines differ. Nothing if it matches none.
pub(crate) fn edited_lines(
    data: &[u8],
    pattern: &str,
    sign: &str,
    on: bool,
) -> Result<Option<(Vec<u8>, String)>, String> {
    if !diff::is_text(data) {
        return Err("Cannot perform string replacements on a binary file".to_owned());
    }
    let (inner, end) = (inner(pattern), end(pattern));
    let matching = if on {
        let start = if pattern.starts_with('^') { "^" } else { "" };
        format!("{start}({inner}){end}")
    } else {
        format!(r"^{sign}\s*({inner}){end}")
    };
    let signs: Vec<char> = sign.chars().collect();
    let edited = |line: &str| match on {
        true => format!("{sign}{line}"),
        false => line.trim_start_matches(signs.as_slice()).to_owned(),
    };
    let (mut old, mut new) = (String::new(), String::new());
    let regex = Regex::new(&matching, Flags::default()).map_err(|error| error.to_string())?;
    for line in text::utf8(data)?.split_inclusive('\n').filter(|line| regex.matches_start(line)) {
        old.push_str(line);
        new.push_str(&edited(line));
    }
    if old.is_empty() {
        return Ok(None);
    }
    let diff = diff::unified(&python_lines(&old), &python_lines(&new));
    Ok(Some((rewritten(data, &matching, edited)?, diff)))
}

/// Every line that starts as the pattern says, changed.
fn rewritten(data: &[u8], pattern: &str, by: impl Fn(&str) -> String) -> Result<Vec<u8>, String> {
    let regex = Regex::new(pattern, Flags::default()).map_err(|error| error.to_string())?;
    let (old, utf8) = decoded(data);
    let lines = old.split_inclusive('\n');
    let new: String = lines
        .map(|line| if regex.matches_start(line) { by(line) } else { line.to_owned() })
        .collect();
    Ok(encoded(&new, utf8))
}

fn planned(ctx: &Context<'_>, old: &[u8], new: Vec<u8>, result: bool, comment: &str) -> Plan<Edit> {
    let name = ctx.name();
    let foreseen =
        Outcome::foreseen(format!("File {name} is set to be updated"), change(name, "updated"));
    let ((old, _), (told, _)) = (decoded(old), decoded(&new));
    let diff = diff::unified(&python_lines(&old), &python_lines(&told));
    let changes = if diff.is_empty() { Default::default() } else { change("diff", diff) };
    let done = Outcome { result: Some(result), ..Outcome::changed(comment, changes) };
    Edit::plan(foreseen, new, text::backup(ctx, ".bak").filter(|_| old != told), done)
}
