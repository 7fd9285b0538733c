//! `include_pat` and `exclude_pat`: globs, or regular expressions marked `E@`.

use crate::regex::python_regex;
use crate::target::glob;

/// Whether a relative path is meant, by lists of patterns to take and to leave.
pub(crate) fn wanted(path: &str, include: &[String], exclude: &[String]) -> bool {
    let hit = |patterns: &[String]| patterns.iter().any(|pattern| matches(path, pattern));
    (include.is_empty() || hit(include)) && !hit(exclude)
}

fn matches(path: &str, pattern: &str) -> bool {
    match pattern.strip_prefix("E@") {
        Some(regex) => {
            python_regex(regex, false, false, false).is_ok_and(|found| found.is_match(path))
        }
        None => glob(pattern, path),
    }
}
