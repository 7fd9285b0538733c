//! `muster user`: who may call, and with which role.

mod add;
mod view;

use super::Caller;
use crate::context::Context;
use crate::failure::{Exit, Failure, Result};
use crate::output::{Cell, Rfc3339, Table, clock, note};
use crate::renewal;
use crate::session::Session;
use muster_protocol::api::{UserList, UserRevoke, UserRevoked};
use muster_protocol::id::{UnixMillis, UserName};
use serde::Serialize;

/// What to do with people.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Give a new person a credential, in a context file to hand over
    Add(add::Args),
    /// Show who may call, until when, and who last did
    List,
    /// Renew your own credential now; commands do it by themselves in the second half of its life
    Renew,
    /// Make a person's credentials void, and cut their connections at once
    Revoke {
        /// Whose
        name: UserName,
        /// Also the last admin's
        #[arg(long)]
        force: bool,
    },
}

/// Does it.
pub(crate) async fn run(command: &Command, caller: &Caller) -> Result<Exit> {
    match command {
        Command::Add(args) => add::run(args, caller).await,
        Command::List => list(caller).await,
        Command::Renew => renew(caller).await,
        Command::Revoke { name, force } => revoke(name, *force, caller).await,
    }
}

async fn list(caller: &Caller) -> Result<Exit> {
    let session = caller.connect().await?;
    let people = session.ask(&UserList {}).await?;
    let shown: Vec<_> = people.iter().map(view::Shown::of).collect();
    caller.output.show(&shown, || view::table(&people, UnixMillis::now()))?;
    session.close().await;
    Ok(Exit::Ok)
}

#[derive(Serialize)]
struct Renewed<'a> {
    name: &'a UserName,
    expires: Rfc3339,
}

async fn renew(caller: &Caller) -> Result<Exit> {
    let context = Context::load(caller.context.as_deref())?;
    if !context.renewable {
        let what = format!("the credential of {} was given until its end only", context.user);
        return Err(Failure::say(what, "ask an admin for another: muster user add"));
    }
    let session = Session::open(&context).await?;
    let renewed = renewal::now_for(&context, &session).await?;
    let shown = Renewed { name: &context.user, expires: Rfc3339(renewed.expires) };
    caller.output.show(&shown, || {
        let mut table = Table::new(&["USER", "ENDS"]);
        table.row([Cell::text(&context.user), Cell::text(clock(renewed.expires))]);
        table
    })?;
    session.close().await;
    Ok(Exit::Ok)
}

#[derive(Serialize)]
struct Revoked<'a> {
    name: &'a UserName,
    cut: bool,
}

/// Whether the servers know it at once; the controllers do.
async fn revoke(name: &UserName, force: bool, caller: &Caller) -> Result<Exit> {
    let session = caller.connect().await?;
    let revoked = match session.ask(&UserRevoke { name: name.clone(), force }).await {
        // Who revokes himself is cut before the answer comes.
        Err(failure) if failure.is_revocation() && session.user() == name => {
            UserRevoked { cut: true }
        }
        answer => answer?,
    };
    caller.output.show(&Revoked { name, cut: revoked.cut }, || {
        let mut table = Table::new(&["REVOKED", "CONNECTIONS"]);
        let cut = if revoked.cut { "cut" } else { "not cut yet" };
        table.row([Cell::text(name), Cell::text(cut)]);
        table
    })?;
    session.close().await;
    if revoked.cut {
        return Ok(Exit::Ok);
    }
    note(&format!(
        "the controllers refuse {name} from now on, but the NATS servers could not be told yet: \
         a tail that runs goes on until then. The controller goes on trying; `muster user list` \
         shows whether it is done, journalctl -u muster-controller why not"
    ));
    Ok(Exit::SomeSilent)
}
