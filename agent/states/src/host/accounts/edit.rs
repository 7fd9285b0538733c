//! Changing accounts: the files of a host, edited in place under the system's lock.
//!
//! No program of the host is run, so it works below a root prefix and in a user namespace too.
//! What useradd does besides (mail spools, subordinate ids) is deliberately absent.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use nix::fcntl::{FcntlArg, fcntl};

use super::limits::Limits;
use super::{GROUP, Group, PASSWD, SHADOW, User};
use crate::host::Host;
use crate::host::files::{Access, make_folders, replace, replace_keeping};

pub(super) const GSHADOW: &str = "/etc/gshadow";
const LOCK: &str = "/etc/.pwd.lock";
/// How long the lock of another program is waited for, as lckpwdf(3) does.
const LOCK_WAIT: Duration = Duration::from_secs(15);
const LOCK_POLL: Duration = Duration::from_millis(50);

/// Holds the system's lock on the account files; released when dropped.
pub(super) struct Lock(
    #[allow(dead_code, reason = "held, not read: closing it releases the lock")] File,
);

impl Lock {
    pub(super) fn take(host: &Host) -> io::Result<Option<Lock>> {
        let path = host.followed(LOCK);
        if host.root().is_some()
            && let Some(folder) = path.parent()
        {
            // A folder that stands for a machine may begin empty.
            make_folders(folder, Access::default())?;
        }
        let opened = OpenOptions::new().create(true).truncate(false).write(true).open(path);
        let file = match opened {
            Ok(file) => file,
            // A user namespace that hides the lock: nobody else changes what only we see.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(None),
            Err(error) => return Err(error),
        };
        let whole = nix::libc::flock {
            l_type: nix::libc::F_WRLCK as i16,
            l_whence: nix::libc::SEEK_SET as i16,
            l_start: 0,
            l_len: 0,
            l_pid: 0,
        };
        let deadline = Instant::now() + LOCK_WAIT;
        loop {
            match fcntl(&file, FcntlArg::F_SETLK(&whole)) {
                Ok(_) => return Ok(Some(Lock(file))),
                Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EACCES)
                    if Instant::now() < deadline =>
                {
                    std::thread::sleep(LOCK_POLL);
                }
                Err(error) => return Err(io::Error::from_raw_os_error(error as i32)),
            }
        }
    }
}

/// Rewrites the lines of an account file; a file that does not exist is left out.
pub(super) fn rewrite(
    host: &Host,
    path: &str,
    edit: impl FnOnce(&mut Vec<String>),
) -> io::Result<()> {
    let place = host.followed(path);
    let meta = match std::fs::metadata(&place) {
        Ok(meta) => Some(meta),
        Err(error) if is_hidden(&error) => None,
        Err(error) => return Err(error),
    };
    let secret = matches!(path, SHADOW | GSHADOW);
    let text = match std::fs::read_to_string(&place) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !secret => String::new(),
        // Without shadow files, or where a user namespace hides them, accounts have no password.
        Err(error) if secret && is_hidden(&error) => return Ok(()),
        Err(error) => return Err(error),
    };
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    edit(&mut lines);
    let mut out = lines.join("\n");
    out.push('\n');
    if out == text {
        return Ok(());
    }
    let old = meta.map_or_else(Access::default, |meta| Access::of(&meta));
    replace_keeping(host, &place, out.as_bytes(), Access::default(), old)
}

fn is_hidden(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied)
}

pub(super) fn key(line: &str) -> &str {
    line.split(':').next().unwrap_or(line)
}

/// Replaces the line of a name, or adds it.
fn put(lines: &mut Vec<String>, name: &str, line: String) {
    match lines.iter_mut().find(|own| key(own) == name) {
        Some(own) => *own = line,
        None => lines.push(line),
    }
}

/// Sets one field of a name's line.
fn set_field(lines: &mut [String], name: &str, field: usize, value: &str) {
    if let Some(line) = lines.iter_mut().find(|own| key(own) == name) {
        let mut parts: Vec<&str> = line.split(':').collect();
        if let Some(part) = parts.get_mut(field) {
            *part = value;
        }
        *line = parts.join(":");
    }
}

