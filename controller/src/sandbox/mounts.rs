//! The mounts that a worker's `/` is made of, each a call that tells what failed.

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::statfs::{self, FsType, statfs};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// File systems that an overlay can write to: they know extended attributes and whiteouts.
const UPPER: [FsType; 5] = [
    statfs::EXT4_SUPER_MAGIC,
    statfs::XFS_SUPER_MAGIC,
    statfs::BTRFS_SUPER_MAGIC,
    statfs::F2FS_SUPER_MAGIC,
    statfs::TMPFS_MAGIC,
];

/// A part of a worker's `/` that could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("mounting {what} at {}", target.display())]
    Mount {
        what: String,
        target: PathBuf,
        #[source]
        source: Errno,
    },
    #[error("making {}", path.display())]
    Make {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("entering the worker's own {what}")]
    Enter {
        what: &'static str,
        #[source]
        source: Errno,
    },
    #[error("reading the table of mounts")]
    Table(#[source] io::Error),
}

/// One line of `/proc/self/mountinfo`, proc_pid_mountinfo(5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mounted {
    pub(crate) target: PathBuf,
    pub(crate) kind: String,
    /// The flags that belong to the mount, not to the file system: a remount must keep them.
    flags: MsFlags,
}

/// Keeps every mount made from here on from being seen outside, and the other way round.
pub(crate) fn make_private() -> Result<(), Error> {
    call(
        "nothing from outside",
        None,
        Path::new("/"),
        None,
        MsFlags::MS_REC | MsFlags::MS_PRIVATE,
        "",
    )
}

/// Mounts an overlay: what is written to `target` goes to `upper`, and `lower` is left alone.
pub(crate) fn overlay(
    lower: &Path,
    upper: &Path,
    work: &Path,
    target: &Path,
    extra: &str,
) -> Result<(), Error> {
    let (low, up, work) = (escape(lower), escape(upper), escape(work));
    let options = format!("lowerdir={low},upperdir={up},workdir={work}{extra}");
    let what = format!("an overlay on {}", lower.display());
    call(&what, Some("overlay"), target, Some("overlay"), MsFlags::empty(), &options)
}

/// Mounts an empty file system in memory.
pub(crate) fn tmpfs(target: &Path, options: &str) -> Result<(), Error> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    call("a file system in memory", Some("tmpfs"), target, Some("tmpfs"), flags, options)
}

/// Mounts the worker's own processes.
pub(crate) fn proc(target: &Path) -> Result<(), Error> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    call("the worker's processes", Some("proc"), target, Some("proc"), flags, "")
}

/// Mounts the worker's own terminals.
pub(crate) fn devpts(target: &Path) -> Result<(), Error> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    let options = "newinstance,ptmxmode=0666,mode=620";
    call("the worker's terminals", Some("devpts"), target, Some("devpts"), flags, options)
}

/// Shows a file or folder a second time.
pub(crate) fn bind(source: &Path, target: &Path) -> Result<(), Error> {
    bind_with(source, target, MsFlags::MS_BIND)
}

/// Shows one file a second time, not to be written.
pub(crate) fn bind_read_only(source: &Path, target: &Path) -> Result<(), Error> {
    bind(source, target)?;
    read_only_below(target)
}

/// Shows a folder and everything mounted in it a second time, not to be written.
pub(crate) fn bind_tree_read_only(source: &Path, target: &Path) -> Result<(), Error> {
    bind_with(source, target, MsFlags::MS_BIND | MsFlags::MS_REC)?;
    read_only_below(target)
}

/// Makes `new_root` this process' `/`, and the old one unreachable.
pub(crate) fn pivot(new_root: &Path) -> Result<(), Error> {
    let entering = |what| move |source| Error::Enter { what, source };
    nix::unistd::chdir(new_root).map_err(entering("root folder"))?;
    // The old root comes to lie on the new one, from where it is taken away: pivot_root(2).
    nix::unistd::pivot_root(".", ".").map_err(entering("root folder"))?;
    umount2(".", MntFlags::MNT_DETACH).map_err(entering("root folder alone"))?;
    nix::unistd::chdir("/").map_err(entering("root folder"))
}

