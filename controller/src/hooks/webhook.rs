//! Calls a webhook: one POST, no redirect followed, the answer's status judged.

use super::config;
use super::header;
use super::program::{Failed, Tail};
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Certificate, Client, Response};
use serde::Deserialize;
use std::fmt;
use std::time::Duration;

/// The bytes of an answer that are read: enough to say what is wrong.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Where a webhook is. What follows the host may be a secret and is never shown.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Url(reqwest::Url);

impl TryFrom<String> for Url {
    type Error = String;
    fn try_from(text: String) -> Result<Url, String> {
        let url = reqwest::Url::parse(&text);
        let url = url.map_err(|error| format!("a webhook's url is none: {error}"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err("a webhook's url must begin with https:// or http://".into());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("a webhook's url holds a password; use header_files".into());
        }
        Ok(Url(url))
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
        self.0.origin().ascii_serialization()
    }
}

/// A webhook with the certificates that it trusts.
#[derive(Debug)]
pub(super) struct Webhook {
    config: config::Webhook,
    client: Client,
}

impl Webhook {
    pub(super) fn new(config: &config::Webhook) -> Result<Webhook, String> {
        Ok(Webhook { config: config.clone(), client: client(config)? })
    }

    /// Posts a body; whatever is not a 2xx in time is a failure.
    pub(super) async fn call(&self, body: &str, timeout: Duration) -> Result<(), Failed> {
        let late = || Failed::new(format!("no answer within {} s", timeout.as_secs()));
        tokio::time::timeout(timeout, self.post(body)).await.unwrap_or_else(|_| Err(late()))
    }

    async fn post(&self, body: &str) -> Result<(), Failed> {
        let headers = header::load(&self.config).map_err(Failed::new)?;
        let request = self
            .client
            .post(self.config.url.0.clone())
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .headers(headers)
            .body(body.to_owned());
        judge(request.send().await.map_err(|error| self.broken(error))?)
            .await
            .map_err(|error| self.broken(error))?
    }

    fn broken(&self, error: reqwest::Error) -> Failed {
        let doing = if error.is_connect() { "connecting to" } else { "calling" };
        // The URL in the error's own text may hold a secret.
        let cause = crate::chain(&error.without_url());
        Failed::new(format!("{doing} {}: {cause}", self.config.url.host_part()))
    }
}

/// The outer error is the connection's, the inner one what the other side says.
async fn judge(mut answer: Response) -> Result<Result<(), Failed>, reqwest::Error> {
    let (status, mut tail, mut read) = (answer.status(), Tail::default(), 0);
    if status.is_success() {
        return Ok(Ok(()));
    }
    while read < ANSWER_BYTES_MAX
        && let Some(data) = answer.chunk().await?
    {
        read += data.len();
        tail.push(&data);
    }
    Ok(Err(Failed { what: format!("it answered {status}"), output: tail.text() }))
}

fn client(config: &config::Webhook) -> Result<Client, String> {
    let mut builder = Client::builder()
        // A redirect would carry the headers to wherever it leads.
        .redirect(reqwest::redirect::Policy::none())
        .pool_max_idle_per_host(0)
        .user_agent(concat!("muster/", env!("CARGO_PKG_VERSION")));
    if let Some(path) = &config.ca {
        let pem = std::fs::read(path).map_err(|error| error.to_string());
        let all = pem.and_then(|pem| {
            Certificate::from_pem_bundle(&pem).map_err(|error| crate::chain(&error))
        });
        let all = all.map_err(|why| format!("reading {}: {why}", path.display()))?;
        if all.is_empty() {
            return Err(format!("{} holds no certificate; give a file of PEM", path.display()));
        }
        builder = builder.tls_built_in_root_certs(false);
        builder = all.into_iter().fold(builder, reqwest::ClientBuilder::add_root_certificate);
    }
    builder.build().map_err(|error| format!("setting up TLS: {}", crate::chain(&error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_url_shows_no_more_than_its_host() {
        let url = Url::try_from("https://hooks.example.org:8443/T1/s3cret?key=s3cret".to_owned());
        assert_eq!(format!("{:?}", url.unwrap()), "https://hooks.example.org:8443");
        for bad in ["", "a", "/a", "ftp://a/", "http://", "http://me:pw@a/", "http://me@a/"] {
            assert!(Url::try_from(bad.to_owned()).is_err(), "{bad:?}");
        }
    }
}
