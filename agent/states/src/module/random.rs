//! random: values that are new with each render, and those that an id decides.

use minijinja::Error;
use minijinja::value::Value;

use super::{Call, Function, reads};
use crate::render::python::{items, list};

/// Characters that one random text may have.
const LEN_MAX: i64 = 65_536;

const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const DIGITS: &str = "0123456789";
const PUNCTUATION: &str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
const WHITESPACE: &str = " \t\n\r\x0b\x0c";

/// This module's functions.
pub(super) const ALL: &[Function] = &[
    reads(
        "random.get_str",
        "length= chars= lowercase= uppercase= digits= punctuation= whitespace= printable=",
        get_str,
    ),
    reads("random.rand_int", "start= end= seed=", |call| {
        no_seed(call)?;
        let (start, end) = (call.number("start")?.unwrap_or(1), call.number("end")?.unwrap_or(10));
        let span = end.checked_sub(start).and_then(|span| span.checked_add(1));
        let span = span.and_then(|span| u64::try_from(span).ok()).filter(|span| *span > 0);
        let span = span.ok_or_else(|| call.fail("empty range for randrange()"))?;
        let offset = i64::try_from(below(call, span)?).unwrap_or_default();
        Ok(Value::from(start + offset))
    }),
    reads("random.sample", "value size seed=", |call| {
        no_seed(call)?;
        let all = shuffled(call)?;
        let size = usize::try_from(call.number("size")?.unwrap_or_default()).unwrap_or_default();
        if size > all.len() {
            return Err(call.fail("Sample larger than population or is negative"));
        }
        Ok(list(all.into_iter().take(size).collect()))
    }),
    reads("random.shuffle", "value seed=", |call| {
        no_seed(call)?;
        shuffled(call).map(list)
    }),
    reads("random.hash", "value algorithm=", |call| {
        let form = call.text_or("algorithm", "sha512");
        let sum = crate::hash::digest(&form, call.text("value").as_bytes());
        sum.map(Value::from).ok_or_else(|| call.fail("You must specify a valid algorithm."))
    }),
    reads("random.str_encode", "value encoder=", |call| {
        if call.text_or("encoder", "base64") != "base64" {
            return Err(call.fail("random.str_encode: only base64 is supported"));
        }
        use base64::Engine;
        let engine = base64::engine::general_purpose::STANDARD;
        Ok(Value::from(engine.encode(call.text("value"))))
    }),
];

/// Python's generator is not here: what a seed gives in Salt, this engine cannot give.
fn no_seed(call: &Call<'_>) -> Result<(), Error> {
    if call.set("seed").is_some() {
        let words = "with 'seed' is not supported: put the value into the worker's pillar";
        return Err(call.fail(format!("{} {words}", call.name())));
    }
    Ok(())
}

/// Random bytes of the kernel.
fn bytes(call: &Call<'_>, count: usize) -> Result<Vec<u8>, Error> {
    use std::io::Read;
    let mut out = vec![0; count];
    let read = std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut out));
    read.map_err(|error| call.fail(format!("no random numbers: {error}")))?;
    Ok(out)
}

/// A number below a limit, each equally likely.
fn below(call: &Call<'_>, limit: u64) -> Result<u64, Error> {
    let fair = u64::MAX - u64::MAX % limit;
    loop {
        let mut word = [0; 8];
        word.copy_from_slice(&bytes(call, 8)?);
        let number = u64::from_le_bytes(word);
        if number < fair {
            return Ok(number % limit);
        }
    }
}

fn shuffled(call: &Call<'_>) -> Result<Vec<Value>, Error> {
    let value = call.must("value");
    let mut all = match value.as_str() {
        Some(text) => text.chars().map(|c| Value::from(c.to_string())).collect(),
        None => items(&value),
    };
    for at in (1..all.len()).rev() {
        let other = usize::try_from(below(call, at as u64 + 1)?).unwrap_or_default();
        all.swap(at, other);
    }
    Ok(all)
}

fn get_str(call: &Call<'_>) -> Result<Value, Error> {
    let length = call.number("length")?.unwrap_or(20);
    if !(0..=LEN_MAX).contains(&length) {
        return Err(call.fail(format!("random.get_str: a length from 0 to {LEN_MAX} is wanted")));
    }
    let mut chars = call.text_of("chars").unwrap_or_default();
    if chars.is_empty() {
        let printable = call.flag("printable", false);
        let kinds = [
            (call.flag("lowercase", true) || printable, LOWER),
            (call.flag("uppercase", true) || printable, UPPER),
            (call.flag("digits", true) || printable, DIGITS),
            (call.flag("punctuation", true) || printable, PUNCTUATION),
            (call.flag("whitespace", false) || printable, WHITESPACE),
        ];
        chars = kinds.iter().filter(|(wanted, _)| *wanted).map(|(_, chars)| *chars).collect();
    }
    let chars: Vec<char> = chars.chars().collect();
    if chars.is_empty() {
        return Err(call.fail("random.get_str: no characters are left to choose from"));
    }
    let mut out = String::new();
    for _ in 0..length {
        out.push(chars[usize::try_from(below(call, chars.len() as u64)?).unwrap_or_default()]);
    }
    Ok(Value::from(out))
}
