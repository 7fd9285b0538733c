//! A hosts file: one marked block is ours, the rest is never touched.
//!
//! The file is replaced by a rename, with the old one's mode, owner and extended attributes
//! (SELinux' label among them); nobody ever reads half of it. If somebody else changes it
//! meanwhile, theirs is read again first.

use super::Member;
use muster_protocol::id::ClusterName;
use rustix::fs::{XattrFlags, fgetxattr, flistxattr, fsetxattr};
use serde::Deserialize;
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::{Path, PathBuf};

/// The largest hosts file, in bytes.
const BYTES_MAX: u64 = 64 << 20;
/// How often the file is read again because somebody else has changed it.
const TRIES_MAX: u32 = 8;
/// The largest extended attribute that is kept, and the longest list of their names, in bytes.
const XATTR_BYTES_MAX: usize = 64 << 10;

/// A hosts file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The file.
    pub(super) path: PathBuf,
    /// Names are also written with this domain behind them.
    domain: Option<Domain>,
}

impl Default for Config {
    fn default() -> Config {
        Config { path: "/etc/hosts".into(), domain: None }
    }
}

/// A domain: labels with dots between.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
struct Domain(String);

impl TryFrom<String> for Domain {
    type Error = String;
    fn try_from(text: String) -> Result<Domain, String> {
        let is_label = |label: &str| label.parse::<ClusterName>().is_ok();
        match text.split('.').all(is_label) {
            true => Ok(Domain(text)),
            false => Err(format!("{text:?} is no domain; write it as cluster.example.org")),
        }
    }
}

/// Why a hosts file could not be written.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// A system call.
    #[error("{doing} {}: {source}{}", path.display(), hint(source))]
    Io {
        /// What was tried.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why not. It is in the text, which becomes an event.
        source: io::Error,
    },
    /// Too large to be one.
    #[error("{} has more than {BYTES_MAX} bytes; is it a hosts file?", .0.display())]
    Large(PathBuf),
    /// The markers are not as they were written.
    #[error("{}: {what}; make it right by hand, or remove the block", path.display())]
    Markers {
        /// Which file.
        path: PathBuf,
        /// What is wrong, and where.
        what: String,
    },
    /// Others write it all the time.
    #[error("{} was changed by others {TRIES_MAX} times in a row", .0.display())]
    Contended(PathBuf),
    /// The task that wrote it is gone.
    #[error("the controller is stopping")]
    Stopping,
}

fn hint(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "; let the controller's user write its folder, or name another file at \
             membership.hosts.path (docs/operations.md)"
        }
        io::ErrorKind::ResourceBusy => {
            "; it is mounted and cannot be replaced: name another file at membership.hosts.path"
        }
        _ => "",
    }
}

/// Makes the file's block hold these members.
pub(super) async fn write(
    config: &Config,
    cluster: &ClusterName,
    members: &[Member],
) -> Result<(), Error> {
    let (path, cluster) = (config.path.clone(), cluster.clone());
    let lines = lines(config, members);
    let written = tokio::task::spawn_blocking(move || replace(&path, &cluster, &lines)).await;
    written.map_err(|_| Error::Stopping)?
}

/// One line for each address, in the order of the names.
fn lines(config: &Config, members: &[Member]) -> String {
    let mut lines = String::new();
    for Member { name, addresses } in members {
        for address in addresses {
            lines += &match &config.domain {
                Some(Domain(domain)) => format!("{address} {name} {name}.{domain}\n"),
                None => format!("{address} {name}\n"),
            };
        }
    }
    lines
}

/// The file with other lines between our markers; they come last if there are none yet.
fn splice(text: &[u8], cluster: &ClusterName, lines: &str) -> Result<Vec<u8>, String> {
    let (begin, end) = (format!("# BEGIN muster {cluster}"), format!("# END muster {cluster}"));
    let block = format!("{begin}\n{lines}{end}\n");
    let (begins, ends) = (places(text, &begin), places(text, &end));
    let (before, after) = match (&begins[..], &ends[..]) {
        ([], []) => (text, &b""[..]),
        ([(from, _)], [(last, to)]) if from < last => (&text[..*from], &text[*to..]),
        _ => {
            let (begins, ends) = (begins.len(), ends.len());
            return Err(format!(
                "{begins} lines {begin:?} and {ends} lines {end:?}, where one of each in this \
                 order would be"
            ));
        }
    };
    let mut spliced = before.to_vec();
    if !spliced.is_empty() && !spliced.ends_with(b"\n") {
        spliced.push(b'\n');
    }
    spliced.extend(block.as_bytes());
    spliced.extend(after);
    Ok(spliced)
}

