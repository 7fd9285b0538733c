//! The daemon: an identity, a session, and the tasks that live on it.

use crate::alarm::Alarms;
use crate::apply::{self, Applier, Records, Requests};
use crate::bootstrap::Bootstrap;
use crate::clock::Clock;
use crate::commands::{Answerer, Remembered};
use crate::engine::Engine;
use crate::enrolment::Claimant;
use crate::files::{self, Lasting};
use crate::identity::{self, Identity, Keys};
use crate::outbox::Outbox;
use crate::paths::{self, Data, Root};
use crate::renewal::Renewer;
use crate::settings::{Given, Settings};
use crate::tasks::Tasks;
use crate::{desired, facts, sampling, session};
use anyhow::Context;
use muster_protocol::bus::{Bus, Credential};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// A daemon that holds its lock and has read its files.
pub(crate) struct Agent {
    root: Root,
    data: Data,
    own: Given,
    bootstrap_path: PathBuf,
    bootstrap: Option<Bootstrap>,
    identity: Option<Identity>,
    started: Instant,
    lock: files::Lock,
}

/// Who the agent is, and what it is known by.
struct Enrolled {
    identity: Identity,
    keys: Arc<Keys>,
}

impl Agent {
    /// Reads what there is, so that whoever starts the daemon learns at once what is wrong.
    pub(crate) fn open(root: Root, config: Option<&str>) -> anyhow::Result<Agent> {
        let started = Instant::now();
        let own = Given::read(&root)?;
        let data = Data::new(root.at(own.data.as_deref().unwrap_or(paths::DATA)));
        files::private_folder(data.folder())?;
        let lock = files::Lock::take(&data.lock())?
            .with_context(|| format!("another agent runs on {}", data.folder().display()))?;
        let bootstrap_path = root.at(config.unwrap_or(paths::BOOTSTRAP));
        let bootstrap = Bootstrap::read(&bootstrap_path)?;
        let identity = Identity::read(&data)?;
        if bootstrap.is_none() && identity.is_none() {
            let path = bootstrap_path.display();
            anyhow::bail!("{path} is not there: give this machine user-data of a worker");
        }
        let (own_id, known) = (identity::server_id(&root), identity.as_ref());
        let known = known.filter(|known| !is_new_generation(known, bootstrap.as_ref()));
        if let Some(identity) = known {
            identity.check_instance(own_id.as_deref(), &data)?;
        }
        Ok(Agent { root, data, own, bootstrap_path, bootstrap, identity, started, lock })
    }