/// Everything that is mounted, in the order it was mounted.
pub(crate) fn table() -> Result<Vec<Mounted>, Error> {
    let text = fs::read_to_string("/proc/self/mountinfo").map_err(Error::Table)?;
    Ok(text.lines().filter_map(parse).collect())
}

/// Whether an overlay can keep what is written in this folder.
pub(crate) fn can_be_upper(path: &Path) -> bool {
    statfs(path).is_ok_and(|found| UPPER.contains(&found.filesystem_type()))
}

/// Makes a folder and those above it, unless they are there.
pub(crate) fn folder(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(|source| Error::Make { path: path.to_owned(), source })
}

/// Makes an empty file to mount something on, unless there is one.
pub(crate) fn mount_point_file(path: &Path) -> Result<(), Error> {
    if let Some(parent) = path.parent() {
        folder(parent)?;
    }
    let made = fs::OpenOptions::new().create(true).append(true).open(path);
    made.map(drop).map_err(|source| Error::Make { path: path.to_owned(), source })
}

fn read_only_below(top: &Path) -> Result<(), Error> {
    for mounted in table()?.into_iter().filter(|mounted| mounted.target.starts_with(top)) {
        let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY | mounted.flags;
        call("nothing to be written", None, &mounted.target, None, flags, "")?;
    }
    Ok(())
}

fn bind_with(source: &Path, target: &Path, flags: MsFlags) -> Result<(), Error> {
    let what = source.display().to_string();
    let result = mount(Some(source), target, None::<&str>, flags, None::<&str>);
    result.map_err(|source| Error::Mount { what, target: target.to_owned(), source })
}

fn call(
    what: &str,
    source: Option<&str>,
    target: &Path,
    kind: Option<&str>,
    flags: MsFlags,
    options: &str,
) -> Result<(), Error> {
    let options = (!options.is_empty()).then_some(options);
    mount(source, target, kind, flags, options).map_err(|source| Error::Mount {
        what: what.to_owned(),
        target: target.to_owned(),
        source,
    })
}

/// In an overlay's options ',' ends one, and ':' one of several lower folders.
fn escape(path: &Path) -> String {
    let mut escaped = String::new();
    for letter in path.to_string_lossy().chars() {
        if matches!(letter, ',' | ':' | '\\') {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

fn parse(line: &str) -> Option<Mounted> {
    let (front, back) = line.split_once(" - ")?;
    let mut fields = front.split(' ');
    let target = unescape(fields.nth(4)?);
    let flags = fields.next()?.split(',').fold(MsFlags::empty(), |flags, name| {
        flags
            | match name {
                "ro" => MsFlags::MS_RDONLY,
                "nosuid" => MsFlags::MS_NOSUID,
                "nodev" => MsFlags::MS_NODEV,
                "noexec" => MsFlags::MS_NOEXEC,
                "noatime" => MsFlags::MS_NOATIME,
                "nodiratime" => MsFlags::MS_NODIRATIME,
                "relatime" => MsFlags::MS_RELATIME,
                _ => MsFlags::empty(),
            }
    });
    let lax = MsFlags::MS_NOATIME | MsFlags::MS_RELATIME;
    let strict = if flags.intersects(lax) { MsFlags::empty() } else { MsFlags::MS_STRICTATIME };
    let kind = back.split(' ').next()?.to_owned();
    Some(Mounted { target, kind, flags: flags | strict })
}

/// Space, tab, newline and backslash are written as three octal digits.
fn unescape(field: &str) -> PathBuf {
    let mut parts = field.split('\\');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code {
            Some(code) => {
                text.push(char::from(code));
                text.push_str(&part[3..]);
            }
            None => text.push_str(part),
        }
    }
    PathBuf::from(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_table_is_read() {
        let line = r"36 35 98:0 / /mnt/a\040b ro,nosuid,noatime master:1 - ext3 /dev/root rw";
        let mounted = parse(line).unwrap();
        assert_eq!(mounted.target, Path::new("/mnt/a b"));
        assert_eq!(mounted.kind, "ext3");
        let flags = MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NOATIME;
        assert_eq!(mounted.flags, flags);
        assert!(table().unwrap().iter().any(|mounted| mounted.target == Path::new("/")));
    }

    #[test]
    fn what_separates_options_is_escaped() {
        assert_eq!(escape(Path::new("/a,b:c\\d")), r"/a\,b\:c\\d");
    }
}
