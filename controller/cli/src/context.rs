//! The context file: which cluster, where it is, and who calls. It holds a secret: 0600 or refused.

mod claims;
mod file;
mod places;

pub(crate) use claims::Claims;
pub(crate) use file::{Draft, Fields, renew};
pub(crate) use places::{Name, Places};

use crate::failure::{Failure, OrNext, Result};
use anyhow::{Context as _, anyhow};
use muster_protocol::api::PersonRole;
use muster_protocol::id::{ClusterName, UserName};
use muster_protocol::yaml::{self, Words};
use nix::unistd::{Uid, geteuid};
use std::fmt;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The largest context file that is read.
const FILE_BYTES_MAX: u64 = 256 << 10;
/// What PEM text begins with; anything else is the name of a file.
const PEM: &str = "-----BEGIN";
const MAKE: &str = "get a context file from an admin of the cluster (muster user add), then: \
     muster context add FILE; on a new cluster's head node: muster init";

/// One person's way into one cluster.
pub(crate) struct Context {
    /// The cluster's name.
    pub(crate) cluster: ClusterName,
    /// `tls://host:port`, one or more.
    pub(crate) servers: Vec<String>,
    /// The cluster's CA.
    pub(crate) ca: Ca,
    /// Who calls: the name in the credential.
    pub(crate) user: UserName,
    /// What the credential allows: viewer, operator or admin.
    pub(crate) role: PersonRole,
    /// The credential may be renewed by its person.
    pub(crate) renewable: bool,
    /// The credential.
    pub(crate) jwt: String,
    /// The credential's secret key.
    pub(crate) seed: String,
    /// Where this was read.
    pub(crate) path: PathBuf,
}

/// The certificate that the servers' are signed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ca {
    /// PEM text.
    Text(String),
    /// A PEM file.
    File(PathBuf),
}

impl fmt::Debug for Context {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "Context({} as {} in {})", self.path.display(), self.user, self.cluster)
    }
}

impl Context {
    /// Reads the one that was named, by its name or file, or the first of the usual files that
    /// exists.
    pub(crate) fn load(named: Option<&Path>) -> Result<Context> {
        let places = Places::usual();
        let path = match named {
            Some(typed) => places.resolve(typed)?,
            None => places.find().ok_or_else(|| {
                let shown = places.unnamed().map(|file| file.display().to_string());
                let shown = shown.join(" nor ");
                Failure::say(format!("no context file: neither {shown} exists"), MAKE)
            })?,
        };
        Context::read(&path)
    }

    /// Reads a file.
    pub(crate) fn read(path: &Path) -> Result<Context> {
        Context::parse(&read(path)?, path)
    }

    /// What the credential says of itself; none if it cannot be read.
    pub(crate) fn claims(&self) -> Option<Claims> {
        Claims::of(&self.jwt)
    }

    fn parse(text: &str, path: &Path) -> Result<Context> {
        let damaged = format!("correct {}, or make it anew with `muster init`", path.display());
        // No word of it is shown: it may be the seed.
        let fields: Fields = yaml::parse(text, path, Words::Hidden)
            .map_err(|error| Failure::new(error, damaged.clone()))?;
        let wrong = |what: &str| {
            Failure::new(anyhow!("the context {} {what}", path.display()), damaged.clone())
        };
        let folder = path.parent().unwrap_or(Path::new(""));
        let ca = match (fields.ca, fields.ca_file) {
            (Some(text), None) if text.contains(PEM) => Ca::Text(text),
            (Some(file), None) => Ca::File(folder.join(file)),
            (None, Some(file)) => Ca::File(folder.join(file)),
            (Some(_), Some(_)) => return Err(wrong("has both ca and ca_file; keep one")),
            (None, None) => return Err(wrong("has neither ca nor ca_file")),
        };
        if fields.servers.is_empty() {
            // `init --listen ADDR:0` leaves it to the first start to choose a port.
            let what = format!("the context {} names no servers yet", path.display());
            let next = "start the controller, which chooses a port: systemctl start \
                        muster-controller";
            return Err(Failure::say(what, next));
        }
        let Fields { cluster, servers, user, role, renewable, jwt, seed, .. } = fields;
        let path = path.to_owned();
        Ok(Context { cluster, servers, ca, user, role, renewable, jwt, seed, path })
    }
}

