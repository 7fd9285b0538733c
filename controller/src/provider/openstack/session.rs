//! One login, and calls with it: limits on all of them, a new login when the token is refused.
//!
//! The crate keeps the token and the catalogue; the requests are sent here, because its own calls
//! know no limit, and its errors no status. A token that was revoked before its time looks good to
//! the crate for as long as it has not expired, so a refusal makes a new login from nothing.

use super::backoff;
use super::clouds::{CredentialName, Credentials, IdOrName, Login, Project};
use super::fault;
use super::settings::Interface;
use crate::provider::{Error, ErrorKind, Secret};
use muster_protocol::id::random;
use openstack::auth::{AuthType, Password, Scope};
use openstack::{EndpointFilters, InterfaceType};
use osauth::identity::ApplicationCredential;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Client, Method, Url};
use serde::de::DeserializeOwned;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long a connection may take to be made.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// How long a connection is kept for the next call: less than the 5 s after which Apache closes it.
/// A create that is sent into a closing connection breaks off, and nobody knows whether it arrived.
const IDLE_LIMIT: Duration = Duration::from_secs(4);
/// The longest answer that is read.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// How much longer than one request a call may take with all its repetitions.
const LIMITS_PER_CALL: u32 = 2;

/// A service of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    Compute,
    Image,
    Network,
}

impl Service {
    fn name(self) -> &'static str {
        match self {
            Service::Compute => "compute",
            Service::Image => "image",
            Service::Network => "network",
        }
    }

    /// The API's version, for catalogues that give the service's root only.
    fn version(self) -> &'static str {
        match self {
            Service::Compute => "v2.1",
            Service::Image => "v2",
            Service::Network => "v2.0",
        }
    }
}

/// What is asked of a service.
#[derive(Clone, Debug)]
pub(super) struct Call<'a> {
    /// For errors: what is being done.
    pub(super) doing: &'a str,
    pub(super) service: Service,
    pub(super) method: Method,
    pub(super) path: &'a [&'a str],
    pub(super) query: &'a [(&'a str, &'a str)],
    /// Nova's microversion.
    pub(super) version: Option<&'static str>,
    /// JSON; it may hold user-data.
    pub(super) body: Option<Secret>,
    /// Whether it may be done twice.
    pub(super) repeatable: bool,
}

impl<'a> Call<'a> {
    pub(super) fn get(doing: &'a str, service: Service, path: &'a [&'a str]) -> Call<'a> {
        Call {
            doing,
            service,
            method: Method::GET,
            path,
            query: &[],
            version: None,
            body: None,
            repeatable: true,
        }
    }
}

/// What a service answered, whatever the status.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    /// The body, if the status is a good one.
    pub(super) fn json<T: DeserializeOwned>(&self, doing: &str) -> Result<T, Error> {
        self.good(doing)?;
        serde_json::from_slice(&self.body).map_err(|error| {
            let text = format!(
                "{doing}: the cloud's answer is not what its API says; is the \
                                endpoint in the catalogue that of the service?"
            );
            Error::new(ErrorKind::Transient, text).caused_by(error)
        })
    }

    /// An error if the status is no good one.
    pub(super) fn good(&self, doing: &str) -> Result<(), Error> {
        match self.status {
            200..=299 => Ok(()),
            status => Err(fault::refused(doing, status, &self.headers, &self.body)),
        }
    }
}

/// One user of one cloud.
pub(super) struct Session {
    credentials: Credentials,
    client: Client,
    limit: Duration,
    login: Mutex<Arc<dyn AuthType>>,
}

impl fmt::Debug for Session {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The crate's own Debug would show the password.
        to.debug_struct("Session").field("auth_url", &self.credentials.auth_url).finish()
    }
}

impl Session {
    /// Gets ready; the first call logs in.
    pub(super) fn new(credentials: Credentials, limit: Duration) -> Result<Session, Error> {
        let client = client(&credentials, limit)?;
        let login = Mutex::new(login(&credentials)?);
        Ok(Session { credentials, client, limit, login })
    }