/// Adds a group.
pub(crate) fn add_group(host: &Host, group: &Group) -> io::Result<()> {
    let _lock = Lock::take(host)?;
    let members = group.members.join(",");
    rewrite(host, GROUP, |lines| {
        put(lines, &group.name, format!("{}:x:{}:{members}", group.name, group.gid));
    })?;
    rewrite(host, GSHADOW, |lines| put(lines, &group.name, format!("{}:!::{members}", group.name)))
}

/// Sets a group's number and members.
pub(crate) fn change_group(host: &Host, group: &Group) -> io::Result<()> {
    let _lock = Lock::take(host)?;
    let members = group.members.join(",");
    rewrite(host, GROUP, |lines| {
        set_field(lines, &group.name, 2, &group.gid.to_string());
        set_field(lines, &group.name, 3, &members);
    })?;
    rewrite(host, GSHADOW, |lines| set_field(lines, &group.name, 3, &members))
}

/// Moves the users of a primary group whose number has changed.
pub(crate) fn move_primary(host: &Host, old: u32, new: u32) -> io::Result<()> {
    let _lock = Lock::take(host)?;
    let old = old.to_string();
    rewrite(host, PASSWD, |lines| {
        let of = |line: &String| line.split(':').nth(3) == Some(&old);
        let names: Vec<String> =
            lines.iter().filter(|line| of(line)).map(|line| key(line).to_owned()).collect();
        for name in names {
            set_field(lines, &name, 3, &new.to_string());
        }
    })
}

/// Makes a user a member of exactly these groups, or of at least these.
pub(crate) fn set_groups(
    host: &Host,
    user: &str,
    wanted: &[String],
    exact: bool,
) -> io::Result<()> {
    let accounts = host.accounts();
    // Salt compares with the primary group among them; if all is as wanted, no list is touched.
    if let Some(own) = accounts.user(user) {
        let mut wanted = wanted.to_vec();
        wanted.sort();
        wanted.dedup();
        if accounts.all_groups_of(&own) == wanted {
            return Ok(());
        }
    }
    for group in accounts.groups.clone() {
        let is = group.members.iter().any(|name| name == user);
        let should = wanted.contains(&group.name);
        if is == should || (is && !exact) {
            continue;
        }
        let mut members = group.members.clone();
        members.retain(|name| name != user);
        if should {
            members.push(user.to_owned());
        }
        change_group(host, &Group { members, ..group })?;
    }
    Ok(())
}

fn passwd_line(user: &User) -> String {
    let User { name, uid, gid, gecos, home, shell } = user;
    format!("{name}:x:{uid}:{gid}:{gecos}:{home}:{shell}")
}

/// Adds a user with a locked password; one of the system's has no ages.
pub(crate) fn add_user(host: &Host, user: &User, limits: &Limits, system: bool) -> io::Result<()> {
    let _lock = Lock::take(host)?;
    let day = today();
    let ages = if system { "::".to_owned() } else { limits.ages.clone() };
    rewrite(host, SHADOW, |lines| {
        put(lines, &user.name, format!("{}:!:{day}:{ages}:::", user.name));
    })?;
    rewrite(host, PASSWD, |lines| put(lines, &user.name, passwd_line(user)))
}

/// Replaces a user's line.
pub(crate) fn change_user(host: &Host, user: &User) -> io::Result<()> {
    let _lock = Lock::take(host)?;
    rewrite(host, PASSWD, |lines| put(lines, &user.name, passwd_line(user)))
}

pub(super) fn today() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since.as_secs() / 86_400
}

/// Makes a home for a user that is there already, with nothing in it.
pub(crate) fn make_bare_home(host: &Host, home: &str, uid: u32, gid: u32) -> io::Result<()> {
    let home = host.path(home);
    if let Some(parent) = home.parent() {
        make_folders(parent, Access::default())?;
    }
    make_folders(&home, Access { uid: Some(uid), gid: Some(gid), mode: Some(0o755) })
}

