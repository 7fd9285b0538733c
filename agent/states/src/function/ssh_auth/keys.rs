//! A user's `authorized_keys`: read, compared, and written whole.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::LazyLock;

use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use base64::{Engine as _, alphabet};
use indexmap::IndexMap;
use regex::Regex;

use super::{INVALID, NOWHERE, pattern};
use crate::function::Context;
use crate::host::accounts::User;
use crate::host::files::{Access, make_folders, replace, replace_keeping, set_access};

/// Options, then kind, key and comment: the kind is what a line is recognised by.
static LINE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^(.*?)\s?((?:sk-)?(?:ssh-|ecds)[\w@.-]+\s.+)$"));
/// A line to replace, with its key.
static ENTRY: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?:(?:.*)\s)?(?:sk-)?(?:ssh|ecdsa)-[a-z0-9@.-]+\s([a-zA-Z0-9+/]+={0,2})(?:\s.*)?")
});
/// Kinds of keys that go by one name of their own.
const KINDS: [&str; 17] = [
    "ecdsa-sha2-nistp521",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp256",
    "rsa-sha2-512",
    "rsa-sha2-256",
    "rsa-sha2-512-cert-v01@openssh.com",
    "rsa-sha2-256-cert-v01@openssh.com",
    "ssh-rsa-cert-v01@openssh.com",
    "ecdsa-sha2-nistp256-cert-v01@openssh.com",
    "ecdsa-sha2-nistp384-cert-v01@openssh.com",
    "ecdsa-sha2-nistp521-cert-v01@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
    "ssh-ed25519-cert-v01@openssh.com",
    "sk-ssh-ed25519@openssh.com",
    "sk-ssh-ed25519-cert-v01@openssh.com",
    "ssh-ed25519",
];

pub(super) fn line_pattern() -> &'static Regex {
    &LINE
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::function) struct Key {
    pub(super) options: Vec<String>,
    pub(super) enc: String,
    pub(super) key: String,
    pub(super) comment: String,
}

impl Key {
    fn line(&self) -> String {
        let options = self.options.join(",");
        let space = if options.is_empty() { "" } else { " " };
        format!("{options}{space}{} {} {}\n", self.enc, self.key, self.comment)
    }
}

/// How a key stands to what is there; a later one weighs more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Status {
    Same,
    New,
    Other,
}

/// The keys of a file, by key.
#[derive(Debug, Default)]
pub(super) struct Set(IndexMap<String, Key>);

impl Set {
    pub(super) fn parse(text: &str) -> Set {
        let mut set = Set::default();
        let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
        for parts in lines.filter_map(|line| LINE.captures(line)) {
            let mut words = parts[2].split_whitespace().map(str::to_owned);
            let (Some(enc), Some(key)) = (words.next(), words.next()) else { continue };
            if decoded(&key).is_none() {
                continue;
            }
            let options = parts[1].split(',').filter(|option| !option.is_empty());
            let options = options.map(str::to_owned).collect();
            let comment = words.collect::<Vec<_>>().join(" ");
            set.0.insert(key.clone(), Key { options, enc, key, comment });
        }
        set
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Key> {
        self.0.values()
    }
}

/// What a key holds, read as leniently as ssh does; `None` if it is no base64.
pub(in crate::function) fn decoded(key: &str) -> Option<Vec<u8>> {
    let lenient = GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true);
    GeneralPurpose::new(&alphabet::STANDARD, lenient).decode(key).ok()
}

/// A key's kind by its full name.
fn refined(enc: &str) -> Result<String, String> {
    Ok(match enc {
        "r" | "rsa" | "ssh-rsa" => "ssh-rsa",
        "d" | "dsa" | "dss" | "ssh-dss" => "ssh-dss",
        "e" | "ecdsa" => "ecdsa-sha2-nistp256",
        "ed25519" => "ssh-ed25519",
        other if KINDS.contains(&other) => other,
        other => return Err(format!("Incorrect encryption key type '{other}'.")),
    }
    .to_owned())
}

/// Where a user's keys are, and which.
#[derive(Debug)]
pub(super) struct Keys {
    /// `None` for a user that there is not.
    place: Option<(User, String, PathBuf)>,
    text: String,
    set: Set,
}

impl Keys {
    pub(super) fn of(ctx: &Context<'_>, user: &str) -> Result<Keys, String> {
        let Some(user) = ctx.host.accounts().user(user) else {
            return Ok(Keys { place: None, text: String::new(), set: Set::default() });
        };
        let config = ctx.text("config").unwrap_or_else(|| ".ssh/authorized_keys".to_owned());
        let config = expanded(&config, &user)?;
        let config =
            if config.starts_with('/') { config } else { format!("{}/{config}", user.home) };
        let path = ctx.host.followed(&config);
        let text = match fs::read(&path) {
            Ok(data) => String::from_utf8_lossy(&data).into_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(format!("Problem reading ssh key file {config}: {error}")),
        };
        let set = Set::parse(&text);
        Ok(Keys { place: Some((user, config, path)), text, set })
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.set.0.contains_key(key)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        self.set.0.keys()
    }

