//! `file.decode`: a file of bytes that the state or the pillar has in base64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::data::traverse;
use crate::function::args::{text, truth};
use crate::function::{Context, Plan, StateFunction};
use crate::hash::digest;
use crate::host::files::{Access, replace, replace_keeping};
use crate::host::umask;
use crate::outcome::{Changes, Outcome};

pub(in crate::function) struct Decode;

/// The bytes, and how their sum differs from what is there.
pub(in crate::function) struct Step {
    data: Vec<u8>,
    changes: Changes,
}

impl StateFunction for Decode {
    const MODULE: &'static str = "file";
    const NAME: &'static str = "decode";
    const TAKES: &'static [&'static str] = &["encoded_data", "contents_pillar", "checksum"];
    /// Salt knows one encoding, whatever this says.
    const TOLERATES: &'static [&'static str] = &["encoding_type"];
    type Step = Step;

    fn check(ctx: &Context<'_>) -> Plan<Step> {
        planned(ctx).unwrap_or_else(Plan::failed)
    }

    fn apply(ctx: &Context<'_>, Step { data, changes }: Step) -> Outcome {
        let place = ctx.host.followed(ctx.name());
        let done = match ctx.host.stat(ctx.name()) {
            Some(meta) => {
                let old = Access::of(&meta);
                replace_keeping(ctx.host, &place, &data, Access::default(), old)
            }
            None => {
                let access = Access { mode: Some(umask::new_file()), ..Access::default() };
                replace(ctx.host, &place, &data, access)
            }
        };
        match done {
            Ok(()) => Outcome::changed("File was updated.", changes),
            Err(error) => Outcome::failed(format!("Failed to write {}: {error}", ctx.name())),
        }
    }
}

fn planned(ctx: &Context<'_>) -> Result<Plan<Step>, String> {
    let data = decoded(&encoded(ctx)?).ok_or("Incorrect padding")?;
    let algorithm = ctx.text("checksum").unwrap_or_else(|| "md5".to_owned());
    let sum = |data: &[u8]| {
        let sum = digest(&algorithm, data);
        sum.ok_or_else(|| format!("Hash func '{algorithm}' is not supported."))
    };
    let new = sum(&data)?;
    let there = ctx.host.stat(ctx.name()).is_some_and(|meta| meta.is_file());
    let old = match there {
        true => Some(sum(&ctx.host.read(ctx.name()).map_err(|error| error.to_string())?)?),
        false => None,
    };
    if old.as_ref() == Some(&new) {
        return Ok(Plan::fine("File is in the correct state."));
    }
    let changes = json!({"old": old, "new": new}).as_object().cloned().unwrap_or_default();
    // Of a file that is still to be made a dry run has no sum.
    let foreseen = if old.is_some() { changes.clone() } else { Changes::new() };
    Ok(Plan::change("File is set to be updated.", foreseen, Step { data, changes }))
}

fn encoded(ctx: &Context<'_>) -> Result<String, String> {
    let set = |key: &str| ctx.value(key).filter(|value| truth(value));
    match (set("encoded_data"), set("contents_pillar")) {
        (None, None) => {
            Err("Specify either the 'encoded_data' or 'contents_pillar' argument.".to_owned())
        }
        (Some(_), Some(_)) => {
            Err("Specify only one 'encoded_data' or 'contents_pillar' argument.".to_owned())
        }
        (Some(given), None) => Ok(text(given)),
        (None, Some(path)) => match traverse(&ctx.view().pillar, &text(path), ":") {
            None | Some(Value::Bool(false)) => Err("Pillar data not found.".to_owned()),
            Some(found) => Ok(text(found)),
        },
    }
}

/// Line by line, as Python: what is no base64 is passed over.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    for line in text.lines() {
        let sign = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
        let signs: String = line.chars().filter(sign).collect();
        out.extend(STANDARD.decode(signs).ok()?);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_base64_is_passed_over() {
        assert_eq!(decoded("SGVs\nbG8=\n"), Some(b"Hello".to_vec()));
        assert_eq!(decoded(" SGVs bG8= "), Some(b"Hello".to_vec()));
        assert_eq!(decoded("SGVsbG8"), None);
    }
}