/// Where the lines are that are this marker: from, to behind the line's end.
fn places(text: &[u8], marker: &str) -> Vec<(usize, usize)> {
    let (mut places, mut from) = (Vec::new(), 0);
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let to = from + line.len();
        if line.trim_ascii_end() == marker.as_bytes() {
            places.push((from, to));
        }
        from = to;
    }
    places
}

fn replace(path: &Path, cluster: &ClusterName, lines: &str) -> Result<(), Error> {
    let failed = |doing, path: &Path| {
        let path = path.to_owned();
        move |source| Error::Io { doing, path, source }
    };
    // A link stays one: what it leads to is replaced.
    let real = match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
        found => found.map_err(failed("finding", path))?,
    };
    for _ in 0..TRIES_MAX {
        let old = read(&real)?;
        let text = old.as_ref().map_or(&b""[..], |(_, _, text)| text);
        let new = splice(text, cluster, lines)
            .map_err(|what| Error::Markers { path: real.clone(), what })?;
        if old.is_some() && new == text {
            return Ok(());
        }
        let old = old.map(|(file, meta, _)| (file, meta));
        if put(&real, old.as_ref(), &new).map_err(failed("writing", &real))? {
            return Ok(());
        }
    }
    Err(Error::Contended(real))
}

type Old = (File, Metadata);

fn read(path: &Path) -> Result<Option<(File, Metadata, Vec<u8>)>, Error> {
    let failed = |source| Error::Io { doing: "reading", path: path.to_owned(), source };
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(failed)?,
    };
    let (meta, mut text) = (file.metadata().map_err(failed)?, Vec::new());
    let read = (&mut file).take(BYTES_MAX + 1).read_to_end(&mut text).map_err(failed)?;
    if read as u64 > BYTES_MAX {
        return Err(Error::Large(path.to_owned()));
    }
    Ok(Some((file, meta, text)))
}

/// Replaces a file, unless it is not the old one any more: then nothing, and false.
fn put(path: &Path, old: Option<&Old>, text: &[u8]) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let mode = old.map_or(0o644, |(_, meta)| meta.mode() & 0o7777);
    let mut new = tempfile::Builder::new().prefix(".muster-hosts-").tempfile_in(folder)?;
    new.write_all(text)?;
    if let Some((file, meta)) = old {
        keep_owner(new.as_file(), meta)?;
        keep_xattrs(file, new.as_file());
    }
    new.as_file().set_permissions(fs::Permissions::from_mode(mode))?;
    new.as_file().sync_all()?;
    if !is_same(path, old.map(|(_, meta)| meta))? {
        return Ok(false);
    }
    new.persist(path).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()?;
    Ok(true)
}

/// A file whose owner cannot be kept is not replaced: it would be ours alone to write.
fn keep_owner(new: &File, old: &Metadata) -> io::Result<()> {
    let meta = new.metadata()?;
    if (meta.uid(), meta.gid()) == (old.uid(), old.gid()) {
        return Ok(());
    }
    fchown(new, Some(old.uid()), Some(old.gid()))
}

/// Copies what can be copied; a filesystem may have none, and a user may not set all.
fn keep_xattrs(old: &File, new: &File) {
    let mut names = vec![0; XATTR_BYTES_MAX];
    let Ok(length) = flistxattr(old, &mut names[..]) else { return };
    let names = names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty());
    for name in names {
        let mut value = vec![0; XATTR_BYTES_MAX];
        let copied = fgetxattr(old, name, &mut value[..])
            .and_then(|length| fsetxattr(new, name, &value[..length], XattrFlags::empty()));
        if let Err(error) = copied {
            let name = String::from_utf8_lossy(name);
            tracing::debug!(%name, %error, "an extended attribute of the hosts file is not kept");
        }
    }
}

