//! New keys while all is running: in the directory, at the servers, at the agents; and the end of
//! the old ones.
//!
//! Only the holder of the lease makes keys. Role keys come in three steps, each of which may be the
//! last one before a crash and is then taken up by whoever leads next: the coming keys are written,
//! the servers are told, the coming keys sign. The number of the newest change is a document in
//! BUS: a controller whose directory is older reads it again, and ends if that does not help, since
//! what it signs or pushes would be worth nothing, or harm.

use crate::init::Settings;
use crate::keys::{self, Ends, Keys};
use crate::lease::Fence;
use crate::renewals::Renewals;
use crate::revocations::{self, Revocations};
use muster_protocol::api::Rotation;
use muster_protocol::bus::bucket::{Bucket, Change, Entry};
use muster_protocol::bus::{self, Bus, Credential, Options};
use muster_protocol::id::{AgentId, UnixMillis, UserName};
use muster_protocol::jwt::Stamp;
use muster_protocol::seal::Signed;
use muster_protocol::subject::Role;
use muster_protocol::wire::{self, Message};
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const KEY: &str = "keys";
const AUDIENCE: &str = "registry/keys";
/// How often the directory is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often ended keys are looked for, and a rotation that was cut off.
const TEND_EVERY: Duration = Duration::from_secs(60);
/// So long an answer is on its way.
const ANSWERING: Duration = Duration::from_millis(300);
/// Other controllers sign with the new keys by then, or have ended.
const SETTLED_MILLIS: i64 = 5_000;
/// How long a directory may be older than the cluster's newest.
const LAG_MAX: Duration = Duration::from_secs(4);
/// How long agents may take to renew, when they are told after a rotation.
const TELLING: Duration = Duration::from_secs(60);
/// The same while a person waits.
const WAITING: Duration = Duration::from_secs(10);
/// How long one server may take to show its certificate.
const SHOWING: Duration = Duration::from_secs(10);
/// Agents that an error names.
const NAMED_MAX: usize = 10;

/// Why keys are not made anew, or not dropped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The directory.
    #[error(transparent)]
    Keys(#[from] keys::Error),
    /// The servers.
    #[error(transparent)]
    Revocations(#[from] revocations::Error),
    /// The bus.
    #[error(transparent)]
    Bus(#[from] bus::Error),
    /// Another controller has to do it.
    #[error("this controller stands by: ask again, until the one that leads answers")]
    NotLeading,
    /// Something was changed a moment ago.
    #[error("keys were made anew a moment ago; ask again in some seconds")]
    Settling,
    /// Agents would be lost.
    #[error(
        "{count} live agents have no newer credential yet ({named}): ask again when they are \
         connected, or terminate them; --force loses them"
    )]
    NotRenewed {
        /// How many.
        count: usize,
        /// Some of them.
        named: String,
    },
    /// A NATS server is not reloaded.
    #[error(
        "{server} does not show the new certificate: copy server.pem and server.key to it, run \
         `nats-server --signal reload`, and drop the old CA then"
    )]
    OldCertificate {
        /// Its address.
        server: String,
    },
    /// The directory is a copy that was made before the last rotation.
    #[error(
        "the keys in this controller's directory are of change {here}, and the cluster's of \
         {there}: copy the directory from the controller that made them, then start this one again"
    )]
    Lagging {
        /// The directory's number.
        here: u64,
        /// The cluster's.
        there: u64,
    },
}

/// The document: the number of the newest change of the keys.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Newest {
    serial: u64,
}

impl Message for Newest {
    const NAME: &'static str = "keys";
}

/// Makes keys anew.
#[derive(Debug)]
pub struct Rotor {
    /// The keys.
    pub keys: Arc<Keys>,
    /// The cluster's own documents.
    pub bucket: Bucket,
    /// Pushes claims.
    pub revocations: Arc<Revocations>,
    /// Tells agents.
    pub renewals: Arc<Renewals>,
    /// Whether this controller leads.
    pub fence: Fence,
    /// How long credentials live.
    pub ends: Ends,
    /// The NATS servers, as the controller reaches them.
    pub servers: Vec<String>,
    /// This controller's own credential.
    pub own: (UserName, Credential),
    /// Agents that are being told.
    pub tasks: TaskTracker,
    /// Only one change at a time.
    pub changing: Mutex<()>,
}

