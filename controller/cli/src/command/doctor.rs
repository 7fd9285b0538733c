//! `muster doctor`: checks what a person's way to a working cluster depends on, one line each.

mod check;
mod cluster;
mod machine;

use super::Caller;
use crate::context::Context;
use crate::failure::{Exit, Result};
use crate::output::Output;
use crate::session::Session;
use check::{Check, Status};
use serde::Serialize;

/// What to look at.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only this machine: what `muster demo` and a controller need
    #[arg(long)]
    local: bool,
}

#[derive(Serialize)]
struct Findings {
    ok: bool,
    checks: Vec<Check>,
}

/// Checks everything; what cannot be checked because of an earlier failure is left out.
pub(crate) async fn run(args: &Args, caller: &Caller) -> Result<Exit> {
    let mut checks = Vec::new();
    if !args.local {
        way(caller, &mut checks).await;
    }
    checks.extend(machine::checks().await);
    let ok = checks.iter().all(|check| check.status() != Status::Fail);
    let findings = Findings { ok, checks };
    match caller.output.is_table() {
        true => tell(&findings, &caller.output)?,
        false => caller.output.value(&findings)?,
    }
    Ok(if ok { Exit::Ok } else { Exit::Error })
}

/// From the context file to the cluster's health.
async fn way(caller: &Caller, checks: &mut Vec<Check>) {
    let context = match Context::load(caller.context.as_deref()) {
        Ok(context) => context,
        Err(failure) => return checks.push(Check::failed("context", &failure)),
    };
    checks.push(Check::ok("context", format!("{}, mode 0600", context.path.display())));
    checks.push(cluster::credential(&context));
    let session = match Session::open(&context).await {
        Ok(session) => session,
        Err(failure) => return checks.push(Check::failed("nats", &failure)),
    };
    checks.push(cluster::nats(&session.server_version(), &context.servers));
    cluster::checks(&session, checks).await;
    session.close().await;
}

fn tell(findings: &Findings, output: &Output) -> Result<()> {
    for check in &findings.checks {
        output.text(&check.lines(output))?;
    }
    let count = |status| findings.checks.iter().filter(|check| check.status() == status).count();
    let (failed, warned) = (count(Status::Fail), count(Status::Warn));
    output.line(&match (failed, warned) {
        (0, 0) => "all is well".to_owned(),
        (0, warned) => format!("it works; {warned} to look at"),
        (failed, warned) => format!("{failed} failed, {warned} to look at"),
    })
}
