//! Slots: an argument that a function gives when its state is called.
//!
//! `__slot__:salt:module.function(a, key=b).path.into.it ~ /appended`: Salt's syntax, its tokens
//! those of Python's `shlex`. A slot that is malformed stays the text that it is.

use std::borrow::Cow;

use serde_json::Value;

use crate::chunk::Chunk;
use crate::data::{key, traverse};
use crate::function::Context;
use crate::host::looking;
use crate::module;
use crate::render::python::to_json;
use crate::requisite;

const SLOT: &str = "__slot__:";

/// The state with its slots filled, or why one cannot be.
pub(super) fn filled<'a>(ctx: &Context<'a>) -> Result<Cow<'a, Chunk>, String> {
    let low = ctx.chunk;
    let own = |name: &str| !requisite::is_keyword(name) && !requisite::RUNTIME.contains(&name);
    if !low.name.starts_with(SLOT) && !low.args.iter().any(|(name, arg)| holds(arg) && own(name)) {
        return Ok(Cow::Borrowed(low));
    }
    // A slot calls its function when its state is called, and then alone.
    if looking::refuses() {
        return Err(String::new());
    }
    let mut low = low.clone();
    if low.name.starts_with(SLOT) {
        low.name = crate::function::args::text(&value(ctx, &low.name)?);
    }
    for (name, arg) in low.args.iter_mut().filter(|(name, _)| own(name)) {
        fill(ctx, arg)?;
        key::of_argument(name, arg);
    }
    Ok(Cow::Owned(low))
}

/// Whether there is a slot where Salt looks for one: a text, in a list or a map, or in a map in a
/// list.
fn holds(arg: &Value) -> bool {
    let is = |value: &Value| value.as_str().is_some_and(|text| text.starts_with(SLOT));
    let in_map = |value: &Value| value.as_object().is_some_and(|map| map.values().any(is));
    is(arg)
        || in_map(arg)
        || arg.as_array().is_some_and(|items| items.iter().any(|item| is(item) || in_map(item)))
}

fn fill(ctx: &Context<'_>, arg: &mut Value) -> Result<(), String> {
    match arg {
        Value::Array(items) => items.iter_mut().try_for_each(|item| match item {
            Value::Array(_) => Ok(()),
            _ => fill(ctx, item),
        }),
        Value::Object(map) => map.values_mut().try_for_each(|value| one(ctx, value)),
        _ => one(ctx, arg),
    }
}

fn one(ctx: &Context<'_>, arg: &mut Value) -> Result<(), String> {
    if let Some(text) = arg.as_str().filter(|text| text.starts_with(SLOT)) {
        *arg = value(ctx, text)?;
    }
    Ok(())
}

/// What a slot comes to.
fn value(ctx: &Context<'_>, slot: &str) -> Result<Value, String> {
    let Some(call) = slot.strip_prefix(SLOT).and_then(|rest| rest.strip_prefix("salt:")) else {
        warn(ctx, slot, "it does not start with '__slot__:salt:'");
        return Ok(slot.into());
    };
    let parsed = parsed(call)?;
    let found = parsed.and_then(|parsed| Some((module::find(&parsed.name)?, parsed)));
    let Some((function, Parsed { args, kwargs, .. })) = found else {
        warn(ctx, slot, "it is malformed, or its function is not there");
        return Ok(slot.into());
    };
    let args = args.into_iter().map(Into::into).collect();
    let kwargs = kwargs.into_iter().map(|(key, value)| (key, value.into())).collect();
    let returned = function.call(ctx.renderer().site(), args, kwargs);
    let returned = returned.map_err(|error| error.detail().unwrap_or_default().to_owned())?;
    let mut value = to_json(&returned.value);
    let (text, append) =
        call.split_once('~').map_or((call, None), |(text, more)| (text, Some(more)));
    let path = text.rfind(')').map_or("", |end| &text[end + 1..]);
    if let Some((_, path)) = path.split_once('.') {
        value = traverse(&value, path.trim(), ".").cloned().unwrap_or_default();
    }
    match (&mut value, append) {
        (Value::String(value), Some(append)) if key::is_text(value) => {
            value.push_str(unquoted(append.trim()))
        }
        (_, Some(_)) => warn(ctx, slot, "nothing is appended to what is no text"),
        (_, None) => {}
    }
    Ok(value)
}

fn warn(ctx: &Context<'_>, slot: &str, problem: &str) {
    let masked = |text: &str| ctx.view().secrets.masked(text).unwrap_or_else(|| text.to_owned());
    let (state, slot) = (masked(&ctx.chunk.tag()), masked(slot));
    tracing::warn!(state, slot, problem, "a slot of a state");
}

fn unquoted(text: &str) -> &str {
    let within = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
    within('"').or_else(|| within('\'')).unwrap_or(text)
}