impl Rotor {
    /// Makes keys anew. The servers and the agents are told a moment later: that cuts off answers.
    ///
    /// # Errors
    /// When a key is kept elsewhere, another controller leads, or the servers do not answer: what
    /// has begun then is taken up again.
    pub async fn rotate(self: &Arc<Self>, what: Rotation) -> Result<(), Error> {
        let _changing = self.changing.lock().await;
        self.leading()?;
        let now = UnixMillis::now();
        self.keys.can_rotate(what)?;
        if matches!(what, Rotation::Command | Rotation::All) {
            self.keys.renew_command_key(now)?;
        }
        if matches!(what, Rotation::Ca | Rotation::All) {
            let settings = Settings::read(self.keys.dir())?;
            self.keys.renew_ca(&settings.cluster, &settings.certified(), now)?;
        }
        if matches!(what, Rotation::Roles | Rotation::All) {
            self.keys.make_role_keys()?;
        }
        self.announce().await?;
        tracing::info!(keys = %what, serial = self.keys.serial(), "keys were made anew");
        if what != Rotation::Command {
            self.tell_later();
        }
        Ok(())
    }

    /// Ends what replaced role keys and CAs have signed.
    ///
    /// # Errors
    /// When agents would be lost and that is not forced, or a server shows an old certificate.
    pub async fn drop_replaced(self: &Arc<Self>, force: bool) -> Result<(), Error> {
        let _changing = self.changing.lock().await;
        self.leading()?;
        let Some(since) = self.since() else { return Ok(()) };
        if UnixMillis::now().seconds() <= since.seconds() {
            return Err(Error::Settling);
        }
        let left = self.renewals.ask(since, WAITING).await;
        if !left.is_empty() && !force {
            let named: Vec<&str> = left.iter().take(NAMED_MAX).map(AgentId::as_str).collect();
            return Err(Error::NotRenewed { count: left.len(), named: named.join(", ") });
        }
        if self.keys.has_old_ca() && !force {
            for server in &self.servers {
                self.check_certificate(server).await?;
            }
        }
        self.leading()?;
        self.keys.drop_replaced(UnixMillis::now(), true)?;
        self.announce().await?;
        tracing::info!(lost = left.len(), "what replaced keys have signed ends");
        // They trust the new CA alone from then on.
        self.tell_later();
        Ok(())
    }

    /// Whether the servers and the present keys agree.
    pub async fn is_settled(&self) -> bool {
        !self.keys.has_coming() && self.revocations.are_pushed().await.unwrap_or(false)
    }

    /// Live agents that have nothing newer than what replaced keys signed.
    #[must_use]
    pub fn not_renewed(&self) -> usize {
        self.since().map_or(0, |since| self.renewals.older(since).len())
    }

    /// Takes up what another controller, or this one before a crash, has begun; on the one that
    /// leads, before it does anything else.
    ///
    /// # Errors
    /// When this directory is too old, or the servers do not answer.
    pub async fn take_over(&self) -> Result<(), Error> {
        let _changing = self.changing.lock().await;
        self.keys.reload()?;
        self.check().await?;
        self.revocations.take_over().await?;
        self.settle().await
    }

    /// Drops keys whose end has come, until it is cancelled; on the one that leads.
    pub async fn tend(&self, cancel: CancellationToken) {
        let mut tick = tokio::time::interval(TEND_EVERY);
        while cancel.run_until_cancelled(tick.tick()).await.is_some() {
            if let Err(error) = self.tend_once().await {
                let error = crate::chain(&error);
                tracing::warn!(error, "ended keys are not dropped yet; trying again");
            }
        }
    }

    async fn tend_once(&self) -> Result<(), Error> {
        let _changing = self.changing.lock().await;
        if self.keys.has_ended(UnixMillis::now()) {
            self.leading()?;
            self.keys.drop_replaced(UnixMillis::now(), false)?;
        }
        self.settle().await
    }

    /// Tells the servers what they do not know; then coming keys sign.
    async fn settle(&self) -> Result<(), Error> {
        if !self.is_settled().await {
            self.leading()?;
            self.revocations.push_all().await?;
        }
        if self.keys.has_coming() {
            self.leading()?;
            let now = UnixMillis::now();
            // By an earlier configuration they may live longer.
            let (bootstrap, agent) = self.renewals.longest(now);
            let ends = Ends {
                bootstrap_millis: self.ends.bootstrap_millis.max(bootstrap),
                agent_millis: self.ends.agent_millis.max(agent),
                ..self.ends
            };
            self.keys.use_role_keys(now, &ends)?;
            self.renew_own()?;
        }
        self.announce().await
    }

    /// Reads the directory again when it has changed, until it is cancelled: on every controller.
    ///
    /// # Errors
    /// When the directory stays older than what the cluster uses.
    pub async fn follow(&self, cancel: CancellationToken) -> Result<(), Error> {
        let mut changes = self.bucket.watch_key(KEY);
        let mut tick = tokio::time::interval(LOOK_EVERY);
        let (mut there, mut lagging, mut failing) = (0, None::<Instant>, String::new());
        loop {
            tokio::select! {
                change = changes.next() => {
                    if let Change::Put(entry) = change {
                        there = self.open(&entry).unwrap_or(there);
                    }
                }
                _ = tick.tick() => {}
                () = cancel.cancelled() => return Ok(()),
            }
            let reloaded = self.reload();
            // A directory that is being copied does not load for a moment.
            if let Err(error) = &reloaded
                && failing != error.to_string()
            {
                failing = error.to_string();
                tracing::warn!(error = crate::chain(error), "the keys are not read again yet");
            }
            if self.keys.serial() >= there {
                lagging = None;
            } else if lagging.get_or_insert_with(Instant::now).elapsed() > LAG_MAX {
                return Err(Error::Lagging { here: self.keys.serial(), there });
            }
        }
    }

