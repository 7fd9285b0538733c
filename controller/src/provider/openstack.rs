//! Provider `openstack`: workers are servers of Nova.
//!
//! The crate `openstack` logs in and reads the catalogue; the calls are made here, so that each
//! has a limit, an error has a status, and a server's id is known as soon as Nova has given it.
//! `create` and `rebuild` are sent once and never repeated; what is read or deleted is, for a
//! while. A server is ours if its metadata says so: tags only narrow down the listing.

mod backoff;
mod body;
mod clouds;
mod fault;
mod lookup;
mod servers;
mod session;
mod settings;
mod tag;

pub use fault::Refusal;
pub use settings::{Interface, Network, ServerSettings, Settings, Volume};

use super::{Error, ErrorKind, Provider, Server, ServerId, ServerSpec, Status};
use crate::user_data::USER_DATA_BYTES_MAX;
use body::Ids;
use clouds::Credentials;
use futures_util::future::BoxFuture;
use lookup::{Kind, Lookup, is_uuid};
use muster_protocol::id::{ClusterName, UnixMillis};
use reqwest::Method;
use reqwest::header::DATE;
use servers::{Found, Made, NovaStatus, One, Page};
use session::{Answer, Call, Service, Session};
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// Nova's microversion: tags at create (2.52), user-data at rebuild (2.57). Queens and later.
const VERSION: &str = "2.57";
/// The one that knows types of volumes at create. Stein and later.
const VERSION_VOLUME_TYPE: &str = "2.67";
/// The one that can rebuild what boots from a volume. Zed and later.
const VERSION_VOLUME_REBUILD: &str = "2.93";
/// How many servers are listed at once.
const PAGE: &str = "500";
/// How many pages are read.
const PAGES_MAX: usize = 200;

/// The provider; its clones are the same one.
#[derive(Clone, Debug)]
pub struct OpenStack {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    settings: Settings,
    cluster: ClusterName,
    session: Session,
    lookup: Lookup,
}

impl OpenStack {
    /// Reads who we are in the cloud; the cloud itself is first asked by the first call.
    ///
    /// # Errors
    /// If the settings make no sense, or clouds.yaml cannot be read or lacks something.
    pub fn open(settings: Settings, cluster: ClusterName) -> Result<OpenStack, Error> {
        OpenStack::with_variables(settings, cluster, &|name| std::env::var(name).ok())
    }

    /// Reads who we are in the cloud, and asks nobody.
    fn credentials(
        settings: &Settings,
        variables: clouds::Variables<'_>,
    ) -> Result<Credentials, Error> {
        let invalid = |what: String| Error::new(ErrorKind::Invalid, format!("openstack: {what}"));
        settings.check().map_err(invalid)?;
        Credentials::load(settings, variables)
            .map_err(|error| invalid(crate::sandbox::chain(&error)))
    }

    /// Whether it is known who we are in the cloud.
    pub(super) fn check_files(settings: &Settings) -> Result<(), Error> {
        OpenStack::credentials(settings, &|name| std::env::var(name).ok()).map(drop)
    }

    fn with_variables(
        settings: Settings,
        cluster: ClusterName,
        variables: clouds::Variables<'_>,
    ) -> Result<OpenStack, Error> {
        let credentials = OpenStack::credentials(&settings, variables)?;
        let limit = Duration::from_secs(settings.request_secs.into());
        let session = Session::new(credentials, limit)?;
        let lookup = Lookup::new(Duration::from_secs(settings.lookup_secs.into()));
        Ok(OpenStack { inner: Arc::new(Inner { settings, cluster, session, lookup }) })
    }
}

impl Inner {
    /// Logs in, and looks up what a spec names: it is remembered when the server is asked for.
    async fn prepare(&self, spec: &ServerSpec) -> Result<(), Error> {
        let doing = format!("creating {}", spec.name);
        let ids = self.ids(&doing, spec, &self.settings.server_of(&spec.pool)).await;
        ids.map(drop).map_err(Error::nothing_was_done)
    }