    /// Calls, and repeats what may be repeated, for a limited time.
    pub(super) async fn call(&self, call: &Call<'_>) -> Result<Answer, Error> {
        let until = Instant::now() + self.limit * LIMITS_PER_CALL;
        let mut tries = 0;
        loop {
            tries += 1;
            let result = self.once(call).await.and_then(|answer| passing(call.doing, answer));
            let error = match result {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let passes = matches!(error.kind(), ErrorKind::Rate | ErrorKind::Transient);
            let [dice] = random::<1>();
            let wait = backoff::wait(tries, error.retry_after(), dice);
            match wait.filter(|wait| Instant::now() + *wait < until) {
                Some(wait) if passes && call.repeatable => tokio::time::sleep(wait).await,
                _ => return Err(error),
            }
        }
    }

    /// Calls once; with another login, if the present one is refused.
    async fn once(&self, call: &Call<'_>) -> Result<Answer, Error> {
        let present = self.present();
        let answer = self.limited(call, &present).await?;
        if answer.status != 401 {
            return Ok(answer);
        }
        // A refused call has done nothing, so it may be repeated, whatever it is.
        let fresh = self.renew(&present)?;
        self.limited(call, &fresh).await
    }

    async fn limited(&self, call: &Call<'_>, login: &Arc<dyn AuthType>) -> Result<Answer, Error> {
        let done = tokio::time::timeout(self.limit, self.send(call, login)).await;
        done.unwrap_or_else(|_| Err(self.late(call.doing)))
    }

    async fn send(&self, call: &Call<'_>, login: &Arc<dyn AuthType>) -> Result<Answer, Error> {
        let failed = |error| self.login_failed(call.doing, &error);
        let url = self.url(call, login).await?;
        let mut request = self.client.request(call.method.clone(), url);
        if let Some(version) = call.version {
            request = request
                .header("OpenStack-API-Version", format!("compute {version}"))
                .header("X-OpenStack-Nova-API-Version", version);
        }
        if let Some(body) = &call.body {
            request =
                request.header(CONTENT_TYPE, "application/json").body(body.expose().to_owned());
        }
        let request = login.authenticate(&self.client, request).await.map_err(failed)?;
        let mut response = request.send().await.map_err(|error| self.broken(call, error))?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.map_err(|error| self.broken(call, error))? {
            if body.len() + part.len() > ANSWER_BYTES_MAX {
                let text = format!("{}: an answer of over {ANSWER_BYTES_MAX} bytes", call.doing);
                return Err(Error::new(ErrorKind::Transient, text));
            }
            body.extend_from_slice(&part);
        }
        Ok(Answer { status, headers, body })
    }

    async fn url(&self, call: &Call<'_>, login: &Arc<dyn AuthType>) -> Result<Url, Error> {
        let name = call.service.name();
        let base = match self.credentials.overrides.get(name) {
            Some(text) => Url::parse(text).map_err(|error| {
                let text = format!("{}: {name}_endpoint_override in clouds.yaml", call.doing);
                Error::new(ErrorKind::Invalid, text).caused_by(error)
            })?,
            None => {
                let filters = filters(&self.credentials);
                let found = login.get_endpoint(&self.client, name, &filters).await;
                found.map_err(|error| self.login_failed(call.doing, &error))?
            }
        };
        address(base, call).ok_or_else(|| {
            let text = format!("{}: the endpoint of {name} is no address", call.doing);
            Error::new(ErrorKind::Invalid, text)
        })
    }

    fn present(&self) -> Arc<dyn AuthType> {
        Arc::clone(&self.login.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts a new login in the place of a refused one, unless another call has done so already.
    fn renew(&self, refused: &Arc<dyn AuthType>) -> Result<Arc<dyn AuthType>, Error> {
        let mut present = self.login.lock().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&present, refused) {
            tracing::info!(auth_url = %self.credentials.auth_url, "token refused; logging in anew");
            *present = login(&self.credentials)?;
        }
        Ok(Arc::clone(&present))
    }

    fn late(&self, doing: &str) -> Error {
        let text = format!("{doing}: no answer within {:?}; {}", self.limit, transient());
        Error::new(ErrorKind::Transient, text)
    }

    fn broken(&self, call: &Call<'_>, error: reqwest::Error) -> Error {
        if error.is_timeout() && !error.is_connect() {
            return self.late(call.doing);
        }
        let reached = error.is_connect();
        let what = if reached { "is not reached" } else { "broke off" };
        let service = call.service.name();
        let error = error.without_url();
        let text = format!("{}: {service} {what} ({}); {}", call.doing, cause(&error), transient());
        let error = Error::new(ErrorKind::Transient, text).caused_by(error);
        // What was never connected cannot have been asked.
        if reached { error.nothing_was_done() } else { error }
    }

    /// A login that failed, or a service that is not in the catalogue: nothing was asked for yet.
    fn login_failed(&self, doing: &str, error: &openstack::Error) -> Error {
        use openstack::ErrorKind as Kind;
        let kind = match (status_of(error), error.kind()) {
            (Some(429), _) => ErrorKind::Rate,
            (_, Kind::AuthenticationFailed | Kind::AccessDenied) => ErrorKind::Auth,
            (_, Kind::InternalServerError | Kind::ProtocolError | Kind::OperationTimedOut) => {
                ErrorKind::Transient
            }
            _ => ErrorKind::Invalid,
        };
        let url = &self.credentials.auth_url;
        let text = format!("{doing}: logging in at {url} ({error}); {}", fault::advice(kind));
        Error::new(kind, text).nothing_was_done()
    }
}

/// What only passes by is an error, so that it is repeated; all else is the caller's to judge.
fn passing(doing: &str, answer: Answer) -> Result<Answer, Error> {
    match answer.status {
        429 | 502..=504 => answer.good(doing).map(|()| answer),
        _ => Ok(answer),
    }
}

fn transient() -> &'static str {
    fault::advice(ErrorKind::Transient)
}

/// The innermost reason, which says most.
fn cause(error: &reqwest::Error) -> String {
    let mut last: &dyn std::error::Error = error;
    while let Some(next) = last.source() {
        last = next;
    }
    last.to_string()
}

/// The status within the crate's error, which has it, but shows it in its `Debug` only.
fn status_of(error: &openstack::Error) -> Option<u16> {
    let shown = format!("{error:?}");
    let (_, rest) = shown.rsplit_once("status: Some(")?;
    rest.split_once(')')?.0.parse().ok()
}

fn client(credentials: &Credentials, limit: Duration) -> Result<Client, Error> {
    let failed = |what: &str, error: Box<dyn std::error::Error + Send + Sync>| {
        Error::new(ErrorKind::Invalid, what).caused_by(error)
    };
    let mut builder = Client::builder()
        .timeout(limit)
        .connect_timeout(CONNECT_LIMIT.min(limit))
        .pool_idle_timeout(IDLE_LIMIT)
        // A redirect would carry the token to wherever it leads.
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("muster/", env!("CARGO_PKG_VERSION")));
    if let Some(path) = &credentials.ca {
        let what = format!("reading the cloud's CA {}; give a file of PEM", path.display());
        let pem = std::fs::read(path).map_err(|error| failed(&what, error.into()))?;
        let bundle = reqwest::Certificate::from_pem_bundle(&pem);
        for certificate in bundle.map_err(|error| failed(&what, error.into()))? {
            builder = builder.add_root_certificate(certificate);
        }
    }
    builder.build().map_err(|error| failed("setting up TLS to the cloud", error.into()))
}