/// Gives what lies in a home to a user's new number, or its new primary group.
pub(crate) fn renumber_home(host: &Host, old: &User, new: &User) -> io::Result<()> {
    let home = host.path(&new.home);
    let Ok(meta) = std::fs::symlink_metadata(&home) else { return Ok(()) };
    if meta.uid() != old.uid || !meta.is_dir() {
        return Ok(());
    }
    for path in std::iter::once(home.clone()).chain(crate::host::files::below(&home)?) {
        let meta = std::fs::symlink_metadata(&path)?;
        let uid = (meta.uid() == old.uid).then_some(new.uid);
        let gid = (meta.gid() == old.gid).then_some(new.gid);
        std::os::unix::fs::lchown(&path, uid, gid)?;
    }
    Ok(())
}

/// Makes a user's home with what `/etc/skel` holds.
pub(crate) fn make_home(host: &Host, user: &User, mode: u32) -> io::Result<()> {
    let home = host.path(&user.home);
    if home.is_dir() {
        return Ok(());
    }
    if let Some(parent) = home.parent() {
        make_folders(parent, Access::default())?;
    }
    let owner = Access { uid: Some(user.uid), gid: Some(user.gid), mode: Some(mode) };
    make_folders(&home, owner)?;
    let skel = host.followed("/etc/skel");
    if !skel.is_dir() {
        return Ok(());
    }
    for from in crate::host::files::below(&skel)? {
        let to = home.join(from.strip_prefix(&skel).unwrap_or(Path::new("")));
        let meta = std::fs::symlink_metadata(&from)?;
        let access = Access { mode: Some(meta.mode() & 0o7777), ..owner };
        if meta.is_dir() {
            make_folders(&to, access)?;
        } else if meta.is_symlink() {
            std::os::unix::fs::symlink(std::fs::read_link(&from)?, &to)?;
            std::os::unix::fs::lchown(&to, owner.uid, owner.gid)?;
        } else {
            replace(host, &to, &std::fs::read(&from)?, access)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::shadow;
    use super::*;

    fn host() -> (tempfile::TempDir, Host) {
        let dir = tempfile::tempdir().unwrap();
        let etc = dir.path().join("etc");
        std::fs::create_dir(&etc).unwrap();
        std::fs::write(etc.join("passwd"), "root:x:0:0:root:/root:/bin/sh\n").unwrap();
        std::fs::write(etc.join("group"), "root:x:0:\nwheel:x:10:ann\n").unwrap();
        std::fs::write(etc.join("shadow"), "root:*:1:0:99999:7:::\n").unwrap();
        let host = Host::under(dir.path());
        (dir, host)
    }

    #[test]
    fn accounts_are_added_and_changed_in_the_files() {
        let (dir, host) = host();
        let read = |name: &str| std::fs::read_to_string(dir.path().join("etc").join(name)).unwrap();
        add_group(&host, &Group { name: "g".into(), gid: 900, members: vec![] }).unwrap();
        let user = User {
            name: "u".into(),
            uid: 900,
            gid: 900,
            gecos: "U".into(),
            home: "/home/u".into(),
            shell: "/bin/sh".into(),
        };
        add_user(&host, &user, &Limits::read(&host), false).unwrap();
        set_groups(&host, "u", &["wheel".into()], true).unwrap();
        assert_eq!(read("passwd").lines().last().unwrap(), "u:x:900:900:U:/home/u:/bin/sh");
        assert_eq!(read("group"), "root:x:0:\nwheel:x:10:ann,u\ng:x:900:\n");
        assert!(read("shadow").lines().last().unwrap().starts_with("u:!:"));
        shadow::set_password(&host, "u", "$6$x").unwrap();
        assert_eq!(shadow::of(&host, "u").unwrap().passwd, "$6$x");
        change_user(&host, &User { shell: "/bin/bash".into(), ..user }).unwrap();
        assert!(read("passwd").ends_with("/bin/bash\n"));
    }
}