    /// Whether the directory is as new as what the cluster uses.
    ///
    /// # Errors
    /// When it is older.
    pub async fn check(&self) -> Result<(), Error> {
        let Some(entry) = self.bucket.get(KEY).await? else { return Ok(()) };
        let (here, there) = (self.keys.serial(), self.open(&entry).unwrap_or(0));
        if here < there { Err(Error::Lagging { here, there }) } else { Ok(()) }
    }

    fn reload(&self) -> Result<(), keys::Error> {
        if self.keys.is_stale()? && self.keys.reload()? {
            tracing::info!(serial = self.keys.serial(), "the keys are read again");
            self.renew_own()?;
        }
        Ok(())
    }

    /// The next connection of this controller needs a credential by the present key.
    fn renew_own(&self) -> Result<(), keys::Error> {
        let (name, credential) = &self.own;
        let jwt = self.keys.controller_jwt(name, &credential.public_key(), &Stamp::fresh())?;
        credential.renew(jwt);
        Ok(())
    }

    /// Writes down how new the keys are.
    async fn announce(&self) -> Result<(), Error> {
        let serial = self.keys.serial();
        let known = self.bucket.get(KEY).await?;
        let known = known.and_then(|entry| self.open(&entry)).unwrap_or(0);
        if serial > known {
            let signed = self.keys.signer().sign(AUDIENCE, &Newest { serial });
            let signed = signed.map_err(keys::Error::from)?;
            self.bucket.put(KEY, wire::encode(&signed)).await?;
        }
        Ok(())
    }

    /// A document that is not the controller's counts as none.
    fn open(&self, entry: &Entry) -> Option<u64> {
        let signed: Signed = wire::decode(&entry.value).ok()?;
        let newest: Newest = signed.open(self.keys.root_public_key(), AUDIENCE, None).ok()?;
        Some(newest.serial)
    }

    /// Tells the servers once the caller has its answer, and then the agents.
    fn tell_later(self: &Arc<Self>) {
        let rotor = Arc::clone(self);
        self.tasks.spawn(async move {
            tokio::time::sleep(ANSWERING).await;
            let told = async {
                let _changing = rotor.changing.lock().await;
                rotor.settle().await
            };
            if let Err(error) = told.await {
                let error = crate::chain(&error);
                tracing::warn!(error, "the servers are not told of the keys yet; trying again");
            }
            rotor.tell_agents().await;
        });
    }

    async fn tell_agents(&self) {
        let since = self.since().unwrap_or_else(UnixMillis::now);
        // A controller that still signs with the old keys could answer before.
        let wait = since.plus(1000).since(UnixMillis::now());
        // No longer when the clock was set back meanwhile: agents are told again at half-life.
        let wait = wait.clamp(0, SETTLED_MILLIS + 1000);
        tokio::time::sleep(Duration::from_millis(wait.unsigned_abs())).await;
        let left = self.renewals.ask(since, TELLING).await;
        if !left.is_empty() {
            tracing::info!(agents = left.len(), "agents will renew when they are back");
        }
    }

    /// From then on all credentials are signed by the present keys.
    fn since(&self) -> Option<UnixMillis> {
        self.keys.replaced_at().map(|at| at.plus(SETTLED_MILLIS))
    }

    /// Whether a server shows a certificate that the newest CA alone vouches for.
    async fn check_certificate(&self, server: &str) -> Result<(), Error> {
        let io = |source| keys::Error::io("writing", "a temporary file")(source);
        let mut ca = tempfile::NamedTempFile::new().map_err(io)?;
        ca.write_all(self.keys.newest_ca().as_bytes()).map_err(io)?;
        let (name, _) = &self.own;
        let connected = timeout(
            SHOWING,
            Bus::connect(Options {
                role: Role::Controller,
                name: name.to_string(),
                servers: vec![server.to_owned()],
                ca: Some(ca.path().to_owned()),
                credential: self.keys.controller(name, &Stamp::fresh())?,
            }),
        )
        .await;
        match connected {
            Ok(Ok(bus)) => {
                bus.close().await;
                Ok(())
            }
            Ok(Err(_)) | Err(_) => Err(Error::OldCertificate { server: server.to_owned() }),
        }
    }

    fn leading(&self) -> Result<(), Error> {
        self.fence.remaining().map(|_| ()).ok_or(Error::NotLeading)
    }
}
