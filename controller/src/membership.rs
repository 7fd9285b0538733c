//! Membership: the live workers' names in a hosts file, their addresses in a set of the packet
//! filter.
//!
//! Both are made again wholly, from the documents alone: at start, at each change, and each
//! minute, since others may have changed them. A target that fails is told, and tried again for as
//! long as it takes; it holds nothing else back. A controller that stops leaves all as it is.

mod hosts;
mod ipset;
mod nftables;

use crate::documents::Teller;
use crate::hooks::program;
use crate::registry::Registry;
use muster_protocol::event::Event;
use muster_protocol::id::{ClusterName, Token, UnixMillis, WorkerName, random};
use muster_protocol::subject::{self, Source};
use muster_protocol::worker::{Phase, Worker};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How often a target is made again when nothing has changed.
const AGAIN: Duration = Duration::from_secs(60);
/// The wait after a failure, whatever changes; it doubles with each further one, and then a change
/// ends it early.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(60);
/// How long one write may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The longest name of a set: that of the kernel, less what a second name needs.
const SET_NAME_BYTES_MAX: usize = 27;

/// What is kept.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// A hosts file that gets a line for each live worker; off if absent.
    pub hosts: Option<hosts::Config>,
    /// A set of the packet filter that holds the live workers' addresses; off if absent.
    pub allow: Option<Allow>,
}

impl Config {
    /// Makes its paths absolute.
    pub(crate) fn resolve(&mut self, base: &Path) {
        if let Some(hosts) = &mut self.hosts {
            hosts.path = base.join(&hosts.path);
        }
    }
}

/// A set of the packet filter, told apart by its `kind`.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Allow {
    /// Sets of an nftables table.
    Nftables(nftables::Config),
    /// Sets of ipset, for iptables.
    Ipset(ipset::Config),
}

/// A live worker, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Member {
    name: WorkerName,
    /// In the order of its cloud.
    addresses: Vec<IpAddr>,
}

/// Where the members go.
#[derive(Debug)]
enum Target {
    Hosts(hosts::Config, ClusterName),
    Nftables(nftables::Config),
    Ipset(ipset::Config),
}

/// `sink.membership.failed`: a target could not be written; `recovered`: it is again.
#[derive(Debug, Serialize)]
struct Told<'a> {
    target: &'static str,
    /// How often in a row.
    failures: u32,
    error: Option<&'a str>,
}

/// Keeps what is configured until it is cancelled.
pub async fn run(
    config: Config,
    cluster: ClusterName,
    registry: Arc<Registry>,
    teller: Arc<dyn Teller>,
    cancel: CancellationToken,
) {
    let hosts = config.hosts.map(|hosts| Target::Hosts(hosts, cluster));
    let allow = config.allow.map(|allow| match allow {
        Allow::Nftables(config) => Target::Nftables(config),
        Allow::Ipset(config) => Target::Ipset(config),
    });
    let keep = async |target: Option<Target>| match target {
        Some(target) => {
            let keeper = Keeper { target, registry: &registry, teller: &*teller, failures: 0 };
            keeper.run(&cancel).await;
        }
        None => cancel.cancelled().await,
    };
    tokio::join!(keep(hosts), keep(allow));
}

/// Keeps one target as the documents demand.
struct Keeper<'a> {
    target: Target,
    registry: &'a Registry,
    teller: &'a dyn Teller,
    /// In a row.
    failures: u32,
}

impl Keeper<'_> {
    async fn run(mut self, cancel: &CancellationToken) {
        let mut changes = self.registry.changes();
        let mut written: Option<Vec<Member>> = None;
        let mut due = Instant::now();
        loop {
            changes.mark_unchanged();
            let wanted = members(&self.registry.workers());
            if written.as_ref() != Some(&wanted) || due <= Instant::now() {
                let done = self.target.write(&wanted).await;
                written = done.is_ok().then_some(wanted);
                due = Instant::now() + self.judge(done).await;
                if self.failures > 0 {
                    let pause = tokio::time::sleep(RETRY_FIRST);
                    if cancel.run_until_cancelled(pause).await.is_none() {
                        return;
                    }
                }
            }
            tokio::select! {
                _ = changes.changed() => {}
                () = tokio::time::sleep_until(due) => {}
                () = cancel.cancelled() => return,
            }
        }
    }

    /// Tells how it went. Returns when to write again if nothing changes.
    async fn judge(&mut self, done: Result<(), Error>) -> Duration {
        let target = self.target.name();
        match done {
            Ok(()) if self.failures == 0 => AGAIN,
            Ok(()) => {
                tracing::info!(
                    target_of = target,
                    failures = self.failures,
                    "membership is written again"
                );
                self.tell("recovered", None).await;
                self.failures = 0;
                AGAIN
            }
            Err(error) => {
                self.failures = self.failures.saturating_add(1);
                let wait = RETRY_FIRST * (1 << (self.failures - 1).min(16));
                // One that stays away fills no log.
                if self.failures.is_power_of_two() {
                    let error = error.to_string();
                    tracing::warn!(
                        target_of = target,
                        failures = self.failures,
                        error,
                        "membership was not written, trying again"
                    );
                    self.tell("failed", Some(&error)).await;
                }
                wait.min(RETRY_MAX)
            }
        }
    }

    async fn tell(&self, kind: &str, error: Option<&str>) {
        let token = |text: &str| -> Token { text.parse().expect("constants are tokens") };
        let subject = subject::event(Source::Sink, &token("membership"), &token(kind));
        let data = Told { target: self.target.name(), failures: self.failures, error };
        let event = Event::new(Token::random(random()), UnixMillis::now(), &data);
        if let Err(error) = self.teller.tell(subject.clone(), event).await {
            tracing::warn!(error = crate::chain(&error), subject, "event was not stored");
        }
    }
}

