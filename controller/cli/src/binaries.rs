//! Where the other binaries are: named by the environment, beside this one, in PATH, or fetched.

use crate::failure::{Failure, Result};
use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// A binary that this command starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binary {
    /// The daemon on the head node.
    Controller,
    /// The daemon on a worker, which the demo launches here.
    Agent,
    /// The message server.
    NatsServer,
}

impl Binary {
    /// The file's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Binary::Controller => "muster-controller",
            Binary::Agent => "muster-agent",
            Binary::NatsServer => "nats-server",
        }
    }

    /// The variable that names the file; it goes before all else.
    pub(crate) fn variable(self) -> &'static str {
        match self {
            Binary::Controller => "MUSTER_CONTROLLER",
            Binary::Agent => "MUSTER_AGENT",
            Binary::NatsServer => "MUSTER_NATS_SERVER",
        }
    }

    /// Finds the file.
    pub(crate) fn find(self) -> Result<PathBuf> {
        let named = env::var_os(self.variable()).filter(|value| !value.is_empty());
        let me = env::current_exe().unwrap_or_default();
        let path = env::var_os("PATH").unwrap_or_default();
        self.search(named.as_deref(), &me, &path)
    }

    fn search(self, named: Option<&OsStr>, me: &Path, path: &OsStr) -> Result<PathBuf> {
        let (name, variable) = (self.name(), self.variable());
        if let Some(named) = named.map(PathBuf::from) {
            return executable(&named).then_some(named.clone()).ok_or_else(|| {
                let what = format!("{variable} names {}, which is no program", named.display());
                Failure::say(what, format!("set {variable} to a {name}, or unset it"))
            });
        }
        let beside = me.parent().map(Path::to_owned);
        let folders = beside.into_iter().chain(env::split_paths(path)).chain(self.fetched(me));
        folders.map(|folder| folder.join(name)).find(|file| executable(file)).ok_or_else(|| {
            let what = format!("{name} is neither beside muster nor in PATH");
            Failure::say(what, format!("install {name}, or set {variable} to it"))
        })
    }
}

impl Binary {
    /// Where a checkout that this program was built in keeps what `make` has fetched.
    fn fetched(self, me: &Path) -> impl Iterator<Item = PathBuf> {
        let folders = me.ancestors().map(|folder| folder.join(".tools"));
        folders.filter(move |_| self == Binary::NatsServer)
    }
}

fn executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_goes_first_then_the_folder_then_path() {
        let here = env::current_exe().unwrap();
        let named = Binary::Agent.search(Some(here.as_os_str()), &here, OsStr::new(""));
        assert_eq!(named.unwrap(), here);
        let shell = Path::new("/bin/sh");
        assert_eq!(Binary::NatsServer.fetched(shell).next(), Some("/bin/sh/.tools".into()));
        assert_eq!(Binary::Agent.fetched(shell).next(), None);
        let wrong = Binary::Agent.search(Some(OsStr::new("/nowhere")), &here, OsStr::new("/bin"));
        assert!(wrong.unwrap_err().next().contains("MUSTER_AGENT"));
        let none = Binary::Agent.search(None, &here, OsStr::new("/nowhere"));
        assert!(none.unwrap_err().text().contains("muster-agent is neither"));
    }
}
