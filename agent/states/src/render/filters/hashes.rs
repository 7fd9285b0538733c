//! Salt's filters for checksums, base64, and what is random.

use std::hash::{BuildHasher, RandomState};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use minijinja::Error;
use minijinja::value::Value;
use sha2::{Digest, Sha256};

use super::Filter;
use crate::hash::{digest, sha1, to_hex};
use crate::render::jinja::args::Args;
use crate::render::jinja::ops;
use crate::render::python::{fault, text};

/// Salt's name space of `|uuid`.
const UUID_SPACE: [u8; 16] = [
    0x91, 0x63, 0x3e, 0xbf, 0x1c, 0x86, 0x5e, 0x33, 0x93, 0x5a, 0x28, 0x06, 0x1f, 0x4b, 0x48, 0x0e,
];

pub(super) fn find(name: &str) -> Option<Filter> {
    Some(match name {
        "md5" => |value, _| digested("md5", value),
        "sha1" => |value, _| digested("sha1", value),
        "sha256" => |value, _| digested("sha256", value),
        "sha512" => |value, _| digested("sha512", value),
        "hmac" => |value, args| {
            let mac = hmac(&bytes(&args.must(0, "shared_secret")?)?, &bytes(value)?);
            Ok(Value::from(STANDARD.encode(mac) == args.text(1, "challenge_hmac")?))
        },
        "hmac_compute" => |value, args| {
            let mac = hmac(&bytes(&args.must(0, "shared_secret")?)?, &bytes(value)?);
            Ok(Value::from(to_hex(&mac)))
        },
        "base64_encode" => |value, _| Ok(Value::from(STANDARD.encode(bytes(value)?))),
        "base64_decode" => base64_decode,
        "uuid" => |value, _| bytes(value).map(|_| Value::from(uuid(&text(value)))),
        "random_hash" | "rand_str" => |value, args| {
            let size = value.as_i64().and_then(|size| u64::try_from(size).ok());
            let size = size.ok_or_else(|| fault("a size is a whole number"))?;
            let number = random() % size.saturating_add(1);
            let kind = args.get(0, "hash_type").filter(Value::is_true);
            let kind = kind.map_or_else(|| "md5".to_owned(), |kind| text(&kind));
            digested(&kind, &Value::from(number.to_string()))
        },
        "random_str" => |value, _| {
            let size = value.as_usize().filter(|size| *size <= 10_000);
            let size = size.ok_or_else(|| fault("a size is a whole number to 10000"))?;
            let count = size.div_ceil(8);
            let bytes: Vec<u8> = (0..count).flat_map(|_| random().to_le_bytes()).collect();
            Ok(Value::from(&STANDARD.encode(bytes)[..size]))
        },
        "gen_mac" => |value, _| {
            let [a, b, c, ..] = random().to_le_bytes();
            Ok(Value::from(format!("{}:{a:02X}:{b:02X}:{c:02X}", text(value))))
        },
        _ => return None,
    })
}

/// A number that cannot be told before; for names, not for keys.
pub(super) fn random() -> u64 {
    RandomState::new().hash_one(0_u8)
}

/// The bytes of a text, or bytes; Salt's words for what is neither.
pub(super) fn bytes(value: &Value) -> Result<Vec<u8>, Error> {
    match (value.as_str(), value.as_bytes()) {
        (Some(text), _) => Ok(text.as_bytes().to_vec()),
        (None, Some(bytes)) => Ok(bytes.to_vec()),
        (None, None) => Err(fault(format!(
            "expected str, bytes, or bytearray not <class '{}'>",
            ops::type_name(value)
        ))),
    }
}

fn digested(algorithm: &str, value: &Value) -> Result<Value, Error> {
    let data = bytes(value)?;
    let found =
        if algorithm == "sha1" { Some(to_hex(&sha1(&data))) } else { digest(algorithm, &data) };
    let unknown = || fault(format!("module 'hashlib' has no attribute '{algorithm}'"));
    found.map(Value::from).ok_or_else(unknown)
}

/// HMAC with SHA-256 (RFC 2104).
fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut block = [0_u8; 64];
    if key.len() > block.len() {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let pad = |by: u8| block.map(|byte| byte ^ by);
    let inner = Sha256::digest([&pad(0x36)[..], message].concat());
    Sha256::digest([&pad(0x5c)[..], &inner].concat()).to_vec()
}

fn base64_decode(value: &Value, _: &Args) -> Result<Value, Error> {
    let mut text = bytes(value)?;
    // Python drops what is no base64 before it decodes.
    text.retain(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(byte));
    let data = STANDARD.decode(text).map_err(|_| fault("Incorrect padding"))?;
    Ok(match String::from_utf8(data) {
        Ok(text) => Value::from(text),
        Err(error) => Value::from_bytes(error.into_bytes()),
    })
}

/// A name's UUID of version 5 (RFC 9562).
fn uuid(name: &str) -> String {
    let mut id = sha1(&[&UUID_SPACE[..], name.as_bytes()].concat());
    id[6] = (id[6] & 0x0f) | 0x50;
    id[8] = (id[8] & 0x3f) | 0x80;
    let hex = to_hex(&id[..16]);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
