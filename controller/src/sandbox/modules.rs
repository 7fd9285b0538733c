//! Performs the two modules: writes the files, and starts the commands.

use super::cloud_config::{CloudConfig, RunCommand, WriteFile};
use super::record::Isolation;
use crate::user_data::AGENT_PATH;
use nix::unistd::{Group, User};
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Where cloud-init keeps the script that it makes of `runcmd`.
const SCRIPT: &str = "/var/lib/cloud/instance/scripts/runcmd";
/// Where the server's id is told: as cloud-init does, and where the agent looks before it asks the
/// firmware, whose id is the machine's and the same for all workers on it.
const INSTANCE_ID: [&str; 2] = ["/var/lib/cloud/data/instance-id", "/etc/muster/server_id"];
/// The search path that commands begin with.
const SEARCH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A file that could not be written, or a command not begun.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("writing {}", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("writing {}: there is no {owner:?}", path.display())]
    Owner { path: PathBuf, owner: String },
    #[error("starting the commands")]
    Start(#[source] io::Error),
}

/// Where the modules are performed.
#[derive(Debug)]
pub(crate) struct Place {
    /// What paths are below: `/`, or the folder of isolation `none`.
    pub(crate) root: PathBuf,
    pub(crate) isolation: Isolation,
    /// The agent of this machine, where nothing shows it at its usual place.
    pub(crate) agent_binary: Option<PathBuf>,
}

impl Place {
    /// Writes the server's id and the files.
    pub(crate) fn write_files(&self, config: &CloudConfig, id: &str) -> Result<(), Error> {
        for path in INSTANCE_ID {
            self.write(&plain(path, format!("{id}\n"), 0o644))?;
        }
        config.files.iter().try_for_each(|file| self.write(file))
    }

    /// Starts the commands, in one shell as cloud-init does; their output is our own's errors'.
    pub(crate) fn start(&self, config: CloudConfig) -> Result<Child, Error> {
        let config = self.with_agent_in_place(config);
        self.write(&plain(SCRIPT, config.script(), 0o700))?;
        let output = || io::stderr().as_fd().try_clone_to_owned().map_err(Error::Start);
        let mut command = Command::new("/bin/sh");
        command.arg(self.at(Path::new(SCRIPT)));
        command.env_clear().env("PATH", SEARCH).env("LANG", "C.UTF-8").env("container", "muster");
        command.env("USER", "root").env("LOGNAME", "root").current_dir(&self.root);
        match self.isolation {
            Isolation::None => command.env("HOME", &self.root).env("MUSTER_ROOT", &self.root),
            Isolation::Root | Isolation::User => command.env("HOME", "/root"),
        };
        command.stdin(Stdio::null()).stdout(output()?).stderr(output()?);
        command.spawn().map_err(Error::Start)
    }

    /// In a folder, the agent is where it is on this machine.
    fn with_agent_in_place(&self, mut config: CloudConfig) -> CloudConfig {
        let binary = self.agent_binary.as_ref().and_then(|binary| binary.to_str());
        if let (Isolation::None, Some(binary)) = (self.isolation, binary) {
            for command in &mut config.commands {
                if let RunCommand::Words(words) = command {
                    let usual = words.iter_mut().filter(|word| *word == AGENT_PATH);
                    usual.for_each(|word| binary.clone_into(word));
                }
            }
        }
        config
    }

    fn write(&self, file: &WriteFile) -> Result<(), Error> {
        let path = self.at(&file.path);
        let failed = |source| Error::Write { path: path.clone(), source };
        if let Some(parent) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o755).create(parent).map_err(failed)?;
        }
        let mut options = OpenOptions::new();
        // The mode is not yet the final one, as a file that was there keeps its own until then.
        options.create(true).mode(0o600).append(file.append).write(true).truncate(!file.append);
        let mut open = options.open(&path).map_err(failed)?;
        open.write_all(&file.content).map_err(failed)?;
        self.set_owner(&path, &file.owner)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(file.mode)).map_err(failed)
    }

    /// With one uid, everything is its own; otherwise the owner is as it says.
    fn set_owner(&self, path: &Path, owner: &str) -> Result<(), Error> {
        if self.isolation != Isolation::Root || owner == "root:root" {
            return Ok(());
        }
        let unknown = || Error::Owner { path: path.to_owned(), owner: owner.to_owned() };
        let (user, group) = owner.split_once(':').unwrap_or((owner, ""));
        let user = User::from_name(user).ok().flatten().ok_or_else(unknown)?;
        let group = match group {
            "" => None,
            name => Some(Group::from_name(name).ok().flatten().ok_or_else(unknown)?),
        };
        let group = group.map(|group| group.gid.as_raw());
        chown(path, Some(user.uid.as_raw()), group)
            .map_err(|source| Error::Write { path: path.to_owned(), source })
    }

    fn at(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }
}

fn plain(path: &str, text: String, mode: u32) -> WriteFile {
    WriteFile {
        path: PathBuf::from(path),
        content: text.into_bytes(),
        mode,
        owner: "root:root".to_owned(),
        append: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(root: &Path) -> Place {
        let agent_binary = Some(PathBuf::from("/opt/agent"));
        Place { root: root.to_owned(), isolation: Isolation::None, agent_binary }
    }

    #[test]
    fn files_are_written_below_the_root_with_their_modes() {
        let root = tempfile::tempdir().unwrap();
        let text = "#cloud-config\nwrite_files:\n\
            - {path: /etc/a/b, content: secret, permissions: '0600', owner: 'nobody-at-all'}\n\
            - {path: /etc/a/b, content: ' and more', permissions: '0640', append: true}\n";
        let config = CloudConfig::parse(text).unwrap();
        place(root.path()).write_files(&config, "an-id").unwrap();
        let path = root.path().join("etc/a/b");
        assert_eq!(fs::read_to_string(&path).unwrap(), "secret and more");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o640);
        let id = fs::read_to_string(root.path().join("var/lib/cloud/data/instance-id")).unwrap();
        assert_eq!(id, "an-id\n");
    }

    #[test]
    fn the_agent_is_called_where_it_is_on_this_machine() {
        let text =
            "#cloud-config\nruncmd:\n- [/usr/bin/muster-agent, up]\n- /usr/bin/muster-agent\n";
        let config = CloudConfig::parse(text).unwrap();
        let script = place(Path::new("/")).with_agent_in_place(config).script();
        assert_eq!(script, "#!/bin/sh\n'/opt/agent' 'up'\n/usr/bin/muster-agent\n");
    }
}
