//! Context files as they are written: whole or not at all, 0600 from the first byte on.

use super::{Ca, Context};
use crate::failure::{Failure, OrNext, Result};
use anyhow::Context as _;
use muster_protocol::api::{PersonRole, UserRenewed};
use muster_protocol::id::{ClusterName, UserName};
use nix::unistd::{Gid, Uid, fchown, geteuid};
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

const HEAD: &str =
    "# How the command `muster` reaches the cluster. It holds a secret: keep it 0600.\n";
const WHERE: &str = "give a place that you may write to";

/// The file's fields. `ca` is PEM text, or the name of a file beside this one, as `ca_file` always
/// is.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fields {
    pub(crate) cluster: ClusterName,
    pub(crate) servers: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) user: UserName,
    pub(crate) role: PersonRole,
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub(crate) renewable: bool,
    pub(crate) jwt: String,
    pub(crate) seed: String,
}

fn yes() -> bool {
    true
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_yes(value: &bool) -> bool {
    *value
}

impl Fields {
    /// The file's text.
    pub(crate) fn text(&self) -> String {
        HEAD.to_owned() + &serde_saphyr::to_string(self).expect("a context is YAML")
    }

    /// Those of a context that needs no other file: the CA's certificate is inside.
    pub(crate) fn whole(context: &Context) -> Result<Fields> {
        let ca = match &context.ca {
            Ca::Text(text) => text.clone(),
            Ca::File(path) => std::fs::read_to_string(path)
                .with_context(|| format!("reading the CA {}", path.display()))
                .or_next("put the CA's certificate beside the context, as it was made")?,
        };
        Ok(Fields {
            cluster: context.cluster.clone(),
            servers: context.servers.clone(),
            ca: Some(ca),
            ca_file: None,
            user: context.user.clone(),
            role: context.role,
            renewable: context.renewable,
            jwt: context.jwt.clone(),
            seed: context.seed.clone(),
        })
    }
}

/// A file on its way: made beside its place, so that a full or forbidden disk is known before
/// anything is asked for.
#[derive(Debug)]
pub(crate) struct Draft {
    file: NamedTempFile,
    path: PathBuf,
}

impl Draft {
    /// Begins one; it is 0600.
    pub(crate) fn begin(path: &Path) -> Result<Draft> {
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        let file = tempfile::Builder::new().prefix(".muster-").tempfile_in(folder);
        let file = file.with_context(|| format!("writing into {}", folder.display()));
        Ok(Draft { file: file.or_next(WHERE)?, path: path.to_owned() })
    }

    /// Puts the text in its place, where nothing may be yet.
    pub(crate) fn create(self, text: &str) -> Result<()> {
        let Draft { mut file, path } = self;
        let written = fill(&mut file, text);
        written.with_context(|| format!("writing {}", path.display())).or_next(WHERE)?;
        file.persist_noclobber(&path).map(drop).map_err(|error| {
            let error =
                anyhow::Error::new(error.error).context(format!("making {}", path.display()));
            Failure::new(error, "give another place, or --force to replace it")
        })
    }

    /// Puts the text in its place, instead of what is there. The file keeps its owner.
    pub(crate) fn replace(self, text: &str) -> Result<()> {
        let Draft { mut file, path } = self;
        let write = || {
            if let Ok(meta) = std::fs::metadata(&path)
                && meta.uid() != geteuid().as_raw()
            {
                let (uid, gid) = (Uid::from_raw(meta.uid()), Gid::from_raw(meta.gid()));
                fchown(&file, Some(uid), Some(gid))?;
            }
            fill(&mut file, text)?;
            file.persist(&path).map(drop).map_err(|error| error.error)
        };
        write().with_context(|| format!("writing {}", path.display())).or_next(WHERE)
    }
}

fn fill(file: &mut NamedTempFile, text: &str) -> std::io::Result<()> {
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()
}

/// Gives a context file a newer credential, and the CA if there is another; all else in it stays as
/// its owner wrote it.
pub(crate) fn renew(context: &Context, renewed: &UserRenewed) -> Result<()> {
    let UserRenewed { jwt, ca, .. } = renewed;
    // A link stays one: what it points to is written.
    let path = std::fs::canonicalize(&context.path)
        .with_context(|| format!("finding {}", context.path.display()))
        .or_next(WHERE)?;
    let text = super::read(&path)?;
    // A file of its own is replaced; on the head node it is the controller's, which is new already.
    let known = match &context.ca {
        Ca::Text(text) => text.trim() == ca.trim(),
        Ca::File(file) => {
            if std::fs::read_to_string(file).is_ok_and(|known| known.trim() != ca.trim()) {
                Draft::begin(file)?.replace(ca)?;
            }
            true
        }
    };
    let text = match known && text.contains(&context.jwt) {
        true => text.replacen(&context.jwt, jwt, 1),
        false => {
            let ca = Some(ca.clone());
            Fields { jwt: jwt.clone(), ca, ..Fields::whole(context)? }.text()
        }
    };
    Draft::begin(&path)?.replace(&text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use muster_protocol::id::UnixMillis;
    use std::os::unix::fs::PermissionsExt;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    fn fields() -> Fields {
        Fields {
            cluster: "c".parse().unwrap(),
            servers: vec!["tls://127.0.0.1:4222".into()],
            ca: Some("-----BEGIN CERTIFICATE-----\nQQ==\n-----END CERTIFICATE-----\n".into()),
            ca_file: None,
            user: "no".parse().unwrap(),
            role: PersonRole::Viewer,
            renewable: true,
            jwt: format!("{}.{}", "j".repeat(900), "k".repeat(90)),
            seed: "SUSEED".into(),
        }
    }

    /// Guards: tempfile's mode, [`Draft::create`]'s `noclobber`.
    #[test]
    fn a_file_is_0600_whole_and_replaces_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vera.yaml");
        Draft::begin(&path).unwrap().create("one").unwrap();
        assert_eq!(mode(&path), 0o600);
        let failure = Draft::begin(&path).unwrap().create("two").unwrap_err();
        assert!(failure.next().contains("--force"), "{failure:?}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one");
        Draft::begin(&path).unwrap().replace("two").unwrap();
        assert_eq!((std::fs::read_to_string(&path).unwrap().as_str(), mode(&path)), ("two", 0o600));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside");
    }

    #[test]
    fn a_renewal_changes_the_credential_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real.yaml"), folder.path().join("link.yaml"));
        let text = format!("# mine\n{}", fields().text());
        Draft::begin(&real).unwrap().create(&text).unwrap();
        std::os::unix::fs::symlink("real.yaml", &link).unwrap();
        let context = Context::load(Some(&link)).unwrap();
        assert_eq!((&context.jwt, context.user.as_str()), (&fields().jwt, "no"));
        let known = fields().ca.unwrap();
        let renewed = |ca: &str| UserRenewed {
            jwt: "new.j.wt".into(),
            expires: UnixMillis(0),
            ca: ca.to_owned(),
        };
        renew(&context, &renewed(&known)).unwrap();
        assert!(link.is_symlink());
        let expected = text.replace(&fields().jwt, "new.j.wt");
        assert_eq!(std::fs::read_to_string(&real).unwrap(), expected);
        assert_eq!(
            (Context::load(Some(&link)).unwrap().jwt, mode(&real)),
            ("new.j.wt".into(), 0o600)
        );
        let other = known.replace("QQ", "Qg");
        renew(&context, &renewed(&other)).unwrap();
        assert_eq!(Context::load(Some(&link)).unwrap().ca, Ca::Text(other));
    }

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.yaml");
        let written = Fields { renewable: false, ..fields() };
        Draft::begin(&path).unwrap().create(&written.text()).unwrap();
        let context = Context::load(Some(&path)).unwrap();
        assert!(!context.renewable && context.ca == Ca::Text(written.ca.clone().unwrap()));
        assert_eq!(Fields::whole(&context).unwrap().text(), written.text());
    }
}
