//! `muster user add`: makes the key pair here, asks for a credential, and writes a context file.
//! The secret half of the key never leaves this machine but in that file.

use crate::command::Caller;
use crate::context::{Draft, Fields};
use crate::failure::{Exit, Failure, OrNext, Result};
use crate::output::{Cell, Rfc3339, Table, clock, note};
use crate::session::Session;
use anyhow::anyhow;
use muster_protocol::api::{CREDENTIAL_DAYS, CREDENTIAL_DAYS_MAX, PersonRole, UserAdd, UserAdded};
use muster_protocol::id::UserName;
use nkeys::KeyPair;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// How often the same is asked whose answer did not come; the controller adds nobody twice.
const TRIES_MAX: u32 = 3;

/// Whom.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The person's, or service's, name
    name: UserName,
    /// viewer looks; operator also acts, as root on workers; admin also manages people
    #[arg(long, value_enum)]
    role: RoleName,
    /// How long each credential lives, in days
    #[arg(long, value_name = "N", default_value_t = CREDENTIAL_DAYS)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(CREDENTIAL_DAYS_MAX)))]
    days: u32,
    /// The person cannot renew it: it ends for good
    #[arg(long)]
    no_renew: bool,
    /// The context file to write [default: NAME.yaml]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace that file if it is there
    #[arg(long)]
    force: bool,
}

/// A role, as it is typed.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum RoleName {
    Viewer,
    Operator,
    Admin,
}

impl From<RoleName> for PersonRole {
    fn from(name: RoleName) -> PersonRole {
        match name {
            RoleName::Viewer => PersonRole::Viewer,
            RoleName::Operator => PersonRole::Operator,
            RoleName::Admin => PersonRole::Admin,
        }
    }
}

#[derive(Serialize)]
struct Added<'a> {
    name: &'a UserName,
    role: PersonRole,
    expires: Rfc3339,
    renewable: bool,
    file: &'a Path,
}

/// Does it.
pub(super) async fn run(args: &Args, caller: &Caller) -> Result<Exit> {
    let file = args.out.clone().unwrap_or_else(|| format!("{}.yaml", args.name).into());
    if file.symlink_metadata().is_ok() && !args.force {
        let what = format!("{} is there already", file.display());
        return Err(Failure::say(what, "give another place with --out, or --force to replace it"));
    }
    let draft = Draft::begin(&file)?;
    let session = caller.connect().await?;
    let key = KeyPair::new_user();
    let question = UserAdd {
        name: args.name.clone(),
        role: args.role.into(),
        public_key: key.public_key(),
        days: args.days,
        renewable: !args.no_renew,
    };
    let added = ask(&session, &question).await?;
    session.close().await;
    write(draft, args, &question, &key, &added)?;
    let UserAdd { name, role, renewable, .. } = &question;
    let shown = Added {
        name,
        role: *role,
        expires: Rfc3339(added.expires),
        renewable: *renewable,
        file: &file,
    };
    caller.output.show(&shown, || {
        let mut table = Table::new(&["USER", "ROLE", "ENDS", "FILE"]);
        table.row([
            Cell::text(name),
            Cell::text(role),
            Cell::text(clock(added.expires)),
            Cell::text(file.display()),
        ]);
        table
    })?;
    note(&format!(
        "hand the file over so that nobody else can read it, and remove it here; there: muster \
         context add {}",
        file.display()
    ));
    Ok(Exit::Ok)
}

async fn ask(session: &Session, question: &UserAdd) -> Result<UserAdded> {
    let mut tries = 1;
    loop {
        match session.ask(question).await {
            Err(failure) if failure.is_passing() && tries < TRIES_MAX => tries += 1,
            done => return done,
        }
    }
}

fn write(
    draft: Draft,
    args: &Args,
    question: &UserAdd,
    key: &KeyPair,
    added: &UserAdded,
) -> Result<()> {
    let seed = key.seed().map_err(|error| anyhow!("a new key has no seed: {error}"));
    let fields = Fields {
        cluster: added.cluster.clone(),
        servers: added.servers.clone(),
        ca: Some(added.ca.clone()),
        ca_file: None,
        user: question.name.clone(),
        role: question.role,
        renewable: question.renewable,
        jwt: added.jwt.clone(),
        seed: seed.or_next("this is a mistake of muster's: please report it")?,
    };
    let written = match args.force {
        true => draft.replace(&fields.text()),
        false => draft.create(&fields.text()),
    };
    written.map_err(|failure| {
        let name = &question.name;
        failure.advise(format!(
            "{name} was added, but nobody has the credential: muster user revoke {name}, then again"
        ))
    })
}
