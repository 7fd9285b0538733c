//! file.find: the paths below a folder that meet all conditions, as `find` has it.

use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use minijinja::Error;
use minijinja::value::{Value, ValueKind};

use super::expanded;
use crate::host::Host;
use crate::module::Call;
use crate::regex::{Regex, python_regex};
use crate::render::python::{list, text};
use crate::render::type_name;
use crate::target::glob;

/// Paths that one search may look at.
const PATHS_MAX: usize = 500_000;
/// Bytes of a file that `grep` looks at.
const GREP_MAX: u64 = 64 << 20;

/// The options that take text.
const TEXTS: [&str; 12] = [
    "name", "iname", "regex", "iregex", "type", "owner", "group", "size", "mtime", "grep", "print",
    "delete",
];

/// One condition.
enum Criterion {
    Name(Regex),
    Kind(String),
    Owner(Vec<u32>),
    Group(Vec<u32>),
    Size(i64, i64),
    Mtime { seconds: f64, newer: bool },
    Grep(Regex),
}

/// What is done with a path that is found.
enum Action {
    Delete,
    /// What is told of it.
    Print(Vec<String>),
}

/// What is asked for.
#[derive(Default)]
struct Search {
    criteria: Vec<Criterion>,
    least: i64,
    most: Option<i64>,
    /// In the order in which they are given.
    actions: Vec<Action>,
    /// What would be removed is only told.
    test: bool,
}

/// A path that meets all conditions, and what each action tells of it.
struct Found {
    path: String,
    told: Vec<Value>,
}

pub(super) fn find(call: &Call<'_>) -> Result<Value, Error> {
    let search = match search(call) {
        Ok(search) => search,
        Err(Problem::Wrong(reason)) => return Ok(Value::from(format!("error: {reason}"))),
        Err(Problem::Kind(error)) => return Err(error),
        Err(Problem::Acts(option)) => {
            return Err(call.fail(format!(
                "file.find with '{option}' changes the host: use file.tidied, or a command"
            )));
        }
    };
    let host = &call.scope.host;
    let mut found = Vec::new();
    let mut left = PATHS_MAX;
    for start in glob_paths(host, &expanded(&call.text("path"))) {
        if search.least < 1 {
            found.extend(search.look(host, &start));
        }
        search.below(host, &start, 1, &mut left, &mut found);
    }
    if left == 0 {
        return Err(call.fail(format!("file.find looks at {PATHS_MAX} paths at most")));
    }
    let mut told: Vec<Value> = found.into_iter().flat_map(|one| search.acted(host, one)).collect();
    told.sort();
    Ok(list(told))
}

