//! The options of `patch` that a state may give.

use serde_json::Value;

use crate::function::Context;
use crate::function::args::text;
use crate::module::words;

/// Those that the state itself needs.
const OWN: [&str; 6] = ["-N", "--forward", "-r", "--reject-file", "-o", "--output"];

/// What is handed on, and how many folders are cut off.
pub(super) struct Options {
    pub(super) words: Vec<String>,
    pub(super) strip: Option<String>,
}

impl Options {
    pub(super) fn of(ctx: &Context<'_>) -> Result<Options, String> {
        let given = match ctx.value("options") {
            Some(Value::Array(items)) => items.iter().map(text).collect(),
            Some(line) => {
                words(&text(line)).ok_or_else(|| "No closing quotation in options".to_owned())?
            }
            None => Vec::new(),
        };
        let mut out = Options { words: Vec::new(), strip: ctx.text("strip") };
        let mut refused = Vec::new();
        let mut given = given.into_iter();
        while let Some(word) = given.next() {
            if OWN.iter().any(|own| word.starts_with(own)) {
                refused.push(word.clone());
            }
            if let Some(digits) = word.strip_prefix("-p") {
                out.strip = Some(number(digits).ok_or_else(|| invalid("-p"))?);
            } else if let Some(rest) = word.strip_prefix("--strip") {
                let next = match rest.rsplit_once('=') {
                    Some((_, digits)) => Some(digits.to_owned()),
                    None => given.next(),
                };
                let digits = next.and_then(|digits| number(&digits));
                out.strip = Some(digits.ok_or_else(|| invalid("-strip"))?);
            } else {
                out.words.push(word);
            }
        }
        if refused.is_empty() {
            return Ok(out);
        }
        Err(format!("The following CLI options are not allowed: {}", refused.join(", ")))
    }
}

fn number(digits: &str) -> Option<String> {
    digits.trim().parse::<i64>().ok().map(|number| number.to_string())
}

fn invalid(option: &str) -> String {
    format!(
        "Invalid format for '{option}' CLI option. Consider using the 'strip' option for this \
         state."
    )
}