/// Why a target could not be written.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Hosts(#[from] hosts::Error),
    #[error("{program}: {what}{separator}{output}", separator = separator(output))]
    Program { program: String, what: String, output: String },
}

fn separator(output: &str) -> &'static str {
    if output.is_empty() { "" } else { ": " }
}

impl Target {
    fn name(&self) -> &'static str {
        match self {
            Target::Hosts(..) => "hosts",
            Target::Nftables(_) => "nftables",
            Target::Ipset(_) => "ipset",
        }
    }

    async fn write(&self, members: &[Member]) -> Result<(), Error> {
        match self {
            Target::Hosts(config, cluster) => Ok(hosts::write(config, cluster, members).await?),
            Target::Nftables(config) => {
                feed(&config.command, &nftables::script(config, &addresses(members))).await
            }
            Target::Ipset(config) => {
                feed(&config.command, &ipset::script(config, &addresses(members))).await
            }
        }
    }
}

/// Gives a script to a program.
async fn feed(command: &[String], script: &str) -> Result<(), Error> {
    program::run(command, script, TIMEOUT).await.map_err(|failed| Error::Program {
        program: command.first().cloned().unwrap_or_default(),
        what: failed.what,
        output: failed.output,
    })
}

/// The live workers whose cloud has told where they are, in the order of their names.
fn members(workers: &[Worker]) -> Vec<Member> {
    let member = |worker: &Worker| {
        let usable = worker.addresses.iter().map(IpAddr::to_canonical).filter(is_usable);
        Member { name: worker.name.clone(), addresses: usable.collect() }
    };
    let live = workers.iter().filter(|worker| is_live(worker.phase)).map(member);
    let mut members: Vec<Member> = live.filter(|member| !member.addresses.is_empty()).collect();
    members.sort_by(|one, other| one.name.cmp(&other.name));
    members
}

/// Whether a worker has a server that may speak to the others. One whose server is only asked for
/// bears the addresses of its last life.
fn is_live(phase: Phase) -> bool {
    match phase {
        Phase::Booting
        | Phase::Configuring
        | Phase::Ready
        | Phase::Lost
        | Phase::Draining
        | Phase::Rebuilding => true,
        Phase::Pending
        | Phase::Launching
        | Phase::Terminating
        | Phase::Terminated
        | Phase::Failed => false,
    }
}

/// Whether an address is one machine's, as seen from another.
fn is_usable(address: &IpAddr) -> bool {
    let link_local = match address {
        IpAddr::V4(address) => address.is_broadcast(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    !address.is_unspecified() && !address.is_multicast() && !link_local
}

/// All members' addresses, each once: IPv4 first.
fn addresses(members: &[Member]) -> BTreeSet<IpAddr> {
    members.iter().flat_map(|member| member.addresses.iter().copied()).collect()
}

/// The name of a set or table, which stands in a script as it is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
struct SetName(String);

impl TryFrom<String> for SetName {
    type Error = String;
    fn try_from(text: String) -> Result<SetName, String> {
        let inner = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
        let first = text.chars().next().is_some_and(|letter| letter.is_ascii_alphabetic());
        if first && text.chars().all(inner) && text.len() <= SET_NAME_BYTES_MAX {
            return Ok(SetName(text));
        }
        Err(format!(
            "{text:?} is no name of a set or table; use 1 to {SET_NAME_BYTES_MAX} letters, digits, \
             '-' and '_', beginning with a letter"
        ))
    }
}

impl std::fmt::Display for SetName {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests;