    async fn create(&self, spec: &ServerSpec) -> Result<Server, Error> {
        let doing = format!("creating {}", spec.name);
        self.check(&doing, spec)?;
        let settings = self.settings.server_of(&spec.pool);
        let ids = self.ids(&doing, spec, &settings).await?;
        let answer = self.post(&doing, spec, &settings, &ids).await?;
        let gone = |error: &Error| error.kind() == ErrorKind::Gone;
        match answer.json::<Made>(&doing) {
            Ok(made) => Ok(self.made(spec, &answer, made)),
            // An id that was looked up earlier may have gone since; nothing was made with it.
            Err(error) if gone(&error) => {
                self.lookup.forget();
                let fresh = self.ids(&doing, spec, &settings).await?;
                if fresh == ids {
                    return Err(error);
                }
                let answer = self.post(&doing, spec, &settings, &fresh).await?;
                let made = answer.json::<Made>(&doing)?;
                Ok(self.made(spec, &answer, made))
            }
            Err(error) => Err(error),
        }
    }

    async fn post(
        &self,
        doing: &str,
        spec: &ServerSpec,
        settings: &ServerSettings,
        ids: &Ids,
    ) -> Result<Answer, Error> {
        let typed = |volume: &Volume| volume.volume_type.is_some();
        let mut volumes = settings.volumes.iter().flatten().chain(&settings.boot_volume);
        let version = if volumes.any(typed) { VERSION_VOLUME_TYPE } else { VERSION };
        let body = body::create(spec, settings, ids);
        self.session
            .call(&Call {
                method: Method::POST,
                version: Some(version),
                body: Some(body),
                repeatable: false,
                ..Call::get(doing, Service::Compute, &["servers"])
            })
            .await
    }

    /// The server that Nova has just taken on; by the clock of Nova's answer.
    fn made(&self, spec: &ServerSpec, answer: &Answer, made: Made) -> Server {
        let date = answer.headers.get(DATE).and_then(|date| date.to_str().ok());
        let at = date
            .and_then(|date| OffsetDateTime::parse(&date.replace("GMT", "+0000"), &Rfc2822).ok());
        Server {
            id: ServerId::new(made.server.id),
            name: spec.name.clone(),
            agent_id: spec.agent_id.clone(),
            cluster: self.cluster.clone(),
            status: Status::Building,
            addresses: Vec::new(),
            created_at: at
                .map_or_else(UnixMillis::now, |at| UnixMillis(at.unix_timestamp() * 1000)),
            image: spec.image.clone(),
        }
    }

    async fn ids(
        &self,
        doing: &str,
        spec: &ServerSpec,
        settings: &ServerSettings,
    ) -> Result<Ids, Error> {
        let find = |kind, name| self.lookup.id(&self.session, kind, name, doing);
        let mut networks = Vec::new();
        for network in settings.networks.iter().flatten() {
            networks.push(match network {
                Network::Named(name) => {
                    let id = find(Kind::Network, name.as_str()).await?;
                    body::Interface::Network { id, fixed_ip: None }
                }
                Network::Address { network, fixed_ip } => {
                    let id = find(Kind::Network, network.as_str()).await?;
                    body::Interface::Network { id, fixed_ip: Some(fixed_ip.to_string()) }
                }
                Network::Port { port } => {
                    let port = settings::port_of(port, &spec.name);
                    let id = self.lookup.id(&self.session, Kind::Port, &port, doing).await?;
                    body::Interface::Port { id }
                }
            });
        }
        let server_group = match &settings.server_group {
            Some(group) => Some(find(Kind::ServerGroup, group.as_str()).await?),
            None => None,
        };
        Ok(Ids {
            flavor: find(Kind::Flavor, spec.flavor.as_str()).await?,
            image: find(Kind::Image, spec.image.as_str()).await?,
            networks,
            server_group,
        })
    }

