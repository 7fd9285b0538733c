//! A webhook's headers: those of the configuration, and secret ones from files of our own.

use super::config::Webhook;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, COOKIE, HOST, TRANSFER_ENCODING};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The longest secret that a file may hold, in bytes.
const SECRET_BYTES_MAX: u64 = 8 << 10;
const OTHERS: u32 = 0o077;

/// Says what is wrong with a webhook's headers, their values unsaid.
pub(super) fn check(webhook: &Webhook) -> Result<(), String> {
    for name in webhook.headers.keys().chain(webhook.header_files.keys()) {
        let parsed = HeaderName::try_from(name);
        let parsed = parsed.map_err(|_| format!("a webhook's header {name:?} is no name"))?;
        if [HOST, CONTENT_LENGTH, TRANSFER_ENCODING].contains(&parsed) {
            return Err(format!("a webhook's header {name} is set by Muster; leave it out"));
        }
    }
    for (name, value) in &webhook.headers {
        if HeaderValue::try_from(value).is_err() {
            return Err(format!("a webhook's header {name} has a value that is none"));
        }
        if [AUTHORIZATION, COOKIE].iter().any(|secret| name.eq_ignore_ascii_case(secret.as_str())) {
            return Err(format!(
                "a webhook's header {name} is a secret; put its value into a file (chmod 600) and \
                 name that at header_files"
            ));
        }
    }
    Ok(())
}

/// All headers; files are read now, so that a secret may be changed at any time.
pub(super) fn load(webhook: &Webhook) -> Result<HeaderMap, String> {
    let mut all = HeaderMap::new();
    let named = |name: &String| HeaderName::try_from(name).map_err(|error| error.to_string());
    for (name, value) in &webhook.headers {
        let value = HeaderValue::try_from(value).map_err(|error| error.to_string())?;
        all.insert(named(name)?, value);
    }
    for (name, path) in &webhook.header_files {
        let secret = secret(path)?;
        let value = HeaderValue::try_from(secret.trim());
        let mut value = value.map_err(|_| format!("{} holds no header's value", path.display()))?;
        value.set_sensitive(true);
        all.insert(named(name)?, value);
    }
    Ok(all)
}

fn secret(path: &Path) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("reading {}: {error}", path.display());
    let file = fs::File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.permissions().mode() & OTHERS != 0 {
        return Err(format!("{0} can be read by others; chmod 600 {0}", path.display()));
    }
    let mut text = String::new();
    file.take(SECRET_BYTES_MAX).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn webhook(rest: &str) -> Webhook {
        serde_saphyr::from_str(&format!("{{url: 'https://a/', {rest}}}")).unwrap()
    }

    #[test]
    fn a_secret_comes_from_a_file_that_is_ours_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        fs::write(&path, "Bearer s3cret\n").unwrap();
        let hook = webhook(&format!("header_files: {{Authorization: {}}}", path.display()));
        check(&hook).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(load(&hook).unwrap_err().contains("chmod 600"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let headers = load(&hook).unwrap();
        assert_eq!(headers["authorization"], "Bearer s3cret");
        assert!(!format!("{headers:?}").contains("s3cret"));
    }

    #[test]
    fn a_secret_in_the_configuration_is_refused() {
        let refused = check(&webhook("headers: {authorization: s3cret}")).unwrap_err();
        assert!(refused.contains("header_files") && !refused.contains("s3cret"));
        assert!(check(&webhook("headers: {Host: a}")).unwrap_err().contains("leave it out"));
        check(&webhook("headers: {X-Cluster: pluto}")).unwrap();
    }
}
