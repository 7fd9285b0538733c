//! Space and inodes of local filesystems: `/proc/self/mountinfo`, then `statvfs` of each.
//!
//! A dead network filesystem blocks whoever touches it, so only types that are known as local are
//! asked, and only where no other mount lies on the way. The list of mounts is read anew each time
//! but parsed only when it has changed.

use super::proc_file::{ProcFile, lines, words};
use super::sample::{Family, Sample};
use super::{Collector, Error};
use muster_protocol::stats::Kind::Gauge;
use nix::sys::statvfs::{Statvfs, statvfs};
use std::path::Path;

static FILESYSTEM: Family<5> = Family {
    name: "filesystem",
    leaves: [
        ("bytes_total", "bytes", Gauge),
        ("bytes_free", "bytes", Gauge),
        ("bytes_available", "bytes", Gauge),
        ("inodes_total", "inodes", Gauge),
        ("inodes_free", "inodes", Gauge),
    ],
};

/// How many are asked.
const FILESYSTEMS_MAX: usize = 64;
/// Types that answer from memory or a disk of this host.
const LOCAL: [&str; 14] = [
    "ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "jfs", "reiserfs", "vfat", "exfat",
    "ntfs3", "bcachefs", "tmpfs",
];
/// Local as the root of a container or a live system; elsewhere they are images' layers.
const LOCAL_AS_ROOT: [&str; 3] = ["overlay", "squashfs", "erofs"];
/// Types that hold no files to fill, but through which a path may lead.
const KERNEL: [&str; 15] = [
    "rootfs",
    "proc",
    "sysfs",
    "devtmpfs",
    "devpts",
    "mqueue",
    "cgroup",
    "cgroup2",
    "securityfs",
    "debugfs",
    "tracefs",
    "bpf",
    "configfs",
    "hugetlbfs",
    "ramfs",
];

pub(super) struct Filesystem {
    mountinfo: ProcFile,
    /// The text that `local` was made from.
    parsed: Vec<u8>,
    /// Each path with its key: the path, printable.
    local: Vec<(String, String)>,
}

impl Filesystem {
    pub(super) fn at(root: &Path) -> Filesystem {
        let mountinfo = ProcFile::list(root, "self/mountinfo");
        Filesystem { mountinfo, parsed: Vec::new(), local: Vec::new() }
    }
}

impl Collector for Filesystem {
    fn name(&self) -> &'static str {
        "filesystem"
    }

    fn collect(&mut self, into: &mut Sample) -> Result<(), Error> {
        let text = self.mountinfo.read()?;
        if text != self.parsed.as_slice() {
            let with_key = |path: String| (path.clone(), printable(&path));
            self.local = local_paths(text).into_iter().map(with_key).collect();
            self.parsed.clear();
            self.parsed.extend_from_slice(text);
        }
        // One that cannot be asked (another user's FUSE, say) has no values; it is not an error.
        for (path, key) in &self.local {
            if let Ok(answer) = statvfs(path.as_str()) {
                into.put(&FILESYSTEM, key, values(&answer));
            }
        }
        Ok(())
    }
}

fn printable(path: &str) -> String {
    path.chars().map(|char| if char.is_ascii_graphic() { char } else { '_' }).collect()
}

fn values(answer: &Statvfs) -> [f64; 5] {
    let unit = answer.fragment_size() as f64;
    [
        answer.blocks() as f64 * unit,
        answer.blocks_free() as f64 * unit,
        answer.blocks_available() as f64 * unit,
        answer.files() as f64,
        answer.files_free() as f64,
    ]
}

struct Mount<'a> {
    device: &'a [u8],
    path: String,
    kind: &'a [u8],
}

/// The mount points to ask: local, reachable through local ones, each filesystem once.
fn local_paths(text: &[u8]) -> Vec<String> {
    let mounts: Vec<Mount<'_>> = lines(text).filter_map(mount).collect();
    let mut chosen: Vec<&Mount<'_>> = Vec::new();
    for (at, mount) in mounts.iter().enumerate() {
        let hidden = || mounts[at + 1..].iter().any(|later| later.path == mount.path);
        if !is_local(mount) || hidden() || !mounts.iter().all(|on| may_lead_to(on, mount)) {
            continue;
        }
        let twin = chosen.iter().position(|one| one.device == mount.device);
        match twin {
            // Of bind mounts, the shortest path is the filesystem's own.
            Some(twin) if chosen[twin].path.len() > mount.path.len() => chosen[twin] = mount,
            Some(_) => {}
            None => chosen.push(mount),
        }
    }
    chosen.into_iter().take(FILESYSTEMS_MAX).map(|mount| mount.path.clone()).collect()
}