    /// Runs until it is told to stop.
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let stop = CancellationToken::new();
        let signalled = stop_on_signal(stop.clone())?;
        let (own, opened) = (self.own.clone(), Box::pin(self.session()));
        let session = tokio::select! {
            session = opened => session?,
            // Nothing is under way yet that an end could harm.
            () = stop.cancelled() => return Ok(()),
        };
        let settings = own.settle(session.identity.agent.clone())?;
        let result = Box::pin(session.live(settings, &stop)).await;
        signalled.abort();
        result
    }

    /// Becomes an agent if this machine is none yet, and connects as one.
    async fn session(mut self) -> anyhow::Result<Session> {
        let Enrolled { identity, keys } = self.enrolled().await?;
        let (clock, sure) = Clock::resume(&identity.time);
        let credential = identity.credential(&keys);
        let bus = session::connect(&identity, &credential, &self.data.ca()).await?;
        tracing::info!(agent_id = %identity.agent_id, server = bus.server_version(), "a session");
        Ok(Session {
            root: self.root,
            data: self.data,
            started: self.started,
            identity: Arc::new(identity),
            keys,
            clock: Arc::new(clock),
            credential,
            bus,
            renew_now: !sure,
            _lock: self.lock,
        })
    }

    /// The identity on disk, or the one that enrolling brings.
    async fn enrolled(&mut self) -> anyhow::Result<Enrolled> {
        let bootstrap = self.bootstrap.take();
        match (self.identity.take(), bootstrap) {
            (Some(identity), bootstrap) if !is_new_generation(&identity, bootstrap.as_ref()) => {
                let keys = Arc::new(Keys::obtain(&self.data, &identity.agent_id)?);
                self.write_ca(&identity.ca)?;
                files::remove(&self.bootstrap_path)?;
                Ok(Enrolled { identity, keys })
            }
            (_, Some(bootstrap)) => self.enrol(&bootstrap).await,
            (_, None) => anyhow::bail!("there is no identity, and no bootstrap file to get one"),
        }
    }

    async fn enrol(&self, bootstrap: &Bootstrap) -> anyhow::Result<Enrolled> {
        let agent_id = &bootstrap.agent_id;
        self.forget_earlier_generation()?;
        let keys = Arc::new(Keys::obtain(&self.data, agent_id)?);
        self.write_ca(&bootstrap.ca)?;
        tracing::info!(%agent_id, "enrolling");
        let claimant = Claimant {
            bootstrap,
            keys: &keys,
            server_id: identity::server_id(&self.root),
            facts: facts::for_claim(facts::collect(&self.root, Some(agent_id))),
            ca: &self.data.ca(),
        };
        let identity = claimant.enrol().await?;
        identity.write(&self.data)?;
        self.write_ca(&identity.ca)?;
        // It is worth nothing now, and nobody shall find it.
        files::remove(&self.bootstrap_path)?;
        let elapsed_ms = self.started.elapsed().as_millis();
        tracing::info!(%agent_id, elapsed_ms, "enrolled");
        Ok(Enrolled { identity, keys })
    }

    fn write_ca(&self, pem: &str) -> Result<(), files::Error> {
        files::write(&self.data.ca(), pem.as_bytes(), Lasting::Process)
    }

    /// An image of an enrolled machine brings what was its own: none of it is this machine's.
    fn forget_earlier_generation(&self) -> anyhow::Result<()> {
        let data = &self.data;
        for path in [
            data.identity(),
            data.desired(),
            data.applied(),
            data.journal(),
            data.states_journal(),
            data.commands(),
        ] {
            files::remove(&path)?;
        }
        match std::fs::remove_dir_all(data.spool()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).context("removing the spool of an earlier generation")
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

/// Whether user-data makes this machine another generation than the one on its disk.
fn is_new_generation(identity: &Identity, bootstrap: Option<&Bootstrap>) -> bool {
    bootstrap.is_some_and(|bootstrap| bootstrap.agent_id != identity.agent_id)
}

/// Cancels the token when the daemon is told to stop.
fn stop_on_signal(stop: CancellationToken) -> anyhow::Result<tokio::task::AbortHandle> {
    let mut terminate = signal(SignalKind::terminate()).context("listening to SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listening to SIGINT")?;
    let task = tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
        stop.cancel();
    });
    Ok(task.abort_handle())
}

/// A connection that is proved, and who has it.
struct Session {
    root: Root,
    data: Data,
    started: Instant,
    identity: Arc<Identity>,
    keys: Arc<Keys>,
    clock: Arc<Clock>,
    credential: Credential,
    bus: Bus,
    renew_now: bool,
    _lock: files::Lock,
}

impl Session {
    /// Lives until it is stopped, or one of its tasks ends.
    async fn live(self, settings: Settings, stop: &CancellationToken) -> anyhow::Result<()> {
        let agent_id = self.identity.agent_id.clone();
        let outbox = Outbox::open(agent_id.clone(), self.clock.clone(), self.data.spool())?;
        let outbox = Arc::new(outbox);
        let alarms = Arc::new(Alarms::new(agent_id, outbox.clone()));
        let requests = Arc::new(Requests::default());

        let mut tasks = Tasks::new(stop.clone());
        self.speak(&mut tasks, &outbox, &alarms, &requests, &settings, stop).await?;
        self.work(&mut tasks, &outbox, alarms, requests, settings, stop)?;

        // The outbox goes on until the others have said their last.
        let silence = CancellationToken::new();
        let mut last = JoinSet::new();
        let (bus, silent) = (self.bus.clone(), silence.clone());
        last.spawn(async move { outbox.run(&bus, silent).await });
        let result = tasks.watch().await;
        silence.cancel();
        while last.join_next().await.is_some() {}
        self.bus.close().await;
        result
    }