    fn check(&self, doing: &str, spec: &ServerSpec) -> Result<(), Error> {
        if spec.cluster != self.cluster {
            let text = format!("{doing}: this provider is of cluster {}", self.cluster);
            return Err(Error::new(ErrorKind::Invalid, text));
        }
        let bytes = spec.user_data.expose().len();
        if bytes > USER_DATA_BYTES_MAX {
            let text = format!(
                "{doing}: {bytes} bytes of user-data, and Nova takes {USER_DATA_BYTES_MAX}; list \
                 fewer NATS servers, or shorten the CA's chain"
            );
            return Err(Error::new(ErrorKind::Invalid, text));
        }
        Ok(())
    }

    async fn delete(&self, id: &ServerId) -> Result<(), Error> {
        let doing = format!("deleting server {id}");
        let Some(found) = self.found(&doing, id).await? else { return Ok(()) };
        self.own(&doing, &found)?;
        let path = ["servers", id.as_str()];
        if found.status == NovaStatus::SoftDeleted {
            return self.force_delete(&doing, id).await;
        }
        let call = Call { method: Method::DELETE, ..Call::get(&doing, Service::Compute, &path) };
        let answer = self.session.call(&Call { version: Some(VERSION), ..call }).await?;
        if answer.status == 404 { Ok(()) } else { answer.good(&doing) }
    }

