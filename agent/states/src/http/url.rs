//! Addresses: scheme, login, host, port, path.

use std::fmt;

/// An http or https address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Url {
    pub(super) secure: bool,
    /// `user:password`, decoded.
    pub(super) login: Option<String>,
    pub(super) host: String,
    pub(super) port: u16,
    /// The path with its query; starts with a slash.
    pub(super) path: String,
}

impl Url {
    pub(super) fn parse(text: &str) -> Option<Url> {
        let (scheme, rest) = text.split_once("://")?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return None,
        };
        let rest = rest.split('#').next().unwrap_or(rest);
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (login, place) = match authority.rsplit_once('@') {
            Some((login, place)) => (Some(decoded(login)?), place),
            None => (None, authority),
        };
        let (host, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, port)) => (host, port.strip_prefix(':')),
            None => place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
        };
        let port = match port {
            Some(port) => port.parse().ok()?,
            None if secure => 443,
            None => 80,
        };
        let plain = |text: &str| text.bytes().all(|byte| (0x21..0x7f).contains(&byte));
        if host.is_empty() || !plain(host) || path.bytes().any(|byte| byte < 0x20) {
            return None;
        }
        let slash = if path.starts_with('/') { "" } else { "/" };
        let path = format!("{slash}{}", encoded(path));
        Some(Url { secure, login, host: host.to_owned(), port, path })
    }

    /// Where a redirect leads.
    pub(super) fn joined(&self, location: &str) -> Option<Url> {
        if location.contains("://") {
            return Url::parse(location);
        }
        let scheme = if self.secure { "https" } else { "http" };
        if let Some(rest) = location.strip_prefix("//") {
            return Url::parse(&format!("{scheme}://{rest}"));
        }
        let path = if location.starts_with('/') {
            location.to_owned()
        } else {
            let folder = self.path.split('?').next().unwrap_or("/");
            let folder = folder.rsplit_once('/').map_or("", |(folder, _)| folder);
            format!("{folder}/{location}")
        };
        Url::parse(&format!("{scheme}://{}{path}", self.authority()))
    }

    pub(super) fn with_login_of(self, other: &Url) -> Url {
        Url { login: self.login.or_else(|| other.login.clone()), ..self }
    }

    /// Host and port as a request names them.
    pub(super) fn authority(&self) -> String {
        let host =
            if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match (self.secure, self.port) {
            (true, 443) | (false, 80) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        write!(out, "{scheme}://{}{}", self.authority(), self.path)
    }
}

/// An address without its password.
pub(crate) fn redacted(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return address.to_owned() };
    let end = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://<redacted>@{host}{path}"),
        None => address.to_owned(),
    }
}

fn decoded(text: &str) -> Option<String> {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digits = [bytes.next()?, bytes.next()?];
            let digits = std::str::from_utf8(&digits).ok()?;
            out.push(u8::from_str_radix(digits, 16).ok()?);
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).ok()
}

/// Spaces and what is not ASCII must not stand in a request's line.
fn encoded(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        if (0x21..0x7f).contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart_and_joined() {
        let url = Url::parse("https://me:p%40w@example.org:8443/a/b c?q=1#x").unwrap();
        assert_eq!(url.login.as_deref(), Some("me:p@w"));
        assert_eq!((url.host.as_str(), url.port), ("example.org", 8443));
        assert_eq!(url.path, "/a/b%20c?q=1");
        assert_eq!(url.joined("d").unwrap().to_string(), "https://example.org:8443/a/d");
        assert_eq!(url.joined("//h/x").unwrap().to_string(), "https://h/x");
        assert_eq!(Url::parse("http://[::1]:80").unwrap().authority(), "[::1]");
        for wrong in ["ftp://h/", "http://", "http:///x", "h/x", "http://h:x/", "http://a\nb/"] {
            assert!(Url::parse(wrong).is_none(), "{wrong}");
        }
        assert_eq!(redacted("http://u:p@h/x@y"), "http://<redacted>@h/x@y");
    }
}