    pub(super) fn status(&self, key: &Key) -> Result<Status, String> {
        let wanted = Key { enc: refined(&key.enc)?, ..key.clone() };
        Ok(match self.set.0.get(&key.key) {
            None => Status::New,
            Some(own) if own.line() == wanted.line() => Status::Same,
            Some(_) => Status::Other,
        })
    }

    /// Rewrites the file without keys; what is no key's line goes too, as Salt does it.
    pub(super) fn remove(&self, ctx: &Context<'_>, keys: &[&Key]) -> io::Result<()> {
        let kept = self.text.lines().map(str::trim).filter(|line| {
            let Some(parts) = LINE.captures(line) else { return line.starts_with('#') };
            let own = parts[2].split_whitespace().nth(1).unwrap_or_default();
            line.starts_with('#') || !keys.iter().any(|key| key.key == own)
        });
        let text: String =
            kept.filter(|line| !line.is_empty()).map(|line| format!("{line}\n")).collect();
        self.write(ctx, &text)
    }

    fn write(&self, ctx: &Context<'_>, text: &str) -> io::Result<()> {
        let Some((user, _, path)) = &self.place else { return Ok(()) };
        match fs::metadata(path) {
            Ok(meta) => {
                let old = Access::of(&meta);
                replace_keeping(ctx.host, path, text.as_bytes(), Access::default(), old)
            }
            Err(_) => {
                let own = Access { uid: Some(user.uid), gid: Some(user.gid), mode: Some(0o600) };
                replace(ctx.host, path, text.as_bytes(), own)
            }
        }
    }
}

/// `%u`, `%h` and `%%` in the name of the file.
fn expanded(path: &str, user: &User) -> Result<String, String> {
    let mut out = String::new();
    let mut chars = path.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('%') => out.push('%'),
            Some('u') => out.push_str(&user.name),
            Some('h') => out.push_str(&user.home),
            Some(other) => {
                return Err(format!(
                    "AuthorizedKeysFile path: unknown token character \"%{other}\""
                ));
            }
            None => {
                return Err(
                    "AuthorizedKeysFile path: Last character can't be escape character".to_owned()
                );
            }
        }
    }
    Ok(out)
}

/// Whether the file of a user has just this key.
pub(super) fn is_there(ctx: &Context<'_>, user: &str, key: &Key) -> bool {
    let Ok(keys) = Keys::of(ctx, user) else { return false };
    let same = keys.status(key).is_ok_and(|status| status == Status::Same);
    same && keys.place.is_some() && decoded(&key.key).is_some()
}

/// Adds a key, or replaces its line.
pub(super) fn put(ctx: &Context<'_>, user: &str, key: Key) -> Result<Status, String> {
    let key = Key { enc: refined(&key.enc)?, ..key };
    let keys = Keys::of(ctx, user)?;
    let Some((account, config, path)) = &keys.place else { return Err(NOWHERE.to_owned()) };
    if decoded(&key.key).is_none() || key.key.is_empty() {
        return Err(INVALID.to_owned());
    }
    let status = keys.status(&key)?;
    let text = match status {
        Status::Same => return Ok(status),
        Status::Other => keys
            .text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .map(|line| match ENTRY.captures(line) {
                Some(found) if found[1] == key.key && !line.starts_with('#') => key.line(),
                _ => format!("{line}\n"),
            })
            .collect(),
        Status::New => {
            let home = ctx.host.stat(&account.home).is_some_and(|meta| meta.is_dir());
            if config.starts_with(&account.home) && !home {
                return Err(NOWHERE.to_owned());
            }
            let mut text = keys.text.clone();
            if !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
            text + &key.line()
        }
    };
    folder(account, path)
        .and_then(|()| keys.write(ctx, &text))
        .map_err(|error| format!("Could not write to key file: {error}"))?;
    Ok(status)
}

/// The folder of the keys, made for the user alone where it is missing.
fn folder(user: &User, path: &std::path::Path) -> io::Result<()> {
    let Some(folder) = path.parent().filter(|folder| !folder.is_dir()) else { return Ok(()) };
    make_folders(folder, Access::default())?;
    set_access(folder, Access { uid: Some(user.uid), gid: Some(user.gid), mode: Some(0o700) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_with_options_and_comments() {
        let text =
            "# top\nssh-rsa AAAA me\nno-pty,command=\"a b\" ssh-ed25519 BBBB x y\nnonsense\n";
        let set = Set::parse(text);
        let keys: Vec<&Key> = set.iter().collect();
        assert_eq!(keys.len(), 2);
        assert_eq!((keys[1].options.len(), keys[1].comment.as_str()), (2, "x y"));
        assert_eq!(keys[0].line(), "ssh-rsa AAAA me\n");
    }

    #[test]
    fn kinds_have_short_names() {
        assert_eq!(refined("e").unwrap(), "ecdsa-sha2-nistp256");
        assert_eq!(refined("ed25519").unwrap(), "ssh-ed25519");
        assert!(refined("rot13").is_err());
    }
}
