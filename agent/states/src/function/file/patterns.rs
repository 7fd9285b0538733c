//! `include_pat` and `exclude_pat`: globs, or regular expressions marked `E@`.

use crate::function::Context;
use crate::regex::{Regex, python_regex};
use crate::target::glob;

/// What a path must match, and what it must not.
pub(crate) struct Patterns {
    include: Vec<Pattern>,
    exclude: Vec<Pattern>,
}

enum Pattern {
    Glob(String),
    Regex(Regex),
}

impl Patterns {
    /// A state's patterns; `include_pat` only if `both`.
    pub(crate) fn of(ctx: &Context<'_>, both: bool) -> Result<Patterns, String> {
        let read = |key: &str| -> Result<Vec<Pattern>, String> {
            ctx.list(key).into_iter().map(Pattern::of).collect()
        };
        Ok(Patterns {
            include: if both { read("include_pat")? } else { Vec::new() },
            exclude: read("exclude_pat")?,
        })
    }

    /// Whether a relative path is meant.
    pub(crate) fn wants(&self, path: &str) -> bool {
        let hit = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.matches(path));
        (self.include.is_empty() || hit(&self.include)) && !hit(&self.exclude)
    }
}

impl Pattern {
    fn of(text: String) -> Result<Pattern, String> {
        match text.strip_prefix("E@") {
            Some(regex) => python_regex(regex, false, false, false)
                .map(Pattern::Regex)
                .map_err(|error| error.to_string()),
            None => Ok(Pattern::Glob(text)),
        }
    }

    fn matches(&self, path: &str) -> bool {
        match self {
            Pattern::Glob(pattern) => glob(pattern, path),
            Pattern::Regex(regex) => regex.is_match(path),
        }
    }
}
