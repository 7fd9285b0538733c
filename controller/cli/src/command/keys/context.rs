//! Writes a renewed credential and CA into a context file, whole or not at all.

use crate::context::{Ca, Context};
use crate::failure::{OrNext, Result};
use anyhow::Context as _;
use muster_protocol::api::KeysRenewed;
use serde_json::{Map, Value};
use std::io::Write;
use std::path::Path;
use tempfile::NamedTempFile;

const HEAD: &str =
    "# How the command `muster` reaches the cluster. It holds a secret: keep it 0600.\n";

/// Writes what differs. Returns whether anything did.
pub(super) fn renew(context: &Context, renewed: &KeysRenewed) -> Result<bool> {
    let next = format!("make {} writable for you, and run it again", context.path.display());
    let mut changed = false;
    // On the head node it is the controller's own file, which is new already.
    if let Ca::File(path) = &context.ca {
        let known = std::fs::read_to_string(path);
        if !known.is_ok_and(|known| known == renewed.ca) {
            write(path, &renewed.ca)
                .with_context(|| format!("writing {}", path.display()))
                .or_next(&next)?;
            changed = true;
        }
    }
    let told = || format!("writing {}", context.path.display());
    let before = std::fs::read_to_string(&context.path).with_context(told).or_next(&next)?;
    let mut fields: Map<String, Value> =
        serde_saphyr::from_str(&before).with_context(told).or_next(&next)?;
    let mut set =
        |name: &str, text: &str| fields.insert(name.to_owned(), text.into()) != Some(text.into());
    let mut differs = set("jwt", &renewed.jwt);
    if matches!(context.ca, Ca::Text(_)) {
        differs |= set("ca", &renewed.ca);
    }
    if differs {
        let text = serde_saphyr::to_string(&fields).with_context(told).or_next(&next)?;
        write(&context.path, &(HEAD.to_owned() + &text)).with_context(told).or_next(&next)?;
    }
    Ok(changed || differs)
}

/// A temporary file is 0600.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut file = NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    let owner = std::fs::metadata(path).ok().map(|meta| {
        use std::os::unix::fs::MetadataExt;
        (meta.uid(), meta.gid())
    });
    if let Some((uid, gid)) = owner.filter(|_| nix::unistd::geteuid().is_root()) {
        std::os::unix::fs::chown(file.path(), Some(uid), Some(gid))?;
    }
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_renewed_context_keeps_all_but_the_credential_and_the_ca() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.yaml");
        let ca = "-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n";
        for inside in [true, false] {
            let text = serde_json::json!({
                "cluster": "c", "servers": ["tls://127.0.0.1:4222"], "user": "123",
                "ca": if inside { ca } else { "ca.pem" }, "role": "admin", "jwt": "old",
                "seed": "S",
            });
            write(&path, &serde_saphyr::to_string(&text).unwrap()).unwrap();
            let context = Context::load(Some(&path)).unwrap();
            let renewed = KeysRenewed { jwt: "new".into(), ca: ca.replace("AA", "BB") };
            assert!(renew(&context, &renewed).unwrap());
            assert!(!renew(&context, &renewed).unwrap(), "nothing is left to do");
            let after = Context::load(Some(&path)).unwrap();
            assert_eq!((after.jwt.as_str(), after.seed.as_str()), ("new", "S"));
            assert_eq!(after.user.as_str(), "123");
            let trusted = match after.ca {
                Ca::Text(text) => text,
                Ca::File(file) => std::fs::read_to_string(file).unwrap(),
            };
            assert_eq!(trusted, renewed.ca);
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}
