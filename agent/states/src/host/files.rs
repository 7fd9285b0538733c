//! Writing to a host's files: whole or not at all, owner and mode set before the file appears.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown, fchown};
use std::path::{Path, PathBuf};

use super::{Host, looking, umask};
use crate::backup::{keep, keep_all};

/// Folders that a recursive removal may nest in.
const DEPTH_MAX: usize = 256;
/// What the names of temporary files start with.
pub(crate) const TEMPORARY: &str = ".muster-";

/// Who owns a file and what may be done with it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Access {
    pub(crate) uid: Option<u32>,
    pub(crate) gid: Option<u32>,
    pub(crate) mode: Option<u32>,
}

impl Access {
    pub(crate) fn of(meta: &fs::Metadata) -> Access {
        let mode = Some(meta.mode() & 0o7777);
        Access { uid: Some(meta.uid()), gid: Some(meta.gid()), mode }
    }
}

/// Replaces a file atomically: a temporary file beside it, then renamed over it.
///
/// Both are on disk when the host has settled; files without which a machine does not start, or
/// lets nobody in, are on disk before they take the old one's place.
pub(crate) fn replace(host: &Host, path: &Path, data: &[u8], access: Access) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("/"));
    may_act()?;
    host.makes_temp_in(folder);
    let mut temp = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(folder)?;
    temp.write_all(data)?;
    let mode = access.mode.unwrap_or_else(umask::new_file);
    keep_attributes(path, temp.path());
    own(temp.as_file(), temp.path(), access, mode)?;
    if is_vital(host, path) {
        temp.as_file().sync_all()?;
    }
    keep(path);
    temp.persist(path).map_err(|error| error.error)?;
    host.renamed(path)
}

/// Puts a link in the place of what is there; the name never leads nowhere.
pub(crate) fn replace_link(host: &Host, path: &Path, target: &str) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    may_act()?;
    host.makes_temp_in(folder);
    let holder = tempfile::Builder::new().prefix(TEMPORARY).tempdir_in(folder)?;
    let temp = holder.path().join("link");
    std::os::unix::fs::symlink(target, &temp)?;
    keep(path);
    fs::rename(&temp, path)?;
    host.renamed(path)
}

/// Puts a file that another program made beside an old one in that one's place, with the owner and
/// the rights that the old one had.
pub(crate) fn put(host: &Host, made: &Path, path: &Path) -> io::Result<()> {
    may_act()?;
    if let Ok(old) = fs::symlink_metadata(path) {
        // The folder may be another user's, who could put a link there meanwhile.
        let link = nix::libc::O_NOFOLLOW;
        let file = File::options().read(true).custom_flags(link).open(made)?;
        keep_attributes(path, made);
        if let Err(error) = fchown(&file, Some(old.uid()), Some(old.gid())) {
            tracing::debug!(%error, "the owner of a file is not kept");
        }
        file.set_permissions(Permissions::from_mode(old.mode() & 0o777))?;
    }
    keep(path);
    fs::rename(made, path)?;
    host.renamed(path)
}

/// Replaces a file, keeping the old one's owner and mode where nothing else is wanted.
///
/// An old owner that cannot be given (a user namespace that does not map it) is let go.
pub(crate) fn replace_keeping(
    host: &Host,
    path: &Path,
    data: &[u8],
    wanted: Access,
    old: Access,
) -> io::Result<()> {
    let mode = wanted.mode.or(old.mode);
    let kept = Access { uid: wanted.uid.or(old.uid), gid: wanted.gid.or(old.gid), mode };
    match replace(host, path, data, kept) {
        Err(error)
            if matches!(error.raw_os_error(), Some(nix::libc::EINVAL | nix::libc::EPERM)) =>
        {
            replace(host, path, data, Access { mode, ..wanted })
        }
        other => other,
    }
}

/// Copies a file to another place, whole or not at all; a file there is replaced.
pub(crate) fn copy_file(host: &Host, from: &Path, to: &Path, access: Access) -> io::Result<()> {
    let folder = to.parent().unwrap_or(Path::new("/"));
    may_act()?;
    host.makes_temp_in(folder);
    let mut temp = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(folder)?;
    let mut source = File::open(from)?;
    io::copy(&mut source, &mut temp)?;
    own(temp.as_file(), temp.path(), access, access.mode.unwrap_or_else(umask::new_file))?;
    keep(to);
    temp.persist(to).map_err(|error| error.error)?;
    host.renamed(to)
}

/// Copies a file to the same name with an ending, owner and mode and all.
pub(crate) fn copy_beside(host: &Host, path: &Path, ending: &str) -> io::Result<()> {
    let mut copy = path.as_os_str().to_owned();
    copy.push(ending);
    let access = Access::of(&fs::metadata(path)?);
    replace_keeping(host, Path::new(&copy), &fs::read(path)?, Access::default(), access)
}

/// Writes a file that is there anew, with owner and mode as they are; its old self is kept as
/// `.bak`.
pub(crate) fn rewrite(host: &Host, path: &Path, data: &[u8]) -> io::Result<()> {
    copy_beside(host, path, ".bak")?;
    let access = Access::of(&fs::metadata(path)?);
    replace_keeping(host, path, data, Access::default(), access)
}