/// A login that has not been asked for yet.
fn login(credentials: &Credentials) -> Result<Arc<dyn AuthType>, Error> {
    let url = credentials.auth_url.as_str();
    let made: Result<Arc<dyn AuthType>, openstack::Error> = match &credentials.login {
        Login::Password { user, domain, password, project } => {
            let made = Password::new(url, user.as_str(), password.expose(), domain.as_str());
            made.map(|login| match project {
                Some(project) => Arc::new(login.with_scope(scope(project))) as Arc<dyn AuthType>,
                None => Arc::new(login),
            })
        }
        Login::Credential { name: CredentialName::Id(id), secret } => {
            ApplicationCredential::new(url, id.as_str(), secret.expose())
                .map(|login| Arc::new(login) as Arc<dyn AuthType>)
        }
        Login::Credential { name: CredentialName::Name { name, user_id }, secret } => {
            let (name, user_id) = (name.as_str(), user_id.as_str());
            ApplicationCredential::with_user_id(url, name, secret.expose(), user_id)
                .map(|login| Arc::new(login) as Arc<dyn AuthType>)
        }
    };
    made.map_err(|error| {
        let text = format!("auth_url {url}: {error}; give Keystone's address");
        Error::new(ErrorKind::Invalid, text)
    })
}

fn scope(project: &Project) -> Scope {
    let convert = |name: &IdOrName| match name {
        IdOrName::Id(id) => openstack::IdOrName::Id(id.clone()),
        IdOrName::Name(name) => openstack::IdOrName::Name(name.clone()),
    };
    Scope::Project { project: convert(&project.project), domain: Some(convert(&project.domain)) }
}

fn filters(credentials: &Credentials) -> EndpointFilters {
    let mut filters = EndpointFilters::default();
    filters.set_interfaces(match credentials.interface {
        Interface::Public => InterfaceType::Public,
        Interface::Internal => InterfaceType::Internal,
        Interface::Admin => InterfaceType::Admin,
    });
    filters.region.clone_from(&credentials.region);
    filters
}

/// The endpoint, with a version if it has none, the path and the query.
fn address(mut base: Url, call: &Call<'_>) -> Option<Url> {
    let is_version = |part: &str| {
        part.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    let versioned = base.path_segments()?.any(is_version);
    {
        let mut parts = base.path_segments_mut().ok()?;
        parts.pop_if_empty();
        if !versioned {
            parts.push(call.service.version());
        }
        parts.extend(call.path);
    }
    if !call.query.is_empty() {
        base.query_pairs_mut().extend_pairs(call.query);
    }
    Some(base)
}