    /// Ends the time in which a deleted server could be had back: it counts against the quota.
    async fn force_delete(&self, doing: &str, id: &ServerId) -> Result<(), Error> {
        let path = ["servers", id.as_str(), "action"];
        let call = Call {
            method: Method::POST,
            version: Some(VERSION),
            body: Some(super::Secret::new(r#"{"forceDelete": null}"#)),
            ..Call::get(doing, Service::Compute, &path)
        };
        let answer = self.session.call(&call).await?;
        if answer.status == 404 { Ok(()) } else { answer.good(doing) }
    }

    async fn rebuild(&self, id: &ServerId, spec: &ServerSpec) -> Result<(), Error> {
        let doing = format!("rebuilding server {id} as {}", spec.agent_id);
        self.check(&doing, spec)?;
        let Some(found) = self.found(&doing, id).await? else {
            return Err(Error::new(ErrorKind::Gone, format!("{doing}: there is no such server")));
        };
        self.own(&doing, &found)?;
        let settings = self.settings.server_of(&spec.pool);
        let image = spec.image.as_str();
        let image = self.lookup.id(&self.session, Kind::Image, image, &doing).await?;
        let path = ["servers", id.as_str(), "action"];
        let on_volume = settings.boot_volume.is_some();
        let call = Call {
            method: Method::POST,
            version: Some(if on_volume { VERSION_VOLUME_REBUILD } else { VERSION }),
            body: Some(body::rebuild(spec, &settings, &image)),
            repeatable: false,
            ..Call::get(&doing, Service::Compute, &path)
        };
        let done = self.session.call(&call).await?.good(&doing);
        if done.as_ref().is_err_and(|error| error.kind() == ErrorKind::Gone) {
            self.lookup.forget();
        }
        done?;
        self.retag(id, spec, &settings).await;
        Ok(())
    }

    /// Sets the tags to the new generation's. They only help to look: the rebuild is under way.
    async fn retag(&self, id: &ServerId, spec: &ServerSpec, settings: &ServerSettings) {
        let doing = format!("tagging server {id}");
        let path = ["servers", id.as_str(), "tags"];
        let tags = serde_json::json!({ "tags": body::tags(spec, settings) });
        let call = Call {
            method: Method::PUT,
            version: Some(VERSION),
            body: Some(super::Secret::new(tags.to_string())),
            ..Call::get(&doing, Service::Compute, &path)
        };
        let done = self.session.call(&call).await.and_then(|answer| answer.good(&doing));
        if let Err(error) = done {
            tracing::warn!(
                server_id = %id,
                error = crate::chain(&error),
                "a rebuilt server keeps its former tag"
            );
        }
    }

    async fn list(&self) -> Result<Vec<Server>, Error> {
        let doing = "listing the servers";
        let tag = tag::of_cluster(&self.cluster);
        let mut servers = Vec::new();
        let mut marker: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let mut query = vec![("tags", tag.as_str()), ("limit", PAGE)];
            query.extend(marker.as_deref().map(|marker| ("marker", marker)));
            let call = Call {
                query: &query,
                version: Some(VERSION),
                ..Call::get(doing, Service::Compute, &["servers", "detail"])
            };
            let page: Page = self.session.call(&call).await?.json(doing).map_err(|error| {
                // The server that the next page begins after has gone meanwhile.
                let moved = marker.is_some() && error.kind() == ErrorKind::Gone;
                if moved { Error::new(ErrorKind::Transient, error.to_string()) } else { error }
            })?;
            marker = page.next();
            let own = page.servers.into_iter().filter_map(|found| found.server(&self.cluster));
            servers.extend(own);
            if marker.is_none() {
                return Ok(servers);
            }
        }
        Err(Error::new(ErrorKind::Transient, format!("{doing}: over {PAGES_MAX} pages of {PAGE}")))
    }

    async fn get(&self, id: &ServerId) -> Result<Option<Server>, Error> {
        let found = self.found(&format!("looking at server {id}"), id).await?;
        Ok(found.and_then(|found| found.server(&self.cluster)))
    }

    /// A server of whatever cluster.
    async fn found(&self, doing: &str, id: &ServerId) -> Result<Option<Found>, Error> {
        if !is_uuid(id.as_str()) {
            return Ok(None);
        }
        let path = ["servers", id.as_str()];
        let call = Call { version: Some(VERSION), ..Call::get(doing, Service::Compute, &path) };
        let answer = self.session.call(&call).await?;
        if answer.status == 404 {
            return Ok(None);
        }
        Ok(Some(answer.json::<One>(doing)?.server))
    }

    fn own(&self, doing: &str, found: &Found) -> Result<(), Error> {
        match found.cluster() {
            Some(cluster) if cluster == self.cluster.as_str() => Ok(()),
            cluster => {
                let whose =
                    cluster.map_or("of no cluster".to_owned(), |c| format!("of cluster {c}"));
                let text = format!("{doing}: it is {whose}, and is left alone");
                Err(Error::new(ErrorKind::Conflict, text))
            }
        }
    }
}

impl Provider for OpenStack {
    fn name(&self) -> &'static str {
        "openstack"
    }

    fn prepare<'a>(&'a self, spec: &'a ServerSpec) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(self.inner.prepare(spec))
    }

    fn create(&self, spec: ServerSpec) -> BoxFuture<'_, Result<Server, Error>> {
        Box::pin(async move { self.inner.create(&spec).await })
    }

    fn delete<'a>(&'a self, id: &'a ServerId) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(self.inner.delete(id))
    }

    fn rebuild<'a>(
        &'a self,
        id: &'a ServerId,
        spec: ServerSpec,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move { self.inner.rebuild(id, &spec).await })
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Server>, Error>> {
        Box::pin(self.inner.list())
    }

    fn get<'a>(&'a self, id: &'a ServerId) -> BoxFuture<'a, Result<Option<Server>, Error>> {
        Box::pin(self.inner.get(id))
    }

    fn image_id<'a>(&'a self, image: &'a str) -> BoxFuture<'a, Result<String, Error>> {
        let Inner { session, lookup, .. } = &*self.inner;
        Box::pin(async move { lookup.id(session, Kind::Image, image, "choosing an image").await })
    }

    fn fault_kind(&self, fault: &str) -> ErrorKind {
        fault::kind_of_fault(fault)
    }
}