/// Reads a file that only its owner can, and that is this user's or root's.
fn read(path: &Path) -> Result<String> {
    let shown = path.display();
    let reading = || format!("reading the context {shown}");
    let file = File::open(path).map_err(|error| {
        let next = match error.kind() {
            ErrorKind::PermissionDenied => format!(
                "run it as root, or give yourself a copy: `install -m 600 {shown} \
                 ~/.config/muster/context.yaml` as root, and chown it to you"
            ),
            ErrorKind::NotFound if path.is_symlink() => {
                "it was removed: choose another one: muster context use NAME".to_owned()
            }
            _ => MAKE.to_owned(),
        };
        Failure::new(anyhow::Error::new(error).context(reading()), next)
    })?;
    let meta = file.metadata().with_context(reading).or_next(MAKE)?;
    let mode = meta.mode() & 0o7777;
    if !meta.is_file() || meta.len() > FILE_BYTES_MAX {
        let what = format!("{shown} is no file of at most {FILE_BYTES_MAX} bytes");
        return Err(Failure::say(what, MAKE));
    }
    if mode & 0o077 != 0 {
        let what = format!("the context {shown} is open to others (mode {mode:04o})");
        return Err(Failure::say(what, format!("chmod 600 {shown}")));
    }
    let owner = Uid::from_raw(meta.uid());
    if owner != geteuid() && !owner.is_root() && !geteuid().is_root() {
        let what = format!("the context {shown} belongs to uid {owner}");
        return Err(Failure::say(what, "use a context file of your own"));
    }
    let mut bytes = Vec::new();
    let read = file.take(FILE_BYTES_MAX).read_to_end(&mut bytes);
    read.with_context(reading).or_next(MAKE)?;
    yaml::text_of(bytes, path).map_err(|error| Failure::new(error, MAKE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::OpenOptionsExt;

    const GOOD: &str = "cluster: c\nservers: [\"tls://127.0.0.1:4222\"]\nca: ca.pem\n\
                        user: admin\nrole: admin\njwt: j.w.t\nseed: SUSECRET\n";

    #[test]
    fn the_fields_are_those_that_init_writes() {
        let context = Context::parse(GOOD, Path::new("/a/c.yaml")).unwrap();
        assert_eq!(context.ca, Ca::File("/a/ca.pem".into()));
        assert_eq!((context.role, context.user.as_str()), (PersonRole::Admin, "admin"));
        let file = GOOD.replace("ca: ca.pem", "ca_file: /b/ca.pem");
        let context = Context::parse(&file, Path::new("/a/c.yaml")).unwrap();
        assert_eq!(context.ca, Ca::File("/b/ca.pem".into()));
        let text = GOOD.replace("ca: ca.pem", "ca: |\n  -----BEGIN CERTIFICATE-----");
        let context = Context::parse(&text, Path::new("/a/c.yaml")).unwrap();
        assert_eq!(context.ca, Ca::Text("-----BEGIN CERTIFICATE-----\n".into()));
    }

    #[test]
    fn no_error_shows_the_secret() {
        for bad in [
            GOOD.replace("role: admin", "role: king"),
            GOOD.replace("seed: SUSECRET", "seed: SUSECRET\nmore: 1"),
            GOOD.replace("user: admin", "user: [admin"),
            GOOD.replace("ca: ca.pem", "cb: 1"),
            GOOD.replace("ca: ca.pem", "ca: a\nca_file: b"),
            GOOD.replace("user: admin", "user: Otto.x"),
        ] {
            let failure = Context::parse(&bad, Path::new("/a/c.yaml")).unwrap_err();
            assert!(!failure.text().contains("SUSECRET"), "{}", failure.text());
            assert!(failure.next().contains("/a/c.yaml"), "{}", failure.next());
        }
    }

    #[test]
    fn before_the_first_start_there_are_no_servers() {
        let none = GOOD.replace("[\"tls://127.0.0.1:4222\"]", "[]");
        let failure = Context::parse(&none, Path::new("/a/c.yaml")).unwrap_err();
        assert!(failure.next().contains("systemctl start"), "{}", failure.next());
    }

    #[test]
    fn a_file_that_others_can_read_is_refused_with_the_cure() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.yaml");
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create(true).mode(0o640).open(&path).unwrap();
        std::io::Write::write_all(&mut file, GOOD.as_bytes()).unwrap();
        let failure = Context::load(Some(&path)).unwrap_err();
        assert!(failure.text().contains("mode 0640"), "{}", failure.text());
        assert_eq!(failure.next(), format!("chmod 600 {}", path.display()));
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))
            .unwrap();
        assert!(Context::load(Some(&path)).is_ok());
        let failure = Context::load(Some(&folder.path().join("none"))).unwrap_err();
        assert!(failure.next().contains("muster user add"), "{}", failure.next());
    }
}