    /// The tasks that talk with the controller.
    async fn speak(
        &self,
        tasks: &mut Tasks,
        outbox: &Arc<Outbox>,
        alarms: &Arc<Alarms>,
        requests: &Arc<Requests>,
        settings: &Settings,
        stop: &CancellationToken,
    ) -> anyhow::Result<()> {
        let identity = &self.identity;
        let commands = self.bus.commands(&identity.agent_id, &identity.bus_account).await?;
        let pushes = self.bus.pushes(&identity.agent_id).await?;
        let renew = Arc::new(Notify::new());
        let answerer = Answerer {
            identity: identity.clone(),
            clock: self.clock.clone(),
            root: self.root.clone(),
            exec: settings.exec,
            requests: requests.clone(),
            outbox: outbox.clone(),
            alarms: alarms.clone(),
            started: self.started,
            seen: Remembered::open(
                identity.agent_id.clone(),
                self.data.commands(),
                self.clock.now(),
            )?,
            programs: JoinSet::new(),
            renew: renew.clone(),
        };
        tasks.spawn_endless("commands", answerer.run(commands, stop.clone()));
        let taken = session::pushes(pushes, requests.clone(), alarms.clone(), stop.clone());
        tasks.spawn_endless("pushes", taken);
        let renewer = Renewer {
            identity: (**identity).clone(),
            keys: self.keys.clone(),
            credential: self.credential.clone(),
            clock: self.clock.clone(),
            data: self.data.clone(),
            bus: self.bus.clone(),
            now: self.renew_now,
            asked: renew,
        };
        tasks.spawn_endless("renewal", renewer.run(stop.clone()));
        Ok(())
    }

    /// The tasks that do things on this machine.
    fn work(
        &self,
        tasks: &mut Tasks,
        outbox: &Arc<Outbox>,
        alarms: Arc<Alarms>,
        requests: Arc<Requests>,
        settings: Settings,
        stop: &CancellationToken,
    ) -> anyhow::Result<()> {
        let identity = self.identity.clone();
        let (journal, interrupted) = Records::open(self.data.clone());
        let records = journal.clone();
        let revision = move || apply::applied_revision(&records);
        let watch = session::watch(
            self.bus.clone(),
            outbox.clone(),
            requests.clone(),
            revision,
            stop.clone(),
        );
        tasks.spawn("connection", async move { Ok(watch.await?) });
        let engine =
            Engine::new(self.root.clone(), identity.agent_id.clone(), self.data.states_journal());
        let store = desired::Store::open(identity, self.keys.clone(), self.data.clone())?;
        let applier = Applier::new(
            requests,
            self.bus.clone(),
            store,
            engine,
            outbox.clone(),
            alarms,
            (journal, interrupted),
        );
        tasks.spawn_endless("states", applier.run(stop.clone()));
        let interval = Duration::from_secs(u64::from(settings.interval_secs));
        let sampled = sampling::run(
            outbox.clone(),
            self.clock.clone(),
            settings.proc,
            interval,
            stop.clone(),
        );
        tasks.spawn_endless("stats", sampled);
        Ok(())
    }
}

/// Writes the daemon's process id where scripts look for it.
pub(crate) fn write_pid(root: &Root) -> anyhow::Result<()> {
    let path = root.at(paths::PID);
    let folder = path.parent().unwrap_or(Path::new("/"));
    std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    Ok(files::write(&path, format!("{}\n", std::process::id()).as_bytes(), Lasting::Process)?)
}