enum Problem {
    Wrong(String),
    /// A value of a kind on which Salt's own function fails.
    Kind(Error),
    Acts(&'static str),
}

fn search(call: &Call<'_>) -> Result<Search, Problem> {
    let wrong = |reason: String| Problem::Wrong(reason);
    let options = options(call);
    let test = options.iter().any(|(key, value)| key == "test" && value.is_true());
    let mut search = Search { test, ..Search::default() };
    for (key, value) in options.iter().filter(|(key, _)| key != "test") {
        let shown = text(value);
        let depth = || shown.parse::<i64>().map_err(|_| wrong(format!("invalid {key}: {shown}")));
        match key.as_str() {
            "mindepth" => search.least = depth()?,
            "maxdepth" => search.most = Some(depth()?),
            _ if !value.is_true() => {
                return Err(wrong(format!("missing value for \"{key}\" option")));
            }
            "exec" => return Err(Problem::Acts("exec")),
            _ if TEXTS.contains(&key.as_str()) && value.kind() != ValueKind::String => {
                return Err(Problem::Kind(no_text(call, key, value)));
            }
            "delete" => {
                if call.site.state.is_none() && !test {
                    return Err(Problem::Acts("delete"));
                }
                let all = if shown.contains('a') { "bcdpfls" } else { &shown };
                search.criteria.push(kinds(all).map_err(wrong)?);
                search.actions.push(Action::Delete);
            }
            "print" => search.actions.push(Action::Print(printed(&shown))),
            _ => search.criteria.push(criterion(call, key, &shown).map_err(wrong)?),
        }
    }
    if search.actions.is_empty() {
        search.actions.push(Action::Print(printed("path")));
    }
    Ok(search)
}

/// The options by name, and `delete` or else `print` as words of their own.
fn options(call: &Call<'_>) -> Vec<(String, Value)> {
    let named = call.others().filter(|(key, _)| !key.starts_with('_'));
    let mut out: Vec<_> = named.map(|(key, value)| (key.to_owned(), value.clone())).collect();
    let words: Vec<String> = call.rest().iter().map(text).collect();
    let word = [("delete", "f"), ("print", "path")]
        .into_iter()
        .find(|(word, _)| words.iter().any(|given| given == word));
    if let Some((word, usual)) = word {
        match out.iter_mut().find(|(key, _)| key == word) {
            Some((_, value)) => *value = Value::from(usual),
            None => out.push((word.to_owned(), Value::from(usual))),
        }
    }
    out
}

/// The words of a list of what to tell.
fn printed(shown: &str) -> Vec<String> {
    let words: Vec<String> =
        shown.replace(',', " ").split_whitespace().map(str::to_owned).collect();
    if words.is_empty() { vec!["path".to_owned()] } else { words }
}

/// In Python's words: that an option takes text alone.
fn no_text(call: &Call<'_>, key: &str, value: &Value) -> Error {
    let kind = type_name(value);
    match key {
        "delete" => call.invalid(format!("argument of type '{kind}' is not iterable")),
        _ => call.raise(format!("'{kind}' object has no attribute 'strip'")),
    }
}

/// One condition by its name.
fn criterion(call: &Call<'_>, key: &str, shown: &str) -> Result<Criterion, String> {
    let regex = |pattern: &str, any_case| {
        let bad = |_| format!("invalid regular expression: \"{shown}\"");
        python_regex(pattern, any_case, false, false).map_err(bad)
    };
    Ok(match key {
        "name" | "iname" => {
            // Salt's own rule, which is no shell's: `?` may also stand for nothing.
            let pattern = shown.replace('.', "\\.").replace('?', ".?").replace('*', ".*");
            Criterion::Name(regex(&format!("^(?:{pattern}$)"), key == "iname")?)
        }
        "regex" | "iregex" => Criterion::Name(regex(&format!("^(?:{shown})"), key == "iregex")?),
        "type" => kinds(shown)?,
        "owner" | "group" => {
            let accounts = call.scope.host.accounts();
            let (owner, mut ids) = (key == "owner", Vec::new());
            for name in shown.replace(',', " ").split_whitespace() {
                let id = if owner { accounts.uid(name) } else { accounts.gid(name) };
                let kind = if owner { "user" } else { "group" };
                ids.push(id.ok_or_else(|| format!("no such {kind} \"{name}\""))?);
            }
            if owner { Criterion::Owner(ids) } else { Criterion::Group(ids) }
        }
        "size" => {
            let (least, most) = size(shown).ok_or_else(|| format!("invalid size: \"{shown}\""))?;
            Criterion::Size(least, most)
        }
        "mtime" => {
            let (age, newer) =
                interval(shown).ok_or_else(|| format!("invalid time interval: '{shown}'"))?;
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            Criterion::Mtime { seconds: now.as_secs_f64() - age, newer }
        }
        "grep" => Criterion::Grep(regex(shown, false)?),
        other => return Err(format!("invalid option \"{other}\"")),
    })
}

/// `+1k`, `-2m`, `10`: the least and most bytes.
fn size(value: &str) -> Option<(i64, i64)> {
    let value = value.trim();
    let (style, digits) = match value.chars().next()? {
        sign @ ('+' | '-') => (sign, &value[1..]),
        _ => ('=', value),
    };
    let unit = |c: char| match c.to_ascii_lowercase() {
        'b' => Some(1_i64),
        'k' => Some(1 << 10),
        'm' => Some(1 << 20),
        'g' => Some(1 << 30),
        't' => Some(1 << 40),
        _ => None,
    };
    let last = digits.chars().last();
    let (digits, times) = match last.and_then(unit) {
        Some(times) => (digits[..digits.len() - 1].trim(), times),
        None => (digits, 1),
    };
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "a size as Python rounds it"
    )]
    let count = match digits.parse::<i64>() {
        Ok(count) => count.checked_mul(times)?,
        Err(_) => (digits.parse::<f64>().ok().filter(|n| n.is_finite())? * times as f64) as i64,
    };
    Some(match style {
        '-' => (0, count),
        '+' => (count, i64::MAX),
        _ => (count, count.saturating_add(times - 1)),
    })
}

