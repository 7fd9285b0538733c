//! The file of known hosts: asked, scanned for and rewritten through ssh's own tools, which know
//! hashed names.

use std::fs;
use std::io;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::function::Context;
use crate::function::ssh_auth::keys::decoded;
use crate::hash;
use crate::host::accounts::User;
use crate::host::command::{Exec, Output, run};
use crate::host::files::{Access, make_folders, replace, set_access};

/// The port that needs no mention.
pub(super) const PORT: u64 = 22;
/// How often a host is asked that does not answer.
const ATTEMPTS: u32 = 5;

/// One line of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::function) struct Entry {
    pub(super) hostname: String,
    /// `None` for a key that a state gave without it, which dry runs alone refuse.
    pub(super) enc: Option<String>,
    pub(super) key: String,
    /// `None` for a key that a state gave.
    pub(super) fingerprint: Option<String>,
    /// The port that the line names.
    pub(super) port: Option<u64>,
}

impl Entry {
    pub(super) fn shown(&self) -> Value {
        let mut shown = json!({"hostname": self.hostname, "enc": self.enc, "key": self.key});
        if let Some(print) = &self.fingerprint {
            shown["fingerprint"] = Value::from(print.as_str());
        }
        if let Some(port) = self.port {
            shown["port"] = Value::from(port);
        }
        shown
    }
}

/// Which host in which file.
#[derive(Debug)]
pub(super) struct Query {
    /// The file as the state names it.
    pub(super) config: String,
    pub(super) port: Option<u64>,
    user: Option<User>,
    host: String,
    place: PathBuf,
    algorithm: String,
}

impl Query {
    pub(super) fn of(ctx: &Context<'_>) -> Result<Query, String> {
        let user = ctx.text("user").filter(|user| !user.is_empty());
        let usual = if user.is_some() { ".ssh/known_hosts" } else { "/etc/ssh/ssh_known_hosts" };
        let config = ctx.text("config").unwrap_or_else(|| usual.to_owned());
        if user.is_none() && !config.starts_with('/') {
            return Err("If not specifying a \"user\", specify an absolute \"config\".".to_owned());
        }
        let user = match user {
            None => None,
            Some(name) => {
                let found = ctx.host.accounts().user(&name);
                Some(found.ok_or_else(|| format!("User {name} does not exist"))?)
            }
        };
        let path = match &user {
            Some(user) if !config.starts_with('/') => format!("{}/{config}", user.home),
            Some(_) | None => config.clone(),
        };
        let port = ctx.value("port").map(|port| match port {
            Value::Number(port) => port.as_u64(),
            other => crate::function::args::text(other).parse().ok(),
        });
        let port = match port {
            Some(None) => return Err("the port is not a number".to_owned()),
            Some(Some(port)) => Some(port),
            None => None,
        };
        let host = match port {
            Some(port) if port != PORT => format!("[{}]:{port}", ctx.name()),
            Some(_) | None => ctx.name().to_owned(),
        };
        if host.starts_with('-') {
            return Err(format!("'{host}' is no name of a host"));
        }
        let algorithm = ctx.text("fingerprint_hash_type").unwrap_or_else(|| "sha256".to_owned());
        let algorithm = algorithm.to_lowercase();
        if hash::digest(&algorithm, b"").is_none() {
            return Err(format!("The fingerprint_hash_type {algorithm} is not supported."));
        }
        Ok(Query { config, port, user, host, place: ctx.host.followed(&path), algorithm })
    }

    fn file(&self) -> String {
        self.place.to_string_lossy().into_owned()
    }

    fn keygen(&self, ctx: &Context<'_>, args: &[&str]) -> Result<Output, String> {
        let file = self.file();
        tool(ctx, &[&["ssh-keygen"], args, &["-f", &file]].concat())
    }

    /// The host's lines in the file.
    pub(super) fn stored(&self, ctx: &Context<'_>) -> Result<Vec<Entry>, String> {
        if !self.place.is_file() {
            return Ok(Vec::new());
        }
        Ok(self.entries(&self.keygen(ctx, &["-F", &self.host])?.stdout))
    }

    /// The host's keys as it tells them.
    pub(super) fn scanned(&self, ctx: &Context<'_>, hash: bool) -> Result<Vec<Entry>, String> {
        let timeout = ctx.text("timeout").unwrap_or_else(|| "5".to_owned());
        let port = self.port.map(|port| port.to_string());
        let enc = ctx.text("enc");
        let mut argv = vec!["ssh-keyscan"];
        for (flag, value) in [("-p", &port), ("-t", &enc)] {
            if let Some(value) = value {
                argv.extend([flag, value]);
            }
        }
        if hash {
            argv.push("-H");
        }
        argv.extend(["-T", &timeout, ctx.name()]);
        for _ in 0..ATTEMPTS {
            let output = tool(ctx, &argv)?;
            if !output.stdout.is_empty() || !output.stderr.is_empty() {
                return Ok(self.entries(&output.stdout));
            }
        }
        Ok(Vec::new())
    }