/// Whether a path is still the file that was read, unchanged.
fn is_same(path: &Path, old: Option<&Metadata>) -> io::Result<bool> {
    let mark =
        |meta: &Metadata| (meta.dev(), meta.ino(), meta.len(), meta.mtime(), meta.mtime_nsec());
    match fs::metadata(path) {
        Ok(now) => Ok(old.is_some_and(|old| mark(old) == mark(&now))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(old.is_none()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn member(name: &str, addresses: &[&str]) -> Member {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        Member { name: name.parse().unwrap(), addresses }
    }

    fn cluster() -> ClusterName {
        "pluto".parse().unwrap()
    }

    fn put_lines(path: &Path, lines: &str) -> Result<String, Error> {
        replace(path, &cluster(), lines)?;
        Ok(fs::read_to_string(path).unwrap())
    }

    #[test]
    fn each_address_has_a_line_with_the_names() {
        let members = [member("a-1", &["10.0.0.7", "2001:db8::7"]), member("a-2", &["10.0.0.8"])];
        assert_eq!(
            lines(&Config::default(), &members),
            "10.0.0.7 a-1\n2001:db8::7 a-1\n10.0.0.8 a-2\n"
        );
        let config: Config = serde_saphyr::from_str("{domain: hpc.example.org}").unwrap();
        assert_eq!(lines(&config, &members[1..]), "10.0.0.8 a-2 a-2.hpc.example.org\n");
        assert!(serde_saphyr::from_str::<Config>("{domain: 'a b'}").is_err());
    }

    #[test]
    fn what_is_not_ours_is_never_touched() {
        let (begin, end) = ("# BEGIN muster pluto\n", "# END muster pluto\n");
        let block = format!("{begin}10.0.0.7 a-1\n{end}");
        let other = "# BEGIN muster other\n10.0.0.9 b-1\n# END muster other\n";
        for (before, after) in [
            (String::new(), block.clone()),
            ("127.0.0.1 localhost\n".into(), format!("127.0.0.1 localhost\n{block}")),
            ("127.0.0.1 localhost".into(), format!("127.0.0.1 localhost\n{block}")),
            (format!("one\n{begin}old\nolder\n{end}two\n\n"), format!("one\n{block}two\n\n")),
            (format!("one\n{begin}{}", end.trim()), format!("one\n{block}")),
            (format!("{begin}{end}"), block.clone()),
            (other.into(), format!("{other}{block}")),
            (format!("one\r\n{block}# END\n"), format!("one\r\n{block}# END\n")),
        ] {
            let got = splice(before.as_bytes(), &cluster(), "10.0.0.7 a-1\n").unwrap();
            assert_eq!(String::from_utf8(got).unwrap(), after, "{before:?}");
        }
        let bytes = b"\xff\xfe raw\n";
        assert!(splice(bytes, &cluster(), "").unwrap().starts_with(bytes));
    }

    #[test]
    fn a_block_whose_markers_are_broken_is_left_to_a_person() {
        let (begin, end) = ("# BEGIN muster pluto\n", "# END muster pluto\n");
        for text in [
            begin.to_owned(),
            end.to_owned(),
            format!("{end}{begin}"),
            format!("{begin}{end}{begin}{end}"),
            format!("{begin}{begin}{end}"),
        ] {
            let what = splice(text.as_bytes(), &cluster(), "x\n").unwrap_err();
            assert!(what.contains("BEGIN muster pluto"), "{what}");
        }
    }

    #[test]
    fn a_file_keeps_its_mode_and_attributes_and_is_written_only_when_it_changes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hosts");
        fs::write(&path, "127.0.0.1 localhost\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o604)).unwrap();
        let attribute = rustix::fs::setxattr(&path, "user.note", b"kept", XattrFlags::empty());
        let text = put_lines(&path, "10.0.0.7 a-1\n").unwrap();
        let expected =
            "127.0.0.1 localhost\n# BEGIN muster pluto\n10.0.0.7 a-1\n# END muster pluto\n";
        assert_eq!(text, expected);
        let meta = fs::metadata(&path).unwrap();
        assert_eq!(meta.mode() & 0o7777, 0o604);
        if attribute.is_ok() {
            let mut value = [0; 16];
            let length = rustix::fs::getxattr(&path, "user.note", &mut value[..]).unwrap();
            assert_eq!(&value[..length], b"kept");
        }
        put_lines(&path, "10.0.0.7 a-1\n").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().ino(), meta.ino());
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_file_that_is_missing_is_made_and_a_link_stays_one() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("hosts"), dir.path().join("link"));
        put_lines(&file, "").unwrap();
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o644);
        std::os::unix::fs::symlink(&file, &link).unwrap();
        put_lines(&link, "10.0.0.7 a-1\n").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert!(fs::read_to_string(&file).unwrap().contains("10.0.0.7"));
    }

    #[test]
    fn a_file_that_somebody_else_has_changed_is_not_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hosts");
        fs::write(&path, "one\n").unwrap();
        let (file, meta, _) = read(&path).unwrap().unwrap();
        fs::write(&path, "other\n").unwrap();
        assert!(!put(&path, Some(&(file, meta)), b"ours\n").unwrap());
        assert!(!put(&path, None, b"ours\n").unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "other\n");
    }
}
