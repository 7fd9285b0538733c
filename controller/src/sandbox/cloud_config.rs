//! Reads the two modules of a `#cloud-config` that a worker needs: `write_files` and `runcmd`.
//!
//! Any other module is an error that names it, so that user-data never works here and fails on a
//! cloud, or the other way round. The meaning is cloud-init's (modules cc_write_files and
//! cc_runcmd, `util.shellify`).

use base64::Engine;
use muster_protocol::yaml::{self, Words};
use serde::Deserialize;
use std::fmt::Write;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

/// The first line, without which cloud-init does not take a text for a configuration.
const HEADER: &str = "#cloud-config";
/// The most bytes that one file may have once it is decoded.
const FILE_BYTES_MAX: u64 = 8 << 20;
/// The most files, and the most commands.
const ENTRIES_MAX: usize = 256;

/// What a worker does at its first boot.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CloudConfig {
    pub(crate) files: Vec<WriteFile>,
    pub(crate) commands: Vec<RunCommand>,
}

/// A file to write.
#[derive(PartialEq, Eq)]
pub(crate) struct WriteFile {
    pub(crate) path: PathBuf,
    pub(crate) content: Vec<u8>,
    pub(crate) mode: u32,
    /// `user:group`.
    pub(crate) owner: String,
    pub(crate) append: bool,
}

/// A command to run.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(crate) enum RunCommand {
    /// As a shell would be told.
    Shell(String),
    /// Word by word.
    Words(Vec<String>),
}

/// A text that is no `#cloud-config` of these two modules.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("the user-data does not begin with {HEADER:?}")]
    NoHeader,
    /// The text of the parser's error is left out where it could show a secret.
    #[error("write_files or runcmd is not as cloud-init's schema has it{}", place(*line))]
    NotYaml { line: Option<u64> },
    #[error("the user-data has {0:?}: only write_files and runcmd are performed here")]
    Module(String),
    #[error("write_files has more than {ENTRIES_MAX} entries, or runcmd")]
    TooMany,
    #[error("write_files: {0:?} is no absolute path without '..'")]
    Path(String),
    #[error("write_files: {path}: {permissions:?} are no permissions in octal")]
    Permissions { path: String, permissions: String },
    #[error("write_files: {path}: unknown encoding {encoding:?}")]
    Encoding { path: String, encoding: String },
    #[error("write_files: {0}: the content is not as its encoding says, or is too long")]
    Content(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Modules {
    #[serde(default)]
    write_files: Vec<Entry>,
    #[serde(default)]
    runcmd: Vec<RunCommand>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    path: String,
    #[serde(default)]
    content: String,
    #[serde(default)]
    permissions: Option<String>,
    #[serde(default)]
    owner: Option<String>,
    #[serde(default)]
    encoding: Option<String>,
    #[serde(default)]
    append: bool,
}

impl CloudConfig {
    /// Reads user-data.
    pub(crate) fn parse(text: &str) -> Result<CloudConfig, Error> {
        if text.lines().next().map(str::trim_end) != Some(HEADER) {
            return Err(Error::NoHeader);
        }
        refuse_other_modules(text)?;
        let modules: Modules = read(text)?;
        if modules.write_files.len() > ENTRIES_MAX || modules.runcmd.len() > ENTRIES_MAX {
            return Err(Error::TooMany);
        }
        let files = modules.write_files.into_iter().map(write_file).collect::<Result<_, _>>()?;
        Ok(CloudConfig { files, commands: modules.runcmd })
    }

    /// The commands as cloud-init writes them for a shell. They go on after a failure, and the
    /// last one's exit status is the script's.
    pub(crate) fn script(&self) -> String {
        let mut script = String::from("#!/bin/sh\n");
        for command in &self.commands {
            let line = match command {
                RunCommand::Shell(line) => line.clone(),
                RunCommand::Words(words) => {
                    words.iter().map(|word| shell_word(word)).collect::<Vec<_>>().join(" ")
                }
            };
            writeln!(script, "{line}").expect("a String takes any text");
        }
        script
    }
}

impl std::fmt::Debug for WriteFile {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(to, "WriteFile({:?}, {} bytes)", self.path, self.content.len())
    }
}

fn refuse_other_modules(text: &str) -> Result<(), Error> {
    type Names = std::collections::BTreeMap<String, serde::de::IgnoredAny>;
    let names: Names = read(text)?;
    match names.into_keys().find(|name| name != "write_files" && name != "runcmd") {
        Some(name) => Err(Error::Module(name)),
        None => Ok(()),
    }
}

fn write_file(entry: Entry) -> Result<WriteFile, Error> {
    let path = PathBuf::from(&entry.path);
    if !is_plain(&path) {
        return Err(Error::Path(entry.path));
    }
    let permissions = entry.permissions.unwrap_or_else(|| "0644".to_owned());
    let digits = permissions.strip_prefix("0o").unwrap_or(&permissions);
    let mode = u32::from_str_radix(digits, 8).ok().filter(|mode| *mode <= 0o7777);
    let Some(mode) = mode else {
        return Err(Error::Permissions { path: entry.path, permissions });
    };
    let content = decode(&entry.path, entry.content, entry.encoding)?;
    let owner = entry.owner.unwrap_or_else(|| "root:root".to_owned());
    Ok(WriteFile { path, content, mode, owner, append: entry.append })
}