/// `1w2d3h4m5s` as seconds, and whether younger files are meant (`-`).
fn interval(value: &str) -> Option<(f64, bool)> {
    let value = value.trim();
    let newer = value.starts_with('-');
    let mut rest = value.trim_start_matches(['+', '-']).trim_start();
    let units = [('w', 604_800.0), ('d', 86_400.0), ('h', 3600.0), ('m', 60.0), ('s', 1.0)];
    let mut at = 0;
    let mut total = 0.0;
    let mut finest = None;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let count: f64 = rest[..end].parse().ok()?;
        rest = rest[end..].trim_start();
        let unit = rest.chars().next()?.to_ascii_lowercase();
        let found = units[at..].iter().position(|(name, _)| *name == unit)?;
        let seconds = units[at + found].1;
        at += found + 1;
        total += count * seconds;
        finest = Some(seconds);
        rest = rest[unit.len_utf8()..].trim_start();
    }
    let finest = finest?;
    Some(((total / finest).trunc() * finest, newer))
}

/// The kinds of files that a word names.
fn kinds(shown: &str) -> Result<Criterion, String> {
    let kinds: String = shown.chars().filter(|c| !c.is_whitespace() && *c != ',').collect();
    match kinds.chars().find(|c| !"bcdflps".contains(*c)) {
        Some(bad) => Err(format!("invalid file type \"{bad}\"")),
        None => Ok(Criterion::Kind(kinds)),
    }
}

impl Search {
    /// What is told of a path, if it meets all conditions.
    fn look(&self, host: &Host, path: &str) -> Option<Found> {
        let meta = host.stat(path).or_else(|| host.lstat(path))?;
        let name = path.rsplit('/').next().unwrap_or(path);
        if !self.criteria.iter().all(|criterion| criterion.meets(host, path, name, &meta)) {
            return None;
        }
        let told = self.actions.iter().map(|action| match action {
            Action::Delete => Value::from(path),
            Action::Print(words) => told(host, words, path, &meta),
        });
        Some(Found { path: path.to_owned(), told: told.collect() })
    }

    /// Does with a path what is asked for; returns what is told of it.
    fn acted(&self, host: &Host, mut found: Found) -> Vec<Value> {
        let deletes = self.actions.iter().position(|action| matches!(action, Action::Delete));
        let Some(at) = deletes.filter(|_| !self.test) else { return found.told };
        match crate::host::files::remove(&host.path(&found.path)) {
            Ok(()) => {}
            // It went with the folder that it lay in, before Salt would have come to it.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
            Err(error) => {
                tracing::warn!(path = found.path, %error, "cannot remove what was found");
                found.told.remove(at);
            }
        }
        found.told
    }

    fn below(&self, host: &Host, folder: &str, depth: i64, left: &mut usize, out: &mut Vec<Found>) {
        let entries = std::fs::read_dir(host.followed(folder));
        for entry in entries.into_iter().flatten().flatten() {
            if *left == 0 {
                return;
            }
            *left -= 1;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{}/{name}", folder.trim_end_matches('/'));
            if depth >= self.least && self.most.is_none_or(|most| most >= depth) {
                out.extend(self.look(host, &path));
            }
            let deeper = self.most.is_none_or(|most| most > depth) && depth < 64;
            if deeper && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                self.below(host, &path, depth + 1, left, out);
            }
        }
    }
}

