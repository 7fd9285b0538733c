//! What one server of the `local` provider is on disk: a folder, and the files in it.
//!
//! The provider writes the folder whole and then renames it into place, so a folder that is there
//! can be read. After that each file has one writer: the supervisor writes who runs, PID 1 appends
//! what happened, and the provider leaves the mark that it is to be removed.

use super::process::Process;
use muster_protocol::id::{AgentId, ClusterName, PoolName, UnixMillis, WorkerName};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The longest journal that is read; the worker's root may append to it.
const JOURNAL_BYTES_MAX: u64 = 64 << 10;
/// The longest JSON document that is read.
const DOCUMENT_BYTES_MAX: u64 = 256 << 10;
/// How much of a worker's output is told when its commands failed.
const TAIL_BYTES_MAX: u64 = 2 << 10;
/// How many lines of a worker's output are told when its commands failed.
const TAIL_LINES_MAX: usize = 12;

/// How a worker is kept apart from the machine that it runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Isolation {
    /// As root: an overlay on `/`, its own processes, mounts, host name and IPC.
    Root,
    /// As anybody: a user namespace with one uid, and overlays on what states change.
    User,
    /// A folder. The worker's processes are the user's own.
    None,
}

impl Isolation {
    /// All of them, the strongest first.
    pub const ALL: [Isolation; 3] = [Isolation::Root, Isolation::User, Isolation::None];

    /// Its name in the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Isolation::Root => "root",
            Isolation::User => "user",
            Isolation::None => "none",
        }
    }
}

/// What the provider asks for. It holds no secret: user-data is a file of its own.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Spec {
    /// The server's id, a UUID.
    pub(crate) id: String,
    pub(crate) name: WorkerName,
    pub(crate) agent_id: AgentId,
    pub(crate) cluster: ClusterName,
    pub(crate) pool: PoolName,
    pub(crate) image: String,
    pub(crate) created_at: UnixMillis,
    pub(crate) isolation: Isolation,
    /// What the worker sees at `/usr/bin/muster-agent`.
    pub(crate) agent_binary: Option<PathBuf>,
    /// Folders of the machine that the worker sees empty.
    pub(crate) hidden: Vec<PathBuf>,
}

/// Who runs. PID 1 is missing until it has been told to begin.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Running {
    pub(crate) supervisor: Process,
    pub(crate) init: Option<Process>,
}

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) at: UnixMillis,
    pub(crate) step: Step,
}

/// How far a server has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    /// PID 1 was told to begin.
    Begun,
    /// The files are written, and the commands begin.
    Running,
    /// The commands have ended well.
    Done,
    /// The server could not be made, or its commands failed.
    Failed(String),
}