fn is_local(mount: &Mount<'_>) -> bool {
    is_one_of(mount.kind, &LOCAL) || (mount.path == "/" && is_one_of(mount.kind, &LOCAL_AS_ROOT))
}

/// Whether walking to `mount` is safe as far as `on` is concerned.
fn may_lead_to(on: &Mount<'_>, mount: &Mount<'_>) -> bool {
    let below = on.path == "/"
        || mount.path.strip_prefix(&on.path).is_some_and(|rest| rest.starts_with('/'));
    !below || is_local(on) || is_one_of(on.kind, &KERNEL)
}

fn is_one_of(kind: &[u8], kinds: &[&str]) -> bool {
    kinds.iter().any(|one| one.as_bytes() == kind)
}

/// One line, see proc_pid_mountinfo(5); none for a path that is not UTF-8.
fn mount(line: &[u8]) -> Option<Mount<'_>> {
    let mut words = words(line).skip(2);
    let device = words.next()?;
    let path = unescape(words.nth(1)?)?;
    let kind = words.skip_while(|word| *word != b"-").nth(1)?;
    Some(Mount { device, path, kind })
}

/// Space, tab, newline and backslash stand as `\` and three octal digits.
fn unescape(word: &[u8]) -> Option<String> {
    let mut path = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        let octal = (byte == b'\\').then(|| after.get(..3)).flatten();
        let code = octal.and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(code) => {
                path.push(code);
                rest = &after[3..];
            }
            None => path.push(byte),
        }
    }
    String::from_utf8(path).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mounts(list: &[(&str, &str, &str)]) -> Vec<u8> {
        let line = |(device, path, kind): &(&str, &str, &str)| {
            format!("22 27 {device} / {path} rw,relatime shared:1 - {kind} source rw\n")
        };
        list.iter().map(line).collect::<String>().into_bytes()
    }

    #[test]
    fn only_local_filesystems_are_asked_and_each_once() {
        let text = mounts(&[
            ("0:21", "/proc", "proc"),
            ("254:0", "/", "ext4"),
            ("0:40", "/home", "nfs4"),
            ("0:41", "/scratch", "lustre"),
            ("0:42", "/run", "tmpfs"),
            ("254:0", "/srv/data", "ext4"),
            ("0:43", "/var/lib/docker/overlay2/a/merged", "overlay"),
            ("0:44", "/mnt", "fuse.sshfs"),
            ("0:45", "/auto", "autofs"),
        ]);
        assert_eq!(local_paths(&text), ["/", "/run"]);
    }

    #[test]
    fn a_local_disk_behind_or_below_a_network_mount_is_not_touched() {
        let text = mounts(&[
            ("254:0", "/", "ext4"),
            ("0:40", "/home", "nfs"),
            ("254:1", "/home/scratch", "xfs"),
            ("254:2", "/data", "xfs"),
            ("0:41", "/data", "nfs"),
            ("254:3", "/homes", "xfs"),
        ]);
        assert_eq!(local_paths(&text), ["/", "/homes"]);
    }

    #[test]
    fn nothing_is_touched_on_a_root_over_the_network() {
        let text = mounts(&[("0:40", "/", "nfs"), ("254:1", "/scratch", "xfs")]);
        assert!(local_paths(&text).is_empty());
    }

    #[test]
    fn a_bind_mount_counts_as_its_filesystem() {
        let text = mounts(&[("254:1", "/srv/data/deep", "xfs"), ("254:1", "/data", "xfs")]);
        assert_eq!(local_paths(&text), ["/data"]);
    }

    #[test]
    fn escaped_paths_are_read() {
        assert_eq!(unescape(br"/a\040b\134").as_deref(), Some(r"/a b\"));
        assert_eq!(unescape(br"/a\9").as_deref(), Some(r"/a\9"));
    }
}
