//! The small subcommands: what they print, and on which stream.

use crate::init;
use crate::keys::Keys;
use crate::nats;
use crate::provider::local::{self, SandboxCommand};
use anyhow::{Context, bail};
use muster_protocol::id::UnixMillis;
use std::io::Write;
use std::path::Path;

/// Tells which isolations this machine supports, and why not the others.
///
/// # Errors
/// When it cannot be tried, or the output format is unknown.
pub fn isolations(output: &str) -> anyhow::Result<()> {
    let sandbox = SandboxCommand::current().context("finding this program")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let support = runtime.block_on(local::support(&sandbox));
    let rows = support.iter().map(|(isolation, result)| {
        serde_json::json!({
            "isolation": isolation, "ok": result.is_ok(), "reason": result.as_ref().err(),
        })
    });
    let rows: Vec<serde_json::Value> = rows.collect();
    let mut out = std::io::stdout().lock();
    match output {
        "json" => writeln!(out, "{}", serde_json::Value::from(rows))?,
        "table" => {
            for row in rows {
                let reason = row["reason"].as_str().unwrap_or("supported");
                writeln!(out, "{:<6} {reason}", row["isolation"].as_str().unwrap_or_default())?;
            }
        }
        other => bail!("{other:?} is no output format; use table or json"),
    }
    Ok(())
}

/// Removes all workers that a killed local provider left.
///
/// # Errors
/// When one cannot be removed.
pub fn sweep(dir: &Path) -> anyhow::Result<()> {
    let swept = local::sweep(dir).with_context(|| format!("sweeping {}", dir.display()))?;
    eprintln!("removed {swept} workers");
    Ok(())
}

/// Makes keys, certificates and configuration.
///
/// # Errors
/// When options differ from the first run's, or files cannot be read or written.
pub fn make(args: &init::Args) -> anyhow::Result<()> {
    let report = init::run(args)?;
    for file in &report.made {
        eprintln!("made {}", report.dir.join(file).display());
    }
    eprintln!("the first person's context is {}", report.context.display());
    Ok(())
}

/// Makes a new command key. What the old one signed stays good until its own end.
///
/// # Errors
/// When the root key is not there, or files cannot be written.
pub fn rotate(dir: &Path) -> anyhow::Result<()> {
    Keys::rotate_command_key(dir, UnixMillis::now())?;
    eprintln!(
        "made a new command key; restart the controllers: until then they sign with the old key"
    );
    Ok(())
}

/// Stops the nats-server that a killed controller left in its folder.
///
/// # Errors
/// When a controller runs there, or the server cannot be ended.
pub fn stop_nats(dir: &Path) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(nats::stop_leftover(dir))?;
    Ok(())
}
