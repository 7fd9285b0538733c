//! `muster backup`: the registry's documents into a file. `muster restore`: back, on the head node,
//! by the controller's own command, arguments as typed.

use super::Caller;
use crate::binaries::Binary;
use crate::failure::{Exit, Failure, OrNext, Result};
use crate::output::{Cell, Progress, Rfc3339, Table, note};
use crate::session::Session;
use anyhow::Context;
use muster_protocol::api::ClusterBackup;
use muster_protocol::backup::{Backup, Document};
use muster_protocol::id::UnixMillis;
use serde::Serialize;
use std::ffi::OsString;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where to.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The file to write; it is whole, or not there
    file: PathBuf,
    /// Write over a file that is there
    #[arg(long)]
    force: bool,
}

/// Whatever `muster-controller restore` takes; `muster restore --help` shows it.
#[derive(Debug, clap::Args)]
pub(crate) struct RestoreArgs {
    /// The arguments of `muster-controller restore`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGS")]
    args: Vec<OsString>,
}

/// What programs read.
#[derive(Debug, Serialize)]
struct Made {
    file: PathBuf,
    cluster: String,
    made: Rfc3339,
    bytes: usize,
    documents: usize,
    workers: usize,
    pools: usize,
}

/// Makes a backup.
pub(crate) async fn run(args: &Args, caller: &Caller) -> Result<Exit> {
    let file = &args.file;
    if file.exists() && !args.force {
        let what = format!("{} is there already", file.display());
        return Err(Failure::say(what, "choose another name, or write over it with --force"));
    }
    let session = caller.connect().await?;
    let backup = read(&session).await?;
    session.close().await;
    let bytes = backup.to_bytes();
    write(file, &bytes)
        .with_context(|| format!("writing {}", file.display()))
        .or_next("make room, or choose a folder that this user may write")?;
    let of = |bucket: &str| backup.documents.iter().filter(|one| one.bucket == bucket).count();
    let made = Made {
        file: file.clone(),
        bytes: bytes.len(),
        documents: backup.documents.len(),
        workers: of("WORKERS"),
        pools: of("POOLS"),
        made: Rfc3339(backup.made),
        cluster: backup.cluster,
    };
    caller.output.show(&made, || table(&made))?;
    if caller.output.is_table() {
        note("keys are not in it: keep a copy of /etc/muster, too (docs/operations.md)");
    }
    Ok(Exit::Ok)
}

fn table(made: &Made) -> Table {
    let mut table = Table::new(&["FILE", "WORKERS", "POOLS", "DOCUMENTS", "BYTES"]);
    table.row([
        Cell::text(made.file.display().to_string()),
        Cell::number(made.workers.to_string()),
        Cell::number(made.pools.to_string()),
        Cell::number(made.documents.to_string()),
        Cell::number(made.bytes.to_string()),
    ]);
    table
}

/// Asks for one part after the other.
async fn read(session: &Session) -> Result<Backup> {
    let (made, mut documents) = (UnixMillis::now(), Vec::<Document>::new());
    // Places only grow: it ends.
    let mut after: Option<String> = None;
    let mut progress = Progress::new();
    loop {
        let part = session.ask(&ClusterBackup { after: after.clone() }).await?;
        documents.extend(part.documents);
        progress.draw(&format!("{} of {} documents", documents.len(), part.total));
        match part.next {
            Some(next) if after.as_ref() < Some(&next) => after = Some(next),
            Some(_) => {
                let what = "the controller sends the same documents again";
                return Err(Failure::say(what, "upgrade muster and the controller"));
            }
            None => {
                let (cluster, release) = (part.cluster, env!("CARGO_PKG_VERSION").to_owned());
                return Ok(Backup { cluster, made, release, documents });
            }
        }
    }
}

/// Whole or not at all, and readable by its owner only, as temporary files are.
fn write(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    new.write_all(bytes)?;
    new.as_file().sync_all()?;
    new.persist(file)?;
    std::fs::File::open(folder)?.sync_all()
}

/// Becomes `muster-controller restore`; comes back only if that cannot be started.
pub(crate) fn restore(args: &RestoreArgs) -> Result<Exit> {
    let controller = Binary::Controller.find()?;
    let error = Command::new(&controller).arg("restore").args(&args.args).exec();
    Err(error)
        .with_context(|| format!("starting {}", controller.display()))
        .or_next("see whether this user may run it, or set MUSTER_CONTROLLER to another")
}