/// The folder of one server.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    pub(crate) fn new(path: impl Into<PathBuf>) -> Folder {
        Folder { path: path.into() }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the worker's `/` is put together; with isolation `none`, the worker's `/` itself.
    pub(crate) fn root(&self) -> PathBuf {
        self.path.join("root")
    }

    /// Where commands write to.
    pub(crate) fn output(&self) -> PathBuf {
        self.path.join("output")
    }

    fn user_data(&self) -> PathBuf {
        self.path.join("user-data")
    }

    /// Makes the folder with all that a supervisor needs.
    pub(crate) fn make(&self, spec: &Spec, user_data: &str) -> io::Result<()> {
        private_folder(&self.path)?;
        private_folder(&self.root())?;
        private_file(&self.user_data(), user_data.as_bytes())?;
        private_file(&self.path.join("spec.json"), &serde_json::to_vec(spec)?)
    }

    pub(crate) fn spec(&self) -> io::Result<Spec> {
        read_json(&self.path.join("spec.json"))
    }

    /// Takes the user-data, which is not there any more afterwards.
    pub(crate) fn take_user_data(&self) -> io::Result<String> {
        let text = fs::read_to_string(self.user_data())?;
        fs::remove_file(self.user_data())?;
        Ok(text)
    }

    pub(crate) fn running(&self) -> io::Result<Option<Running>> {
        match read_json(&self.path.join("running.json")) {
            Ok(running) => Ok(Some(running)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn set_running(&self, running: &Running) -> io::Result<()> {
        let part = self.path.join("running.json.part");
        private_file(&part, &serde_json::to_vec(running)?)?;
        fs::rename(part, self.path.join("running.json"))
    }

    /// Marks it as to be removed: a supervisor that finds the mark ends at once.
    pub(crate) fn condemn(&self) -> io::Result<()> {
        private_file(&self.path.join("condemned"), b"")
    }

    pub(crate) fn is_condemned(&self) -> bool {
        self.path.join("condemned").exists()
    }

    pub(crate) fn journal(&self) -> io::Result<Journal> {
        let path = self.path.join("journal");
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
        Ok(Journal { file })
    }

    /// Everything that happened, as far as it can be read.
    pub(crate) fn entries(&self) -> io::Result<Vec<Entry>> {
        let file = match File::open(self.path.join("journal")) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut bytes = Vec::new();
        file.take(JOURNAL_BYTES_MAX).read_to_end(&mut bytes)?;
        let lines = bytes.split(|byte| *byte == b'\n');
        Ok(lines.map_while(|line| serde_json::from_slice(line).ok()).collect())
    }

    /// The last lines of what the worker's commands wrote.
    pub(crate) fn output_tail(&self) -> io::Result<String> {
        let mut file = File::open(self.output())?;
        let length = file.seek(SeekFrom::End(0))?;
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES_MAX)))?;
        let mut bytes = Vec::new();
        file.take(TAIL_BYTES_MAX).read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        Ok(lines[lines.len().saturating_sub(TAIL_LINES_MAX)..].join("\n"))
    }
}

/// The open journal: PID 1 keeps it when the folder is out of its sight.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
}

impl Journal {
    pub(crate) fn append(&mut self, step: Step) -> io::Result<()> {
        let mut line = serde_json::to_vec(&Entry { at: UnixMillis::now(), step })?;
        line.push(b'\n');
        self.file.write_all(&line)
    }
}

/// Makes a folder that only its owner may enter.
pub(crate) fn private_folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().mode(0o700).create(path)
}

fn private_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(path)?.write_all(bytes)
}

fn read_json<T: DeserializeOwned>(path: &Path) -> io::Result<T> {
    let mut bytes = Vec::new();
    File::open(path)?.take(DOCUMENT_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(serde_json::from_slice(&bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_is_read_up_to_what_is_no_entry() {
        let folder = tempfile::tempdir().unwrap();
        let folder = Folder::new(folder.path());
        let mut journal = folder.journal().unwrap();
        journal.append(Step::Begun).unwrap();
        journal.append(Step::Failed("a\nb".to_owned())).unwrap();
        journal.file.write_all(b"{\"at\":").unwrap();
        let steps: Vec<Step> =
            folder.entries().unwrap().into_iter().map(|entry| entry.step).collect();
        assert_eq!(steps, [Step::Begun, Step::Failed("a\nb".to_owned())]);
    }

    #[test]
    fn the_tail_of_an_output_is_its_last_lines() {
        let folder = tempfile::tempdir().unwrap();
        let folder = Folder::new(folder.path());
        let text: Vec<String> = (0..500).map(|number| format!("line {number}")).collect();
        fs::write(folder.output(), text.join("\n")).unwrap();
        let tail = folder.output_tail().unwrap();
        assert_eq!(tail.lines().count(), TAIL_LINES_MAX);
        assert!(tail.ends_with("line 498\nline 499"), "{tail}");
    }

    #[test]
    fn user_data_is_taken_once() {
        let parent = tempfile::tempdir().unwrap();
        let folder = Folder::new(parent.path().join("one"));
        private_folder(folder.path()).unwrap();
        private_file(&folder.user_data(), b"#cloud-config").unwrap();
        assert_eq!(folder.take_user_data().unwrap(), "#cloud-config");
        assert!(folder.take_user_data().is_err());
    }
}