fn is_plain(path: &Path) -> bool {
    let mut parts = path.components();
    parts.next() == Some(Component::RootDir)
        && path.file_name().is_some()
        && parts.all(|part| matches!(part, Component::Normal(_)))
        && !path.as_os_str().as_encoded_bytes().contains(&0)
}

fn decode(path: &str, content: String, encoding: Option<String>) -> Result<Vec<u8>, Error> {
    let encoding = encoding.unwrap_or_else(|| "text/plain".to_owned());
    match encoding.to_ascii_lowercase().trim() {
        "text/plain" => Ok(content.into_bytes()),
        "b64" | "base64" => from_base64(path, &content),
        // Plain gzip is `!!binary` in YAML, and thus base64 too.
        "gz" | "gzip" | "gz+b64" | "gz+base64" | "gzip+b64" | "gzip+base64" => {
            let packed = from_base64(path, &content)?;
            let mut unpacked = Vec::new();
            let reader = flate2::read::GzDecoder::new(packed.as_slice());
            let read = reader.take(FILE_BYTES_MAX + 1).read_to_end(&mut unpacked);
            let whole = read.is_ok() && unpacked.len() as u64 <= FILE_BYTES_MAX;
            if whole { Ok(unpacked) } else { Err(Error::Content(path.to_owned())) }
        }
        _ => Err(Error::Encoding { path: path.to_owned(), encoding }),
    }
}

fn from_base64(path: &str, content: &str) -> Result<Vec<u8>, Error> {
    let digits: String = content.split_ascii_whitespace().collect();
    let engine = base64::engine::general_purpose::STANDARD;
    engine.decode(digits).map_err(|_| Error::Content(path.to_owned()))
}

fn shell_word(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// Reads within limits; the place alone is told.
fn read<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Error> {
    yaml::parse(text, Path::new("user-data"), Words::Hidden).map_err(|error| match error {
        yaml::Error::Content { line, .. } => Error::NotYaml { line: Some(line) },
        yaml::Error::Read { .. } | yaml::Error::TooLarge { .. } => Error::NotYaml { line: None },
    })
}

fn place(line: Option<u64>) -> String {
    line.map(|line| format!(": see its line {line}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> Result<CloudConfig, Error> {
        CloudConfig::parse(&format!("#cloud-config\n{body}"))
    }

    fn refusal(body: &str) -> String {
        parse(body).unwrap_err().to_string()
    }

    #[test]
    fn files_are_read_in_each_encoding() {
        let config = parse(
            "write_files:\n\
             - {path: /a, content: hello, permissions: '0600', owner: 'me:us'}\n\
             - {path: /b/c, content: aGVsbG8=, encoding: b64, append: true}\n\
             - {path: /d, encoding: gz+b64,\n\
                content: H4sIAAAAAAAAA8tIzcnJBwCGphA2BQAAAA==}\n\
             - {path: /e, permissions: 0750}\n",
        );
        let files = config.unwrap().files;
        assert!(files[..3].iter().all(|file| file.content == b"hello"));
        let modes: Vec<u32> = files.iter().map(|file| file.mode).collect();
        assert_eq!(modes, [0o600, 0o644, 0o644, 0o750]);
        assert_eq!((files[0].owner.as_str(), files[1].append), ("me:us", true));
    }

    #[test]
    fn commands_are_quoted_for_a_shell() {
        let config = parse("runcmd:\n- echo $HOME\n- [echo, \"it's\", a b, \"two\\nlines\"]\n");
        let script = config.unwrap().script();
        assert_eq!(script, "#!/bin/sh\necho $HOME\n'echo' 'it'\\''s' 'a b' 'two\nlines'\n");
    }

    #[test]
    fn another_module_is_named() {
        assert!(refusal("packages: [sl]\nruncmd: []\n").contains("\"packages\""));
        assert!(CloudConfig::parse("runcmd: []\n").is_err());
        assert!(CloudConfig::parse("#cloud-config\n{}").unwrap().commands.is_empty());
    }

    #[test]
    fn what_cannot_be_a_file_is_refused() {
        for path in ["relative", "/a/../b", "/", "''"] {
            let text = refusal(&format!("write_files: [{{path: {path}}}]\n"));
            assert!(text.contains("absolute path"), "{path}: {text}");
        }
        assert!(refusal("write_files: [{path: /a, permissions: rwx}]").contains("octal"));
        assert!(refusal("write_files: [{path: /a, permissions: '17777'}]").contains("octal"));
        assert!(refusal("write_files: [{path: /a, encoding: rot13}]").contains("rot13"));
        assert!(refusal("write_files: [{path: /a, encoding: b64, content: '?'}]").contains("/a"));
    }

    #[test]
    fn a_refusal_shows_no_content() {
        let body = "write_files:\n- path: /a\n  content: s3cret\n  colour: s3cret\n";
        let error = parse(body).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
        assert!(error.to_string().contains("line"), "{error}");
    }
}
