//! file.find: the paths below a folder that meet all conditions, as `find` has it.

use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use minijinja::Error;
use minijinja::value::Value;

use super::expanded;
use crate::host::Host;
use crate::module::Call;
use crate::regex::{Regex, python_regex};
use crate::render::python::{list, text};
use crate::target::glob;

/// Paths that one search may look at.
const PATHS_MAX: usize = 500_000;
/// Bytes of a file that `grep` looks at.
const GREP_MAX: u64 = 64 << 20;

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

/// What is asked for.
#[derive(Default)]
struct Search {
    criteria: Vec<Criterion>,
    least: i64,
    most: Option<i64>,
    print: Vec<String>,
    /// What is found is removed.
    delete: bool,
}

pub(super) fn find(call: &Call<'_>) -> Result<Value, Error> {
    let search = match search(call) {
        Ok(search) => search,
        Err(Problem::Wrong(reason)) => return Ok(Value::from(format!("error: {reason}"))),
        Err(Problem::Acts(option)) => {
            return Err(call.fail(format!(
                "file.find with '{option}' changes the host: use file.tidied, or a command"
            )));
        }
    };
    let host = &call.scope.host;
    let mut out = Vec::new();
    let mut left = PATHS_MAX;
    for start in glob_paths(host, &expanded(&call.text("path"))) {
        if search.least < 1 {
            out.extend(search.look(host, &start));
        }
        search.below(host, &start, 1, &mut left, &mut out);
    }
    if left == 0 {
        return Err(call.fail(format!("file.find looks at {PATHS_MAX} paths at most")));
    }
    out.sort();
    if search.delete {
        out.retain(|path| delete(host, &text(path)));
    }
    Ok(list(out))
}

/// Removes what was found; what lay in a folder that has gone by now is not told of.
fn delete(host: &Host, path: &str) -> bool {
    let removed = crate::host::files::remove(&host.path(path));
    removed
        .inspect_err(|error| tracing::warn!(path, %error, "cannot remove what was found"))
        .is_ok()
}

enum Problem {
    Wrong(String),
    Acts(&'static str),
}

fn search(call: &Call<'_>) -> Result<Search, Problem> {
    let wrong = |reason: String| Problem::Wrong(reason);
    let mut search = Search::default();
    for word in call.rest() {
        match text(word).as_str() {
            "delete" => search.deletes(call, "f")?,
            _ => search.print = vec!["path".to_owned()],
        }
    }
    for (key, value) in call.others().filter(|(key, _)| !key.starts_with('_') && *key != "test") {
        let shown = text(value);
        let depth = || shown.parse::<i64>().map_err(|_| wrong(format!("invalid {key}: {shown}")));
        match key {
            "mindepth" => search.least = depth()?,
            "maxdepth" => search.most = Some(depth()?),
            _ if !value.is_true() => {
                return Err(wrong(format!("missing value for \"{key}\" option")));
            }
            "delete" if shown.contains('a') => search.deletes(call, "bcdpfls")?,
            "delete" => search.deletes(call, &shown)?,
            "exec" => return Err(Problem::Acts("exec")),
            "print" => {
                let words = shown.replace(',', " ");
                search.print = words.split_whitespace().map(str::to_owned).collect();
            }
            _ => search.criteria.push(criterion(call, key, &shown).map_err(wrong)?),
        }
    }
    if search.print.is_empty() {
        search.print = vec!["path".to_owned()];
    }
    Ok(search)
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
    /// What is found and of these kinds is removed, if a state asks for it.
    fn deletes(&mut self, call: &Call<'_>, shown: &str) -> Result<(), Problem> {
        if call.site.state.is_none() {
            return Err(Problem::Acts("delete"));
        }
        self.delete = true;
        self.print = vec!["path".to_owned()];
        self.criteria.push(kinds(shown).map_err(Problem::Wrong)?);
        Ok(())
    }

    /// What is told of a path, if it meets all conditions.
    fn look(&self, host: &Host, path: &str) -> Option<Value> {
        let meta = host.stat(path).or_else(|| host.lstat(path))?;
        let name = path.rsplit('/').next().unwrap_or(path);
        let meets = self.criteria.iter().all(|criterion| criterion.meets(host, path, name, &meta));
        meets.then(|| self.told(host, path, name, &meta))
    }

    fn below(&self, host: &Host, folder: &str, depth: i64, left: &mut usize, out: &mut Vec<Value>) {
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

    fn told(&self, host: &Host, path: &str, name: &str, meta: &std::fs::Metadata) -> Value {
        let accounts = host.accounts();
        let id = |name: String, id: u32| {
            if name == id.to_string() { Value::from(id) } else { Value::from(name) }
        };
        let one = |word: &String| match word.as_str() {
            "name" => Value::from(name),
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
        match self.print.as_slice() {
            [word] => one(word),
            words => list(words.iter().map(one).collect()),
        }
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
