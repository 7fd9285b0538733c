//! random: values that are new with each render, and those that an id decides.

pub(crate) mod twister;

use minijinja::Error;
use minijinja::value::{Value, ValueKind};

use super::{Call, Function, reads};
use crate::render::python::{fault, list};
use crate::render::{Number, iterate, number};
use twister::Twister;

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
        let (start, end) = (call.number("start")?.unwrap_or(1), call.number("end")?.unwrap_or(10));
        let span = end.checked_sub(start).and_then(|span| span.checked_add(1));
        let span = span.and_then(|span| u64::try_from(span).ok()).filter(|span| *span > 0);
        let span = span.ok_or_else(|| call.fail("empty range for randrange()"))?;
        let offset = match call.set("seed") {
            Some(seed) => seeded(&seed)?.below(span),
            None => below(span)?,
        };
        Ok(Value::from(start.saturating_add_unsigned(offset)))
    }),
    reads("random.seed", "range= hash=", |call| {
        let id = || call.scope.grains.get_item(&Value::from("id")).unwrap_or_default();
        let mut numbers = seeded(&call.set("hash").unwrap_or_else(id))?;
        let limit = u64::try_from(call.number("range")?.unwrap_or(10)).unwrap_or_default();
        if limit == 0 {
            return Err(call.raise("empty range for randrange()"));
        }
        Ok(Value::from(numbers.below(limit)))
    }),
    reads("random.sample", "value size seed=", |call| {
        let size = call.number("size")?.unwrap_or_default();
        sample(&call.must("value"), Some(size), call.set("seed").as_ref())
    }),
    reads("random.shuffle", "value seed=", |call| {
        sample(&call.must("value"), None, call.set("seed").as_ref())
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

/// What a seed decides, as after Python's `random.seed(value)`.
fn seeded(seed: &Value) -> Result<Twister, Error> {
    match (number(seed), seed.as_str()) {
        (Some(Number::Int(found)), _) => Ok(Twister::of_number(found)),
        (Some(Number::Float(found)), _) if !found.is_nan() => Ok(Twister::of_float(found)),
        (Some(Number::Float(_)), _) => Err(fault("a seed that is not a number is not supported")),
        (None, Some(text)) => Ok(Twister::of_text(text)),
        _ => Err(fault(
            "The only supported seed types are: None,\nint, float, str, bytes, and bytearray.",
        )),
    }
}

/// Some of the items in a new order, or all of them; the same with the same seed. Salt's order
/// with a seed that is a text is another one in each of its processes.
pub(crate) fn sample(
    value: &Value,
    size: Option<i64>,
    seed: Option<&Value>,
) -> Result<Value, Error> {
    if !matches!(value.kind(), ValueKind::String | ValueKind::Seq | ValueKind::Iterable) {
        let words = "Population must be a sequence.  For dicts or sets, use sorted(d).";
        return Err(fault(words));
    }
    let all = iterate(value)?;
    let size = size.map_or(Some(all.len()), |size| usize::try_from(size).ok());
    let size = size.filter(|size| *size <= all.len());
    let size = size.ok_or_else(|| fault("Sample larger than population or is negative"))?;
    let mut numbers = match seed.filter(|seed| !seed.is_none()) {
        Some(seed) => seeded(seed)?,
        None => Twister::of_text(&crate::hash::to_hex(&bytes(32)?)),
    };
    let picked = numbers.sample(all.len(), size);
    Ok(list(picked.into_iter().map(|at| all[at].clone()).collect()))
}

/// Random bytes of the kernel.
pub(super) fn bytes(count: usize) -> Result<Vec<u8>, Error> {
    use std::io::Read;
    let mut out = vec![0; count];
    let read = std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut out));
    read.map_err(|error| fault(format!("no random numbers: {error}")))?;
    Ok(out)
}

/// A number below a limit, each equally likely.
fn below(limit: u64) -> Result<u64, Error> {
    let fair = u64::MAX - u64::MAX % limit;
    loop {
        let mut word = [0; 8];
        word.copy_from_slice(&bytes(8)?);
        let number = u64::from_le_bytes(word);
        if number < fair {
            return Ok(number % limit);
        }
    }
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
        out.push(chars[usize::try_from(below(chars.len() as u64)?).unwrap_or_default()]);
    }
    Ok(Value::from(out))
}
