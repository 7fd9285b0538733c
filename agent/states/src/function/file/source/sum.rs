//! `source_hash`: a digest, one with its algorithm, or a file that has it among others.

use std::path::Path;

use super::fetched_text;
use crate::function::Context;
use crate::hash;
use crate::regex::{escape, python_regex};

/// What a source must hash to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) algorithm: &'static str,
    /// Lower-case hexadecimal.
    pub(crate) digest: String,
}

impl Sum {
    /// The digest that data has by the same algorithm.
    pub(crate) fn of(&self, data: &[u8]) -> String {
        hash::digest(self.algorithm, data).unwrap_or_default()
    }

    /// Whether a file has this digest.
    pub(crate) fn matches(&self, path: &Path) -> bool {
        std::fs::read(path).is_ok_and(|data| self.of(&data) == self.digest)
    }
}

/// Algorithms and the lengths of their digests, longest first, as Salt lists them.
const KINDS: [(&str, usize); 6] =
    [("sha512", 128), ("sha384", 96), ("sha256", 64), ("sha224", 56), ("sha1", 40), ("md5", 32)];

/// Reads a `source_hash`; `source` is what it is for.
pub(crate) fn sum(ctx: &Context<'_>, source: &str, given: &str) -> Result<Sum, String> {
    let scheme = given.split_once("://").map(|(scheme, _)| scheme);
    if given.starts_with('/') || scheme.is_some_and(|scheme| PROTOCOLS.contains(&scheme)) {
        let text = fetched_text(ctx, given).map_err(|problem| {
            let told = format!("Source hash file {} not found", super::redacted(given));
            let fetched = scheme.is_some_and(|scheme| scheme.starts_with("http"));
            if fetched { format!("{told}: {problem}") } else { told }
        })?;
        let name = ctx.text("source_hash_name");
        let found = listed(&text, name.as_deref(), ctx.name(), source)?;
        return found.ok_or_else(|| invalid(given));
    }
    if scheme.is_some() {
        return Err(invalid(given));
    }
    let (kind, digest) = match given.split_once('=') {
        Some((kind, digest)) => (kind.trim(), digest.trim()),
        None if given.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            let kind = KINDS.iter().find(|(_, len)| *len == given.len());
            (kind.ok_or_else(|| invalid(given))?.0, given)
        }
        None => return Err(invalid(given)),
    };
    let Some((algorithm, length)) = KINDS.iter().find(|(name, _)| *name == kind) else {
        let known: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
        return Err(format!(
            "Invalid hash type '{kind}'. Supported hash types are: {}. Either remove the hash type \
             and simply use '{digest}' as the source_hash, or change the hash type to a supported \
             type.",
            known.join(", ")
        ));
    };
    let by_length = KINDS.iter().find(|(_, len)| *len == digest.len());
    match by_length {
        None => Err(invalid(given)),
        Some((other, _)) if digest.len() != *length => Err(format!(
            "Invalid length ({}) for hash type '{algorithm}'. Either remove the hash type and \
             simply use '{digest}' as the source_hash, or change the hash type to '{other}'",
            digest.len()
        )),
        Some(_) => Ok(Sum { algorithm, digest: digest.to_lowercase() }),
    }
}

const PROTOCOLS: [&str; 7] = ["salt", "file", "http", "https", "ftp", "swift", "s3"];

fn invalid(given: &str) -> String {
    let lengths: Vec<String> =
        KINDS.iter().rev().map(|(name, len)| format!("{name} ({len})")).collect();
    format!(
        "Source hash {} format is invalid. The supported formats are: 1) a hash, 2) an expression \
         in the format <hash_type>=<hash>, or 3) either a path to a local file containing hashes, \
         or a URI of a remote hash file. Supported protocols for remote hash files are: {}. The \
         hash may also not be of a valid length, the following are supported hash types and \
         lengths: {}.",
        super::redacted(given),
        PROTOCOLS.join(", "),
        lengths.join(", ")
    )
}

/// The digest in a file of sums: of the line that names it, the file or the source; else the first.
fn listed(
    text: &str,
    hash_name: Option<&str>,
    file: &str,
    source: &str,
) -> Result<Option<Sum>, String> {
    let pattern = r"(?i)(?<![a-z0-9])([a-f0-9]{32,128})(?![a-z0-9])";
    let regex = python_regex(pattern, false, false, false).map_err(|error| error.to_string())?;
    let base = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
    let source = source.split('?').next().unwrap_or(source);
    let names = [
        hash_name.map(|name| (name.to_owned(), name.to_owned(), false)),
        Some((base(file), file.to_owned(), true)),
        Some((base(source), source.to_owned(), true)),
    ];
    let mut first = None;
    let mut found: [Option<Sum>; 3] = [None, None, None];
    for line in text.lines().map(str::trim) {
        let digest = regex
            .captures(line)
            .and_then(|captures| Some(captures.get(1)?.as_str().to_lowercase()));
        let Some(digest) = digest else { continue };
        let Some((algorithm, _)) = KINDS.iter().find(|(_, len)| *len == digest.len()) else {
            continue;
        };
        let sum = Sum { algorithm, digest };
        first.get_or_insert_with(|| sum.clone());
        for (slot, name) in found.iter_mut().zip(&names) {
            if let Some((ending, whole, paths)) = name
                && slot.is_none()
                && names_it(line, ending, whole, *paths)
            {
                *slot = Some(sum.clone());
            }
        }
    }
    Ok(found.into_iter().flatten().next().or(first))
}

/// Whether a line ends with a name (after a space, or a slash), or starts with it.
fn names_it(line: &str, ending: &str, whole: &str, paths: bool) -> bool {
    if let Some(before) = line.strip_suffix(ending) {
        let separator = |sign: char| sign.is_whitespace() || paths && "\\/*".contains(sign);
        return before.ends_with(separator);
    }
    let start = python_regex(&format!(r"{}\s+", escape(whole)), false, false, false);
    start.is_ok_and(|regex| regex.matches_start(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_sums_is_read_as_salt_reads_it() {
        let (one, two) = ("a".repeat(64), "B".repeat(40));
        let text = format!("# sums\n{one}  ./dist/pkg.tar.gz\n{two} *other.zip\n");
        let find = |name: Option<&str>, file: &str, source: &str| {
            listed(&text, name, file, source).unwrap().unwrap().digest
        };
        assert_eq!(find(None, "/opt/x", "https://h/pkg.tar.gz?v=1"), one);
        assert_eq!(find(None, "/opt/other.zip", "x"), two.to_lowercase());
        assert_eq!(find(None, "/opt/none", "none"), one);
        assert!(listed("no sums", None, "f", "s").unwrap().is_none());
    }
}