    fn entries(&self, text: &str) -> Vec<Entry> {
        let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
        let parts = lines.filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [hostname, enc, key] = words[..] else { return None };
            let raw = decoded(key)?;
            let digest = hash::digest(&self.algorithm, &raw)?;
            let pairs: Vec<&str> =
                (0..digest.len()).step_by(2).filter_map(|at| digest.get(at..at + 2)).collect();
            Some(Entry {
                hostname: hostname.to_owned(),
                enc: Some(enc.to_owned()),
                key: key.to_owned(),
                fingerprint: Some(pairs.join(":")),
                port: None,
            })
        });
        parts.collect()
    }

    /// Takes the host's lines (of one kind of key, or all) out, and puts these in.
    pub(super) fn put(
        &self,
        ctx: &Context<'_>,
        enc: Option<&str>,
        new: &mut [Entry],
        hash: bool,
    ) -> Result<(), String> {
        let failed = |error: io::Error| format!("Couldn't append to known hosts file: '{error}'");
        let old = fs::metadata(&self.place).ok();
        let mut text = String::new();
        if old.is_some() {
            let told = self.keygen(ctx, &["-F", &self.host])?.stdout;
            let gone = found_lines(&told, enc);
            let own = fs::read_to_string(&self.place).map_err(failed)?;
            let kept = own.split_inclusive('\n').enumerate();
            text = kept.filter(|(at, _)| !gone.contains(&(at + 1))).map(|(_, line)| line).collect();
            if !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
        }
        for Entry { hostname, enc, key, port, .. } in new {
            *port = self.port.filter(|port| *port != PORT && !hash && !hostname.contains(':'));
            let enc = enc.as_deref().unwrap_or("None");
            match port {
                Some(port) => text.push_str(&format!("[{hostname}]:{port} {enc} {key}\n")),
                None => text.push_str(&format!("{hostname} {enc} {key}\n")),
            }
        }
        if let Some(folder) = self.place.parent().filter(|folder| !folder.is_dir()) {
            make_folders(folder, Access::default()).map_err(failed)?;
            if let Some(user) = &self.user {
                let own = Access { uid: Some(user.uid), gid: Some(user.gid), mode: Some(0o700) };
                set_access(folder, own).map_err(failed)?;
            }
        }
        let old = old.map(|meta| Access::of(&meta));
        let access =
            Access { mode: old.and_then(|old| old.mode).or(Some(0o600)), ..self.owner(old) };
        replace(ctx.host, &self.place, text.as_bytes(), access).map_err(failed)
    }

    fn owner(&self, old: Option<Access>) -> Access {
        match &self.user {
            Some(user) => Access { uid: Some(user.uid), gid: Some(user.gid), mode: None },
            None => old.unwrap_or_default(),
        }
    }

    /// Hides the names in the file.
    pub(super) fn hash(&self, ctx: &Context<'_>) -> Result<(), String> {
        let old = fs::metadata(&self.place).map(|meta| Access::of(&meta)).ok();
        self.keygen(ctx, &["-H"])?;
        self.restore(old)
    }

    /// Takes the host out; what the tool says.
    pub(super) fn remove(&self, ctx: &Context<'_>) -> Result<String, String> {
        if !self.place.is_file() {
            return Err(format!("Known hosts file {} does not exist", self.config));
        }
        let output = self.keygen(ctx, &["-R", &self.host])?;
        self.restore(None)?;
        let told = format!("{}{}", output.stdout, output.stderr);
        let root = ctx.host.root().map(|root| root.to_string_lossy().into_owned());
        Ok(match root {
            Some(root) => told.replace(&root, ""),
            None => told,
        }
        .trim_end()
        .to_owned())
    }

    /// The tools make the file anew: its owner and mode are given back.
    fn restore(&self, old: Option<Access>) -> Result<(), String> {
        let access = Access { mode: old.and_then(|old| old.mode), ..self.owner(old) };
        set_access(&self.place, access)
            .map_err(|error| format!("cannot set the owner of {}: {error}", self.config))
    }
}

/// The numbers of the lines that `ssh-keygen -F` found: a remark, then the line, by turns.
fn found_lines(told: &str, enc: Option<&str>) -> Vec<usize> {
    let lines: Vec<&str> = told.lines().collect();
    let pairs = lines.chunks_exact(2).filter_map(|pair| {
        let number = pair[0].split_whitespace().last()?.parse().ok()?;
        let kind = pair[1].split_whitespace().rev().nth(1);
        (enc.is_none() || enc == kind).then_some(number)
    });
    pairs.collect()
}

fn tool(ctx: &Context<'_>, argv: &[&str]) -> Result<Output, String> {
    // Looking for a host changes nothing: it may be done ahead.
    let reads = argv.contains(&"-F");
    let argv = argv.iter().map(|word| (*word).to_owned()).collect();
    run(ctx.host, &Exec { argv, reads, ..Exec::default() }, ctx.cancel)
        .map_err(|error| format!("{error}: install openssh-client"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_found_are_those_of_the_wanted_kind() {
        let told = "# Host h found: line 3 \nh ssh-rsa AAAA\n\
                    # Host h found: line 7\n|1|x|y ssh-ed25519 B\n";
        assert_eq!(found_lines(told, None), [3, 7]);
        assert_eq!(found_lines(told, Some("ssh-ed25519")), [7]);
    }
}
