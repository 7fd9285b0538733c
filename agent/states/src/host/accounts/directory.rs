//! Users and groups of a directory (LDAP, SSSD): asked through `getent`, which also works from a
//! static binary, and only where nsswitch.conf names a source besides the files.

use std::collections::HashMap;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::super::Host;

/// How long an answer is believed.
const FRESH: Duration = Duration::from_secs(10);
/// Answers that are kept.
const ANSWERS_MAX: usize = 10_000;
/// Sources that know no more than the files do.
const FILES: [&str; 6] = ["files", "compat", "systemd", "altfiles", "extrausers", "myhostname"];

/// When it was asked, and the line that it gave.
type Answer = (Instant, Option<String>);

/// The system's directory, with what it answered lately.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    answers: Mutex<HashMap<(&'static str, String), Answer>>,
}

impl Directory {
    /// The host's directory, if it has one.
    pub(super) fn of(host: &Host) -> Option<Directory> {
        if host.root().is_some() {
            return None;
        }
        let switch = host.read_text("/etc/nsswitch.conf")?;
        has_directory(&switch).then(Directory::default)
    }

    /// The line that `getent DATABASE KEY` prints.
    pub(super) fn line(&self, database: &'static str, key: &str) -> Option<String> {
        let slot = (database, key.to_owned());
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, answer)) = answers.get(&slot)
            && at.elapsed() < FRESH
        {
            return answer.clone();
        }
        let answer = ask(database, key);
        if answers.len() >= ANSWERS_MAX {
            answers.clear();
        }
        answers.insert(slot, (Instant::now(), answer.clone()));
        answer
    }
}

fn has_directory(switch: &str) -> bool {
    switch.lines().any(|line| {
        let line = line.split('#').next().unwrap_or_default();
        let Some((database, sources)) = line.split_once(':') else { return false };
        let sources = sources.split_whitespace().filter(|word| !word.starts_with('['));
        matches!(database.trim(), "passwd" | "group")
            && sources.into_iter().any(|source| !FILES.contains(&source))
    })
}

fn ask(database: &str, key: &str) -> Option<String> {
    let mut command = Command::new("getent");
    command.args([database, "--", key]).stdin(Stdio::null()).stderr(Stdio::null());
    let output = command.output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_source_besides_the_files_is_a_directory() {
        assert!(!has_directory("passwd: files systemd\ngroup: files [SUCCESS=merge] systemd\n"));
        assert!(!has_directory("hosts: files dns\n# passwd: sss\n"));
        assert!(has_directory("passwd: files sss\n"));
        assert!(has_directory("group:\tfiles ldap # people\n"));
    }

    #[test]
    fn getent_is_asked_by_name_and_by_number() {
        let directory = Directory::default();
        assert!(directory.line("passwd", "root").is_some_and(|line| line.starts_with("root:")));
        assert!(directory.line("group", "0").is_some_and(|line| line.starts_with("root:")));
        assert_eq!(directory.line("passwd", "-no-such-user"), None);
    }
}