/// A call as it is written.
#[derive(Debug, PartialEq, Eq)]
struct Parsed {
    name: String,
    args: Vec<String>,
    kwargs: Vec<(String, String)>,
}

/// Reads `module.function(a, key=b)`; `None` if it is none.
fn parsed(call: &str) -> Result<Option<Parsed>, String> {
    let mut tokens = tokens(call)?.into_iter();
    let mut parsed = Parsed { name: String::new(), args: Vec::new(), kwargs: Vec::new() };
    loop {
        match tokens.next() {
            Some(token) if token == "(" => break,
            Some(token) => parsed.name.push_str(&token),
            None => return Ok(None),
        }
    }
    let (mut word, mut key, mut open) = (String::new(), None, Vec::new());
    for token in tokens {
        match token.as_str() {
            "," | ")" if open.is_empty() => {
                match key.take() {
                    Some(key) => parsed.kwargs.push((key, std::mem::take(&mut word))),
                    None if !word.is_empty() => parsed.args.push(std::mem::take(&mut word)),
                    None => {}
                }
                if token == ")" {
                    return Ok(Some(parsed).filter(|parsed| !parsed.name.is_empty()));
                }
            }
            "=" if open.is_empty() => key = Some(std::mem::take(&mut word)),
            "[" | "{" | "(" => {
                word.push_str(&token);
                open.push(token);
            }
            "]" | "}" | ")" => {
                let pair = open.pop().unwrap_or_default() + &token;
                if !["[]", "{}", "()"].contains(&pair.as_str()) {
                    return Ok(None);
                }
                word.push_str(&token);
            }
            _ => word.push_str(&token),
        }
    }
    Ok(None)
}

/// The tokens of Python's `shlex` in POSIX mode, with escapes in both kinds of quotes.
fn tokens(text: &str) -> Result<Vec<String>, String> {
    let mut chars = text.chars().peekable();
    let mut out = Vec::new();
    // Quotes make a token, even of nothing.
    let mut word: Option<String> = None;
    while let Some(c) = chars.next() {
        match c {
            '\'' | '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next().ok_or("No closing quotation")? {
                        end if end == c => break,
                        '\\' => match chars.next().ok_or("No escaped character")? {
                            escaped if escaped == c || escaped == '\\' => word.push(escaped),
                            other => word.extend(['\\', other]),
                        },
                        other => word.push(other),
                    }
                }
            }
            '\\' => {
                let escaped = chars.next().ok_or("No escaped character")?;
                word.get_or_insert_default().push(escaped);
            }
            '#' => {
                out.extend(word.take());
                while chars.next_if(|c| *c != '\n').is_some() {}
            }
            c if is_word(c) => word.get_or_insert_default().push(c),
            c => {
                out.extend(word.take());
                if ![' ', '\t', '\r', '\n'].contains(&c) {
                    out.push(c.to_string());
                }
            }
        }
    }
    out.extend(word);
    Ok(out)
}

/// What `shlex` takes for a part of a word.
fn is_word(c: char) -> bool {
    c == '_' || c.is_ascii_alphanumeric() || matches!(c, 'À'..='Ö' | 'Ø'..='ö' | 'ø'..='ÿ')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(call: &str, name: &str, args: &[&str], kwargs: &[(&str, &str)]) {
        let parsed = parsed(call).unwrap().unwrap();
        assert_eq!(parsed.name, name, "{call}");
        assert_eq!(parsed.args, args, "{call}");
        let own = |(key, value): &(String, String)| (key.clone(), value.clone());
        let expected: Vec<_> =
            kwargs.iter().map(|(key, value)| own(&((*key).into(), (*value).into()))).collect();
        assert_eq!(parsed.kwargs, expected, "{call}");
    }

    #[test]
    fn a_call_is_read_as_salt_reads_it() {
        check("test.ping()", "test.ping", &[], &[]);
        check("a.b(x, 'y z', k = v)", "a.b", &["x", "y z"], &[("k", "v")]);
        check(r#"a.b("it's", 'a\'b', "c\d")"#, "a.b", &["it's", "a'b", "c\\d"], &[]);
        check("a.b([1, 2], k={a: b}).c ~ /x", "a.b", &["[1,2]"], &[("k", "{a:b}")]);
        check("a.b(/etc/x y)", "a.b", &["/etc/xy"], &[]);
    }

    #[test]
    fn what_is_no_call_is_none() {
        for text in ["a.b", "", "a.b(x", "a.b([x)", "(x)"] {
            assert_eq!(parsed(text).unwrap(), None, "{text}");
        }
        assert_eq!(parsed("a.b('x").unwrap_err(), "No closing quotation");
        assert_eq!(parsed("a.b(\\").unwrap_err(), "No escaped character");
    }
}
