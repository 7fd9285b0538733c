//! Running git on a host: as whom, with which key, and what went wrong.

use std::fmt;
use std::io::Write;
use std::os::unix::fs::fchown;
use std::time::Duration;

use crate::function::Context;
use crate::host::command::{Exec, run};

/// How long one git command may take.
const TIMEOUT: Duration = Duration::from_secs(3600);

/// git, with what the state says of users and keys.
pub(super) struct Git<'a> {
    pub(super) ctx: Context<'a>,
    user: Option<String>,
    env: Vec<(String, Option<String>)>,
    /// Keys of the state tree, as long as git needs them.
    _keys: Vec<tempfile::NamedTempFile>,
}

/// A git command that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    command: String,
    told: String,
}

impl Failure {
    /// What git said, without the command.
    pub(super) fn stripped(&self) -> String {
        if self.told.is_empty() { self.to_string() } else { self.told.clone() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Command '{}' failed", self.command)?;
        if self.told.is_empty() { Ok(()) } else { write!(f, ": {}", self.told) }
    }
}

/// What a command that ended said.
pub(super) struct Said {
    pub(super) code: i32,
    pub(super) out: String,
    pub(super) err: String,
}

impl<'a> Git<'a> {
    pub(super) fn new(ctx: &Context<'a>) -> Result<Git<'a>, String> {
        let mut git = Git { ctx: *ctx, user: ctx.text("user"), env: Vec::new(), _keys: Vec::new() };
        git.set("GIT_TERMINAL_PROMPT", "0".to_owned());
        git.identities()?;
        git.password()?;
        Ok(git)
    }

    fn set(&mut self, key: &str, value: String) {
        self.env.push((key.to_owned(), Some(value)));
    }

    /// Keys for ssh: like Salt, without asking about hosts that are not known yet.
    fn identities(&mut self) -> Result<(), String> {
        let mut paths = Vec::new();
        for given in self.ctx.list("identity") {
            let path = match given.strip_prefix("salt://") {
                Some(inner) => self.key_of_tree(&given, inner)?,
                None => {
                    given.strip_prefix("~/").map_or(given.clone(), |rest| format!("/root/{rest}"))
                }
            };
            if !path.starts_with('/') {
                return Err(format!("identity '{given}' is not an absolute path"));
            }
            if self.ctx.host.stat(&path).is_none() {
                return Err(format!("identity '{given}' does not exist."));
            }
            paths.push(format!("-i '{}'", path.replace('\'', "'\\''")));
        }
        if !paths.is_empty() {
            let keys = paths.join(" ");
            self.set(
                "GIT_SSH_COMMAND",
                format!(
                    "ssh -oStrictHostKeyChecking=no -oPasswordAuthentication=no \
                     -oKbdInteractiveAuthentication=no {keys}"
                ),
            );
        }
        Ok(())
    }

    fn key_of_tree(&mut self, given: &str, inner: &str) -> Result<String, String> {
        let missing = || format!("identity '{given}' does not exist.");
        let data = self.ctx.tree().read(inner).ok_or_else(missing)?;
        let data = data.map_err(|error| error.to_string())?;
        let write = || -> std::io::Result<tempfile::NamedTempFile> {
            let mut file = tempfile::NamedTempFile::new()?;
            file.write_all(&data)?;
            let user = self.user.as_ref().and_then(|user| self.ctx.host.accounts().user(user));
            if let Some(user) = user {
                fchown(file.as_file(), Some(user.uid), None)?;
            }
            Ok(file)
        };
        let file = write().map_err(|error| error.to_string())?;
        let path = file.path().display().to_string();
        self._keys.push(file);
        Ok(path)
    }

    /// A name and a password for https go by the environment: never into an argument list, nor
    /// into the repository's configuration.
    fn password(&mut self) -> Result<(), String> {
        let Some(user) = self.ctx.text("https_user") else { return Ok(()) };
        let url = self.ctx.name();
        let rest = url.strip_prefix("https://").ok_or("Basic Auth only supported for HTTPS")?;
        let host = rest.split('/').next().unwrap_or(rest);
        let password = self.ctx.text("https_pass").map(|word| format!(":{}", encoded(&word)));
        let login = format!("{}{}", encoded(&user), password.unwrap_or_default());
        self.set("GIT_CONFIG_COUNT", "1".to_owned());
        self.set("GIT_CONFIG_KEY_0", format!("url.https://{login}@{host}/.insteadOf"));
        self.set("GIT_CONFIG_VALUE_0", format!("https://{host}/"));
        Ok(())
    }

    /// Runs git to its end, however that is.
    pub(super) fn say(&self, cwd: &str, argv: &[&str]) -> Result<Said, Failure> {
        let failed = |told| Failure { command: format!("git {}", argv.join(" ")), told };
        if !self.ctx.host.stat(cwd).is_some_and(|meta| meta.is_dir()) {
            return Err(failed(format!(
                "Specified cwd '{cwd}' either not absolute or does not exist"
            )));
        }
        let exec = Exec {
            argv: std::iter::once("git").chain(argv.iter().copied()).map(str::to_owned).collect(),
            cwd: Some(cwd.to_owned()),
            env: self.env.clone(),
            runas: self.user.clone(),
            timeout: Some(TIMEOUT),
            ..Exec::default()
        };
        let output = run(self.ctx.host, &exec, self.ctx.cancel);
        let output = output.map_err(|error| failed(error.to_string()))?;
        if output.timed_out {
            return Err(failed(format!("it took longer than {} s", TIMEOUT.as_secs())));
        }
        Ok(Said {
            code: output.code,
            out: output.stdout.trim_end().to_owned(),
            err: output.stderr.trim_end().to_owned(),
        })
    }

    /// Runs git; returns what it printed.
    pub(super) fn run(&self, cwd: &str, argv: &[&str]) -> Result<String, Failure> {
        let said = self.say(cwd, argv)?;
        if said.code == 0 {
            return Ok(said.out);
        }
        Err(Failure { command: format!("git {}", argv.join(" ")), told: said.err })
    }

    /// Runs git; returns what it printed and told, and so does a failure.
    pub(super) fn run_both(&self, cwd: &str, argv: &[&str]) -> Result<String, Failure> {
        let said = self.say(cwd, argv)?;
        let both = [said.out, said.err].join("\n").trim().to_owned();
        if said.code == 0 {
            return Ok(both);
        }
        Err(Failure { command: format!("git {}", argv.join(" ")), told: both })
    }

    /// What a revision stands for, if it is there.
    pub(super) fn parse(&self, cwd: &str, rev: &str) -> Option<String> {
        self.run(cwd, &["rev-parse", rev]).ok()
    }

    /// The commit that is checked out, and the branch (`HEAD` if none).
    pub(super) fn here(&self, cwd: &str) -> (Option<String>, Option<String>) {
        let branch = self.run(cwd, &["rev-parse", "--abbrev-ref", "HEAD"]).ok();
        (self.parse(cwd, "HEAD"), branch)
    }

    fn names(&self, cwd: &str, below: &str) -> Result<Vec<String>, Failure> {
        let listed = self.run(cwd, &["for-each-ref", "--format", "%(refname:short)", below])?;
        Ok(listed.lines().map(str::to_owned).collect())
    }

    pub(super) fn branches(&self, cwd: &str) -> Result<Vec<String>, Failure> {
        self.names(cwd, "refs/heads/")
    }

    pub(super) fn tags(&self, cwd: &str) -> Result<Vec<String>, Failure> {
        self.names(cwd, "refs/tags/")
    }

    /// The address that a remote is fetched from.
    pub(super) fn fetch_url(&self, cwd: &str, remote: &str) -> Result<Option<String>, Failure> {
        let listed = self.run(cwd, &["remote", "--verbose"])?;
        let entry = |line: &str| {
            let (name, rest) = line.split_once(char::is_whitespace)?;
            let url = rest.trim().strip_suffix("(fetch)")?;
            (name == remote).then(|| url.trim().to_owned())
        };
        Ok(listed.lines().find_map(entry))
    }

    /// Gives a remote its address.
    pub(super) fn set_remote(&self, cwd: &str, remote: &str, url: &str) -> Result<(), Failure> {
        if self.fetch_url(cwd, remote)?.is_some() {
            self.run(cwd, &["remote", "rm", remote])?;
        }
        self.run(cwd, &["remote", "add", remote, url]).map(|_| ())
    }

    /// Whether a folder is a checkout: has a `.git`, or is a worktree of another one.
    pub(super) fn is_checkout(&self, target: &str) -> bool {
        let inner = format!("{}/.git", target.trim_end_matches('/'));
        if self.ctx.host.stat(&inner).is_some_and(|meta| meta.is_dir()) {
            return true;
        }
        if self.ctx.host.stat(target).is_none_or(|meta| !meta.is_dir()) {
            return false;
        }
        let top = self.run(target, &["rev-parse", "--show-toplevel"]).unwrap_or_default();
        let file = std::fs::read_to_string(format!("{top}/.git")).unwrap_or_default();
        file.strip_prefix("gitdir: ").is_some_and(|path| path.starts_with('/'))
    }

    /// Fetches; whether that brought anything.
    pub(super) fn fetch(
        &self,
        cwd: &str,
        remote: &str,
        force: bool,
        refspecs: &[String],
    ) -> Result<bool, Failure> {
        let mut argv = vec!["fetch"];
        if force {
            argv.push("--force");
        }
        argv.push(remote);
        argv.extend(refspecs.iter().map(String::as_str));
        Ok(self.run_both(cwd, &argv)?.lines().any(is_update))
    }
}

/// A line of `git fetch` that tells of a new or moved reference.
fn is_update(line: &str) -> bool {
    let line = line.trim_start_matches(|c: char| c.is_whitespace() || c == '*');
    let moved = line.split_once("..").is_some_and(|(old, rest)| {
        let new = rest.split_whitespace().next().unwrap_or_default();
        let hex = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_hexdigit());
        hex(old) && hex(new)
    });
    let new = ["[new tag]", "[new branch]", "[tag update]"].iter().any(|s| line.starts_with(s));
    line.contains("->") && (moved || new)
}

/// A name or a password as an address takes it (RFC 3986).
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let one =
        |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_fetch_brought_is_seen() {
        assert!(is_update("   1a2b3c4..5d6e7f8  main       -> origin/main"));
        assert!(is_update(" * [new tag]         v1         -> v1"));
        assert!(!is_update(" * branch            main       -> FETCH_HEAD"));
        assert!(!is_update("From /srv/repo"));
    }

    #[test]
    fn a_password_is_encoded_for_an_address() {
        assert_eq!(encoded("p@ss:w/rd"), "p%40ss%3Aw%2Frd");
    }
}
