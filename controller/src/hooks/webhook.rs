//! Calls a webhook: one POST over a connection of its own, no redirects, no proxy.

use super::config;
use super::header;
use super::program::{Failed, Tail};
use hyper::body::{Body, Incoming};
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use std::fmt;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// The bytes of an answer that are read: enough to say what is wrong.
const ANSWER_BYTES_MAX: usize = 64 << 10;
const AGENT: &str = concat!("muster/", env!("CARGO_PKG_VERSION"));

/// Where a webhook is. What follows the host may be a secret and is never shown.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Url(Uri);

impl TryFrom<String> for Url {
    type Error = String;
    fn try_from(text: String) -> Result<Url, String> {
        let uri: Uri = text.parse().map_err(|_| "a webhook's url is none".to_owned())?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err("a webhook's url must begin with https:// or http://".into());
        }
        match uri.authority() {
            Some(authority) if authority.as_str().contains('@') => {
                Err("a webhook's url holds a password; use header_files".into())
            }
            Some(authority) if !authority.host().is_empty() => Ok(Url(uri)),
            Some(_) | None => Err("a webhook's url names no host".into()),
        }
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.host_part())
    }
}

impl Url {
    /// Its scheme and host.
    #[must_use]
    pub fn host_part(&self) -> String {
        let authority = self.0.authority().map_or("", |authority| authority.as_str());
        format!("{}://{authority}", if self.is_https() { "https" } else { "http" })
    }

    fn is_https(&self) -> bool {
        self.0.scheme_str() == Some("https")
    }

    /// The host, without an IPv6 address's brackets.
    fn host(&self) -> &str {
        self.0.host().unwrap_or_default().trim_matches(['[', ']'])
    }

    fn port(&self) -> u16 {
        self.0.port_u16().unwrap_or(if self.is_https() { 443 } else { 80 })
    }
}

/// A webhook with the certificates that it trusts.
pub(super) struct Webhook {
    config: config::Webhook,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "Webhook({:?})", self.config.url)
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Webhook {
    pub(super) fn new(config: &config::Webhook) -> Result<Webhook, String> {
        let tls = match config.url.is_https() {
            true => Some((connector(config)?, server_name(&config.url)?)),
            false => None,
        };
        Ok(Webhook { config: config.clone(), tls })
    }

    /// Posts a body; whatever is not a 2xx in time is a failure.
    pub(super) async fn call(&self, body: &str, timeout: Duration) -> Result<(), Failed> {
        let late = || Failed::new(format!("no answer within {} s", timeout.as_secs()));
        tokio::time::timeout(timeout, self.post(body)).await.unwrap_or_else(|_| Err(late()))
    }

    async fn post(&self, body: &str) -> Result<(), Failed> {
        let request = self.request(body).map_err(Failed::new)?;
        let stream = self.connect().await.map_err(|error| {
            Failed::new(format!("connecting to {}: {error}", self.config.url.host_part()))
        })?;
        let broken = |error: hyper::Error| Failed::new(format!("the request broke off: {error}"));
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        let mut exchange = pin!(async {
            let answer = sender.send_request(request).await.map_err(broken)?;
            judge(answer).await.map_err(broken)?
        });
        tokio::select! {
            done = &mut exchange => return done,
            // Its error is the exchange's, which still has what had come before.
            _ = connection => {}
        }
        exchange.await
    }

    fn request(&self, body: &str) -> Result<Request<String>, String> {
        let url = &self.config.url.0;
        let path = url.path_and_query().map_or("/", |path| path.as_str());
        let host = url.authority().map_or("", |authority| authority.as_str());
        let mut request = Request::post(path)
            .body(body.to_owned())
            .map_err(|_| "its url has no path that can be asked for".to_owned())?;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        headers.extend(header::load(&self.config)?);
        headers.insert(HOST, host.parse().map_err(|_| "its url's host is none".to_owned())?);
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        Ok(request)
    }

    async fn connect(&self) -> std::io::Result<Pin<Box<dyn Stream>>> {
        let url = &self.config.url;
        let stream = TcpStream::connect((url.host(), url.port())).await?;
        Ok(match &self.tls {
            None => Box::pin(stream),
            Some((connector, name)) => Box::pin(connector.connect(name.clone(), stream).await?),
        })
    }
}

/// The outer error is the connection's, the inner one what the other side says.
async fn judge(answer: Response<Incoming>) -> Result<Result<(), Failed>, hyper::Error> {
    let status = answer.status();
    if status.is_success() {
        return Ok(Ok(()));
    }
    let (mut body, mut tail, mut read) = (pin!(answer.into_body()), Tail::default(), 0);
    while read < ANSWER_BYTES_MAX {
        let next = std::future::poll_fn(|context| body.as_mut().poll_frame(context)).await;
        let Some(frame) = next.transpose()? else { break };
        let Ok(data) = frame.into_data() else { continue };
        read += data.len();
        tail.push(&data);
    }
    Ok(Err(Failed { what: format!("it answered {status}"), output: tail.text() }))
}

fn connector(config: &config::Webhook) -> Result<TlsConnector, String> {
    let mut roots = RootCertStore::empty();
    let found = match &config.ca {
        Some(path) => CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| format!("reading {}: {error}", path.display()))?,
        None => rustls_native_certs::load_native_certs().certs,
    };
    roots.add_parsable_certificates(found);
    if roots.is_empty() {
        return Err(
            "there is no certificate to trust; install the system's (ca-certificates), or \
                    name a file at webhook.ca"
                .into(),
        );
    }
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(client)))
}

fn server_name(url: &Url) -> Result<ServerName<'static>, String> {
    let name = ServerName::try_from(url.host().to_owned());
    name.map_err(|_| format!("{} is no name that a certificate can bear", url.host()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_url_shows_no_more_than_its_host() {
        let url = Url::try_from("https://hooks.example.org:8443/T1/s3cret?key=s3cret".to_owned());
        let url = url.unwrap();
        assert_eq!(format!("{url:?}"), "https://hooks.example.org:8443");
        assert_eq!((url.host(), url.port()), ("hooks.example.org", 8443));
        let short = Url::try_from("http://[::1]".to_owned()).unwrap();
        assert_eq!((short.host(), short.port()), ("::1", 80));
        for bad in ["", "a", "/a", "ftp://a/", "http://", "http://me:pw@a/"] {
            assert!(Url::try_from(bad.to_owned()).is_err(), "{bad:?}");
        }
    }
}
