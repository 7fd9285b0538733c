//! `muster-controller restore`: a backup's documents into the buckets, while no controller works.

use super::{buses, core};
use crate::backup;
use crate::config::{Config, Nats};
use crate::keys::Keys;
use crate::lease::{self, LEASE};
use crate::store::Buckets;
use crate::trust::Keeper;
use anyhow::{Context, bail};
use muster_protocol::backup::{BACKUP_BYTES_MAX, Backup};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

/// How much longer than a lease holds it is watched whether somebody writes it.
const WATCH_MARGIN: Duration = Duration::from_secs(1);

/// Restores a backup into the cluster of a configuration, with the nats-server that it names: an
/// embedded one is started for it, and stopped afterwards.
///
/// # Errors
/// When the file is no backup of this cluster, a controller works, or a registry is there already
/// and it is not `forced`.
pub fn restore(config: &Path, file: &Path, forced: bool) -> anyhow::Result<()> {
    let config = Config::load(config)?;
    let backup = read(file).with_context(|| format!("reading the backup {}", file.display()))?;
    crate::logging::start();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let restored = runtime.block_on(run(&config, &backup, forced))?;
    eprintln!(
        "restored {} workers, {} pools, {} people and {} documents of the cluster; start the \
         controller: it adopts what it finds, and removes nothing until `muster reconcile \
         --confirm`",
        restored.workers, restored.pools, restored.people, restored.cluster
    );
    Ok(())
}

fn read(file: &Path) -> anyhow::Result<Backup> {
    let mut bytes = Vec::new();
    File::open(file)?.take(BACKUP_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(Backup::of_bytes(&bytes)?)
}

async fn run(config: &Config, backup: &Backup, forced: bool) -> anyhow::Result<backup::Restored> {
    let keys = Keys::load(&config.keys)?;
    let started = super::start_nats(config).await;
    let (embedded, _, own) = started.context(
        "starting NATS; if a controller runs, stop it: systemctl stop \
             muster-controller",
    )?;
    let restored = Box::pin(write(config, &keys, &own, backup, forced)).await;
    if let Some(server) = embedded {
        server.stop().await?;
    }
    restored
}

async fn write(
    config: &Config,
    keys: &Keys,
    servers: &[String],
    backup: &Backup,
    forced: bool,
) -> anyhow::Result<backup::Restored> {
    let (bus, _) = buses::open_bus(keys, servers).await?;
    let (_, buckets) = Box::pin(core::open_store(&bus, config)).await?;
    // An embedded server is this process' alone; others may have a controller elsewhere.
    if config.nats != Nats::Embedded {
        nobody_leads(&buckets).await?;
    }
    let keeper = Keeper::new(buckets.cluster.clone(), &config.data);
    let cluster = config.cluster.as_str();
    let restored = backup::restore(&buckets, &keeper, cluster, backup, forced).await;
    bus.close().await;
    Ok(restored?)
}

/// A holder writes the lease anew every second.
async fn nobody_leads(buckets: &Buckets) -> anyhow::Result<()> {
    let revision = async || {
        let entry = buckets.cluster.get(lease::KEY).await?;
        anyhow::Ok(entry.map(|entry| entry.revision))
    };
    let before = revision().await?;
    if before.is_some() {
        tracing::info!("looking whether a controller works with these servers");
        tokio::time::sleep(LEASE + WATCH_MARGIN).await;
    }
    if revision().await? != before {
        bail!("a controller works with these servers: stop all controllers of the cluster first");
    }
    Ok(())
}