/// What is told of a path.
fn told(host: &Host, words: &[String], path: &str, meta: &std::fs::Metadata) -> Value {
    let accounts = host.accounts();
    let id = |name: String, id: u32| {
        if name == id.to_string() { Value::from(id) } else { Value::from(name) }
    };
    let one = |word: &String| match word.as_str() {
        "name" => Value::from(path.rsplit('/').next().unwrap_or(path)),
        "size" => Value::from(meta.size()),
        "type" => Value::from(kind(meta).to_string()),
        "mode" => Value::from(meta.mode() & 0o777),
        "mtime" => Value::from(meta.mtime()),
        "user" => id(accounts.user_name(meta.uid()), meta.uid()),
        "group" => id(accounts.group_name(meta.gid()), meta.gid()),
        "md5" if meta.is_file() => {
            let data = std::fs::read(host.followed(path)).unwrap_or_default();
            Value::from(crate::hash::md5_hex(&data))
        }
        "md5" => Value::from(""),
        _ => Value::from(path),
    };
    match words {
        [word] => one(word),
        words => list(words.iter().map(one).collect()),
    }
}

fn kind(meta: &std::fs::Metadata) -> char {
    let kind = meta.file_type();
    if kind.is_dir() {
        'd'
    } else if kind.is_symlink() {
        'l'
    } else if kind.is_block_device() {
        'b'
    } else if kind.is_char_device() {
        'c'
    } else if kind.is_fifo() {
        'p'
    } else if kind.is_socket() {
        's'
    } else {
        'f'
    }
}

impl Criterion {
    fn meets(&self, host: &Host, path: &str, name: &str, meta: &std::fs::Metadata) -> bool {
        let size = i64::try_from(meta.size()).unwrap_or(i64::MAX);
        match self {
            Criterion::Name(regex) => regex.is_match(name),
            Criterion::Kind(kinds) => kinds.contains(kind(meta)),
            Criterion::Owner(ids) => ids.contains(&meta.uid()),
            Criterion::Group(ids) => ids.contains(&meta.gid()),
            Criterion::Size(least, most) => (*least..=*most).contains(&size),
            Criterion::Mtime { seconds, newer } => {
                #[allow(clippy::cast_precision_loss, reason = "a time as Python has it")]
                let own = meta.mtime() as f64;
                if *newer { own >= *seconds } else { own <= *seconds }
            }
            Criterion::Grep(regex) => {
                let small = meta.is_file() && meta.size() <= GREP_MAX;
                small && host.read_text(path).is_some_and(|text| regex.is_match(&text))
            }
        }
    }
}

/// Python's `glob.glob`: the paths that are there, sorted; names with a dot need one.
pub(in crate::module) fn glob_paths(host: &Host, pattern: &str) -> Vec<String> {
    if !pattern.contains(['*', '?', '[']) {
        let there = host.lstat(pattern).is_some();
        return if there { vec![pattern.to_owned()] } else { Vec::new() };
    }
    let mut found = vec![if pattern.starts_with('/') { "/".to_owned() } else { String::new() }];
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        let mut next = Vec::new();
        for folder in &found {
            let join = |name: &str| {
                if folder.is_empty() || folder.ends_with('/') {
                    format!("{folder}{name}")
                } else {
                    format!("{folder}/{name}")
                }
            };
            if !part.contains(['*', '?', '[']) {
                next.extend(Some(join(part)).filter(|path| host.lstat(path).is_some()));
                continue;
            }
            let real = if folder.is_empty() {
                Path::new(".").to_path_buf()
            } else {
                host.followed(folder)
            };
            let names = std::fs::read_dir(real).into_iter().flatten().flatten();
            let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
            let kept = names.filter(|name| !name.starts_with('.') || part.starts_with('.'));
            next.extend(kept.filter(|name| glob(part, name)).map(|name| join(&name)));
            if next.len() > PATHS_MAX {
                return Vec::new();
            }
        }
        found = next;
    }
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_ages_are_read_as_salt_reads_them() {
        assert_eq!(size("+1k"), Some((1024, i64::MAX)));
        assert_eq!(size("-2m"), Some((0, 2 << 20)));
        assert_eq!(size("1k"), Some((1024, 2047)));
        assert_eq!(size("x"), None);
        assert_eq!(interval("-1d2h"), Some((93_600.0, true)));
        assert_eq!(interval("10s"), Some((10.0, false)));
        assert_eq!(interval("2h1d"), None);
        assert_eq!(interval("5"), None);
    }
}