fn is_vital(host: &Host, path: &Path) -> bool {
    const VITAL: [&str; 7] = [
        "/etc/passwd",
        "/etc/shadow",
        "/etc/group",
        "/etc/gshadow",
        "/etc/fstab",
        "/etc/sudoers",
        "/etc/ld.so.preload",
    ];
    VITAL.iter().any(|vital| host.path(vital) == path)
}

/// The SELinux label of a file, if its filesystem has one.
pub(crate) fn security_label(path: &Path) -> Option<String> {
    let mut label = vec![0; 256];
    let len = rustix::fs::getxattr(path, LABEL, &mut label).ok()?;
    label.truncate(len);
    Some(String::from_utf8_lossy(&label).trim_end_matches('\0').to_owned())
}

/// Gives a file a SELinux label.
pub(crate) fn set_security_label(path: &Path, label: &str) -> io::Result<()> {
    let flags = rustix::fs::XattrFlags::empty();
    rustix::fs::setxattr(path, LABEL, label.as_bytes(), flags).map_err(io::Error::from)
}

const LABEL: &str = "security.selinux";

/// Gives a new file the extended attributes of the one that it replaces: labels, lists of rights,
/// capabilities. A filesystem that has none, or takes none, is let be.
fn keep_attributes(old: &Path, new: &Path) {
    let mut names = vec![0_u8; 4096];
    let Ok(len) = rustix::fs::llistxattr(old, &mut names) else { return };
    for name in names[..len].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let mut value = vec![0_u8; 64 << 10];
        let Ok(len) = rustix::fs::lgetxattr(old, name, &mut value) else { continue };
        let flags = rustix::fs::XattrFlags::empty();
        if let Err(error) = rustix::fs::lsetxattr(new, name, &value[..len], flags) {
            tracing::debug!(%error, "an extended attribute is not kept");
        }
    }
}

fn own(file: &File, path: &Path, access: Access, mode: u32) -> io::Result<()> {
    let meta = file.metadata()?;
    let uid = access.uid.filter(|uid| *uid != meta.uid());
    let gid = access.gid.filter(|gid| *gid != meta.gid());
    if uid.is_some() || gid.is_some() {
        chown(path, uid, gid)?;
    }
    // After the owner: a change of owner clears setuid and setgid.
    file.set_permissions(Permissions::from_mode(mode))
}

/// Sets owner and mode of what exists; a link is not followed.
pub(crate) fn set_access(path: &Path, access: Access) -> io::Result<()> {
    may_act()?;
    keep(path);
    if access.uid.is_some() || access.gid.is_some() {
        std::os::unix::fs::lchown(path, access.uid, access.gid)?;
    }
    match access.mode {
        Some(mode) if !fs::symlink_metadata(path)?.is_symlink() => {
            fs::set_permissions(path, Permissions::from_mode(mode))
        }
        _ => Ok(()),
    }
}

/// Makes a folder and what is missing above it, all with the same access.
pub(crate) fn make_folders(path: &Path, access: Access) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        make_folders(parent, access)?;
    }
    may_act()?;
    keep(path);
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(error),
        Ok(()) => {
            let mode = access.mode.unwrap_or_else(umask::new_folder);
            set_access(path, Access { mode: Some(mode), ..access })
        }
    }
}

/// A check that is done ahead of its turn writes nothing, whatever is wrong with it.
fn may_act() -> io::Result<()> {
    if looking::refuses() { Err(io::Error::other("it is not this file's turn")) } else { Ok(()) }
}

/// Removes a file, a link, or a folder with all that is in it.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    may_act()?;
    keep_all(path);
    if fs::symlink_metadata(path)?.is_dir() {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    }
}

/// What lies below a folder, each folder before its contents, in name order; links not followed.
pub(crate) fn below(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut out = Vec::new();
    collect(folder, 0, &mut out)?;
    Ok(out)
}

fn collect(folder: &Path, depth: usize, out: &mut Vec<PathBuf>) -> io::Result<()> {
    if depth > DEPTH_MAX {
        return Err(io::Error::other(format!("{} nests too deep", folder.display())));
    }
    let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        out.push(entry.path());
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), depth + 1, out)?;
        }
    }
    Ok(())
}

/// Finds a program in the usual folders of a host, or by its absolute path.
pub(crate) fn which(host: &Host, name: &str) -> Option<String> {
    const FOLDERS: [&str; 6] =
        ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
    let runs = |path: &String| {
        host.stat(path).is_some_and(|meta| meta.is_file() && meta.mode() & 0o111 != 0)
    };
    if name.starts_with('/') {
        return Some(name.to_owned()).filter(runs);
    }
    FOLDERS.iter().map(|folder| format!("{folder}/{name}")).find(runs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_with_its_mode_and_leaves_nothing_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let (host, file) = (Host::new(), dir.path().join("f"));
        replace(&host, &file, b"one", Access { mode: Some(0o600), ..Access::default() }).unwrap();
        replace(&host, &file, b"two", Access { mode: Some(0o640), ..Access::default() }).unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"two");
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o640);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failed_replacement_leaves_the_old_file() {
        let dir = tempfile::tempdir().unwrap();
        let (host, folder) = (Host::new(), dir.path().join("d"));
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("in"), "x").unwrap();
        assert!(replace(&host, &folder, b"one", Access::default()).is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert_eq!(fs::read(folder.join("in")).unwrap(), b"x");
    }
}
